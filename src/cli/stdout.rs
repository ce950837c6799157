//! Standard output of the subcommands that print a few lines.

use super::exit::{Exit, Failure};
use std::io::{self, Write};
use std::process::ExitCode;

/// Prints a text. A reader that has gone is no failure.
pub(super) fn print(text: &[u8]) -> Result<ExitCode, Failure> {
    let mut stdout = io::stdout().lock();
    finish(stdout.write_all(text).and_then(|()| stdout.flush()))
}

/// What the result of printing means for the exit code.
pub(super) fn finish(printed: io::Result<()>) -> Result<ExitCode, Failure> {
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Io, format_args!("can't write to standard output: {error}")))
        }
        _ => Ok(Exit::Done.into()),
    }
}
