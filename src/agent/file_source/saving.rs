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
    /// Since when something is not in the checkpoint.
    dirty_since: Option<Instant>,
    recorder: Option<Recorder>,
    prepared: Option<Prepared>,
}

/// A checkpoint that waits for the ledger.
struct Prepared {
    entries: Vec<Entry>,
    ticket: FlushTicket,
    until: Instant,
    dirty_since: Instant,
}

impl Saving {
    /// The first one is due now.
    pub fn new(checkpoint: Checkpoint, interval: Duration, recorder: Option<Recorder>) -> Self {
        let now = Instant::now();
        Self { checkpoint, interval, next: now, dirty_since: Some(now), recorder, prepared: None }
    }

    /// Something has changed, if `is_dirty`.
    pub fn note(&mut self, is_dirty: bool) {
        if is_dirty {
            self.dirty_since.get_or_insert_with(Instant::now);
        }
    }

    /// Since when something is not in the checkpoint.
    pub fn behind_since(&self) -> Option<Instant> {
        self.prepared.as_ref().map(|prepared| prepared.dirty_since).or(self.dirty_since)
    }

    /// When there is something to do.
    pub fn due(&self) -> Option<Instant> {
        match self.prepared {
            Some(_) => Some(Instant::now() + LEDGER_PAUSE),
            None => self.dirty_since.map(|_| self.next),
        }
    }

    /// Writes what is due, and gives what was written.
    pub fn save_if_due(&mut self, entries: impl FnOnce() -> Vec<Entry>) -> Option<io::Result<Vec<Entry>>> {
        let now = Instant::now();
        if self.prepared.is_none()
            && now >= self.next
            && let Some(dirty_since) = self.dirty_since.take()
        {
            self.next = now + self.interval;
            let entries = entries();
            let Some(recorder) = &self.recorder else { return Some(self.store(entries, dirty_since)) };
            let (ticket, until) = (recorder.ask_flush(), now + LEDGER_WAIT_MAX);
            self.prepared = Some(Prepared { entries, ticket, until, dirty_since });
        }
        let recorder = self.recorder.as_ref()?;
        let prepared =
            self.prepared.take_if(|prepared| now >= prepared.until || recorder.is_settled(prepared.ticket))?;
        Some(self.store(prepared.entries, prepared.dirty_since))
    }

    /// Writes the last one.
    pub fn save_last(&mut self, entries: Vec<Entry>) -> io::Result<()> {
        if let Some(recorder) = &self.recorder {
            recorder.flush(LEDGER_WAIT_MAX);
        }
        let dirty_since = self.behind_since().unwrap_or_else(Instant::now);
        (self.prepared, self.dirty_since) = (None, None);
        self.store(entries, dirty_since).map(drop)
    }

    fn store(&mut self, entries: Vec<Entry>, dirty_since: Instant) -> io::Result<Vec<Entry>> {
        let stored = self.checkpoint.store(entries.iter());
        if stored.is_err() {
            self.dirty_since = Some(dirty_since);
        }
        stored.map(|()| entries)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.checkpoint.path()
    }
}
