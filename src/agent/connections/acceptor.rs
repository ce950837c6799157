//! Taking connections from a listening socket, whatever hinders it.

use super::events::Events;
use super::{Listen, Peer};
use std::io;
use std::time::Duration;
use tokio::time::Instant;

/// Out of descriptors, most likely: they come back when connections end, so that trying at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

pub(super) struct Acceptor<L> {
    listener: L,
    resume_at: Instant,
    is_starved: bool,
}

impl<L: Listen> Acceptor<L> {
    pub fn new(listener: L) -> Self {
        Self { listener, resume_at: Instant::now(), is_starved: false }
    }

    /// Whether a connection waits that can't be taken now.
    pub fn is_starved(&self) -> bool {
        self.is_starved
    }

    /// A connection has ended: its descriptor is free.
    pub fn try_again(&mut self) {
        self.resume_at = Instant::now();
    }

    /// The next connection; `None` after a failure, which is no reason to end: the next call waits a little.
    pub async fn accept(&mut self, events: &Events) -> Option<(L::Socket, Peer)> {
        tokio::time::sleep_until(self.resume_at).await;
        let error = match self.listener.accept().await {
            Ok(accepted) => {
                self.is_starved = false;
                return Some(accepted);
            }
            Err(error) => error,
        };
        // The peer had gone before it was its turn; that says nothing about the next one.
        if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
            return None;
        }
        self.resume_at = Instant::now() + ACCEPT_PAUSE;
        if !std::mem::replace(&mut self.is_starved, true) {
            events.not_accepted(&error);
        }
        None
    }

    /// A connection that waits already.
    pub async fn waiting(&mut self) -> Option<(L::Socket, Peer)> {
        tokio::time::timeout(Duration::ZERO, self.listener.accept()).await.ok()?.ok()
    }
}
