//! What a running agent says of itself: how far it has come, how old the oldest undelivered byte is, and what is wrong.
//!
//! Sources and sinks note it in atomics as they work. Whoever wants to know takes a snapshot; nobody waits for it.

mod ages;
mod meter;
mod sink;
mod source;
mod watch;

pub use meter::Reading;
pub(super) use meter::{Incident, Meter};
pub(super) use sink::{Condition, SinkHealth, SinkIncident};
pub use sink::{SinkState, SinkStatus};
pub use source::SourceStatus;
pub(super) use source::{SourceHealth, Trouble};
pub(super) use watch::Watcher;

use super::alert::AlertStatus;
use super::counters::SinkCounters;
use super::emitter::EmitStatus;
use super::exposures::LedgerHealth;
use crate::ledger::Flusher;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// A sink that has something to deliver and delivers nothing for this long is stalled.
const STALLED_AFTER: Duration = Duration::from_secs(5);

/// An agent's health, for as long as somebody holds it.
#[derive(Clone, Debug)]
pub struct Health(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    sources: Vec<Arc<SourceHealth>>,
    sinks: Vec<Arc<SinkCounters>>,
    keys: OnceLock<Arc<KeyHealth>>,
    ledger: Option<LedgerHealth>,
}

/// A snapshot of an agent.
#[derive(Clone, Debug)]
pub struct Status {
    /// In the order of the configuration.
    pub sources: Vec<SourceStatus>,
    /// In the order of the configuration.
    pub sinks: Vec<SinkStatus>,
    /// The key file, if it is read again while the agent runs.
    pub keys: Option<KeyStatus>,
    /// Why the ledger can't be written now; nothing is lost to the sinks by that.
    pub ledger_error: Option<String>,
    /// `[ledger.alert]`
    pub alert: Option<AlertStatus>,
    /// `emit_to` of `[ledger]`
    pub emit: Option<EmitStatus>,
}

impl Status {
    /// Whether something is not as it should be. Nothing to do is no reason.
    pub fn is_degraded(&self) -> bool {
        self.sinks.iter().any(SinkStatus::is_degraded)
            || self.sources.iter().any(SourceStatus::is_degraded)
            || self.keys.as_ref().is_some_and(|keys| !keys.is_good)
            || self.ledger_error.is_some()
            || self.alert.as_ref().is_some_and(AlertStatus::is_degraded)
            || self.emit.as_ref().is_some_and(|emit| emit.error.is_some())
    }
}

impl Health {
    pub(super) fn new(
        sources: Vec<Arc<SourceHealth>>,
        sinks: Vec<Arc<SinkCounters>>,
        ledger: Option<LedgerHealth>,
    ) -> Self {
        Self(Arc::new(Parts { sources, sinks, keys: OnceLock::new(), ledger }))
    }

    /// The key file's part, which is known once the agent runs.
    pub(super) fn with_keys(&self, keys: Arc<KeyHealth>) {
        let _ = self.0.keys.set(keys);
    }

    /// The ledger's part.
    pub(super) fn ledger(&self) -> Option<&Flusher> {
        self.0.ledger.as_ref().map(|ledger| &ledger.flusher)
    }

    /// How things stand now.
    pub fn status(&self) -> Status {
        let ledger = self.0.ledger.as_ref();
        Status {
            sources: self.0.sources.iter().map(|source| source.status()).collect(),
            sinks: self.0.sinks.iter().map(|sink| sink.status()).collect(),
            keys: self.0.keys.get().and_then(|keys| keys.status()),
            ledger_error: ledger.and_then(|ledger| ledger.flusher.error()),
            alert: ledger.and_then(|ledger| Some(ledger.alert.as_ref()?.status())),
            emit: ledger.and_then(|ledger| Some(ledger.emit.as_ref()?.status())),
        }
    }
}

/// What has become of reading the key file again.
#[derive(Debug)]
pub(super) struct KeyHealth {
    started: Instant,
    /// 0: never tried; 1: it was good; 2: it was not.
    last: AtomicU8,
    since_ms: AtomicU64,
}

impl Default for KeyHealth {
    fn default() -> Self {
        Self { started: Instant::now(), last: AtomicU8::new(0), since_ms: AtomicU64::new(0) }
    }
}

impl KeyHealth {
    /// The file was read again.
    pub fn reloaded(&self, is_good: bool) {
        let now = if is_good { 1 } else { 2 };
        if self.last.swap(now, Relaxed) != now {
            self.since_ms.store(self.started.elapsed().as_millis() as u64, Relaxed);
        }
    }

    pub fn status(&self) -> Option<KeyStatus> {
        let last = self.last.load(Relaxed);
        let since = self.started.elapsed().saturating_sub(Duration::from_millis(self.since_ms.load(Relaxed)));
        (last > 0).then_some(KeyStatus { is_good: last == 1, since })
    }
}

/// Whether the key file was good when it was last read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyStatus {
    /// If not, the old keys are in force.
    pub is_good: bool,
    /// For how long it has been so.
    pub since: Duration,
}
