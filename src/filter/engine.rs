//! The two ways through the engine behind one face: plain text in the redactor's own buffer, and records of a codec.

use crate::codec::{self, CanaryError, CanarySeed, Codec, Decoding, Framing, RecordStream};
use crate::redact::{Clean, CleanBlock, Counts, Finding, Redaction, Redactor};
use std::io;

const READ_BYTES: usize = 256 << 10;
/// Records are released in pieces, so this bounds nothing but what is counted as split.
const MAX_RECORD_BYTES: usize = 4 << 20;

pub(super) enum Engine {
    Text(Box<Redactor>),
    Records {
        stream: Box<RecordStream>,
        buffer: Vec<u8>,
        taken: u64,
        block: CleanBlock,
    },
    /// Stands for a defect: panics at the word `panic`.
    #[cfg(test)]
    Failing(Box<Redactor>, Vec<u8>),
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
            #[cfg(test)]
            Self::Failing(_, buffer) => buffer,
        }
    }

    pub fn filled(&mut self, len: usize) -> io::Result<Clean<'_>> {
        match self {
            Self::Text(redactor) => Ok(redactor.filled(len)),
            Self::Records { stream, buffer, taken, block } => {
                block.clear();
                *taken += len as u64;
                stream.push(&buffer[..len], block).map_err(io::Error::other)?;
                Ok(block.as_clean())
            }
            #[cfg(test)]
            Self::Failing(redactor, buffer) => {
                assert!(!buffer[..len].windows(5).any(|word| word == b"panic"), "a defect with {buffer:?}");
                redactor.space()[..len].copy_from_slice(&buffer[..len]);
                Ok(redactor.filled(len))
            }
        }
    }

    pub fn finish(&mut self) -> io::Result<Clean<'_>> {
        match self {
            Self::Text(redactor) => Ok(redactor.finish()),
            #[cfg(test)]
            Self::Failing(redactor, _) => Ok(redactor.finish()),
            Self::Records { stream, block, taken, .. } => {
                block.clear();
                stream.finish(block).map_err(io::Error::other)?;
                *taken = stream.consumed();
                Ok(block.as_clean())
            }
        }
    }

    /// Bytes of input that are taken and may not be released yet.
    pub fn pending(&self) -> u64 {
        match self {
            Self::Text(redactor) => redactor.pending() as u64,
            #[cfg(test)]
            Self::Failing(redactor, _) => redactor.pending() as u64,
            Self::Records { stream, taken, .. } => taken.saturating_sub(stream.consumed()),
        }
    }

    /// What was found in the input that was taken last, and its last `len` bytes as they were read.
    pub fn found(&self, len: usize) -> (&[Finding], &[u8]) {
        match self {
            Self::Text(redactor) => (redactor.findings(), redactor.taken(len)),
            #[cfg(test)]
            Self::Failing(redactor, _) => (redactor.findings(), redactor.taken(len)),
            Self::Records { stream, buffer, .. } => (stream.findings(), &buffer[..len]),
        }
    }

    pub fn counts(&self) -> &Counts {
        match self {
            Self::Text(redactor) => redactor.counts(),
            #[cfg(test)]
            Self::Failing(redactor, _) => redactor.counts(),
            Self::Records { stream, .. } => stream.counts(),
        }
    }
}
