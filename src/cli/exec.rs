//! `beartrap exec -- COMMAND …`

use super::args::ExecArgs;
use super::exit::{Exit, Failure};
use super::{canary, harden, key, stderr};
use crate::codec::Codec;
use crate::filter::{self, Command, CommandError, shell_code};
use std::process::ExitCode;
use tracing::Level;

/// Runs a command with both of its outputs redacted.
pub(super) fn run(args: &ExecArgs, core_limit: Option<u64>) -> Result<ExitCode, Failure> {
    let Some((program, arguments)) = args.command.split_first() else {
        return Err(Failure::new(Exit::Usage, "no command was given"));
    };
    let redaction = key::redaction(&args.key, &args.rules, None)?;
    canary::check(|seed| filter::check_engine(&redaction, Codec::Text, seed))?;
    let command = harden::with_core_limit(core_limit, || Command::start(program, arguments)).map_err(|error| {
        let exit = match error {
            CommandError::NotFound => Exit::NotFound,
            CommandError::NotExecutable(_) => Exit::NotExecutable,
            CommandError::Setup(_) => Exit::Io,
        };
        Failure::new(exit, format_args!("{}: {error}", program.display()))
    })?;
    let mut lost = false;
    let status = command.wait(&redaction, |error| {
        lost = true;
        stderr::report(Level::ERROR, &error.to_string());
    });
    let status = status.map_err(|error| Failure::new(Exit::Io, format_args!("can't wait for the command: {error}")))?;
    // The command's own failure says more than that some of its output is missing.
    let lost = lost && status.success();
    Ok(if lost { Exit::Io.into() } else { ExitCode::from(shell_code(status)) })
}
