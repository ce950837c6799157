//! Who must still be told of what, and how far changes were sent on.

use super::*;
use crate::ledger::{AlertKey, Severity};
use jiff::{Timestamp, ToSpan};
use std::ops::ControlFlow;
use std::path::Path;

const ISSUER: &str = "https://login.example/";

fn now() -> Timestamp {
    "2026-11-28T10:00:00Z".parse().unwrap()
}

fn entry(number: u8, change: impl FnOnce(&mut Claims)) -> BatchEntry {
    let mut claims = Claims {
        iss: Some(ISSUER.to_owned()),
        iat: Some(now()),
        exp: Some(now() + 1.hour()),
        aud: vec!["api".to_owned()],
        cnf: true,
        has_payload: true,
        ..Claims::default()
    };
    change(&mut claims);
    let seen = Seen { at: now(), location: Location { source: "app".to_owned(), ..Location::default() } };
    BatchEntry {
        digest: [number; 16],
        key_id: [2; 4],
        kind: "jwt",
        complete: true,
        claims: Some(claims),
        first: seen.clone(),
        last: seen,
        counts: vec![("query", 1)],
    }
}

fn store(path: &Path, issuers: &[&str]) -> Store {
    let mut store = Store::create(path, "host").unwrap();
    let issuers = issuers.iter().map(|issuer| (*issuer).to_owned()).collect();
    store.set_limits(Limits { issuers, ..Limits::default() }, PolicyLimits::default()).unwrap();
    store
}

fn add(store: &mut Store, id: &str, entries: Vec<BatchEntry>) {
    store.add(&Batch { id: id.to_owned(), observed_at: now(), entries, skipped: 0 }).unwrap();
}

/// The first bytes of the digests that are handed out, and where to go on.
fn unalerted(store: &Store, since: u64, severity: Option<Severity>, max: usize) -> (Vec<Exposure>, u64) {
    let mut rows = Vec::new();
    let until = store.visit_unalerted(since, severity, now(), |row| {
        if rows.len() == max {
            return ControlFlow::Break(());
        }
        rows.push(row);
        ControlFlow::Continue(())
    });
    (rows, until.unwrap())
}

fn digests(rows: &[Exposure]) -> Vec<&str> {
    rows.iter().map(|row| &row.fingerprint[..2]).collect()
}

#[test]
fn told_are_only_those_that_can_be_replayed_and_whose_issuer_may_alert() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = store(&directory.path().join("ledger.db"), &[ISSUER]);
    let entries = vec![
        entry(1, |_| {}),
        entry(2, |claims| claims.exp = Some(now())),
        entry(3, |claims| claims.iss = Some("https://other.example/".to_owned())),
        entry(4, |claims| claims.iss = None),
        entry(5, |claims| claims.nbf = Some(now() + 1.minute())),
        entry(6, |claims| claims.exp = None),
        entry(7, |_| {}),
        entry(8, |claims| claims.exp_unreadable = true),
        entry(9, |claims| (claims.exp, claims.exp_unreadable) = (None, true)),
    ];
    add(&mut store, "1", entries);
    store.mark_revoked(&[7; 16], now(), now()).unwrap();
    assert_eq!(digests(&unalerted(&store, 0, None, 100).0), ["01", "05", "06", "08"]);
    // Without an expiry it is worse than with one.
    let (severe, _) = unalerted(&store, 0, Some(Severity::High), 100);
    assert!(severe.iter().all(|row| row.severity >= Some(Severity::High)));
    assert!(digests(&severe).contains(&"06"));
    assert_eq!(unalerted(&store, 0, Some(Severity::Critical), 100).0, []);
}

#[test]
fn each_is_told_once_whatever_ends_in_between() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let mut writer = store(&path, &[ISSUER]);
    add(&mut writer, "1", (1..=5).map(|number| entry(number, |_| {})).collect());
    let mut reader = Store::open(&path).unwrap();
    let (rows, until) = unalerted(&reader, 0, None, 2);
    assert_eq!(digests(&rows), ["01", "02"]);
    // Not noted yet: a crash would have it told again.
    assert_eq!(digests(&unalerted(&Store::open(&path).unwrap(), 0, None, 2).0), ["01", "02"]);
    let keys: Vec<_> = rows.iter().map(AlertKey::of).collect();
    reader.set_alerted(&keys, now()).unwrap();
    let (rows, until) = unalerted(&reader, until, None, 2);
    assert_eq!(digests(&rows), ["03", "04"]);
    // Those that are passed over are found again from the start, and when they are seen again.
    add(&mut writer, "2", vec![entry(1, |_| {}), entry(3, |_| {})]);
    let (rows, end) = unalerted(&reader, until, None, 100);
    assert_eq!(digests(&rows), ["05", "03"]);
    assert_eq!(unalerted(&reader, end, None, 100), (vec![], end));
    assert_eq!(digests(&unalerted(&reader, 0, None, 100).0), ["04", "05", "03"]);
    drop((reader, writer));
    // An issuer that may alert from now on, and one that may not any more.
    assert_eq!(unalerted(&store(&path, &[]), 0, None, 100).0, []);
    assert_eq!(digests(&unalerted(&store(&path, &[ISSUER]), 0, None, 100).0), ["04", "05", "03"]);
}

#[test]
fn a_row_that_has_come_anew_is_not_taken_for_the_one_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = store(&directory.path().join("ledger.db"), &[ISSUER]);
    add(&mut store, "1", vec![entry(1, |_| {})]);
    let (rows, _) = unalerted(&store, 0, None, 1);
    store.forget(&[[1; 16]]).unwrap();
    // It gets the number of the one that is gone.
    add(&mut store, "2", vec![entry(2, |_| {})]);
    store.set_alerted(&[AlertKey::of(&rows[0])], now()).unwrap();
    assert_eq!(digests(&unalerted(&store, 0, None, 100).0), ["02"]);
}

#[test]
fn positions_are_kept_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let mut one = store(&path, &[]);
    assert_eq!(one.position("emit.a").unwrap(), 0);
    one.set_position("emit.a", 7).unwrap();
    one.set_position("emit.a", 8).unwrap();
    let other = Store::open(&path).unwrap();
    assert_eq!((other.position("emit.a").unwrap(), other.position("emit.b").unwrap()), (8, 0));
}
