//! `beartrap run --config FILE`

use super::args::ConfigArgs;
use super::exit::{Exit, Failure};
use super::{config_seam, key, stderr};
use crate::redact::Redaction;
use std::process::ExitCode;

/// Runs the agent with a configuration and a key that exist.
pub(super) fn run(args: &ConfigArgs, color: bool) -> Result<ExitCode, Failure> {
    let config = config_seam::load(&args.config, color)?;
    let keys = key::load(config.redact.key_file.as_deref())?;
    let redaction = Redaction::new(keys, config.redact.options.clone()).map_err(Failure::with(Exit::Config))?;
    stderr::set_redaction(&redaction);
    config_seam::agent(config, redaction)
}
