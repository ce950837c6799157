//! One sink's health.

use super::STALLED_AFTER;
use super::ages::Ages;
use crate::agent::counters::SinkCounters;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// What a sink knows of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(in crate::agent) enum Condition {
    Ready,
    WaitingForSpace,
    Reopening,
    Connecting,
    Ended,
}

impl Condition {
    const ALL: [Self; 5] = [Self::Ready, Self::WaitingForSpace, Self::Reopening, Self::Connecting, Self::Ended];
}

/// What may go wrong with a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(in crate::agent) enum SinkIncident {
    NotConnected,
    LostConnection,
    NoSpace,
    NotReopened,
}

impl SinkIncident {
    /// All of them, in the order of their declaration: their names in metrics, and the type of sink that they happen to.
    const ALL: [(&'static str, &'static str); 4] =
        [("not_connected", "tcp"), ("lost_connection", "tcp"), ("no_space", "file"), ("not_reopened", "file")];
}

/// How a sink stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SinkState {
    /// It delivers, or has nothing to deliver.
    Ready,
    /// It is open or connected, has something to deliver, and has delivered nothing for five seconds.
    Stalled,
    /// The disk is full.
    WaitingForSpace,
    /// The output file can't be opened again.
    Reopening,
    /// There is no connection.
    Connecting,
    /// It delivers nothing any more.
    Ended,
}

impl SinkState {
    /// All states.
    pub const ALL: [Self; 6] =
        [Self::Ready, Self::Stalled, Self::WaitingForSpace, Self::Reopening, Self::Connecting, Self::Ended];

    /// Its name, as in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Stalled => "stalled",
            Self::WaitingForSpace => "waiting_for_space",
            Self::Reopening => "reopening",
            Self::Connecting => "connecting",
            Self::Ended => "ended",
        }
    }
}

/// What is noted as a sink works.
#[derive(Debug)]
pub(in crate::agent) struct SinkHealth {
    started: Instant,
    ages: Ages,
    condition: AtomicU8,
    since_ms: AtomicU64,
    /// When something was delivered for the last time; 0 is never.
    delivered_ms: AtomicU64,
    incidents: [AtomicU64; SinkIncident::ALL.len()],
}

impl SinkHealth {
    /// For a queue that holds at most this many blocks.
    pub fn new(blocks_max: usize) -> Self {
        Self {
            started: Instant::now(),
            ages: Ages::new(blocks_max),
            condition: AtomicU8::new(Condition::Ready as u8),
            since_ms: AtomicU64::new(0),
            delivered_ms: AtomicU64::new(0),
            incidents: Default::default(),
        }
    }

    /// A block has come into the queue.
    pub fn entered(&self) {
        self.ages.enter();
    }

    /// The oldest block is delivered.
    pub fn delivered(&self) {
        self.ages.leave();
        self.progressed();
    }

    /// Something has come through, if not a whole block.
    pub fn progressed(&self) {
        self.delivered_ms.store(self.now_ms().max(1), Relaxed);
    }

    pub fn set(&self, condition: Condition) {
        if self.condition.swap(condition as u8, Relaxed) != condition as u8 {
            self.since_ms.store(self.now_ms(), Relaxed);
        }
    }

    /// Something went wrong.
    pub fn note(&self, incident: SinkIncident) {
        self.incidents[incident as usize].fetch_add(1, Relaxed);
    }

    /// What may go wrong with a sink of this type, and how often it did.
    fn incidents(&self, kind: &str) -> Vec<(&'static str, u64)> {
        let counts = self.incidents.iter().map(|count| count.load(Relaxed));
        let counts = SinkIncident::ALL.into_iter().zip(counts).filter(|((_, of), _)| *of == kind);
        counts.map(|((name, _), count)| (name, count)).collect()
    }

    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    fn ago(&self, ms: u64) -> Duration {
        Duration::from_millis(self.now_ms().saturating_sub(ms))
    }
}

impl SinkCounters {
    pub(super) fn status(&self) -> SinkStatus {
        let health = &self.health;
        let condition = health.condition.load(Relaxed);
        let condition = Condition::ALL.into_iter().find(|known| *known as u8 == condition).unwrap_or(Condition::Ended);
        let oldest_undelivered = if condition == Condition::Ended { None } else { health.ages.oldest() };
        let delivered_ms = health.delivered_ms.load(Relaxed);
        let last_delivery = (delivered_ms > 0).then(|| health.ago(delivered_ms));
        // Of a block that came after a long time of nothing to do, the wait begins when it came.
        let waited = oldest_undelivered.map(|age| last_delivery.map_or(age, |last| age.min(last)));
        let mut since = health.ago(health.since_ms.load(Relaxed));
        let state = match condition {
            Condition::Ready => match waited.filter(|waited| *waited >= STALLED_AFTER) {
                Some(waited) => {
                    since = waited;
                    SinkState::Stalled
                }
                None => SinkState::Ready,
            },
            Condition::WaitingForSpace => SinkState::WaitingForSpace,
            Condition::Reopening => SinkState::Reopening,
            Condition::Connecting => SinkState::Connecting,
            Condition::Ended => SinkState::Ended,
        };
        let (undelivered_blocks, undelivered_bytes) = self.undelivered();
        SinkStatus {
            name: self.name().to_owned(),
            kind: self.kind(),
            buffer_bytes: self.buffer_bytes() as u64,
            state,
            since,
            oldest_undelivered,
            undelivered_blocks,
            undelivered_bytes,
            last_delivery,
            delivered_blocks: self.delivered.blocks(),
            delivered_bytes: self.delivered.bytes(),
            delivered_records: self.delivered_records(),
            offered_bytes: self.offered.bytes(),
            incidents: health.incidents(self.kind()),
            dropped_records: self.dropped_records(),
            dropped_bytes: self.dropped.bytes(),
            resent_bytes: self.resent.bytes(),
        }
    }
}

/// A sink at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SinkStatus {
    /// As in the configuration.
    pub name: String,
    /// Its type, as in the configuration.
    pub kind: &'static str,
    /// How many bytes may wait for it.
    pub buffer_bytes: u64,
    /// How it stands.
    pub state: SinkState,
    /// For how long.
    pub since: Duration,
    /// How long ago the oldest byte came that is not delivered; `None` if all is.
    pub oldest_undelivered: Option<Duration>,
    /// Blocks that are not delivered, those that wait for room in the queue among them.
    pub undelivered_blocks: u64,
    /// Bytes that are not delivered.
    pub undelivered_bytes: u64,
    /// How long ago something was delivered.
    pub last_delivery: Option<Duration>,
    /// Blocks that are delivered.
    pub delivered_blocks: u64,
    /// Bytes that are delivered.
    pub delivered_bytes: u64,
    /// Whole records that are delivered; 0 if nobody asked for their number.
    pub delivered_records: u64,
    /// Bytes that were to be delivered.
    pub offered_bytes: u64,
    /// What may go wrong, and how often it did.
    pub incidents: Vec<(&'static str, u64)>,
    /// Records that were dropped because the queue was full and that was chosen.
    pub dropped_records: u64,
    /// Their bytes.
    pub dropped_bytes: u64,
    /// Bytes that were sent once more.
    pub resent_bytes: u64,
}

impl SinkStatus {
    /// Whether it keeps something waiting for longer than it should. One that is not connected and has nothing to
    /// deliver does not.
    pub fn is_degraded(&self) -> bool {
        match self.state {
            SinkState::Ready | SinkState::Ended => false,
            SinkState::Stalled => true,
            SinkState::WaitingForSpace | SinkState::Reopening | SinkState::Connecting => {
                self.oldest_undelivered.is_some_and(|age| age >= STALLED_AFTER)
            }
        }
    }
}
