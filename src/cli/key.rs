//! `beartrap key`, and how the other subcommands come by a key.

use super::args::{KeyArgs, RecordArgs, RuleArgs};
use super::exit::{Exit, Failure};
use super::{rules, stderr, stdout};
use crate::key_file::{self, KeyPlace};
use crate::redact::{KeyRing, Options, Redaction};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tracing::Level;

/// `beartrap key new`
pub(super) fn new(path: Option<&Path>) -> Result<ExitCode, Failure> {
    let place = find(path)?;
    key_file::create(place.path()).map_err(Failure::with(Exit::Config))?;
    let keys = place.load().map_err(Failure::with(Exit::Config))?;
    stdout::print(format!("{} {}\n", key_file::display_id(keys.active()), place.path().display()).as_bytes())
}

/// `beartrap key id`
pub(super) fn id(args: &KeyArgs) -> Result<ExitCode, Failure> {
    let (keys, _) = load(args.key_file.as_deref())?;
    stdout::print(format!("{}\n", key_file::display_id(keys.active())).as_bytes())
}

/// The keys of a file that must exist, and where it is: a fresh key would answer every question with "never seen".
pub(super) fn load(named: Option<&Path>) -> Result<(KeyRing, PathBuf), Failure> {
    let place = find(named)?;
    let keys = place.load().map_err(Failure::with(Exit::Config))?;
    Ok((keys, place.path().to_owned()))
}

/// Keys and options for redaction, making a key in the default place on first use.
pub(super) fn redaction(
    args: &KeyArgs,
    rules: &RuleArgs,
    replacement: Option<String>,
    ledger: &RecordArgs,
) -> Result<Redaction, Failure> {
    let rules = rules::load(rules)?;
    let place = find(args.key_file.as_deref())?;
    let (keys, made) = place.load_or_create().map_err(Failure::with(Exit::Config))?;
    let id = key_file::display_id(keys.active());
    let options = Options { replacement, rules, claims: ledger.ledger.is_some(), ..Options::default() };
    // Of the options only the replacement can still be wrong.
    let redaction = Redaction::new(keys, options).map_err(Failure::with(Exit::Usage))?;
    stderr::set_redaction(&redaction);
    if made {
        let notice = format!(
            "made key {id} in {}; hosts that share this file give the same credential the same digest",
            place.path().display()
        );
        stderr::report(Level::WARN, &notice);
    }
    Ok(redaction)
}

pub(super) fn find(named: Option<&Path>) -> Result<KeyPlace, Failure> {
    KeyPlace::find(named).map_err(Failure::with(Exit::Config))
}
