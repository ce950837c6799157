//! A file as a sink: blocks are written as they come, made durable together, and acknowledged then.

use super::append_file::{AppendFile, is_full};
use super::batch::Batch;
use super::config::{FileSink, Sink};
use super::counters::SinkCounters;
use super::failure::Failure;
use super::outlet::Delivery;
use super::queue::Intake;
use super::sink::SinkEnd;
use super::status::{Condition, SinkIncident};
use crate::codec::Framing;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

/// How often a full disk, or a file that can't be opened again, is tried.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// How often we look whether the path still leads to our file.
const MOVED_INTERVAL: Duration = Duration::from_secs(1);

pub(super) async fn run(
    sink: &Sink,
    options: &FileSink,
    file: AppendFile,
    mut intake: Intake,
    mut reopen: watch::Receiver<u64>,
) -> Result<SinkEnd, Failure> {
    let counters = intake.counters.clone();
    let mut output =
        Output { name: &sink.name, framing: sink.framing, file: Arc::new(file), unsynced: Vec::new(), counters };
    let mut batch = Batch::default();
    let mut sync_at = Instant::now();
    let mut look = tokio::time::interval(MOVED_INTERVAL);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut commands = true;
    loop {
        tokio::select! {
            changed = reopen.changed(), if commands => match changed {
                Ok(()) => output.reopen().await?,
                Err(_) => commands = false,
            },
            _ = look.tick() => if output.is_moved().await { output.reopen().await? },
            () = tokio::time::sleep_until(sync_at), if !output.unsynced.is_empty() => {}
            next = intake.recv() => match next {
                Some(first) => {
                    if output.unsynced.is_empty() {
                        sync_at = Instant::now() + options.sync_interval;
                    }
                    batch.fill(sink.framing, first, &mut intake);
                    batch = output.write(batch).await?;
                }
                None => break,
            },
        }
        // With nothing more to write there is nothing to wait for; under load many blocks share one sync.
        if !output.unsynced.is_empty() && (intake.is_empty() || Instant::now() >= sync_at) {
            output.sync().await?;
        }
    }
    output.sync().await?;
    Ok(SinkEnd::Drained)
}

struct Output<'a> {
    name: &'a str,
    framing: Framing,
    file: Arc<AppendFile>,
    /// Written, not yet durable.
    unsynced: Vec<Delivery>,
    counters: Arc<SinkCounters>,
}

impl Output<'_> {
    /// Writes a batch to its last byte. While the disk is full it waits and goes on where it stopped.
    async fn write(&mut self, mut batch: Batch) -> Result<Batch, Failure> {
        let mut full = false;
        loop {
            let file = self.file.clone();
            let written;
            (batch, written) = blocking(move || {
                let written = file.write(&batch.wire, &mut batch.written);
                (batch, written)
            })
            .await;
            let error = match written {
                Ok(()) => break,
                Err(error) if is_full(&error) => error,
                Err(error) => return Err(self.failure(error)),
            };
            self.counters.health.set(Condition::WaitingForSpace);
            if !full {
                full = true;
                self.counters.health.note(SinkIncident::NoSpace);
                tracing::warn!(sink = self.name, path = %self.file.path().display(), %error, "waiting for space");
                // Nothing more can be written for a while: let sources know what is safe.
                self.sync().await?;
            }
            tokio::time::sleep(RETRY_INTERVAL).await;
            // Deleting the file is a way to make space.
            if self.is_moved().await {
                self.reopen().await?;
                let again = batch.rewind();
                if again > 0 {
                    self.counters.resent.add(1, again as u64);
                }
            }
        }
        if full {
            self.counters.health.set(Condition::Ready);
            tracing::info!(sink = self.name, path = %self.file.path().display(), "there is space again");
        }
        self.unsynced.append(&mut batch.deliveries);
        Ok(batch)
    }

    async fn sync(&mut self) -> Result<(), Failure> {
        if self.unsynced.is_empty() {
            return Ok(());
        }
        let file = self.file.clone();
        blocking(move || file.sync()).await.map_err(|error| self.failure(error))?;
        for delivery in self.unsynced.drain(..) {
            delivery.acknowledge();
        }
        Ok(())
    }

    async fn is_moved(&self) -> bool {
        let file = self.file.clone();
        blocking(move || file.is_moved()).await
    }

    /// Finishes the old file and opens the path again. Until that works nothing is written: what would go to a file
    /// that has lost its name might be read by nobody.
    async fn reopen(&mut self) -> Result<(), Failure> {
        self.sync().await?;
        let mut failed = false;
        loop {
            let (file, framing) = (self.file.clone(), self.framing);
            match blocking(move || AppendFile::open(file.path(), framing)).await {
                Ok(file) => {
                    tracing::info!(sink = self.name, path = %file.path().display(), "file opened again");
                    self.file = Arc::new(file);
                    self.counters.health.set(Condition::Ready);
                    return Ok(());
                }
                Err(error) if !failed => {
                    failed = true;
                    self.counters.health.note(SinkIncident::NotReopened);
                    self.counters.health.set(Condition::Reopening);
                    tracing::warn!(sink = self.name, path = %self.file.path().display(), %error, "can't open the file again");
                }
                Err(_) => {}
            }
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
    }

    fn failure(&self, error: io::Error) -> Failure {
        Failure::sink(self.name, self.file.path().display(), error)
    }
}

/// Runs file work where it may take its time.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is going down, and this task with it.
        Err(_) => std::future::pending().await,
    }
}
