//! `beartrap exposures mark`, `unmark` and `forget`

use super::super::args::{DigestArgs, DigestsArgs, MarkArgs};
use super::super::exit::{Exit, Failure};
use super::super::{stderr, stdout};
use super::digest::TypedDigest;
use super::{time, unusable};
use crate::ledger::Store;
use crate::scan::printable;
use jiff::Timestamp;
use std::process::ExitCode;
use tracing::Level;

/// `beartrap exposures mark DIGEST revoked`
pub(super) fn mark(args: &MarkArgs) -> Result<ExitCode, Failure> {
    let now = Timestamp::now();
    let typed = TypedDigest::parse(&args.digest)?;
    let at = args.at.as_deref().map_or(Ok(now), |text| time::parse("--at", text, now))?;
    let path = args.ledger.path()?;
    let mut store = Store::open(&path).map_err(unusable)?;
    let Some(digest) = typed.whole(&store, now)? else { return Ok(never_seen(&typed)) };
    if digest == [0; 16] {
        let why = "the digest of zeros stands for every credential that could be guessed: none of them can be marked";
        return Err(Failure::new(Exit::Usage, why));
    }
    store.mark_revoked(&digest, at, now).map_err(unusable)?;
    let rows = store.show(&digest, now).map_err(unusable)?;
    let (digits, at) = (hex(digest), time::display(at));
    let seen = match &rows[..] {
        [] => "it was never seen here so far".to_owned(),
        rows => {
            let last = rows.iter().map(|row| row.last_seen).max().unwrap_or_default();
            format!("seen last at {}", time::display(last))
        }
    };
    stdout::print(format!("{digits} is marked as revoked since {at}; {seen}\n").as_bytes())
}

/// `beartrap exposures unmark DIGEST`
pub(super) fn unmark(args: &DigestArgs) -> Result<ExitCode, Failure> {
    let now = Timestamp::now();
    let typed = TypedDigest::parse(&args.digest)?;
    let path = args.ledger.path()?;
    let mut store = Store::open(&path).map_err(unusable)?;
    let Some(digest) = typed.whole(&store, now)? else { return Ok(never_seen(&typed)) };
    if store.unmark(&digest, now).map_err(unusable)? {
        return stdout::print(format!("{} is not marked any more\n", hex(digest)).as_bytes());
    }
    stderr::report(Level::ERROR, &format!("{typed} was not marked"));
    Ok(Exit::Found.into())
}

/// `beartrap exposures forget DIGEST…`
pub(super) fn forget(args: &DigestsArgs) -> Result<ExitCode, Failure> {
    let now = Timestamp::now();
    let typed: Vec<_> = args.digests.iter().map(|text| TypedDigest::parse(text)).collect::<Result<_, _>>()?;
    let path = args.ledger.path()?;
    let mut store = Store::open(&path).map_err(unusable)?;
    let mut code = Exit::Done.into();
    let mut digests = Vec::new();
    for typed in typed {
        match typed.whole(&store, now)? {
            Some(digest) => digests.push((typed, digest)),
            None => code = never_seen(&typed),
        }
    }
    if digests.is_empty() {
        return Ok(code);
    }
    let all: Vec<[u8; 16]> = digests.iter().map(|(_, digest)| *digest).collect();
    let forgotten = store.forget(&all).map_err(unusable)?;
    for ((typed, digest), (rows, mark)) in digests.iter().zip(forgotten.gone) {
        let what = match (rows, mark) {
            (0, false) => {
                code = never_seen(typed);
                continue;
            }
            (0, true) => "a mark".to_owned(),
            (1, false) => "1 row".to_owned(),
            (1, true) => "1 row and a mark".to_owned(),
            (rows, _) => format!("{rows} rows"),
        };
        stdout::print(format!("{} is forgotten: {what} deleted\n", hex(*digest)).as_bytes())?;
    }
    if !forgotten.is_overwritten {
        let file = printable(path.as_os_str().as_encoded_bytes());
        let message = format!(
            "another process keeps the ledger's log in use: old pages may stay in {file}-wal until it has ended, or until this is \
             done again"
        );
        stderr::report(Level::WARN, &message);
    }
    Ok(code)
}

/// Says so, and gives the code for it.
pub(super) fn never_seen(typed: &TypedDigest) -> ExitCode {
    stderr::report(Level::ERROR, &format!("{typed} was never seen: the ledger has no row with this digest"));
    Exit::Found.into()
}

fn hex(digest: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(digest))
}
