//! A source's bytes to clean records (skeleton).

use super::{Framing, FramingError};
use crate::redact::{Carry, CleanBlock, Counts, Redaction, Redactor};

/// What a record's bytes are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Codec {
    /// Plain text of any encoding.
    #[default]
    Text,
    /// One JSON text a record; credentials are looked for in the decoded strings.
    Json,
}

/// How a source's bytes become records.
#[derive(Clone, Debug)]
pub struct Decoding {
    /// How records are told apart.
    pub framing: Framing,
    /// What they are.
    pub codec: Codec,
    /// A longer record goes out as several, counted, but is scanned as one.
    pub max_record_bytes: usize,
    /// Release a record only as a whole (several sources share a sink, or the sink frames otherwise).
    pub whole_records: bool,
}

/// Counters of one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamStats {
    /// Records that went out in several pieces because they were over `max_record_bytes`.
    pub split_records: u64,
    /// Records under codec `json` that no strict parser takes; they were scanned all the same.
    pub not_json: u64,
}

/// One stream from framed input to clean records.
pub struct RecordStream {
    redactor: Redactor,
    consumed: u64,
    stats: StreamStats,
}

impl RecordStream {
    /// A stream at its start.
    pub fn new(redaction: &Redaction, _decoding: Decoding) -> Self {
        Self { redactor: Redactor::new(redaction), consumed: 0, stats: StreamStats::default() }
    }

    /// Takes input and appends what may leave to `out`.
    ///
    /// # Errors
    /// When the framing is broken; what came before is in `out`, and nothing more can be read from the stream.
    pub fn push(&mut self, input: &[u8], out: &mut CleanBlock) -> Result<(), FramingError> {
        self.redactor.push(input, out);
        self.consumed += input.len() as u64;
        Ok(())
    }

    /// Ends the stream; a half record goes out redacted.
    ///
    /// # Errors
    /// When the stream ended inside a frame; what there was of the record is in `out`.
    pub fn finish(&mut self, out: &mut CleanBlock) -> Result<(), FramingError> {
        self.redactor.end_record(out);
        Ok(())
    }

    /// Bytes of input up to the end of the last record that has been released whole: where a reader may start again.
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// The open state at [`consumed`](Self::consumed), to be stored with it.
    pub fn carry(&self) -> Carry {
        self.redactor.carry()
    }

    /// Goes on where a checkpoint stopped.
    pub fn resume(&mut self, carry: Carry) {
        self.redactor.resume(carry);
    }

    /// Findings since the start of the stream.
    pub fn counts(&self) -> &Counts {
        self.redactor.counts()
    }

    /// Other counters.
    pub fn stats(&self) -> StreamStats {
        self.stats
    }
}
