//! What answers are made from.

use super::super::config::Config;
use super::super::limits::Limits;
use super::super::status::{Health, Status};
use super::super::stop::Stop;
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
    pub health: Health,
    pub redaction: Redaction,
    pub stop: watch::Receiver<Stop>,
    pub ready_requires_delivery: bool,
    /// What all parts may take together.
    pub memory_limit_bytes: usize,
    pub started: Started,
    pub rates: Rates,
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
        Self {
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
    pub fn metrics_text(&self, text: impl FnOnce(&Self, Status) -> String) -> Bytes {
        let mut kept = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some((made, bytes)) if made.elapsed() < METRICS_AGE_MAX => bytes.clone(),
            _ => {
                let bytes = Bytes::from(text(self, self.health.status()));
                *kept = Some((Instant::now(), bytes.clone()));
                bytes
            }
        }
    }
}
