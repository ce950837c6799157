//! Clean records to wire bytes (skeleton).

use super::Framing;
use crate::redact::CleanBlock;

/// Writes blocks in one framing.
#[derive(Clone, Debug)]
pub struct Encoder {
    framing: Framing,
}

impl Encoder {
    /// An encoder at the start of a stream.
    pub fn new(framing: Framing) -> Self {
        Self { framing }
    }

    /// Appends the wire form of a block.
    pub fn encode(&mut self, block: &CleanBlock, wire: &mut Vec<u8>) {
        let _ = self.framing;
        wire.extend_from_slice(block.as_bytes());
    }
}
