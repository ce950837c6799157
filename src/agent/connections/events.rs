//! What happens to connections beside their bytes.

use super::super::seldom::Seldom;
use super::super::status::{Incident, Meter};
use super::Peer;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Anybody who reaches the port can make these things happen; the log hears of each this often.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// What a source counts of its connections, for the last log line.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::agent) struct ConnectionCounts {
    /// Closed at once because of their address.
    pub refused_origins: u64,
    /// Closed at once because their address had as many as it may have.
    pub refused_per_peer: u64,
    /// Came to no stream.
    pub failed_handshakes: u64,
    /// Were silent, and another one waited.
    pub closed_idle: u64,
    /// Records that waited too long for their end.
    pub timed_out_records: u64,
}

impl ConnectionCounts {
    pub fn add(&mut self, other: &Self) {
        self.refused_origins += other.refused_origins;
        self.refused_per_peer += other.refused_per_peer;
        self.failed_handshakes += other.failed_handshakes;
        self.closed_idle += other.closed_idle;
        self.timed_out_records += other.timed_out_records;
    }
}

/// Counts all, and logs at a bounded rate. Of each kind the log names the last peer.
pub(super) struct Events {
    source: String,
    meter: Arc<Meter>,
    refused_origins: Seldom,
    refused_per_peer: Seldom,
    failed_handshakes: Seldom,
    closed_idle: Seldom,
    timed_out_records: Seldom,
    broken: Seldom,
    not_accepted: Seldom,
}

impl Events {
    pub fn new(source: &str, meter: Arc<Meter>) -> Self {
        let seldom = || Seldom::new(REPORT_INTERVAL);
        Self {
            source: source.to_owned(),
            meter,
            refused_origins: seldom(),
            refused_per_peer: seldom(),
            failed_handshakes: seldom(),
            closed_idle: seldom(),
            timed_out_records: seldom(),
            broken: seldom(),
            not_accepted: seldom(),
        }
    }

    pub fn counts(&self) -> ConnectionCounts {
        ConnectionCounts {
            refused_origins: self.refused_origins.total(),
            refused_per_peer: self.refused_per_peer.total(),
            failed_handshakes: self.failed_handshakes.total(),
            closed_idle: self.closed_idle.total(),
            timed_out_records: self.timed_out_records.total(),
        }
    }

    pub fn refused_origin(&self, peer: Peer) {
        self.meter.note(Incident::RefusedOrigin);
        if let Some(refused) = self.refused_origins.count() {
            tracing::warn!(source = self.source, refused, %peer, "connections refused: their address is not in `permit_origin`");
        }
    }

    pub fn refused_per_peer(&self, peer: Peer) {
        self.meter.note(Incident::RefusedPerPeer);
        if let Some(refused) = self.refused_per_peer.count() {
            tracing::warn!(source = self.source, refused, %peer, "connections refused: their address has `max_connections_per_peer`");
        }
    }

    pub fn failed_handshake(&self, peer: Peer, error: &io::Error) {
        self.meter.note(Incident::FailedHandshake);
        tracing::debug!(source = self.source, %peer, %error, "no connection: the handshake failed");
        if let Some(failed) = self.failed_handshakes.count() {
            tracing::warn!(source = self.source, failed, %peer, %error, "handshakes failed; the last of them");
        }
    }

    pub fn closed_idle(&self, peer: Peer) {
        self.meter.note(Incident::ClosedIdle);
        if let Some(closed) = self.closed_idle.count() {
            tracing::warn!(source = self.source, closed, %peer, "idle connections closed because others wait");
        }
    }

    pub fn timed_out_record(&self, peer: Peer) {
        self.meter.note(Incident::TimedOutRecord);
        if let Some(records) = self.timed_out_records.count() {
            tracing::warn!(source = self.source, records, %peer, "records waited too long for their end and leave in pieces");
        }
    }

    pub fn broken(&self, peer: Peer, error: &impl std::fmt::Display) {
        if let Some(closed) = self.broken.count() {
            tracing::warn!(source = self.source, closed, %peer, %error, "connection closed");
        }
    }

    /// To be called once each time that it begins, however long it lasts.
    pub fn not_accepted(&self, error: &io::Error) {
        self.meter.note(Incident::NotAccepted);
        if let Some(times) = self.not_accepted.count() {
            tracing::warn!(source = self.source, times, %error, "can't accept connections");
        }
    }
}
