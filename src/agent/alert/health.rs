//! What an alert's thread says of itself.

use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is noted as alerts are sent.
#[derive(Debug, Default)]
pub(in crate::agent) struct AlertHealth {
    delivered: AtomicU64,
    requests: AtomicU64,
    failed_requests: AtomicU64,
    given_up: AtomicU64,
    trouble: Mutex<Trouble>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Trouble {
    delivery: Option<String>,
    files: Option<String>,
    ledger: Option<String>,
}

/// Alerts at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AlertStatus {
    /// Why the last attempt to deliver failed; `None` if it went well, or there was none yet.
    pub error: Option<String>,
    /// Why `secret_file` or `ca_file` can't be used as they are now; the ones before stay in force.
    pub files_error: Option<String>,
    /// Why the ledger can't be read, or it can't be noted who was told.
    pub ledger_error: Option<String>,
    /// Rows that the receiver has taken.
    pub delivered_exposures: u64,
    /// Attempts to deliver.
    pub requests: u64,
    /// Those of them that failed.
    pub failed_requests: u64,
    /// Rows that the receiver refused so often that others come first; they are tried again later.
    pub given_up_exposures: u64,
}

impl AlertStatus {
    /// Whether somebody should look at it.
    pub fn is_degraded(&self) -> bool {
        self.error.is_some() || self.files_error.is_some() || self.ledger_error.is_some()
    }
}

impl AlertHealth {
    pub fn delivered(&self, rows: u64) {
        self.requests.fetch_add(1, Relaxed);
        self.delivered.fetch_add(rows, Relaxed);
        self.trouble().delivery = None;
    }

    pub fn failed(&self, why: String) {
        self.requests.fetch_add(1, Relaxed);
        self.failed_requests.fetch_add(1, Relaxed);
        self.trouble().delivery = Some(why);
    }

    /// Nobody sends alerts any more.
    pub fn ended(&self) {
        self.trouble().delivery = Some("the thread that sends alerts has ended".to_owned());
    }

    pub fn gave_up(&self, rows: u64) {
        self.given_up.fetch_add(rows, Relaxed);
    }

    pub fn files(&self, error: Option<String>) {
        self.trouble().files = error;
    }

    pub fn ledger(&self, error: Option<String>) {
        self.trouble().ledger = error;
    }

    pub fn status(&self) -> AlertStatus {
        let Trouble { delivery, files, ledger } = self.trouble().clone();
        AlertStatus {
            error: delivery,
            files_error: files,
            ledger_error: ledger,
            delivered_exposures: self.delivered.load(Relaxed),
            requests: self.requests.load(Relaxed),
            failed_requests: self.failed_requests.load(Relaxed),
            given_up_exposures: self.given_up.load(Relaxed),
        }
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says in the log what has changed.
#[derive(Debug, Default)]
pub(super) struct Watch {
    had: Trouble,
    given_up: u64,
}

impl Watch {
    pub fn look(&mut self, health: &AlertHealth) {
        let trouble = health.trouble().clone();
        match (&trouble.delivery, &self.had.delivery) {
            (Some(error), None) => tracing::warn!(error, "an alert can't be delivered: it is tried again"),
            (None, Some(_)) => tracing::info!("alerts are delivered again"),
            _ => {}
        }
        match (&trouble.files, &self.had.files) {
            (Some(error), had) if had.as_ref() != Some(error) => {
                tracing::error!(error, "a file for alerts is not good, what was read before stays in force");
            }
            (None, Some(_)) => tracing::info!("the files for alerts are good again"),
            _ => {}
        }
        match (&trouble.ledger, &self.had.ledger) {
            (Some(error), None) => tracing::error!(error, "alerts wait: the ledger can't be used for them"),
            (None, Some(_)) => tracing::info!("alerts can use the ledger again"),
            _ => {}
        }
        self.had = trouble;
        let given_up = health.given_up.load(Relaxed);
        if given_up > self.given_up {
            let exposures = given_up - self.given_up;
            tracing::error!(
                exposures,
                "the receiver of alerts refuses exposures: others come first, these later again"
            );
            self.given_up = given_up;
        }
    }
}
