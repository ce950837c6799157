//! Rows as CSV (RFC 4180), safe to be opened by a spreadsheet.

use super::super::super::ledger::{Claims, Exposure};
use crate::scan::printable;
use std::collections::BTreeMap;

const COLUMNS: [&str; 37] = [
    "fingerprint",
    "kind",
    "key_id",
    "status",
    "severity",
    "complete",
    "occurrences",
    "first_seen",
    "last_seen",
    "expires_at",
    "revoked_at",
    "exposure_window_secs",
    "sources",
    "carriers",
    "policies",
    "first_source",
    "first_file",
    "first_peer",
    "first_offset",
    "last_source",
    "last_file",
    "last_peer",
    "last_offset",
    "alg",
    "kid",
    "typ",
    "iss",
    "aud",
    "azp",
    "client_id",
    "scope",
    "iat",
    "nbf",
    "cnf",
    "sub_fingerprint",
    "jti_fingerprint",
    "principal",
];

/// The names of the columns.
pub(super) fn header() -> String {
    COLUMNS.join(",") + "\r\n"
}

/// A row.
pub(super) fn record(row: &Exposure) -> String {
    let (first, last) = (&row.first_location, &row.last_location);
    let none = Claims::default();
    let claims = row.claims.as_ref().unwrap_or(&none);
    let policies: Vec<&str> = row.policies.iter().map(|finding| finding.id.as_str()).collect();
    let optional = |text: &Option<String>| text.clone().unwrap_or_default();
    let word = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let number = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
    let time = |value: Option<jiff::Timestamp>| value.map(|at| at.to_string()).unwrap_or_default();
    let fields: [String; COLUMNS.len()] = [
        row.fingerprint.clone(),
        row.kind.clone(),
        row.key_id.clone(),
        word(serde_json::json!(row.status)),
        word(serde_json::json!(row.severity)),
        row.complete.to_string(),
        row.occurrences.to_string(),
        row.first_seen.to_string(),
        row.last_seen.to_string(),
        time(row.expires_at),
        time(row.revoked_at),
        row.exposure_window_secs.map(|secs| secs.to_string()).unwrap_or_default(),
        counts(&row.sources),
        counts(&row.carriers),
        policies.join(" "),
        first.source.clone(),
        optional(&first.file),
        optional(&first.peer),
        number(first.offset),
        last.source.clone(),
        optional(&last.file),
        optional(&last.peer),
        number(last.offset),
        optional(&claims.alg),
        optional(&claims.kid),
        optional(&claims.typ),
        optional(&claims.iss),
        claims.aud.join(" "),
        optional(&claims.azp),
        optional(&claims.client_id),
        optional(&claims.scope),
        time(claims.iat),
        time(claims.nbf),
        row.claims.as_ref().map(|claims| claims.cnf.to_string()).unwrap_or_default(),
        optional(&claims.sub_fingerprint),
        optional(&claims.jti_fingerprint),
        claims.principal.clone(),
    ];
    fields.map(|field| escape(&field)).join(",") + "\r\n"
}

fn counts(counts: &BTreeMap<String, u64>) -> String {
    counts.iter().map(|(name, count)| format!("{name}={count}")).collect::<Vec<_>>().join(" ")
}

/// A field that no spreadsheet takes for a formula: what begins like one gets an apostrophe before it (OWASP, "CSV
/// Injection"). Line breaks and other control characters are escaped, so that a row is a line.
fn escape(field: &str) -> String {
    let is_number = field.parse::<i64>().is_ok();
    let is_formula =
        field.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    let field = printable(field.as_bytes());
    let field = if is_formula && !is_number { format!("'{field}") } else { field };
    if field.contains([',', '"', '\'', ';', ' ']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_a_formula_and_everything_a_field() {
        for (field, expected) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=1+1", "\"'=1+1\""),
            ("-5", "-5"),
            ("+5", "+5"),
            ("-5+cmd|' /C calc'!A0", "\"'-5+cmd|' /C calc'!A0\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\t=1", "\"'\\t=1\""),
            ("\r\n=1", "\"'\\r\\n=1\""),
            ("\u{ff1d}1", "\"'\u{ff1d}1\""),
            ("\u{202e}x\u{1b}[31m", "\\u{202e}x\\u{1b}[31m"),
        ] {
            assert_eq!(escape(field), expected);
        }
    }
}
