//! Waiting for input or for what makes it pointless to wait, and reading it.

use super::input::Source;
use super::output::Output;
use super::stop::Stop;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

/// `None` if there is nothing after all: whoever shares the open file with us may have made it non-blocking, and taken
/// it. The next wait returns when there is something.
pub(super) fn read(source: &Source, space: &mut [u8]) -> io::Result<Option<usize>> {
    match rustix::io::read(source, space) {
        Ok(len) => Ok(Some(len)),
        Err(Errno::INTR | Errno::AGAIN) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    Input,
    ReaderGone,
    Stopped,
    /// Nothing of these, but it is time to tell something.
    ToTell,
}

/// Waits for input, the end of the stop's patience, the reader's going if there is an `output`, or `tell_at`.
pub(super) fn wait(
    source: &Source,
    output: Option<&Output>,
    stop: &Stop,
    tell_at: Option<Instant>,
) -> io::Result<Ready> {
    if source.is_always_ready() {
        return Ok(if stop.is_requested() { Ready::Stopped } else { Ready::Input });
    }
    let output = output.filter(|output| output.is_pipe());
    loop {
        if stop.is_requested() && !source.may_have_last_words() {
            return Ok(Ready::Stopped);
        }
        let deadline = stop.deadline();
        let until = [deadline, tell_at].into_iter().flatten().min();
        let timeout = until.map(|until| until.saturating_duration_since(Instant::now()));
        let timeout = timeout.and_then(|left| Timespec::try_from(left).ok());
        // What is not to be waited for is replaced by the source, which is waited for anyway: the descriptor of a known
        // stop stays readable, and only pipes tell that their reader has gone.
        let reader = output.map_or(source.as_fd(), |output| output.as_fd());
        let wake = if deadline.is_none() { stop.wake() } else { source.as_fd() };
        let mut fds = [
            PollFd::from_borrowed_fd(source.as_fd(), PollFlags::IN),
            // Errors are reported unasked. Thanks to this, `tail -f log | beartrap | head -1` ends with the first line
            // and not with the second.
            PollFd::from_borrowed_fd(reader, PollFlags::empty()),
            PollFd::from_borrowed_fd(wake, PollFlags::IN),
        ];
        match rustix::event::poll(&mut fds, timeout.as_ref()) {
            Ok(0) if deadline.is_none_or(|deadline| deadline > Instant::now()) => return Ok(Ready::ToTell),
            Ok(0) => return Ok(Ready::Stopped),
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        if output.is_some() && fds[1].revents().intersects(PollFlags::ERR | PollFlags::HUP) {
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
