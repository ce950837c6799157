//! Rows as the API shows them: invented, with all that a row can have.

use beartrap::ledger::Exposure;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// An issuer that would run, were it taken for markup.
pub const HOSTILE: &str = "<img src=x onerror=\"window.ran=1;fetch('http://evil.example/')\">";
/// Which row has it.
pub const HOSTILE_ROW: usize = 3;
/// A name that is shown as another where a text may turn the direction of reading, and how it must be shown.
pub const TURNED: [&str; 2] = ["web\u{202e}sredro", "web\\u{202e}sredro"];

const STATUS: [&str; 5] = ["unexpired", "expired", "unknown", "revoked", "not_yet"];
const SOURCES: [&str; 4] = ["nginx", "orders-api", "gateway", "batch"];
const CARRIERS: [&str; 5] = ["authorization", "query", "cookie", "member", "base64"];

/// A row; its number tells it from all others, the latest is 0.
pub fn row(number: usize, now: Timestamp) -> Value {
    let seen = |secs: usize| now.checked_sub((secs as i64).seconds()).unwrap();
    let last = seen(number * 37);
    let first = seen(number * 37 + 60 + number % 11 * 5_000);
    let status = STATUS[number % 5];
    let is_jwt = number % 5 != 2;
    let expires = match (status, number % 3) {
        ("unexpired", 0) | ("unknown", _) => None,
        ("unexpired" | "not_yet", _) => Some(now.checked_add((3_600 + number as i64 % 90_000).seconds()).unwrap()),
        _ => Some(last.checked_sub(300.seconds()).unwrap()),
    };
    let source = SOURCES[number % 4];
    let mut policies = Vec::new();
    if CARRIERS[number % 5] == "query" {
        policies.push(
            json!({"id": "in_url", "severity": "high", "reason": "it stood in a URL, which proxies and browsers keep",
            "references": ["RFC 6750 §5.3", "RFC 9700 §4.3.2", "OWASP NHI2:2025"]}),
        );
    }
    if is_jwt && expires.is_none() {
        policies.insert(0, json!({"id": "no_expiry", "severity": "critical", "reason": "it has no exp: it can be replayed until its key is changed",
            "references": ["OWASP NHI7:2025", "NIST CSF 2.0 PR.AA-01"]}));
    }
    if is_jwt {
        policies.push(json!({"id": "not_sender_constrained", "severity": "low", "reason": "it has no cnf: whoever holds it can use it",
            "references": ["RFC 9449", "RFC 8705"]}));
    }
    let claims = is_jwt.then(|| {
        json!({"verified": false, "alg": "RS256", "kid": format!("key-{}", number % 7), "typ": "at+jwt",
            "iss": if number == HOSTILE_ROW { HOSTILE.to_owned() } else { format!("https://issuer-{}.example/realms/main", number % 9) },
            "aud": ["https://orders.example"], "client_id": if number == HOSTILE_ROW { TURNED[0] } else { "orders-web" }, "scope": "orders:read orders:write",
            "exp": expires, "nbf": (status == "not_yet").then(|| now.checked_add(1_800.seconds()).unwrap()), "cnf": false,
            "sub_fingerprint": format!("{:032x}", number * 31 + 7), "principal": "workload", "has_payload": true})
    });
    json!({
        "fingerprint": fingerprint(number), "kind": if is_jwt { "jwt" } else { "token" }, "key_id": "48e18db9",
        "occurrences": number % 13 + 1, "first_seen": first, "last_seen": last,
        "sources": {source: number % 13 + 1}, "carriers": {CARRIERS[number % 5]: number % 13 + 1}, "status": status, "complete": number % 17 != 5,
        "first_location": {"source": source, "file": format!("/var/log/{source}/access.log"), "offset": number * 211, "time": "record"},
        "last_location": {"source": source, "peer": "10.1.2.3:4410", "time": "observed"},
        "exposure_window_secs": expires.map(|at| at.as_second() - first.as_second()), "expires_at": expires,
        "revoked_at": (status == "revoked").then_some(last), "claims": claims,
        "severity": policies.first().map(|policy| policy["severity"].clone()), "policies": policies,
    })
}

/// As spread as a real one.
pub fn fingerprint(number: usize) -> String {
    format!("{:032x}", (number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c834))
}

pub fn exposure(number: usize, now: Timestamp) -> Exposure {
    serde_json::from_value(row(number, now)).expect("a row is what the ledger's type says")
}

/// The object `ledger` of `/api/v1/status` for the first `count` rows.
pub fn summary(count: usize) -> Value {
    let mut matrix: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for number in 0..count {
        *matrix.entry(SOURCES[number % 4]).or_default().entry(CARRIERS[number % 5]).or_default() += number % 13 + 1;
    }
    // Sources and carriers differ by orders of magnitude in real logs.
    let mut weight = 1;
    for count in matrix.values_mut().flat_map(BTreeMap::values_mut) {
        weight = weight * 7 % 1_009;
        *count = if weight % 5 == 0 { 0 } else { *count * weight / 16 + 1 };
    }
    json!({"exposures": count, "unexpired": count / 5 + 1, "new_24h": count / 2, "skipped": 0, "pruned": 4, "sources_by_carrier": matrix})
}

pub fn status(count: usize) -> Value {
    json!({"version": "0.1.0", "instance": "web-1", "uptime_secs": 93_784, "bytes_in": 8_123_456_789_u64, "bytes_out": 8_023_456_789_u64,
        "bytes_in_per_sec": 1_234_567, "sources": {"nginx": {"bytes": 1}}, "ledger": summary(count)})
}
