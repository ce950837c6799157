//! What a ledger, and whatever is made of it, is worth: versions, keys, whose counts are in it, and what is missing.

use super::{COUNT_MAX, Identity, OWN, Store};
use crate::ledger::LedgerError;
use jiff::Timestamp;
use rusqlite::OptionalExtension;
use serde::{Deserialize, Serialize};

/// The version of the rows behind a manifest.
const FORMAT: u32 = 1;

/// What stands before exported rows, and in reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Which version of rows it is about.
    pub format: u32,
    /// What made it.
    pub program: String,
    /// When, which is also the time of each row's status.
    pub made_at: Timestamp,
    /// Which ledger it was made of.
    pub ledger: Identity,
    /// All whose counts are in it, that one first.
    pub ledgers: Vec<Account>,
    /// The ids of the keys whose digests are in it.
    pub key_ids: Vec<String>,
    /// Credentials.
    pub exposures: u64,
    /// Exported rows; one for each credential and ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// SHA-256 of the exported rows, each with its newline: 64 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// What is missing in a ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Which ledger.
    #[serde(flatten)]
    pub ledger: Identity,
    /// Sights that never got into a row, since too much waited.
    pub skipped: u64,
    /// Rows that the limits made go.
    pub pruned: u64,
    /// Rows that somebody made go.
    pub forgotten: u64,
}

impl Manifest {
    /// # Errors
    /// If this program does not know such rows.
    pub fn check(&self) -> Result<(), String> {
        match self.format {
            FORMAT => Ok(()),
            other => Err(format!("it is of version {other}; this program reads version {FORMAT}")),
        }
    }
}

impl Store {
    /// What is known of the ledger itself; nothing of exported rows.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn manifest(&self, now: Timestamp) -> Result<Manifest, LedgerError> {
        let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0).map(i64::unsigned_abs);
        let exposures = self.connection.query_row("SELECT count(*) FROM exposures", [], count);
        Ok(Manifest {
            format: FORMAT,
            program: concat!("beartrap ", env!("CARGO_PKG_VERSION")).to_owned(),
            made_at: now,
            ledger: self.identity()?,
            ledgers: self.accounts()?,
            key_ids: self.key_ids()?,
            exposures: exposures.map_err(self.failed())?,
            rows: None,
            sha256: None,
        })
    }

    /// What is missing in all ledgers whose counts it holds, itself first.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn accounts(&self) -> Result<Vec<Account>, LedgerError> {
        let read = || -> rusqlite::Result<Vec<Account>> {
            let sql = "SELECT id, instance, skipped, pruned, forgotten FROM ledgers ORDER BY number";
            let mut statement = self.connection.prepare_cached(sql)?;
            let number = |row: &rusqlite::Row<'_>, column| row.get::<_, i64>(column).map(i64::unsigned_abs);
            let rows = statement.query_map([], |row| {
                let ledger = Identity { id: row.get(0)?, instance: row.get(1)? };
                Ok(Account { ledger, skipped: number(row, 2)?, pruned: number(row, 3)?, forgotten: number(row, 4)? })
            })?;
            rows.collect()
        };
        let mut accounts = read().map_err(self.failed())?;
        if let Some(own) = accounts.first_mut() {
            own.skipped = self.number("skipped")?;
            own.pruned = self.number("pruned")?;
            own.forgotten = self.number("forgotten")?;
        }
        Ok(accounts)
    }

    /// Takes down what is missing in other ledgers, as they say. Those of which there is no row are left out.
    ///
    /// # Errors
    /// If the ledger can't be written.
    pub fn merge_accounts(&mut self, accounts: &[Account]) -> Result<(), LedgerError> {
        let failed = self.failed();
        let transaction = self.write()?;
        let merge = || -> rusqlite::Result<()> {
            for account in accounts {
                let sql = "SELECT number FROM ledgers WHERE id = ?1 AND number <> ?2";
                let number: Option<i64> = transaction
                    .prepare_cached(sql)?
                    .query_row((&account.ledger.id, OWN), |row| row.get(0))
                    .optional()?;
                let Some(number) = number else { continue };
                let [skipped, pruned, forgotten] = [account.skipped, account.pruned, account.forgotten]
                    .map(|count| i64::try_from(count).unwrap_or(COUNT_MAX).min(COUNT_MAX));
                let sql = "UPDATE ledgers SET skipped = max(skipped, ?2), pruned = max(pruned, ?3), \
                           forgotten = max(forgotten, ?4) WHERE number = ?1";
                transaction.prepare_cached(sql)?.execute((number, skipped, pruned, forgotten))?;
            }
            Ok(())
        };
        merge().map_err(&failed)?;
        transaction.commit().map_err(failed)
    }
}
