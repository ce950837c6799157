//! A report in Markdown.

use super::list::{Unlisted, each};
use super::report::Head;
use super::{table, time};
use crate::ledger::{Exposure, Filter, POLICIES, Store};
use crate::scan::printable;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::io::Write;

/// Writes it row by row.
pub(super) fn write(
    store: &Store,
    head: &Head,
    filter: &Filter,
    now: Timestamp,
    out: &mut impl Write,
) -> Result<(), Unlisted> {
    let Head { manifest, summary } = head;
    writeln!(out, "# Exposed credentials\n")?;
    writeln!(
        out,
        "Made {} by {}. Nothing here is verified: whoever can cause a log line can make up a row.\n",
        time::display(manifest.made_at),
        manifest.program
    )?;
    writeln!(out, "| credentials | |\n|---|---:|")?;
    writeln!(out, "| in the ledger | {} |", summary.exposures)?;
    for (status, count) in &summary.status {
        writeln!(out, "| {} | {count} |", status.replace('_', " "))?;
    }
    writeln!(out, "| first seen within a day | {} |", summary.new_24h)?;
    writeln!(out, "| sights | {} |\n", summary.occurrences)?;
    writeln!(out, "## Rows\n")?;
    writeln!(out, "| severity | status | credential | seen | first | last | expires | sources | issuer | findings |")?;
    writeln!(out, "|---|---|---|---:|---|---|---|---|---|---|")?;
    let mut found = BTreeSet::new();
    each(store, filter, now, |row| {
        found.extend(row.policies.iter().map(|finding| finding.id.clone()));
        out.write_all(line(&row).as_bytes())
    })?;
    writeln!(out, "\n## Findings\n")?;
    for policy in POLICIES.iter().filter(|policy| found.contains(policy.id)) {
        let severity = table::severity(policy.severity);
        writeln!(
            out,
            "* `{}` ({severity}): {}. Relates to {}.",
            policy.id,
            policy.title,
            policy.references.join(", ")
        )?;
    }
    writeln!(out, "\n## Manifest\n")?;
    writeln!(out, "| ledger | instance | sights left out | rows pruned | rows forgotten |\n|---|---|---:|---:|---:|")?;
    for account in &manifest.ledgers {
        let (id, instance) = (code(&account.ledger.id), code(&account.ledger.instance));
        writeln!(out, "| {id} | {instance} | {} | {} | {} |", account.skipped, account.pruned, account.forgotten)?;
    }
    let keys: Vec<String> = manifest.key_ids.iter().map(|id| code(id)).collect();
    writeln!(out, "\nKeys: {}", if keys.is_empty() { "none".to_owned() } else { keys.join(", ") })?;
    Ok(())
}

fn line(row: &Exposure) -> String {
    let marker = format!("redacted-{}-{}-{}", row.kind, row.key_id, row.fingerprint);
    let sources: Vec<String> = row.sources.keys().map(|name| code(name)).collect();
    let policies: Vec<String> = row.policies.iter().map(|finding| code(&finding.id)).collect();
    let issuer = row.claims.as_ref().and_then(|claims| claims.iss.as_deref()).map(code).unwrap_or_default();
    let cut = if row.complete { "" } else { " (cut)" };
    format!(
        "| {} | {} | {}{cut} | {} | {} | {} | {} | {} | {issuer} | {} |\n",
        row.severity.map_or("", table::severity),
        row.status.name().replace('_', " "),
        code(&marker),
        row.occurrences,
        time::display(row.first_seen),
        time::display(row.last_seen),
        row.expires_at.map(time::display).unwrap_or_default(),
        sources.join(" "),
        policies.join(" "),
    )
}

/// A text as code, in which Markdown sees no links, HTML, mentions or anything else. Nothing can escape a backtick in code,
/// or be sure to escape a bar in a table; both are written as their numbers.
fn code(text: &str) -> String {
    let text = printable(text.as_bytes()).replace('`', "\\x60").replace('|', "\\x7c");
    if text.trim().is_empty() { String::new() } else { format!("`{text}`") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_its_code() {
        assert_eq!(code("a`<img src=x>`|[x](y)\n# b"), "`a\\x60<img src=x>\\x60\\x7c[x](y)\\n# b`");
        assert_eq!(code(""), "");
    }
}
