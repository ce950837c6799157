//! Standard error: every byte that goes there passes the redactor, own messages included.

use crate::redact::{KeyRing, Options, Redaction, Redactor};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use tracing::Level;
use zeroize::Zeroizing;

static STDERR: Mutex<Stderr> = Mutex::new(Stderr { redactor: None, level: Level::WARN, json: false });

struct Stderr {
    redactor: Option<Redactor>,
    level: Level,
    json: bool,
}

/// From now on messages are redacted under the user's own key.
pub(super) fn set_redaction(redaction: &Redaction) {
    lock().redactor = Some(Redactor::new(redaction));
}

/// From now on messages under this level are left out, and are written as JSON through the log if `json` says so.
pub(super) fn set_format(level: Level, json: bool) {
    let mut stderr = lock();
    (stderr.level, stderr.json) = (level, json);
}

/// Writes one message for the user.
pub(super) fn report(level: Level, message: &str) {
    let stderr = lock();
    if level > stderr.level {
        return;
    }
    if stderr.json {
        // The log's writer takes the lock itself.
        drop(stderr);
        if level == Level::ERROR {
            tracing::error!(target: "beartrap", "{message}")
        } else {
            tracing::warn!(target: "beartrap", "{message}")
        }
    } else {
        stderr.write_redacted(format!("beartrap: {message}\n").as_bytes());
    }
}

/// Writes one message unless that would have to wait for somebody: standard error may go down the same stuck pipe as
/// the data.
pub(super) fn report_unless_blocked(message: &str) {
    let fd = rustix::stdio::stderr();
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let ready = rustix::event::poll(&mut [PollFd::new(&fd, PollFlags::OUT)], Some(&at_once)) == Ok(1);
    let locked = matches!(STDERR.try_lock(), Err(TryLockError::WouldBlock));
    if ready && !locked {
        report(Level::ERROR, message);
    }
}

/// Writes a text as it is, redacted, whatever the level.
pub(super) fn print(text: &str) {
    lock().write_redacted(text.as_bytes());
}

fn lock() -> MutexGuard<'static, Stderr> {
    STDERR.lock().unwrap_or_else(PoisonError::into_inner)
}

trait WriteRedacted {
    fn write_redacted(self, text: &[u8]);
}

impl WriteRedacted for MutexGuard<'_, Stderr> {
    fn write_redacted(mut self, text: &[u8]) {
        if self.redactor.is_none() {
            self.redactor = throw_away();
        }
        match &mut self.redactor {
            Some(redactor) => write_all(&redactor.redact(text).clean),
            None => write_all(b"beartrap: a message is left out because there is no randomness to redact it with\n"),
        }
    }
}

/// Before the user's key is known, and where it never is, messages are redacted under a key that nobody keeps.
fn throw_away() -> Option<Redactor> {
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *secret).ok()?;
    let text: Zeroizing<String> = Zeroizing::new(secret.iter().map(|byte| format!("{byte:02x}")).collect());
    let keys = KeyRing::parse(text.as_bytes()).ok()?;
    Some(Redactor::new(&Redaction::new(keys, Options::default()).ok()?))
}

fn write_all(mut bytes: &[u8]) {
    let fd = rustix::stdio::stderr();
    while !bytes.is_empty() {
        match rustix::io::write(fd, bytes) {
            Ok(n) => bytes = &bytes[n.min(bytes.len())..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let _ = rustix::event::poll(&mut [PollFd::new(&fd, PollFlags::OUT)], None);
            }
            // Nobody is left to be told.
            Err(_) => return,
        }
    }
}

/// The log's way to standard error. The log writes each event in one piece, so each is scanned as a whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Log;

impl Write for Log {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        lock().write_redacted(event);
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
