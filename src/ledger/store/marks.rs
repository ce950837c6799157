//! What somebody says of a credential: that it is revoked, or is not.

use super::merge::Changes;
use super::{Store, millis};
use crate::ledger::LedgerError;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

/// A mark. Of two the one that was made later holds, in every ledger that both get to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Since when it is revoked; null takes that back.
    pub revoked_at: Option<Timestamp>,
    /// When that was said.
    pub marked_at: Timestamp,
}

impl Store {
    /// Says that a credential is revoked since a time, whether it has been seen or not.
    ///
    /// # Errors
    /// If the ledger can't be written.
    pub fn mark_revoked(&mut self, digest: &[u8; 16], at: Timestamp, now: Timestamp) -> Result<(), LedgerError> {
        self.mark(digest, Some(at), now)
    }

    /// Takes such a mark back; false if there was none.
    ///
    /// # Errors
    /// If the ledger can't be written.
    pub fn unmark(&mut self, digest: &[u8; 16], now: Timestamp) -> Result<bool, LedgerError> {
        let marked = mark_of(&self.connection, digest).map_err(self.failed())?;
        if marked.is_none_or(|mark| mark.revoked_at.is_none()) {
            return Ok(false);
        }
        self.mark(digest, None, now)?;
        Ok(true)
    }

    fn mark(&mut self, digest: &[u8; 16], revoked_at: Option<Timestamp>, now: Timestamp) -> Result<(), LedgerError> {
        let failed = self.failed();
        let transaction = self.write()?;
        let mark = || -> rusqlite::Result<()> {
            // What is said now is later than all that was said, whatever the clock was then.
            let known = mark_of(&transaction, digest)?.map(|mark| mark.marked_at.as_millisecond().saturating_add(1));
            let mark = Mark { revoked_at, marked_at: millis(now.as_millisecond().max(known.unwrap_or(i64::MIN))) };
            put(&transaction, digest, &mark)?;
            let mut changes = Changes::begin(&transaction)?;
            let mut numbers = transaction.prepare_cached("SELECT number FROM exposures WHERE digest = ?1")?;
            let numbers = numbers.query_map([digest], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
            for number in numbers {
                let sql = "UPDATE exposures SET changed = ?2 WHERE number = ?1";
                transaction.prepare_cached(sql)?.execute((number, changes.next()))?;
            }
            changes.end(&transaction)
        };
        mark().map_err(&failed)?;
        transaction.commit().map_err(failed)
    }
}

pub(super) fn mark_of(connection: &Connection, digest: &[u8]) -> rusqlite::Result<Option<Mark>> {
    let sql = "SELECT revoked_at, marked_at FROM marks WHERE digest = ?1";
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Mark { revoked_at: row.get::<_, Option<i64>>(0)?.map(millis), marked_at: millis(row.get(1)?) })
    };
    connection.prepare_cached(sql)?.query_row([digest], read).optional()
}

/// Puts a mark in force unless a later one is; true if it was.
pub(super) fn put(connection: &Connection, digest: &[u8; 16], mark: &Mark) -> rusqlite::Result<bool> {
    let sql = "INSERT INTO marks VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE \
               SET revoked_at = excluded.revoked_at, marked_at = excluded.marked_at \
               WHERE excluded.marked_at > marked_at OR (excluded.marked_at = marked_at \
               AND coalesce(excluded.revoked_at, 9223372036854775807) < coalesce(revoked_at, 9223372036854775807))";
    let revoked = mark.revoked_at.map(|at| at.as_millisecond());
    let changed = connection.prepare_cached(sql)?.execute((digest, revoked, mark.marked_at.as_millisecond()))? > 0;
    if changed {
        let sql = "UPDATE exposures SET revoked_at = ?2 WHERE digest = ?1";
        connection.prepare_cached(sql)?.execute((digest, revoked))?;
    }
    Ok(changed)
}
