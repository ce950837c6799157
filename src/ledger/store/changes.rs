//! Rows on their way from one ledger to another.

use super::rows::{claims, location};
use super::{Identity, Store, hex};
use crate::ledger::LedgerError;
use crate::ledger::exposure::{Claims, Location};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What one ledger has counted of one credential. All numbers only grow, so that two of these can be merged in any order
/// and as often as one likes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Portable {
    /// Whose count it is.
    pub ledger: Identity,
    /// As in [`Exposure`](crate::ledger::Exposure).
    pub fingerprint: String,
    /// As in [`Exposure`](crate::ledger::Exposure).
    pub key_id: String,
    /// As in [`Exposure`](crate::ledger::Exposure).
    pub kind: String,
    /// As in [`Exposure`](crate::ledger::Exposure).
    pub complete: bool,
    /// As in [`Exposure`](crate::ledger::Exposure).
    pub claims: Option<Claims>,
    /// When somebody said that it is revoked.
    pub revoked_at: Option<Timestamp>,
    /// When the ledger heard of it last, by its own clock.
    pub observed_at: Timestamp,
    /// Seen first.
    pub first: Seen,
    /// Seen last.
    pub last: Seen,
    /// How often.
    pub counts: Vec<PortableCount>,
}

/// One sight of a credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// When.
    pub at: Timestamp,
    /// Where.
    pub location: Location,
}

/// How often in one source by one carrier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortableCount {
    /// The source's name in its ledger.
    pub source: String,
    /// The carrier's name.
    pub carrier: String,
    /// How often.
    pub count: u64,
}

/// Rows that have changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changed {
    /// What there is of them.
    pub rows: Vec<Portable>,
    /// Where to go on.
    pub until: u64,
}

impl Store {
    /// The rows that were changed after `since`, the oldest change first, at most so many credentials.
    ///
    /// # Errors
    /// If the ledger can't be read.
    pub fn changed_since(&self, since: u64, limit: usize) -> Result<Changed, LedgerError> {
        let mut changed = Changed { rows: Vec::new(), until: since };
        let mut read = || -> rusqlite::Result<()> {
            let sql = "SELECT e.number, e.changed, e.digest, e.key_id, e.kind, e.complete, e.claims, e.revoked_at, e.observed_at \
                       FROM exposures e WHERE e.changed > ?1 ORDER BY e.changed, e.number LIMIT ?2";
            let mut statement = self.connection.prepare_cached(sql)?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut rows = statement.query((i64::try_from(since).unwrap_or(i64::MAX), limit))?;
            while let Some(row) = rows.next()? {
                changed.until = row.get::<_, i64>(1)?.unsigned_abs();
                let (digest, key_id): (Vec<u8>, Vec<u8>) = (row.get(2)?, row.get(3)?);
                let base = Portable {
                    ledger: Identity { id: String::new(), instance: String::new() },
                    fingerprint: hex(&digest),
                    key_id: hex(&key_id),
                    kind: row.get(4)?,
                    complete: row.get(5)?,
                    claims: claims(row.get(6)?),
                    revoked_at: row.get::<_, Option<i64>>(7)?.map(super::millis),
                    observed_at: super::millis(row.get(8)?),
                    first: Seen { at: Timestamp::UNIX_EPOCH, location: Location::default() },
                    last: Seen { at: Timestamp::UNIX_EPOCH, location: Location::default() },
                    counts: Vec::new(),
                };
                self.portable(row.get(0)?, &base, &mut changed.rows)?;
            }
            Ok(())
        };
        read().map_err(self.failed())?;
        Ok(changed)
    }

    /// One for each ledger that has seen it.
    fn portable(&self, number: i64, base: &Portable, out: &mut Vec<Portable>) -> rusqlite::Result<()> {
        let sql = "SELECT s.ledger, l.id, l.instance, s.first_at, s.first_location, s.last_at, s.last_location \
                   FROM spans s JOIN ledgers l ON l.number = s.ledger WHERE s.exposure = ?1";
        let mut spans = self.connection.prepare_cached(sql)?;
        let mut spans = spans.query([number])?;
        while let Some(span) = spans.next()? {
            let sql = "SELECT source, carrier, count FROM counts WHERE exposure = ?1 AND ledger = ?2";
            let mut counts = self.connection.prepare_cached(sql)?;
            let counts = counts.query_map((number, span.get::<_, i64>(0)?), |row| {
                let count = row.get::<_, i64>(2)?.unsigned_abs();
                Ok(PortableCount { source: row.get(0)?, carrier: row.get(1)?, count })
            })?;
            out.push(Portable {
                ledger: Identity { id: span.get(1)?, instance: span.get(2)? },
                first: Seen { at: super::millis(span.get(3)?), location: location(&span.get::<_, String>(4)?) },
                last: Seen { at: super::millis(span.get(5)?), location: location(&span.get::<_, String>(6)?) },
                counts: counts.collect::<rusqlite::Result<_>>()?,
                ..base.clone()
            });
        }
        Ok(())
    }

    /// Takes what ledgers have counted: of each number the larger one stays. Gives how many rows it told something new.
    ///
    /// # Errors
    /// If a row is none, or the ledger can't be written; then nothing has changed.
    pub fn merge(&mut self, rows: &[Portable], now: Timestamp) -> Result<u64, LedgerError> {
        let (mut changed, path) = (0, self.path.clone());
        let limits = self.limits.clone();
        let failed = self.failed();
        let transaction = self.write()?;
        let number = super::merge::next_change(&transaction).map_err(&failed)?;
        for row in rows {
            let problem = |why: &str| LedgerError::other(&path, format!("a row to be merged {why}"));
            row.check().map_err(problem)?;
            let merged = super::merge::merge_portable(&transaction, row, number, &limits).map_err(&failed)?;
            changed += u64::from(merged);
        }
        transaction.commit().map_err(&failed)?;
        self.rows = super::prune::RowCounts::read(&self.connection).map_err(failed)?;
        self.prune(now)?;
        Ok(changed)
    }
}

impl Portable {
    /// # Errors
    /// Says what is wrong, to be put behind what it is called.
    fn check(&self) -> Result<(), &'static str> {
        let is_hex =
            |text: &str, len| text.len() == len && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let is_name = |text: &str| !text.is_empty() && text.len() <= 256;
        if !is_hex(&self.fingerprint, 32) || !is_hex(&self.key_id, 8) || !is_hex(&self.ledger.id, 32) {
            return Err("has a fingerprint, key id or ledger id that is not 32, 8 and 32 hexadecimal digits");
        }
        if !is_name(&self.kind) || !is_name(&self.ledger.instance) {
            return Err("has a kind or instance that is no name");
        }
        if self.counts.is_empty() || self.counts.iter().any(|one| !is_name(&one.source) || !is_name(&one.carrier)) {
            return Err("has no counts, or one without the names of source and carrier");
        }
        if self.first.at > self.last.at || self.observed_at < Timestamp::UNIX_EPOCH {
            return Err("was seen last before it was seen first");
        }
        Ok(())
    }
}
