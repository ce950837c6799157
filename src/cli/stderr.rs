//! Standard error: every byte that goes there passes the redactor, own messages included.

use crate::redact::{KeyRing, Options, Redaction, Redactor};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use std::io::{self, Write};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::time::Duration;
use tracing::Level;
use zeroize::Zeroizing;

/// Messages that wait for a standard error that may be stuck.
const MESSAGES_MAX: usize = 64;
const SETTLE_PATIENCE: Duration = Duration::from_secs(1);

static APART: OnceLock<SyncSender<Message>> = OnceLock::new();

enum Message {
    Report(Level, String),
    Text(String),
    /// Its end is dropped when all before it is written.
    Settle(SyncSender<()>),
}

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

/// From now on messages are written by a thread of their own, and left out while too many wait: standard error may go
/// down the same stuck pipe as the data, and nobody else is to wait for it.
pub(super) fn hand_over() {
    APART.get_or_init(|| {
        let (sender, messages) = sync_channel(MESSAGES_MAX);
        let write = move || {
            for message in messages {
                match message {
                    Message::Report(level, message) => report_now(level, &message),
                    Message::Text(text) => lock().write_redacted(text.as_bytes()),
                    Message::Settle(settled) => drop(settled),
                }
            }
        };
        // Without a thread there are no messages, which is what a stuck standard error comes to as well.
        let _ = std::thread::Builder::new().name("messages".to_owned()).spawn(write);
        sender
    });
}

/// Waits until the messages that were handed over are written, but not for long.
pub(super) fn settle() {
    if let Some(apart) = APART.get() {
        let (settled, settling) = sync_channel::<()>(0);
        if apart.try_send(Message::Settle(settled)).is_ok() {
            // Answered by dropping the other end.
            let _ = settling.recv_timeout(SETTLE_PATIENCE);
        }
    }
}

/// Writes one message for the user.
pub(super) fn report(level: Level, message: &str) {
    match APART.get() {
        Some(apart) => {
            let _ = apart.try_send(Message::Report(level, message.to_owned()));
        }
        None => report_now(level, message),
    }
}

fn report_now(level: Level, message: &str) {
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
    if APART.get().is_some() || ready && !locked {
        report(Level::ERROR, message);
    }
}

/// Writes a text as it is, redacted, whatever the level.
pub(super) fn print(text: &str) {
    match APART.get() {
        Some(apart) => {
            let _ = apart.try_send(Message::Text(text.to_owned()));
        }
        None => lock().write_redacted(text.as_bytes()),
    }
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
pub(super) fn throw_away() -> Option<Redactor> {
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
