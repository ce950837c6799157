//! SARIF 2.1.0: the Static Analysis Results Interchange Format of OASIS, written as it comes so that memory stays bounded.

use super::display::Name;
use super::report::hex;
use super::stream::{Item, What};
use serde_json::json;
use std::collections::BTreeSet;
use std::io::{self, Write};

/// Which schema the documents follow.
pub const SARIF_SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Begins the document with all that comes before the first result.
pub(super) fn begin(out: &mut impl Write) -> io::Result<()> {
    // §3.14.17 knows no columns in bytes, which is what there is of a text without an encoding; in ASCII they are the same.
    write!(
        out,
        "{{\"$schema\":\"{SARIF_SCHEMA}\",\"version\":\"2.1.0\",\"runs\":[{{\"columnKind\":\"unicodeCodePoints\",\"results\":["
    )
}

/// Writes one result (§3.27).
pub(super) fn result(out: &mut impl Write, is_first: bool, kind: &str, name: &Name, item: &Item) -> io::Result<()> {
    let mut result = json!({
        "ruleId": kind,
        "level": "error",
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": name.uri },
            "region": {
                "startLine": item.start.line,
                "startColumn": item.start.column,
                "endLine": item.end.line,
                "endColumn": item.end.column,
                "byteOffset": item.offset,
                "byteLength": item.len,
            },
        }}],
    });
    match &item.what {
        What::Credential(finding) => {
            let fingerprint = finding.fingerprint;
            let text = format!("{fingerprint}, carrier: {}", finding.carrier.name());
            result["message"] = json!({ "text": text });
            result["properties"] = json!({ "carrier": finding.carrier.name(), "complete": finding.complete });
            // A digest of zeros stands for every credential that could be guessed; results would be taken for one.
            if fingerprint.digest != [0; 16] {
                let digest = format!("{}-{}", hex(&fingerprint.key_id), hex(&fingerprint.digest));
                result["partialFingerprints"] = json!({ "digest/v1": digest });
            }
        }
        What::Suspect(suspect) => {
            result["message"] = json!({ "text": format!("left by the redactor: {}", suspect.like) })
        }
    }
    write!(out, "{}{result}", if is_first { "\n" } else { ",\n" })
}

/// Ends the document.
pub(super) fn end(out: &mut impl Write, kinds: &BTreeSet<String>, all_read: bool) -> io::Result<()> {
    let rules: Vec<_> =
        kinds.iter().map(|kind| json!({ "id": kind, "shortDescription": { "text": description(kind) } })).collect();
    let tool = json!({ "driver": { "name": "beartrap", "version": env!("CARGO_PKG_VERSION"), "rules": rules } });
    let invocations = json!([{ "executionSuccessful": all_read }]);
    writeln!(out, "\n],\"tool\":{tool},\"invocations\":{invocations}}}]}}")
}

fn description(kind: &str) -> String {
    match kind {
        "jwt" => "a JSON Web Signature (RFC 7515)".to_owned(),
        "jwe" => "a JSON Web Encryption (RFC 7516)".to_owned(),
        "basic" => "user name and password of HTTP Basic authentication (RFC 7617)".to_owned(),
        "token" => "a bearer credential (RFC 6750)".to_owned(),
        "suspect" => "something that looks like a credential and was not redacted".to_owned(),
        _ => format!("what the rule {kind} finds"),
    }
}
