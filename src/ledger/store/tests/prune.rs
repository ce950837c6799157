//! What goes when there is too much, or when somebody says so.

use super::*;
use crate::ledger::store::{Limits, Pruned};
use crate::ledger::{Filter, PolicyLimits};
use std::time::Duration;

fn limited(home: &Home, limits: Limits) -> Store {
    let mut store = home.store("ledger");
    store.set_limits(limits, PolicyLimits::default()).unwrap();
    store
}

fn of_issuer(number: u32, iss: &str, exp: Option<i64>) -> BatchEntry {
    BatchEntry { claims: claims(iss, exp), ..entry(number, "web", 0, 1) }
}

/// How many rows are of an issuer.
fn count(store: &Store, iss: &str) -> usize {
    let filter = Filter { issuer: Some(iss.to_owned()), ..Filter::default() };
    store.list(&filter, at(0)).unwrap().exposures.len()
}

#[test]
fn old_rows_go_by_our_own_clock() {
    let home = Home::new();
    let mut store = limited(&home, Limits { retention: Some(Duration::from_secs(100)), ..Limits::default() });
    // The record says that it is from the far future.
    store.add(&batch(0, vec![entry(1, "web", 1_000_000, 1)])).unwrap();
    store.add(&batch(50, vec![entry(2, "web", 50, 1)])).unwrap();
    assert_eq!(store.prune(at(100)).unwrap(), Pruned::default());
    assert_eq!(store.prune(at(101)).unwrap(), Pruned { old: 1, surplus: 0 });
    assert!(store.show(&digest(1), at(0)).unwrap().is_empty());
    assert_eq!(store.summary(at(0)).unwrap().pruned, 1);
    let left: i64 = store
        .connection
        .query_row("SELECT (SELECT count(*) FROM spans) + (SELECT count(*) FROM counts)", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 2, "nothing of it is left elsewhere");
}

#[test]
fn there_are_never_more_rows_than_allowed_and_expired_ones_go_first() {
    let home = Home::new();
    let mut store = limited(&home, Limits { max_entries: 100, ..Limits::default() });
    let expired = (0..60).map(|number| of_issuer(number, "expired", Some(-1))).collect();
    store.add(&batch(10, expired)).unwrap();
    store.add(&batch(5, (100..140).map(|number| of_issuer(number, "live", Some(1000))).collect())).unwrap();
    assert_eq!((count(&store, "expired"), count(&store, "live")), (60, 40));
    let merged = store.add(&batch(20, (200..230).map(|number| of_issuer(number, "live", None)).collect())).unwrap();
    assert_eq!(merged.pruned, Pruned { old: 0, surplus: 32 });
    assert_eq!((count(&store, "expired"), count(&store, "live")), (28, 70));
    for round in 0..10 {
        let entries = (0..30).map(|number| of_issuer(1000 + round * 30 + number, "live", None)).collect();
        store.add(&batch(30 + i64::from(round), entries)).unwrap();
        let rows = store.list(&Filter::default(), at(0)).unwrap().exposures;
        assert!(rows.len() <= 100, "{}", rows.len());
    }
    assert_eq!(count(&store, "expired"), 0);
}

#[test]
fn whoever_floods_never_evicts_the_tokens_of_issuers_that_may_alert() {
    let home = Home::new();
    let limits = Limits { max_entries: 100, issuers: vec!["ours".to_owned()], ..Limits::default() };
    let mut store = limited(&home, limits);
    store.add(&batch(0, (0..80).map(|number| of_issuer(number, "ours", None)).collect())).unwrap();
    store.add(&batch(1, (100..120).map(|number| of_issuer(number, "theirs", None)).collect())).unwrap();
    assert_eq!((count(&store, "ours"), count(&store, "theirs")), (80, 20));
    for round in 2..12 {
        let entries = (0..50).map(|number| of_issuer(round * 1000 + number, "theirs", None)).collect();
        store.add(&batch(round.into(), entries)).unwrap();
        assert_eq!(count(&store, "ours"), 80, "{round}");
        assert!(count(&store, "theirs") <= 20);
    }
    // Alone the others have half of it.
    let home = Home::new();
    let limits = Limits { max_entries: 100, issuers: vec!["ours".to_owned()], ..Limits::default() };
    let mut store = limited(&home, limits);
    store.add(&batch(0, (0..100).map(|number| of_issuer(number, "theirs", None)).collect())).unwrap();
    assert!((48..=50).contains(&count(&store, "theirs")), "{}", count(&store, "theirs"));
    store.add(&batch(0, (200..300).map(|number| of_issuer(number, "ours", None)).collect())).unwrap();
    assert_eq!((count(&store, "ours"), count(&store, "theirs")), (100, 0));
}

#[test]
fn limits_are_kept_in_the_ledger_and_issuers_can_change() {
    let home = Home::new();
    let limits =
        Limits { retention: Some(Duration::from_secs(1 << 40)), max_entries: 10, issuers: vec!["ours".to_owned()] };
    let mut store = limited(&home, limits.clone());
    store.add(&batch(0, (0..5).map(|number| of_issuer(number, "ours", None)).collect())).unwrap();
    let mut other = Store::open(&home.path("ledger")).unwrap();
    assert_eq!(other.limits, limits);
    other.add(&batch(1, (10..30).map(|number| of_issuer(number, "theirs", None)).collect())).unwrap();
    assert_eq!((count(&other, "ours"), count(&other, "theirs") <= 5), (5, true));
    // Now they are those that may go.
    let limits = Limits { issuers: vec!["theirs".to_owned()], ..limits };
    store.set_limits(limits, PolicyLimits::default()).unwrap();
    store.add(&batch(2, (40..50).map(|number| of_issuer(number, "theirs", None)).collect())).unwrap();
    assert_eq!((count(&store, "ours"), count(&store, "theirs")), (0, 10));
}

/// How often a digest stands in the files of a ledger, as bytes or as digits.
fn traces(home: &Home, number: u32) -> usize {
    let mut traces = 0;
    for file in std::fs::read_dir(home.folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        traces += memchr::memmem::find_iter(&bytes, &digest(number)).count();
        traces += memchr::memmem::find_iter(&bytes, crate::ledger::store::hex(&digest(number)).as_bytes()).count();
        traces += memchr::memmem::find_iter(&bytes, format!("issuer-{number}.").as_bytes()).count();
    }
    traces
}

#[test]
fn nothing_that_was_forgotten_is_left_in_any_file() {
    let home = Home::new();
    let mut store = home.store("ledger");
    // Many small batches in changing order, so that rows move from page to page.
    for round in 0..40 {
        let entries = (0..50).map(|number| {
            let number = (number * 37 + round * 11) % 1000;
            of_issuer(number, &format!("https://issuer-{number}.{}", "x".repeat(number as usize % 200)), None)
        });
        store.add(&batch(round.into(), entries.collect())).unwrap();
    }
    // It was made by another process, so that its settings are not those of the maker.
    drop(store);
    let mut store = Store::open(&home.path("ledger")).unwrap();
    let numbers: Vec<u32> =
        (0..1000).filter(|&number| !store.show(&digest(number), at(0)).unwrap().is_empty()).collect();
    let (gone, left) = numbers.split_at(100);
    assert!(left.len() > 100 && gone.iter().all(|&number| traces(&home, number) > 0));
    store.mark_revoked(&digest(gone[0]), at(0), at(0)).unwrap();
    let digests: Vec<_> = gone.iter().map(|&number| digest(number)).collect();
    let forgotten = store.forget(&digests).unwrap();
    assert!(forgotten.is_overwritten);
    assert_eq!((forgotten.gone[0], forgotten.gone[1]), ((1, true), (1, false)));
    for &number in gone {
        assert_eq!(traces(&home, number), 0, "{number}");
    }
    assert!(left.iter().all(|&number| !store.show(&digest(number), at(0)).unwrap().is_empty()));
    assert_eq!(store.summary(at(0)).unwrap().forgotten, 100);
}

#[test]
fn whoever_still_reads_is_known_to_keep_what_was_forgotten() {
    let home = Home::new();
    let mut store = home.store("ledger");
    store.add(&batch(0, vec![entry(1, "web", 0, 1), entry(2, "web", 0, 1)])).unwrap();
    let reader = Store::open_read_only(&home.path("ledger")).unwrap();
    let snapshot = reader.snapshot().unwrap();
    assert_eq!(reader.show(&digest(1), at(0)).unwrap().len(), 1);
    store.connection.busy_timeout(Duration::from_millis(50)).unwrap();
    assert!(!store.forget(&[digest(1)]).unwrap().is_overwritten);
    assert!(traces(&home, 1) > 0);
    drop(snapshot);
    assert!(store.forget(&[digest(1)]).unwrap().is_overwritten);
    assert_eq!(traces(&home, 1), 0);
}

#[test]
fn space_goes_back_to_the_file_system() {
    let home = Home::new();
    let mut store = limited(&home, Limits { retention: Some(Duration::from_secs(100)), ..Limits::default() });
    for round in 0..4 {
        let long = "x".repeat(250);
        let entries = (0..500).map(|number| of_issuer(round * 500 + number, &long, None)).collect();
        store.add(&batch(0, entries)).unwrap();
    }
    let pages =
        |store: &Store| -> i64 { store.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap() };
    let before = pages(&store);
    assert_eq!(store.prune(at(1000)).unwrap().old, 2000);
    assert!(before > 200 && pages(&store) < 50, "{before} {}", pages(&store));
}
