//! When a checkpoint is written: now and then, and not before the ledger has what was found up to there.

use super::super::checkpoint::{Checkpoint, Entry};
use crate::ledger::{FlushTicket, Recorder};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// A ledger that takes longer holds no checkpoint up; after a crash it could lack what was found meanwhile.
const LEDGER_WAIT_MAX: Duration = Duration::from_secs(10);
/// How soon the ledger is asked again.
const LEDGER_PAUSE: Duration = Duration::from_millis(20);

/// The checkpoints of one source.
pub(super) struct Saving {
    checkpoint: Checkpoint,
    interval: Duration,
    next: Instant,
    /// Something is not in the checkpoint yet.
    is_dirty: bool,
    recorder: Option<Recorder>,
    prepared: Option<Prepared>,
}

/// A checkpoint that waits for the ledger.
struct Prepared {
    entries: Vec<Entry>,
    ticket: FlushTicket,
    until: Instant,
}

impl Saving {
    /// The first one is due now.
    pub fn new(checkpoint: Checkpoint, interval: Duration, recorder: Option<Recorder>) -> Self {
        Self { checkpoint, interval, next: Instant::now(), is_dirty: true, recorder, prepared: None }
    }

    /// Something has changed, if `is_dirty`.
    pub fn note(&mut self, is_dirty: bool) {
        self.is_dirty |= is_dirty;
    }

    /// When there is something to do.
    pub fn due(&self) -> Option<Instant> {
        match self.prepared {
            Some(_) => Some(Instant::now() + LEDGER_PAUSE),
            None => self.is_dirty.then_some(self.next),
        }
    }

    /// Writes what is due, and gives what was written.
    pub fn save_if_due(&mut self, entries: impl FnOnce() -> Vec<Entry>) -> Option<io::Result<Vec<Entry>>> {
        let now = Instant::now();
        if self.prepared.is_none() && self.is_dirty && now >= self.next {
            self.next = now + self.interval;
            self.is_dirty = false;
            let entries = entries();
            let Some(recorder) = &self.recorder else { return Some(self.store(entries)) };
            self.prepared = Some(Prepared { entries, ticket: recorder.ask_flush(), until: now + LEDGER_WAIT_MAX });
        }
        let recorder = self.recorder.as_ref()?;
        let prepared =
            self.prepared.take_if(|prepared| now >= prepared.until || recorder.is_settled(prepared.ticket))?;
        Some(self.store(prepared.entries))
    }

    /// Writes the last one.
    pub fn save_last(&mut self, entries: Vec<Entry>) -> io::Result<()> {
        if let Some(recorder) = &self.recorder {
            recorder.flush(LEDGER_WAIT_MAX);
        }
        self.prepared = None;
        self.store(entries).map(drop)
    }

    fn store(&mut self, entries: Vec<Entry>) -> io::Result<Vec<Entry>> {
        let stored = self.checkpoint.store(entries.iter());
        self.is_dirty |= stored.is_err();
        stored.map(|()| entries)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.checkpoint.path()
    }
}
