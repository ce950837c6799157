//! Policy findings on rows as they are.

use super::*;
use crate::ledger::{Context, POLICIES, PolicyLimits, Severity};
use std::collections::BTreeSet;

/// The findings of a token that was seen once, at 0.
fn found(home: &Home, claims: Option<Claims>, change: impl FnOnce(&mut Store)) -> Vec<(String, Severity)> {
    let mut store = home.store("ledger");
    store.forget(&[digest(1)]).unwrap();
    let mut entry = BatchEntry { claims, ..entry(1, "web", 0, 1) };
    entry.counts = vec![("authorization", 1)];
    store.add(&batch(0, vec![entry])).unwrap();
    change(&mut store);
    let row = store.show(&digest(1), at(50)).unwrap().remove(0);
    assert_eq!(row.severity, row.policies.iter().map(|finding| finding.severity).max());
    assert!(row.policies.is_sorted_by(|one, next| one.severity >= next.severity), "worst first");
    row.policies.into_iter().map(|finding| (finding.id, finding.severity)).collect()
}

/// Nothing is wrong with it.
fn good() -> Claims {
    Claims {
        alg: Some("ES256".to_owned()),
        iss: Some("https://idp.example".to_owned()),
        aud: vec!["api".to_owned()],
        scope: Some("read write".to_owned()),
        iat: Some(at(-10)),
        exp: Some(at(100)),
        cnf: true,
        has_payload: true,
        ..Claims::default()
    }
}

#[test]
fn each_policy_finds_what_it_is_about_and_nothing_else() {
    let home = Home::new();
    assert_eq!(found(&home, Some(good()), |_| {}), []);
    assert_eq!(found(&home, None, |_| {}), [], "of what is no JWT nothing is known");
    let of = |change: fn(&mut Claims)| {
        let mut claims = good();
        change(&mut claims);
        found(&home, Some(claims), |_| {})
    };
    let one = |id: &str, severity| vec![(id.to_owned(), severity)];
    assert_eq!(of(|claims| claims.exp = None), one("no_expiry", Severity::High));
    assert_eq!(of(|claims| (claims.exp, claims.exp_unreadable) = (None, true)), []);
    assert_eq!(of(|claims| claims.alg = Some("None".to_owned())), one("unsecured", Severity::High));
    assert_eq!(of(|claims| claims.alg = Some("RSA1_5".to_owned())), one("weak_key_choice", Severity::Medium));
    assert_eq!(of(|claims| claims.key_in_header = Some("jku".to_owned())), one("weak_key_choice", Severity::Medium));
    assert_eq!(of(|claims| claims.exp = Some(at(24 * 60 * 60 - 10))), []);
    assert_eq!(of(|claims| claims.exp = Some(at(24 * 60 * 60 - 9))), one("long_lifetime", Severity::Medium));
    assert_eq!(of(|claims| claims.aud.clear()), one("no_audience", Severity::Medium));
    for scope in ["admin", "read *", "repo:admin", "https://graph.example/.default files.*", "openid full_access"] {
        let mut claims = good();
        claims.scope = Some(scope.to_owned());
        assert_eq!(found(&home, Some(claims), |_| {}), one("broad_scope", Severity::Medium), "{scope}");
    }
    assert_eq!(of(|claims| claims.scope = Some("administrate:nothing rooted".to_owned())), []);
    assert_eq!(of(|claims| claims.cnf = false), one("not_sender_constrained", Severity::Low));
    assert_eq!(of(|claims| claims.exp = Some(at(-1))), one("seen_after_expiry", Severity::Low));
    // A token that was cut has no payload of which anything could be missing.
    let cut = Claims { alg: Some("ES256".to_owned()), ..Claims::default() };
    assert_eq!(found(&home, Some(cut), |_| {}), []);
}

#[test]
fn where_and_when_it_was_seen_counts() {
    let home = Home::new();
    let one = |id: &str, severity| vec![(id.to_owned(), severity)];
    let add = |store: &mut Store, entry| {
        store.add(&batch(0, vec![entry])).unwrap();
    };
    let in_url = found(&home, Some(good()), |store| add(store, entry(1, "web", 0, 1)));
    assert_eq!(in_url, one("in_url", Severity::High));
    let seen_in = |sources: &'static [&'static str]| {
        found(&home, Some(good()), move |store| {
            for source in sources {
                add(store, BatchEntry { counts: vec![("cookie", 1)], ..entry(1, source, 0, 1) });
            }
        })
    };
    assert_eq!(seen_in(&["a", "b"]), []);
    assert_eq!(seen_in(&["a", "b", "c"]), one("many_sources", Severity::Medium));
    let revoked =
        |at_secs| found(&home, Some(good()), move |store| store.mark_revoked(&digest(1), at(at_secs), at(0)).unwrap());
    assert_eq!(revoked(0), []);
    assert_eq!(revoked(-1), one("seen_after_revocation", Severity::Critical));
    // What can't be replayed any more is worth knowing, and no more.
    let expired = Claims { alg: Some("none".to_owned()), exp: Some(at(20)), cnf: false, ..good() };
    let expired = found(&home, Some(expired), |_| {});
    assert!(expired.len() == 2 && expired.iter().all(|(_, severity)| *severity == Severity::Low), "{expired:?}");
}

#[test]
fn a_source_expects_issuers_and_audiences() {
    let home = Home::new();
    let expecting = |source: &str, issuers: &[&str], audiences: &[&str]| {
        let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let context = Context { expected_issuers: list(issuers), expected_audiences: list(audiences) };
        let policy = PolicyLimits { contexts: [(source.to_owned(), context)].into(), ..PolicyLimits::default() };
        found(&home, Some(good()), |store| {
            let limits = store.limits.clone();
            store.set_limits(limits, policy).unwrap();
        })
    };
    let (issuer, audience) =
        (("unexpected_issuer".to_owned(), Severity::High), ("unexpected_audience".to_owned(), Severity::Medium));
    assert_eq!(expecting("web", &["https://idp.example"], &["other", "api"]), []);
    assert_eq!(expecting("web", &[], &[]), []);
    assert_eq!(expecting("web", &["https://other.example"], &["api"]), std::slice::from_ref(&issuer));
    assert_eq!(expecting("web", &[], &["other"]), std::slice::from_ref(&audience));
    assert_eq!(expecting("web", &["https://idp.example/"], &["x"]), [issuer, audience]);
    assert_eq!(expecting("app", &["https://other.example"], &["x"]), [], "it was not seen there");
}

#[test]
fn the_table_is_what_documents_can_rely_on() {
    let ids: BTreeSet<&str> = POLICIES.iter().map(|policy| policy.id).collect();
    assert_eq!(ids.len(), POLICIES.len());
    assert!(POLICIES.is_sorted_by(|one, next| one.severity >= next.severity));
    let documented = include_str!("../../../../docs/exposures.md");
    for policy in POLICIES {
        let has = |prefix: &str| policy.references.iter().any(|reference| reference.starts_with(prefix));
        assert!(has("NHI") && has("SP 800-207 §2.1 tenet "), "{}", policy.id);
        assert!(["PR.", "DE."].into_iter().any(has), "{}", policy.id);
        let severity = format!("{:?}", policy.severity).to_lowercase();
        let row = format!("| `{}` | {severity} | {} | {} |", policy.id, policy.title, policy.references.join(", "));
        assert!(documented.lines().any(|line| line == row), "docs/exposures.md lacks\n{row}");
    }
}
