//! `--stats-file`

use super::args::StatsFileArgs;
use super::exit::{Exit, Failure};
use super::stderr;
use crate::filter::{StatsFile, Taken};
use crate::redact::Redaction;
use tracing::Level;

/// Begins to keep the file, if one is wanted. `of_type` is what its numbers are of.
pub(super) fn start(
    args: &StatsFileArgs,
    of_type: &'static str,
    redaction: &Redaction,
    taken: &Taken<'_>,
) -> Result<Option<StatsFile>, Failure> {
    let Some(path) = &args.stats_file else { return Ok(None) };
    let failed = |error: &str| stderr::report(Level::WARN, error);
    StatsFile::start(path, of_type, redaction, taken, failed).map(Some).map_err(Failure::with(Exit::Io))
}

/// Writes it for the last time. That it can't be written is no failure of what it tells of.
pub(super) fn finish(file: Option<StatsFile>) {
    if let Some(Err(error)) = file.map(StatsFile::finish) {
        stderr::report(Level::WARN, &error);
    }
}
