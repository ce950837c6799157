//! Rows that go: they are too old, or too many, or somebody said so.

use super::{Store, add_to_meta};
use crate::ledger::LedgerError;
use jiff::Timestamp;
use rusqlite::Connection;
use std::time::{Duration, Instant};

/// How long the number of rows is believed without counting them.
const COUNT_INTERVAL: Duration = Duration::from_secs(60);

/// A share of rows that goes at once when there are too many, so that not each new row costs a search.
const PRUNE_SHARE: u64 = 50;
/// Issuers that may alert are left this share of the rows by all others.
const TRUSTED_SHARE: u64 = 2;

/// How many rows there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RowCounts {
    trusted: u64,
    others: u64,
}

/// Rows that went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Not seen for longer than they are kept.
    pub old: u64,
    /// Too many.
    pub surplus: u64,
}

impl RowCounts {
    pub fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let count = |trusted: bool| {
            let sql = "SELECT count(*) FROM exposures WHERE trusted = ?1";
            connection.query_row(sql, [trusted], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
        };
        Ok(Self { trusted: count(true)?, others: count(false)? })
    }

    fn are_over(self, others_max: u64, max: u64) -> bool {
        self.others > others_max || self.others + self.trusted > max
    }

    pub fn of(&mut self, is_trusted: bool) -> &mut u64 {
        if is_trusted { &mut self.trusted } else { &mut self.others }
    }
}

impl Store {
    /// Has the limits take what is too old or too much: expired rows first, then those that were not seen for longest.
    ///
    /// # Errors
    /// If the ledger can't be written.
    pub fn prune(&mut self, now: Timestamp) -> Result<Pruned, LedgerError> {
        let failed = self.failed();
        let now = now.as_millisecond();
        let max = self.limits.max_entries;
        let others_max = if self.limits.issuers.is_empty() { max } else { max - max / TRUSTED_SHARE };
        let oldest =
            self.limits.retention.map(|kept| now.saturating_sub(i64::try_from(kept.as_millis()).unwrap_or(now)));
        // Another process may have written too.
        if self.rows.are_over(others_max, max) || self.counted_at.is_none_or(|at| at.elapsed() > COUNT_INTERVAL) {
            self.rows = RowCounts::read(&self.connection).map_err(&failed)?;
            self.counted_at = Some(Instant::now());
        }
        if oldest.is_none() && !self.rows.are_over(others_max, max) {
            return Ok(Pruned::default());
        }
        let mut rows = self.rows;
        let transaction = self.write()?;
        let mut prune = || -> rusqlite::Result<Pruned> {
            let mut pruned = Pruned::default();
            if let Some(oldest) = oldest {
                for is_trusted in [false, true] {
                    let sql = "SELECT number FROM exposures WHERE trusted = ?1 AND observed_at < ?2";
                    let gone = delete(&transaction, sql, (is_trusted, oldest))?;
                    *rows.of(is_trusted) = rows.of(is_trusted).saturating_sub(gone);
                    pruned.old += gone;
                }
            }
            for (is_trusted, max) in [(false, others_max), (true, max - rows.others.min(others_max))] {
                let count = rows.of(is_trusted);
                if *count > max {
                    let surplus = *count - max + max / PRUNE_SHARE;
                    let sql = "SELECT number FROM exposures WHERE trusted = ?1 \
                               ORDER BY coalesce(expires_at > ?3, 1), observed_at LIMIT ?2";
                    let gone =
                        delete(&transaction, sql, (is_trusted, i64::try_from(surplus).unwrap_or(i64::MAX), now))?;
                    *count = count.saturating_sub(gone);
                    pruned.surplus += gone;
                }
            }
            add_to_meta(&transaction, "pruned", pruned.old + pruned.surplus)?;
            Ok(pruned)
        };
        let pruned = prune().map_err(&failed)?;
        if pruned == Pruned::default() {
            return Ok(pruned);
        }
        transaction.commit().map_err(&failed)?;
        self.rows = rows;
        self.give_back()?;
        Ok(pruned)
    }

    /// Deletes all that is known of a credential but a mark; gives how many rows went.
    ///
    /// # Errors
    /// If the ledger can't be written.
    pub fn forget(&mut self, digest: &[u8; 16]) -> Result<u64, LedgerError> {
        let failed = self.failed();
        let transaction = self.write()?;
        let gone = delete(&transaction, "SELECT number FROM exposures WHERE digest = ?1", [digest]).map_err(&failed)?;
        transaction.execute("DELETE FROM marks WHERE digest = ?1", [digest]).map_err(&failed)?;
        add_to_meta(&transaction, "forgotten", gone).map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        self.rows = RowCounts::read(&self.connection).map_err(&failed)?;
        // Nothing of it is to stay in the log of changes either.
        let truncate = "PRAGMA wal_checkpoint(TRUNCATE)";
        self.connection.query_row(truncate, [], |_| Ok(())).map_err(failed)?;
        self.give_back()?;
        Ok(gone)
    }

    /// Pages that nothing is in go back to the file system.
    fn give_back(&self) -> Result<(), LedgerError> {
        self.connection.execute_batch("PRAGMA incremental_vacuum(1000)").map_err(self.failed())
    }
}

/// Deletes the rows whose numbers a query gives.
fn delete(connection: &Connection, numbers: &str, parameters: impl rusqlite::Params) -> rusqlite::Result<u64> {
    connection
        .execute_batch("CREATE TEMP TABLE IF NOT EXISTS gone (number INTEGER PRIMARY KEY); DELETE FROM temp.gone")?;
    let gone = connection.prepare_cached(&format!("INSERT INTO temp.gone {numbers}"))?.execute(parameters)?;
    if gone > 0 {
        for (table, column) in [("counts", "exposure"), ("spans", "exposure"), ("exposures", "number")] {
            let sql = format!("DELETE FROM {table} WHERE {column} IN (SELECT number FROM temp.gone)");
            connection.prepare_cached(&sql)?.execute([])?;
        }
    }
    Ok(gone as u64)
}
