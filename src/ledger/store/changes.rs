//! Rows on their way from one ledger to another.

use super::marks::{Mark, mark_of};
use super::rows::{claims, hex, location};
use super::{Identity, Store, millis};
use crate::ledger::LedgerError;
use crate::ledger::exposure::{Claims, Location};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Rows that are read at once.
const PAGE_ROWS: usize = 500;

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
    /// What somebody said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<Mark>,
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
    /// The rows that were changed after `since`, the oldest change first, at most so many credentials. There are no more if
    /// `until` is `since`.
    ///
    /// # Errors
    /// If the ledger can't be read.
    pub fn changed_since(&self, since: u64, limit: usize) -> Result<Changed, LedgerError> {
        let mut changed = Changed { rows: Vec::new(), until: since };
        let mut read = || -> rusqlite::Result<()> {
            let sql = "SELECT number, changed, digest, key_id, kind, complete, claims FROM exposures \
                       WHERE changed > ?1 ORDER BY changed LIMIT ?2";
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
                    mark: mark_of(&self.connection, &digest)?,
                    observed_at: Timestamp::UNIX_EPOCH,
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
        let sql = "SELECT s.ledger, l.id, l.instance, s.first_at, s.first_location, s.last_at, s.last_location, s.observed_at \
                   FROM spans s JOIN ledgers l ON l.number = s.ledger WHERE s.exposure = ?1 ORDER BY l.id";
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
                observed_at: millis(span.get(7)?),
                first: Seen { at: millis(span.get(3)?), location: location(&span.get::<_, String>(4)?) },
                last: Seen { at: millis(span.get(5)?), location: location(&span.get::<_, String>(6)?) },
                counts: counts.collect::<rusqlite::Result<_>>()?,
                ..base.clone()
            });
        }
        Ok(())
    }

    /// All rows, to be merged into another ledger. Without a [`snapshot`](Self::snapshot) one that changes meanwhile may come
    /// twice.
    pub fn portables(&self) -> Portables<'_> {
        Portables { store: self, since: 0, page: Vec::new().into_iter() }
    }
}

/// See [`Store::portables`].
#[derive(Debug)]
pub struct Portables<'a> {
    store: &'a Store,
    since: u64,
    page: std::vec::IntoIter<Portable>,
}

impl Iterator for Portables<'_> {
    type Item = Result<Portable, LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.page.next() {
                return Some(Ok(row));
            }
            let changed = match self.store.changed_since(self.since, PAGE_ROWS) {
                Ok(changed) => changed,
                Err(error) => return Some(Err(error)),
            };
            if changed.until == self.since {
                return None;
            }
            self.since = changed.until;
            self.page = changed.rows.into_iter();
        }
    }
}
