//! `beartrap validate --config FILE`

use super::args::ConfigArgs;
use super::config_seam;
use super::exit::{Exit, Failure};
use std::process::ExitCode;

/// Checks a configuration with the loader of `run`.
pub(super) fn run(args: &ConfigArgs, color: bool) -> Result<ExitCode, Failure> {
    config_seam::load(&args.config, color)?;
    Ok(Exit::Done.into())
}
