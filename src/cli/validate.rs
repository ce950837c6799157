//! `beartrap validate --config FILE`

use super::args::ConfigArgs;
use super::exit::{Exit, Failure};
use super::stderr;
use crate::agent::config::Config;
use std::path::Path;
use std::process::ExitCode;
use tracing::Level;

/// Checks a configuration with the loader of `run`.
pub(super) fn run(args: &ConfigArgs, color: bool) -> Result<ExitCode, Failure> {
    load(&args.config, color)?;
    Ok(Exit::Done.into())
}

/// Reads and checks a configuration; the failure's message is every error in it at once.
pub(super) fn load(path: &Path, color: bool) -> Result<Config, Failure> {
    let config = Config::load(path).map_err(|diagnostics| {
        Failure::new(Exit::Config, format_args!("the configuration can't be used\n{}", diagnostics.render(color)))
    })?;
    let problems = config.tls_problems();
    if !problems.is_empty() {
        let message = format!("the configuration can't be used\n{}", problems.join("\n"));
        return Err(Failure::new(Exit::Config, message));
    }
    config.redact.rule_warnings.iter().for_each(|warning| stderr::report(Level::WARN, warning));
    Ok(config)
}
