//! Reports of what may happen thousands of times a second.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Lets a report through once an interval, with the number of what happened since the last one.
#[derive(Debug)]
pub(super) struct Seldom {
    interval: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    reported_at: Option<Instant>,
    since: u64,
    total: u64,
}

impl Seldom {
    pub fn new(interval: Duration) -> Self {
        Self { interval, state: Mutex::default() }
    }

    /// Counts. If it is time for a report: how many there were since the last one, this one included.
    pub fn count(&self) -> Option<u64> {
        self.add(1)
    }

    /// Counts so many at once.
    pub fn add(&self, times: u64) -> Option<u64> {
        let mut state = self.state();
        state.since += times;
        state.total += times;
        if state.reported_at.is_some_and(|at| at.elapsed() < self.interval) {
            return None;
        }
        state.reported_at = Some(Instant::now());
        Some(std::mem::take(&mut state.since))
    }

    /// How many there were, reported or not.
    pub fn total(&self) -> u64 {
        self.state().total
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_the_others_together() {
        let seldom = Seldom::new(Duration::from_millis(50));
        let told: Vec<_> = (0..10).map(|_| seldom.count()).collect();
        assert_eq!(told[0], Some(1));
        assert!(told[1..].iter().all(Option::is_none));
        std::thread::sleep(Duration::from_millis(60));
        assert_eq!(seldom.add(5), Some(14));
        assert_eq!(seldom.total(), 15);
    }
}
