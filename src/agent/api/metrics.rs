//! `GET /metrics`. The names are Vector's where it has the same thing; `docs/operations.md` explains them.
//!
//! Labels are names of the configuration and words of ours: how many series there are does not depend on what is logged.

use super::facts::Facts;
use super::ledger::Reader;
use crate::agent::alert::AlertStatus;
use crate::agent::status::{SinkState, SinkStatus, SourceStatus, Status};
use crate::ledger::{self, Summary};
use crate::metrics::Metrics;
use axum::body::Bytes;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

pub(super) async fn text(facts: &Facts) -> Bytes {
    if let Some(kept) = facts.kept_metrics() {
        return kept;
    }
    let summary = match &facts.ledger {
        // Without it the rest is still of use.
        Some(ledger) => ledger.summary().await.ok(),
        None => None,
    };
    facts.keep_metrics(make(facts, facts.health.status(), summary))
}

fn make(facts: &Facts, status: Status, summary: Option<Arc<Summary>>) -> String {
    let mut metrics = Metrics::default();
    metrics.program(Vec::new, facts.started.time, facts.redaction.key_id());
    let limit = "What all its parts may take together, in bytes.";
    metrics.gauge("beartrap_memory_limit_bytes", limit).sample(vec![], facts.memory_limit_bytes as u64);
    if let Some(keys) = status.keys {
        let help = "Whether the key file was good when it was last read again.";
        metrics.gauge("beartrap_key_file_good", help).sample(vec![], u64::from(keys.is_good));
    }
    traffic(&mut metrics, &status);
    errors(&mut metrics, &status);
    metrics.findings(status.sources.iter().map(|source| (source.name.as_str(), &source.reading.findings)));
    progress_of_sources(&mut metrics, &status.sources);
    progress_of_sinks(&mut metrics, &status.sinks);
    if let Some(ledger) = &facts.ledger {
        exposures(&mut metrics, ledger, summary.as_deref(), status.ledger_error.is_some());
    }
    if let Some(alert) = &status.alert {
        alerts(&mut metrics, alert);
    }
    if let Some(emit) = &status.emit {
        let help = "Rows of the ledger that the sink of `emit_to` has taken.";
        metrics.counter("beartrap_emitted_rows", help).sample(vec![("sink", emit.sink.clone())], emit.emitted_rows);
        let help = "1 while the ledger can't be read to emit its rows.";
        metrics.gauge("beartrap_emit_degraded", help).sample(vec![], u64::from(emit.error.is_some()));
    }
    metrics.text()
}

type Labels = Vec<(&'static str, String)>;

fn of_source(source: &SourceStatus) -> Labels {
    component(&source.name, "source", source.kind)
}

fn of_sink(sink: &SinkStatus) -> Labels {
    component(&sink.name, "sink", sink.kind)
}

fn component(id: &str, kind: &str, of_type: &str) -> Labels {
    vec![("component_id", id.to_owned()), ("component_kind", kind.to_owned()), ("component_type", of_type.to_owned())]
}

fn with(mut labels: Labels, name: &'static str, value: &str) -> Labels {
    labels.push((name, value.to_owned()));
    labels
}

/// A number of each source, or each sink.
fn each<T>(
    items: &[T],
    labels: impl Fn(&T) -> Labels,
    number: impl Fn(&T) -> u64,
) -> impl Iterator<Item = (Labels, u64)> {
    items.iter().map(move |item| (labels(item), number(item)))
}

fn traffic(metrics: &mut Metrics, status: &Status) {
    let Status { sources, sinks, .. } = status;
    let family = metrics
        .counter("beartrap_component_received_bytes", "Bytes that a source has read, or a sink has been handed.");
    each(sources, of_source, |source| source.reading.received_bytes).for_each(|(labels, n)| family.sample(labels, n));
    each(sinks, of_sink, |sink| sink.offered_bytes).for_each(|(labels, n)| family.sample(labels, n));
    let family =
        metrics.counter("beartrap_component_received_events", "Whole records that a source has handed to its sinks.");
    each(sources, of_source, |source| source.reading.records).for_each(|(labels, n)| family.sample(labels, n));
    let family = metrics.counter(
        "beartrap_component_sent_bytes",
        "Redacted bytes that a source's sinks have taken, or a sink has delivered.",
    );
    each(sources, of_source, |source| source.sent_bytes).for_each(|(labels, n)| family.sample(labels, n));
    each(sinks, of_sink, |sink| sink.delivered_bytes).for_each(|(labels, n)| family.sample(labels, n));
    let family = metrics.counter("beartrap_component_sent_events", "Whole records that a sink has delivered.");
    each(sinks, of_sink, |sink| sink.delivered_records).for_each(|(labels, n)| family.sample(labels, n));
    let family = metrics.counter(
        "beartrap_component_discarded_events",
        "Records that a full sink has dropped because that was chosen.",
    );
    each(sinks, of_sink, |sink| sink.dropped_records).for_each(|(labels, n)| family.sample(labels, n));
    let family = metrics.counter("beartrap_component_discarded_bytes", "Bytes of dropped records.");
    each(sinks, of_sink, |sink| sink.dropped_bytes).for_each(|(labels, n)| family.sample(labels, n));
    let family = metrics.counter(
        "beartrap_component_resent_bytes",
        "Bytes that were sent once more, so that the receiver may have them twice.",
    );
    each(sinks, of_sink, |sink| sink.resent_bytes).for_each(|(labels, n)| family.sample(labels, n));
}

fn errors(metrics: &mut Metrics, status: &Status) {
    let family = metrics.counter("beartrap_component_errors", "What went wrong, by what it was.");
    for source in &status.sources {
        for (error, count) in &source.reading.incidents {
            family.sample(with(of_source(source), "error_type", error), *count);
        }
    }
    for sink in &status.sinks {
        for (error, count) in &sink.incidents {
            family.sample(with(of_sink(sink), "error_type", error), *count);
        }
    }
    let family = metrics.gauge("beartrap_component_degraded", "1 while something is wrong with it that lasts.");
    for source in &status.sources {
        family.sample(of_source(source), u64::from(source.is_degraded()));
    }
    for sink in &status.sinks {
        family.sample(of_sink(sink), u64::from(sink.is_degraded()));
    }
}

fn progress_of_sources(metrics: &mut Metrics, sources: &[SourceStatus]) {
    let is_file = |source: &&SourceStatus| source.kind == "file";
    let family = metrics.gauge("beartrap_open_files", "Files that are open; more may be followed.");
    for source in sources.iter().filter(is_file) {
        family.sample(of_source(source), source.reading.open);
    }
    let family = metrics.gauge("beartrap_open_connections", "Connections that are open.");
    for source in sources.iter().filter(|source| matches!(source.kind, "tcp" | "unix")) {
        family.sample(of_source(source), source.reading.open);
    }
    let family = metrics.gauge("beartrap_unread_paths", "Paths that globs name and that can't be read.");
    for source in sources.iter().filter(is_file) {
        family.sample(of_source(source), source.unread_paths);
    }
    let family = metrics.gauge("beartrap_file_lag_bytes", "Bytes in followed files that are not delivered yet.");
    for source in sources {
        source.reading.lag_bytes.into_iter().for_each(|lag| family.sample(of_source(source), lag));
    }
    let family = metrics
        .gauge("beartrap_checkpoint_lag_seconds", "For how long something is delivered that no checkpoint holds.");
    for source in sources.iter().filter(is_file) {
        family.seconds(of_source(source), source.reading.checkpoint_lag.unwrap_or_default());
    }
    let family =
        metrics.gauge("beartrap_held_up_seconds", "For how long a source has been waiting for room in a sink.");
    for source in sources {
        family.seconds(of_source(source), source.held_up.unwrap_or_default());
    }
}

fn progress_of_sinks(metrics: &mut Metrics, sinks: &[SinkStatus]) {
    let family = metrics.gauge(
        "beartrap_oldest_undelivered_age_seconds",
        "The age of the oldest byte that is not delivered; 0 if all is.",
    );
    for sink in sinks {
        family.seconds(of_sink(sink), sink.oldest_undelivered.unwrap_or_default());
    }
    let family = metrics.gauge("beartrap_buffer_bytes", "Bytes that wait for a sink or are not acknowledged.");
    sinks.iter().for_each(|sink| family.sample(of_sink(sink), sink.undelivered_bytes));
    let family = metrics.gauge("beartrap_buffer_limit_bytes", "How many bytes may.");
    sinks.iter().for_each(|sink| family.sample(of_sink(sink), sink.buffer_bytes));
    let family = metrics.gauge("beartrap_sink_state", "1 for the state that a sink is in.");
    for sink in sinks {
        for state in SinkState::ALL {
            family.sample(with(of_sink(sink), "state", state.name()), u64::from(sink.state == state));
        }
    }
}

fn alerts(metrics: &mut Metrics, alert: &AlertStatus) {
    let help = "Exposures that the receiver of alerts was told of.";
    metrics.counter("beartrap_alert_exposures", help).sample(vec![], alert.delivered_exposures);
    let help = "Exposures that the receiver of alerts did not want; they are tried again later.";
    metrics.counter("beartrap_alert_given_up_exposures", help).sample(vec![], alert.given_up_exposures);
    metrics.counter("beartrap_alert_requests", "Requests to the receiver of alerts.").sample(vec![], alert.requests);
    let help = "Those of them that failed.";
    metrics.counter("beartrap_alert_failed_requests", help).sample(vec![], alert.failed_requests);
    let help = "1 while alerts can't be delivered.";
    metrics.gauge("beartrap_alert_degraded", help).sample(vec![], u64::from(alert.is_degraded()));
}

fn exposures(metrics: &mut Metrics, ledger: &Reader, summary: Option<&Summary>, has_error: bool) {
    if let Some(summary) = summary {
        let family = metrics.gauge("beartrap_exposures", "Credentials in the ledger, by status.");
        for status in ledger::Status::ALL {
            let count = summary.status.get(status.name()).copied().unwrap_or_default();
            family.sample(vec![("status", status.name().to_owned())], count);
        }
        let help = "Credentials in the ledger that were first seen within a day.";
        metrics.gauge("beartrap_exposures_new_24h", help).sample(vec![], summary.new_24h);
        let help = "How often the credentials in the ledger were seen.";
        metrics.gauge("beartrap_exposure_occurrences", help).sample(vec![], summary.occurrences);
    }
    let counters = ledger.flusher().counters();
    let mut count = |name, help, count: &std::sync::atomic::AtomicU64| {
        metrics.counter(name, help).sample(vec![], count.load(Relaxed));
    };
    count("beartrap_ledger_batches", "Batches that were written to the ledger.", &counters.batches);
    count("beartrap_ledger_errors", "Attempts to write to the ledger that failed.", &counters.errors);
    count("beartrap_ledger_skipped", "Sights that were left out of the ledger: too much waited.", &counters.skipped);
    count("beartrap_ledger_pruned", "Rows of the ledger that its limits made go.", &counters.pruned);
    let help = "1 while the ledger can't be written.";
    metrics.gauge("beartrap_ledger_degraded", help).sample(vec![], u64::from(has_error));
}
