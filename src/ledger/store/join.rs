//! What other ledgers have counted goes into the database: of each number the larger one stays.

use super::changes::{Portable, Seen};
use super::merge::{Changes, Row, Upserted};
use super::prune::{Pruned, RowCounts};
use super::rows::unhex;
use super::{COUNT_MAX, Identity, Limits, OWN, Store, marks};
use crate::ledger::LedgerError;
use crate::ledger::exposure::{Claims, Location};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

/// The longest name of a source, carrier or instance, in bytes.
const NAME_BYTES_MAX: usize = 4 << 10;
/// The longest path of a file.
const PATH_BYTES_MAX: usize = 8 << 10;
/// Claims are cut to 256 bytes, and then escaped by the redactor's markers at most.
const CLAIM_BYTES_MAX: usize = 1 << 10;
/// Sources and carriers of one row.
const COUNTS_MAX: usize = 10_000;

/// What became of rows that were merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// Rows that were read.
    pub rows: u64,
    /// Those of them that told something new.
    pub changed: u64,
    /// Rows that went since they were too old or too many.
    pub pruned: Pruned,
}

impl Store {
    /// Merges what ledgers have counted, in one transaction: if a row is an error, or is none, nothing has changed.
    ///
    /// # Errors
    /// The first error of a row, or that the ledger can't be written.
    pub fn merge<E: From<LedgerError>>(
        &mut self,
        rows: impl IntoIterator<Item = Result<Portable, E>>,
        now: Timestamp,
    ) -> Result<Joined, E> {
        let (mut joined, path, limits) = (Joined::default(), self.path.clone(), self.limits.clone());
        let failed = self.failed();
        let failed = |error| E::from(failed(error));
        let transaction = self.write()?;
        let mut changes = Changes::begin(&transaction).map_err(failed)?;
        for row in rows {
            let row = row?;
            row.check().map_err(|why| LedgerError::other(&path, format!("a row to be merged {why}")))?;
            joined.rows += 1;
            joined.changed += u64::from(merge(&transaction, &row, &mut changes, &limits).map_err(failed)?);
        }
        changes.end(&transaction).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        self.rows = RowCounts::read(&self.connection).map_err(failed)?;
        joined.pruned = self.prune(now)?;
        Ok(joined)
    }
}

/// True if anything was new.
fn merge(connection: &Connection, row: &Portable, changes: &mut Changes, limits: &Limits) -> rusqlite::Result<bool> {
    let (Some(digest), Some(key_id)) = (unhex::<16>(&row.fingerprint), unhex::<4>(&row.key_id)) else {
        return Ok(false);
    };
    let (ledger, mut changed) = ledger_number(connection, &row.ledger, row.observed_at)?;
    let upserted =
        Row { digest: &digest, key_id: &key_id, kind: &row.kind, complete: row.complete, claims: row.claims.as_ref() };
    let Upserted { number, is_changed, .. } = upserted.upsert(connection, limits)?;
    changed |= is_changed;
    changed |= widen(connection, number, ledger, row)?;
    for one in &row.counts {
        let sql = "INSERT INTO counts VALUES (?1, ?2, ?3, ?4, ?5) \
                   ON CONFLICT DO UPDATE SET count = excluded.count WHERE excluded.count > count";
        let count = i64::try_from(one.count).unwrap_or(COUNT_MAX);
        changed |= connection.prepare_cached(sql)?.execute((number, ledger, &one.source, &one.carrier, count))? > 0;
    }
    if let Some(mark) = &row.mark {
        changed |= marks::put(connection, &digest, mark)?;
    }
    if changed {
        let sql = "UPDATE exposures SET \
                   occurrences = (SELECT min(sum(count), ?3) FROM counts WHERE exposure = ?1), \
                   (first_at, last_at, observed_at) = \
                   (SELECT min(first_at), max(last_at), max(observed_at) FROM spans WHERE exposure = ?1), \
                   changed = ?2 WHERE number = ?1";
        connection.prepare_cached(sql)?.execute((number, changes.next(), COUNT_MAX))?;
    }
    Ok(changed)
}

/// Has a ledger's first and last sight cover these; true if that changed them. Of two at one time it does not depend on
/// the order which one stays.
fn widen(connection: &Connection, number: i64, ledger: i64, row: &Portable) -> rusqlite::Result<bool> {
    let text = |seen: &Seen| serde_json::to_string(&seen.location).unwrap_or_default();
    let sql = "INSERT INTO spans VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET \
               (first_at, first_location) = (SELECT * FROM (VALUES (first_at, first_location), \
               (excluded.first_at, excluded.first_location)) ORDER BY 1, 2 LIMIT 1), \
               (last_at, last_location) = (SELECT * FROM (VALUES (last_at, last_location), \
               (excluded.last_at, excluded.last_location)) ORDER BY 1 DESC, 2 DESC LIMIT 1), \
               observed_at = max(observed_at, excluded.observed_at) \
               WHERE (excluded.first_at, excluded.first_location) < (first_at, first_location) \
               OR (excluded.last_at, excluded.last_location) > (last_at, last_location) OR excluded.observed_at > observed_at";
    let (first, last) = (row.first.at.as_millisecond(), row.last.at.as_millisecond());
    let observed = row.observed_at.as_millisecond();
    let span = (number, ledger, first, text(&row.first), last, text(&row.last), observed);
    Ok(connection.prepare_cached(sql)?.execute(span)? > 0)
}

/// The number of a ledger here, and whether it is new or called otherwise now. Our own is called what we are called.
fn ledger_number(connection: &Connection, ledger: &Identity, named_at: Timestamp) -> rusqlite::Result<(i64, bool)> {
    let (id, instance, named_at) = (&ledger.id, &ledger.instance, named_at.as_millisecond());
    let sql = "SELECT number, instance, named_at FROM ledgers WHERE id = ?1";
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let known: Option<(i64, String, i64)> = connection.prepare_cached(sql)?.query_row([id], read).optional()?;
    let Some((number, known, known_at)) = known else {
        let sql = "INSERT INTO ledgers (id, instance, named_at) VALUES (?1, ?2, ?3)";
        return Ok((connection.prepare_cached(sql)?.insert((id, instance, named_at))?, true));
    };
    if number == OWN || (named_at, instance.as_str()) <= (known_at, known.as_str()) {
        return Ok((number, false));
    }
    let sql = "UPDATE ledgers SET instance = ?2, named_at = ?3 WHERE number = ?1";
    connection.prepare_cached(sql)?.execute((number, instance, named_at))?;
    Ok((number, *instance != known))
}

impl Portable {
    /// Checks what came from somewhere else.
    ///
    /// # Errors
    /// Says what is wrong, to be put behind what the row is called.
    pub fn check(&self) -> Result<(), &'static str> {
        let is_hex =
            |text: &str, len| text.len() == len && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let is_name = |text: &str| !text.is_empty() && text.len() <= NAME_BYTES_MAX;
        let is_word = |text: &str| is_name(text) && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        if !is_hex(&self.fingerprint, 32) || !is_hex(&self.key_id, 8) || !is_hex(&self.ledger.id, 32) {
            return Err("has a fingerprint, key id or ledger id that is not 32, 8 and 32 hexadecimal digits");
        }
        if !is_word(&self.kind) || !is_name(&self.ledger.instance) {
            return Err("has a kind or instance that is no name");
        }
        let counts = &self.counts;
        if counts.is_empty() || counts.iter().any(|one| !is_name(&one.source) || !is_word(&one.carrier)) {
            return Err("has no counts, or one without the names of source and carrier");
        }
        let max = COUNT_MAX.unsigned_abs();
        if counts.len() > COUNTS_MAX || counts.iter().any(|one| one.count == 0 || one.count > max) {
            return Err("has too many counts, or one of zero or too much");
        }
        if self.first.at > self.last.at {
            return Err("was seen last before it was seen first");
        }
        if ![&self.first, &self.last].into_iter().all(|seen| is_location(&seen.location)) {
            return Err("has a location that is too long, or without a source");
        }
        if self.mark.is_some() && self.fingerprint.bytes().all(|b| b == b'0') {
            return Err("marks what could be guessed");
        }
        match &self.claims {
            Some(claims) if !are_claims(claims) => Err("has claims that are too long, or say that they are verified"),
            _ => Ok(()),
        }
    }
}

fn is_location(location: &Location) -> bool {
    let is_path = |text: &Option<String>| text.as_ref().is_none_or(|text| text.len() <= PATH_BYTES_MAX);
    let source = &location.source;
    !source.is_empty() && source.len() <= NAME_BYTES_MAX && is_path(&location.file) && is_path(&location.peer)
}

fn are_claims(claims: &Claims) -> bool {
    let Claims { alg, kid, typ, key_in_header, iss, azp, client_id, scope, sub_fingerprint, jti_fingerprint, .. } =
        claims;
    let texts = [alg, kid, typ, key_in_header, iss, azp, client_id, scope];
    let mut texts = texts.into_iter().flatten().chain(&claims.aud).chain([&claims.principal]);
    let is_digest = |digits: &Option<String>| digits.as_deref().is_none_or(|digits| unhex::<16>(digits).is_some());
    !claims.verified
        && claims.aud.len() <= 8
        && texts.all(|text| text.len() <= CLAIM_BYTES_MAX)
        && is_digest(sub_fingerprint)
        && is_digest(jti_fingerprint)
}
