//! Standard input as a source.
//!
//! A thread of its own does the reading: a read of a terminal or pipe can't be cancelled, and the runtime waits for
//! its own blocking threads when it ends.

use super::config::Source;
use super::failure::Failure;
use super::outlet::Outlet;
use super::source::{READ_BYTES, SourceReport, Stream, StreamEnd, decoding, reading_ends};
use super::stop::Stop;
use crate::redact::Redaction;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::io::{self, PipeReader};
use std::os::fd::AsFd;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

pub(super) async fn run(
    source: &Source,
    whole_records: bool,
    redaction: &Redaction,
    outlet: Outlet,
    stop: watch::Receiver<Stop>,
    grace: Duration,
) -> Result<SourceReport, Failure> {
    let failed = |error: io::Error| Failure::source(&source.name, "stdin", error);
    let mut stream = Stream::new(redaction, decoding(source, whole_records), outlet, stop.clone(), None);
    let (mut pieces, reader) = start_reader().map_err(failed)?;
    let mut reader = Some(reader);
    let mut ends = std::pin::pin!(reading_ends(stop, grace));
    let mut error = None;
    loop {
        let piece = tokio::select! {
            piece = pieces.recv() => piece,
            // The reader stops before its next read and hangs up: what it has read by then still arrives here.
            () = &mut ends, if reader.is_some() => {
                reader = None;
                continue;
            }
        };
        let pushed = match piece {
            Some(Ok(piece)) => stream.push(piece).await,
            Some(Err(failure)) => {
                error = Some(failure);
                continue;
            }
            None => {
                note(source, stream.finish().await);
                break;
            }
        };
        if pushed.is_err() {
            note(source, pushed);
            break;
        }
    }
    match error {
        Some(error) => Err(failed(error)),
        None => Ok(stream.report()),
    }
}

fn note(source: &Source, end: Result<(), StreamEnd>) {
    if let Err(StreamEnd::Framing(error)) = end {
        tracing::warn!(source = source.name, %error, "standard input can't be read further");
    }
}

/// Stops the reader when it is dropped.
struct Reader {
    _stop: io::PipeWriter,
}

type Pieces = mpsc::Receiver<io::Result<Vec<u8>>>;

fn start_reader() -> io::Result<(Pieces, Reader)> {
    let (stopped, stop) = io::pipe()?;
    let (sender, pieces) = mpsc::channel(1);
    std::thread::Builder::new().name("stdin".into()).spawn(move || read_pieces(io::stdin(), &stopped, &sender))?;
    Ok((pieces, Reader { _stop: stop }))
}

/// Reads until the end, an error, or until the other end of `stopped` is closed.
fn read_pieces(input: impl AsFd, stopped: &PipeReader, pieces: &mpsc::Sender<io::Result<Vec<u8>>>) {
    loop {
        let mut fds = [PollFd::new(&input, PollFlags::IN), PollFd::new(stopped, PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(error) => {
                let _ = pieces.blocking_send(Err(error.into()));
                return;
            }
        }
        if !fds[1].revents().is_empty() {
            return;
        }
        let mut piece = Vec::with_capacity(READ_BYTES);
        let piece = match rustix::io::read(&input, rustix::buffer::spare_capacity(&mut piece)) {
            Ok(0) => return,
            Ok(_) => Ok(piece),
            Err(Errno::INTR | Errno::AGAIN) => continue,
            Err(error) => Err(error.into()),
        };
        let failed = piece.is_err();
        if pieces.blocking_send(piece).is_err() || failed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn the_reader_delivers_all_and_can_be_stopped() {
        let (input, mut writer) = io::pipe().unwrap();
        let (stopped, stop) = io::pipe().unwrap();
        let (sender, mut pieces) = mpsc::channel(1);
        let thread = std::thread::spawn(move || read_pieces(input, &stopped, &sender));
        writer.write_all(b"last ").unwrap();
        assert_eq!(pieces.blocking_recv().unwrap().unwrap(), b"last ");
        writer.write_all(b"words").unwrap();
        assert_eq!(pieces.blocking_recv().unwrap().unwrap(), b"words");
        drop(stop);
        assert!(pieces.blocking_recv().is_none());
        thread.join().unwrap();
    }

    #[test]
    fn the_reader_ends_with_its_input_and_reports_errors() {
        let (input, writer) = io::pipe().unwrap();
        drop(writer);
        let (stopped, _stop) = io::pipe().unwrap();
        let (sender, mut pieces) = mpsc::channel(1);
        std::thread::spawn(move || {
            read_pieces(input, &stopped, &sender);
            read_pieces(std::fs::File::open("/").unwrap(), &stopped, &sender);
        });
        assert_eq!(pieces.blocking_recv().unwrap().unwrap_err().kind(), io::ErrorKind::IsADirectory);
        assert!(pieces.blocking_recv().is_none());
    }
}
