//! `beartrap run --config FILE`

use super::args::ConfigArgs;
use super::exit::{Exit, Failure};
use super::{canary, key, stderr, validate};
use crate::agent::{self, Agent, Controller, Limits, Outcome};
use crate::redact::Redaction;
use std::process::ExitCode;

/// Runs the agent with a configuration and a key that exist, until its sources end or a signal ends it.
pub(super) fn run(args: &ConfigArgs, color: bool) -> Result<ExitCode, Failure> {
    let config = validate::load(&args.config, color)?;
    let (keys, key_path) = key::load(config.redact.key_file.as_deref())?;
    let redaction = Redaction::new(keys, config.redact.options.clone()).map_err(Failure::with(Exit::Config))?;
    stderr::set_redaction(&redaction);
    Limits::of(&config).check().map_err(Failure::with(Exit::Config))?;
    canary::check(|seed| agent::check_engine(&config, &redaction, seed))?;

    // Before the first thread: what is taken from one is taken from those that it makes.
    agent::confine(&config, &key_path, true).map_err(Failure::with(Exit::Config))?;
    validate::check_reload(&config, &key_path, false)?;

    let cannot_start = |error| Failure::new(Exit::Io, format_args!("can't start: {error}"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(agent::worker_threads())
        .enable_all()
        .build()
        .map_err(cannot_start)?;
    let outcome = runtime.block_on(async {
        let (controller, control) = Controller::channel();
        controller.follow_signals().map_err(cannot_start)?;
        control.reload_keys(key_path, redaction.clone());
        let agent = Agent::bind(config, redaction).await.map_err(Failure::with(Exit::Io))?;
        Ok(agent.run(control).await)
    });
    // A read of standard input that waits for ever would keep the runtime from ending.
    runtime.shutdown_background();
    match outcome? {
        Outcome::Done => Ok(Exit::Done.into()),
        Outcome::Undelivered { bytes, blocks } => {
            let message = format!("stopped with {bytes} bytes in {blocks} blocks not delivered");
            Err(Failure::new(Exit::Undelivered, message))
        }
        Outcome::Io(failure) => Err(Failure::new(Exit::Io, failure)),
        Outcome::Engine => Err(Failure::new(Exit::Engine, "the engine failed; nothing unredacted was written")),
    }
}
