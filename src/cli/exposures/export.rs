//! `beartrap exposures export`

use super::super::args::ExportArgs;
use super::super::exit::{Exit, Failure};
use super::list::Unlisted;
use super::{open, output, unusable};
use crate::ledger::{LedgerError, Manifest, Portable, Store};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::{self, Write};
use std::process::ExitCode;

/// The first line of an export.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Head {
    pub manifest: Manifest,
}

/// What rows are, behind one another.
#[derive(Default)]
pub(super) struct RowsHash {
    hash: Sha256,
    rows: u64,
}

impl RowsHash {
    /// Takes a row, without its newline.
    pub fn add(&mut self, line: &[u8]) {
        self.hash.update(line);
        self.hash.update(b"\n");
        self.rows += 1;
    }

    pub fn rows(&self) -> u64 {
        self.rows
    }

    pub fn finish(self) -> String {
        self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Writes all rows behind a manifest.
pub(super) fn run(args: &ExportArgs) -> Result<ExitCode, Failure> {
    let path = args.ledger.path()?;
    let store = open(&path)?;
    // The rows are read twice: their hash stands before them, and they must not change in between.
    let _snapshot = store.snapshot().map_err(unusable)?;
    let mut hash = RowsHash::default();
    for row in store.portables() {
        hash.add(line(row)?.as_bytes());
    }
    let mut manifest = store.manifest(Timestamp::now()).map_err(unusable)?;
    manifest.rows = Some(hash.rows());
    manifest.sha256 = Some(hash.finish());
    let mut out = output(args.output.as_deref(), &path)?;
    write(&store, &Head { manifest }, &mut out).or_else(Unlisted::end)?;
    Ok(Exit::Done.into())
}

fn write(store: &Store, head: &Head, mut out: &mut impl Write) -> Result<(), Unlisted> {
    serde_json::to_writer(&mut out, head).map_err(io::Error::from)?;
    out.write_all(b"\n")?;
    for row in store.portables() {
        let line = line(row).map_err(Unlisted::Ledger)?;
        out.write_all(line.as_bytes())?;
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

fn line(row: Result<Portable, LedgerError>) -> Result<String, Failure> {
    let row = row.map_err(unusable)?;
    serde_json::to_string(&row).map_err(|error| Failure::new(Exit::Engine, error))
}
