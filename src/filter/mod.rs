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
mod output;
mod relay;
mod stop;

pub use command::{Command, CommandError, shell_code};
pub use engine::check_engine;
pub use input::{Input, InputError};
pub use output::{Output, OutputError};
pub use relay::Totals;
pub use stop::Stop;

use crate::codec::Codec;
use crate::redact::Redaction;
use engine::Engine;
use relay::{End, RelayError};
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
    /// Whether lines are counted, which costs a pass over the input.
    pub count_lines: bool,
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
    /// Reads all inputs. An input that can't be opened or read is handed to `complain`, and the next one is read. `saw_input`
    /// is told how many bytes were read, each time.
    ///
    /// # Errors
    /// When the output can't be written.
    pub fn run(
        self,
        totals: &mut Totals,
        mut complain: impl FnMut(InputError),
        saw_input: impl Fn(u64),
    ) -> Result<FilterEnd, OutputError> {
        let Self { redaction, codec, inputs, output, stop, count_lines } = self;
        if output.is_pipe() {
            relay::widen(output.as_fd());
        }
        // One scan over all inputs, as whoever reads the output sees one stream: of a credential that is cut between two
        // files, each half may look like nothing, and the output would show it whole.
        let mut engine = Engine::new(redaction, codec);
        let mut end = FilterEnd::Done;
        for input in inputs {
            let name = input.name();
            let source = match input.open() {
                Ok(source) => source,
                Err(error) => {
                    complain(InputError { name, error });
                    continue;
                }
            };
            if let Some(pipe) = source.widenable() {
                relay::widen(pipe);
            }
            let relayed = relay::relay(&source, &mut engine, &output, &stop, totals, count_lines, &saw_input);
            totals.findings = engine.counts().clone();
            match relayed {
                Ok(End::Eof) => {}
                Ok(End::ReaderGone) => return Ok(FilterEnd::ReaderGone),
                Ok(End::Stopped) => {
                    if !source.may_have_last_words() {
                        end = FilterEnd::Stopped;
                    }
                    break;
                }
                Err(RelayError::Read(error)) => complain(InputError { name, error }),
                Err(RelayError::Write(error)) => return Err(output.error(error)),
            }
        }
        let read = relay::finish(&mut engine, &output, &stop, totals);
        totals.findings = engine.counts().clone();
        match read {
            Ok(true) => Ok(end),
            Ok(false) => Ok(FilterEnd::ReaderGone),
            Err(RelayError::Read(error) | RelayError::Write(error)) => Err(output.error(error)),
        }
    }
}
