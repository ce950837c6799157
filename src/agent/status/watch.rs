//! Says in the log when a sink keeps things waiting, and when it does not any more.

use super::{Health, SinkStatus};
use std::time::{Duration, Instant};

/// A sink that stays as it is is named again after this time.
const REPEAT_INTERVAL: Duration = Duration::from_secs(60);

/// What the log knows of the sinks' states.
#[derive(Debug)]
pub(in crate::agent) struct Watcher {
    health: Health,
    /// For each sink that is degraded: since when, its state's name, and when it was told last.
    told: Vec<Option<(Instant, &'static str, Instant)>>,
}

impl Watcher {
    pub fn new(health: Health) -> Self {
        let told = vec![None; health.0.sinks.len()];
        Self { health, told }
    }

    /// To be called about once a second.
    pub fn look(&mut self) {
        for (sink, told) in self.health.0.sinks.iter().map(|sink| sink.status()).zip(&mut self.told) {
            let now = Instant::now();
            match (sink.is_degraded(), *told) {
                (true, Some((_, state, at))) if state == sink.state.name() && now - at < REPEAT_INTERVAL => {}
                (true, before) => {
                    warn(&sink);
                    *told = Some((before.map_or(now, |(since, ..)| since), sink.state.name(), now));
                }
                (false, Some((since, ..))) => {
                    tracing::info!(sink = sink.name, degraded_secs = since.elapsed().as_secs(), "sink delivers again");
                    *told = None;
                }
                (false, None) => {}
            }
        }
    }
}

fn warn(sink: &SinkStatus) {
    tracing::warn!(
        sink = sink.name,
        state = sink.state.name(),
        oldest_undelivered_secs = sink.oldest_undelivered.unwrap_or_default().as_secs(),
        undelivered_bytes = sink.undelivered_bytes,
        dropped_records = sink.dropped_records,
        "sink does not deliver"
    );
}
