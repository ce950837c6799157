//! Opening a ledger, and what is no ledger.

use super::{Limits, OWN, Store, prune, random_id, set_meta};
use crate::ledger::{LedgerError, PolicyLimits};
use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `btlg`: what kind of SQLite file it is.
const APPLICATION_ID: i32 = 0x6274_6c67;
const VERSION: i32 = 1;
const SCHEMA: &str = include_str!("schema.sql");
/// Another process may be writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Once the log of changes is worked in, no more of its file is kept.
const LOG_BYTES_KEPT: i64 = 16 << 20;

impl Store {
    /// Opens a ledger to write to it; makes it, with mode 0600, where there is none. A new one is of `instance`, and one that
    /// is there becomes so.
    ///
    /// # Errors
    /// If the file can't be opened or made, is no ledger, or is of a later version.
    pub fn create(path: &Path, instance: &str) -> Result<Self, LedgerError> {
        let store = Self::create_or_keep(path, instance)?;
        let sql = "UPDATE ledgers SET instance = ?2 WHERE number = ?1 AND instance <> ?2";
        store.connection.execute(sql, (OWN, instance)).map_err(store.failed())?;
        Ok(store)
    }

    /// The same, but one that is there stays of whatever it is of.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_or_keep(path: &Path, instance: &str) -> Result<Self, LedgerError> {
        let made = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        match made {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => check_file(path)?,
            Err(error) => return Err(LedgerError::other(path, format!("it can't be made: {error}"))),
        }
        let mut store = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        store.make(instance)?;
        store.prepare_to_write()?;
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
        store.prepare_to_write()?;
        store.load()?;
        Ok(store)
    }

    /// Opens a ledger that exists, only to read it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_read_only(path: &Path) -> Result<Self, LedgerError> {
        check_file(path)?;
        let open = |path: &Path, flags| -> Result<Self, LedgerError> {
            let mut store = Self::connect(path, flags)?;
            store.check_version()?;
            store.load()?;
            Ok(store)
        };
        let opened = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
        match opened {
            // A reader needs files beside the ledger, to agree with writers. Where it can't make them, nobody is writing if
            // there is no log of changes: the file is read as it is.
            Err(error) if error.is_unopened() && !has_log(path) => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
                let mut store = open(&immutable(path), flags).map_err(|_| error)?;
                path.clone_into(&mut store.path);
                Ok(store)
            }
            Err(error) if error.is_unopened() => Err(LedgerError::other(
                path,
                "what was written last stands in files beside it (-wal, -shm) that can't be opened to be read along; copy all \
                 three to where they can",
            )),
            opened => opened,
        }
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
            // Some 8 MiB.
            store.connection.pragma_update(None, "cache_size", -8192)?;
            // A sandbox leaves no place for temporary files.
            store.connection.pragma_update(None, "temp_store", "MEMORY")?;
            store.connection.set_prepared_statement_cache_capacity(64);
            Ok(())
        };
        set(&store).map_err(store.failed())?;
        Ok(store)
    }

    /// Makes an empty file a ledger; whatever else is in it stays.
    fn make(&mut self, instance: &str) -> Result<(), LedgerError> {
        if self.count_tables().map_err(self.failed())? > 0 {
            return self.check_version();
        }
        let failed = self.failed();
        let mut make = || -> rusqlite::Result<()> {
            self.connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
            // Unless another process was faster.
            if tables == 0 {
                transaction.execute_batch(SCHEMA)?;
                transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
                transaction.pragma_update(None, "user_version", VERSION)?;
                transaction.execute(
                    "INSERT INTO ledgers (number, id, instance, named_at) VALUES (?1, ?2, ?3, 0)",
                    (OWN, random_id(), instance),
                )?;
                set_meta(&transaction, "created_at", &Timestamp::now().as_millisecond().to_string())?;
            }
            transaction.commit()
        };
        make().map_err(failed)?;
        self.check_version()
    }

    fn prepare_to_write(&self) -> Result<(), LedgerError> {
        let prepare = || -> rusqlite::Result<()> {
            self.use_log()?;
            // After a loss of power the last transactions may be gone, the database is whole.
            self.connection.pragma_update(None, "synchronous", "NORMAL")?;
            self.connection.pragma_update(None, "wal_autocheckpoint", 1000)?;
            self.connection.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)?;
            // What is forgotten is overwritten.
            self.connection.pragma_update(None, "secure_delete", true)
        };
        prepare().map_err(self.failed())
    }

    /// Readers and a writer don't wait for each other with a log of changes (WAL). The file remembers that it has one. When it
    /// is put in use SQLite does not wait for others that are at it too.
    fn use_log(&self) -> rusqlite::Result<()> {
        let mut attempts = 0..50;
        loop {
            match self.connection.pragma_update(None, "journal_mode", "WAL") {
                Err(error) if is_busy(&error) && attempts.next().is_some() => {
                    std::thread::sleep(BUSY_TIMEOUT / 50);
                }
                done => return done,
            }
        }
    }

    fn count_tables(&self) -> rusqlite::Result<i64> {
        self.connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
    }

    fn check_version(&self) -> Result<(), LedgerError> {
        let read = |pragma| self.connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
        let application = read("application_id").map_err(self.failed())?;
        let version = read("user_version").map_err(self.failed())?;
        let why = match (application, version) {
            (APPLICATION_ID, VERSION) => return Ok(()),
            (APPLICATION_ID, _) => format!("it is of version {version}; this program reads version {VERSION}"),
            _ if self.count_tables().map_err(self.failed())? == 0 => "it is empty, and no ledger yet".to_owned(),
            _ => "it is an SQLite database, but no ledger".to_owned(),
        };
        Err(LedgerError::other(&self.path, why))
    }

    fn load(&mut self) -> Result<(), LedgerError> {
        self.policy = self.kept("policy")?;
        self.limits = self.kept("limits")?;
        self.rows = prune::RowCounts::read(&self.connection).map_err(self.failed())?;
        Ok(())
    }

    fn kept<T: Default + serde::de::DeserializeOwned>(&self, key: &str) -> Result<T, LedgerError> {
        Ok(self.meta(key)?.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    /// Puts limits in force. They are kept in the ledger, where other processes find them.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn set_limits(&mut self, limits: Limits, policy: PolicyLimits) -> Result<(), LedgerError> {
        let failed = self.failed();
        let are_others = limits.issuers != self.limits.issuers;
        let transaction = self.write()?;
        let set = || -> rusqlite::Result<()> {
            set_meta(&transaction, "policy", &serde_json::to_string(&policy).unwrap_or_default())?;
            set_meta(&transaction, "limits", &serde_json::to_string(&limits).unwrap_or_default())?;
            if are_others {
                let issuers = serde_json::to_string(&limits.issuers).unwrap_or_default();
                let sql = "UPDATE exposures SET trusted = NOT trusted \
                           WHERE trusted <> coalesce(issuer IN (SELECT value FROM json_each(?1)), 0)";
                transaction.execute(sql, [issuers])?;
            }
            Ok(())
        };
        set().map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        self.rows = prune::RowCounts::read(&self.connection).map_err(failed)?;
        (self.limits, self.policy) = (limits, policy);
        Ok(())
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// A ledger says which credentials were seen where: it is nobody else's business. What is no plain file could block.
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

/// Whether a log of changes with something in it lies beside a ledger.
fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    fs::metadata(log).is_ok_and(|metadata| metadata.len() > 0)
}

/// The name by which SQLite opens a file that nobody changes (<https://www.sqlite.org/uri.html>).
fn immutable(path: &Path) -> PathBuf {
    let mut uri = "file:".to_owned();
    // Otherwise what is up to the next slash would be a host.
    if path.is_absolute() {
        uri += "//";
    }
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'/' => uri.push(byte.into()),
            _ => uri += &format!("%{byte:02X}"),
        }
    }
    PathBuf::from(uri + "?immutable=1")
}
