//! From a source to its sinks: ordered hand-over of blocks, and the acknowledgements back.

use super::counters::SinkCounters;
use super::queue::Feed;
use super::sampled::Sampler;
use super::status::{Meter, SourceHealth};
use crate::ledger::Recorder;
use crate::redact::CleanBlock;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{Notify, OwnedSemaphorePermit};

/// One block on its way to one sink. Dropping it without [`acknowledge`](Self::acknowledge) means: not delivered.
#[derive(Debug)]
pub(super) struct Delivery {
    pub block: Arc<CleanBlock>,
    open: Arc<Open>,
    counters: Arc<SinkCounters>,
    /// Whole records in it, where they are counted.
    records: u64,
    /// The block's place in the sink's queue. It is free again when the block is delivered.
    pub(super) room: Option<OwnedSemaphorePermit>,
}

impl Delivery {
    /// The sink's word that the block is durable.
    pub fn acknowledge(self) {
        self.counters.deliver(&self.block, self.records);
        self.counters.health.delivered();
        self.open.close_one();
    }

    /// Gives the block up because that is what the user chose for a full sink.
    pub(super) fn drop_by_choice(self) {
        self.counters.drop_block(&self.block);
        self.open.close_one();
    }
}

#[derive(Debug)]
struct Open {
    /// Sinks that have not acknowledged yet.
    sinks: AtomicUsize,
    done: Notify,
}

impl Open {
    fn close_one(&self) {
        if self.sinks.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.done.notify_waiters();
        }
    }
}

/// A source's end of the pipeline: everything sent here reaches all sinks, in order.
#[derive(Clone, Debug)]
pub(super) struct Outlet {
    feeds: Arc<[Feed]>,
    sampler: Sampler,
    recorder: Option<Recorder>,
    health: Arc<SourceHealth>,
}

/// A sink has ended; what it had not acknowledged is undelivered.
#[derive(Debug)]
pub(super) struct Closed;

impl Outlet {
    pub fn new(feeds: Vec<impl Into<Feed>>) -> Self {
        let health = Arc::new(SourceHealth::new("", "", false));
        Self { feeds: feeds.into_iter().map(Into::into).collect(), sampler: Sampler::default(), recorder: None, health }
    }

    /// Notes there how its source is.
    pub fn of(self, health: Arc<SourceHealth>) -> Self {
        Self { health, ..self }
    }

    /// Where its source notes how it is.
    pub fn health(&self) -> &SourceHealth {
        &self.health
    }

    /// Where its source counts.
    pub fn meter(&self) -> &Arc<Meter> {
        self.health.meter()
    }

    /// Has blocks of its streams looked at a second time before they come here.
    pub fn sampled(self, sampler: Sampler) -> Self {
        Self { sampler, ..self }
    }

    /// Has what is found in its streams go into the ledger.
    pub fn recorded(self, recorder: Option<Recorder>) -> Self {
        Self { recorder, ..self }
    }

    /// Takes what is found, where there is a ledger.
    pub fn recorder(&self) -> Option<&Recorder> {
        self.recorder.as_ref()
    }

    /// Chooses which.
    pub fn sampler(&self) -> &Sampler {
        &self.sampler
    }

    /// Hands a block to every sink, waiting while one is full: a blocked sink stops its source for all its sinks.
    pub async fn send(&self, block: CleanBlock) -> Result<Receipt, Closed> {
        let block = Arc::new(block);
        let open = Arc::new(Open { sinks: AtomicUsize::new(self.feeds.len()), done: Notify::new() });
        // Before any wait, so that what is still waiting when the agent ends is counted as undelivered.
        self.count(&block);
        let meter = self.meter();
        let records = if meter.counts_records() { block.whole_records() as u64 } else { 0 };
        let handing = self.health.hand(block.len());
        for feed in self.feeds.iter() {
            let (block, open, counters) = (block.clone(), open.clone(), feed.counters.clone());
            let delivery = Delivery { block, open, counters, records, room: None };
            feed.put(delivery).await?;
        }
        handing.done();
        meter.released(records);
        Ok(Receipt(open))
    }

    /// Counts a block as undelivered: the time to send it is over.
    pub fn abandon(&self, block: &CleanBlock) {
        self.count(block);
    }

    fn count(&self, block: &CleanBlock) {
        for feed in self.feeds.iter() {
            feed.counters.offered.add(1, block.len() as u64);
        }
    }
}

/// What a source holds of a block that it has sent.
#[derive(Debug)]
pub(super) struct Receipt(Arc<Open>);

impl Receipt {
    /// Whether every sink has acknowledged the block.
    pub fn is_acknowledged(&self) -> bool {
        self.0.sinks.load(Ordering::Acquire) == 0
    }

    /// Waits until every sink has acknowledged the block.
    pub async fn acknowledged(&self) {
        loop {
            let done = self.0.done.notified();
            if self.is_acknowledged() {
                return;
            }
            done.await;
        }
    }
}
