//! The database, in files of its own.

mod files;
mod join;
mod policies;
mod prune;
mod query;

use super::{Batch, BatchEntry, Identity, Portable, PortableCount, Seen, Store};
use crate::ledger::exposure::{Claims, Location};
use jiff::Timestamp;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tempfile::TempDir;

/// A ledger in a directory that goes with the test.
pub(super) struct Home {
    pub folder: TempDir,
}

impl Home {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn store(&self, name: &str) -> Store {
        let store = Store::create(&self.path(name), name).unwrap();
        // Nobody cuts the power of a test.
        store.connection.pragma_update(None, "synchronous", "OFF").unwrap();
        store
    }
}

pub(super) fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + secs).unwrap()
}

pub(super) fn digest(number: u32) -> [u8; 16] {
    // Spread, so that neighbours are not in one page.
    (u128::from(number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) | 1).to_be_bytes()
}

pub(super) fn seen(secs: i64, source: &str, offset: u64) -> Seen {
    let location = Location {
        source: source.to_owned(),
        file: Some("/var/log/a.log".to_owned()),
        offset: Some(offset),
        ..Location::default()
    };
    Seen { at: at(secs), location }
}

pub(super) fn entry(number: u32, source: &str, secs: i64, count: u64) -> BatchEntry {
    BatchEntry {
        digest: digest(number),
        key_id: [1, 2, 3, 4],
        kind: "jwt",
        complete: true,
        claims: None,
        first: seen(secs, source, 1),
        last: seen(secs, source, 2),
        counts: vec![("query", count)],
    }
}

pub(super) fn claims(iss: &str, exp: Option<i64>) -> Option<Claims> {
    Some(Claims { iss: Some(iss.to_owned()), exp: exp.map(at), has_payload: true, ..Claims::default() })
}

pub(super) fn batch(observed: i64, entries: Vec<BatchEntry>) -> Batch {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    Batch { id: NUMBER.fetch_add(1, Relaxed).to_string(), observed_at: at(observed), entries, skipped: 0 }
}

pub(super) fn portable(ledger: u8, number: u32, secs: i64, count: u64) -> Portable {
    let hex = |bytes: &[u8]| super::hex(bytes);
    Portable {
        ledger: Identity { id: hex(&[ledger; 16]), instance: format!("host{ledger}") },
        fingerprint: hex(&digest(number)),
        key_id: "01020304".to_owned(),
        kind: "jwt".to_owned(),
        complete: true,
        claims: None,
        mark: None,
        observed_at: at(secs),
        first: seen(secs, "web", 1),
        last: seen(secs, "web", 2),
        counts: vec![PortableCount { source: "web".to_owned(), carrier: "query".to_owned(), count }],
    }
}

/// All that a ledger tells others.
pub(super) fn portables(store: &Store) -> Vec<Portable> {
    let mut rows: Vec<Portable> = store.portables().map(Result::unwrap).collect();
    rows.sort_by_key(|row| (row.fingerprint.clone(), row.kind.clone(), row.ledger.id.clone()));
    rows
}
