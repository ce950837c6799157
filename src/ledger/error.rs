//! What can go wrong with a ledger.

use std::path::{Path, PathBuf};

/// Why a ledger can't be used.
#[derive(Debug)]
pub struct LedgerError {
    path: PathBuf,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Database(rusqlite::Error),
    Other(String),
}

impl LedgerError {
    pub(super) fn database(path: &Path, error: rusqlite::Error) -> Self {
        Self { path: path.to_owned(), why: Why::Database(error) }
    }

    pub(crate) fn other(path: &Path, why: impl Into<String>) -> Self {
        Self { path: path.to_owned(), why: Why::Other(why.into()) }
    }

    /// Whether it may go well when it is tried again: the file is locked, or the disk full.
    pub fn is_passing(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked, DiskFull, SystemIoFailure};
        let Why::Database(error) = &self.why else { return false };
        matches!(error.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked | DiskFull | SystemIoFailure))
    }
}

impl LedgerError {
    /// Whether SQLite could not open a file that it needs beside the ledger.
    pub(super) fn is_unopened(&self) -> bool {
        let Why::Database(error) = &self.why else { return false };
        matches!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::ReadOnly))
    }
}

impl std::fmt::Display for LedgerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ledger {}: ", self.path.display())?;
        match &self.why {
            Why::Database(error) => error.fmt(f),
            Why::Other(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for LedgerError {}
