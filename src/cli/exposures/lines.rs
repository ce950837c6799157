//! Rows out of JSON lines: exports with their manifests, and what agents send.

use super::export::{Head, RowsHash};
use super::merge::{Guard, Unmerged};
use crate::ledger::{Account, Manifest, Portable};
use serde::de::IgnoredAny;
use std::io::{self, BufRead, Read};

/// No row is longer.
const LINE_BYTES_MAX: usize = 1 << 20;
/// As many bad lines are named.
const NAMED_MAX: usize = 10;

/// The rows of one input.
pub(super) struct Lines<'a> {
    input: Box<dyn BufRead>,
    name: &'a str,
    guard: &'a mut Guard,
    line: Vec<u8>,
    number: u64,
    /// The export that is being read.
    export: Option<(Manifest, RowsHash)>,
    accounts: Vec<Account>,
    bad: Vec<String>,
    bad_count: u64,
}

impl<'a> Lines<'a> {
    pub fn new(input: Box<dyn BufRead>, name: &'a str, guard: &'a mut Guard) -> Self {
        Self {
            input,
            name,
            guard,
            line: Vec::new(),
            number: 0,
            export: None,
            accounts: Vec::new(),
            bad: Vec::new(),
            bad_count: 0,
        }
    }

    /// What the user is told of lines that were left out.
    pub fn problem(&self) -> Option<String> {
        let (name, count) = (self.name, self.bad_count);
        match self.bad_count {
            0 => None,
            1 => Some(format!("{name}: 1 line was left out: {}", self.bad.join("; "))),
            count if count <= NAMED_MAX as u64 => {
                Some(format!("{name}: {count} lines were left out: {}", self.bad.join("; ")))
            }
            _ => Some(format!("{name}: {count} lines were left out, these first: {}", self.bad.join("; "))),
        }
    }

    /// What the manifests say is missing.
    pub fn into_accounts(self) -> Vec<Account> {
        self.accounts
    }

    /// Reads a line; false at the end of the input.
    fn read(&mut self) -> io::Result<bool> {
        self.line.clear();
        let mut limited = (&mut self.input).take(LINE_BYTES_MAX as u64 + 1);
        limited.read_until(b'\n', &mut self.line)?;
        self.number += 1;
        if self.line.len() > LINE_BYTES_MAX {
            // The rest of it; the beginning stays, so that it is told to be no row.
            self.input.skip_until(b'\n')?;
        }
        Ok(!self.line.is_empty())
    }

    /// The row in the line that was read; `None` if it is a manifest, blank, or bad.
    fn row(&mut self) -> Result<Option<Portable>, Unmerged> {
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        if line.trim_ascii().is_empty() {
            return Ok(None);
        }
        let row: Result<Portable, &'static str> = serde_json::from_slice(line).map_err(|_| what_it_is(line));
        let row = row.and_then(|row| self.guard.check(&row).map(|()| row));
        if let Some((_, hash)) = &mut self.export {
            let Ok(row) = row else {
                return Err(Unmerged(format!("line {} {}", self.number, row.expect_err("it is none"))));
            };
            hash.add(line);
            return Ok(Some(row));
        }
        if let Ok(head) = serde_json::from_slice::<Head>(line) {
            let Head { manifest } = head;
            manifest.check().map_err(|why| Unmerged(format!("line {}: {why}", self.number)))?;
            self.accounts.extend(manifest.ledgers.iter().cloned());
            self.export = Some((manifest, RowsHash::default()));
            return Ok(None);
        }
        match row {
            Ok(row) => Ok(Some(row)),
            Err(why) => {
                self.bad_count += 1;
                if self.bad.len() < NAMED_MAX {
                    self.bad.push(format!("line {} {why}", self.number));
                }
                Ok(None)
            }
        }
    }

    /// Checks an export whose rows have all been read, or of which there is no more.
    fn check_export(&mut self, is_end: bool) -> Result<(), Unmerged> {
        let Some((manifest, hash)) = &self.export else { return Ok(()) };
        let expected = manifest.rows.unwrap_or_default();
        if hash.rows() < expected {
            let why = || Unmerged(format!("the export ends after {} of {expected} rows", hash.rows()));
            return if is_end { Err(why()) } else { Ok(()) };
        }
        let Some((manifest, hash)) = self.export.take() else { return Ok(()) };
        if manifest.sha256.as_deref() == Some(&hash.finish()) {
            return Ok(());
        }
        Err(Unmerged(format!("the export that ends in line {} is not what its manifest says (SHA-256)", self.number)))
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<Portable, Unmerged>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Err(error) = self.check_export(false) {
                return Some(Err(error));
            }
            match self.read() {
                Ok(true) => {}
                Ok(false) => return self.check_export(true).err().map(Err),
                Err(error) => return Some(Err(Unmerged(format!("can't read line {}: {error}", self.number)))),
            }
            match self.row() {
                Ok(Some(row)) => return Some(Ok(row)),
                Ok(None) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// Of a line that is no row.
fn what_it_is(line: &[u8]) -> &'static str {
    if line.len() >= LINE_BYTES_MAX {
        return "is longer than 1 MiB";
    }
    match serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(line) {
        Ok(members) if members.contains_key("first_seen") => {
            "is a row as `list` prints it; `export` writes rows that can be merged"
        }
        Ok(_) => "is no row of a ledger",
        Err(_) if serde_json::from_slice::<IgnoredAny>(line).is_ok() => "is no row of a ledger",
        Err(_) => "is no JSON",
    }
}
