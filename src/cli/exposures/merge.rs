//! `beartrap exposures merge`

use super::super::args::MergeArgs;
use super::super::exit::{Exit, Failure};
use super::super::{stderr, stdout};
use super::lines::Lines;
use super::{host_name, is_same_file, unusable};
use crate::ledger::{Account, Joined, LedgerError, Portable, Store};
use crate::redact::Redactor;
use crate::scan::printable;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::ExitCode;
use tracing::Level;

/// How an SQLite file begins.
const LEDGER_MAGIC: &[u8] = b"SQLite format 3\0";

/// Joins sources into a ledger, each wholly or not at all.
pub(super) fn run(args: &MergeArgs) -> Result<ExitCode, Failure> {
    let is_stdin = |path: &Path| path == Path::new("-");
    if args.sources.iter().any(|source| !is_stdin(source) && is_same_file(source, &args.into)) {
        return Err(Failure::new(Exit::Usage, "a SOURCE is the ledger that the others go into"));
    }
    let mut into = Store::create_or_keep(&args.into, &host_name()).map_err(unusable)?;
    let mut guard = Guard::new()?;
    let mut is_whole = true;
    for source in &args.sources {
        let name =
            if is_stdin(source) { "<stdin>".to_owned() } else { printable(source.as_os_str().as_encoded_bytes()) };
        let known = into.key_ids().map_err(unusable)?;
        guard.key_ids.clear();
        let merged = match is_ledger(source) {
            Ok(true) => merge_ledger(&mut into, source, &mut guard),
            Ok(false) => merge_lines(&mut into, &name, source, &mut guard, &mut is_whole),
            Err(error) => Err(Unmerged(format!("can't read {name}: {error}"))),
        };
        match merged {
            Ok(joined) => {
                warn_of_other_keys(&name, &known, &guard.key_ids);
                say(&name, joined)?;
            }
            Err(Unmerged(why)) => {
                is_whole = false;
                stderr::report(Level::ERROR, &format!("{why}; nothing of {name} was merged"));
            }
        }
    }
    Ok(if is_whole { Exit::Done } else { Exit::Io }.into())
}

/// Why nothing of a source was merged.
#[derive(Debug)]
pub(super) struct Unmerged(pub String);

impl From<LedgerError> for Unmerged {
    fn from(error: LedgerError) -> Self {
        Self(printable(error.to_string().as_bytes()))
    }
}

fn merge_ledger(into: &mut Store, source: &Path, guard: &mut Guard) -> Result<Joined, Unmerged> {
    let from = Store::open_read_only(source)?;
    let _snapshot = from.snapshot()?;
    let rows = from.portables().map(|row| {
        let row = row?;
        guard.check(&row).map_err(|why| Unmerged(format!("a row {why}")))?;
        Ok::<_, Unmerged>(row)
    });
    let joined = into.merge(rows, Timestamp::now())?;
    let accounts: Vec<Account> = from.accounts()?;
    into.merge_accounts(&accounts)?;
    Ok(joined)
}

fn merge_lines(
    into: &mut Store,
    name: &str,
    source: &Path,
    guard: &mut Guard,
    is_whole: &mut bool,
) -> Result<Joined, Unmerged> {
    let input: Box<dyn BufRead> = if source == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(source).map_err(|error| Unmerged(format!("can't read {name}: {error}")))?;
        Box::new(BufReader::with_capacity(256 << 10, file))
    };
    let mut lines = Lines::new(input, name, guard);
    let joined = into.merge(&mut lines, Timestamp::now())?;
    if let Some(problem) = lines.problem() {
        *is_whole = false;
        stderr::report(Level::ERROR, &problem);
    }
    let accounts = lines.into_accounts();
    into.merge_accounts(&accounts)?;
    Ok(joined)
}

fn is_ledger(source: &Path) -> io::Result<bool> {
    if source == Path::new("-") {
        return Ok(false);
    }
    let mut magic = [0; LEDGER_MAGIC.len()];
    let read = io::Read::read_exact(&mut File::open(source)?, &mut magic);
    match read {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        read => read.map(|()| magic == LEDGER_MAGIC),
    }
}

/// Looks at all that is merged: what another host wrote is not trusted to have been redacted.
pub(super) struct Guard {
    redactor: Redactor,
    key_ids: BTreeSet<String>,
}

impl Guard {
    fn new() -> Result<Self, Failure> {
        let redactor = stderr::throw_away().ok_or_else(|| Failure::new(Exit::Engine, "there is no randomness"))?;
        Ok(Self { redactor, key_ids: BTreeSet::new() })
    }

    /// # Errors
    /// Says what is wrong, to be put behind what the row is called.
    pub fn check(&mut self, row: &Portable) -> Result<(), &'static str> {
        row.check()?;
        let mut texts: Vec<&str> = vec![&row.ledger.instance];
        texts.extend(row.counts.iter().map(|one| one.source.as_str()));
        for location in [&row.first.location, &row.last.location] {
            texts.push(&location.source);
            texts.extend([&location.file, &location.peer].into_iter().flatten().map(String::as_str));
        }
        if let Some(claims) = &row.claims {
            let of_token =
                [&claims.alg, &claims.kid, &claims.typ, &claims.iss, &claims.azp, &claims.client_id, &claims.scope];
            texts.extend(of_token.into_iter().flatten().chain(&claims.aud).map(String::as_str));
        }
        if texts.into_iter().any(|text| !self.redactor.redact(text.as_bytes()).findings.is_empty()) {
            return Err("holds a credential that was not redacted");
        }
        if !self.key_ids.contains(&row.key_id) {
            self.key_ids.insert(row.key_id.clone());
        }
        Ok(())
    }
}

/// Digests of different keys can't be compared: then the same credential has two rows.
fn warn_of_other_keys(name: &str, known: &[String], merged: &BTreeSet<String>) {
    if !known.is_empty() && !merged.is_empty() && !known.iter().any(|id| merged.contains(id)) {
        let merged: Vec<&str> = merged.iter().map(String::as_str).collect();
        let message = format!(
            "{name} has digests of key {}, the ledger those of {}: what is in both can't be told",
            merged.join(", "),
            known.join(", ")
        );
        stderr::report(Level::WARN, &message);
    }
}

fn say(name: &str, joined: Joined) -> Result<(), Failure> {
    let Joined { rows, changed, pruned } = joined;
    let gone = match pruned.old + pruned.surplus {
        0 => String::new(),
        gone => format!("; {gone} of the ledger went, too old or too many"),
    };
    stdout::print(format!("{name}: {rows} rows, {changed} of them new or changed{gone}\n").as_bytes()).map(drop)
}
