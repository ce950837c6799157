//! `beartrap exposures report`

use super::super::args::{ReportArgs, ReportFormat};
use super::super::exit::{Exit, Failure};
use super::super::stderr;
use super::list::{Unlisted, each, json_array};
use super::{markdown, open, output, sarif, unusable};
use crate::ledger::page::ReportWriter;
use crate::ledger::{Filter, Manifest, Store, Summary};
use jiff::Timestamp;
use serde::Serialize;
use std::io::{self, Write};
use std::process::ExitCode;
use tracing::Level;

/// What a report says besides its rows.
#[derive(Debug, Serialize)]
pub(super) struct Head {
    pub manifest: Manifest,
    pub summary: Summary,
}

/// Writes rows, numbers and a manifest.
pub(super) fn run(args: &ReportArgs) -> Result<ExitCode, Failure> {
    let now = Timestamp::now();
    let filter = args.filter.filter(now)?;
    let path = args.ledger.path()?;
    let store = open(&path)?;
    // Rows and sums are of one time.
    let _snapshot = store.snapshot().map_err(unusable)?;
    let head =
        Head { manifest: store.manifest(now).map_err(unusable)?, summary: store.summary(now).map_err(unusable)? };
    let mut out = output(args.output.as_deref(), &path)?;
    let written = match args.format {
        ReportFormat::Html => html(&store, &head, &filter, now, &mut out),
        ReportFormat::Json => json(&store, &head, &filter, now, &mut out),
        ReportFormat::Markdown => markdown::write(&store, &head, &filter, now, &mut out),
        ReportFormat::Sarif => sarif::write(&store, &head, &filter, now, &mut out),
    };
    written.and_then(|()| Ok(out.flush()?)).or_else(Unlisted::end)?;
    Ok(Exit::Done.into())
}

/// The page. It has a limit, so that a browser can open it, and says what is beyond.
fn html(store: &Store, head: &Head, filter: &Filter, now: Timestamp, out: &mut impl Write) -> Result<(), Unlisted> {
    let mut report = ReportWriter::new(out, now, head)?;
    each(store, filter, now, |row| report.row(row))?;
    let left_out = report.finish()?.left_out;
    if left_out > 0 {
        let message =
            format!("{left_out} rows did not fit into the page, which says so too; the other formats have all");
        stderr::report(Level::WARN, &message);
    }
    Ok(())
}

/// `{"manifest": …, "summary": …, "exposures": [row…]}`
fn json(store: &Store, head: &Head, filter: &Filter, now: Timestamp, out: &mut impl Write) -> Result<(), Unlisted> {
    let text = serde_json::to_string(head).map_err(io::Error::from)?;
    let members = text.strip_suffix('}').unwrap_or(&text);
    write!(out, "{members},\"exposures\":")?;
    json_array(store, filter, now, out)?;
    Ok(out.write_all(b"}\n")?)
}
