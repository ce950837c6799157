//! Records that the engine can't survive: each is replaced by a marker, and the file goes on behind it.
//!
//! Where the engine has failed twice ([`Attempts`]) records are taken one by one. What fails then is not tried again, and
//! nothing that the engine held of it leaves.

use super::super::attempts::{Attempts, Place, Suspicion};
use super::super::identity::FileId;
use super::super::sampled::SampledStream;
use super::super::status::Incident;
use super::SourceReport;
use super::follower::Shared;
use crate::codec::{Codec, FramingError, RecordEnds};
use crate::redact::{Carry, CleanBlock};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// How a private key begins that may go on for lines.
const PEM_BEGIN: &[u8] = b"-----BEGIN";

/// Takes the records of one file one by one, up to the end of a suspect range.
pub(super) struct Careful {
    id: FileId,
    suspicion: Suspicion,
    ends: RecordEnds,
    /// Where the oldest record begins that is not complete, or not decided, and how many have begun since.
    start: u64,
    /// What the record before that left open.
    carry: Carry,
    records: u64,
    in_record: bool,
    /// The engine has failed at one of them.
    failed: bool,
    saw_pem: bool,
    /// The record before was replaced: one that is indented may be its rest, as in a header that is folded.
    follows_failure: bool,
    is_rest: bool,
}

impl Careful {
    /// For a file that is read from `start`, where a record begins.
    pub fn new(id: FileId, suspicion: Suspicion, start: u64, carry: Carry, shared: &Shared) -> Self {
        let ends = RecordEnds::new(&shared.decoding);
        Self {
            id,
            suspicion,
            ends,
            start,
            carry,
            records: 0,
            in_record: false,
            failed: false,
            saw_pem: false,
            follows_failure: false,
            is_rest: false,
        }
    }

    /// Begins again at `start`, where a record begins.
    pub fn restart(&mut self, start: u64, carry: Carry, shared: &Shared) {
        *self = Self::new(self.id, self.suspicion.clone(), start, carry, shared);
    }

    /// Whether all that is suspect lies behind.
    pub fn is_over(&self) -> bool {
        self.records == 0 && !self.failed && !self.follows_failure && self.start >= self.suspicion.range.end
    }

    /// Where the records begin that the stream is not to be asked about any more.
    pub fn failed_at(&self) -> Option<u64> {
        self.failed.then_some(self.start)
    }

    /// Hands `input`, which lies at `offset` of the file, to the stream record by record.
    pub fn push(
        &mut self,
        work: &mut Work<'_>,
        input: &[u8],
        offset: u64,
        block: &mut CleanBlock,
    ) -> Result<(), FramingError> {
        let mut rest = input;
        let mut at = offset;
        while !rest.is_empty() {
            let (len, ended) = self.ends.take(rest)?;
            let (piece, after) = rest.split_at(len);
            at += len as u64;
            rest = after;
            if !self.in_record {
                self.in_record = true;
                self.records += 1;
                self.is_rest = std::mem::take(&mut self.follows_failure) && matches!(piece.first(), Some(b' ' | b'\t'));
                self.failed |= self.is_rest;
            }
            self.saw_pem |= memchr::memmem::find(piece, PEM_BEGIN).is_some();
            if !self.failed {
                self.try_piece(work, piece, at, block)?;
            }
            if ended {
                self.in_record = false;
                self.end_record(work, at, block);
            }
        }
        Ok(())
    }

    fn try_piece(
        &mut self,
        work: &mut Work<'_>,
        piece: &[u8],
        end: u64,
        block: &mut CleanBlock,
    ) -> Result<(), FramingError> {
        let is_suspect = end > self.suspicion.range.start;
        if is_suspect && self.suspicion.fatal.iter().any(|fatal| fatal.start == self.start && end >= fatal.end) {
            self.failed = true;
            return Ok(());
        }
        let mut clean = CleanBlock::new();
        let range = self.start..end;
        let place = Place { id: self.id, range, is_record: is_suspect };
        let result = attempt(work.attempts, &place, || work.stream.push(piece, &mut clean));
        match result {
            Some(result) => {
                block.set_delimiter(clean.delimiter());
                block.append(&clean);
                result
            }
            None => {
                self.failed = true;
                Ok(())
            }
        }
    }

    fn end_record(&mut self, work: &mut Work<'_>, at: u64, block: &mut CleanBlock) {
        if self.failed {
            self.replace(work, block);
            // The rest of a text in parts is not to be met in its middle.
            if !self.ends.is_text_open() || at - self.start > work.shared.decoding.max_record_bytes as u64 {
                self.resume(work, at);
            }
        } else if *work.stream_start + work.stream.consumed() == at {
            self.start = at;
            self.carry = work.stream.carry();
            self.records = 0;
            self.saw_pem = false;
        }
    }

    /// Puts a marker in the place of each record that has begun.
    fn replace(&mut self, work: &mut Work<'_>, block: &mut CleanBlock) {
        let Shared { decoding, redaction, source, .. } = work.shared;
        let path = work.path.display();
        let delimiter = decoding.framing.delimiter();
        block.set_delimiter(delimiter);
        for _ in 0..self.records {
            block.push_record_marker(redaction, matches!(decoding.codec, Codec::Json | Codec::Docker));
            match delimiter {
                Some(delimiter) => block.push_delimiter(delimiter),
                None => block.end_record(),
            }
        }
        tracing::error!(source, %path, offset = self.start, records = self.records, "the engine failed at records: markers stand for them");
        work.report.poison_records += self.records;
        work.shared.meter.note_times(Incident::PoisonRecord, self.records);
        self.records = 0;
    }

    /// Goes on behind what was replaced. Nobody knows what it left open for the next record, so that is read as if a name
    /// had stood before it, and inside a private key as the rest of one.
    fn resume(&mut self, work: &mut Work<'_>, at: u64) {
        let carry = match self.carry {
            _ if self.saw_pem => Carry::PemBlock,
            Carry::None => Carry::Block,
            carry => carry,
        };
        work.report.add(work.stream);
        *work.stream = work.shared.stream(carry, work.path, at);
        *work.stream_start = at;
        let is_rest = self.is_rest;
        self.restart(at, carry, work.shared);
        self.follows_failure = !is_rest;
    }

    /// Ends the stream: a half record goes out, or a marker for it.
    pub fn finish(&mut self, work: &mut Work<'_>, end: u64, block: &mut CleanBlock) -> Result<(), FramingError> {
        let mut result = Ok(());
        if !self.failed {
            let mut clean = CleanBlock::new();
            let place = Place { id: self.id, range: self.start..end, is_record: true };
            match attempt(work.attempts, &place, || work.stream.finish(&mut clean)) {
                Some(finished) => {
                    block.set_delimiter(clean.delimiter());
                    block.append(&clean);
                    result = finished;
                }
                None => self.failed = true,
            }
        }
        if self.failed {
            self.replace(work, block);
            self.resume(work, end);
        }
        result
    }
}

/// What the careful path works with.
pub(super) struct Work<'a> {
    pub shared: &'a Shared,
    pub path: &'a Path,
    pub attempts: &'a mut Attempts,
    pub report: &'a mut SourceReport,
    pub stream: &'a mut SampledStream,
    /// Where the stream's input begins in the file.
    pub stream_start: &'a mut u64,
}

/// Runs the engine on what lies at `place`; `None` if that is a suspect record and the engine panicked.
fn attempt<T>(attempts: &mut Attempts, place: &Place, engine: impl FnOnce() -> T) -> Option<T> {
    attempts.begin(place);
    // What it worked on is dropped if it fails.
    let result = if place.is_record { catch_unwind(AssertUnwindSafe(engine)).ok() } else { Some(engine()) };
    attempts.end();
    result
}
