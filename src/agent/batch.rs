//! Blocks that are written together.

use super::outlet::Delivery;
use super::queue::Intake;
use crate::codec::{Encoder, Framing};
use crate::redact::CleanBlock;

/// Blocks are gathered up to this size for one write; one block may be larger.
pub(super) const BATCH_BYTES: usize = 256 << 10;

/// Appends the wire form of a block. A block holds whole records, so that each can begin a stream.
pub(super) fn encode(framing: Framing, block: &CleanBlock, wire: &mut Vec<u8>) {
    Encoder::new(framing).encode(block, wire);
}

/// Some blocks in wire form.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub wire: Vec<u8>,
    /// How much of `wire` is written.
    pub written: usize,
    pub deliveries: Vec<Delivery>,
    /// Where each block begins in `wire`.
    starts: Vec<usize>,
}

impl Batch {
    /// Takes `first` and what else waits.
    pub fn fill(&mut self, framing: Framing, first: Delivery, intake: &mut Intake) {
        self.clear();
        let mut next = Some(first);
        while let Some(delivery) = next {
            self.starts.push(self.wire.len());
            encode(framing, &delivery.block, &mut self.wire);
            self.deliveries.push(delivery);
            next = if self.wire.len() < BATCH_BYTES { intake.try_recv() } else { None };
        }
    }

    /// Goes back to the start of the block that is written in part, if there is one: it is to be written whole
    /// elsewhere. Says how many bytes will be written again.
    pub fn rewind(&mut self) -> usize {
        let block = self.starts.partition_point(|&start| start <= self.written);
        let start = if self.written == self.wire.len() { self.written } else { self.starts[block - 1] };
        std::mem::replace(&mut self.written, start) - start
    }

    fn clear(&mut self) {
        self.wire.clear();
        // One giant record must not be paid for ever.
        self.wire.shrink_to(2 * BATCH_BYTES);
        self.written = 0;
        self.deliveries.clear();
        self.starts.clear();
    }
}
