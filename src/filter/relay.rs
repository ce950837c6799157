//! The loop: wait, read, scan, write.

use super::engine::{Engine, Released};
use super::input::Source;
use super::output::Output;
use super::stop::Stop;
use crate::redact::Counts;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

/// What the filter did.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Newlines in the input, if they were counted.
    pub lines: u64,
    /// Bytes of input.
    pub bytes_read: u64,
    /// Bytes of output.
    pub bytes_written: u64,
    /// What was replaced.
    pub findings: Counts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Eof,
    /// Writing failed because the reader has closed its end.
    ReaderGone,
    /// The stop's patience is over.
    Stopped,
}

#[derive(Debug)]
pub(super) enum RelayError {
    Read(io::Error),
    Write(io::Error),
}

/// Carries one input through the engine to its end, or to the end of patience. What is undecided then waits in the
/// engine for more input or for [`finish`].
pub(super) fn relay(
    source: &Source,
    engine: &mut Engine,
    output: &Output,
    stop: &Stop,
    totals: &mut Totals,
    count_lines: bool,
    saw_input: impl Fn(u64),
) -> Result<End, RelayError> {
    loop {
        match wait(source, output, stop).map_err(RelayError::Read)? {
            Ready::Input => {}
            Ready::ReaderGone => return Ok(End::ReaderGone),
            Ready::Stopped => return Ok(End::Stopped),
        }
        let space = engine.space();
        let len = match rustix::io::read(source, &mut *space) {
            Ok(0) => return Ok(End::Eof),
            Ok(len) => len,
            // Whoever shares the open file may have made it non-blocking; the next wait returns when there is something.
            Err(Errno::INTR | Errno::AGAIN) => continue,
            Err(error) => return Err(RelayError::Read(error.into())),
        };
        if count_lines {
            totals.lines += memchr::memchr_iter(b'\n', &space[..len]).count() as u64;
        }
        totals.bytes_read += len as u64;
        stop.saw_input(len as u64);
        saw_input(len as u64);
        let released = engine.filled(len).map_err(RelayError::Read)?;
        if !write(&released, output, totals)? {
            return Ok(End::ReaderGone);
        }
        stop.wrote_all_but(engine.pending());
    }
}

/// Ends the stream: what is undecided is decided and goes out. Returns whether there was still a reader.
pub(super) fn finish(
    engine: &mut Engine,
    output: &Output,
    stop: &Stop,
    totals: &mut Totals,
) -> Result<bool, RelayError> {
    let released = engine.finish().map_err(RelayError::Read)?;
    let read = write(&released, output, totals)?;
    stop.wrote_all_but(0);
    Ok(read)
}

fn write(released: &Released<'_>, output: &Output, totals: &mut Totals) -> Result<bool, RelayError> {
    match output.write(released) {
        Ok(()) => totals.bytes_written += released.as_bytes().len() as u64,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(false),
        Err(error) => return Err(RelayError::Write(error)),
    }
    Ok(true)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ready {
    Input,
    ReaderGone,
    Stopped,
}

/// Waits for input, the end of the stop's patience, or the reader's going.
fn wait(source: &Source, output: &Output, stop: &Stop) -> io::Result<Ready> {
    if source.is_always_ready() {
        return Ok(if stop.is_requested() { Ready::Stopped } else { Ready::Input });
    }
    loop {
        if stop.is_requested() && !source.may_have_last_words() {
            return Ok(Ready::Stopped);
        }
        let deadline = stop.deadline();
        let timeout = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = timeout.and_then(|left| Timespec::try_from(left).ok());
        // What is not to be waited for is replaced by the source, which is waited for anyway: the descriptor of a known
        // stop stays readable, and only pipes tell that their reader has gone.
        let reader = if output.is_pipe() { output.as_fd() } else { source.as_fd() };
        let wake = if deadline.is_none() { stop.wake() } else { source.as_fd() };
        let mut fds = [
            PollFd::from_borrowed_fd(source.as_fd(), PollFlags::IN),
            // Errors are reported unasked. Thanks to this, `tail -f log | beartrap | head -1` ends with the first line
            // and not with the second.
            PollFd::from_borrowed_fd(reader, PollFlags::empty()),
            PollFd::from_borrowed_fd(wake, PollFlags::IN),
        ];
        match rustix::event::poll(&mut fds, timeout.as_ref()) {
            Ok(0) => return Ok(Ready::Stopped),
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        if output.is_pipe() && fds[1].revents().intersects(PollFlags::ERR | PollFlags::HUP) {
            return Ok(Ready::ReaderGone);
        }
        if !fds[0].revents().is_empty() {
            // A source that never falls silent may not outlive a patience that is meant as a total.
            let over = deadline.is_some_and(|deadline| deadline <= Instant::now());
            return Ok(if over { Ready::Stopped } else { Ready::Input });
        }
    }
}

/// Gives a pipe room for more than the usual 64 KiB. A user's quota of pipe memory may forbid it; it works without.
pub(super) fn widen(pipe: BorrowedFd<'_>) {
    #[cfg(target_os = "linux")]
    {
        const PIPE_BYTES: usize = 1 << 20;
        if rustix::pipe::fcntl_getpipe_size(pipe).is_ok_and(|size| size < PIPE_BYTES) {
            let _ = rustix::pipe::fcntl_setpipe_size(pipe, PIPE_BYTES);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = pipe;
}
