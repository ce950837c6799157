//! Every order pages through all rows once; filters choose those that they say.

use super::*;
use crate::ledger::store::ClaimName;
use crate::ledger::{Exposure, Filter, Severity, Sort, Status};
use std::collections::BTreeSet;

const SORTS: [Sort; 5] = [Sort::LastSeen, Sort::FirstSeen, Sort::Occurrences, Sort::Severity, Sort::ExpiresAt];

/// Rows many of which are equal in what they are ordered by.
fn filled(home: &Home, rows: u32) -> Store {
    let mut store = home.store("ledger");
    let entries = (0..rows).map(|number| {
        let claims = match number % 4 {
            0 => None,
            1 => claims("a", None),
            2 => claims("b", Some(i64::from(number % 3) * 100)),
            _ => Some(Claims { alg: Some("none".to_owned()), ..claims("c", Some(-100)).unwrap() }),
        };
        let secs = i64::from(number % 5);
        let mut entry = BatchEntry { claims, ..entry(number, "web", secs, u64::from(1 + number % 3)) };
        entry.counts[0].0 = if number % 6 == 0 { "query" } else { "header" };
        entry
    });
    store.add(&batch(0, entries.collect())).unwrap();
    store
}

fn all(store: &Store, filter: &Filter) -> Vec<Exposure> {
    store.list(filter, at(50)).unwrap().exposures
}

#[test]
fn every_order_pages_through_all_rows_once() {
    let home = Home::new();
    let store = filled(&home, 101);
    for sort in SORTS {
        let filter = Filter { sort, ..Filter::default() };
        let whole: Vec<String> = all(&store, &filter).into_iter().map(|row| row.fingerprint).collect();
        assert_eq!(whole.iter().collect::<BTreeSet<_>>().len(), 101, "{sort:?}");
        for limit in [1, 7, 100, 101, 102] {
            let (mut paged, mut cursor) = (Vec::new(), None);
            loop {
                let page = store.list(&Filter { limit: Some(limit), cursor, ..filter.clone() }, at(50)).unwrap();
                assert!(page.exposures.len() <= limit);
                paged.extend(page.exposures.into_iter().map(|row| row.fingerprint));
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(paged, whole, "{sort:?} {limit}");
        }
    }
}

#[test]
fn orders_are_what_they_say() {
    let home = Home::new();
    let store = filled(&home, 101);
    for sort in SORTS {
        let rows = all(&store, &Filter { sort, ..Filter::default() });
        let is_ordered = rows.is_sorted_by(|one, next| match sort {
            Sort::LastSeen => one.last_seen >= next.last_seen,
            Sort::FirstSeen => one.first_seen >= next.first_seen,
            Sort::Occurrences => one.occurrences >= next.occurrences,
            Sort::Severity => (one.severity, one.last_seen) >= (next.severity, next.last_seen),
            Sort::ExpiresAt => one.expires_at.unwrap_or(Timestamp::MAX) <= next.expires_at.unwrap_or(Timestamp::MAX),
        });
        assert!(is_ordered, "{sort:?}");
    }
}

#[test]
fn a_page_goes_on_behind_a_row_that_is_gone() {
    let home = Home::new();
    let mut store = filled(&home, 60);
    for sort in SORTS {
        let filter = Filter { sort, ..Filter::default() };
        let whole = all(&store, &filter);
        let page = store.list(&Filter { limit: Some(10), ..filter.clone() }, at(50)).unwrap();
        let last: u128 = u128::from_str_radix(&page.exposures[9].fingerprint, 16).unwrap();
        store.forget(&[last.to_be_bytes()]).unwrap();
        let rest = all(&store, &Filter { cursor: page.next, ..filter });
        assert_eq!(rest, whole[10..], "{sort:?}");
    }
}

#[test]
fn cursors_that_are_none_are_refused() {
    let home = Home::new();
    let store = filled(&home, 3);
    let cursor = store.list(&Filter { limit: Some(1), ..Filter::default() }, at(0)).unwrap().next.unwrap();
    for (sort, cursor) in [
        (Sort::Occurrences, cursor.as_str()),
        (Sort::LastSeen, ""),
        (Sort::LastSeen, "l.1.2"),
        (Sort::LastSeen, "l.0.x.1"),
        (Sort::LastSeen, "l.0.99999999999999999999.1"),
        (Sort::LastSeen, "'; DROP TABLE exposures"),
    ] {
        let filter = Filter { sort, cursor: Some(cursor.to_owned()), ..Filter::default() };
        let error = store.list(&filter, at(0)).unwrap_err().to_string();
        assert!(error.ends_with("the cursor is not one that a page in this order has ended with"), "{error}");
    }
}

#[test]
fn filters_hold_in_every_order_and_together() {
    let home = Home::new();
    let mut store = filled(&home, 101);
    store.mark_revoked(&digest(1), at(0), at(0)).unwrap();
    type Meets = fn(&Exposure) -> bool;
    let cases: Vec<(Filter, Meets)> = vec![
        (Filter { status: vec![Status::Revoked], ..Filter::default() }, |row| row.status == Status::Revoked),
        (Filter { status: vec![Status::Expired, Status::Unexpired], ..Filter::default() }, |row| {
            matches!(row.status, Status::Expired | Status::Unexpired)
        }),
        (Filter { since: Some(at(3)), ..Filter::default() }, |row| row.last_seen >= at(3)),
        (Filter { issuer: Some("b".to_owned()), ..Filter::default() }, |row| {
            row.claims.as_ref().is_some_and(|claims| claims.iss.as_deref() == Some("b"))
        }),
        (Filter { source: Some("web".to_owned()), kind: Some("jwt".to_owned()), ..Filter::default() }, |_| true),
        (Filter { kind: Some("x' OR 1=1 --".to_owned()), ..Filter::default() }, |_| false),
        (Filter { policy: Some("in_url".to_owned()), ..Filter::default() }, |row| row.carriers.contains_key("query")),
        (Filter { severity: Some(Severity::High), ..Filter::default() }, |row| row.severity >= Some(Severity::High)),
        (
            Filter {
                severity: Some(Severity::Low),
                since: Some(at(4)),
                issuer: Some("c".to_owned()),
                ..Filter::default()
            },
            |row| {
                row.last_seen >= at(4) && row.claims.as_ref().is_some_and(|claims| claims.iss.as_deref() == Some("c"))
            },
        ),
    ];
    for (filter, meets) in cases {
        for sort in SORTS {
            let expected =
                all(&store, &Filter { sort, ..Filter::default() }).into_iter().filter(meets).collect::<Vec<_>>();
            assert_eq!(all(&store, &Filter { sort, ..filter.clone() }), expected, "{sort:?} {filter:?}");
        }
    }
}

#[test]
fn a_status_is_that_of_the_time() {
    let home = Home::new();
    let mut store = home.store("ledger");
    let token = Claims { nbf: Some(at(100)), ..claims("a", Some(200)).unwrap() };
    store.add(&batch(0, vec![BatchEntry { claims: Some(token), ..entry(1, "web", 0, 1) }])).unwrap();
    store.mark_revoked(&digest(1), at(300), at(0)).unwrap();
    for (secs, expected) in [
        (0, Status::NotYet),
        (100, Status::Unexpired),
        (199, Status::Unexpired),
        (200, Status::Expired),
        (300, Status::Revoked),
    ] {
        let row = &store.show(&digest(1), at(secs)).unwrap()[0];
        assert_eq!(row.status, expected, "{secs}");
        let filter = Filter { status: vec![expected], ..Filter::default() };
        assert_eq!(store.list(&filter, at(secs)).unwrap().exposures.len(), 1);
        assert_eq!(row.exposure_window_secs, Some(200), "it can be used until it expires or is revoked");
    }
}

#[test]
fn rows_are_found_by_prefix_and_by_claim() {
    let home = Home::new();
    let mut store = home.store("ledger");
    let of = |sub: &str, jti: Option<&str>| {
        let digits = |text: &str| text.repeat(16);
        let claims =
            Claims { sub_fingerprint: Some(digits(sub)), jti_fingerprint: jti.map(digits), ..Claims::default() };
        Some(claims)
    };
    let entries = vec![
        BatchEntry { claims: of("aa", Some("01")), ..entry(1, "web", 1, 1) },
        BatchEntry { claims: of("aa", Some("02")), ..entry(2, "web", 2, 1) },
        BatchEntry { claims: of("bb", None), ..entry(3, "web", 3, 1) },
    ];
    store.add(&batch(0, entries)).unwrap();
    let found = |name, byte: u8| -> Vec<Timestamp> {
        store.with_claim(name, &[byte; 16], at(0)).unwrap().iter().map(|row| row.last_seen).collect()
    };
    assert_eq!(found(ClaimName::Sub, 0xaa), [at(2), at(1)]);
    assert_eq!(found(ClaimName::Jti, 2), [at(2)]);
    assert!(found(ClaimName::Jti, 0xaa).is_empty());
    let whole = digest(2);
    let (mut from, mut to) = ([0; 16], [0xff; 16]);
    from[..4].copy_from_slice(&whole[..4]);
    to[..4].copy_from_slice(&whole[..4]);
    assert_eq!(store.find(&from, &to, at(0)).unwrap().len(), 1);
    assert_eq!(store.find(&[0; 16], &[0xff; 16], at(0)).unwrap().len(), 3);
}

#[test]
fn text_is_only_text() {
    let home = Home::new();
    let mut store = home.store("ledger");
    let hostile = "'; DROP TABLE exposures; --\u{0}\u{1b}[31m\u{202e}<img onerror=x>%s\u{fffd}\"\\";
    let mut one = BatchEntry { claims: claims(hostile, None), ..entry(1, hostile, 0, 1) };
    one.first.location.file = Some(hostile.to_owned());
    store.add(&batch(0, vec![one])).unwrap();
    let filter = Filter { issuer: Some(hostile.to_owned()), source: Some(hostile.to_owned()), ..Filter::default() };
    let rows = all(&store, &filter);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].claims.as_ref().unwrap().iss.as_deref(), Some(hostile));
    assert_eq!(rows[0].first_location.file.as_deref(), Some(hostile));
    assert_eq!(rows[0].sources.keys().collect::<Vec<_>>(), [hostile]);
    let summary = store.summary(at(0)).unwrap();
    assert_eq!(summary.sources_by_carrier[hostile]["query"], 1);
}

#[test]
fn a_summary_counts() {
    let home = Home::new();
    let mut store = filled(&home, 101);
    store.add(&Batch { skipped: 5, ..batch(0, Vec::new()) }).unwrap();
    let summary = store.summary(at(50)).unwrap();
    assert_eq!((summary.exposures, summary.skipped), (101, 5));
    assert_eq!(summary.status.values().sum::<u64>(), 101);
    assert_eq!(
        summary.unexpired,
        all(&store, &Filter { status: vec![Status::Unexpired], ..Filter::default() }).len() as u64
    );
    assert_eq!(summary.new_24h, 101);
    assert_eq!(store.summary(at(24 * 60 * 60 + 3)).unwrap().new_24h, 20);
    assert_eq!(summary.occurrences, summary.sources_by_carrier["web"].values().sum::<u64>());
}
