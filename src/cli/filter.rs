//! `beartrap [FILE]...`

use super::args::{FilterArgs, Global, LogFormat};
use super::exit::{Exit, Failure};
use super::ledger::{self, Record};
use super::progress::Progress;
use super::{canary, key, stats_file, stderr};
use crate::codec::Codec;
use crate::filter::{
    self, Filter, FilterEnd, Input, InputError, Notice, OnFailure, Output, OutputError, Recording, StatsFile, Stop,
    Taken, Totals, WhenFull,
};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tracing::Level;

/// How long standard input may go on after a signal: services log while they shut down.
const GRACE: Duration = Duration::from_secs(10);

/// The filter.
pub(super) fn run(args: &FilterArgs, global: &Global) -> Result<ExitCode, Failure> {
    let inputs = inputs(&args.files);
    let redaction = key::redaction(&args.key, &args.rules, args.replacement.clone(), &args.record)?;
    let codec = args.codec.map_or(Codec::Text, Codec::from);
    canary::check(|seed| filter::check_engine(&redaction, codec, seed))?;
    // A writer of a pipe is not kept waiting, files can wait.
    let is_of_files = inputs.iter().all(|input| input.file_len().is_some());
    let record = Record::open(&args.record, &redaction, is_of_files)?;
    let source = if inputs.contains(&Input::Stdin) { "stdin" } else { "files" };
    let recording = record.recorder(source).map(Recording::new);
    let output = match &args.output {
        Some(path) => Output::create(path, &inputs),
        None => Output::stdout(&inputs),
    };
    let output = output.map_err(output_failure)?;
    let taken = Taken { inputs: &inputs, output: Some(&output) };
    let stats_file = stats_file::start(&args.stats_file, "filter", &redaction, &taken)?;
    let stop = Stop::at_signals(GRACE, give_up)
        .map_err(|error| Failure::new(Exit::Io, format_args!("can't watch for signals: {error}")))?;
    let signal = stop.signal();
    let progress = progress(global, &inputs, args.output.is_some());
    let whole_len = inputs.iter().map(Input::file_len).sum::<Option<u64>>();
    let of_whole = || whole_len.map_or_else(String::new, |len| format!(" of {:.0}", len as f64 / 1e6));
    let policy = args.policy.policy();
    if policy.when_full == WhenFull::DropNewest {
        stderr::hand_over();
    }
    let (count_lines, live) = (args.stats, stats_file.as_ref().map(StatsFile::live));
    let filter = Filter { redaction: &redaction, codec, inputs, output, stop, policy, count_lines, live, recording };

    let (mut totals, mut unread) = (Totals::default(), false);
    let started = Instant::now();
    let notify = |notice| {
        progress.clear();
        let message = match &notice {
            Notice::Unread(error) => error_with_hint(error),
            notice => notice.to_string(),
        };
        unread |= matches!(notice, Notice::Unread(_));
        stderr::report(level(&notice), &message);
    };
    let end = filter.run(&mut totals, notify, |len| progress.add(len, of_whole));
    progress.clear();
    stats_file::finish(stats_file);
    let recorded = record.close();
    if args.stats {
        let seconds = started.elapsed().as_secs_f64();
        stderr::print(&match global.log_format {
            LogFormat::Text => stats_text(&totals, seconds),
            LogFormat::Json => stats_json(&totals, seconds),
        });
    }
    let end = match end {
        Ok(end) => end,
        // It was told when it happened.
        Err(failure) if policy.on_failure == OnFailure::Drain => return Ok(exit_code(&failure).into()),
        Err(failure) => return Err(Failure::new(exit_code(&failure), failure)),
    };
    // The data comes first: it is where it belongs.
    recorded?;
    match end {
        FilterEnd::Stopped => {
            // A part of a file is no success: whoever waits for this process is to see that a signal ended it.
            let number = i32::try_from(signal.load(Ordering::Acquire)).unwrap_or_default();
            let _ = signal_hook::low_level::emulate_default_handler(number);
            Ok(Exit::Undelivered.into())
        }
        FilterEnd::Done | FilterEnd::ReaderGone if unread => Ok(Exit::Io.into()),
        FilterEnd::Done | FilterEnd::ReaderGone => Ok(Exit::Done.into()),
    }
}

fn inputs(files: &[PathBuf]) -> Vec<Input> {
    if files.is_empty() {
        return vec![Input::Stdin];
    }
    let input = |path: &PathBuf| if path == Path::new("-") { Input::Stdin } else { Input::File(path.clone()) };
    files.iter().map(input).collect()
}

/// Files and what is redirected are worth a line that says how far it is; what comes by and by is not, nor is a line amid the
/// output.
fn progress(global: &Global, inputs: &[Input], to_file: bool) -> Progress {
    let progress = Progress::new(global);
    let is_long_run = inputs.iter().all(|input| input.file_len().is_some());
    if is_long_run && (to_file || !std::io::stdout().is_terminal()) { progress } else { progress.hidden() }
}

fn output_failure(error: OutputError) -> Failure {
    let exit = match error {
        OutputError::IsInput { .. } => Exit::Usage,
        OutputError::Io { .. } => Exit::Io,
    };
    Failure::new(exit, error)
}

fn exit_code(failure: &filter::Failure) -> Exit {
    match failure {
        filter::Failure::Output(_) => Exit::Io,
        filter::Failure::ReaderGone { .. } => Exit::Done,
        filter::Failure::Engine => Exit::Engine,
    }
}

pub(super) fn level(notice: &Notice) -> Level {
    match notice {
        Notice::Unread(_) | Notice::Draining { is_error: true, .. } => Level::ERROR,
        Notice::Draining { .. } | Notice::Dropping { .. } | Notice::Ended { .. } => Level::WARN,
    }
}

/// The output is stuck and the grace time is over; a blocked write can't be called back, so the process ends here.
#[expect(clippy::disallowed_methods, reason = "the thread with the buffers and keys is stuck in a write")]
fn give_up(undelivered: u64) {
    ledger::settle();
    if undelivered == 0 {
        // It waits for the writer of a FIFO; nothing is lost by ending here.
        std::process::exit(Exit::Done as i32);
    }
    stderr::report_unless_blocked(&format!("stopped with {undelivered} bytes read and not written"));
    stderr::settle();
    std::process::exit(Exit::Undelivered as i32);
}

/// A mistyped subcommand is taken for a file.
fn error_with_hint(error: &InputError) -> String {
    let missing = error.error.kind() == std::io::ErrorKind::NotFound;
    let similar = super::pages::subcommands()
        .into_iter()
        .find(|name| missing && strsim::damerau_levenshtein(name, &error.name) <= 2);
    match similar {
        Some(name) => format!("{error}; there is a subcommand {name}"),
        None => error.to_string(),
    }
}

fn stats_text(totals: &Totals, seconds: f64) -> String {
    let speed = totals.bytes_read as f64 / 1e9 / seconds.max(1e-9);
    let kinds: Vec<_> = totals.findings.by_kind().map(|(kind, count)| format!("{count} {}", kind.name())).collect();
    let mut lost = String::new();
    for (loss, what) in [(totals.dropped, "dropped"), (totals.discarded, "discarded")] {
        if loss.bytes > 0 {
            lost += &format!("{loss} {what}, ");
        }
    }
    format!(
        "beartrap: {} lines, {} bytes read, {} bytes written, {} findings ({}), {lost}{seconds:.3} s, {speed:.3} GB/s\n",
        totals.lines,
        totals.bytes_read,
        totals.bytes_written,
        totals.findings.total(),
        kinds.join(", ")
    )
}

fn stats_json(totals: &Totals, seconds: f64) -> String {
    // Not members named after the kinds: what stands in a member `jwt` is a credential to the redactor.
    let findings: Vec<_> = totals
        .findings
        .by_kind()
        .map(|(kind, count)| serde_json::json!({ "kind": kind.name(), "count": count }))
        .collect();
    let stats = serde_json::json!({
        "lines": totals.lines,
        "bytes_read": totals.bytes_read,
        "bytes_written": totals.bytes_written,
        "findings": findings,
        "dropped_records": totals.dropped.records,
        "dropped_bytes": totals.dropped.bytes,
        "discarded_records": totals.discarded.records,
        "discarded_bytes": totals.discarded.bytes,
        "seconds": seconds,
    });
    format!("{stats}\n")
}
