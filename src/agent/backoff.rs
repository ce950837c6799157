//! Pauses between attempts.

use std::time::Duration;

const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// No pause at first, then 100 ms, doubled with each attempt up to a limit, less up to a half by chance: agents that
/// lost the same collector must not come back all at once.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    pause_max: Duration,
}

impl Backoff {
    pub fn new(pause_max: Duration) -> Self {
        Self { next: Duration::ZERO, pause_max }
    }

    pub fn reset(&mut self) {
        self.next = Duration::ZERO;
    }

    /// The next pause.
    pub fn pause(&mut self) -> Duration {
        let pause = self.next.min(self.pause_max);
        self.next = (pause * 2).clamp(FIRST_PAUSE.min(self.pause_max), self.pause_max);
        let chance = f64::from(getrandom::u32().unwrap_or(0)) / f64::from(u32::MAX);
        pause.mul_f64(1.0 - chance / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_limit() {
        let limit = Duration::from_secs(3);
        let mut backoff = Backoff::new(limit);
        assert_eq!(backoff.pause(), Duration::ZERO);
        let second = backoff.pause();
        assert!(second <= FIRST_PAUSE && second >= FIRST_PAUSE / 2);
        let last = (0..20).map(|_| backoff.pause()).last().unwrap();
        assert!(last <= limit && last >= limit / 2);
        backoff.reset();
        assert_eq!(backoff.pause(), Duration::ZERO);
    }
}
