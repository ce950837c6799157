//! `GET /api/v1/status`

use super::facts::Facts;
use super::rates::Totals;
use crate::agent::alert::AlertStatus;
use crate::agent::emitter::EmitStatus;
use crate::agent::status::{SinkStatus, SourceStatus};
use crate::ledger::Summary;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The agent at one moment.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    version: &'static str,
    instance: String,
    key_id: String,
    uptime_secs: u64,
    bytes_in: u64,
    bytes_out: u64,
    records_in: u64,
    records_out: u64,
    bytes_in_per_sec: u64,
    bytes_out_per_sec: u64,
    records_in_per_sec: u64,
    records_out_per_sec: u64,
    is_degraded: bool,
    sources: BTreeMap<String, Source>,
    sinks: BTreeMap<String, Sink>,
    /// Null without a ledger.
    ledger: Option<Ledger>,
}

/// The ledger in numbers; none of them while it can't be read.
#[derive(Debug, Serialize)]
struct Ledger {
    #[serde(flatten)]
    summary: Option<Summary>,
    /// Why it can't be read or written now.
    error: Option<String>,
    /// `[ledger.alert]`
    alert: Option<AlertStatus>,
    /// `emit_to`
    emit: Option<EmitStatus>,
}

#[derive(Debug, Serialize)]
struct Source {
    #[serde(rename = "type")]
    kind: &'static str,
    has_ended: bool,
    bytes_in: u64,
    records_in: u64,
    findings: u64,
    open: u64,
    held_up_secs: Option<f64>,
    lag_bytes: Option<u64>,
    checkpoint_lag_secs: Option<f64>,
    unread_paths: u64,
    troubles: Vec<&'static str>,
    errors: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Serialize)]
struct Sink {
    #[serde(rename = "type")]
    kind: &'static str,
    state: &'static str,
    state_secs: f64,
    is_degraded: bool,
    bytes_out: u64,
    records_out: u64,
    undelivered_bytes: u64,
    oldest_undelivered_secs: Option<f64>,
    dropped_records: u64,
    dropped_bytes: u64,
    resent_bytes: u64,
    errors: BTreeMap<&'static str, u64>,
}

pub(super) async fn status(facts: &Facts) -> Status {
    let read = match &facts.ledger {
        Some(ledger) => Some(ledger.summary().await),
        None => None,
    };
    let status = facts.health.status();
    let ledger = read.map(|read| Ledger {
        error: status.ledger_error.clone().or(read.as_ref().err().map(ToString::to_string)),
        summary: read.ok().map(|summary| Summary::clone(&summary)),
        alert: status.alert.clone(),
        emit: status.emit.clone(),
    });
    let totals = Totals::of(&status);
    let rates = facts.rates.per_second(Instant::now(), totals);
    Status {
        version: env!("CARGO_PKG_VERSION"),
        instance: facts.instance.clone(),
        key_id: facts.redaction.key_id().iter().map(|byte| format!("{byte:02x}")).collect(),
        uptime_secs: facts.started.instant.elapsed().as_secs(),
        bytes_in: totals.bytes_in,
        bytes_out: totals.bytes_out,
        records_in: totals.records_in,
        records_out: totals.records_out,
        bytes_in_per_sec: rates.bytes_in,
        bytes_out_per_sec: rates.bytes_out,
        records_in_per_sec: rates.records_in,
        records_out_per_sec: rates.records_out,
        is_degraded: status.is_degraded(),
        sources: status.sources.into_iter().map(|source| (source.name.clone(), Source::of(source))).collect(),
        sinks: status.sinks.into_iter().map(|sink| (sink.name.clone(), Sink::of(sink))).collect(),
        ledger,
    }
}

fn secs(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

impl Source {
    fn of(source: SourceStatus) -> Self {
        let reading = source.reading;
        Self {
            kind: source.kind,
            has_ended: source.has_ended,
            bytes_in: reading.received_bytes,
            records_in: reading.records,
            findings: reading.findings.total(),
            open: reading.open,
            held_up_secs: source.held_up.map(secs),
            lag_bytes: reading.lag_bytes,
            checkpoint_lag_secs: reading.checkpoint_lag.map(secs),
            unread_paths: source.unread_paths,
            troubles: source.troubles,
            errors: reading.incidents.into_iter().filter(|(_, count)| *count > 0).collect(),
        }
    }
}

impl Sink {
    fn of(sink: SinkStatus) -> Self {
        Self {
            kind: sink.kind,
            state: sink.state.name(),
            state_secs: secs(sink.since),
            is_degraded: sink.is_degraded(),
            bytes_out: sink.delivered_bytes,
            records_out: sink.delivered_records,
            undelivered_bytes: sink.undelivered_bytes,
            oldest_undelivered_secs: sink.oldest_undelivered.map(secs),
            dropped_records: sink.dropped_records,
            dropped_bytes: sink.dropped_bytes,
            resent_bytes: sink.resent_bytes,
            errors: sink.incidents.into_iter().filter(|(_, count)| *count > 0).collect(),
        }
    }
}
