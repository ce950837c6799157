//! Taking connections from a listening socket, whatever hinders it.

use super::{Listen, Peer};
use std::io;
use std::time::Duration;
use tokio::time::Instant;

/// Out of descriptors, most likely: they come back when connections end, so that trying at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const ACCEPT_LOG_INTERVAL: Duration = Duration::from_secs(1);

pub(super) struct Acceptor<L> {
    listener: L,
    resume_at: Instant,
    logged_at: Option<Instant>,
}

impl<L: Listen> Acceptor<L> {
    pub fn new(listener: L) -> Self {
        Self { listener, resume_at: Instant::now(), logged_at: None }
    }

    /// The next connection; `None` after a failure, which is no reason to end: the next call waits a little.
    pub async fn accept(&mut self, source: &str) -> Option<(L::Socket, Peer)> {
        tokio::time::sleep_until(self.resume_at).await;
        let error = match self.listener.accept().await {
            Ok(accepted) => return Some(accepted),
            Err(error) => error,
        };
        // The peer had gone before it was its turn; that says nothing about the next one.
        if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
            return None;
        }
        let now = Instant::now();
        self.resume_at = now + ACCEPT_PAUSE;
        if self.logged_at.is_none_or(|at| now - at >= ACCEPT_LOG_INTERVAL) {
            self.logged_at = Some(now);
            tracing::warn!(source, %error, "can't accept connections");
        }
        None
    }

    /// A connection that waits already.
    pub async fn waiting(&mut self) -> Option<(L::Socket, Peer)> {
        tokio::time::timeout(Duration::ZERO, self.listener.accept()).await.ok()?.ok()
    }
}
