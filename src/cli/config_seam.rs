//! Where the command line meets the configuration and the agent.

use super::exit::{Exit, Failure};
use crate::agent::config::Config;
use crate::redact::Redaction;
use std::path::Path;
use std::process::ExitCode;

/// Reads and checks a configuration; the failure's message is every error in it at once.
pub(super) fn load(path: &Path, color: bool) -> Result<Config, Failure> {
    Config::load(path).map_err(|diagnostics| {
        Failure::new(Exit::Config, format_args!("the configuration can't be used\n{}", diagnostics.render(color)))
    })
}

/// Runs the agent until a signal ends it.
pub(super) fn agent(_config: Config, _redaction: Redaction) -> Result<ExitCode, Failure> {
    Err(Failure::new(Exit::Engine, "the agent is not part of this build"))
}
