//! Inputs and outputs that fail.

use std::fmt;
use std::io;

/// An input or output that failed for good. It names the place, never data.
#[derive(Debug)]
pub struct Failure {
    place: String,
    error: io::Error,
}

impl Failure {
    pub(super) fn source(name: &str, place: impl fmt::Display, error: io::Error) -> Self {
        Self { place: format!("source {name} ({place})"), error }
    }

    /// Its message says which it is.
    pub(super) fn ledger(error: io::Error) -> Self {
        Self { place: "can't record exposures".to_owned(), error }
    }

    pub(super) fn api(place: impl fmt::Display, error: io::Error) -> Self {
        Self { place: format!("api ({place})"), error }
    }

    pub(super) fn alert(error: io::Error) -> Self {
        Self { place: "[ledger.alert]".to_owned(), error }
    }

    pub(super) fn sink(name: &str, place: impl fmt::Display, error: io::Error) -> Self {
        Self { place: format!("sink {name} ({place})"), error }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.error)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}
