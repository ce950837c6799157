//! Counts are those of the findings, whatever happens to the database meanwhile.

use super::*;
use crate::redact::Redactor;
use jiff::Timestamp;
use std::path::Path;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(20);

fn line(number: usize) -> String {
    format!("2026-01-02T03:04:05Z GET /?access_token=tR7xK2mQ9vLp4ZsW{number:08} 200\n")
}

/// Scans a text and records what is in it.
fn record(recorder: &Recorder, redaction: &Redaction, text: &str, place: &Place) -> usize {
    let findings = Redactor::new(redaction).redact(text.as_bytes()).findings;
    for findings in findings.chunks(1000) {
        recorder.record(findings, Text { bytes: text.as_bytes(), start: 0 }, place);
    }
    findings.len()
}

fn settings(path: &Path) -> Settings {
    Settings::new(path, "host")
}

fn rows(path: &Path) -> Vec<Exposure> {
    Store::open_read_only(path).unwrap().list(&Filter::default(), Timestamp::now()).unwrap().exposures
}

#[test]
fn counts_add_up_over_sources_and_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let redaction = redaction();
    for _ in 0..3 {
        let ledger = Ledger::open(settings(&path), &redaction).unwrap();
        let (app, proxy) = (ledger.recorder("app"), ledger.recorder("proxy"));
        let place = app.file(Path::new("/var/log/app.log"), 0);
        assert_eq!(record(&app, &redaction, &line(1).repeat(3), &place), 3);
        record(&proxy, &redaction, &(line(1) + &line(2)), &proxy.peer(&"10.0.0.1:7"));
        assert!(ledger.flush(LONG));
        record(&proxy, &redaction, "Authorization: Bearer tR7xK2mQ9vLp4ZsW00000001\n", &Place::Source);
        ledger.close().unwrap();
    }
    let mut rows = rows(&path);
    rows.sort_by_key(|row| row.occurrences);
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0].occurrences, rows[1].occurrences), (3, 15));
    let counts: Vec<(&str, u64)> = rows[1].sources.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(counts, [("app", 9), ("proxy", 6)]);
    let counts: Vec<(&str, u64)> = rows[1].carriers.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(counts, [("authorization", 3), ("query", 12)]);
    assert_eq!(rows[1].first_location.file.as_deref(), Some("/var/log/app.log"));
    assert_eq!(rows[1].first_location.offset, Some(line(1).find("tR7").unwrap() as u64));
    assert_eq!((rows[1].last_location.source.as_str(), rows[1].last_location.time), ("proxy", TimeOf::Observed));
    assert_eq!(rows[0].status, Status::Unknown);
}

#[test]
fn what_does_not_fit_is_counted_and_nothing_waits() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let redaction = redaction();
    let ledger = Ledger::open(settings(&path), &redaction).unwrap();
    let recorder = ledger.recorder("app");
    // Somebody else keeps the database, so that nothing can be written.
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let mut sum = 0;
    for first in (0..120_000).step_by(10_000) {
        let text: String = (first..first + 10_000).map(line).collect();
        sum += record(&recorder, &redaction, &text, &Place::Source) as u64;
    }
    other.execute_batch("ROLLBACK").unwrap();
    assert!(ledger.flush(Duration::from_secs(60)));
    ledger.close().unwrap();
    let summary = Store::open_read_only(&path).unwrap().summary(Timestamp::now()).unwrap();
    assert_eq!(summary.occurrences + summary.skipped, sum);
    assert!(summary.skipped > 0 && summary.exposures > 10_000, "{summary:?}");
}

#[test]
fn who_may_wait_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let redaction = redaction();
    let ledger = Ledger::open(Settings { wait_when_full: true, ..settings(&path) }, &redaction).unwrap();
    let recorder = ledger.recorder("app");
    for first in (0..100_000).step_by(10_000) {
        let text: String = (first..first + 10_000).map(line).collect();
        assert_eq!(record(&recorder, &redaction, &text, &Place::Source), 10_000);
    }
    ledger.close().unwrap();
    let summary = Store::open_read_only(&path).unwrap().summary(Timestamp::now()).unwrap();
    assert_eq!((summary.exposures, summary.skipped), (100_000, 0));
}

#[test]
fn a_batch_that_is_handed_over_twice_counts_once() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = Store::create(&directory.path().join("ledger.db"), "host").unwrap();
    let seen = Seen { at: Timestamp::now(), location: Location { source: "app".to_owned(), ..Location::default() } };
    let entry = BatchEntry {
        digest: [1; 16],
        key_id: [2; 4],
        kind: "token",
        complete: true,
        claims: None,
        first: seen.clone(),
        last: seen.clone(),
        counts: vec![("query", 2)],
    };
    let batch = Batch { id: "run.1".to_owned(), observed_at: seen.at, entries: vec![entry], skipped: 1 };
    assert_eq!(store.add(&batch).unwrap().new, [[1; 16]]);
    assert!(store.add(&batch).unwrap().new.is_empty());
    let summary = store.summary(seen.at).unwrap();
    assert_eq!((summary.occurrences, summary.skipped), (2, 1));
    store.add(&Batch { id: "run.2".to_owned(), ..batch }).unwrap();
    assert_eq!(store.summary(seen.at).unwrap().occurrences, 4);
}
