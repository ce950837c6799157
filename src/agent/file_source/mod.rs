//! The file source: follows files, and is its own queue. What is not acknowledged is read again after a restart.
//!
//! What no reader can notice, and what may therefore be lost: a file that was truncated and has grown back past the
//! offset with the same 64 bytes before it (and, after a restart, the same first KiB); what is written between the last
//! read and a truncation; a file that is made and removed between two looks; the end of a file that is removed while it
//! is closed because more files than `max_open_files` are followed (counted as lost; the ones that grew last stay open);
//! the end of a file that was compressed and removed while the agent was not running.

mod discovery;
mod follower;
mod glob_walk;
mod globs;
mod opener;
mod poison;
mod saving;
#[cfg(test)]
mod tests;
mod watch;

use super::attempts::Attempts;
use super::checkpoint::{Checkpoint, Entry};
use super::config;
use super::data_dir::DataDir;
use super::outlet::{Outlet, Receipt};
use super::status::{Incident, Trouble};
use super::stop::Stop;
use crate::codec::{Decoding, RecordStream, StreamStats};
use crate::redact::{CleanBlock, Counts, Redaction};
use discovery::Discovery;
pub(super) use follower::READ_BYTES;
use follower::{BUFFER_LEN, Follower, Shared, Step};
use saving::Saving;
use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::watch::Receiver;
use watch::Watch;

/// How often it is said how much is left in the files, and of how many the system is asked for that each time.
const TELL_INTERVAL: Duration = Duration::from_secs(1);
const TELL_ASKS: usize = 1000;

/// How soon after news further ones are asked for.
const NEWS_PAUSE: Duration = Duration::from_millis(5);

/// Follows the files of one source until it is told to stop or its sinks are gone.
///
/// The work runs on a thread of its own: reading files blocks, and no runtime is to be held up by a slow disk.
///
/// # Errors
/// When the last checkpoint can't be written: what was delivered will be delivered again.
pub(super) async fn run(
    source: &config::Source,
    file: &config::FileSource,
    data_dir: &DataDir,
    redaction: &Redaction,
    outlet: Outlet,
    stop: Receiver<Stop>,
) -> Result<SourceReport, SourceError> {
    let task = Task::new(source, file, data_dir, redaction, outlet, stop);
    let runtime = tokio::runtime::Handle::current();
    let thread = tokio::task::spawn_blocking(move || runtime.block_on(task.run()));
    match thread.await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(SourceError::Cancelled),
        },
    }
}

/// What a source did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SourceReport {
    /// Bytes read.
    pub bytes: u64,
    /// Files that were read.
    pub streams: u64,
    /// Files whose framing broke.
    pub broken_streams: u64,
    pub findings: Counts,
    pub stats: StreamStats,
    /// How often a file that was being followed got shorter, or other bytes than had been read from it.
    pub truncated: u64,
    /// Files that were not what the checkpoint says, and were read from their beginning.
    pub mismatched: u64,
    /// NUL bytes that a truncation had left at the beginning of a file and that were skipped.
    pub hole_bytes: u64,
    /// Files that were removed, with something unread in them, while they were closed for want of descriptors.
    pub lost_files: u64,
    /// Records that the engine could not take: markers stand for them.
    pub poison_records: u64,
    /// Blocks that were handed on and not acknowledged: they will be read again.
    pub unacknowledged_blocks: u64,
}

impl SourceReport {
    /// Adds what a stream has counted, which ends with that.
    fn add(&mut self, stream: &RecordStream) {
        self.findings.add(stream.counts());
        self.stats.split_records += stream.stats().split_records;
        self.stats.not_json += stream.stats().not_json;
        self.stats.foreign_records += stream.stats().foreign_records;
    }

    /// Logs what only files have, and gives what all sources have.
    pub fn log(self, source: &str) -> super::source::SourceReport {
        tracing::info!(
            source,
            truncated = self.truncated,
            mismatched = self.mismatched,
            hole_bytes = self.hole_bytes,
            lost_files = self.lost_files,
            poison_records = self.poison_records,
            unacknowledged_blocks = self.unacknowledged_blocks,
            "files ended"
        );
        super::source::SourceReport {
            bytes: self.bytes,
            streams: self.streams,
            broken_streams: self.broken_streams,
            findings: self.findings,
            stats: self.stats,
            ..Default::default()
        }
    }
}

/// Why a source ended badly.
#[derive(Debug)]
pub(super) enum SourceError {
    /// The last checkpoint could not be written.
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        error: io::Error,
    },
    /// The runtime was shut down.
    Cancelled,
}

impl std::fmt::Display for SourceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SourceError::Checkpoint { path, error } => write!(f, "checkpoint {}: {error}", path.display()),
            SourceError::Cancelled => f.write_str("the file source was cancelled"),
        }
    }
}

impl std::error::Error for SourceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            SourceError::Checkpoint { error, .. } => Some(error),
            SourceError::Cancelled => None,
        }
    }
}

/// Why nothing more is sent.
enum Ended {
    Stopped,
    SinksGone,
}

struct Task {
    shared: Shared,
    files: Vec<Follower>,
    discovery: Discovery,
    watch: Watch,
    /// News are not asked for sooner: each answer costs a look at every file's path.
    next_news: Instant,
    saving: Saving,
    attempts: Attempts,
    next_tell: Instant,
    outlet: Outlet,
    stop: Receiver<Stop>,
    report: SourceReport,
    buffer: Vec<u8>,
}

impl Task {
    fn new(
        source: &config::Source,
        file: &config::FileSource,
        data_dir: &DataDir,
        redaction: &Redaction,
        outlet: Outlet,
        stop: Receiver<Stop>,
    ) -> Self {
        let (checkpoint, loaded) = Checkpoint::load(data_dir, &source.name);
        let attempts = Attempts::open(data_dir, &source.name);
        // Where something failed it must be found this time: it may have been a second look.
        let sampler = if attempts.knows_failures() { outlet.sampler().all() } else { outlet.sampler().clone() };
        let shared = Shared {
            source: source.name.clone(),
            decoding: Decoding {
                framing: source.framing,
                codec: source.codec,
                max_record_bytes: source.max_record_bytes,
                whole_records: true,
            },
            redaction: redaction.clone(),
            sampler,
            recorder: outlet.recorder().cloned(),
            meter: outlet.meter().clone(),
            key: data_dir.identity_key().clone(),
            poll_interval: file.poll_interval,
            rotate_wait: file.rotate_wait,
            follow_symlinks: file.follow_symlinks,
        };
        let discovery = Discovery::new(file, loaded);
        Self {
            watch: Watch::new(&source.name, discovery.globs.clone()),
            next_news: Instant::now(),
            shared,
            files: Vec::new(),
            discovery,
            saving: Saving::new(checkpoint, file.checkpoint_interval, outlet.recorder().cloned()),
            attempts,
            next_tell: Instant::now(),
            outlet,
            stop,
            report: SourceReport::default(),
            buffer: vec![0; BUFFER_LEN],
        }
    }

    async fn run(mut self) -> Result<SourceReport, SourceError> {
        self.discover();
        // `read_from = "end"` holds for the first start only: were there no checkpoint yet after a crash, what was
        // written since would be taken for old.
        self.store_checkpoint_if_due();
        if self.follow().await.is_ok() {
            // The stop may still turn into "now"; then what is not acknowledged stays so.
            let _ = self.drain().await;
        }
        self.collect_receipts();
        let entries = entries(&self.files, &self.discovery);
        self.saving
            .save_last(entries)
            .map_err(|error| SourceError::Checkpoint { path: self.saving.path().to_owned(), error })?;
        for file in &mut self.files {
            file.end_stream(&mut self.report);
        }
        self.next_tell = Instant::now();
        self.tell();
        self.report.unacknowledged_blocks = self.files.iter().map(|file| file.unacknowledged_blocks() as u64).sum();
        Ok(self.report)
    }

    /// Reads all files in turns, one block each; returns when the source is to drain.
    async fn follow(&mut self) -> Result<(), Ended> {
        loop {
            self.take_news();
            let mut was_idle = true;
            for index in 0..self.files.len() {
                match self.stop() {
                    Stop::Running => {}
                    Stop::Draining => return Ok(()),
                    Stop::Now => return Err(Ended::Stopped),
                }
                was_idle &= !self.turn(index).await?;
            }
            let (held_up, known) = (self.held_up(), self.report.streams);
            self.keep_house();
            self.forget_done();
            // One that is new, or that its sinks have let go meanwhile, may give something at once.
            if was_idle && self.held_up() >= held_up && self.report.streams == known {
                self.wait().await;
            }
            match self.stop() {
                Stop::Running => {}
                Stop::Draining => return Ok(()),
                Stop::Now => return Err(Ended::Stopped),
            }
        }
    }

    /// One file's turn: true if it gave something.
    async fn turn(&mut self, index: usize) -> Result<bool, Ended> {
        let now = Instant::now();
        let file = &mut self.files[index];
        let mut displaced = false;
        let is_ready = file.is_ready(now, &self.shared, &mut displaced);
        if displaced {
            self.discovery.hurry();
        }
        if !is_ready || !self.ensure_open(index) {
            return Ok(false);
        }
        let file = &mut self.files[index];
        let step = file.step(&self.shared, &mut self.attempts, &mut self.buffer, &mut self.report);
        self.attempts.end();
        match step {
            Ok(Step::Idle) => Ok(false),
            Ok(Step::Block(block, position)) => {
                let receipt = if block.is_empty() { None } else { Some(self.send(block).await?) };
                self.files[index].sent(receipt, position);
                Ok(true)
            }
            Err(error) => {
                self.shared.meter.note(Incident::UnreadableFile);
                self.discovery.warn(&self.shared.source, &file.path, &error.to_string());
                file.delay(&self.shared);
                Ok(false)
            }
        }
    }

    /// Hands a block on. While the sinks are full, new files are still opened, so that none is rotated away unseen.
    async fn send(&mut self, block: CleanBlock) -> Result<Receipt, Ended> {
        let outlet = self.outlet.clone();
        let mut stop = self.stop.clone();
        let mut send = pin!(outlet.send(block));
        let mut stopped = pin!(async move {
            // An error says that the other end is gone, which means the same.
            let _ = stop.wait_for(|stop| *stop == Stop::Now).await;
        });
        loop {
            tokio::select! {
                biased;
                sent = &mut send => return sent.map_err(|_| Ended::SinksGone),
                () = &mut stopped => return Err(Ended::Stopped),
                () = tokio::time::sleep(self.shared.poll_interval) => self.keep_house(),
            }
        }
    }

    /// How many files wait for their sinks.
    fn held_up(&self) -> usize {
        self.files.iter().filter(|file| file.is_held_up()).count()
    }

    /// Waits until something may have come: time has passed, a sink has acknowledged, or a stop.
    async fn wait(&mut self) {
        let held_up = self.files.iter().find(|file| file.is_held_up()).and_then(Follower::oldest_receipt);
        let acknowledged = async {
            match held_up {
                Some(receipt) => receipt.acknowledged().await,
                None => std::future::pending().await,
            }
        };
        let mut due = (Instant::now() + self.shared.poll_interval).min(self.discovery.due());
        if let Some(checkpoint) = self.saving.due() {
            due = due.min(checkpoint);
        }
        let news = async {
            tokio::time::sleep_until(self.next_news.into()).await;
            self.watch.came().await;
        };
        tokio::select! {
            () = tokio::time::sleep_until(due.into()) => {}
            () = acknowledged => {}
            () = news => {}
            _ = self.stop.changed() => {}
        }
    }

    /// Brings the next look at what has changed forward.
    fn take_news(&mut self) {
        let now = Instant::now();
        if now < self.next_news {
            return;
        }
        let changes = self.watch.take();
        // The next pass may be a while away, and a file be renamed before.
        changes.new.iter().for_each(|path| self.admit(path, None));
        if changes.names {
            self.discovery.hurry();
        }
        if changes.all || !changes.paths.is_empty() {
            self.next_news = now + NEWS_PAUSE;
            let changed = self.files.iter_mut().filter(|file| changes.all || changes.paths.contains(&file.path));
            changed.for_each(|file| file.look_at(now));
        }
    }

    /// Waits until all that was handed on is acknowledged.
    async fn drain(&mut self) -> Result<(), Ended> {
        let mut stop = self.stop.clone();
        let mut stopped = pin!(async move {
            let _ = stop.wait_for(|stop| *stop == Stop::Now).await;
        });
        for index in 0..self.files.len() {
            loop {
                self.files[index].collect_receipts();
                let Some(receipt) = self.files[index].oldest_receipt() else { break };
                tokio::select! {
                    () = receipt.acknowledged() => {}
                    () = &mut stopped => return Err(Ended::Stopped),
                }
            }
        }
        Ok(())
    }

    fn stop(&self) -> Stop {
        // Without the other end nobody could say "now" any more.
        if self.stop.has_changed().is_err() { Stop::Now } else { *self.stop.borrow() }
    }

    fn keep_house(&mut self) {
        let moved = self.collect_receipts();
        self.saving.note(moved);
        if self.discovery.is_due() && self.stop() == Stop::Running {
            self.discover();
        }
        self.store_checkpoint_if_due();
        self.tell();
    }

    /// Says how it is, for whoever asks.
    fn tell(&mut self) {
        let meter = &self.shared.meter;
        meter.set_unnoted(self.saving.behind_since());
        let now = Instant::now();
        if now >= self.next_tell {
            self.next_tell = now + TELL_INTERVAL;
            meter.set_open(self.files.iter().filter(|file| file.is_open()).count());
            let mut asks = TELL_ASKS;
            meter.set_lag(self.files.iter().map(|file| file.lag_bytes(&mut asks)).sum());
        }
    }

    fn collect_receipts(&mut self) -> bool {
        self.files.iter_mut().fold(false, |moved, file| file.collect_receipts() | moved)
    }

    /// Forgets files of which nothing more is to come.
    fn forget_done(&mut self) {
        let Self { files, discovery, report, shared, saving, .. } = self;
        files.retain_mut(|file| {
            if !file.is_done() {
                return true;
            }
            if file.is_gone() && file.has_unread() {
                report.lost_files += 1;
                shared.meter.note(Incident::LostFile);
                tracing::warn!(source = shared.source, path = %file.path.display(), "file is gone and was not open: its end may be lost");
            }
            file.end_stream(report);
            if !file.is_nameless() {
                discovery.remember(file.entry(now_secs()));
            }
            saving.note(true);
            false
        });
    }

    fn store_checkpoint_if_due(&mut self) {
        let Self { files, discovery, saving, .. } = self;
        match saving.save_if_due(|| entries(files, discovery)) {
            None => {}
            Some(Ok(entries)) => {
                self.outlet.health().set(Trouble::Checkpoint, false);
                if self.attempts.knows_failures() {
                    entries.iter().for_each(|entry| self.attempts.forget(entry.id, entry.position.offset));
                }
            }
            // The older one stays; that costs duplicates after a crash, and the next attempt may do.
            Some(Err(error)) => {
                self.outlet.health().set(Trouble::Checkpoint, true);
                self.shared.meter.note(Incident::FailedCheckpoint);
                let path = self.saving.path().display();
                tracing::error!(source = self.shared.source, %path, %error, "checkpoint can't be written");
            }
        }
    }
}

fn entries(files: &[Follower], discovery: &Discovery) -> Vec<Entry> {
    let now_secs = now_secs();
    files.iter().map(|file| file.entry(now_secs)).chain(discovery.remembered().cloned()).collect()
}

fn now_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
