//! The thread that brings what was seen into the database.

use super::LedgerError;
use super::store::{Batch, Store};
use super::tally::{Room, Tally, WAITING_BYTES_MAX, Waiting};
use jiff::Timestamp;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often the writer comes by.
const INTERVAL: Duration = Duration::from_secs(1);
/// After an error the pause grows to this.
const RETRY_MAX: Duration = Duration::from_secs(30);
/// Credentials in one transaction: another process may wait for it.
const BATCH_ENTRIES_MAX: usize = 10_000;

/// What a ledger counts while it is open.
#[derive(Debug, Default)]
pub struct LedgerCounters {
    /// Batches that are in the database.
    pub batches: AtomicU64,
    /// Attempts to write that failed.
    pub errors: AtomicU64,
    /// Rows that the limits made go.
    pub pruned: AtomicU64,
    /// Sights that were left out, since too much waited.
    pub skipped: AtomicU64,
}

/// What the writer and those who wait for it share.
pub(super) struct Desk {
    pub room: Room,
    pub tallies: Mutex<Vec<Arc<Tally>>>,
    pub counters: LedgerCounters,
    state: Mutex<State>,
    /// For the writer: there is something to do.
    called: Condvar,
    /// For those who wait: something was done.
    done: Condvar,
}

#[derive(Default)]
struct State {
    /// Flushes that were asked for, and those that are done.
    asked: u64,
    answered: u64,
    /// The tallies are half full.
    is_full: bool,
    stop: bool,
    ended: bool,
    error: Option<String>,
}

impl Desk {
    pub fn new(room: Room) -> Self {
        Self {
            room,
            tallies: Mutex::default(),
            counters: LedgerCounters::default(),
            state: Mutex::default(),
            called: Condvar::new(),
            done: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn error(&self) -> Option<String> {
        self.state().error.clone()
    }

    /// Wakes the writer early if a lot waits.
    pub fn call_if_full(&self) {
        if self.room.waiting_bytes.load(Relaxed) > WAITING_BYTES_MAX / 2 {
            let mut state = self.state();
            if !state.is_full {
                state.is_full = true;
                self.called.notify_one();
            }
        }
    }

    /// Waits until less waits; not longer than the writer lives.
    pub fn wait_for_room(&self) {
        let mut state = self.state();
        while self.room.waiting_bytes.load(Relaxed) > WAITING_BYTES_MAX / 2 && !state.ended && state.error.is_none() {
            state.is_full = true;
            self.called.notify_one();
            state = self.done.wait_timeout(state, INTERVAL).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Asks for a flush and gives its number.
    pub fn ask(&self) -> u64 {
        let mut state = self.state();
        state.asked += 1;
        self.called.notify_one();
        state.asked
    }

    /// Whether a flush is done, or can't be now.
    pub fn is_settled(&self, mine: u64) -> bool {
        let state = self.state();
        state.answered >= mine || state.ended || state.error.is_some()
    }

    /// Waits until all that was recorded before is in the database.
    pub fn flush(&self, timeout: Duration) -> bool {
        let start = Instant::now();
        let mine = self.ask();
        let mut state = self.state();
        while state.answered < mine && !state.ended {
            let Some(left) = timeout.checked_sub(start.elapsed()) else { return false };
            state = self.done.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.answered >= mine
    }

    pub fn stop(&self) {
        self.state().stop = true;
        self.called.notify_one();
    }
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Desk")
    }
}

/// What the thread works with.
pub(super) struct Writer {
    store: Store,
    desk: Arc<Desk>,
    run: String,
    batches: u64,
    /// What could not be written yet.
    batch: Option<Batch>,
    rest: Vec<Waiting>,
}

impl Writer {
    pub fn new(store: Store, desk: Arc<Desk>, run: String) -> Self {
        Self { store, desk, run, batches: 0, batch: None, rest: Vec::new() }
    }

    /// Runs until it is stopped; then tries once more to write what is left.
    pub fn run(mut self) -> Result<(), LedgerError> {
        let mut pause = INTERVAL;
        loop {
            let (asked, stop) = self.wait(pause);
            let written = self.write();
            let mut state = self.desk.state();
            match &written {
                Ok(()) => {
                    (state.answered, state.error) = (asked, None);
                    pause = INTERVAL;
                }
                Err(error) => {
                    self.desk.counters.errors.fetch_add(1, Relaxed);
                    state.error = Some(error.to_string());
                    pause = (pause * 2).min(RETRY_MAX);
                }
            }
            state.ended = stop;
            self.desk.done.notify_all();
            if stop {
                return written;
            }
        }
    }

    /// Waits until there is something to do; gives the number of flushes that were asked for, and whether to stop.
    fn wait(&self, pause: Duration) -> (u64, bool) {
        let start = Instant::now();
        let mut state = self.desk.state();
        loop {
            let failed = state.error.is_some();
            let left = pause.saturating_sub(start.elapsed());
            // After an error only the end brings the next try forward.
            if state.stop || left.is_zero() || (!failed && (state.is_full || state.asked > state.answered)) {
                state.is_full = false;
                return (state.asked, state.stop);
            }
            state = self.desk.called.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn write(&mut self) -> Result<(), LedgerError> {
        // What was left over from an error goes first, under its old id.
        self.write_rest()?;
        let tallies = self.desk.tallies.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for tally in tallies {
            tally.take(&self.desk.room, &mut self.rest);
        }
        // A tally whose recorders are gone and whose last entries were taken is of no more use.
        let mut tallies = self.desk.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        tallies.retain(|tally| Arc::strong_count(tally) > 1 || !tally.is_empty());
        drop(tallies);
        self.write_rest()
    }

    fn write_rest(&mut self) -> Result<(), LedgerError> {
        loop {
            if self.batch.is_none() {
                let skipped = self.desk.room.skipped.swap(0, Relaxed);
                if self.rest.is_empty() && skipped == 0 {
                    self.rest = Vec::new();
                    return Ok(());
                }
                let entries = self.rest.drain(self.rest.len().saturating_sub(BATCH_ENTRIES_MAX)..);
                let entries = entries.map(|waiting| waiting.into_batch(&self.desk.room.redaction)).collect();
                self.batches += 1;
                let id = format!("{}.{}", self.run, self.batches);
                self.batch = Some(Batch { id, observed_at: Timestamp::now(), entries, skipped });
            }
            if let Some(batch) = &self.batch {
                let merged = self.store.add(batch)?;
                self.batch = None;
                self.desk.counters.batches.fetch_add(1, Relaxed);
                self.desk.counters.pruned.fetch_add(merged.pruned.old + merged.pruned.surplus, Relaxed);
            }
        }
    }
}
