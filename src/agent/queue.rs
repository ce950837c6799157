//! The queue before a sink, bounded in bytes.

use super::config::{Sink, WhenFull};
use super::counters::SinkCounters;
use super::outlet::{Closed, Delivery};
use std::sync::Arc;
use tokio::sync::{Semaphore, TryAcquireError, mpsc};

/// What a block costs beside its bytes, so that a queue of very small blocks is bounded as well.
pub(super) const BLOCK_OVERHEAD_BYTES: usize = 256;

/// The sources' end of a queue.
///
/// Bytes are given out by a semaphore that serves waiters in turn; a source has one block waiting at most. So sources
/// take turns, one block each.
#[derive(Clone, Debug)]
pub(super) struct Feed {
    blocks: mpsc::Sender<Delivery>,
    room: Arc<Semaphore>,
    room_bytes: usize,
    when_full: WhenFull,
    pub(super) counters: Arc<SinkCounters>,
}

/// The sink's end of a queue. A delivery keeps its room until it is acknowledged, so that the queue's limit holds for
/// what waits and what the sink has in hand together.
#[derive(Debug)]
pub(super) struct Intake {
    blocks: mpsc::Receiver<Delivery>,
    room: Arc<Semaphore>,
    pub counters: Arc<SinkCounters>,
}

/// The two ends of a sink's queue.
pub(super) fn queue(sink: &Sink) -> (Feed, Intake) {
    let room_bytes = sink.buffer_bytes.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
    let room = Arc::new(Semaphore::new(room_bytes));
    // Every block takes room for its overhead at least, so that the channel is never full while there is room.
    let blocks_max = room_bytes / BLOCK_OVERHEAD_BYTES + 1;
    let (sender, blocks) = mpsc::channel(blocks_max);
    let counters = Arc::new(SinkCounters::new(&sink.name, sink.kind.name(), sink.buffer_bytes, blocks_max));
    let feed =
        Feed { blocks: sender, room: room.clone(), room_bytes, when_full: sink.when_full, counters: counters.clone() };
    (feed, Intake { blocks, room, counters })
}

#[cfg(test)]
impl From<mpsc::Sender<Delivery>> for Feed {
    /// A queue that is bounded by its channel alone.
    fn from(blocks: mpsc::Sender<Delivery>) -> Self {
        let room_bytes = u32::MAX as usize;
        Self {
            blocks,
            room: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
            room_bytes,
            when_full: WhenFull::Block,
            counters: Arc::new(SinkCounters::new("test", "", room_bytes, 1 << 16)),
        }
    }
}

impl Feed {
    /// Hands a block over, or drops it where the user chose that.
    pub async fn put(&self, mut delivery: Delivery) -> Result<(), Closed> {
        // A block over the whole limit waits until it is alone.
        let cost = (delivery.block.len() + BLOCK_OVERHEAD_BYTES).min(self.room_bytes) as u32;
        let room = match self.when_full {
            WhenFull::Block => self.room.clone().acquire_many_owned(cost).await.map_err(|_| Closed)?,
            WhenFull::DropNewest => match self.room.clone().try_acquire_many_owned(cost) {
                Ok(room) => room,
                Err(TryAcquireError::NoPermits) => {
                    delivery.drop_by_choice();
                    return Ok(());
                }
                Err(TryAcquireError::Closed) => return Err(Closed),
            },
        };
        delivery.room = Some(room);
        self.counters.health.entered();
        self.blocks.send(delivery).await.map_err(|_| Closed)
    }
}

impl Intake {
    /// The next block; `None` once all sources have ended.
    pub async fn recv(&mut self) -> Option<Delivery> {
        self.blocks.recv().await
    }

    /// As [`recv`](Self::recv), for a thread of its own.
    pub fn blocking_recv(&mut self) -> Option<Delivery> {
        self.blocks.blocking_recv()
    }

    /// The next block if there is one.
    pub fn try_recv(&mut self) -> Option<Delivery> {
        self.blocks.try_recv().ok()
    }

    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        // Sources that wait for room must hear that none will come.
        self.room.close();
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::SinkKind;
    use super::super::outlet::Outlet;
    use super::*;
    use crate::redact::CleanBlock;
    use std::time::Duration;
    use tokio::time::timeout;

    fn sink(buffer_bytes: usize, when_full: WhenFull) -> Sink {
        Sink {
            name: "out".into(),
            inputs: vec!["in".into()],
            framing: crate::codec::Framing::NewlineDelimited,
            when_full,
            buffer_bytes,
            kind: SinkKind::Stdout,
        }
    }

    fn block(len: usize) -> CleanBlock {
        let mut block = CleanBlock::new();
        block.set_delimiter(Some(b'\n'));
        for _ in 0..len {
            block.push_delimiter(b'\n');
        }
        block
    }

    #[tokio::test]
    async fn a_full_queue_blocks_until_an_acknowledgement() {
        let (feed, mut intake) = queue(&sink(1000, WhenFull::Block));
        let outlet = Outlet::new(vec![feed]);
        outlet.send(block(300)).await.unwrap();
        let mut second = Box::pin(outlet.send(block(300)));
        assert!(timeout(Duration::from_millis(20), &mut second).await.is_err());
        let first = intake.recv().await.unwrap();
        assert!(timeout(Duration::from_millis(20), &mut second).await.is_err(), "room is kept until acknowledged");
        first.acknowledge();
        let receipt = second.await.unwrap();
        assert!(!receipt.is_acknowledged());
        intake.recv().await.unwrap().acknowledge();
        receipt.acknowledged().await;
        assert_eq!(intake.counters.undelivered(), (0, 0));
    }

    #[tokio::test]
    async fn a_block_over_the_limit_passes_alone() {
        let (feed, mut intake) = queue(&sink(1000, WhenFull::Block));
        let outlet = Outlet::new(vec![feed]);
        outlet.send(block(5000)).await.unwrap();
        let mut next = Box::pin(outlet.send(block(1)));
        assert!(timeout(Duration::from_millis(20), &mut next).await.is_err());
        intake.recv().await.unwrap().acknowledge();
        next.await.unwrap();
    }

    #[tokio::test]
    async fn drops_are_chosen_counted_and_acknowledged() {
        let (feed, mut intake) = queue(&sink(1000, WhenFull::DropNewest));
        let outlet = Outlet::new(vec![feed]);
        let kept = outlet.send(block(700)).await.unwrap();
        let dropped = outlet.send(block(500)).await.unwrap();
        assert!(dropped.is_acknowledged() && !kept.is_acknowledged());
        assert_eq!((intake.counters.dropped.blocks(), intake.counters.dropped_records()), (1, 500));
        intake.recv().await.unwrap().acknowledge();
        assert_eq!(intake.counters.undelivered(), (0, 0));
    }

    #[tokio::test]
    async fn a_sink_that_ends_wakes_sources_that_wait() {
        let (feed, intake) = queue(&sink(1000, WhenFull::Block));
        let outlet = Outlet::new(vec![feed]);
        outlet.send(block(700)).await.unwrap();
        let waiting = tokio::spawn(async move { outlet.send(block(700)).await.is_err() });
        tokio::task::yield_now().await;
        drop(intake);
        assert!(waiting.await.unwrap());
    }

    #[tokio::test]
    async fn all_sinks_must_acknowledge() {
        let (feed_a, mut a) = queue(&sink(1000, WhenFull::Block));
        let (feed_b, mut b) = queue(&sink(1000, WhenFull::Block));
        let receipt = Outlet::new(vec![feed_a, feed_b]).send(block(3)).await.unwrap();
        a.recv().await.unwrap().acknowledge();
        assert!(!receipt.is_acknowledged());
        b.recv().await.unwrap().acknowledge();
        assert!(receipt.is_acknowledged());
    }
}
