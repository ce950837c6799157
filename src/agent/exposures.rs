//! The ledger of a running agent: opened before anything runs, watched, and closed after its sources.

use super::alert::{AlertHealth, Alerter};
use super::config::{self, Config};
use super::emitter::{EmitHealth, Emitter};
use super::failure::Failure;
use super::outlet::Outlet;
use super::queue::Feed;
use crate::ledger::{Flusher, Ledger, Settings};
use crate::redact::Redaction;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long the end waits for the last batch: it holds nothing that a sink delivers.
const CLOSE_WAIT_MAX: Duration = Duration::from_secs(10);

/// What the agent has of its ledger.
#[derive(Debug)]
pub(super) struct Exposures {
    ledger: Ledger,
    had_error: bool,
    skipped: u64,
    alert: Option<Alerter>,
    emit: Option<Emitting>,
}

/// The rows on their way to a sink.
#[derive(Debug)]
struct Emitting {
    health: Arc<EmitHealth>,
    finish: watch::Sender<bool>,
    task: JoinSet<()>,
}

/// What can be asked while it runs.
#[derive(Clone, Debug)]
pub(super) struct LedgerHealth {
    pub flusher: Flusher,
    pub alert: Option<Arc<AlertHealth>>,
    pub emit: Option<Arc<EmitHealth>>,
}

impl Exposures {
    /// Opens what the configuration names.
    pub fn open(config: &Config, redaction: &Redaction) -> Result<Option<Self>, Failure> {
        let Some(opened) = &config.ledger else { return Ok(None) };
        let instance = config.instance();
        let settings = Settings {
            limits: opened.limits.clone(),
            policy: opened.policy.clone(),
            ..Settings::new(&opened.path, &instance)
        };
        // Its message says where it is.
        let failed = |error| Failure::ledger(io::Error::other(error));
        let ledger = Ledger::open(settings, redaction).map_err(failed)?;
        tracing::info!(ledger = ledger.identity().id, instance, "ledger opened");
        let alert = opened.alert.as_ref().map(|alert| Alerter::start(alert, &opened.path, redaction)).transpose();
        let emit = opened.emit.as_ref().map(|emit| Emitting {
            health: Arc::new(EmitHealth::new(&emit.sink)),
            finish: watch::Sender::new(false),
            task: JoinSet::new(),
        });
        Ok(Some(Self { ledger, had_error: false, skipped: 0, alert: alert.map_err(Failure::alert)?, emit }))
    }

    pub fn health(&self) -> LedgerHealth {
        LedgerHealth {
            flusher: self.ledger.flusher(),
            alert: self.alert.as_ref().map(Alerter::health),
            emit: self.emit.as_ref().map(|emit| emit.health.clone()),
        }
    }

    /// Begins to send rows to the sink that is to have them, whose queue is among these.
    pub fn emit(&mut self, config: &Config, feeds: &[(&config::Sink, Feed)], redaction: &Redaction) {
        let ledger = config.ledger.as_ref();
        let (Some(emitting), Some(ledger)) = (&mut self.emit, ledger) else { return };
        let Some(emit) = &ledger.emit else { return };
        let feeds = feeds.iter().filter(|(sink, _)| sink.name == emit.sink).map(|(_, feed)| feed.clone());
        let outlet = Outlet::new(feeds.collect::<Vec<_>>());
        let (flusher, health) = (self.ledger.flusher(), emitting.health.clone());
        let emitter = Emitter::new(emit, ledger.path.clone(), outlet, redaction.of_own_texts(), flusher, health);
        tracing::info!(sink = emit.sink, "rows of the ledger are emitted");
        emitting.task.spawn(emitter.run(emitting.finish.subscribe()));
    }

    /// Nothing more will be found: what is not emitted yet is the last.
    pub fn finish(&self) {
        if let Some(emit) = &self.emit {
            emit.finish.send_if_modified(|is_last| !std::mem::replace(is_last, true));
        }
    }

    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Says what has changed since it looked last.
    pub fn look(&mut self) {
        let ledger = self.ledger.flusher();
        let error = ledger.error();
        match &error {
            Some(error) if !self.had_error => {
                tracing::error!(
                    error,
                    "the ledger can't be written: what is found waits, and is left out if it gets too much"
                );
            }
            None if self.had_error => tracing::info!("the ledger is written again"),
            _ => {}
        }
        self.had_error = error.is_some();
        let skipped = skipped(&ledger);
        if skipped > self.skipped {
            tracing::warn!(skipped, "sights of credentials are left out of the ledger: too many wait to be written");
            self.skipped = skipped;
        }
        self.alert.iter_mut().for_each(Alerter::look);
    }

    /// Writes what is left, and tells of it if that takes no longer than is left.
    pub async fn close(self, left: Duration) {
        let Self { ledger, alert, .. } = self;
        let closed = tokio::task::spawn_blocking(move || ledger.close());
        match tokio::time::timeout(CLOSE_WAIT_MAX, closed).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::error!(%error, "what was found last is not in the ledger"),
            Ok(Err(_)) | Err(_) => tracing::error!("what was found last may not be in the ledger"),
        }
        if let Some(alert) = alert {
            alert.close(left).await;
        }
    }
}

fn skipped(ledger: &Flusher) -> u64 {
    ledger.counters().skipped.load(std::sync::atomic::Ordering::Relaxed)
}
