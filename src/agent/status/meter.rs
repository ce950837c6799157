//! What is counted of a source while its streams are redacted, to be read at any time.

use crate::redact::{Counts, Finding};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What may go wrong with what a source reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(in crate::agent) enum Incident {
    BrokenFraming,
    LostStream,
    FailedHandshake,
    RefusedOrigin,
    RefusedPerPeer,
    ClosedIdle,
    TimedOutRecord,
    NotAccepted,
    DroppedDatagram,
    CutDatagram,
    FailedReceive,
    SplitRecord,
    NotJson,
    ForeignRecord,
    TruncatedFile,
    LostFile,
    UnreadableFile,
    PoisonRecord,
    FailedCheckpoint,
}

/// Types of sources to which something can happen; all without one.
type Kinds = &'static [&'static str];
const ANY: Kinds = &[];
const CONNECTIONS: Kinds = &["tcp", "unix"];
const NETWORK: Kinds = &["tcp", "udp"];
const DATAGRAMS: Kinds = &["udp"];
const FILES: Kinds = &["file"];

impl Incident {
    /// All of them, in the order of their declaration: their names in metrics, and whom they happen to.
    const ALL: [(&'static str, Kinds); 19] = [
        ("broken_framing", ANY),
        ("lost_stream", CONNECTIONS),
        ("failed_handshake", CONNECTIONS),
        ("refused_origin", NETWORK),
        ("refused_per_peer", CONNECTIONS),
        ("closed_idle", CONNECTIONS),
        ("timed_out_record", CONNECTIONS),
        ("not_accepted", CONNECTIONS),
        ("dropped_datagram", DATAGRAMS),
        ("cut_datagram", DATAGRAMS),
        ("failed_receive", DATAGRAMS),
        ("split_record", ANY),
        ("not_json", ANY),
        ("foreign_record", ANY),
        ("truncated_file", FILES),
        ("lost_file", FILES),
        ("unreadable_file", FILES),
        ("poison_record", FILES),
        ("failed_checkpoint", FILES),
    ];
}

/// The counters of one source.
#[derive(Debug)]
pub(in crate::agent) struct Meter {
    kind: &'static str,
    started: Instant,
    /// Counting records costs a pass over what leaves.
    counts_records: bool,
    received_bytes: AtomicU64,
    records: AtomicU64,
    findings: Mutex<Counts>,
    incidents: [AtomicU64; Incident::ALL.len()],
    /// Connections or files that are open.
    open: AtomicU64,
    /// Bytes in files that are not delivered yet, and one more; 0 is unknown.
    lag_bytes: AtomicU64,
    /// Since when something is delivered that no checkpoint holds; 0 is not.
    unnoted_ms: AtomicU64,
}

impl Meter {
    /// For a source of this type.
    pub fn new(kind: &'static str, counts_records: bool) -> Self {
        Self {
            kind,
            started: Instant::now(),
            counts_records,
            received_bytes: AtomicU64::new(0),
            records: AtomicU64::new(0),
            findings: Mutex::default(),
            incidents: Default::default(),
            open: AtomicU64::new(0),
            lag_bytes: AtomicU64::new(0),
            unnoted_ms: AtomicU64::new(0),
        }
    }

    /// Whether somebody reads how many records there are.
    pub fn counts_records(&self) -> bool {
        self.counts_records
    }

    pub fn received(&self, bytes: usize) {
        self.received_bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub fn released(&self, records: u64) {
        self.records.fetch_add(records, Relaxed);
    }

    pub fn found(&self, findings: &[Finding]) {
        if !findings.is_empty() {
            let mut counts = self.counts();
            findings.iter().for_each(|finding| counts.count(finding.fingerprint.kind, finding.carrier));
        }
    }

    pub fn note(&self, incident: Incident) {
        self.note_times(incident, 1);
    }

    pub fn note_times(&self, incident: Incident, times: u64) {
        self.incidents[incident as usize].fetch_add(times, Relaxed);
    }

    pub fn set_open(&self, open: usize) {
        self.open.store(open as u64, Relaxed);
    }

    pub fn set_lag(&self, bytes: u64) {
        self.lag_bytes.store(bytes.saturating_add(1), Relaxed);
    }

    /// Since when something is delivered that the checkpoint does not hold.
    pub fn set_unnoted(&self, since: Option<Instant>) {
        let ms = |since: Instant| since.saturating_duration_since(self.started).as_millis() as u64;
        self.unnoted_ms.store(since.map_or(0, |since| ms(since).max(1)), Relaxed);
    }

    pub(super) fn reading(&self) -> Reading {
        let unnoted_ms = self.unnoted_ms.load(Relaxed);
        let counts = self.incidents.iter().map(|count| count.load(Relaxed));
        let happens = |kinds: Kinds| kinds.is_empty() || kinds.contains(&self.kind);
        let counts = Incident::ALL.into_iter().zip(counts).filter(|((_, kinds), count)| happens(kinds) || *count > 0);
        Reading {
            received_bytes: self.received_bytes.load(Relaxed),
            records: self.records.load(Relaxed),
            findings: self.counts().clone(),
            incidents: counts.map(|((name, _), count)| (name, count)).collect(),
            open: self.open.load(Relaxed),
            lag_bytes: self.lag_bytes.load(Relaxed).checked_sub(1),
            checkpoint_lag: (unnoted_ms > 0).then(|| Duration::from_millis(self.now_ms().saturating_sub(unnoted_ms))),
        }
    }

    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the counters of a source say at one moment.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Reading {
    /// Bytes that its streams have taken.
    pub received_bytes: u64,
    /// Whole records that its sinks have taken; 0 if nobody asked for their number.
    pub records: u64,
    /// What was found in it.
    pub findings: Counts,
    /// What may go wrong, and how often it did.
    pub incidents: Vec<(&'static str, u64)>,
    /// Connections or files that are open.
    pub open: u64,
    /// Bytes in followed files that are not delivered yet, where that is known.
    pub lag_bytes: Option<u64>,
    /// How long something is delivered already that its checkpoint does not hold.
    pub checkpoint_lag: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incidents_have_their_names_and_what_is_unknown_is_not_zero() {
        let meter = Meter::new("file", true);
        assert_eq!((meter.reading().lag_bytes, meter.reading().checkpoint_lag), (None, None));
        meter.note(Incident::BrokenFraming);
        meter.note_times(Incident::FailedCheckpoint, 3);
        meter.note(Incident::PoisonRecord);
        let incidents = meter.reading().incidents;
        for expected in [("broken_framing", 1), ("failed_checkpoint", 3), ("poison_record", 1), ("lost_file", 0)] {
            assert!(incidents.contains(&expected), "{incidents:?}");
        }
        assert!(!incidents.iter().any(|(name, _)| *name == "dropped_datagram"), "no file has datagrams");
        meter.set_lag(0);
        meter.set_unnoted(Some(Instant::now()));
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(meter.reading().lag_bytes, Some(0));
        assert!(meter.reading().checkpoint_lag.is_some_and(|lag| lag >= Duration::from_millis(15)));
        meter.set_unnoted(None);
        assert_eq!(meter.reading().checkpoint_lag, None);
    }
}
