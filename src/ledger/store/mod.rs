//! The database of a ledger: one SQLite file.

mod changes;
mod merge;
mod prune;
mod query;
mod rows;

use super::{LedgerError, PolicyLimits};
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior};
use serde::{Deserialize, Serialize};
use std::fs;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use changes::{Changed, Portable, PortableCount, Seen};
pub use merge::{Batch, BatchEntry, Merged};
pub use prune::Pruned;
pub use query::{Page, Summary};

/// `btlg`: what kind of SQLite file it is.
const APPLICATION_ID: i32 = 0x6274_6c67;
const VERSION: i32 = 1;
const SCHEMA: &str = include_str!("schema.sql");
/// Another process may be writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Never expires.
const NEVER: i64 = i64::MAX;
/// The number of this ledger among those whose counts it holds.
const OWN: i64 = 0;

/// How much a ledger keeps.
#[derive(Clone, Debug, PartialEq)]
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

impl Store {
    /// Opens a ledger to write to it; makes it, with mode 0600, where there is none. A new one is of `instance`, and one that
    /// is there becomes so.
    ///
    /// # Errors
    /// If the file can't be opened or made, is no ledger, or is of a later version.
    pub fn create(path: &Path, instance: &str) -> Result<Self, LedgerError> {
        let made = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        match made {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => check_file(path)?,
            Err(error) => return Err(LedgerError::other(path, format!("it can't be made: {error}"))),
        }
        let mut store = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        store.prepare(instance)?;
        store.load()?;
        Ok(store)
    }

    /// Opens a ledger that exists, to write to it.
    ///
    /// # Errors
    /// If the file can't be opened, is no ledger, or is of another version.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        check_file(path)?;
        let mut store = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        store.check_version()?;
        store.load()?;
        Ok(store)
    }

    /// Opens a ledger that exists, only to read it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_read_only(path: &Path) -> Result<Self, LedgerError> {
        check_file(path)?;
        // A reader of a WAL database writes to its index; where it may not, the file is read as it is.
        let connected = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connected.check_version()?;
        let mut store = connected;
        store.load()?;
        Ok(store)
    }

    fn connect(path: &Path, flags: OpenFlags) -> Result<Self, LedgerError> {
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE;
        let connection =
            Connection::open_with_flags(path, flags).map_err(|error| LedgerError::database(path, error))?;
        let store = Self {
            path: path.to_owned(),
            connection,
            limits: Limits::default(),
            policy: PolicyLimits::default(),
            rows: prune::RowCounts::default(),
            counted_at: None,
        };
        let set = |store: &Self| {
            store.connection.busy_timeout(BUSY_TIMEOUT)?;
            store.connection.pragma_update(None, "trusted_schema", false)?;
            // Only the ledger's own directory may be written to.
            store.connection.pragma_update(None, "temp_store", "MEMORY")?;
            // Some 8 MiB.
            store.connection.pragma_update(None, "cache_size", -8192)?;
            store.connection.set_prepared_statement_cache_capacity(64);
            Ok(())
        };
        set(&store).map_err(store.failed())?;
        Ok(store)
    }

    /// How an error of the database is told.
    fn failed(&self) -> impl Fn(rusqlite::Error) -> LedgerError + use<> {
        let path = self.path.clone();
        move |error| LedgerError::database(&path, error)
    }

    fn prepare(&mut self, instance: &str) -> Result<(), LedgerError> {
        let failed = self.failed();
        let mut empty = false;
        let mut prepare = || -> rusqlite::Result<()> {
            self.connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
            self.connection.pragma_update(None, "journal_mode", "WAL")?;
            // After a loss of power the last transactions may be gone, the database is whole.
            self.connection.pragma_update(None, "synchronous", "NORMAL")?;
            self.connection.pragma_update(None, "wal_autocheckpoint", 1000)?;
            // What is forgotten is overwritten.
            self.connection.pragma_update(None, "secure_delete", true)?;
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
            empty = tables == 0;
            if empty {
                transaction.execute_batch(SCHEMA)?;
                transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
                transaction.pragma_update(None, "user_version", VERSION)?;
                let id = random_id();
                transaction.execute("INSERT INTO ledgers VALUES (?1, ?2, ?3)", (OWN, id, instance))?;
                set_meta(&transaction, "created_at", &Timestamp::now().as_millisecond().to_string())?;
            }
            transaction.commit()
        };
        prepare().map_err(&failed)?;
        self.check_version()?;
        let sql = "UPDATE ledgers SET instance = ?2 WHERE number = ?1 AND instance <> ?2";
        self.connection.execute(sql, (OWN, instance)).map_err(failed)?;
        Ok(())
    }

    fn check_version(&self) -> Result<(), LedgerError> {
        let read = |pragma| self.connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
        let application = read("application_id").map_err(self.failed())?;
        let version = read("user_version").map_err(self.failed())?;
        match (application, version) {
            (APPLICATION_ID, VERSION) => Ok(()),
            (APPLICATION_ID, _) => Err(LedgerError::other(
                &self.path,
                format!("it is of version {version}; this program reads version {VERSION}"),
            )),
            _ => Err(LedgerError::other(&self.path, "it is an SQLite database, but no ledger")),
        }
    }

    fn load(&mut self) -> Result<(), LedgerError> {
        let policy = self.meta("policy")?;
        self.policy = policy.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        self.rows = prune::RowCounts::read(&self.connection).map_err(self.failed())?;
        Ok(())
    }

    /// Puts limits in force. Readers find what the policy allows in the ledger itself.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn set_limits(&mut self, limits: Limits, policy: PolicyLimits) -> Result<(), LedgerError> {
        let text = serde_json::to_string(&policy).unwrap_or_default();
        set_meta(&self.connection, "policy", &text).map_err(self.failed())?;
        if limits.issuers != self.limits.issuers {
            let issuers = serde_json::to_string(&limits.issuers).unwrap_or_default();
            let sql = "UPDATE exposures SET trusted = NOT trusted \
                       WHERE trusted <> coalesce(issuer IN (SELECT value FROM json_each(?1)), 0)";
            self.connection.execute(sql, [issuers]).map_err(self.failed())?;
            self.rows = prune::RowCounts::read(&self.connection).map_err(self.failed())?;
        }
        (self.limits, self.policy) = (limits, policy);
        Ok(())
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

/// A ledger says which credentials were seen where: it is nobody else's business, and no link or pipe.
fn check_file(path: &Path) -> Result<(), LedgerError> {
    let metadata = fs::metadata(path).map_err(|error| LedgerError::other(path, error.to_string()))?;
    if !metadata.is_file() {
        return Err(LedgerError::other(path, "it is no regular file"));
    }
    if metadata.permissions().mode() & 0o007 != 0 {
        return Err(LedgerError::other(path, "others can access it; `chmod o= FILE` mends that"));
    }
    Ok(())
}

pub(super) fn random_id() -> String {
    let mut bytes = [0; 16];
    // Without randomness of the system's nothing here works; the key could not be made either.
    getrandom::fill(&mut bytes).expect("the system has random bytes");
    hex(&bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn millis(at: i64) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap_or(if at < 0 { Timestamp::MIN } else { Timestamp::MAX })
}
