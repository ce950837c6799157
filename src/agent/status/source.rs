//! One source's health.

use super::meter::{Meter, Reading};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// What may be wrong with a source for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(in crate::agent) enum Trouble {
    Checkpoint = 1,
    NotAccepting = 2,
}

impl Trouble {
    const ALL: [(Self, &'static str); 2] =
        [(Self::Checkpoint, "the checkpoint can't be written"), (Self::NotAccepting, "connections can't be accepted")];
}

/// What is noted as a source works.
#[derive(Debug)]
pub(in crate::agent) struct SourceHealth {
    name: String,
    kind: &'static str,
    meter: Arc<Meter>,
    started: Instant,
    sent_blocks: AtomicU64,
    sent_bytes: AtomicU64,
    /// When a block was handed to all sinks for the last time; 0 is never.
    sent_ms: AtomicU64,
    /// Streams that are handing a block over, and since when there is one.
    handing: AtomicU64,
    handing_ms: AtomicU64,
    troubles: AtomicU8,
    unread_paths: AtomicU64,
    has_ended: AtomicU8,
}

impl SourceHealth {
    /// `kind` is its type in the configuration.
    pub fn new(name: &str, kind: &'static str, counts_records: bool) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            meter: Arc::new(Meter::new(kind, counts_records)),
            started: Instant::now(),
            sent_blocks: AtomicU64::new(0),
            sent_bytes: AtomicU64::new(0),
            sent_ms: AtomicU64::new(0),
            handing: AtomicU64::new(0),
            handing_ms: AtomicU64::new(0),
            troubles: AtomicU8::new(0),
            unread_paths: AtomicU64::new(0),
            has_ended: AtomicU8::new(0),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its streams count.
    pub fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// A block is being handed to the sinks, until the result is dropped.
    pub fn hand(&self, bytes: usize) -> Handing<'_> {
        let now = self.now_ms();
        if self.handing.fetch_add(1, Relaxed) == 0 {
            self.handing_ms.store(now, Relaxed);
        }
        Handing { health: self, bytes: bytes as u64 }
    }

    /// Something is wrong, or right again.
    pub fn set(&self, trouble: Trouble, is_wrong: bool) {
        if is_wrong {
            self.troubles.fetch_or(trouble as u8, Relaxed);
        } else {
            self.troubles.fetch_and(!(trouble as u8), Relaxed);
        }
    }

    /// So many of the paths that the globs name are not read, for whatever reason.
    pub fn set_unread_paths(&self, count: usize) {
        self.unread_paths.store(count as u64, Relaxed);
    }

    pub fn end(&self) {
        self.has_ended.store(1, Relaxed);
    }

    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    pub(super) fn status(&self) -> SourceStatus {
        let ago = |ms: u64| Duration::from_millis(self.now_ms().saturating_sub(ms));
        let sent_ms = self.sent_ms.load(Relaxed);
        let last_sent = (sent_ms > 0).then(|| ago(sent_ms));
        // With many streams one hands over all the time; it is held up only if nothing gets through.
        let handing = (self.handing.load(Relaxed) > 0).then(|| ago(self.handing_ms.load(Relaxed)));
        let troubles = self.troubles.load(Relaxed);
        SourceStatus {
            name: self.name.clone(),
            kind: self.kind,
            reading: self.meter.reading(),
            has_ended: self.has_ended.load(Relaxed) > 0,
            sent_blocks: self.sent_blocks.load(Relaxed),
            sent_bytes: self.sent_bytes.load(Relaxed),
            last_sent,
            held_up: handing.map(|handing| last_sent.map_or(handing, |last| handing.min(last))),
            unread_paths: self.unread_paths.load(Relaxed),
            troubles: Trouble::ALL
                .iter()
                .filter(|(trouble, _)| troubles & *trouble as u8 != 0)
                .map(|row| row.1)
                .collect(),
        }
    }
}

/// A block on its way into the sinks' queues. Dropped unsent, it was not handed over.
#[derive(Debug)]
pub(in crate::agent) struct Handing<'a> {
    health: &'a SourceHealth,
    bytes: u64,
}

impl Handing<'_> {
    /// All sinks have it.
    pub fn done(self) {
        self.health.sent_blocks.fetch_add(1, Relaxed);
        self.health.sent_bytes.fetch_add(self.bytes, Relaxed);
        self.health.sent_ms.store(self.health.now_ms().max(1), Relaxed);
    }
}

impl Drop for Handing<'_> {
    fn drop(&mut self) {
        self.health.handing.fetch_sub(1, Relaxed);
    }
}

/// A source at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SourceStatus {
    /// As in the configuration.
    pub name: String,
    /// Its type, as in the configuration.
    pub kind: &'static str,
    /// What its counters say.
    pub reading: Reading,
    /// Whether it will read nothing more.
    pub has_ended: bool,
    /// Redacted blocks that its sinks have taken.
    pub sent_blocks: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// How long ago the last of them was taken. A source that nothing comes from is not ill.
    pub last_sent: Option<Duration>,
    /// How long it has been waiting for room in a sink.
    pub held_up: Option<Duration>,
    /// Paths that its globs name and that are not read, such as FIFOs and what may not be opened.
    pub unread_paths: u64,
    /// What is wrong with it, in words.
    pub troubles: Vec<&'static str>,
}

impl SourceStatus {
    /// Whether something is wrong with it. A sink that holds it up is ill itself.
    pub fn is_degraded(&self) -> bool {
        !self.troubles.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn troubles_come_and_go_and_what_waits_is_held_up() {
        let health = SourceHealth::new("in", "tcp", false);
        assert_eq!((health.status().troubles.len(), health.status().held_up), (0, None));
        health.set(Trouble::Checkpoint, true);
        health.set(Trouble::NotAccepting, true);
        health.set(Trouble::NotAccepting, false);
        assert_eq!(health.status().troubles, ["the checkpoint can't be written"]);
        assert!(health.status().is_degraded());
        health.set(Trouble::Checkpoint, false);
        assert!(!health.status().is_degraded());

        let (one, other) = (health.hand(3), health.hand(4));
        std::thread::sleep(Duration::from_millis(20));
        assert!(health.status().held_up.is_some_and(|held_up| held_up >= Duration::from_millis(20)));
        one.done();
        assert!(health.status().held_up.is_some_and(|held_up| held_up < Duration::from_millis(20)), "one got through");
        drop(other);
        assert_eq!((health.status().held_up, health.status().sent_blocks, health.status().sent_bytes), (None, 1, 3));
    }
}
