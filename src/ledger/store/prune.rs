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

/// What was deleted because somebody said so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// For each digest: how many rows went, and whether a mark did.
    pub gone: Vec<(u64, bool)>,
    /// Whether nothing of it is in the file and its log any more; another process may keep the log in use.
    pub is_overwritten: bool,
}

impl RowCounts {
    pub fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let count = |trusted: bool| {
            let sql = "SELECT count(*) FROM exposures WHERE trusted = ?1";
            connection.query_row(sql, [trusted], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
        };
        Ok(Self { trusted: count(true)?, others: count(false)? })
    }

    /// How many too many there are: of others, of those whose issuers may alert. Others never make those go.
    fn over(self, others_max: u64, max: u64) -> [u64; 2] {
        let trusted = self.trusted.min(max);
        [self.others.saturating_sub(others_max.min(max - trusted)), self.trusted - trusted]
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
        if self.rows.over(others_max, max) != [0, 0] || self.counted_at.is_none_or(|at| at.elapsed() > COUNT_INTERVAL) {
            self.rows = RowCounts::read(&self.connection).map_err(&failed)?;
            self.counted_at = Some(Instant::now());
        }
        if oldest.is_none() && self.rows.over(others_max, max) == [0, 0] {
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
            for (is_trusted, over) in [false, true].into_iter().zip(rows.over(others_max, max)) {
                if over > 0 {
                    let surplus = over + max / PRUNE_SHARE;
                    let sql = "SELECT number FROM exposures WHERE trusted = ?1 \
                               ORDER BY coalesce(expires_at > ?3, 1), observed_at LIMIT ?2";
                    let gone =
                        delete(&transaction, sql, (is_trusted, i64::try_from(surplus).unwrap_or(i64::MAX), now))?;
                    *rows.of(is_trusted) = rows.of(is_trusted).saturating_sub(gone);
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

    /// Deletes all that is known of credentials, marks included, and has the file be written anew without it.
    ///
    /// # Errors
    /// If the ledger can't be written.
    pub fn forget(&mut self, digests: &[[u8; 16]]) -> Result<Forgotten, LedgerError> {
        let failed = self.failed();
        let mut forgotten = Forgotten::default();
        let transaction = self.write()?;
        let mut forget = || -> rusqlite::Result<()> {
            for digest in digests {
                let rows = delete(&transaction, "SELECT number FROM exposures WHERE digest = ?1", [digest])?;
                let marks = transaction.execute("DELETE FROM marks WHERE digest = ?1", [digest])?;
                forgotten.gone.push((rows, marks > 0));
            }
            add_to_meta(&transaction, "forgotten", forgotten.gone.iter().map(|(rows, _)| rows).sum())
        };
        forget().map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        self.rows = RowCounts::read(&self.connection).map_err(&failed)?;
        forgotten.is_overwritten = self.rewrite().map_err(failed)?;
        Ok(forgotten)
    }

    /// Writes the file anew: what was deleted is overwritten at once, but copies of it that SQLite made when it moved rows
    /// from page to page are not. False if another process keeps the log of changes in use, with old pages in it.
    fn rewrite(&self) -> rusqlite::Result<bool> {
        // That takes as much space as the ledger once more, which may be much for memory.
        self.connection.pragma_update(None, "temp_store", "DEFAULT")?;
        let rewritten = self.connection.execute_batch("VACUUM");
        self.connection.pragma_update(None, "temp_store", "MEMORY")?;
        rewritten?;
        let busy: i64 = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        Ok(busy == 0)
    }

    /// Pages that nothing is in go back to the file system.
    fn give_back(&self) -> Result<(), LedgerError> {
        let give_back = || -> rusqlite::Result<()> {
            let mut statement = self.connection.prepare_cached("PRAGMA incremental_vacuum(1000)")?;
            let mut rows = statement.query([])?;
            // A page a step.
            while rows.next()?.is_some() {}
            Ok(())
        };
        give_back().map_err(self.failed())
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
