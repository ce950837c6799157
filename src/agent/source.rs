//! What all sources share: one stream from bytes to the sinks, and when reading ends.

use super::config::Source;
use super::connections::ConnectionCounts;
use super::outlet::{Closed, Outlet};
use super::recording::Recording;
use super::sampled::SampledStream;
use super::stop::Stop;
use crate::codec::{Decoding, FramingError, StreamStats};
use crate::ledger::{Place, Recorder};
use crate::redact::{CleanBlock, Counts, Redaction};
use std::fmt::Display;
use std::time::Duration;
use tokio::sync::watch;

/// The most that one read takes, and so the most input in one block.
pub(super) const READ_BYTES: usize = 64 << 10;

/// The last part of the grace time belongs to the sinks: what was read last must still get out.
const DRAIN_SHARE: u32 = 5;
const DRAIN_MAX: Duration = Duration::from_secs(2);

/// What a source did, for the last log line.
#[derive(Clone, Debug, Default)]
pub(super) struct SourceReport {
    /// Bytes read.
    pub bytes: u64,
    /// Streams (connections, files) that were read.
    pub streams: u64,
    /// Streams that ended with a framing error.
    pub broken_streams: u64,
    /// Streams that were reset, or ended without the peer's word that this is their end where TLS has one.
    pub lost_streams: u64,
    /// Of a source that listens.
    pub connections: ConnectionCounts,
    pub findings: Counts,
    pub stats: StreamStats,
}

impl SourceReport {
    pub fn add(&mut self, other: &SourceReport) {
        self.bytes += other.bytes;
        self.streams += other.streams;
        self.broken_streams += other.broken_streams;
        self.lost_streams += other.lost_streams;
        self.connections.add(&other.connections);
        self.findings.add(&other.findings);
        self.stats.split_records += other.stats.split_records;
        self.stats.not_json += other.stats.not_json;
        self.stats.foreign_records += other.stats.foreign_records;
    }
}

/// How a source's bytes become records.
pub(super) fn decoding(source: &Source, whole_records: bool) -> Decoding {
    Decoding { framing: source.framing, codec: source.codec, max_record_bytes: source.max_record_bytes, whole_records }
}

/// Why a stream can't go on.
#[derive(Debug)]
pub(super) enum StreamEnd {
    /// A sink has ended.
    Closed,
    /// The framing is broken; all before has been sent.
    Framing(FramingError),
}

impl From<Closed> for StreamEnd {
    fn from(_: Closed) -> Self {
        StreamEnd::Closed
    }
}

/// One stream of input on its way through redaction to the sinks.
pub(super) struct Stream {
    records: SampledStream,
    outlet: Outlet,
    stop: watch::Receiver<Stop>,
    /// The stop is now: what comes is counted as undelivered.
    over: bool,
    bytes: u64,
    broken: bool,
}

impl Stream {
    /// `peer` is who sends it, if that is known.
    pub fn new(
        redaction: &Redaction,
        decoding: Decoding,
        outlet: Outlet,
        stop: watch::Receiver<Stop>,
        peer: Option<&dyn Display>,
    ) -> Self {
        let place = |recorder: &Recorder| peer.map_or(Place::Source, |peer| recorder.peer(peer));
        let recording = Recording::new(outlet.recorder(), place);
        let (sampler, meter) = (outlet.sampler().clone(), outlet.meter().clone());
        let records = SampledStream::new(redaction, decoding, sampler, recording, meter);
        Self { records, outlet, stop, over: false, bytes: 0, broken: false }
    }

    /// Redacts input, frees it, and sends what may leave at once. Nothing else is read while a sink is full.
    pub async fn push(&mut self, input: Vec<u8>) -> Result<(), StreamEnd> {
        let mut block = CleanBlock::with_capacity(input.len());
        let decoded = self.records.push(&input, &mut block);
        self.bytes += input.len() as u64;
        drop(input);
        self.send(block, decoded).await
    }

    /// Ends the stream: a half record goes out redacted.
    pub async fn finish(&mut self) -> Result<(), StreamEnd> {
        let mut block = CleanBlock::new();
        let decoded = self.records.finish(&mut block);
        self.send(block, decoded).await
    }

    /// Sends what is decided of a record that waits too long for its end. False if there was nothing.
    pub async fn cut_record(&mut self) -> Result<bool, StreamEnd> {
        let mut block = CleanBlock::new();
        self.records.cut_record(&mut block);
        let was_there = !block.is_empty();
        self.send(block, Ok(())).await.map(|()| was_there)
    }

    /// Where the first record begins that has not left as a whole, if there is one.
    pub fn unfinished(&self) -> Option<u64> {
        self.records.unfinished()
    }

    /// Appends what becomes of an input that is complete by itself.
    pub fn datagram(&mut self, input: &[u8], peer: &dyn Display, block: &mut CleanBlock) {
        self.records.recording().set_place(|recorder| recorder.peer(peer));
        let pushed = self.records.push(input, block);
        let ended = self.records.end_input(block);
        self.broken |= pushed.or(ended).is_err();
        self.bytes += input.len() as u64;
    }

    /// Sends what datagrams have become.
    pub async fn send_datagrams(&mut self, block: CleanBlock) -> Result<(), StreamEnd> {
        self.send(block, Ok(())).await
    }

    async fn send(&mut self, mut block: CleanBlock, decoded: Result<(), FramingError>) -> Result<(), StreamEnd> {
        self.broken |= decoded.is_err();
        // A sink may let all streams wait at once, and a queue counts what is in a block.
        self.records.rest();
        block.shrink_to(0);
        if block.is_empty() {
            return decoded.map_err(StreamEnd::Framing);
        }
        if self.over {
            self.outlet.abandon(&block);
        } else {
            tokio::select! {
                biased;
                sent = self.outlet.send(block) => { sent?; }
                // It has been counted, and its sink is full.
                _ = self.stop.wait_for(|stop| *stop == Stop::Now) => self.over = true,
            }
        }
        decoded.map_err(StreamEnd::Framing)
    }

    pub fn report(&self) -> SourceReport {
        SourceReport {
            bytes: self.bytes,
            streams: 1,
            broken_streams: u64::from(self.broken),
            lost_streams: 0,
            findings: self.records.counts().clone(),
            stats: self.records.stats(),
            ..Default::default()
        }
    }
}

/// Waits until a stream that can't be read again is to be read no further: the grace time less the sinks' share has
/// gone since the stop, or the stop is at once.
pub(super) async fn reading_ends(mut stop: watch::Receiver<Stop>, grace: Duration) {
    if stop.wait_for(|stop| *stop != Stop::Running).await.is_ok() {
        let reading = grace - (grace / DRAIN_SHARE).min(DRAIN_MAX);
        let _ = tokio::time::timeout(reading, stop.wait_for(|stop| *stop == Stop::Now)).await;
    }
}
