//! The database of a ledger: one SQLite file.

mod alerts;
mod changes;
mod join;
mod manifest;
mod marks;
mod merge;
mod open;
mod prune;
mod query;
mod rows;
#[cfg(test)]
mod tests;

use super::{LedgerError, PolicyLimits};
use jiff::Timestamp;
use rows::hex;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use alerts::AlertKey;
pub use changes::{Changed, Portable, PortableCount, Portables, Seen};
pub use join::Joined;
pub use manifest::{Account, Manifest};
pub use marks::Mark;
pub use merge::{Batch, BatchEntry, Merged};
pub use prune::{Forgotten, Pruned};
pub use query::{ClaimName, Page, Summary, is_cursor};

/// Never expires.
const NEVER: i64 = i64::MAX;
/// The number of this ledger among those whose counts it holds.
const OWN: i64 = 0;
/// No count gets larger: whoever can send one could make the sums overflow.
const COUNT_MAX: i64 = 1 << 40;

/// How much a ledger keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Rows that were not seen for so long go; `None` keeps them.
    pub retention: Option<Duration>,
    /// More rows than that are never kept.
    pub max_entries: u64,
    /// Issuers whose tokens the rows of others never evict.
    pub issuers: Vec<String>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { retention: None, max_entries: 1_000_000, issuers: Vec::new() }
    }
}

/// What a ledger knows of itself, for manifests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Random, made with the file.
    pub id: String,
    /// Which host or pod it is of.
    pub instance: String,
}

/// Ends the query of an open ledger that runs at the moment; that then fails.
pub struct Interrupter(rusqlite::InterruptHandle);

impl Interrupter {
    /// Now. If none runs, nothing happens.
    pub fn interrupt(&self) {
        self.0.interrupt();
    }
}

impl std::fmt::Debug for Interrupter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Interrupter")
    }
}

/// An open ledger.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    connection: Connection,
    limits: Limits,
    policy: PolicyLimits,
    rows: prune::RowCounts,
    counted_at: Option<Instant>,
}

/// See [`Store::snapshot`].
#[derive(Debug)]
pub struct Snapshot<'a>(#[expect(dead_code, reason = "it ends when it is dropped")] Transaction<'a>);

impl Store {
    /// How an error of the database is told.
    fn failed(&self) -> impl Fn(rusqlite::Error) -> LedgerError + use<> {
        let path = self.path.clone();
        move |error| LedgerError::database(&path, error)
    }

    /// Has all that is read until this is dropped be of one time.
    ///
    /// # Errors
    /// If the ledger can't be read.
    pub fn snapshot(&self) -> Result<Snapshot<'_>, LedgerError> {
        self.connection.unchecked_transaction().map(Snapshot).map_err(self.failed())
    }

    /// Ends a query from another thread.
    pub fn interrupter(&self) -> Interrupter {
        Interrupter(self.connection.get_interrupt_handle())
    }

    /// How much it keeps.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which ledger it is.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn identity(&self) -> Result<Identity, LedgerError> {
        let sql = "SELECT id, instance FROM ledgers WHERE number = ?1";
        let read = |row: &rusqlite::Row<'_>| Ok(Identity { id: row.get(0)?, instance: row.get(1)? });
        self.connection.query_row(sql, [OWN], read).map_err(self.failed())
    }

    /// All ledgers whose counts it holds, itself first.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn identities(&self) -> Result<Vec<Identity>, LedgerError> {
        let read = || -> rusqlite::Result<Vec<Identity>> {
            let mut statement = self.connection.prepare("SELECT id, instance FROM ledgers ORDER BY number")?;
            let rows = statement.query_map([], |row| Ok(Identity { id: row.get(0)?, instance: row.get(1)? }))?;
            rows.collect()
        };
        read().map_err(self.failed())
    }

    /// The ids of the keys whose digests it holds.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn key_ids(&self) -> Result<Vec<String>, LedgerError> {
        let read = || -> rusqlite::Result<Vec<String>> {
            let mut statement =
                self.connection.prepare("SELECT DISTINCT lower(hex(key_id)) FROM exposures ORDER BY 1")?;
            statement.query_map([], |row| row.get(0))?.collect()
        };
        read().map_err(self.failed())
    }

    fn meta(&self, key: &str) -> Result<Option<String>, LedgerError> {
        meta(&self.connection, key).map_err(self.failed())
    }

    /// A number that is kept beside the rows; 0 if it never was.
    fn number(&self, key: &str) -> Result<u64, LedgerError> {
        Ok(self.meta(key)?.and_then(|text| text.parse().ok()).unwrap_or_default())
    }

    fn write(&mut self) -> Result<Transaction<'_>, LedgerError> {
        let failed = self.failed();
        self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)
    }
}

fn meta(connection: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    connection.prepare_cached("SELECT value FROM meta WHERE key = ?1")?.query_row([key], |row| row.get(0)).optional()
}

fn set_meta(connection: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    let sql = "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value";
    connection.prepare_cached(sql)?.execute((key, value)).map(drop)
}

fn add_to_meta(connection: &Connection, key: &str, count: u64) -> rusqlite::Result<()> {
    if count == 0 {
        return Ok(());
    }
    let known: u64 = meta(connection, key)?.and_then(|text| text.parse().ok()).unwrap_or_default();
    set_meta(connection, key, &(known + count).to_string())
}

pub(super) fn random_id() -> String {
    let mut bytes = [0; 16];
    // Without randomness of the system's nothing here works; the key could not be made either.
    getrandom::fill(&mut bytes).expect("the system has random bytes");
    hex(&bytes)
}

fn millis(at: i64) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap_or(if at < 0 { Timestamp::MIN } else { Timestamp::MAX })
}
