//! `beartrap exposures list`

use super::super::args::{ListRowsArgs, RowsFormat};
use super::super::exit::{Exit, Failure};
use super::table::Table;
use super::{csv, open, output, unusable, written};
use crate::ledger::{Exposure, Filter, Store};
use jiff::Timestamp;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;

/// Prints rows as they come.
pub(super) fn run(args: &ListRowsArgs) -> Result<ExitCode, Failure> {
    let now = Timestamp::now();
    let filter = args.filter.filter(now)?;
    let path = args.ledger.path()?;
    let store = open(&path)?;
    let mut out = output(None, &path)?;
    let result = match args.format {
        RowsFormat::Table => table(&store, &filter, now, &mut out),
        RowsFormat::Json => json_array(&store, &filter, now, &mut out),
        RowsFormat::Ndjson => each(&store, &filter, now, |row| {
            serde_json::to_writer(&mut out, &row)?;
            out.write_all(b"\n")
        }),
        RowsFormat::Csv => out
            .write_all(csv::header().as_bytes())
            .map_err(Into::into)
            .and_then(|()| each(&store, &filter, now, |row| out.write_all(csv::record(&row).as_bytes()))),
    };
    result.and_then(|()| Ok(out.flush()?)).or_else(Unlisted::end)?;
    Ok(Exit::Done.into())
}

fn table(store: &Store, filter: &Filter, now: Timestamp, out: &mut impl Write) -> Result<(), Unlisted> {
    let table = Table::for_stdout();
    let mut rows = 0_u64;
    each(store, filter, now, |row| {
        if rows == 0 {
            out.write_all(table.header().as_bytes())?;
        }
        rows += 1;
        out.write_all(table.row(&row).as_bytes())
    })
}

/// `[row…]`, a row a line.
pub(super) fn json_array(
    store: &Store,
    filter: &Filter,
    now: Timestamp,
    mut out: &mut impl Write,
) -> Result<(), Unlisted> {
    let mut separator = "[\n";
    each(store, filter, now, |row| {
        out.write_all(std::mem::replace(&mut separator, ",\n").as_bytes())?;
        Ok(serde_json::to_writer(&mut out, &row)?)
    })?;
    Ok(out.write_all(if separator == "[\n" { b"[]\n" } else { b"\n]\n" })?)
}

/// Why rows did not all come out.
#[derive(Debug)]
pub(super) enum Unlisted {
    Ledger(Failure),
    Output(io::Error),
}

impl Unlisted {
    pub fn end(self) -> Result<(), Failure> {
        match self {
            Self::Ledger(failure) => Err(failure),
            Self::Output(error) => written(Err(error)),
        }
    }
}

impl From<io::Error> for Unlisted {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Hands out the rows up to the limit, one by one.
pub(super) fn each(
    store: &Store,
    filter: &Filter,
    now: Timestamp,
    mut row: impl FnMut(Exposure) -> io::Result<()>,
) -> Result<(), Unlisted> {
    let mut left = filter.limit.unwrap_or(usize::MAX);
    let mut error = None;
    if left == 0 {
        return Ok(());
    }
    let visited = store.visit(filter, now, |exposure, _| {
        left -= 1;
        error = row(exposure).err();
        if left == 0 || error.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    visited.map_err(|error| Unlisted::Ledger(unusable(error)))?;
    error.map_or(Ok(()), |error| Err(error.into()))
}
