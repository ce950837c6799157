//! Rows out of the database.

use super::rows::{claims, hex, location};
use super::{NEVER, OWN, Store, millis};
use crate::ledger::exposure::{Exposure, Location, Status};
use crate::ledger::filter::{Filter, Sort};
use crate::ledger::{LedgerError, policy};
use jiff::Timestamp;
use rusqlite::types::Value;
use serde::Serialize;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

/// Some rows, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Page {
    /// The rows.
    pub exposures: Vec<Exposure>,
    /// To be put into [`Filter::cursor`] for those behind; null if there are none.
    pub next: Option<String>,
}

/// A ledger in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Rows.
    pub exposures: u64,
    /// Rows of each status.
    pub status: BTreeMap<String, u64>,
    /// Rows that can be replayed, as far as they say themselves.
    pub unexpired: u64,
    /// Rows that were first seen within the last day.
    pub new_24h: u64,
    /// Sights of all rows.
    pub occurrences: u64,
    /// How often in which source by which carrier.
    pub sources_by_carrier: BTreeMap<String, BTreeMap<String, u64>>,
    /// Sights that never got into a row, since too much waited.
    pub skipped: u64,
    /// Rows that the limits made go.
    pub pruned: u64,
    /// Rows that somebody made go.
    pub forgotten: u64,
}

/// A claim that is only known by its keyed digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimName {
    /// `sub`
    Sub,
    /// `jti`
    Jti,
}

/// `?1` is now.
const STATUS: &str = "CASE WHEN e.revoked_at <= ?1 THEN 'revoked' WHEN e.expires_at <= ?1 THEN 'expired' \
                      WHEN e.not_before > ?1 THEN 'not_yet' WHEN e.expires_at IS NOT NULL THEN 'unexpired' ELSE 'unknown' END";
/// The name of a source, `l` being its ledger: with the instance where that is another ledger.
const SOURCE: &str = "iif(l.number = 0, c.source, l.instance || '/' || c.source)";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Store {
    /// The rows that a filter asks for.
    ///
    /// # Errors
    /// If the ledger can't be read, or the cursor is none of its.
    pub fn list(&self, filter: &Filter, now: Timestamp) -> Result<Page, LedgerError> {
        let mut page = Page::default();
        let limit = filter.limit.unwrap_or(usize::MAX);
        self.visit(filter, now, |exposure, cursor| {
            if page.exposures.len() == limit {
                return ControlFlow::Break(());
            }
            page.exposures.push(exposure);
            page.next = Some(cursor);
            ControlFlow::Continue(())
        })
        .map(|ended| {
            if !ended {
                page.next = None;
            }
            page
        })
    }

    /// Hands out the rows that a filter asks for, one by one; its limit is not looked at. With each comes the cursor for the
    /// rows behind it. True if it was ended before the last one.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn visit(
        &self,
        filter: &Filter,
        now: Timestamp,
        mut visit: impl FnMut(Exposure, String) -> ControlFlow<()>,
    ) -> Result<bool, LedgerError> {
        let after = match filter.cursor.as_deref().map(|cursor| Cursor::parse(cursor, filter.sort)) {
            None => None,
            Some(Some(after)) => Some(after),
            Some(None) => {
                return Err(LedgerError::other(
                    self.path(),
                    "the cursor is not one that a page in this order has ended with",
                ));
            }
        };
        let mut read = || match filter.sort {
            Sort::Severity => self.visit_by_severity(filter, now, after, &mut visit),
            _ => self.visit_by_column(filter, now, after, &mut visit),
        };
        read().map_err(self.failed())
    }

    fn visit_by_column(
        &self,
        filter: &Filter,
        now: Timestamp,
        after: Option<Cursor>,
        visit: &mut impl FnMut(Exposure, String) -> ControlFlow<()>,
    ) -> rusqlite::Result<bool> {
        let (key, order, is_behind) = match filter.sort {
            Sort::LastSeen | Sort::Severity => ("e.last_at", "DESC", "<"),
            Sort::FirstSeen => ("e.first_at", "DESC", "<"),
            Sort::Occurrences => ("e.occurrences", "DESC", "<"),
            Sort::ExpiresAt => ("coalesce(e.expires_at, 9223372036854775807)", "ASC", ">"),
        };
        let (conditions, mut values) = conditions(filter, now);
        let mut sql = format!("SELECT e.number, {key} FROM exposures e WHERE {conditions}");
        if let Some(after) = after {
            values.extend([Value::Integer(after.key), Value::Integer(after.number)]);
            let (key_at, number_at) = (values.len() - 1, values.len());
            sql += &format!(" AND ({key}, e.number) {is_behind} (?{key_at}, ?{number_at})");
        }
        sql += &format!(" ORDER BY {key} {order}, e.number {order}");
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query(rusqlite::params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            let (number, key): (i64, i64) = (row.get(0)?, row.get(1)?);
            let exposure = self.exposure(number, now)?;
            let cursor = Cursor { severity: 0, key, number };
            if passes(filter, &exposure) && visit(exposure, cursor.text(filter.sort)).is_break() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How severe a row is only its whole tells.
    fn visit_by_severity(
        &self,
        filter: &Filter,
        now: Timestamp,
        after: Option<Cursor>,
        visit: &mut impl FnMut(Exposure, String) -> ControlFlow<()>,
    ) -> rusqlite::Result<bool> {
        let mut order = Vec::new();
        let (conditions, values) = conditions(filter, now);
        let sql = format!("SELECT e.number, e.last_at FROM exposures e WHERE {conditions}");
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query(rusqlite::params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            let (number, key): (i64, i64) = (row.get(0)?, row.get(1)?);
            let exposure = self.exposure(number, now)?;
            let severity = exposure.severity.map_or(0, |severity| 1 + severity as u8);
            let cursor = Cursor { severity, key, number };
            if passes(filter, &exposure) && after.is_none_or(|after| cursor < after) {
                order.push(cursor);
            }
        }
        order.sort_unstable_by(|one, other| other.cmp(one));
        for cursor in order {
            if visit(self.exposure(cursor.number, now)?, cursor.text(filter.sort)).is_break() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The rows with this digest; usually one.
    ///
    /// # Errors
    /// If the ledger can't be read.
    pub fn show(&self, digest: &[u8; 16], now: Timestamp) -> Result<Vec<Exposure>, LedgerError> {
        self.find(digest, digest, now)
    }

    /// The rows whose digests are between these, but not more than a hundred.
    ///
    /// # Errors
    /// If the ledger can't be read.
    pub fn find(&self, from: &[u8; 16], to: &[u8; 16], now: Timestamp) -> Result<Vec<Exposure>, LedgerError> {
        let sql = "SELECT number FROM exposures WHERE digest BETWEEN ?1 AND ?2 ORDER BY digest, key_id, kind LIMIT 100";
        self.rows(sql, (from, to), now).map_err(self.failed())
    }

    /// The rows of tokens with this keyed digest of a claim.
    ///
    /// # Errors
    /// If the ledger can't be read.
    pub fn with_claim(&self, name: ClaimName, digest: &[u8; 16], now: Timestamp) -> Result<Vec<Exposure>, LedgerError> {
        let sql = match name {
            ClaimName::Sub => "SELECT number FROM exposures WHERE subject = ?1 ORDER BY last_at DESC, number DESC",
            ClaimName::Jti => "SELECT number FROM exposures WHERE token_id = ?1 ORDER BY last_at DESC, number DESC",
        };
        self.rows(sql, [digest], now).map_err(self.failed())
    }

    fn rows(&self, numbers: &str, of: impl rusqlite::Params, now: Timestamp) -> rusqlite::Result<Vec<Exposure>> {
        let mut statement = self.connection.prepare_cached(numbers)?;
        let numbers = statement.query_map(of, |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
        numbers.into_iter().map(|number| self.exposure(number, now)).collect()
    }

    /// One row, with all that is made of its columns.
    pub(super) fn exposure(&self, number: i64, now: Timestamp) -> rusqlite::Result<Exposure> {
        let sql = format!(
            "SELECT e.digest, e.key_id, e.kind, e.complete, e.occurrences, e.first_at, e.last_at, e.expires_at, e.revoked_at, \
             e.claims, {STATUS} FROM exposures e WHERE e.number = ?2"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut exposure = statement.query_row((now.as_millisecond(), number), |row| {
            let expires_at: Option<i64> = row.get(7)?;
            let revoked_at: Option<i64> = row.get(8)?;
            let first_at: i64 = row.get(5)?;
            let ends_at = [expires_at.filter(|at| *at != NEVER), revoked_at].into_iter().flatten().min();
            Ok(Exposure {
                fingerprint: hex(&row.get::<_, Vec<u8>>(0)?),
                key_id: hex(&row.get::<_, Vec<u8>>(1)?),
                kind: row.get(2)?,
                complete: row.get(3)?,
                occurrences: row.get::<_, i64>(4)?.unsigned_abs(),
                first_seen: millis(first_at),
                last_seen: millis(row.get(6)?),
                sources: BTreeMap::new(),
                carriers: BTreeMap::new(),
                status: status(&row.get::<_, String>(10)?),
                first_location: Location::default(),
                last_location: Location::default(),
                exposure_window_secs: ends_at.map(|at| at.saturating_sub(first_at).div_euclid(1000)),
                expires_at: expires_at.filter(|at| *at != NEVER).map(millis),
                revoked_at: revoked_at.map(millis),
                claims: claims(row.get(9)?),
                severity: None,
                policies: Vec::new(),
            })
        })?;
        self.add_counts(number, &mut exposure)?;
        self.add_locations(number, &mut exposure)?;
        exposure.policies = policy::findings(&exposure, &self.policy);
        exposure.severity = exposure.policies.iter().map(|finding| finding.severity).max();
        Ok(exposure)
    }

    fn add_counts(&self, number: i64, exposure: &mut Exposure) -> rusqlite::Result<()> {
        let sql = format!(
            "SELECT {SOURCE}, c.carrier, c.count FROM counts c JOIN ledgers l ON l.number = c.ledger WHERE c.exposure = ?1"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([number])?;
        while let Some(row) = rows.next()? {
            let count = row.get::<_, i64>(2)?.unsigned_abs();
            *exposure.sources.entry(row.get(0)?).or_default() += count;
            *exposure.carriers.entry(row.get(1)?).or_default() += count;
        }
        Ok(())
    }

    fn add_locations(&self, number: i64, exposure: &mut Exposure) -> rusqlite::Result<()> {
        let sql = "SELECT s.first_at, s.first_location, s.last_at, s.last_location, l.number, l.instance \
                   FROM spans s JOIN ledgers l ON l.number = s.ledger WHERE s.exposure = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([number])?;
        let (mut first, mut last) = (i64::MAX, i64::MIN);
        while let Some(row) = rows.next()? {
            let instance: Option<String> = if row.get::<_, i64>(4)? == OWN { None } else { Some(row.get(5)?) };
            let place = |text: String| {
                let mut place = location(&text);
                if let Some(instance) = &instance {
                    place.source = format!("{instance}/{}", place.source);
                }
                place
            };
            if row.get::<_, i64>(0)? < first {
                first = row.get(0)?;
                exposure.first_location = place(row.get(1)?);
            }
            if row.get::<_, i64>(2)? > last {
                last = row.get(2)?;
                exposure.last_location = place(row.get(3)?);
            }
        }
        Ok(())
    }

    /// The ledger in numbers.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn summary(&self, now: Timestamp) -> Result<Summary, LedgerError> {
        let read = || -> rusqlite::Result<Summary> {
            let mut summary = Summary::default();
            let sql =
                format!("SELECT {STATUS}, count(*), CAST(total(e.occurrences) AS INTEGER) FROM exposures e GROUP BY 1");
            let mut statement = self.connection.prepare_cached(&sql)?;
            let mut rows = statement.query([now.as_millisecond()])?;
            while let Some(row) = rows.next()? {
                let count = row.get::<_, i64>(1)?.unsigned_abs();
                summary.exposures += count;
                summary.occurrences += row.get::<_, i64>(2)?.unsigned_abs();
                summary.status.insert(row.get(0)?, count);
            }
            summary.unexpired = summary.status.get("unexpired").copied().unwrap_or_default();
            let yesterday = now.as_millisecond() - i64::try_from(DAY.as_millis()).unwrap_or_default();
            let sql = "SELECT count(*) FROM exposures WHERE first_at > ?1";
            let new: i64 = self.connection.prepare_cached(sql)?.query_row([yesterday], |row| row.get(0))?;
            summary.new_24h = new.unsigned_abs();
            let sql = format!(
                "SELECT {SOURCE}, c.carrier, CAST(total(c.count) AS INTEGER) FROM counts c JOIN ledgers l ON l.number = c.ledger GROUP BY 1, 2"
            );
            let mut statement = self.connection.prepare_cached(&sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let by_carrier = summary.sources_by_carrier.entry(row.get(0)?).or_default();
                by_carrier.insert(row.get(1)?, row.get::<_, i64>(2)?.unsigned_abs());
            }
            Ok(summary)
        };
        let mut summary = read().map_err(self.failed())?;
        summary.skipped = self.number("skipped")?;
        summary.pruned = self.number("pruned")?;
        summary.forgotten = self.number("forgotten")?;
        Ok(summary)
    }
}

/// Conditions for `exposures e`, and their values; `?1` is now.
fn conditions(filter: &Filter, now: Timestamp) -> (String, Vec<Value>) {
    let mut values = vec![Value::Integer(now.as_millisecond())];
    // A parameter that a text does not name can't be bound.
    let mut sql = "?1 IS NOT NULL".to_owned();
    let mut add = |values: &mut Vec<Value>, condition: &str, value: Value| {
        values.push(value);
        sql += &format!(" AND {}", condition.replace('@', &format!("?{}", values.len())));
    };
    if !filter.status.is_empty() {
        let words: Vec<String> = filter.status.iter().filter_map(|status| serde_json::to_string(status).ok()).collect();
        let condition = format!("{STATUS} IN (SELECT value FROM json_each(@))");
        add(&mut values, &condition, Value::Text(format!("[{}]", words.join(","))));
    }
    if let Some(since) = filter.since {
        add(&mut values, "e.last_at >= @", Value::Integer(since.as_millisecond()));
    }
    if let Some(issuer) = &filter.issuer {
        add(&mut values, "e.issuer = @", Value::Text(issuer.clone()));
    }
    if let Some(kind) = &filter.kind {
        add(&mut values, "e.kind = @", Value::Text(kind.clone()));
    }
    if let Some(source) = &filter.source {
        let condition = format!(
            "EXISTS (SELECT 1 FROM counts c JOIN ledgers l ON l.number = c.ledger \
             WHERE c.exposure = e.number AND (c.source = @ OR {SOURCE} = @))"
        );
        add(&mut values, &condition, Value::Text(source.clone()));
    }
    (sql, values)
}

/// What only the whole row tells.
fn passes(filter: &Filter, exposure: &Exposure) -> bool {
    filter.policy.as_ref().is_none_or(|id| exposure.policies.iter().any(|finding| finding.id == *id))
        && filter.severity.is_none_or(|least| exposure.severity.is_some_and(|severity| severity >= least))
}

fn status(word: &str) -> Status {
    match word {
        "revoked" => Status::Revoked,
        "expired" => Status::Expired,
        "not_yet" => Status::NotYet,
        "unexpired" => Status::Unexpired,
        _ => Status::Unknown,
    }
}

/// Where a row stands in an order; what is less comes later when the worst or latest comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cursor {
    severity: u8,
    key: i64,
    number: i64,
}

impl Cursor {
    fn text(self, sort: Sort) -> String {
        format!("{}.{}.{}.{}", letter(sort), self.severity, self.key, self.number)
    }

    fn parse(text: &str, sort: Sort) -> Option<Self> {
        let mut parts = text.split('.');
        if parts.next()? != letter(sort) {
            return None;
        }
        let (severity, key, number) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { severity: severity.parse().ok()?, key: key.parse().ok()?, number: number.parse().ok()? })
    }
}

/// A cursor of one order means nothing in another.
fn letter(sort: Sort) -> &'static str {
    match sort {
        Sort::LastSeen => "l",
        Sort::FirstSeen => "f",
        Sort::Occurrences => "o",
        Sort::Severity => "s",
        Sort::ExpiresAt => "e",
    }
}

/// Whether it may be a cursor that a page in this order has ended with.
pub fn is_cursor(text: &str, sort: Sort) -> bool {
    Cursor::parse(text, sort).is_some()
}
