//! The filter: a synchronous read, scan, write loop from files or standard input to one output.
//!
//! ```text
//! read(2) → Redactor (in its own buffer) → write(2)
//! ```
//!
//! Every piece that is decided leaves at once, newline or not: a prompt appears, and a line of any length streams.

mod command;
mod engine;
mod input;
mod outlet;
mod output;
mod policy;
mod recording;
mod relay;
mod spool;
mod stats_file;
mod stop;
mod wait;

pub use command::{Command, CommandError, shell_code};
pub use engine::check_engine;
pub use input::{Input, InputError};
pub use output::{Output, OutputError};
pub use policy::{Failure, Loss, Notice, OnFailure, Policy, WhenFull};
pub use recording::Recording;
pub use relay::Totals;
pub use stats_file::{Live, StatsFile, Taken};
pub use stop::Stop;

use crate::codec::Codec;
use crate::redact::Redaction;
use engine::Engine;
use outlet::Outlet;
use relay::{End, Relay};
use std::os::fd::AsFd;

/// What the filter does.
pub struct Filter<'a> {
    /// Keys and options.
    pub redaction: &'a Redaction,
    /// What the records are.
    pub codec: Codec,
    /// What it reads, in order, into one stream.
    pub inputs: Vec<Input>,
    /// Where it writes.
    pub output: Output,
    /// What ends it early.
    pub stop: Stop,
    /// What happens to an output that can't keep up or fails.
    pub policy: Policy,
    /// Whether lines are counted, which costs a pass over the input.
    pub count_lines: bool,
    /// Where it says how far it has come.
    pub live: Option<Live>,
    /// Where what is found goes besides.
    pub recording: Option<Recording>,
}

/// How the filter ended.
#[derive(Debug)]
pub enum FilterEnd {
    /// All input was read, or standard input until the grace time after a signal was over, and all of it is written.
    Done,
    /// The reader of the output has closed it: nobody wants the rest.
    ReaderGone,
    /// A signal came while a file was read; what was decided is written.
    Stopped,
}

impl std::fmt::Debug for Filter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Filter")
    }
}

impl Filter<'_> {
    /// Reads all inputs. An input that can't be opened or read is handed to `notify`, and the next one is read; so is what
    /// there is to tell of an output that gets not everything by the user's choice. `saw_input` is told how many bytes
    /// were read, each time.
    ///
    /// # Errors
    /// When the output can't be written, or the engine failed. If the policy is to drain, `notify` was told at once.
    pub fn run(
        self,
        totals: &mut Totals,
        mut notify: impl FnMut(Notice),
        saw_input: impl Fn(u64),
    ) -> Result<FilterEnd, Failure> {
        let Self { redaction, codec, inputs, output, stop, policy, count_lines, live, recording } = self;
        if output.is_pipe() {
            wait::widen(output.as_fd());
        }
        // One scan over all inputs, as whoever reads the output sees one stream: of a credential that is cut between two
        // files, each half may look like nothing, and the output would show it whole.
        let engine = Engine::new(redaction, codec);
        let outlet = Outlet::start(output, policy.when_full)?;
        let mut relay = Relay::new(engine, outlet, stop, policy, totals, &mut notify)
            .counting_lines(count_lines)
            .telling(live)
            .recording(recording);
        let mut end = FilterEnd::Done;
        for input in inputs {
            let name = input.name();
            relay.begin_input(input.path());
            let source = match input.open() {
                Ok(source) => source,
                Err(error) => {
                    relay.notify(Notice::Unread(InputError { name, error }));
                    continue;
                }
            };
            if let Some(pipe) = source.widenable() {
                wait::widen(pipe);
            }
            match relay.carry(&source, &saw_input) {
                Ok(End::Eof) => {}
                Ok(End::Failed) => break,
                Ok(End::Stopped) => {
                    if !source.may_have_last_words() {
                        end = FilterEnd::Stopped;
                    }
                    break;
                }
                Err(error) => relay.notify(Notice::Unread(InputError { name, error })),
            }
        }
        match relay.finish() {
            None => Ok(end),
            Some(Failure::ReaderGone { .. }) => Ok(FilterEnd::ReaderGone),
            Some(failure) => Err(failure),
        }
    }
}
