//! What a sink's queue counts.

use super::status::SinkHealth;
use crate::redact::CleanBlock;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Drops go on for as long as a sink stalls; the log hears of them this often.
const DROP_REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// A number of blocks and their bytes.
#[derive(Debug, Default)]
pub(super) struct Tally {
    blocks: AtomicU64,
    bytes: AtomicU64,
}

impl Tally {
    pub fn add(&self, blocks: u64, bytes: u64) {
        self.blocks.fetch_add(blocks, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
    }

    pub fn blocks(&self) -> u64 {
        self.blocks.load(Relaxed)
    }

    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }
}

/// The counters of one sink.
#[derive(Debug)]
pub(super) struct SinkCounters {
    name: String,
    kind: &'static str,
    buffer_bytes: usize,
    /// What sources wanted to hand over.
    pub offered: Tally,
    /// What the sink has delivered.
    pub delivered: Tally,
    delivered_records: AtomicU64,
    /// What was dropped because the user chose that over waiting.
    pub dropped: Tally,
    dropped_records: AtomicU64,
    /// What was sent once more, so that the receiver may have it twice.
    pub resent: Tally,
    dropped_reported: Mutex<Option<Instant>>,
    pub health: SinkHealth,
}

impl SinkCounters {
    /// For a sink with at most this many blocks in its queue and in hand; `kind` is its type in the configuration.
    pub fn new(name: &str, kind: &'static str, buffer_bytes: usize, blocks_max: usize) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            buffer_bytes,
            offered: Tally::default(),
            delivered: Tally::default(),
            delivered_records: AtomicU64::new(0),
            dropped: Tally::default(),
            dropped_records: AtomicU64::new(0),
            resent: Tally::default(),
            dropped_reported: Mutex::new(None),
            health: SinkHealth::new(blocks_max),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// How many bytes may wait for it.
    pub fn buffer_bytes(&self) -> usize {
        self.buffer_bytes
    }

    /// Counts a delivered block, with as many records as were counted in it.
    pub fn deliver(&self, block: &CleanBlock, records: u64) {
        self.delivered.add(1, block.len() as u64);
        self.delivered_records.fetch_add(records, Relaxed);
    }

    pub fn delivered_records(&self) -> u64 {
        self.delivered_records.load(Relaxed)
    }

    /// Counts a dropped block and reports drops now and then.
    pub fn drop_block(&self, block: &CleanBlock) {
        self.dropped.add(1, block.len() as u64);
        self.dropped_records.fetch_add(block.records().count() as u64, Relaxed);
        let mut reported = self.dropped_reported.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if reported.is_none_or(|at| at.elapsed() >= DROP_REPORT_INTERVAL) {
            *reported = Some(Instant::now());
            tracing::warn!(
                sink = self.name,
                dropped_records = self.dropped_records(),
                dropped_bytes = self.dropped.bytes(),
                "the sink is full, records are dropped"
            );
        }
    }

    pub fn dropped_records(&self) -> u64 {
        self.dropped_records.load(Relaxed)
    }

    /// Blocks and bytes that were neither delivered nor dropped by choice.
    pub fn undelivered(&self) -> (u64, u64) {
        let open = |offered: u64, delivered: u64, dropped: u64| offered.saturating_sub(delivered + dropped);
        (
            open(self.offered.blocks(), self.delivered.blocks(), self.dropped.blocks()),
            open(self.offered.bytes(), self.delivered.bytes(), self.dropped.bytes()),
        )
    }
}
