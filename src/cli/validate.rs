//! `beartrap validate --config FILE`

use super::args::ConfigArgs;
use super::exit::{Exit, Failure};
use super::{key, stderr};
use crate::agent::{self, config::Config};
use std::path::Path;
use std::process::ExitCode;
use tracing::Level;

/// Checks a configuration with the loader of `run`.
pub(super) fn run(args: &ConfigArgs, color: bool) -> Result<ExitCode, Failure> {
    let config = load(&args.config, color)?;
    let key = key::find(config.redact.key_file.as_deref())?;
    // As `run` will be restricted: what can be opened now can be opened then.
    agent::confine(&config, key.path(), false).map_err(Failure::with(Exit::Config))?;
    check_reload(&config, key.path(), true)?;
    Ok(Exit::Done.into())
}

/// Whether what `run` opens later can be opened, as the process is restricted; all that can't at once.
pub(super) fn check_reload(config: &Config, key_file: &Path, outputs: bool) -> Result<(), Failure> {
    let problems = agent::reload_problems(config, key_file, outputs);
    if problems.is_empty() { Ok(()) } else { Err(Failure::new(Exit::Config, problems.join("\n"))) }
}

/// Reads and checks a configuration; the failure's message is every error in it at once.
pub(super) fn load(path: &Path, color: bool) -> Result<Config, Failure> {
    let config = Config::load(path).map_err(|diagnostics| {
        Failure::new(Exit::Config, format_args!("the configuration can't be used\n{}", diagnostics.render(color)))
    })?;
    let problems = config.file_problems();
    if !problems.is_empty() {
        let message = format!("the configuration can't be used\n{}", problems.join("\n"));
        return Err(Failure::new(Exit::Config, message));
    }
    config.redact.rule_warnings.iter().for_each(|warning| stderr::report(Level::WARN, warning));
    Ok(config)
}
