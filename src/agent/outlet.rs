//! From a source to its sinks: ordered hand-over of blocks, and the acknowledgements back.

use crate::redact::CleanBlock;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{Notify, mpsc};

/// One block on its way to one sink. Dropping it without [`acknowledge`](Self::acknowledge) means: not delivered.
#[derive(Debug)]
pub(super) struct Delivery {
    pub block: Arc<CleanBlock>,
    open: Arc<Open>,
}

impl Delivery {
    /// The sink's word that the block is durable (or that dropping it was the user's choice and is counted).
    pub fn acknowledge(self) {
        if self.open.sinks.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.open.done.notify_waiters();
        }
    }
}

#[derive(Debug)]
struct Open {
    /// Sinks that have not acknowledged yet.
    sinks: AtomicUsize,
    done: Notify,
}

/// A source's end of the pipeline: everything sent here reaches all sinks, in order.
#[derive(Clone, Debug)]
pub(super) struct Outlet {
    sinks: Vec<mpsc::Sender<Delivery>>,
}

/// A sink has ended; what it had not acknowledged is undelivered.
#[derive(Debug)]
pub(super) struct Closed;

impl Outlet {
    pub fn new(sinks: Vec<mpsc::Sender<Delivery>>) -> Self {
        Self { sinks }
    }

    /// Hands a block to every sink, waiting while one is full: a blocked sink stops its source for all its sinks.
    pub async fn send(&self, block: CleanBlock) -> Result<Receipt, Closed> {
        let block = Arc::new(block);
        let open = Arc::new(Open { sinks: AtomicUsize::new(self.sinks.len()), done: Notify::new() });
        for sink in &self.sinks {
            let delivery = Delivery { block: block.clone(), open: open.clone() };
            sink.send(delivery).await.map_err(|_| Closed)?;
        }
        Ok(Receipt(open))
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
