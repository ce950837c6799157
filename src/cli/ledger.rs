//! The ledger that `--ledger` names, for those that record what they find.

use super::args::RecordArgs;
use super::exit::{Exit, Failure};
use super::exposures::{host_name, unusable};
use super::stderr;
use crate::ledger::{Flusher, Ledger, Recorder, Settings};
use crate::redact::Redaction;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tracing::Level;

/// Whoever ends amid a stuck write waits so long for the ledger.
const SETTLE_PATIENCE: Duration = Duration::from_secs(1);

static OPEN: OnceLock<Flusher> = OnceLock::new();

/// A ledger, or none.
pub(super) struct Record {
    ledger: Option<Ledger>,
    source: Option<String>,
}

impl Record {
    /// Opens or makes the one that was named. If `can_wait`, nothing is left out of it however slow it is.
    pub fn open(args: &RecordArgs, redaction: &Redaction, can_wait: bool) -> Result<Self, Failure> {
        let Some(path) = &args.ledger else { return Ok(Self { ledger: None, source: None }) };
        let settings = Settings { keeps: true, wait_when_full: can_wait, ..Settings::new(path, &host_name()) };
        let ledger = Ledger::open(settings, redaction).map_err(unusable)?;
        let _ = OPEN.set(ledger.flusher());
        Ok(Self { ledger: Some(ledger), source: args.source.clone() })
    }

    /// What records in a source, which is called so unless the user has named it.
    pub fn recorder(&self, name: &str) -> Option<Recorder> {
        let name = self.source.as_deref().unwrap_or(name);
        self.ledger.as_ref().map(|ledger| ledger.recorder(name))
    }

    /// Writes what is left. What could not be recorded is told.
    pub fn close(self) -> Result<(), Failure> {
        let Some(ledger) = self.ledger else { return Ok(()) };
        let flusher = ledger.flusher();
        let closed = ledger.close().map_err(unusable);
        let skipped = flusher.counters().skipped.load(Relaxed);
        if skipped > 0 {
            let message =
                format!("{skipped} sights of credentials are not in the ledger: too many waited to be written");
            stderr::report(Level::WARN, &message);
        }
        closed.map_err(|failure| {
            let message = format!("{}; what was found last is not in the ledger", failure.message);
            Failure::new(Exit::Io, message)
        })
    }
}

/// Has what was found be written before the process ends without ado.
pub(super) fn settle() {
    if let Some(flusher) = OPEN.get() {
        flusher.flush(SETTLE_PATIENCE);
    }
}
