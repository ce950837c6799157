//! Numbers as metrics in the text format of Prometheus: what the agent serves and the filter writes into a file.

use crate::redact::{Carrier, Counts, Kind};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::prometheus_text::{self, CONTENT_TYPE};
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The media type of the text. Every Prometheus reads it, and node_exporter's textfile collector nothing else.
pub(crate) const MEDIA_TYPE: &str = CONTENT_TYPE;

/// The labels of a sample.
type Labels = Vec<(&'static str, String)>;

/// Metrics with their values at one moment, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Metrics(Vec<Family>);

/// One metric, and its value for each set of labels.
#[derive(Debug)]
pub(crate) struct Family {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    samples: Vec<(Labels, f64)>,
}

impl Metrics {
    /// A number that only grows; the text adds `_total` to its name.
    pub fn counter(&mut self, name: &'static str, help: &'static str) -> &mut Family {
        self.family(name, help, MetricType::Counter)
    }

    /// A number that comes and goes.
    pub fn gauge(&mut self, name: &'static str, help: &'static str) -> &mut Family {
        self.family(name, help, MetricType::Gauge)
    }

    fn family(&mut self, name: &'static str, help: &'static str, kind: MetricType) -> &mut Family {
        debug_assert!(self.0.iter().all(|family| family.name != name), "{name} is there already");
        self.0.push(Family { name, help, kind, samples: Vec::new() });
        self.0.last_mut().expect("one was pushed")
    }

    /// What all programs say of themselves; `labels` tell them apart where several are read together.
    pub fn program(&mut self, labels: impl Fn() -> Labels, started: SystemTime, key_id: [u8; 4]) {
        let with = |name, value: String| labels().into_iter().chain([(name, value)]).collect();
        let version = with("version", env!("CARGO_PKG_VERSION").to_owned());
        self.gauge("beartrap_build_info", "Which version runs: always 1.").sample(version, 1);
        let started = started.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.gauge("beartrap_start_time_seconds", "When it started, in seconds since 1970.").sample(labels(), started);
        let id: String = key_id.iter().map(|byte| format!("{byte:02x}")).collect();
        let key = "The public id of the key in new fingerprints: always 1.";
        self.gauge("beartrap_key_info", key).sample(with("key_id", id), 1);
    }

    /// What was found in each source.
    pub fn findings<'a>(&mut self, of_sources: impl IntoIterator<Item = (&'a str, &'a Counts)>) {
        let help = "Credentials that were replaced, by what they are and what carried them.";
        let family = self.counter("beartrap_findings", help);
        for (source, counts) in of_sources {
            let labels = |kind: Kind, carrier: Carrier| {
                let of = [("source", source), ("kind", kind.name()), ("carrier", carrier.name())];
                of.map(|(name, value)| (name, value.to_owned())).to_vec()
            };
            let found: Vec<_> = counts.by_carrier().collect();
            // So that the first finding is an increase.
            for kind in Kind::ALL {
                if !found.iter().any(|(of, carrier, _)| (*of, *carrier) == (kind, Carrier::None)) {
                    family.sample(labels(kind, Carrier::None), 0);
                }
            }
            for (kind, carrier, count) in found {
                family.sample(labels(kind, carrier), count);
            }
        }
    }

    /// The text.
    pub fn text(self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        // Writing to a string can't fail.
        let _ = prometheus_text::encode(&mut text, &registry);
        text
    }
}

impl Family {
    /// Adds a value. Above 2⁵³ the last digits are lost, as they are in Prometheus.
    pub fn sample(&mut self, labels: Labels, value: u64) {
        self.samples.push((labels, value as f64));
    }

    /// Adds a time in seconds.
    pub fn seconds(&mut self, labels: Labels, value: Duration) {
        self.samples.push((labels, value.as_secs_f64()));
    }
}

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        for family in self.0.iter().filter(|family| !family.samples.is_empty()) {
            let mut metric = encoder.encode_descriptor(family.name, family.help, None, family.kind)?;
            for (labels, value) in &family.samples {
                encode_value(metric.encode_family(labels)?, family.kind, *value)?;
            }
        }
        Ok(())
    }
}

fn encode_value(encoder: MetricEncoder<'_>, kind: MetricType, value: f64) -> Result<(), std::fmt::Error> {
    match kind {
        MetricType::Counter => ConstCounter::new(value as u64).encode(encoder),
        // Whole numbers are written as such.
        _ if value.fract() == 0.0 && value < 9e15 => ConstGauge::new(value as u64).encode(encoder),
        _ => ConstGauge::new(value).encode(encoder),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_that_of_prometheus() {
        let mut metrics = Metrics::default();
        let label = |value: &str| vec![("source", value.to_owned())];
        let counter = metrics.counter("a", "Of a.");
        counter.sample(label("x"), 3);
        counter.sample(label("\"\\\n"), 12_345_678_901_234);
        metrics.gauge("nothing", "Of nothing.");
        metrics.gauge("b_seconds", "Of b.").seconds(vec![], Duration::from_millis(1500));
        metrics.gauge("c", "Of c.").sample(vec![], 0);
        assert_eq!(
            metrics.text(),
            "# HELP a_total Of a.\n# TYPE a_total counter\n\
             a_total{source=\"x\"} 3\na_total{source=\"\\\"\\\\\\n\"} 12345678901234\n\
             # HELP b_seconds Of b.\n# TYPE b_seconds gauge\nb_seconds 1.5\n\
             # HELP c Of c.\n# TYPE c gauge\nc 0\n"
        );
    }
}
