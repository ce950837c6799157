//! What a TCP sink has in hand: blocks not yet acknowledged by the peer's kernel, and the last bytes that were.

use super::batch::{BATCH_BYTES, encode};
use super::outlet::Delivery;
use super::queue::Intake;
use crate::codec::Framing;
use std::collections::VecDeque;

/// Between the queue and one connection after the other.
///
/// A peer's kernel acknowledges bytes that the peer may never read: if it dies, they are lost with it. So the last
/// `resend_bytes` are kept and sent first on the next connection. Everything is kept by whole blocks, which are whole
/// records, so that a new connection begins with a record.
#[derive(Debug)]
pub(super) struct Window {
    framing: Framing,
    resend_bytes: usize,
    /// Acknowledged, in wire form.
    retained: VecDeque<u8>,
    /// The size of each block in `retained`.
    retained_blocks: VecDeque<usize>,
    unacknowledged: VecDeque<Unacknowledged>,
    /// How many of them are encoded for this connection.
    encoded_blocks: usize,
    /// Bytes encoded and acknowledged on this connection.
    encoded: u64,
    acknowledged: u64,
    /// What is to be written next, from `written` on.
    wire: Vec<u8>,
    written: usize,
}

#[derive(Debug)]
struct Unacknowledged {
    delivery: Delivery,
    /// Where it ends in the connection's bytes.
    end: u64,
    sent_before: bool,
}

impl Window {
    pub fn new(framing: Framing, resend_bytes: usize) -> Self {
        Self {
            framing,
            resend_bytes,
            retained: VecDeque::new(),
            retained_blocks: VecDeque::new(),
            unacknowledged: VecDeque::new(),
            encoded_blocks: 0,
            encoded: 0,
            acknowledged: 0,
            wire: Vec::new(),
            written: 0,
        }
    }

    pub fn push(&mut self, delivery: Delivery) {
        self.unacknowledged.push_back(Unacknowledged { delivery, end: 0, sent_before: false });
    }

    /// Starts over on a new connection: what is retained goes first, as one piece.
    pub fn restart(&mut self, intake: &Intake) {
        self.acknowledged = 0;
        self.encoded_blocks = 0;
        self.written = 0;
        self.wire.clear();
        self.wire.extend(self.retained.iter());
        self.encoded = self.wire.len() as u64;
        if self.encoded > 0 {
            intake.counters.resent.add(self.retained_blocks.len() as u64, self.encoded);
        }
    }

    /// The connection is lost; nothing is underway.
    pub fn lose_connection(&mut self) {
        // What is retained must be acknowledged once more before it counts as delivered for the end's sake.
        self.acknowledged = 0;
        self.encoded = self.retained.len() as u64;
        self.encoded_blocks = 0;
        self.wire.clear();
        self.written = 0;
    }

    /// The bytes to write next, from the blocks in hand and those that wait in the queue.
    pub fn unwritten(&mut self, intake: &mut Intake) -> &[u8] {
        if self.written == self.wire.len() {
            self.wire.clear();
            self.wire.shrink_to(2 * BATCH_BYTES);
            self.written = 0;
            self.encode_more(intake);
        }
        &self.wire[self.written..]
    }

    /// Whether some of what was encoded last is to be written still.
    pub fn is_writing(&self) -> bool {
        self.written < self.wire.len()
    }

    fn encode_more(&mut self, intake: &mut Intake) {
        while self.wire.len() < BATCH_BYTES {
            if self.encoded_blocks == self.unacknowledged.len() {
                match intake.try_recv() {
                    Some(delivery) => self.push(delivery),
                    None => return,
                }
            }
            let next = &mut self.unacknowledged[self.encoded_blocks];
            let before = self.wire.len();
            encode(self.framing, &next.delivery.block, &mut self.wire);
            let len = (self.wire.len() - before) as u64;
            self.encoded += len;
            next.end = self.encoded;
            if std::mem::replace(&mut next.sent_before, true) {
                intake.counters.resent.add(1, len);
            }
            self.encoded_blocks += 1;
        }
    }

    pub fn wrote(&mut self, len: usize) {
        self.written += len;
    }

    /// Takes the number of bytes that the peer's kernel has acknowledged on this connection. True if it has grown.
    pub fn acknowledge(&mut self, acknowledged: u64) -> bool {
        let grown = acknowledged > self.acknowledged;
        self.acknowledged = self.acknowledged.max(acknowledged);
        while self.encoded_blocks > 0 && self.unacknowledged[0].end <= acknowledged {
            let Some(Unacknowledged { delivery, .. }) = self.unacknowledged.pop_front() else { break };
            self.encoded_blocks -= 1;
            self.retain(&delivery);
            delivery.acknowledge();
        }
        grown
    }

    /// Keeps the fewest last blocks that make `resend_bytes`.
    fn retain(&mut self, delivery: &Delivery) {
        if self.resend_bytes == 0 {
            return;
        }
        let mut wire = Vec::new();
        encode(self.framing, &delivery.block, &mut wire);
        self.retained.extend(&wire);
        self.retained_blocks.push_back(wire.len());
        while let Some(&first) = self.retained_blocks.front()
            && self.retained.len() - first >= self.resend_bytes
        {
            self.retained.drain(..first);
            self.retained_blocks.pop_front();
        }
    }

    /// Whether bytes are underway whose acknowledgement is awaited.
    pub fn is_awaiting(&self) -> bool {
        self.acknowledged < self.encoded
    }

    /// Whether nothing in hand waits for the peer.
    pub fn is_delivered(&self) -> bool {
        self.unacknowledged.is_empty() && !self.is_awaiting()
    }
}
