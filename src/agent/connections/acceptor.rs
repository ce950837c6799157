//! Taking connections from a listening socket, whatever hinders it.

use super::events::Events;
use super::{Listen, Peer};
use std::future::poll_fn;
use std::io;
use std::pin::pin;
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
        let (mut accept, is_starved) = (pin!(self.listener.accept()), &mut self.is_starved);
        let accepted = poll_fn(|context| {
            let accepted = accept.as_mut().poll(context);
            // Without a descriptor there is no telling whether somebody waits. With one it turns out.
            *is_starved &= accepted.is_ready();
            accepted
        });
        let error = match accepted.await {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::status::Meter;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    /// Fails so often, and then nobody connects.
    struct Failing(AtomicUsize);

    impl Listen for Failing {
        type Socket = ();

        async fn accept(&self) -> io::Result<((), Peer)> {
            if self.0.fetch_sub(1, Relaxed) == 0 {
                self.0.store(0, Relaxed);
                return std::future::pending().await;
            }
            Err(io::Error::from_raw_os_error(rustix::io::Errno::MFILE.raw_os_error()))
        }
    }

    #[tokio::test]
    async fn nobody_waits_for_a_descriptor_who_is_not_there() {
        let (mut acceptor, events) =
            (Acceptor::new(Failing(AtomicUsize::new(3))), Events::new("app", Arc::new(Meter::new("tcp", false))));
        let began = Instant::now();
        for _ in 0..3 {
            assert!(acceptor.accept(&events).await.is_none() && acceptor.is_starved());
        }
        assert!(began.elapsed() >= 2 * ACCEPT_PAUSE, "it spins");
        let accepted = tokio::time::timeout(2 * ACCEPT_PAUSE, acceptor.accept(&events)).await;
        assert!(accepted.is_err() && !acceptor.is_starved());
    }
}
