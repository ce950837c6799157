//! The ledger of a running agent: opened before anything runs, watched, and closed after its sources.

use super::config::Config;
use super::failure::Failure;
use crate::ledger::{Flusher, Ledger, Settings};
use crate::redact::Redaction;
use std::io;
use std::time::Duration;

/// How long the end waits for the last batch: it holds nothing that a sink delivers.
const CLOSE_WAIT_MAX: Duration = Duration::from_secs(10);

/// What the agent has of its ledger.
#[derive(Debug)]
pub(super) struct Exposures {
    ledger: Ledger,
    had_error: bool,
    skipped: u64,
}

impl Exposures {
    /// Opens what the configuration names.
    pub fn open(config: &Config, redaction: &Redaction) -> Result<Option<Self>, Failure> {
        let Some(ledger) = &config.ledger else { return Ok(None) };
        let instance = config.instance();
        let settings = Settings {
            limits: ledger.limits.clone(),
            policy: ledger.policy.clone(),
            ..Settings::new(&ledger.path, &instance)
        };
        // Its message says where it is.
        let failed = |error| Failure::ledger(io::Error::other(error));
        let ledger = Ledger::open(settings, redaction).map_err(failed)?;
        tracing::info!(ledger = ledger.identity().id, instance, "ledger opened");
        Ok(Some(Self { ledger, had_error: false, skipped: 0 }))
    }

    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Says what has changed since it looked last.
    pub fn look(&mut self) {
        let ledger = self.ledger.flusher();
        let error = ledger.error();
        match &error {
            Some(error) if !self.had_error => {
                tracing::error!(
                    error,
                    "the ledger can't be written: what is found waits, and is left out if it gets too much"
                );
            }
            None if self.had_error => tracing::info!("the ledger is written again"),
            _ => {}
        }
        self.had_error = error.is_some();
        let skipped = skipped(&ledger);
        if skipped > self.skipped {
            tracing::warn!(skipped, "sights of credentials are left out of the ledger: too many wait to be written");
            self.skipped = skipped;
        }
    }

    /// Writes what is left.
    pub async fn close(self) {
        let Self { ledger, .. } = self;
        let closed = tokio::task::spawn_blocking(move || ledger.close());
        match tokio::time::timeout(CLOSE_WAIT_MAX, closed).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::error!(%error, "what was found last is not in the ledger"),
            Ok(Err(_)) | Err(_) => tracing::error!("what was found last may not be in the ledger"),
        }
    }
}

fn skipped(ledger: &Flusher) -> u64 {
    ledger.counters().skipped.load(std::sync::atomic::Ordering::Relaxed)
}
