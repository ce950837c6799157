//! Batches and merging count right whatever comes twice, and in whatever order.

use super::*;
use crate::ledger::store::{Joined, Mark};
use crate::ledger::{Filter, LedgerError, Status};
use proptest::prelude::*;

fn merge(store: &mut Store, rows: &[Portable]) -> Joined {
    store.merge::<LedgerError>(rows.iter().cloned().map(Ok), at(0)).unwrap()
}

fn occurrences(store: &Store) -> Vec<u64> {
    let page = store.list(&Filter::default(), at(0)).unwrap();
    page.exposures.iter().map(|row| row.occurrences).collect()
}

#[test]
fn a_batch_counts_once_also_behind_that_of_another_process() {
    let home = Home::new();
    let (mut one, mut other) = (home.store("ledger"), home.store("ledger"));
    let again = batch(0, vec![entry(1, "web", 0, 3), entry(2, "web", 0, 1)]);
    assert_eq!(one.add(&again).unwrap().new.len(), 2);
    other.add(&batch(0, vec![entry(1, "app", 0, 10)])).unwrap();
    assert_eq!(one.add(&again).unwrap().new.len(), 0);
    let mut counts = occurrences(&one);
    counts.sort_unstable();
    assert_eq!(counts, [1, 13]);
    // It is not remembered for ever.
    for _ in 0..1100 {
        one.add(&batch(0, Vec::new())).unwrap();
    }
    let kept: i64 = one.connection.query_row("SELECT count(*) FROM batches", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 1000);
}

#[test]
fn sights_widen_and_the_last_of_one_moment_is_the_last() {
    let home = Home::new();
    let mut store = home.store("ledger");
    for (secs, offset) in [(10, 1), (5, 2), (20, 3), (20, 4), (15, 5)] {
        let sight = seen(secs, "web", offset);
        store
            .add(&batch(secs, vec![BatchEntry { first: sight.clone(), last: sight, ..entry(1, "web", 0, 1) }]))
            .unwrap();
    }
    let row = &store.show(&digest(1), at(0)).unwrap()[0];
    assert_eq!((row.first_seen, row.first_location.offset), (at(5), Some(2)));
    assert_eq!((row.last_seen, row.last_location.offset), (at(20), Some(4)));
    assert_eq!(row.occurrences, 5);
}

#[test]
fn every_change_is_handed_out_once_whatever_the_page() {
    let home = Home::new();
    let mut store = home.store("ledger");
    store.add(&batch(0, (0..10).map(|number| entry(number, "web", 0, 1)).collect())).unwrap();
    store.add(&batch(1, (3..5).map(|number| entry(number, "web", 1, 1)).collect())).unwrap();
    for limit in [1, 3, 7, 100] {
        let (mut since, mut rows) = (0, Vec::new());
        loop {
            let changed = store.changed_since(since, limit).unwrap();
            assert!(changed.rows.len() <= limit);
            rows.extend(changed.rows);
            if changed.until == since {
                break;
            }
            since = changed.until;
        }
        assert_eq!(rows.len(), 10, "{limit}");
        // What changes afterwards, and nothing else, comes behind.
        let until = since;
        store.mark_revoked(&digest(7), at(0), at(0)).unwrap();
        let changed = store.changed_since(until, 100).unwrap();
        assert_eq!(changed.rows.len(), 1);
        assert_eq!(changed.rows[0].mark.unwrap().revoked_at, Some(at(0)));
    }
}

#[test]
fn a_merged_ledger_says_whose_source_it_was() {
    let home = Home::new();
    let mut store = home.store("ledger");
    store.add(&batch(0, vec![entry(1, "web", 0, 1)])).unwrap();
    merge(&mut store, &[portable(7, 1, 5, 2)]);
    let row = &store.show(&digest(1), at(0)).unwrap()[0];
    let sources: Vec<_> = row.sources.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(sources, [("host7/web", 2), ("web", 1)]);
    assert_eq!((row.first_location.source.as_str(), row.last_location.source.as_str()), ("web", "host7/web"));
    // A host that is called otherwise later is so in all of its rows, whichever comes first.
    let mut renamed = portable(7, 2, 6, 1);
    renamed.ledger.instance = "a-host".to_owned();
    merge(&mut store, &[renamed]);
    merge(&mut store, &[portable(7, 3, 4, 1)]);
    assert!(store.show(&digest(1), at(0)).unwrap()[0].sources.contains_key("a-host/web"));
}

#[test]
fn what_was_said_last_of_a_credential_holds_everywhere() {
    let home = Home::new();
    let (mut one, mut all) = (home.store("one"), home.store("all"));
    one.add(&batch(0, vec![entry(1, "web", 0, 1)])).unwrap();
    one.mark_revoked(&digest(1), at(-5), at(10)).unwrap();
    let marked = portables(&one);
    merge(&mut all, &marked);
    let status = |store: &Store| store.show(&digest(1), at(0)).unwrap()[0].status;
    assert_eq!(status(&all), Status::Revoked);
    // The clock may go back meanwhile.
    assert!(one.unmark(&digest(1), at(9)).unwrap());
    assert!(!one.unmark(&digest(1), at(9)).unwrap());
    merge(&mut all, &portables(&one));
    assert_eq!(status(&all), Status::Unknown);
    assert_eq!(merge(&mut all, &marked).changed, 0, "an old export does not bring it back");
    assert_eq!(status(&all), Status::Unknown);
    // A mark waits for what was never seen.
    all.mark_revoked(&digest(2), at(0), at(0)).unwrap();
    merge(&mut all, &[portable(1, 2, 0, 1)]);
    assert_eq!(all.show(&digest(2), at(0)).unwrap()[0].status, Status::Revoked);
}

#[test]
fn a_row_that_is_none_changes_nothing() {
    let home = Home::new();
    let mut store = home.store("ledger");
    let bad: Vec<fn(&mut Portable)> = vec![
        |row| row.fingerprint = "x".repeat(32),
        |row| row.fingerprint.make_ascii_uppercase(),
        |row| row.key_id.push('0'),
        |row| row.ledger.id.clear(),
        |row| row.ledger.instance.clear(),
        |row| row.kind = "a kind".to_owned(),
        |row| row.counts.clear(),
        |row| row.counts[0].count = 0,
        |row| row.counts[0].count = u64::MAX,
        |row| row.counts[0].carrier = "<img>".to_owned(),
        |row| row.counts[0].source = "x".repeat(5000),
        |row| row.first.at = at(1_000_000),
        |row| row.first.location.source.clear(),
        |row| row.last.location.file = Some("x".repeat(10_000)),
        |row| row.claims = Some(Claims { verified: true, ..Claims::default() }),
        |row| row.claims = Some(Claims { iss: Some("x".repeat(5000)), ..Claims::default() }),
        |row| row.claims = Some(Claims { aud: vec![String::new(); 9], ..Claims::default() }),
        |row| row.claims = Some(Claims { sub_fingerprint: Some("ada".to_owned()), ..Claims::default() }),
        |row| {
            row.fingerprint = "0".repeat(32);
            row.mark = Some(Mark { revoked_at: None, marked_at: at(0) });
        },
    ];
    for (number, spoil) in bad.into_iter().enumerate() {
        let mut row = portable(1, 2, 0, 1);
        spoil(&mut row);
        let merged = store.merge::<LedgerError>([Ok(portable(1, 1, 0, 1)), Ok(row)], at(0));
        assert!(merged.is_err(), "{number}");
        assert_eq!(occurrences(&store).len(), 0, "{number}");
    }
}

#[test]
fn the_largest_counts_add_up_without_overflow() {
    let home = Home::new();
    let mut store = home.store("ledger");
    let mut rows: Vec<_> = (0..20).map(|ledger| portable(ledger, 1, 0, 1 << 40)).collect();
    for row in &mut rows {
        row.counts = (0..20).map(|n| PortableCount { source: format!("s{n}"), ..row.counts[0].clone() }).collect();
    }
    merge(&mut store, &rows);
    store.add(&batch(0, vec![entry(1, "web", 0, u64::MAX)])).unwrap();
    store.add(&batch(0, vec![entry(1, "web", 0, u64::MAX)])).unwrap();
    assert!(store.summary(at(0)).unwrap().occurrences > 0);
    assert_eq!(occurrences(&store).len(), 1);
}

/// Rows of few ledgers and credentials, so that they meet.
fn rows() -> impl Strategy<Value = Vec<Portable>> {
    let mark = prop::option::of((prop::option::of(0..3_i64), 0..3_i64));
    let row =
        (0..3_u8, 0..3_u32, 0..4_i64, 0..4_i64, any::<bool>(), mark, 0..4_usize, prop::collection::vec(1..5_u64, 1..3));
    let row = row.prop_map(|(ledger, number, from, len, complete, mark, claimed, counts)| {
        let mut row = portable(ledger, number, from, 1);
        row.ledger.instance = format!("host{ledger}-{len}");
        row.observed_at = at(from + len);
        row.last = seen(from + len, "web", counts[0]);
        row.first = seen(from, "web", counts[0]);
        row.complete = complete;
        row.mark = mark.map(|(revoked, marked)| Mark { revoked_at: revoked.map(at), marked_at: at(marked) });
        row.claims = [None, claims("a", None), claims("b", Some(1)), Some(Claims::default())][claimed].clone();
        row.counts = (0..)
            .zip(counts)
            .map(|(n, count)| PortableCount { source: format!("s{n}"), carrier: "query".to_owned(), count })
            .collect();
        row
    });
    prop::collection::vec(row, 0..6)
}

fn merged(home: &Home, name: &str, parts: &[&[Portable]]) -> Vec<Portable> {
    let mut store = home.store(name);
    for part in parts {
        merge(&mut store, part);
        assert_eq!(merge(&mut store, part).changed, 0, "again is nothing new");
    }
    // Sums are those of the parts.
    for row in store.list(&Filter::default(), at(0)).unwrap().exposures {
        assert_eq!(row.occurrences, row.sources.values().sum::<u64>());
        assert_eq!(row.occurrences, row.carriers.values().sum::<u64>());
        assert!(row.first_seen <= row.last_seen);
    }
    portables(&store)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn merging_is_the_same_in_any_order_and_as_often_as_one_likes(a in rows(), b in rows(), c in rows()) {
        let home = Home::new();
        let all = merged(&home, "1", &[&a, &b, &c]);
        prop_assert_eq!(&merged(&home, "2", &[&c, &a, &b, &a]), &all);
        prop_assert_eq!(&merged(&home, "3", &[&[&b[..], &c, &a].concat()]), &all);
        // Through ledgers in between.
        let (ab, bc) = (merged(&home, "4", &[&a, &b]), merged(&home, "5", &[&b, &c]));
        prop_assert_eq!(&merged(&home, "6", &[&bc, &ab]), &all);
    }
}
