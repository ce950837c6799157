//! Which connections are in their handshake: whoever begins handshakes and never ends them must not keep others out.

use std::collections::VecDeque;
use std::convert::Infallible;
use tokio::sync::oneshot;

/// Handshakes in the order in which they began.
#[derive(Debug, Default)]
pub(super) struct Handshakes(VecDeque<oneshot::Sender<Infallible>>);

/// One handshake's end of it. It is over for the others when this is dropped.
#[derive(Debug)]
pub(super) struct Turn(oneshot::Receiver<Infallible>);

impl Handshakes {
    /// Notes one that begins.
    pub fn begin(&mut self) -> Turn {
        // Those that are over go before memory grows for them.
        if self.0.len() == self.0.capacity() {
            self.0.retain(|handshake| !handshake.is_closed());
        }
        let (sender, receiver) = oneshot::channel();
        self.0.push_back(sender);
        Turn(receiver)
    }

    /// Whether there is one that could make room.
    pub fn any(&mut self) -> bool {
        while self.0.pop_front_if(|handshake| handshake.is_closed()).is_some() {}
        !self.0.is_empty()
    }

    /// Ends the oldest one.
    pub fn end_oldest(&mut self) {
        if self.any() {
            self.0.pop_front();
        }
    }
}

impl Turn {
    /// Waits until the handshake is to make room.
    pub async fn ended(&mut self) {
        // Nothing is ever sent.
        let Err(_) = (&mut self.0).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_that_is_under_way_makes_room() {
        let mut handshakes = Handshakes::default();
        let mut turns: Vec<_> = (0..3).map(|_| handshakes.begin()).collect();
        drop(turns.remove(0));
        handshakes.end_oldest();
        turns[0].ended().await;
        let waits = std::time::Duration::from_millis(5);
        assert!(tokio::time::timeout(waits, turns[1].ended()).await.is_err());
        assert!(handshakes.any());
        turns.clear();
        assert!(!handshakes.any());
    }

    #[test]
    fn those_that_are_over_take_no_memory() {
        let mut handshakes = Handshakes::default();
        let _slow = handshakes.begin();
        for _ in 0..100_000 {
            drop(handshakes.begin());
        }
        assert!(handshakes.0.capacity() < 100, "{}", handshakes.0.capacity());
    }
}
