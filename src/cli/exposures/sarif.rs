//! A report in SARIF 2.1.0: one result for each credential.

use super::list::{Unlisted, each};
use super::report::Head;
use crate::ledger::{Exposure, Filter, POLICIES, Severity, Store};
use crate::scan::{SARIF_SCHEMA, uri};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::io::Write;

/// The rule of a row without a policy finding.
const EXPOSURE: &str = "exposure";

/// Writes it row by row.
pub(super) fn write(
    store: &Store,
    head: &Head,
    filter: &Filter,
    now: Timestamp,
    out: &mut impl Write,
) -> Result<(), Unlisted> {
    write!(out, "{{\"$schema\":\"{SARIF_SCHEMA}\",\"version\":\"2.1.0\",\"runs\":[{{\"results\":[")?;
    let mut separator = "\n";
    each(store, filter, now, |row| write!(out, "{}{}", std::mem::replace(&mut separator, ",\n"), result(&row)))?;
    let tool = json!({ "driver": {
        "name": "beartrap",
        "version": env!("CARGO_PKG_VERSION"),
        "rules": rules(),
    }});
    let invocations = json!([{ "executionSuccessful": true, "endTimeUtc": head.manifest.made_at }]);
    let properties = json!({ "manifest": head.manifest, "summary": head.summary });
    Ok(writeln!(out, "\n],\"tool\":{tool},\"invocations\":{invocations},\"properties\":{properties}}}]}}")?)
}

fn rules() -> Vec<Value> {
    let exposure = json!({
        "id": EXPOSURE,
        "shortDescription": { "text": "a credential was seen in a log" },
        "defaultConfiguration": { "level": "note" },
    });
    let policies = POLICIES.iter().map(|policy| {
        json!({
            "id": policy.id,
            "shortDescription": { "text": policy.title },
            "defaultConfiguration": { "level": level(Some(policy.severity)) },
            "properties": { "severity": policy.severity, "references": policy.references },
        })
    });
    std::iter::once(exposure).chain(policies).collect()
}

/// §3.27. What a log says stands in properties only: in messages brackets would be links (§3.11.6).
fn result(row: &Exposure) -> Value {
    let marker = format!("redacted-{}-{}-{}", row.kind, row.key_id, row.fingerprint);
    let status = row.status.name();
    let until = row.expires_at.map(|at| format!(", expires {at:.0}")).unwrap_or_default();
    let policies: Vec<&str> = row.policies.iter().map(|finding| finding.id.as_str()).collect();
    let text = format!("{marker}: {status}{until}, seen {} times; {}", row.occurrences, policies.join(", "));
    let mut result = json!({
        "ruleId": policies.first().copied().unwrap_or(EXPOSURE),
        "level": level(row.severity),
        "message": { "text": text.trim_end_matches("; ") },
        "locations": [location(row)],
        "occurrenceCount": row.occurrences.max(1),
        "provenance": { "firstDetectionTimeUtc": row.first_seen, "lastDetectionTimeUtc": row.last_seen },
        "properties": { "exposure": row },
    });
    // A digest of zeros stands for every credential that could be guessed; results would be taken for one.
    if row.fingerprint.bytes().any(|digit| digit != b'0') {
        result["partialFingerprints"] = json!({ "digest/v1": format!("{}-{}", row.key_id, row.fingerprint) });
    }
    result
}

/// Where it was seen last.
fn location(row: &Exposure) -> Value {
    let place = &row.last_location;
    let mut location = json!({ "logicalLocations": [{ "name": place.source, "kind": "resource" }] });
    if let Some(file) = &place.file {
        let mut physical = json!({ "artifactLocation": { "uri": uri(file.as_bytes()) } });
        if let Some(offset) = place.offset {
            physical["region"] = json!({ "byteOffset": offset });
        }
        location["physicalLocation"] = physical;
    }
    location
}

fn level(severity: Option<Severity>) -> &'static str {
    match severity {
        Some(Severity::Critical | Severity::High) => "error",
        Some(Severity::Medium) => "warning",
        Some(Severity::Low) | None => "note",
    }
}
