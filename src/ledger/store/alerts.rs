//! Which rows somebody must still be told of, and how far the changes have been sent on.

use super::rows::unhex;
use super::{Store, set_meta};
use crate::ledger::exposure::{Exposure, Severity};
use crate::ledger::{LedgerError, Status};
use jiff::Timestamp;
use std::ops::ControlFlow;

/// How many rows are looked at for one call.
const LOOKED_AT_MAX: i64 = 1000;

/// Its condition is written as that of the index.
const UNALERTED: &str = "SELECT number, changed, expires_at FROM exposures \
                         WHERE trusted AND alerted_at IS NULL AND changed > ?1 ORDER BY changed LIMIT ?2";

impl Store {
    /// Hands out the rows that were changed after `since` and of which nobody was told, the oldest change first: those of
    /// issuers that may alert, which neither have expired nor are revoked, and are at least so severe. Gives where to go on:
    /// behind the last row that was taken. There are no more if that is `since`.
    ///
    /// # Errors
    /// If the ledger can't be read.
    pub fn visit_unalerted(
        &self,
        since: u64,
        severity: Option<Severity>,
        now: Timestamp,
        mut visit: impl FnMut(Exposure) -> ControlFlow<()>,
    ) -> Result<u64, LedgerError> {
        let mut until = since;
        let mut read = || -> rusqlite::Result<()> {
            let mut statement = self.connection.prepare_cached(UNALERTED)?;
            let mut rows = statement.query((i64::try_from(since).unwrap_or(i64::MAX), LOOKED_AT_MAX))?;
            while let Some(row) = rows.next()? {
                let changed = row.get::<_, i64>(1)?.unsigned_abs();
                let expires_at: Option<i64> = row.get(2)?;
                // The whole row takes some queries.
                if expires_at.is_some_and(|at| at > now.as_millisecond()) {
                    let exposure = self.exposure(row.get(0)?, now)?;
                    let is_open = matches!(exposure.status, Status::Unexpired | Status::NotYet);
                    let is_severe = severity.is_none_or(|least| exposure.severity >= Some(least));
                    if is_open && is_severe && visit(exposure).is_break() {
                        break;
                    }
                }
                until = changed;
            }
            Ok(())
        };
        read().map_err(self.failed())?;
        Ok(until)
    }

    /// Notes that somebody was told of these rows.
    ///
    /// # Errors
    /// If the ledger can't be written.
    pub fn set_alerted(&mut self, rows: &[AlertKey], now: Timestamp) -> Result<(), LedgerError> {
        let failed = self.failed();
        let transaction = self.write()?;
        let sql = "UPDATE exposures SET alerted_at = ?4 WHERE digest = ?1 AND key_id = ?2 AND kind = ?3";
        let set = |row: &AlertKey| {
            let AlertKey { digest, key_id, kind } = row;
            transaction.prepare_cached(sql)?.execute((digest, key_id, kind, now.as_millisecond())).map(drop)
        };
        rows.iter().try_for_each(set).map_err(&failed)?;
        transaction.commit().map_err(failed)
    }

    /// How far somebody has come with what has changed; 0 if he never began.
    ///
    /// # Errors
    /// If the ledger can't be read.
    pub fn position(&self, reader: &str) -> Result<u64, LedgerError> {
        self.number(&format!("position.{reader}"))
    }

    /// Notes how far somebody has come.
    ///
    /// # Errors
    /// If the ledger can't be written.
    pub fn set_position(&mut self, reader: &str, until: u64) -> Result<(), LedgerError> {
        set_meta(&self.connection, &format!("position.{reader}"), &until.to_string()).map_err(self.failed())
    }
}

/// Which row it is, whatever becomes of its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertKey {
    digest: [u8; 16],
    key_id: [u8; 4],
    kind: String,
}

impl AlertKey {
    /// That of a row.
    pub fn of(row: &Exposure) -> Self {
        // What comes out of a ledger is made of digits.
        let digest = unhex(&row.fingerprint).unwrap_or_default();
        let key_id = unhex(&row.key_id).unwrap_or_default();
        Self { digest, key_id, kind: row.kind.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_which_somebody_was_told_are_not_looked_at() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::create(&directory.path().join("ledger.db"), "host").unwrap();
        let plan = format!("EXPLAIN QUERY PLAN {UNALERTED}");
        let plan: String = store.connection.query_row(&plan, (7, 10), |row| row.get("detail")).unwrap();
        assert_eq!(plan, "SEARCH exposures USING INDEX exposures_to_alert (changed>?)");
    }
}
