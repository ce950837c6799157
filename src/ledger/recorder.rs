//! From findings to the database, off the path of the data.

use super::policy::PolicyLimits;
use super::store::{Limits, Store};
use super::tally::{self, Place, Room, Tally, Text, WAITING_BYTES_MAX};
use super::writer::{Desk, LedgerCounters, Writer};
use super::{Identity, LedgerError};
use crate::redact::{Finding, Redaction};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// The most memory that sights take while they wait for the database, what a batch makes of them and the database's own
/// caches included.
pub const LEDGER_BYTES_MAX: usize = 3 * WAITING_BYTES_MAX + (16 << 20);

/// How a ledger is opened to write to it.
pub struct Settings {
    /// The file.
    pub path: PathBuf,
    /// Which host or pod it is of.
    pub instance: String,
    /// How much it keeps.
    pub limits: Limits,
    /// What its policies allow.
    pub policy: PolicyLimits,
    /// A ledger that is there keeps the instance, limits and policy that it has.
    pub keeps: bool,
    /// What happens when too much waits for the database: whoever records waits too, or sights are left out and counted.
    pub wait_when_full: bool,
}

impl Settings {
    /// With defaults for all else.
    pub fn new(path: &Path, instance: &str) -> Self {
        Self {
            path: path.to_owned(),
            instance: instance.to_owned(),
            limits: Limits::default(),
            policy: PolicyLimits::default(),
            keeps: false,
            wait_when_full: false,
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A ledger that is being written to. The redaction must have been built with [`claims`](crate::Options::claims), or rows
/// have none.
#[derive(Debug)]
pub struct Ledger {
    desk: Arc<Desk>,
    identity: Identity,
    wait_when_full: bool,
    thread: Option<JoinHandle<Result<(), LedgerError>>>,
}

impl Ledger {
    /// Opens or makes the file and starts the thread that writes to it.
    ///
    /// # Errors
    /// If the file can't be opened, made or written to, or no thread be started.
    pub fn open(settings: Settings, redaction: &Redaction) -> Result<Self, LedgerError> {
        let store = if settings.keeps {
            Store::create_or_keep(&settings.path, &settings.instance)?
        } else {
            let mut store = Store::create(&settings.path, &settings.instance)?;
            store.set_limits(settings.limits, settings.policy)?;
            store
        };
        let identity = store.identity()?;
        let room = Room { redaction: redaction.clone(), waiting_bytes: 0.into(), skipped: AtomicU64::new(0) };
        let desk = Arc::new(Desk::new(room));
        let writer = Writer::new(store, desk.clone(), super::store::random_id());
        let thread = std::thread::Builder::new().name("ledger".to_owned()).spawn(move || writer.run());
        let thread =
            thread.map_err(|error| LedgerError::other(&settings.path, format!("no thread for it: {error}")))?;
        Ok(Self { desk, identity, wait_when_full: settings.wait_when_full, thread: Some(thread) })
    }

    /// Records what is found in one source. Clones count together.
    pub fn recorder(&self, source: &str) -> Recorder {
        let tally = Arc::new(Tally::new(&tally::clean_name(&self.desk.room.redaction, source)));
        self.desk.tallies.lock().unwrap_or_else(PoisonError::into_inner).push(tally.clone());
        Recorder { tally, desk: self.desk.clone(), wait_when_full: self.wait_when_full }
    }

    /// Which ledger it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Waits until all that was recorded before is in the database; false if that took too long.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.desk.flush(timeout)
    }

    /// A handle that can be waited with elsewhere.
    pub fn flusher(&self) -> Flusher {
        Flusher(self.desk.clone())
    }

    /// Writes what is left and closes the file.
    ///
    /// # Errors
    /// If it could not be written; then what was recorded lately is not in the ledger.
    pub fn close(mut self) -> Result<(), LedgerError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), LedgerError> {
        self.desk.stop();
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // Who wants to know closes it.
            let _ = self.end();
        }
    }
}

/// What is asked of an open ledger from elsewhere.
#[derive(Clone, Debug)]
pub struct Flusher(Arc<Desk>);

impl Flusher {
    /// As [`Ledger::flush`].
    pub fn flush(&self, timeout: Duration) -> bool {
        self.0.flush(timeout)
    }

    /// What has happened since it was opened.
    pub fn counters(&self) -> &LedgerCounters {
        &self.0.counters
    }

    /// Why the database can't be written now.
    pub fn error(&self) -> Option<String> {
        self.0.error()
    }
}

/// A flush that was asked for.
#[derive(Clone, Copy, Debug)]
pub struct FlushTicket(u64);

/// Takes the findings of one source. It never waits for the database, unless the ledger was opened so.
#[derive(Clone, Debug)]
pub struct Recorder {
    tally: Arc<Tally>,
    desk: Arc<Desk>,
    wait_when_full: bool,
}

impl Recorder {
    /// A file as a place of findings; the stream that they are in begins there at `start`.
    pub fn file(&self, path: &Path, start: u64) -> Place {
        tally::file(&self.desk.room.redaction, path, start)
    }

    /// A sender as a place of findings; `address` must hold nothing that a sender may choose.
    pub fn peer(&self, address: &dyn std::fmt::Display) -> Place {
        Place::Peer(address.to_string().into())
    }

    /// Asks for a [flush](Ledger::flush) and does not wait for it.
    pub fn ask_flush(&self) -> FlushTicket {
        FlushTicket(self.desk.ask())
    }

    /// Whether all that was recorded before the flush was asked for is in the database, or can't be written now.
    pub fn is_settled(&self, ticket: FlushTicket) -> bool {
        self.desk.is_settled(ticket.0)
    }

    /// As [`Ledger::flush`].
    pub fn flush(&self, timeout: Duration) -> bool {
        self.desk.flush(timeout)
    }

    /// Counts findings. `text` is what they were found in, as far as it is at hand.
    pub fn record(&self, findings: &[Finding], text: Text<'_>, place: &Place) {
        if findings.is_empty() {
            return;
        }
        if self.wait_when_full {
            self.desk.wait_for_room();
        }
        let skipped = self.tally.record(&self.desk.room, findings, text, place);
        if skipped > 0 {
            self.desk.room.skipped.fetch_add(skipped, Relaxed);
            self.desk.counters.skipped.fetch_add(skipped, Relaxed);
        }
        self.desk.call_if_full();
    }
}
