//! A command whose standard output and standard error are redacted, each as a stream of its own.

use super::engine::Engine;
use super::input::{InputError, Source};
use super::outlet::Outlet;
use super::output::Output;
use super::policy::{Failure, Notice, Policy};
use super::recording::Recording;
use super::relay::{Relay, Totals};
use super::stats_file::StatsFile;
use super::stop::{Stop, ignored_signals};
use crate::codec::Codec;
use crate::redact::Redaction;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;
use std::ffi::OsString;
use std::io::{self, PipeReader, PipeWriter};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long processes that the command has left behind may be silent before their output is given up.
const SILENCE_AFTER_EXIT: Duration = Duration::from_secs(2);

/// What the command is sent when this process gets it. SIGWINCH and job control are not among them: the terminal
/// sends them to the whole foreground group, where the command is.
const FORWARDED: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];

/// A command that runs.
#[derive(Debug)]
pub struct Command {
    child: Child,
    stdout: PipeReader,
    stderr: PipeReader,
    signals: Signals,
    exited: Arc<AtomicBool>,
}

/// Why a command was not started.
#[derive(Debug)]
pub enum CommandError {
    /// There is no such program.
    NotFound,
    /// There is, but it can't be executed.
    NotExecutable(io::Error),
    /// The system lacks what is needed to watch it.
    Setup(io::Error),
}

impl std::fmt::Display for CommandError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotFound => f.write_str("command not found"),
            Self::NotExecutable(error) => write!(f, "can't execute: {error}"),
            Self::Setup(error) => write!(f, "can't prepare its start: {error}"),
        }
    }
}

impl std::error::Error for CommandError {}

impl Command {
    /// Starts it.
    ///
    /// # Errors
    /// When it can't be found or executed.
    pub fn start(program: &OsString, arguments: &[OsString]) -> Result<Self, CommandError> {
        let (stdout, stdout_writer) = io::pipe().map_err(CommandError::Setup)?;
        let (stderr, stderr_writer) = io::pipe().map_err(CommandError::Setup)?;
        let ignored = ignored_signals();
        let forwarded = FORWARDED.iter().filter(|&number| ignored & (1 << (number - 1)) == 0);
        let exited = Arc::new(AtomicBool::new(false));
        for &number in forwarded.clone() {
            // Without the command there is nobody to forward to, and a signal ends what is left to do.
            signal_hook::flag::register_conditional_default(number, exited.clone()).map_err(CommandError::Setup)?;
        }
        // Before the start: a signal in between must reach the command too.
        let signals = Signals::new(forwarded).map_err(CommandError::Setup)?;
        let child = std::process::Command::new(program)
            .args(arguments)
            .stdin(Stdio::inherit())
            .stdout(stdout_writer)
            .stderr(stderr_writer)
            .spawn()
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => CommandError::NotFound,
                _ => CommandError::NotExecutable(error),
            })?;
        Ok(Self { child, stdout, stderr, signals, exited })
    }

    /// Redacts its output and forwards signals until it has exited and its output has ended. Processes that it left
    /// behind with the output open are listened to until they are silent for two seconds.
    ///
    /// When an output fails, the command finds its pipe closed, as it would without anything in between; if the policy
    /// is to drain, it is read on. Both outputs are counted together in `stats`, and what is found in standard output and in
    /// standard error goes to `recordings`. What there is to tell while it happens is handed to `notify`, from two threads.
    ///
    /// # Errors
    /// When the system can't say how the command ended.
    pub fn wait(
        self,
        redaction: &Redaction,
        policy: Policy,
        stats: Option<&StatsFile>,
        recordings: [Option<Recording>; 2],
        notify: &(impl Fn(Notice) + Sync),
    ) -> io::Result<(ExitStatus, Vec<Failure>)> {
        let Self { mut child, stdout, stderr, mut signals, exited } = self;
        let Some(pid) = Pid::from_raw(child.id().cast_signed()) else {
            return Err(io::Error::other("the command has no process id"));
        };
        let alive = Mutex::new(Some(pid));
        let (stdout_stop, stdout_open) = stop_pair(&exited)?;
        let (stderr_stop, stderr_open) = stop_pair(&exited)?;
        let handle = signals.handle();
        let [of_stdout, of_stderr] = recordings;
        let (of_stdout, of_stderr) = ((stdout_stop, of_stdout), (stderr_stop, of_stderr));

        let (status, ends) = std::thread::scope(|scope| {
            let relays = [
                scope.spawn(|| carry(stdout, redaction, Output::stdout_of_command(), of_stdout, policy, stats, notify)),
                scope.spawn(|| carry(stderr, redaction, Output::stderr(), of_stderr, policy, stats, notify)),
            ];
            scope.spawn(|| {
                for number in signals.forever() {
                    forward(number, &alive);
                }
            });
            let waited = wait_without_reaping(pid);
            // From here on the process id may belong to another process.
            *alive.lock().unwrap_or_else(PoisonError::into_inner) = None;
            let status = waited.and_then(|()| child.wait());
            exited.store(true, Ordering::Release);
            drop((stdout_open, stderr_open));
            handle.close();
            (status, relays.map(|relay| relay.join()))
        });
        let ends = ends.map(|end| end.unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        Ok((status?, ends.into_iter().flatten().collect()))
    }
}

/// The exit code by which a shell would report it: the command's own, or 128 and the number of the signal that ended it.
pub fn shell_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

fn stop_pair(exited: &Arc<AtomicBool>) -> io::Result<(Stop, PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    Ok((Stop::at_close(reader.into(), exited.clone(), SILENCE_AFTER_EXIT), writer))
}

/// Carries one output to its end, and says why not all of it got through.
fn carry(
    pipe: PipeReader,
    redaction: &Redaction,
    output: Output,
    (stop, recording): (Stop, Option<Recording>),
    policy: Policy,
    stats: Option<&StatsFile>,
    notify: impl Fn(Notice),
) -> Option<Failure> {
    // Owned here, so that the command's writes fail as soon as nobody reads.
    let source = Source::from_pipe(pipe);
    let name = output.name().to_owned();
    let outlet = match Outlet::start(output, policy.when_full) {
        Ok(outlet) => outlet,
        Err(failure) => return Some(failure),
    };
    let (mut totals, mut notify) = (Totals::default(), |notice| notify(notice));
    let engine = Engine::new(redaction, Codec::Text);
    let relay = Relay::new(engine, outlet, stop, policy, &mut totals, &mut notify);
    let mut relay = relay.telling(stats.map(StatsFile::live)).recording(recording);
    if let Err(error) = relay.carry(&source, |_| {}) {
        relay.notify(Notice::Unread(InputError { name: format!("the command's {name}"), error }));
    }
    relay.finish()
}

fn wait_without_reaping(pid: Pid) -> io::Result<()> {
    loop {
        match rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn forward(number: i32, alive: &Mutex<Option<Pid>>) {
    // Of Ctrl-C and Ctrl-\ in a terminal the command has got its own, and some take a second one as "at once".
    if matches!(number, SIGINT | SIGQUIT) && in_foreground() {
        return;
    }
    let alive = alive.lock().unwrap_or_else(PoisonError::into_inner);
    if let (Some(pid), Some(signal)) = (*alive, Signal::from_named_raw(number)) {
        // It may have gone, or run as another user; there is nobody to tell.
        let _ = rustix::process::kill_process(pid, signal);
    }
}

fn in_foreground() -> bool {
    std::fs::File::open("/dev/tty").is_ok_and(|terminal| {
        rustix::termios::tcgetpgrp(terminal).is_ok_and(|group| group == rustix::process::getpgrp())
    })
}
