//! Reading a followed file and giving it to the engine: what is new, whether it is still the same file, how it ends.

use super::super::SourceReport;
use super::super::poison::{Careful, Work};
use super::{Follower, READ_BYTES, Shared, Step};
use crate::agent::attempts::{Attempts, Place};
use crate::agent::identity::{HEAD_LEN_MAX, Landmarks, Position, TAIL_LEN_MAX};
use crate::agent::status::Incident;
use crate::codec::FramingError;
use crate::redact::{Carry, CleanBlock};
use std::io;
use std::os::unix::fs::FileExt;
use std::time::Instant;

/// First bytes of gzip, zstd, xz and lz4 files: rotated logs, which hold no lines.
const COMPRESSED: [&[u8]; 4] = [b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"\x04\x22\x4d\x18"];

impl Follower {
    /// Reads once, if there is something; at most one block comes out.
    ///
    /// The bytes before `read_to` are read once more and compared, so a file that was truncated and has grown past
    /// `read_to` between two turns is noticed too. What can't be noticed is one that grew back to the same bytes there.
    pub fn step(
        &mut self,
        shared: &Shared,
        attempts: &mut Attempts,
        buffer: &mut [u8],
        report: &mut SourceReport,
    ) -> io::Result<Step> {
        let Some(file) = &self.file else { return Ok(Step::Idle) };
        let overlap = self.landmarks.tail.len();
        let start = self.read_to - overlap as u64;
        let len = read_past(file, &mut buffer[..overlap + READ_BYTES], start, overlap)?;
        if len < overlap || buffer[..overlap] != self.landmarks.tail[..] {
            report.truncated += 1;
            shared.meter.note(Incident::TruncatedFile);
            tracing::info!(source = shared.source, path = %self.path.display(), "file was truncated and is read from its beginning");
            return Ok(self.restart(shared, attempts, report));
        }
        if len == overlap || self.abandoned {
            if self.is_expired(Instant::now(), shared) {
                return Ok(self.end(shared, attempts, report));
            }
            if self.read_to == self.position.offset {
                // Most files are idle most of the time: their streams are not to hold memory meanwhile.
                self.end_stream(report);
            }
            self.pause(shared);
            return Ok(Step::Idle);
        }
        let may_be_compressed = self.read_to == 0 && COMPRESSED.iter().any(|magic| magic.starts_with(&buffer[..len]));
        if may_be_compressed && !self.is_expired(Instant::now(), shared) {
            // Too little of it is there to tell.
            self.pause(shared);
            return Ok(Step::Idle);
        }
        self.last_growth = Instant::now();
        self.ended = false;
        Ok(self.take(shared, attempts, &buffer[..len], overlap, report))
    }

    /// Takes `bytes[overlap..]` as the file's next.
    fn take(
        &mut self,
        shared: &Shared,
        attempts: &mut Attempts,
        bytes: &[u8],
        overlap: usize,
        report: &mut SourceReport,
    ) -> Step {
        let new = &bytes[overlap..];
        if self.read_to == 0 && COMPRESSED.iter().any(|magic| new.starts_with(magic)) {
            tracing::info!(source = shared.source, path = %self.path.display(), "compressed file is not read");
            self.abandoned = true;
            self.ready = false;
            return Step::Idle;
        }
        let hole = if self.in_hole { new.iter().take_while(|&&byte| byte == 0).count() } else { 0 };
        if hole < new.len() {
            self.in_hole = false;
        }
        report.bytes += new.len() as u64;
        report.hole_bytes += hole as u64;
        let mut block = CleanBlock::with_capacity(new.len());
        if hole > 0 {
            self.note(bytes, overlap, hole);
            self.stream_start = self.read_to;
            self.set_position(shared, self.read_to, Carry::None, &self.landmarks.tail.clone());
        }
        if hole < new.len() {
            let before = self.read_to;
            let framing = self.push(shared, attempts, &new[hole..], &mut block, report);
            if let Some(stream) = &mut self.stream {
                stream.rest();
            }
            block.shrink_to(0);
            let (consumed, carry) = self.consumed();
            self.note(bytes, overlap + hole, new.len() - hole);
            // The bytes before an older offset are gone, so it can't be told by a digest; the next one will do.
            if consumed > self.position.offset && consumed >= before {
                let end = bytes.len() - usize::try_from(self.read_to - consumed).unwrap_or(0);
                let tail = bytes[end.saturating_sub(TAIL_LEN_MAX)..end].to_vec();
                self.set_position(shared, consumed, carry, &tail);
            }
            if let Err(error) = framing {
                report.broken_streams += 1;
                tracing::warn!(source = shared.source, path = %self.path.display(), %error, "file can't be read on");
                self.abandoned = true;
                self.ready = false;
            }
        }
        Step::Block(block, self.position)
    }

    /// Gives `input`, which begins at `read_to`, to the engine.
    fn push(
        &mut self,
        shared: &Shared,
        attempts: &mut Attempts,
        input: &[u8],
        block: &mut CleanBlock,
        report: &mut SourceReport,
    ) -> Result<(), FramingError> {
        let Position { offset, carry, .. } = self.position;
        if self.stream.is_none()
            && let Some(careful) = &mut self.careful
        {
            careful.restart(offset, carry, shared);
        }
        let stream = self.stream.get_or_insert_with(|| shared.stream(carry, &self.path, self.read_to));
        let Some(careful) = &mut self.careful else {
            let range = offset..self.read_to + input.len() as u64;
            attempts.begin(&Place { id: self.id, range, is_record: false });
            return stream.push(input, block);
        };
        let stream_start = &mut self.stream_start;
        let mut work = Work { shared, path: &self.path, attempts, report, stream, stream_start };
        careful.push(&mut work, input, self.read_to, block)
    }

    /// Up to where records have been released whole, and what the last one left open.
    fn consumed(&mut self) -> (u64, Carry) {
        if let Some(failed_at) = self.careful.as_ref().and_then(Careful::failed_at) {
            return (failed_at, self.position.carry);
        }
        self.careful.take_if(|careful| careful.is_over());
        let Some(stream) = &self.stream else { return (self.position.offset, self.position.carry) };
        (self.stream_start + stream.consumed(), stream.carry())
    }

    /// Moves `read_to` over `len` bytes at `bytes[at..]`; what lies before them in `bytes` lies before them in the file.
    fn note(&mut self, bytes: &[u8], at: usize, len: usize) {
        let end = at + len;
        if self.read_to < HEAD_LEN_MAX as u64 {
            let missing = HEAD_LEN_MAX.saturating_sub(self.landmarks.head.len()).min(len);
            self.landmarks.head.extend_from_slice(&bytes[at..at + missing]);
        }
        self.landmarks.tail.clear();
        self.landmarks.tail.extend_from_slice(&bytes[end.saturating_sub(TAIL_LEN_MAX)..end]);
        self.read_to += len as u64;
    }

    fn set_position(&mut self, shared: &Shared, offset: u64, carry: Carry, tail: &[u8]) {
        let head = if self.position.offset >= HEAD_LEN_MAX as u64 {
            self.position.head
        } else {
            let len = usize::try_from(offset).unwrap_or(usize::MAX).min(self.landmarks.head.len());
            shared.key.head(&self.landmarks.head[..len])
        };
        self.position = Position { offset, carry, head, tail: shared.key.tail(tail) };
        self.position_tail.clear();
        self.position_tail.extend_from_slice(tail);
        if offset >= HEAD_LEN_MAX as u64 {
            self.landmarks.head = Vec::new();
        }
    }

    /// Begins again at the file's start; the half record that was there before goes out.
    fn restart(&mut self, shared: &Shared, attempts: &mut Attempts, report: &mut SourceReport) -> Step {
        let (block, _) = self.finish_stream(shared, attempts, report);
        self.careful = None;
        self.read_to = 0;
        self.stream_start = 0;
        self.landmarks = Landmarks::default();
        self.position = Position::start(&shared.key);
        self.position_tail.clear();
        self.in_hole = true;
        self.abandoned = false;
        self.ready = true;
        Step::Block(block, self.position)
    }

    /// Nobody has written for long enough: a last record without a delimiter is complete now.
    fn end(&mut self, shared: &Shared, attempts: &mut Attempts, report: &mut SourceReport) -> Step {
        let (block, carry) = self.finish_stream(shared, attempts, report);
        let tail = self.landmarks.tail.clone();
        self.set_position(shared, self.read_to, carry, &tail);
        self.ended = true;
        self.ready = false;
        Step::Block(block, self.position)
    }

    fn finish_stream(
        &mut self,
        shared: &Shared,
        attempts: &mut Attempts,
        report: &mut SourceReport,
    ) -> (CleanBlock, Carry) {
        let mut block = CleanBlock::new();
        let mut carry = self.position.carry;
        if let Some(stream) = &mut self.stream {
            let range = self.position.offset..self.read_to;
            let finished = match &mut self.careful {
                _ if self.abandoned => Ok(()),
                None => {
                    attempts.begin(&Place { id: self.id, range, is_record: false });
                    stream.finish(&mut block)
                }
                Some(careful) => {
                    let stream_start = &mut self.stream_start;
                    let mut work = Work { shared, path: &self.path, attempts, report, stream, stream_start };
                    careful.finish(&mut work, self.read_to, &mut block)
                }
            };
            if let Err(error) = finished {
                tracing::warn!(source = shared.source, path = %self.path.display(), %error, "last record is not complete");
            }
            carry = stream.carry();
        }
        self.end_stream(report);
        (block, carry)
    }

    /// Drops the stream and keeps its counts; the next one starts at `read_to`.
    pub fn end_stream(&mut self, report: &mut SourceReport) {
        self.stream_start = self.read_to;
        if let Some(stream) = self.stream.take() {
            report.add(&stream);
        }
    }
}

/// Reads from `offset` until there is more than `enough`, or the file ends: short reads and signals are no end.
fn read_past(file: &impl FileExt, buffer: &mut [u8], offset: u64, enough: usize) -> io::Result<usize> {
    let mut len = 0;
    while len <= enough {
        match file.read_at(&mut buffer[len..], offset + len as u64) {
            Ok(0) => break,
            Ok(read) => len += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// A file system that gives one byte at a time, is interrupted before each, and fails at an offset.
    struct Slow {
        contents: &'static [u8],
        fails_at: u64,
        calls: Cell<u64>,
    }

    impl FileExt for Slow {
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            self.calls.set(self.calls.get() + 1);
            match self.contents.get(offset as usize) {
                _ if self.calls.get() % 2 == 1 => Err(io::ErrorKind::Interrupted.into()),
                _ if offset == self.fails_at => Err(io::Error::from_raw_os_error(libc::EIO)),
                Some(byte) => {
                    buffer[0] = *byte;
                    Ok(1)
                }
                None => Ok(0),
            }
        }

        fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    #[test]
    fn short_reads_and_signals_are_no_end_and_errors_are_no_data() {
        let slow = |fails_at| Slow { contents: b"0123456789", fails_at, calls: Cell::new(0) };
        let mut buffer = [0; 64];
        // More than what is compared with what was there before, or all.
        assert_eq!(read_past(&slow(99), &mut buffer, 2, 4).unwrap(), 5);
        assert_eq!(&buffer[..5], b"23456");
        assert_eq!(read_past(&slow(99), &mut buffer, 2, 60).unwrap(), 8);
        assert_eq!(read_past(&slow(4), &mut buffer, 2, 4).unwrap_err().raw_os_error(), Some(libc::EIO));
    }
}
