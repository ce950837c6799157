//! What ends a relay before its input does: a signal, or the end of the command whose output it is.

use signal_hook::consts::{SIGINT, SIGTERM};
use std::cell::Cell;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How much longer than the relay's own patience the watcher waits before it decides that the output is stuck.
const STUCK_MARGIN: Duration = Duration::from_millis(500);

/// A wish to stop, and how much patience remains once it is uttered.
#[derive(Debug)]
pub struct Stop {
    requested: Arc<AtomicBool>,
    /// The last signal, for whoever wants to die of it.
    signal: Arc<AtomicUsize>,
    /// Readable, or closed at the other end, once a stop is requested.
    wake: OwnedFd,
    /// Keeps `wake` from being readable when no signal is watched.
    _wake_writer: Option<UnixStream>,
    patience: Patience,
    deadline: Cell<Option<Instant>>,
    progress: Arc<Progress>,
}

#[derive(Clone, Copy, Debug)]
enum Patience {
    /// The input may go on for this long altogether.
    Total(Duration),
    /// The input may go on for as long as it is never silent for this long.
    Silence(Duration),
}

/// How far a relay has come, for a watcher in another thread.
#[derive(Debug, Default)]
struct Progress {
    read: AtomicU64,
    written: AtomicU64,
}

impl Progress {
    fn undelivered(&self) -> u64 {
        self.read.load(Ordering::Relaxed).saturating_sub(self.written.load(Ordering::Relaxed))
    }
}

impl Stop {
    /// Stops at SIGINT or SIGTERM: the first one lets the input go on to its end or for the grace time, a second one
    /// ends the process at once. If the output is stuck, `give_up` is called with the number of bytes that were read
    /// and could not be written; it must end the process, since a blocked write can't be interrupted.
    ///
    /// # Errors
    /// When handlers, a socket pair or a thread can't be had.
    pub fn at_signals(grace: Duration, give_up: impl FnOnce(u64) + Send + 'static) -> io::Result<Self> {
        let requested = Arc::new(AtomicBool::new(false));
        let signal = Arc::new(AtomicUsize::new(0));
        let (wake, wake_writer) = UnixStream::pair()?;
        let (mut watched, watched_writer) = UnixStream::pair()?;
        let ignored = ignored_signals();
        for number in [SIGINT, SIGTERM] {
            // Started by `nohup` or in the background of a script: whoever ignored it for us had a reason.
            if ignored & (1 << (number - 1)) != 0 {
                continue;
            }
            // In this order: at the first signal the flag is still false, at the second one the default follows.
            signal_hook::flag::register_conditional_default(number, requested.clone())?;
            signal_hook::flag::register(number, requested.clone())?;
            signal_hook::flag::register_usize(number, signal.clone(), number as usize)?;
            signal_hook::low_level::pipe::register(number, wake_writer.try_clone()?)?;
            signal_hook::low_level::pipe::register(number, watched_writer.try_clone()?)?;
        }
        let progress = Arc::new(Progress::default());
        let seen = progress.clone();
        let watch = move || {
            // Closed without a signal: both are ignored, and there is nothing to watch.
            if watched.read_exact(&mut [0]).is_ok() {
                std::thread::sleep(grace + STUCK_MARGIN);
                give_up(seen.undelivered());
            }
        };
        std::thread::Builder::new().name("stop".to_owned()).spawn(watch)?;
        Ok(Self {
            requested,
            signal,
            wake: wake.into(),
            _wake_writer: Some(wake_writer),
            patience: Patience::Total(grace),
            deadline: Cell::new(None),
            progress,
        })
    }

    /// Stops when the input has been silent for a while after the other end of `wake` was closed.
    pub(super) fn at_close(wake: OwnedFd, requested: Arc<AtomicBool>, silence: Duration) -> Self {
        Self {
            requested,
            signal: Arc::default(),
            wake,
            _wake_writer: None,
            patience: Patience::Silence(silence),
            deadline: Cell::new(None),
            progress: Arc::default(),
        }
    }

    /// Where the number of the signal that came will be found; 0 until then.
    pub fn signal(&self) -> Arc<AtomicUsize> {
        self.signal.clone()
    }

    pub(super) fn is_requested(&self) -> bool {
        self.requested.load(Ordering::Acquire)
    }

    pub(super) fn wake(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// Until when the input may go on, once a stop is requested.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let (Patience::Total(patience) | Patience::Silence(patience)) = self.patience;
        if self.deadline.get().is_none() && self.is_requested() {
            self.deadline.set(Some(Instant::now() + patience));
        }
        self.deadline.get()
    }

    pub(super) fn saw_input(&self, bytes: u64) {
        self.progress.read.fetch_add(bytes, Ordering::Relaxed);
        if matches!(self.patience, Patience::Silence(_)) {
            self.deadline.set(None);
        }
    }

    /// All that was released is written; this much of what was read is not released yet.
    pub(super) fn wrote_all_but(&self, pending: u64) {
        let read = self.progress.read.load(Ordering::Relaxed);
        self.progress.written.store(read.saturating_sub(pending), Ordering::Relaxed);
    }
}

/// The signals that this process was started to ignore, bit 0 being signal 1. They must stay ignored, here and in
/// a command that is started from here.
pub(super) fn ignored_signals() -> u64 {
    // No portable call tells without `unsafe`; where there is no such file, none is taken to be ignored.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Codec;
    use crate::filter::{Filter, Input, Output, Policy, Totals};
    use crate::redact::{KeyRing, Options, Redaction};
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use std::io::Write;
    use std::process::{Child, Command, Stdio};

    const CHILD: &str = "BEARTRAP_TEST_STOP";
    const GRACE: Duration = Duration::from_millis(200);

    /// Runs a test again in a process of its own, as a filter with a short grace time: signals go to whole processes.
    fn start(test: &str, output: &std::path::Path) -> Child {
        let name = format!("filter::stop::tests::{test}");
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &name, "--nocapture", "--test-threads=1"])
            .env(CHILD, output)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// In the child: filters, and ends the process with a code that says how it went.
    #[expect(clippy::disallowed_methods, reason = "the test harness has no other way to pass a code on")]
    fn be_the_child() {
        let Some(output) = std::env::var_os(CHILD) else { return };
        let redaction = Redaction::new(KeyRing::parse(&[b'a'; 64]).unwrap(), Options::default()).unwrap();
        let inputs = vec![Input::Stdin];
        let output = Output::create(output.as_ref(), &inputs).unwrap();
        let stop = Stop::at_signals(GRACE, |undelivered| {
            std::process::exit(if undelivered > 0 { 75 } else { 1 });
        });
        let stop = stop.unwrap();
        let filter = Filter {
            redaction: &redaction,
            codec: Codec::Text,
            inputs,
            output,
            stop,
            policy: Policy::default(),
            count_lines: false,
            live: None,
            recording: None,
        };
        let end = filter.run(&mut Totals::default(), |error| panic!("{error}"), |_| {});
        std::process::exit(if end.is_ok() { 0 } else { 1 });
    }

    fn terminate(child: &Child) {
        let pid = rustix::process::Pid::from_raw(child.id().cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }

    #[test]
    fn the_grace_time_ends_an_input_that_does_not_end() {
        be_the_child();
        let dir = tempfile::tempdir().unwrap();
        let output = dir.path().join("out");
        let mut child = start("the_grace_time_ends_an_input_that_does_not_end", &output);
        let mut stdin = child.stdin.take().unwrap();
        // The last word is undecided for as long as it may go on.
        stdin.write_all(b"a line\nhalf").unwrap();
        wait_until(|| std::fs::read(&output).is_ok_and(|written| written.starts_with(b"a line\n")));
        terminate(&child);
        let began = Instant::now();
        // The other end stays open, as that of a service that hangs.
        assert_eq!(child.wait().unwrap().code(), Some(0));
        assert!(began.elapsed() >= GRACE);
        assert_eq!(std::fs::read(&output).unwrap(), b"a line\nhalf");
        drop(stdin);
    }

    #[test]
    fn the_grace_time_ends_an_input_that_never_falls_silent() {
        be_the_child();
        let dir = tempfile::tempdir().unwrap();
        let output = dir.path().join("out");
        let mut child = start("the_grace_time_ends_an_input_that_never_falls_silent", &output);
        let mut stdin = child.stdin.take().unwrap();
        let writer = std::thread::spawn(move || while stdin.write_all(b"again and again\n").is_ok() {});
        wait_until(|| std::fs::metadata(&output).is_ok_and(|metadata| metadata.len() > 0));
        terminate(&child);
        assert_eq!(child.wait().unwrap().code(), Some(0));
        writer.join().unwrap();
    }

    #[test]
    fn a_stuck_output_ends_with_the_count_of_what_is_lost() {
        be_the_child();
        let dir = tempfile::tempdir().unwrap();
        let output = dir.path().join("fifo");
        assert!(Command::new("mkfifo").arg(&output).status().unwrap().success());
        let mut child = start("a_stuck_output_ends_with_the_count_of_what_is_lost", &output);
        // A reader that never reads.
        let _reader = std::fs::File::open(&output).unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // The output must be full when the signal comes, and more must follow.
        let writer = std::thread::spawn(move || while stdin.write_all(&[b'\n'; 4096]).is_ok() {});
        let full = std::fs::File::options().write(true).open(&output).unwrap();
        let is_full = || poll(&mut [PollFd::new(&full, PollFlags::OUT)], Some(&Timespec::default()));
        wait_until(|| is_full() == Ok(0));
        terminate(&child);
        assert_eq!(child.wait().unwrap().code(), Some(75));
        writer.join().unwrap();
    }

    fn wait_until(condition: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !condition() {
            assert!(Instant::now() < deadline, "it never comes true");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
