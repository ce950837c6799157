//! What answers are made from.

use super::super::config::Config;
use super::super::limits::Limits;
use super::super::status::Health;
use super::super::stop::Stop;
use super::ledger::Reader;
use super::rates::{Rates, Totals};
use crate::redact::Redaction;
use axum::body::Bytes;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;

/// Whoever asks more often gets the same metrics: making them must not cost more than that, nor must callers that don't
/// read hold more than these.
const METRICS_AGE_MAX: Duration = Duration::from_millis(250);

/// What is known of the agent.
pub(in super::super) struct Facts {
    pub(super) health: Health,
    pub(super) redaction: Redaction,
    pub(super) instance: String,
    stop: watch::Receiver<Stop>,
    ready_requires_delivery: bool,
    /// What all parts may take together.
    pub(super) memory_limit_bytes: usize,
    pub(super) started: Started,
    pub(super) rates: Rates,
    pub(super) ledger: Option<Reader>,
    metrics: Mutex<Option<(Instant, Bytes)>>,
}

/// When it started, by both clocks.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Started {
    pub time: SystemTime,
    pub instant: Instant,
}

impl Facts {
    pub fn new(health: Health, redaction: Redaction, stop: watch::Receiver<Stop>, config: &Config) -> Self {
        let started = Started { time: SystemTime::now(), instant: Instant::now() };
        let ledger = config.ledger.as_ref().zip(health.ledger());
        Self {
            ledger: ledger.map(|(ledger, flusher)| Reader::new(&ledger.path, flusher.clone())),
            instance: config.instance(),
            health,
            redaction,
            stop,
            ready_requires_delivery: config.api.as_ref().is_some_and(|api| api.ready_requires_delivery),
            memory_limit_bytes: Limits::of(config).total_bytes(),
            started,
            rates: Rates::new(started.instant),
            metrics: Mutex::default(),
        }
    }

    /// Notes every second how far it has come.
    pub async fn measure(self: Arc<Self>) {
        let mut second = tokio::time::interval(Duration::from_secs(1));
        loop {
            second.tick().await;
            self.rates.note(Instant::now(), Totals::of(&self.health.status()));
        }
    }

    /// Why it is not ready; empty if it is.
    pub fn not_ready(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        // An error says that there is no agent any more.
        if self.stop.has_changed().is_err() || *self.stop.borrow() != Stop::Running {
            reasons.push("it is stopping".to_owned());
        }
        if self.ready_requires_delivery {
            let degraded = self.health.status().sinks.into_iter().filter(|sink| sink.is_degraded());
            reasons.extend(degraded.map(|sink| format!("sink {} does not deliver: {}", sink.name, sink.state.name())));
        }
        reasons
    }

    /// Metrics that are as good as new.
    pub fn kept_metrics(&self) -> Option<Bytes> {
        let kept = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().filter(|(made, _)| made.elapsed() < METRICS_AGE_MAX).map(|(_, bytes)| bytes.clone())
    }

    /// Keeps them for who asks next.
    pub fn keep_metrics(&self, text: String) -> Bytes {
        let bytes = Bytes::from(text);
        *self.metrics.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), bytes.clone()));
        bytes
    }
}
