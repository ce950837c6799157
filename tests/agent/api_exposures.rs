//! Exposures over HTTP: the rows of the ledger, to who may see them, whatever is in them.

use crate::harness::*;
use crate::http::{Answer, get, request};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use beartrap::agent::config::{Api, Config, Ledger};
use beartrap::ledger::{Filter, Store};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// As much of a signature is worth something to whoever finds it.
const PIECE_LEN: usize = 12;
const HOSTILE: &str = "<img src=x onerror=\"alert(1)\">\u{1b}[31m\r\n=cmd|' /C calc'!A1";

/// With a ledger and both addresses.
fn start(folder: &Path) -> Running {
    let path = folder.join("ledger.db");
    let (limits, policy) = Default::default();
    let ledger = Ledger { path, instance: Some("web-1".into()), limits, policy, emit: None, alert: None };
    let api = Api { health_address: Some(([127, 0, 0, 1], 0).into()), ..api() };
    let sinks = vec![file_sink(&folder.join("clean.log"))];
    Running::start(Config { ledger: Some(ledger), api: Some(api), ..config(vec![tcp_source(10)], sinks) })
}

struct Exposed {
    agent: Running,
    api: SocketAddr,
    ledger: PathBuf,
    signatures: Vec<String>,
}

impl Exposed {
    /// An agent that has seen these tokens, each so often.
    fn start(folder: &Path, tokens: &[(Value, usize)]) -> Self {
        let agent = start(folder);
        let (mut text, mut signatures, mut sights) = (String::new(), Vec::new(), 0);
        for (claims, times) in tokens {
            let mut signature = [0; 64];
            getrandom::fill(&mut signature).unwrap();
            let signature = URL_SAFE_NO_PAD.encode(signature);
            let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","typ":"JWT"}"#);
            let token = format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(claims.to_string()));
            text += &format!("GET /?access_token={token} 200\n").repeat(*times);
            signatures.push(signature);
            sights += times;
        }
        agent.send(text.as_bytes());
        let exposed = Self { api: agent.api[0].unwrap(), agent, ledger: folder.join("ledger.db"), signatures };
        until("all are in the ledger", || {
            (exposed.json("/api/v1/status")["ledger"]["occurrences"] == sights).then_some(())
        });
        exposed
    }

    fn json(&self, target: &str) -> Value {
        get(self.api, target).json()
    }

    fn rows(&self, query: &str) -> Vec<Value> {
        self.json(&format!("/api/v1/exposures{query}"))["exposures"].as_array().expect("rows").clone()
    }

    fn assert_no_signature(&self, answer: &Answer, target: &str) {
        for piece in self.signatures.iter().flat_map(|signature| signature.as_bytes().windows(PIECE_LEN)) {
            let is_there = memchr::memmem::find(answer.body.as_bytes(), piece).is_some();
            assert!(!is_there, "a piece of a signature is in {target}");
        }
    }
}

fn issuers(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["claims"]["iss"].as_str().unwrap()).collect()
}

fn tokens() -> Vec<(Value, usize)> {
    vec![
        (json!({"iss": "https://a.example/", "exp": 4_000_000_000_u64, "sub": "one"}), 3),
        (json!({"iss": "https://b.example/", "exp": 1_000_000_000, "aud": "x"}), 2),
        (json!({"iss": "https://c.example/?x=1&y=2", "aud": ["x", "y"]}), 1),
    ]
}

#[test]
fn rows_are_those_of_the_ledger_in_pages_and_by_what_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let exposed = Exposed::start(folder.path(), &tokens());
    let store = Store::open_read_only(&exposed.ledger).unwrap();
    let page = store.list(&Filter::default(), jiff::Timestamp::now()).unwrap();
    assert_eq!(exposed.json("/api/v1/exposures"), json!({"exposures": page.exposures, "next": null}));

    let by_count = exposed.rows("?sort=occurrences");
    assert_eq!(by_count.iter().map(|row| &row["occurrences"]).collect::<Vec<_>>(), [3, 2, 1]);
    for (query, expected) in [
        ("?status=unexpired&sort=occurrences", vec!["https://a.example/", "https://c.example/?x=1&y=2"]),
        ("?status=expired", vec!["https://b.example/"]),
        ("?status=expired,unexpired&sort=occurrences&limit=1", vec!["https://a.example/"]),
        ("?issuer=https%3A%2F%2Fc.example%2F%3Fx%3D1%26y%3D2", vec!["https://c.example/?x=1&y=2"]),
        ("?policy=no_expiry", vec!["https://c.example/?x=1&y=2"]),
        ("?source=other", vec![]),
        ("?kind=basic", vec![]),
        ("?since=2999-01-01T00:00:00Z", vec![]),
    ] {
        assert_eq!(issuers(&exposed.rows(query)), expected, "{query}");
    }

    let (mut cursor, mut seen) = (String::new(), BTreeSet::new());
    for _ in 0..3 {
        let page = exposed.json(&format!("/api/v1/exposures?limit=1&sort=first_seen{cursor}"));
        assert_eq!(page["exposures"].as_array().unwrap().len(), 1);
        seen.insert(page["exposures"][0]["fingerprint"].as_str().unwrap().to_owned());
        cursor = page["next"].as_str().map(|next| format!("&cursor={next}")).unwrap_or_default();
    }
    assert_eq!((seen.len(), cursor.as_str()), (3, ""));

    let first = &by_count[0];
    let digest = first["fingerprint"].as_str().unwrap();
    assert_eq!(exposed.json(&format!("/api/v1/exposures/{digest}")), *first);
    assert_eq!(exposed.json(&format!("/api/v1/exposures/{}?kind=jwt", digest.to_uppercase())), *first);
    for (target, status) in [
        (format!("/api/v1/exposures/{digest}?kind=basic"), 404),
        (format!("/api/v1/exposures/{}", "0".repeat(32)), 404),
        (format!("/api/v1/exposures/{digest}?x=y"), 400),
        ("/api/v1/exposures/..%2F..%2Fetc%2Fpasswd".to_owned(), 400),
        ("/api/v1/exposures?limit=1001".to_owned(), 400),
        ("/api/v1/exposures?order=x".to_owned(), 400),
        ("/api/v1/exposures?status=gone".to_owned(), 400),
        ("/api/v1/exposures?cursor=x".to_owned(), 400),
        ("/api/v1/exposures/".to_owned(), 404),
    ] {
        assert_eq!(get(exposed.api, &target).status, status, "{target}");
    }
    exposed.agent.stop();
}

#[test]
fn what_a_log_says_stays_text_and_no_signature_is_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let mut tokens = tokens();
    tokens.push((json!({"iss": HOSTILE, "aud": "</script><script>", "exp": 4_000_000_000_u64}), 1));
    let exposed = Exposed::start(folder.path(), &tokens);
    let digest = exposed.rows("")[0]["fingerprint"].as_str().unwrap().to_owned();
    for target in ["/", "/metrics", "/api/v1/status", "/api/v1/exposures", &format!("/api/v1/exposures/{digest}")] {
        let answer = get(exposed.api, target);
        assert_eq!(answer.status, 200, "{target}");
        exposed.assert_no_signature(&answer, target);
        assert!(!answer.body.contains('\u{1b}'), "{target}");
        let is_json = target.starts_with("/api");
        let kind = answer.header("content-type").unwrap();
        assert_eq!(kind == "application/json", is_json, "{target}: {kind}");
        assert!(is_json || !answer.body.contains("onerror=\\"), "{target}");
    }
    let rows = exposed.rows("?sort=last_seen");
    assert!(issuers(&rows).iter().any(|issuer| issuer.starts_with("<img src=x onerror=")), "{rows:?}");
    let metrics = get(exposed.agent.api[1].unwrap(), "/metrics");
    assert_eq!(metrics.metric("beartrap_exposures{status=\"unexpired\"}"), Some(3.0));
    assert_eq!(metrics.metric("beartrap_exposures{status=\"expired\"}"), Some(1.0));
    assert_eq!(metrics.metric("beartrap_exposure_occurrences"), Some(7.0));
    assert_eq!(metrics.metric("beartrap_ledger_degraded"), Some(0.0));
    for row in &rows {
        assert!(!metrics.body.contains(row["fingerprint"].as_str().unwrap()), "a fingerprint is no label");
    }
    let page = get(exposed.api, "/");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'sha256-") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(get(exposed.agent.api[1].unwrap(), "/api/v1/exposures").status, 404);
    let rebound = request(exposed.api, "GET /api/v1/exposures HTTP/1.1\r\nHost: rebound.example\r\n\r\n");
    assert_eq!(rebound.status, 421);
    exposed.agent.stop();
}

#[test]
fn status_has_the_ledger_in_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let exposed = Exposed::start(folder.path(), &tokens());
    let status = exposed.json("/api/v1/status");
    assert_eq!((&status["instance"], &status["ledger"]["exposures"]), (&json!("web-1"), &json!(3)));
    assert_eq!((&status["ledger"]["unexpired"], &status["ledger"]["new_24h"]), (&json!(2), &json!(3)));
    assert_eq!(status["ledger"]["sources_by_carrier"], json!({"app": {"query": 6}}));
    assert_eq!(status["ledger"]["error"], Value::Null);
    exposed.agent.stop();
}

#[test]
fn a_ledger_that_can_not_be_read_is_an_error_and_all_else_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let agent = start(folder.path());
    let api = agent.api[0].unwrap();
    // Its writer has it open; whoever comes later finds something else.
    std::fs::rename(folder.path().join("ledger.db"), folder.path().join("away.db")).unwrap();
    std::fs::create_dir(folder.path().join("ledger.db")).unwrap();
    for target in ["/api/v1/exposures", "/api/v1/exposures/00000000000000000000000000000001"] {
        let answer = get(api, target);
        assert_eq!(answer.status, 503, "{target}");
        assert!(answer.json()["error"].as_str().unwrap().ends_with("it is no regular file"), "{answer:?}");
    }
    let status = get(api, "/api/v1/status").json();
    assert!(status["ledger"]["error"].is_string() && status["ledger"]["exposures"].is_null(), "{status}");
    assert!(get(api, "/metrics").metric("beartrap_ledger_batches_total").is_some());
    assert_eq!([get(api, "/livez").status, get(api, "/readyz").status], [200; 2]);
    agent.stop();
}

#[test]
fn without_a_ledger_there_are_no_exposures() {
    let folder = tempfile::tempdir().unwrap();
    let sinks = vec![file_sink(&folder.path().join("clean.log"))];
    let agent = Running::start(Config { api: Some(api()), ..config(vec![tcp_source(10)], sinks) });
    let api = agent.api[0].unwrap();
    for target in ["/api/v1/exposures", "/api/v1/exposures/00000000000000000000000000000001"] {
        let answer = get(api, target);
        assert_eq!(
            (answer.status, answer.json()["error"].as_str().unwrap()),
            (404, "there is no ledger: the configuration has no [ledger]")
        );
    }
    assert_eq!(get(api, "/").status, 200);
    assert!(!get(api, "/metrics").body.contains("beartrap_exposures"));
    agent.stop();
}
