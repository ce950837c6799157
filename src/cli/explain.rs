//! `beartrap explain`

use super::args::{ExplainArgs, ExplainFormat, RecordArgs};
use super::exit::{Exit, Failure};
use super::{key, stdout};
use crate::scan::explain;
use std::io::{self, Read};
use std::process::ExitCode;
use zeroize::Zeroizing;

const INPUT_BYTES_MAX: usize = 16 << 20;

/// Prints what was decided on standard input, and why.
pub(super) fn run(args: &ExplainArgs) -> Result<ExitCode, Failure> {
    let redaction = key::redaction(&args.key, &args.rules, None, &RecordArgs::default())?;
    let unread = |error: io::Error| Failure::new(Exit::Io, format_args!("can't read standard input: {error}"));
    let mut text = Zeroizing::new(Vec::new());
    io::stdin().lock().take(INPUT_BYTES_MAX as u64 + 1).read_to_end(&mut text).map_err(unread)?;
    if text.len() > INPUT_BYTES_MAX {
        return Err(Failure::new(Exit::Usage, "standard input has over 16 MiB; explain takes a few lines"));
    }
    stdout::print(&explain(&redaction, &text, args.format == ExplainFormat::Json))
}
