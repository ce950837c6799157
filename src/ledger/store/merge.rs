//! What workers have counted goes into the database.

use super::prune::Pruned;
use super::rows::ClaimColumns;
use super::{COUNT_MAX, Limits, OWN, Seen, Store, add_to_meta, meta, set_meta};
use crate::ledger::LedgerError;
use crate::ledger::exposure::Claims;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

/// So many batches are remembered; a writer hands over one again before it makes another.
const BATCHES_MAX: i64 = 1000;

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
            let sql = "INSERT INTO batches (id) VALUES (?1) ON CONFLICT DO NOTHING";
            if transaction.prepare_cached(sql)?.execute([&batch.id])? == 0 {
                return Ok(false);
            }
            let sql = "DELETE FROM batches WHERE number <= ?1";
            transaction.prepare_cached(sql)?.execute([transaction.last_insert_rowid() - BATCHES_MAX])?;
            let mut changes = Changes::begin(&transaction)?;
            for entry in &batch.entries {
                let row = Row {
                    digest: &entry.digest,
                    key_id: &entry.key_id,
                    kind: entry.kind,
                    complete: entry.complete,
                    claims: entry.claims.as_ref(),
                };
                let row = row.upsert(&transaction, &limits)?;
                if row.is_new {
                    merged.new.push(entry.digest);
                    *rows.of(row.is_trusted) += 1;
                }
                add_entry(&transaction, row.number, batch.observed_at, entry, changes.next())?;
            }
            changes.end(&transaction)?;
            add_to_meta(&transaction, "skipped", batch.skipped)?;
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
}

fn add_entry(
    connection: &Connection,
    number: i64,
    observed_at: Timestamp,
    entry: &BatchEntry,
    change: i64,
) -> rusqlite::Result<()> {
    let text = |seen: &Seen| serde_json::to_string(&seen.location).unwrap_or_default();
    let (first, last) = (entry.first.at.as_millisecond(), entry.last.at.as_millisecond());
    let observed = observed_at.as_millisecond();
    let sql = "INSERT INTO spans VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET \
               first_location = iif(excluded.first_at < first_at, excluded.first_location, first_location), \
               first_at = min(first_at, excluded.first_at), \
               last_location = iif(excluded.last_at >= last_at, excluded.last_location, last_location), \
               last_at = max(last_at, excluded.last_at), observed_at = max(observed_at, excluded.observed_at)";
    let span = (number, OWN, first, text(&entry.first), last, text(&entry.last), observed);
    connection.prepare_cached(sql)?.execute(span)?;
    let mut sum = 0;
    for (carrier, count) in &entry.counts {
        let count = i64::try_from(*count).unwrap_or(COUNT_MAX).min(COUNT_MAX);
        let sql = "INSERT INTO counts VALUES (?1, ?2, ?3, ?4, ?5) \
                   ON CONFLICT DO UPDATE SET count = min(count + excluded.count, ?6)";
        let source = &entry.first.location.source;
        connection.prepare_cached(sql)?.execute((number, OWN, source, carrier, count, COUNT_MAX))?;
        sum += count;
    }
    let sql = "UPDATE exposures SET occurrences = min(occurrences + ?2, ?7), first_at = min(first_at, ?3), \
               last_at = max(last_at, ?4), observed_at = max(observed_at, ?5), changed = ?6 WHERE number = ?1";
    let row = (number, sum, first, last, observed, change, COUNT_MAX);
    connection.prepare_cached(sql)?.execute(row).map(drop)
}

/// Numbers the changes of a ledger; all that it gives are new.
pub(super) struct Changes(i64);

impl Changes {
    pub fn begin(connection: &Connection) -> rusqlite::Result<Self> {
        Ok(Self(meta(connection, "change")?.and_then(|text| text.parse().ok()).unwrap_or_default()))
    }

    pub fn next(&mut self) -> i64 {
        self.0 += 1;
        self.0
    }

    pub fn end(self, connection: &Connection) -> rusqlite::Result<()> {
        set_meta(connection, "change", &self.0.to_string())
    }
}

/// What all sights of a credential share.
pub(super) struct Row<'a> {
    pub digest: &'a [u8; 16],
    pub key_id: &'a [u8; 4],
    pub kind: &'a str,
    pub complete: bool,
    pub claims: Option<&'a Claims>,
}

/// What became of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Upserted {
    pub number: i64,
    pub is_new: bool,
    pub is_changed: bool,
    pub is_trusted: bool,
}

impl Row<'_> {
    /// Makes the row, or tells it what is new. A new one has no sights yet.
    pub fn upsert(&self, connection: &Connection, limits: &Limits) -> rusqlite::Result<Upserted> {
        let columns = ClaimColumns::new(self.claims);
        let is_trusted = columns.issuer.as_ref().is_some_and(|issuer| limits.issuers.contains(issuer));
        let sql =
            "SELECT number, complete, trusted, claims FROM exposures WHERE digest = ?1 AND key_id = ?2 AND kind = ?3";
        let known = connection.prepare_cached(sql)?.query_row((self.digest, self.key_id, self.kind), |row| {
            let (number, complete, trusted): (i64, bool, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok((number, complete, trusted, columns.are_better_than(row.get_ref(3)?.as_str().ok())))
        });
        let Some((number, was_complete, was_trusted, are_better)) = known.optional()? else {
            let number = self.insert(connection, &columns, is_trusted)?;
            return Ok(Upserted { number, is_new: true, is_changed: true, is_trusted });
        };
        let completes = self.complete && !was_complete;
        if completes {
            connection.prepare_cached("UPDATE exposures SET complete = 1 WHERE number = ?1")?.execute([number])?;
        }
        if are_better {
            let sql = "UPDATE exposures SET claims = ?2, issuer = ?3, not_before = ?4, expires_at = ?5, subject = ?6, \
                       token_id = ?7, trusted = ?8 WHERE number = ?1";
            let ClaimColumns { text, issuer, not_before, expires_at, subject, token_id, .. } = columns;
            let columns = (number, text, issuer, not_before, expires_at, subject, token_id, is_trusted);
            connection.prepare_cached(sql)?.execute(columns)?;
        }
        let is_trusted = if are_better { is_trusted } else { was_trusted };
        Ok(Upserted { number, is_new: false, is_changed: completes || are_better, is_trusted })
    }

    fn insert(&self, connection: &Connection, columns: &ClaimColumns, is_trusted: bool) -> rusqlite::Result<i64> {
        let sql = "INSERT INTO exposures (digest, key_id, kind, complete, occurrences, first_at, last_at, observed_at, \
                   changed, trusted, issuer, not_before, expires_at, claims, subject, token_id, revoked_at) \
                   VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6, ?6, 0, ?7, ?8, ?9, ?10, ?11, ?12, ?13, \
                   (SELECT revoked_at FROM marks WHERE digest = ?1))";
        connection.prepare_cached(sql)?.insert(rusqlite::params![
            self.digest,
            self.key_id,
            self.kind,
            self.complete,
            i64::MAX,
            i64::MIN,
            is_trusted,
            columns.issuer,
            columns.not_before,
            columns.expires_at,
            columns.text,
            columns.subject,
            columns.token_id,
        ])
    }
}
