//! When each block in a sink's queue came: the age of the oldest is known at any time, without a lock on its way.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use std::time::{Duration, Instant};

/// One slot's unit: 32 bits of it last for more than a year, and only differences count.
const UNIT_MS: u64 = 10;

/// A ring of times, one for each block that may be in the queue at once. Blocks leave in the order in which they came.
#[derive(Debug)]
pub(super) struct Ages {
    started: Instant,
    /// 0 is no time.
    slots: Box<[AtomicU32]>,
    entered: AtomicU64,
    left: AtomicU64,
}

impl Ages {
    /// For at most this many blocks at once.
    pub fn new(blocks_max: usize) -> Self {
        Self {
            started: Instant::now(),
            slots: std::iter::repeat_with(AtomicU32::default).take(blocks_max.max(1)).collect(),
            entered: AtomicU64::new(0),
            left: AtomicU64::new(0),
        }
    }

    /// A block has come. Any thread may say so.
    pub fn enter(&self) {
        let number = self.entered.fetch_add(1, Relaxed);
        self.slot(number).store(self.now(), Release);
    }

    /// The oldest block has left. One thread at a time says so.
    pub fn leave(&self) {
        let number = self.left.load(Relaxed);
        // Emptied before the slot may be used again.
        self.slot(number).store(0, Relaxed);
        self.left.store(number + 1, Release);
    }

    /// The age of the oldest block that has not left.
    pub fn oldest(&self) -> Option<Duration> {
        let left = self.left.load(Acquire);
        if left == self.entered.load(Acquire) {
            return None;
        }
        // A block that enters or leaves at this moment has no time: it is not old.
        let at = self.slot(left).load(Acquire);
        let units = if at == 0 { 0 } else { self.now().wrapping_sub(at) };
        Some(Duration::from_millis(u64::from(units) * UNIT_MS))
    }

    fn slot(&self, number: u64) -> &AtomicU32 {
        &self.slots[(number % self.slots.len() as u64) as usize]
    }

    fn now(&self) -> u32 {
        ((self.started.elapsed().as_millis() as u64 / UNIT_MS) as u32).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::sleep;

    #[test]
    fn the_oldest_counts_and_nothing_is_not_old() {
        let ages = Ages::new(2);
        assert_eq!(ages.oldest(), None);
        for _ in 0..5 {
            ages.enter();
            sleep(Duration::from_millis(40));
            ages.enter();
            assert!(ages.oldest().unwrap() >= Duration::from_millis(30));
            ages.leave();
            assert!(ages.oldest().unwrap() < Duration::from_millis(30));
            ages.leave();
            assert_eq!(ages.oldest(), None);
        }
    }
}
