//! How fast it goes, over the last seconds.

use super::super::status::Status;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Over how long.
const SPAN: Duration = Duration::from_secs(10);

/// Sums over all sources, and all sinks that they feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Totals {
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub records_in: u64,
    pub records_out: u64,
}

impl Totals {
    pub fn of(status: &Status) -> Self {
        // Rows of the ledger are no logs.
        let of_rows = status.emit.as_ref().map(|emit| emit.sink.as_str());
        let sinks = || status.sinks.iter().filter(|sink| Some(sink.name.as_str()) != of_rows);
        Self {
            bytes_in: status.sources.iter().map(|source| source.reading.received_bytes).sum(),
            bytes_out: sinks().map(|sink| sink.delivered_bytes).sum(),
            records_in: status.sources.iter().map(|source| source.reading.records).sum(),
            records_out: sinks().map(|sink| sink.delivered_records).sum(),
        }
    }
}

/// What the sums were in the last seconds.
#[derive(Debug)]
pub(in super::super) struct Rates(Mutex<VecDeque<(Instant, Totals)>>);

impl Rates {
    /// Nothing has passed up to now.
    pub fn new(now: Instant) -> Self {
        Self(Mutex::new([(now, Totals::default())].into()))
    }

    /// Notes the sums of a moment.
    pub fn note(&self, now: Instant, totals: Totals) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while noted.front().is_some_and(|(then, _)| now - *then > SPAN) {
            noted.pop_front();
        }
        noted.push_back((now, totals));
    }

    /// What comes to `totals` in a second, each.
    pub fn per_second(&self, now: Instant, totals: Totals) -> Totals {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((then, before)) = noted.front().filter(|(then, _)| now > *then) else { return Totals::default() };
        let seconds = (now - *then).as_secs_f64();
        let rate = |now: u64, before: u64| (now.saturating_sub(before) as f64 / seconds) as u64;
        Totals {
            bytes_in: rate(totals.bytes_in, before.bytes_in),
            bytes_out: rate(totals.bytes_out, before.bytes_out),
            records_in: rate(totals.records_in, before.records_in),
            records_out: rate(totals.records_out, before.records_out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_seconds_count() {
        let start = Instant::now();
        let rates = Rates::new(start);
        let at = |secs: u64| start + Duration::from_secs(secs);
        let totals = |bytes_in| Totals { bytes_in, ..Totals::default() };
        assert_eq!(rates.per_second(at(0), totals(5)), Totals::default());
        (1..20).for_each(|secs| rates.note(at(secs), totals(if secs < 9 { secs * 1_000_000 } else { 9_000_000 })));
        assert_eq!(rates.per_second(at(19), totals(9_000_000)), totals(0));
        assert_eq!(rates.per_second(at(20), totals(9_000_000 + 1100)), totals(100));
    }
}
