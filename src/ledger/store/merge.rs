//! What workers and other ledgers have counted goes into the database.

use super::changes::{Portable, Seen};
use super::prune::Pruned;
use super::rows::ClaimColumns;
use super::{Identity, Limits, OWN, Store, add_to_meta, hex, meta, set_meta};
use crate::ledger::LedgerError;
use crate::ledger::exposure::{Claims, Exposure};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

/// What a process has counted since its last batch.
#[derive(Debug)]
pub struct Batch {
    /// Unlike that of any other batch: one that is handed over twice counts once.
    pub id: String,
    /// By our own clock.
    pub observed_at: Timestamp,
    /// One for each credential and source.
    pub entries: Vec<BatchEntry>,
    /// Sights that were left out since too much waited.
    pub skipped: u64,
}

/// What was counted of one credential in one source.
#[derive(Clone, Debug)]
pub struct BatchEntry {
    /// As in its marker.
    pub digest: [u8; 16],
    /// As in its marker.
    pub key_id: [u8; 4],
    /// The kind's name.
    pub kind: &'static str,
    /// False if it was cut.
    pub complete: bool,
    /// What it says of itself, if that was read lately.
    pub claims: Option<Claims>,
    /// Seen first since the last batch; the source is in here.
    pub first: Seen,
    /// Seen last.
    pub last: Seen,
    /// How often by which carrier.
    pub counts: Vec<(&'static str, u64)>,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Merged {
    /// Credentials that were not known before.
    pub new: Vec<[u8; 16]>,
    /// Rows that went for it.
    pub pruned: Pruned,
}

impl Store {
    /// Adds a batch, in one transaction.
    ///
    /// # Errors
    /// If the ledger can't be written; the batch can be handed over again.
    pub fn add(&mut self, batch: &Batch) -> Result<Merged, LedgerError> {
        let failed = self.failed();
        let (limits, mut rows) = (self.limits.clone(), self.rows);
        let mut merged = Merged::default();
        let transaction = self.write()?;
        let mut add = || -> rusqlite::Result<bool> {
            if meta(&transaction, "batch")?.as_deref() == Some(&batch.id) {
                return Ok(false);
            }
            let change = next_change(&transaction)?;
            for entry in &batch.entries {
                let row = Row {
                    digest: &entry.digest,
                    key_id: &entry.key_id,
                    kind: entry.kind,
                    complete: entry.complete,
                    claims: entry.claims.as_ref(),
                    observed_at: batch.observed_at,
                    change,
                };
                let (number, is_new, is_trusted) = row.upsert(&transaction, &limits)?;
                if is_new {
                    merged.new.push(entry.digest);
                    *rows.of(is_trusted) += 1;
                }
                widen(&transaction, number, OWN, &entry.first, &entry.last)?;
                let mut sum = 0;
                for (carrier, count) in &entry.counts {
                    let sql = "INSERT INTO counts VALUES (?1, ?2, ?3, ?4, ?5) \
                               ON CONFLICT DO UPDATE SET count = count + excluded.count";
                    let count = i64::try_from(*count).unwrap_or(i64::MAX);
                    let source = &entry.first.location.source;
                    transaction.prepare_cached(sql)?.execute((number, OWN, source, carrier, count))?;
                    sum += count;
                }
                let sql = "UPDATE exposures SET occurrences = occurrences + ?2, first_at = min(first_at, ?3), \
                           last_at = max(last_at, ?4) WHERE number = ?1";
                let (first, last) = (entry.first.at.as_millisecond(), entry.last.at.as_millisecond());
                transaction.prepare_cached(sql)?.execute((number, sum, first, last))?;
            }
            add_to_meta(&transaction, "skipped", batch.skipped)?;
            set_meta(&transaction, "batch", &batch.id)?;
            Ok(true)
        };
        if add().map_err(&failed)? {
            transaction.commit().map_err(&failed)?;
            self.rows = rows;
        } else {
            drop(transaction);
        }
        merged.pruned = self.prune(batch.observed_at)?;
        Ok(merged)
    }

    /// The rows with this digest; usually one.
    ///
    /// # Errors
    /// If the ledger can't be read.
    pub fn show(&self, digest: &[u8; 16], now: Timestamp) -> Result<Vec<Exposure>, LedgerError> {
        let read = || -> rusqlite::Result<Vec<Exposure>> {
            let mut statement = self.connection.prepare_cached("SELECT number FROM exposures WHERE digest = ?1")?;
            let numbers = statement.query_map([digest], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
            numbers.into_iter().map(|number| self.exposure(number, now)).collect()
        };
        read().map_err(self.failed())
    }

    /// Says that a credential is revoked since a time, whether it has been seen or not.
    ///
    /// # Errors
    /// If the ledger can't be written.
    pub fn mark_revoked(&mut self, digest: &[u8; 16], at: Timestamp) -> Result<(), LedgerError> {
        self.change(|transaction| {
            let sql = "INSERT INTO marks VALUES (?1, ?2) ON CONFLICT DO UPDATE SET revoked_at = excluded.revoked_at";
            transaction.execute(sql, (digest, at.as_millisecond()))?;
            let change = next_change(transaction)?;
            let sql = "UPDATE exposures SET revoked_at = ?2, changed = ?3 WHERE digest = ?1";
            transaction.execute(sql, (digest, at.as_millisecond(), change)).map(drop)
        })
    }

    /// Takes such a mark back; false if there was none.
    ///
    /// # Errors
    /// If the ledger can't be written.
    pub fn unmark(&mut self, digest: &[u8; 16]) -> Result<bool, LedgerError> {
        self.change(|transaction| {
            let change = next_change(transaction)?;
            let sql =
                "UPDATE exposures SET revoked_at = NULL, changed = ?2 WHERE digest = ?1 AND revoked_at IS NOT NULL";
            transaction.execute(sql, (digest, change))?;
            Ok(transaction.execute("DELETE FROM marks WHERE digest = ?1", [digest])? > 0)
        })
    }

    fn change<T>(&mut self, change: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, LedgerError> {
        let failed = self.failed();
        let transaction = self.write()?;
        let result = change(&transaction).map_err(&failed)?;
        transaction.commit().map_err(failed)?;
        Ok(result)
    }
}

/// Numbers the changes of a ledger.
pub(super) fn next_change(connection: &Connection) -> rusqlite::Result<i64> {
    let known: i64 = meta(connection, "change")?.and_then(|text| text.parse().ok()).unwrap_or_default();
    set_meta(connection, "change", &(known + 1).to_string())?;
    Ok(known + 1)
}

/// What all sights of a credential share.
struct Row<'a> {
    digest: &'a [u8; 16],
    key_id: &'a [u8; 4],
    kind: &'a str,
    complete: bool,
    claims: Option<&'a Claims>,
    observed_at: Timestamp,
    change: i64,
}

impl Row<'_> {
    /// Its number, whether it is new, and whether its issuer may alert.
    fn upsert(&self, connection: &Connection, limits: &Limits) -> rusqlite::Result<(i64, bool, bool)> {
        let observed = self.observed_at.as_millisecond();
        let columns = ClaimColumns::new(self.claims);
        let is_trusted = columns.issuer.as_ref().is_some_and(|issuer| limits.issuers.contains(issuer));
        let sql =
            "SELECT number, trusted, claims IS NOT NULL FROM exposures WHERE digest = ?1 AND key_id = ?2 AND kind = ?3";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get::<_, bool>(2)?));
        let known =
            connection.prepare_cached(sql)?.query_row((self.digest, self.key_id, self.kind), read).optional()?;
        if let Some((number, was_trusted, has_claims)) = known {
            let sql = "UPDATE exposures SET observed_at = max(observed_at, ?2), changed = ?3, complete = complete OR ?4 \
                       WHERE number = ?1";
            connection.prepare_cached(sql)?.execute((number, observed, self.change, self.complete))?;
            if !has_claims && self.claims.is_some() {
                let sql =
                    "UPDATE exposures SET claims = ?2, issuer = ?3, not_before = ?4, expires_at = ?5 WHERE number = ?1";
                let ClaimColumns { text, issuer, not_before, expires_at } = columns;
                connection.prepare_cached(sql)?.execute((number, text, issuer, not_before, expires_at))?;
                let sql = "UPDATE exposures SET trusted = ?2 WHERE number = ?1";
                connection.prepare_cached(sql)?.execute((number, is_trusted))?;
            }
            return Ok((number, false, was_trusted));
        }
        let sql = "INSERT INTO exposures (digest, key_id, kind, complete, occurrences, first_at, last_at, observed_at, changed, \
                   trusted, issuer, not_before, expires_at, claims, revoked_at) \
                   VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, \
                   (SELECT revoked_at FROM marks WHERE digest = ?1))";
        let mut insert = connection.prepare_cached(sql)?;
        let number = insert.insert(rusqlite::params![
            self.digest,
            self.key_id,
            self.kind,
            self.complete,
            i64::MAX,
            i64::MIN,
            observed,
            self.change,
            is_trusted,
            columns.issuer,
            columns.not_before,
            columns.expires_at,
            columns.text,
        ])?;
        Ok((number, true, is_trusted))
    }
}

/// Has a ledger's first and last sight of a credential cover these; true if that changed them.
fn widen(connection: &Connection, number: i64, ledger: i64, first: &Seen, last: &Seen) -> rusqlite::Result<bool> {
    let text = |seen: &Seen| serde_json::to_string(&seen.location).unwrap_or_default();
    let sql = "INSERT INTO spans VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET \
               first_location = iif(excluded.first_at < first_at, excluded.first_location, first_location), \
               first_at = min(first_at, excluded.first_at), \
               last_location = iif(excluded.last_at >= last_at, excluded.last_location, last_location), \
               last_at = max(last_at, excluded.last_at) \
               WHERE excluded.first_at < first_at OR excluded.last_at >= last_at";
    let (first_at, last_at) = (first.at.as_millisecond(), last.at.as_millisecond());
    let changed =
        connection.prepare_cached(sql)?.execute((number, ledger, first_at, text(first), last_at, text(last)))?;
    Ok(changed > 0)
}

/// Merges what one ledger has counted of one credential; true if anything was new.
pub(super) fn merge_portable(
    connection: &Connection,
    portable: &Portable,
    change: i64,
    limits: &Limits,
) -> rusqlite::Result<bool> {
    let ledger = ledger_number(connection, &portable.ledger)?;
    let (Some(digest), Some(key_id)) = (unhex::<16>(&portable.fingerprint), unhex::<4>(&portable.key_id)) else {
        return Ok(false);
    };
    if is_known(connection, portable, ledger, &digest, &key_id)? {
        return Ok(false);
    }
    let row = Row {
        digest: &digest,
        key_id: &key_id,
        kind: &portable.kind,
        complete: portable.complete,
        claims: portable.claims.as_ref(),
        observed_at: portable.observed_at,
        change,
    };
    let (number, ..) = row.upsert(connection, limits)?;
    widen(connection, number, ledger, &portable.first, &portable.last)?;
    for one in &portable.counts {
        let sql = "INSERT INTO counts VALUES (?1, ?2, ?3, ?4, ?5) \
                   ON CONFLICT DO UPDATE SET count = max(count, excluded.count)";
        let count = i64::try_from(one.count).unwrap_or(i64::MAX);
        connection.prepare_cached(sql)?.execute((number, ledger, &one.source, &one.carrier, count))?;
    }
    if let Some(at) = portable.revoked_at {
        let sql = "INSERT INTO marks VALUES (?1, ?2) ON CONFLICT DO UPDATE SET \
                   revoked_at = min(revoked_at, excluded.revoked_at)";
        connection.prepare_cached(sql)?.execute((&digest, at.as_millisecond()))?;
        let sql =
            "UPDATE exposures SET revoked_at = (SELECT revoked_at FROM marks WHERE digest = ?1) WHERE digest = ?1";
        connection.prepare_cached(sql)?.execute([&digest])?;
    }
    let sql = "UPDATE exposures SET occurrences = (SELECT sum(count) FROM counts WHERE exposure = ?1), \
               first_at = (SELECT min(first_at) FROM spans WHERE exposure = ?1), \
               last_at = (SELECT max(last_at) FROM spans WHERE exposure = ?1) WHERE number = ?1";
    connection.prepare_cached(sql)?.execute([number])?;
    Ok(true)
}

/// Whether a row would tell nothing new, so that what was merged already is not sent on again.
fn is_known(
    connection: &Connection,
    portable: &Portable,
    ledger: i64,
    digest: &[u8; 16],
    key_id: &[u8; 4],
) -> rusqlite::Result<bool> {
    let sql = "SELECT e.number, e.complete, e.revoked_at, e.claims IS NOT NULL, s.first_at, s.last_at FROM exposures e \
               JOIN spans s ON s.exposure = e.number AND s.ledger = ?4 \
               WHERE e.digest = ?1 AND e.key_id = ?2 AND e.kind = ?3";
    type Known = (i64, bool, Option<i64>, bool, i64, i64);
    let read = |row: &rusqlite::Row<'_>| -> rusqlite::Result<Known> {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
    };
    let known = connection.prepare_cached(sql)?.query_row((digest, key_id, &portable.kind, ledger), read).optional()?;
    let Some((number, complete, revoked_at, has_claims, first_at, last_at)) = known else { return Ok(false) };
    let revoked = portable.revoked_at.map(|at| at.as_millisecond());
    if (portable.complete && !complete)
        || (portable.claims.is_some() && !has_claims)
        || revoked.is_some_and(|at| revoked_at.is_none_or(|known| at < known))
        || portable.first.at.as_millisecond() < first_at
        || portable.last.at.as_millisecond() > last_at
    {
        return Ok(false);
    }
    for one in &portable.counts {
        let sql = "SELECT count FROM counts WHERE exposure = ?1 AND ledger = ?2 AND source = ?3 AND carrier = ?4";
        let known: Option<i64> = connection
            .prepare_cached(sql)?
            .query_row((number, ledger, &one.source, &one.carrier), |row| row.get(0))
            .optional()?;
        if known.is_none_or(|known| known.unsigned_abs() < one.count) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn ledger_number(connection: &Connection, ledger: &Identity) -> rusqlite::Result<i64> {
    let known = connection
        .prepare_cached("SELECT number FROM ledgers WHERE id = ?1")?
        .query_row([&ledger.id], |row| row.get(0))
        .optional()?;
    if let Some(number) = known {
        return Ok(number);
    }
    connection
        .prepare_cached("INSERT INTO ledgers (id, instance) VALUES (?1, ?2)")?
        .insert((&ledger.id, &ledger.instance))
}

fn unhex<const LEN: usize>(digits: &str) -> Option<[u8; LEN]> {
    let mut bytes = [0; LEN];
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    (hex(&bytes) == digits).then_some(bytes)
}
