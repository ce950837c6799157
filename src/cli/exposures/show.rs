//! `beartrap exposures show DIGEST`

use super::super::args::{ExplainFormat, ShowArgs};
use super::super::exit::{Exit, Failure};
use super::super::stdout;
use super::digest::TypedDigest;
use super::{change, open, table, time};
use crate::ledger::{Claims, Exposure, Location, Status, TimeOf};
use crate::scan::printable;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::process::ExitCode;

/// Prints all that is known of a credential.
pub(super) fn run(args: &ShowArgs) -> Result<ExitCode, Failure> {
    let now = Timestamp::now();
    let typed = TypedDigest::parse(&args.digest)?;
    let rows = typed.rows(&open(&args.ledger.path()?)?, now)?;
    let text = match args.format {
        ExplainFormat::Text => rows.iter().map(text).collect::<Vec<_>>().join("\n"),
        ExplainFormat::Json => format!("{:#}\n", serde_json::json!(rows)),
    };
    if rows.is_empty() && args.format == ExplainFormat::Text {
        return Ok(change::never_seen(&typed));
    }
    stdout::print(text.as_bytes())?;
    Ok(if rows.is_empty() { Exit::Found } else { Exit::Done }.into())
}

/// A row for people.
fn text(row: &Exposure) -> String {
    let mut lines = Lines(String::new());
    lines.add("marker", &format!("redacted-{}-{}-{}", row.kind, row.key_id, row.fingerprint));
    lines.add("status", row.status.name());
    if let Some(severity) = row.severity {
        lines.add("severity", table::severity(severity));
    }
    if !row.complete {
        lines.add("complete", "no: it was cut, the digest is not that of the whole credential");
    }
    lines.add("seen", &format!("{} times", row.occurrences));
    lines.add("first seen", &seen(row.first_seen, &row.first_location));
    lines.add("last seen", &seen(row.last_seen, &row.last_location));
    lines.add("sources", &counts(&row.sources));
    lines.add("carriers", &counts(&row.carriers));
    match (row.expires_at, &row.claims) {
        (Some(at), _) => lines.add("expires", &time::display(at)),
        (None, Some(claims)) if claims.has_payload && !claims.exp_unreadable => lines.add("expires", "never"),
        _ => lines.add("expires", "it does not say"),
    }
    if let Some(at) = row.revoked_at {
        lines.add("revoked", &time::display(at));
    }
    if let Some(secs) = row.exposure_window_secs {
        lines.add("window", &format!("{} from first seen to its end", time::length(secs)));
    }
    if let Some(claims) = &row.claims {
        lines.0 += "claims (nobody has verified them)\n";
        add_claims(claims, &mut lines);
    }
    if !row.policies.is_empty() {
        lines.0 += "policy findings\n";
    }
    for finding in &row.policies {
        let severity = table::severity(finding.severity);
        let reason = printable(finding.reason.as_bytes());
        lines.0 += &format!("  {severity:8}  {}: {reason}\n", finding.id);
        lines.0 += &format!("            {}\n", finding.references.join(", "));
    }
    lines.0
}

fn add_claims(claims: &Claims, lines: &mut Lines) {
    let mut add = |name: &str, text: Option<String>| {
        if let Some(text) = text {
            lines.add(&format!("  {name}"), &text);
        }
    };
    let time = |at: Option<Timestamp>| at.map(time::display);
    add("alg", claims.alg.clone());
    add("kid", claims.kid.clone());
    add("typ", claims.typ.clone());
    add("key", claims.key_in_header.as_ref().map(|name| format!("from the header ({name})")));
    add("iss", claims.iss.clone());
    add("aud", (!claims.aud.is_empty()).then(|| claims.aud.join(" ")));
    add("azp", claims.azp.clone());
    add("client_id", claims.client_id.clone());
    add("scope", claims.scope.clone());
    add("iat", time(claims.iat));
    add("nbf", time(claims.nbf));
    add("exp", if claims.exp_unreadable { Some("no time".to_owned()) } else { time(claims.exp) });
    add("cnf", claims.has_payload.then(|| if claims.cnf { "yes" } else { "no" }.to_owned()));
    add("sub", claims.sub_fingerprint.as_ref().map(|digest| format!("fingerprint {digest}")));
    add("jti", claims.jti_fingerprint.as_ref().map(|digest| format!("fingerprint {digest}")));
    add("principal", (!claims.principal.is_empty()).then(|| claims.principal.clone()));
}

/// A row in one line, with its marker where that is not known already.
pub(in crate::cli) fn line_of(row: &Exposure, with_marker: bool) -> String {
    let mut text = String::new();
    if with_marker {
        text += &format!("redacted-{}-{}-{} ", row.kind, row.key_id, row.fingerprint);
    }
    let times = if row.occurrences == 1 { "once" } else { "times" };
    let count = if row.occurrences == 1 { String::new() } else { format!("{} ", row.occurrences) };
    text += &format!("seen {count}{times}, first {}", seen(row.first_seen, &row.first_location));
    if row.occurrences > 1 {
        text += &format!(", last {}", seen(row.last_seen, &row.last_location));
    }
    let until = match (row.status, row.expires_at, row.revoked_at) {
        (Status::Revoked, _, Some(at)) => format!(" since {}", time::display(at)),
        (Status::Expired, Some(at), _) => format!(" since {}", time::display(at)),
        (Status::Unexpired, Some(at), _) => format!(" until {}", time::display(at)),
        (Status::Unexpired, None, _) => ", never expires".to_owned(),
        _ => String::new(),
    };
    text += &format!("; {}{until}", row.status.name());
    if let Some(severity) = row.severity {
        let ids: Vec<&str> = row.policies.iter().map(|finding| finding.id.as_str()).collect();
        text += &format!("; {}: {}", table::severity(severity), ids.join(", "));
    }
    printable(text.as_bytes())
}

struct Lines(String);

impl Lines {
    fn add(&mut self, name: &str, text: &str) {
        self.0 += &format!("{name:12}  {}\n", printable(text.as_bytes()));
    }
}

/// When and where.
pub(super) fn seen(at: Timestamp, location: &Location) -> String {
    let mut text = time::display(at);
    if location.time == TimeOf::Record {
        text += " (the record's time)";
    }
    text += &format!(" in {}", location.source);
    for (word, place) in [("", &location.file), ("from ", &location.peer)] {
        if let Some(place) = place {
            text += &format!(", {word}{place}");
        }
    }
    if let Some(offset) = location.offset {
        text += &format!(", byte {offset}");
    }
    text
}

fn counts(counts: &BTreeMap<String, u64>) -> String {
    counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}
