//! Redaction for programs that write their own logs: adapters for `std::io::Write` and `tracing`.

use crate::redact::{Carry, CleanBlock, Redaction, Redactor};
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use tracing_subscriber::fmt::MakeWriter;

/// The most that one call takes, so that what is waiting for a slow writer stays bounded.
const WRITE_BYTES_MAX: usize = 64 << 10;

/// A writer that redacts what is written to it and hands the rest on, byte for byte.
///
/// What is decided goes on at once, newline or not; the little that is not waits for the next write. [`finish`] ends the
/// stream and decides it; dropping the writer does the same but can't report errors.
///
/// ```
/// use beartrap::{KeyRing, Options, Redaction, RedactingWriter};
/// use std::io::Write;
///
/// let keys = KeyRing::parse(b"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff")?;
/// let redaction = Redaction::new(keys, Options::default())?;
/// let mut log = RedactingWriter::new(Vec::new(), &redaction);
/// writeln!(log, "GET /health 200")?;
/// assert_eq!(log.finish()?, b"GET /health 200\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`finish`]: Self::finish
pub struct RedactingWriter<W: Write> {
    /// `None` only once it is finished.
    inner: Option<W>,
    redactor: Redactor,
    clean: CleanBlock,
    /// How much of `clean` the inner writer has taken.
    written: usize,
}

impl<W: Write> RedactingWriter<W> {
    /// Redacts what goes to `inner`, which is at the start of a stream.
    pub fn new(inner: W, redaction: &Redaction) -> Self {
        Self { inner: Some(inner), redactor: Redactor::new(redaction), clean: CleanBlock::new(), written: 0 }
    }

    /// Ends the stream: what is undecided is decided, written and flushed. Gives the inner writer back.
    ///
    /// # Errors
    /// Those of the inner writer, which is lost then.
    pub fn finish(mut self) -> io::Result<W> {
        self.end()?;
        self.inner.take().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn end(&mut self) -> io::Result<()> {
        self.redactor.end_record(&mut self.clean);
        self.flush()
    }

    /// Hands on what is clean. After an error, what the inner writer did not take is kept for the next call.
    fn hand_on(&mut self) -> io::Result<()> {
        let Some(inner) = &mut self.inner else { return Ok(()) };
        while self.written < self.clean.len() {
            match inner.write(&self.clean.as_bytes()[self.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(len) => self.written += len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.clean.clear();
        self.written = 0;
        Ok(())
    }
}

impl<W: Write> Write for RedactingWriter<W> {
    /// Once input is taken, an error of the inner writer is reported by the next call: what is taken may not be
    /// written a second time by the caller.
    fn write(&mut self, input: &[u8]) -> io::Result<usize> {
        self.hand_on()?;
        let input = &input[..input.len().min(WRITE_BYTES_MAX)];
        self.redactor.push(input, &mut self.clean);
        let _ = self.hand_on();
        Ok(input.len())
    }

    /// Flushes what is decided.
    fn flush(&mut self) -> io::Result<()> {
        self.hand_on()?;
        self.inner.as_mut().map_or(Ok(()), W::flush)
    }
}

impl<W: Write> Drop for RedactingWriter<W> {
    fn drop(&mut self) {
        // A panicking engine or writer must not be asked again. Errors have nobody to go to.
        if self.inner.is_some() && !std::thread::panicking() {
            let _ = self.end();
        }
    }
}

impl<W: Write> std::fmt::Debug for RedactingWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedactingWriter").finish_non_exhaustive()
    }
}

/// Redacts the log of a program that uses `tracing`: each event is a record of its own.
///
/// ```
/// use beartrap::{KeyRing, Options, Redaction, RedactingMakeWriter};
///
/// let keys = KeyRing::parse(b"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff")?;
/// let redaction = Redaction::new(keys, Options::default())?;
/// let writer = RedactingMakeWriter::new(std::io::stderr, redaction);
/// let subscriber = tracing_subscriber::fmt().with_writer(writer).finish();
/// tracing::subscriber::with_default(subscriber, || tracing::info!("the server listens"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct RedactingMakeWriter<M> {
    inner: M,
    redaction: Redaction,
    /// Redactors own a large buffer, so they are used again. There are as many as threads ever logged at once.
    idle: Arc<Mutex<Vec<Redactor>>>,
}

impl<M> RedactingMakeWriter<M> {
    /// Redacts what goes to the writers that `inner` makes.
    pub fn new(inner: M, redaction: Redaction) -> Self {
        Self { inner, redaction, idle: Arc::default() }
    }

    fn event<W: Write>(&self, inner: W) -> RedactingEvent<W> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let redactor = idle.unwrap_or_else(|| Redactor::new(&self.redaction));
        RedactingEvent { inner, redactor: Some(redactor), clean: CleanBlock::new(), idle: self.idle.clone() }
    }
}

impl<M> std::fmt::Debug for RedactingMakeWriter<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedactingMakeWriter").finish_non_exhaustive()
    }
}

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for RedactingMakeWriter<M> {
    type Writer = RedactingEvent<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        self.event(self.inner.make_writer())
    }

    fn make_writer_for(&'a self, metadata: &tracing::Metadata<'_>) -> Self::Writer {
        self.event(self.inner.make_writer_for(metadata))
    }
}

/// The writer of one event, which is handed on in one piece when it is dropped.
pub struct RedactingEvent<W: Write> {
    inner: W,
    /// `None` only while it is dropped.
    redactor: Option<Redactor>,
    clean: CleanBlock,
    idle: Arc<Mutex<Vec<Redactor>>>,
}

impl<W: Write> Write for RedactingEvent<W> {
    fn write(&mut self, input: &[u8]) -> io::Result<usize> {
        if let Some(redactor) = &mut self.redactor {
            redactor.push(input, &mut self.clean);
        }
        Ok(input.len())
    }

    /// Nothing leaves before the event is complete.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W: Write> Drop for RedactingEvent<W> {
    fn drop(&mut self) {
        let Some(mut redactor) = self.redactor.take().filter(|_| !std::thread::panicking()) else { return };
        redactor.end_record(&mut self.clean);
        // Events of other threads may come between this one and the next.
        redactor.resume(Carry::default());
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(redactor);
        // A log has nobody to report its own failure to.
        let _ = self.inner.write_all(self.clean.as_bytes()).and_then(|()| self.inner.flush());
    }
}

impl<W: Write> std::fmt::Debug for RedactingEvent<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedactingEvent").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::{KeyRing, Options};
    use std::sync::mpsc;

    fn redaction() -> Redaction {
        let keys = KeyRing::parse(&[b'a'; 64]).unwrap();
        Redaction::new(keys, Options::default()).unwrap()
    }

    /// Takes one byte a call, and fails every second time.
    #[derive(Default)]
    struct Slow {
        taken: Vec<u8>,
        calls: usize,
    }

    impl Write for Slow {
        fn write(&mut self, input: &[u8]) -> io::Result<usize> {
            self.calls += 1;
            if self.calls.is_multiple_of(2) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.taken.extend(input.first());
            Ok(input.len().min(1))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nothing_is_lost_or_doubled_when_the_inner_writer_fails() {
        let mut writer = RedactingWriter::new(Slow::default(), &redaction());
        let text = b"first line\nsecond line\n";
        let mut rest = &text[..];
        while !rest.is_empty() {
            match writer.write(rest) {
                Ok(len) => rest = &rest[len..],
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        while writer.flush().is_err() {}
        assert_eq!(writer.finish().unwrap().taken, text);
    }

    #[test]
    fn dropping_writes_the_rest() {
        let mut taken = Vec::new();
        RedactingWriter::new(&mut taken, &redaction()).write_all(b"no newline").unwrap();
        assert_eq!(taken, b"no newline");
    }

    struct Channel(mpsc::Sender<Vec<u8>>);

    impl Write for Channel {
        fn write(&mut self, input: &[u8]) -> io::Result<usize> {
            self.0.send(input.to_vec()).map_err(io::Error::other)?;
            Ok(input.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_event_goes_on_in_one_piece() {
        let (sender, events) = mpsc::channel();
        let writer = RedactingMakeWriter::new(move || Channel(sender.clone()), redaction());
        let subscriber = tracing_subscriber::fmt().with_writer(writer).without_time().with_ansi(false).finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("one");
            tracing::warn!(port = 80, "two");
        });
        let events: Vec<String> = events.try_iter().map(|event| String::from_utf8(event).unwrap()).collect();
        assert_eq!(events.len(), 2);
        assert!(events[0].ends_with("one\n") && events[1].ends_with("two port=80\n"), "{events:?}");
    }
}
