//! The two ways through the engine behind one face: plain text in the redactor's own buffer, and records of a codec.

use crate::codec::{self, CanaryError, CanarySeed, Codec, Decoding, Framing, RecordStream};
use crate::redact::{Clean, CleanBlock, Counts, Redaction, Redactor};
use std::io;

const READ_BYTES: usize = 256 << 10;
/// Records are released in pieces, so this bounds nothing but what is counted as split.
const MAX_RECORD_BYTES: usize = 4 << 20;

pub(super) enum Engine {
    Text(Box<Redactor>),
    Records { stream: Box<RecordStream>, buffer: Vec<u8>, taken: u64, block: CleanBlock },
}

/// What the engine has released: only the engine can make it, so nothing else can be written.
pub(super) enum Released<'a> {
    Piece(Clean<'a>),
    Block(&'a CleanBlock),
}

impl Released<'_> {
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Piece(clean) => clean.as_bytes(),
            Self::Block(block) => block.as_bytes(),
        }
    }
}

/// Sends minted credentials through the engine, as the start-up check.
///
/// # Errors
/// When one of them is not redacted as it must be.
pub fn check_engine(redaction: &Redaction, codec: Codec, seed: &CanarySeed) -> Result<(), CanaryError> {
    // Not through `space`: to clear its buffer costs more than the check.
    codec::check_stream_once(redaction, &decoding(codec), seed)
}

fn decoding(codec: Codec) -> Decoding {
    Decoding { framing: Framing::NewlineDelimited, codec, max_record_bytes: MAX_RECORD_BYTES, whole_records: false }
}

impl Engine {
    pub fn new(redaction: &Redaction, codec: Codec) -> Self {
        if codec == Codec::Text {
            return Self::Text(Box::new(Redactor::new(redaction)));
        }
        let stream = Box::new(RecordStream::new(redaction, decoding(codec)));
        Self::Records { stream, buffer: vec![0; READ_BYTES], taken: 0, block: CleanBlock::new() }
    }

    pub fn space(&mut self) -> &mut [u8] {
        match self {
            Self::Text(redactor) => redactor.space(),
            Self::Records { buffer, .. } => buffer,
        }
    }

    pub fn filled(&mut self, len: usize) -> io::Result<Released<'_>> {
        match self {
            Self::Text(redactor) => Ok(Released::Piece(redactor.filled(len))),
            Self::Records { stream, buffer, taken, block } => {
                block.clear();
                *taken += len as u64;
                stream.push(&buffer[..len], block).map_err(io::Error::other)?;
                Ok(Released::Block(block))
            }
        }
    }

    pub fn finish(&mut self) -> io::Result<Released<'_>> {
        match self {
            Self::Text(redactor) => Ok(Released::Piece(redactor.finish())),
            Self::Records { stream, block, taken, .. } => {
                block.clear();
                stream.finish(block).map_err(io::Error::other)?;
                *taken = stream.consumed();
                Ok(Released::Block(block))
            }
        }
    }

    /// Bytes of input that are taken and may not be released yet.
    pub fn pending(&self) -> u64 {
        match self {
            Self::Text(redactor) => redactor.pending() as u64,
            Self::Records { stream, taken, .. } => taken.saturating_sub(stream.consumed()),
        }
    }

    pub fn counts(&self) -> &Counts {
        match self {
            Self::Text(redactor) => redactor.counts(),
            Self::Records { stream, .. } => stream.counts(),
        }
    }
}
