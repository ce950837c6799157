//! Clean records to wire bytes.

use super::Framing;
use crate::redact::CleanBlock;
use std::borrow::Cow;

/// Writes blocks in one framing, whatever framing their sources had.
///
/// Records that already end with the sink's delimiter are passed on as they lie, and so is everything for a sink of
/// `bytes`. A record that contains the sink's delimiter stays as it is: it reads as several there. A record that is not
/// finished yet can only be passed on in its own framing; in another one it becomes a record of its own.
#[derive(Clone, Copy, Debug)]
pub struct Encoder {
    framing: Framing,
}

impl Encoder {
    /// An encoder for one sink. It keeps no state between blocks.
    pub fn new(framing: Framing) -> Self {
        Self { framing }
    }

    /// The wire form of a block, borrowed where it is the block itself.
    pub fn wire<'a>(&self, block: &'a CleanBlock) -> Cow<'a, [u8]> {
        if self.passes_through(block) {
            return Cow::Borrowed(block.as_bytes());
        }
        let mut wire = Vec::with_capacity(block.len() + block.record_ends().len());
        self.encode(block, &mut wire);
        Cow::Owned(wire)
    }

    /// Appends the wire form of a block.
    pub fn encode(&self, block: &CleanBlock, wire: &mut Vec<u8>) {
        if self.passes_through(block) {
            return wire.extend_from_slice(block.as_bytes());
        }
        match (block.delimiter(), self.framing.delimiter()) {
            (Some(from), Some(to)) => {
                let start = wire.len();
                wire.extend_from_slice(block.as_bytes());
                wire[start..].iter_mut().filter(|byte| **byte == from).for_each(|byte| *byte = to);
            }
            (None, Some(delimiter)) => {
                for record in block.records() {
                    wire.extend_from_slice(record);
                    wire.push(delimiter);
                }
            }
            (_, None) => block.records().for_each(|record| self.encode_announced(record, wire)),
        }
    }

    fn passes_through(&self, block: &CleanBlock) -> bool {
        self.framing == Framing::Bytes || (block.delimiter().is_some() && block.delimiter() == self.framing.delimiter())
    }

    fn encode_announced(&self, record: &[u8], wire: &mut Vec<u8>) {
        if self.framing == Framing::OctetCounting {
            // RFC 6587 §3.4.1 knows no message of length 0, and receivers lose their place at one. An empty record must
            // not vanish either, so it goes out as an empty line.
            let record = if record.is_empty() { b"\n" } else { record };
            wire.extend_from_slice(record.len().to_string().as_bytes());
            wire.push(b' ');
            return wire.extend_from_slice(record);
        }
        let (mut piece, mut rest) = record.split_at(record.len().min(u32::MAX as usize));
        loop {
            wire.extend_from_slice(&(piece.len() as u32).to_be_bytes());
            wire.extend_from_slice(piece);
            if rest.is_empty() {
                return;
            }
            (piece, rest) = rest.split_at(rest.len().min(u32::MAX as usize));
        }
    }
}
