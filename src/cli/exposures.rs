//! `beartrap exposures`: questions to a ledger, and changes of it.

mod change;
mod csv;
mod digest;
mod export;
mod lines;
mod list;
mod markdown;
mod merge;
mod report;
mod sarif;
mod show;
mod table;
mod time;

pub(super) use show::line_of;

use super::args::{ExposuresCommands, FilterRows, LedgerArgs};
use super::exit::{Exit, Failure};
use super::validate;
use crate::ledger::{Filter, LedgerError, Store};
use crate::scan::printable;
use jiff::Timestamp;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// All of it.
pub(super) fn run(command: &ExposuresCommands) -> Result<ExitCode, Failure> {
    match command {
        ExposuresCommands::List(args) => list::run(args),
        ExposuresCommands::Show(args) => show::run(args),
        ExposuresCommands::Mark(args) => change::mark(args),
        ExposuresCommands::Unmark(args) => change::unmark(args),
        ExposuresCommands::Forget(args) => change::forget(args),
        ExposuresCommands::Merge(args) => merge::run(args),
        ExposuresCommands::Export(args) => export::run(args),
        ExposuresCommands::Report(args) => report::run(args),
    }
}

/// Opens a ledger for questions.
pub(super) fn open(path: &Path) -> Result<Store, Failure> {
    Store::open_read_only(path).map_err(unusable)
}

impl LedgerArgs {
    /// The file.
    pub fn path(&self) -> Result<PathBuf, Failure> {
        match (&self.ledger, &self.config) {
            (Some(ledger), _) => Ok(ledger.clone()),
            (None, Some(config)) => {
                let ledger = validate::load(config, false)?.ledger;
                let none = || Failure::new(Exit::Config, "the configuration has no [ledger]");
                ledger.map(|ledger| ledger.path).ok_or_else(none)
            }
            // The parser lets no such line pass.
            (None, None) => Err(Failure::new(Exit::Usage, "missing: --ledger <FILE>")),
        }
    }
}

/// What a ledger's error means for the exit code.
#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
pub(super) fn unusable(error: LedgerError) -> Failure {
    Failure::new(Exit::Io, printable(error.to_string().as_bytes()))
}

impl FilterRows {
    fn filter(&self, now: Timestamp) -> Result<Filter, Failure> {
        let since = self.since.as_deref().map(|text| time::parse("--since", text, now)).transpose()?;
        Ok(Filter {
            status: self.status.iter().map(|&name| name.into()).collect(),
            since,
            source: self.source.clone(),
            issuer: self.issuer.clone(),
            kind: self.kind.clone(),
            policy: self.policy.clone(),
            severity: self.severity.map(Into::into),
            sort: self.sort.into(),
            limit: self.limit,
            cursor: None,
        })
    }
}

/// What a ledger of this machine is called.
pub(super) fn host_name() -> String {
    let name = rustix::system::uname();
    let name = printable(name.nodename().to_bytes());
    if name.is_empty() { "unknown".to_owned() } else { name.replace('/', "_") }
}

/// Where rows and reports go.
fn output(file: Option<&Path>, ledger: &Path) -> Result<Box<dyn Write>, Failure> {
    let Some(path) = file else { return Ok(Box::new(BufWriter::new(io::stdout().lock()))) };
    if is_same_file(path, ledger) {
        return Err(Failure::new(Exit::Usage, "--output names the ledger itself"));
    }
    // It says which credentials were seen where: nobody else's business.
    let made: io::Result<File> = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let made = made.map_err(|error| {
        Failure::new(Exit::Io, format_args!("can't write {}: {error}", printable(path.as_os_str().as_encoded_bytes())))
    })?;
    Ok(Box::new(BufWriter::new(made)))
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    let id = |path: &Path| path.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()));
    id(one).is_some_and(|one| id(other) == Some(one))
}

/// What the result of writing means. A reader that has gone is no failure.
fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Io, format_args!("can't write the output: {error}")))
        }
        _ => Ok(()),
    }
}
