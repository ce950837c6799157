//! `beartrap exec -- COMMAND …`

use super::args::ExecArgs;
use super::exit::{Exit, Failure};
use super::filter::level;
use super::ledger::Record;
use super::{canary, harden, key, stats_file, stderr};
use crate::codec::Codec;
use crate::filter::{self, Command, CommandError, Notice, OnFailure, Recording, Taken, WhenFull, shell_code};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::Level;

/// Runs a command with both of its outputs redacted.
pub(super) fn run(args: &ExecArgs, core_limit: Option<u64>) -> Result<ExitCode, Failure> {
    let Some((program, arguments)) = args.command.split_first() else {
        return Err(Failure::new(Exit::Usage, "no command was given"));
    };
    let redaction = key::redaction(&args.key, &args.rules, None, &args.record)?;
    canary::check(|seed| filter::check_engine(&redaction, Codec::Text, seed))?;
    let taken = Taken { inputs: &[], output: None };
    let stats_file = stats_file::start(&args.stats_file, "exec", &redaction, &taken)?;
    let record = Record::open(&args.record, &redaction, false)?;
    let recordings = ["stdout", "stderr"].map(|name| record.recorder(name).map(Recording::new));
    let command = harden::with_core_limit(core_limit, || Command::start(program, arguments)).map_err(|error| {
        let exit = match error {
            CommandError::NotFound => Exit::NotFound,
            CommandError::NotExecutable(_) => Exit::NotExecutable,
            CommandError::Setup(_) => Exit::Io,
        };
        Failure::new(exit, format_args!("{}: {error}", program.display()))
    })?;
    let policy = args.policy.policy();
    if policy.when_full == WhenFull::DropNewest {
        stderr::hand_over();
    }
    let unread = AtomicBool::new(false);
    let notify = |notice: Notice| {
        unread.fetch_or(matches!(notice, Notice::Unread(_)), Ordering::Relaxed);
        stderr::report(level(&notice), &notice.to_string());
    };
    let waited = command.wait(&redaction, policy, stats_file.as_ref(), recordings, &notify);
    stats_file::finish(stats_file);
    let recorded = record.close();
    let (status, failures) =
        waited.map_err(|error| Failure::new(Exit::Io, format_args!("can't wait for the command: {error}")))?;
    let errors = failures.iter().filter(|failure| !matches!(failure, filter::Failure::ReaderGone { .. }));
    if policy.on_failure == OnFailure::Exit {
        errors.clone().for_each(|error| stderr::report(Level::ERROR, &error.to_string()));
    }
    if errors.clone().any(|error| matches!(error, filter::Failure::Engine)) {
        return Ok(Exit::Engine.into());
    }
    if let Err(failure) = &recorded {
        stderr::report(Level::ERROR, &failure.message);
    }
    // The command's own failure says more than that some of its output is missing.
    let lost = (errors.count() > 0 || unread.into_inner() || recorded.is_err()) && status.success();
    Ok(if lost { Exit::Io.into() } else { ExitCode::from(shell_code(status)) })
}
