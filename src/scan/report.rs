//! Findings as text, as lines of JSON, or as SARIF; never the credentials themselves.

use super::display::Name;
use super::sarif;
use super::stream::{Item, What};
use super::verify::MarkerCounts;
use crate::redact::Finding;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{self, Write};

/// The form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `path:line:column: kind marker carrier`
    Text,
    /// One object a line.
    Json,
    /// SARIF 2.1.0, one document.
    Sarif,
}

/// Writes a report, finding by finding.
#[derive(Debug)]
pub struct Report<W> {
    out: W,
    format: Format,
    found: u64,
    /// The kinds that were found, for SARIF.
    kinds: BTreeSet<String>,
}

/// The kind of what only the second look saw.
const SUSPECT: &str = "suspect";

impl<W: Write> Report<W> {
    /// Begins a report.
    ///
    /// # Errors
    /// Those of writing.
    pub fn begin(mut out: W, format: Format) -> io::Result<Self> {
        if format == Format::Sarif {
            sarif::begin(&mut out)?;
        }
        Ok(Self { out, format, found: 0, kinds: BTreeSet::new() })
    }

    /// How many findings were reported.
    pub fn found(&self) -> u64 {
        self.found
    }

    /// Reports one finding.
    ///
    /// # Errors
    /// Those of writing.
    pub fn item(&mut self, name: &Name, item: &Item) -> io::Result<()> {
        let is_first = self.found == 0;
        self.found += 1;
        match self.format {
            Format::Text => {
                let (path, line, column) = (&name.text, item.start.line, item.start.column);
                match &item.what {
                    What::Credential(Finding { fingerprint, carrier, .. }) => {
                        let (kind, carrier) = (fingerprint.kind.name(), carrier.name());
                        writeln!(self.out, "{path}:{line}:{column}: {kind} {fingerprint} {carrier}")
                    }
                    What::Suspect(suspect) => {
                        writeln!(self.out, "{path}:{line}:{column}: {SUSPECT} {}", suspect.like)
                    }
                }
            }
            Format::Json => writeln!(self.out, "{}", object(name, item)),
            Format::Sarif => {
                let kind = kind(item);
                if !self.kinds.contains(kind) {
                    self.kinds.insert(kind.to_owned());
                }
                sarif::result(&mut self.out, is_first, kind, name, item)
            }
        }
    }

    /// What is reported of a file leaves before the next one is read.
    ///
    /// # Errors
    /// Those of writing.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Ends the report; says what markers a second look has seen, if there was one, and whether all could be read.
    ///
    /// # Errors
    /// Those of writing.
    pub fn end(&mut self, markers: Option<&MarkerCounts>, all_read: bool) -> io::Result<()> {
        match (self.format, markers) {
            (Format::Json, Some(markers)) => {
                let markers: Vec<_> =
                    markers.by_kind().map(|(kind, count)| json!({ "kind": kind, "count": count })).collect();
                writeln!(self.out, "{}", json!({ "findings": self.found, "markers": markers }))?;
            }
            (Format::Sarif, _) => sarif::end(&mut self.out, &self.kinds, all_read)?,
            _ => {}
        }
        self.out.flush()
    }
}

fn kind(item: &Item) -> &str {
    match &item.what {
        What::Credential(finding) => finding.fingerprint.kind.name(),
        What::Suspect(_) => SUSPECT,
    }
}

fn object(name: &Name, item: &Item) -> Value {
    let mut object = json!({
        "path": name.text,
        "line": item.start.line,
        "column": item.start.column,
        "offset": item.offset,
        "len": item.len,
        "kind": kind(item),
    });
    match &item.what {
        What::Credential(finding) => {
            object["marker"] = json!(finding.fingerprint.to_string());
            object["digest"] = json!(hex(&finding.fingerprint.digest));
            object["key_id"] = json!(hex(&finding.fingerprint.key_id));
            object["carrier"] = json!(finding.carrier.name());
            object["complete"] = json!(finding.complete);
        }
        What::Suspect(suspect) => object["like"] = json!(suspect.like),
    }
    object
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
