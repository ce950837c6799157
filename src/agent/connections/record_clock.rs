//! How long a record waits for its end.

use std::time::Duration;
use tokio::time::Instant;

/// The first unfinished record of a stream: it must end in time, however many pieces come.
pub(super) struct RecordClock {
    timeout: Duration,
    /// Where the record begins in the stream, and until when it may wait.
    unfinished: Option<(u64, Instant)>,
}

impl RecordClock {
    pub fn new(timeout: Duration) -> Self {
        Self { timeout, unfinished: None }
    }

    /// Something has come: `unfinished` is where the first record begins that has not ended. For so long as `blocked` the
    /// stream could not be read on, which is not the sender's fault.
    pub fn advance(&mut self, unfinished: Option<u64>, blocked: Duration, now: Instant) {
        self.unfinished = unfinished.map(|start| match self.unfinished {
            Some((known, due)) if known == start => (start, due + blocked),
            _ => (start, now + self.timeout),
        });
    }

    /// Whether the record has waited too long.
    pub fn is_over(&self, now: Instant) -> bool {
        self.unfinished.is_some_and(|(_, due)| due <= now)
    }

    /// Waits until that is so.
    pub async fn over(&self) {
        match self.unfinished {
            Some((_, due)) => tokio::time::sleep_until(due).await,
            None => std::future::pending().await,
        }
    }

    /// What there was of the record has left: the time runs again from the next piece.
    pub fn reset(&mut self) {
        self.unfinished = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_runs_from_the_first_piece_and_stands_still_while_a_sink_is_full() {
        let (began, none) = (Instant::now(), Duration::ZERO);
        let at = |seconds| began + Duration::from_secs(seconds);
        let mut clock = RecordClock::new(Duration::from_secs(10));
        assert!(!clock.is_over(at(1000)));
        for second in 0..10 {
            clock.advance(Some(7), none, at(second));
            assert!(!clock.is_over(at(second)));
        }
        assert!(clock.is_over(at(10)));
        clock.advance(Some(7), Duration::from_secs(5), at(14));
        assert!(!clock.is_over(at(14)) && clock.is_over(at(15)));

        // Another record has another time.
        clock.advance(Some(8), none, at(15));
        assert!(!clock.is_over(at(24)) && clock.is_over(at(25)));
        clock.reset();
        assert!(!clock.is_over(at(25)));
        clock.advance(Some(8), none, at(30));
        assert!(!clock.is_over(at(39)) && clock.is_over(at(40)));
        clock.advance(None, none, at(31));
        assert!(!clock.is_over(at(1000)));
    }
}
