//! How much memory a configuration may take at most.

use super::alert::ALERT_BYTES_MAX;
use super::api::{
    CONNECTION_BYTES as API_CONNECTION_BYTES, LEDGER_BYTES as API_LEDGER_BYTES, METRICS_BYTES, SORTED_ROW_BYTES,
};
use super::batch::BATCH_BYTES;
use super::cgroup;
use super::config::{Config, Sink, SinkKind, Source, SourceKind, TcpSink, TcpSource};
use super::emitter::{EMIT_BLOCK_BYTES, EMIT_BYTES_MAX};
use super::file_source::READ_BYTES as FILE_READ_BYTES;
use super::queue::BLOCK_OVERHEAD_BYTES;
use super::source::READ_BYTES;
use super::tls::CONNECTION_BYTES as TLS_BYTES;
use crate::codec::Codec;
use crate::ledger::LEDGER_BYTES_MAX;
use crate::redact::{CLAIMS_BYTES_MAX, RULE_BYTES_MAX};
use std::path::PathBuf;
use std::sync::OnceLock;

/// What one stream's redactor may hold while it waits: 228 KiB of its buffer with the undecided start of a credential,
/// 96 KiB of output, and its state.
const REDACTOR_BYTES: usize = 384 << 10;

/// What a marker takes at most, without a template around it.
const MARKER_BYTES: usize = 64;
/// The shortest credentials that have markers: `//b:c@` in text, and `1,` in a list that a JSON member names.
const TEXT_CREDENTIAL_BYTES: usize = 5;
const JSON_CREDENTIAL_BYTES: usize = 2;

/// What a thread takes for each byte that it redacts at once: findings, decoded text, and output that grows by doubling.
/// 18 and 204 were measured of the shortest credentials.
const TEXT_WORK: usize = 24;
const JSON_WORK: usize = 256;

/// Code, runtime and allocator: 6.4 MiB were measured of an agent that had nothing to do.
const PROGRAM_BYTES: usize = 8 << 20;

/// So many parts are named where the sum is too much.
const NAMED_MAX: usize = 3;

/// The memory that a source or sink may take, all rules, or the program itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// `source NAME`, `sink NAME`, `redaction` (the work of one thread), `rules`, `ledger`, `api` or `program`.
    pub part: String,
    /// How many streams it has at a time.
    pub streams: usize,
    /// What one of them takes at most.
    pub stream_bytes: usize,
    /// The keys that make it less.
    pub keys: &'static [&'static str],
}

impl Limit {
    /// What all its streams together take at most.
    pub fn bytes(&self) -> usize {
        self.streams.saturating_mul(self.stream_bytes)
    }
}

/// The memory limits of all parts, which together are the agent's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits(Vec<Limit>);

impl Limits {
    /// Adds up what a configuration allows.
    pub fn of(config: &Config) -> Self {
        let block_max = |source: &Source| block_bytes(config, source);
        let sources = config.sources.iter().map(|source| {
            let (streams, keys): (_, &[_]) = match &source.kind {
                SourceKind::Stdin => (1, &["max_record_bytes"]),
                SourceKind::Tcp(tcp) => (tcp.limits.max_connections, &["max_connections", "max_record_bytes"]),
                SourceKind::Unix(unix) => (unix.limits.max_connections, &["max_connections", "max_record_bytes"]),
                SourceKind::Udp(_) => (1, &["receive_buffer_bytes", "max_record_bytes"]),
                SourceKind::File(file) => (file.max_open_files, &["max_open_files", "max_record_bytes"]),
            };
            // What was read, the record that waits to be complete, and the block that waits for room. The files of a
            // source have only one of the first and last together.
            let block = match source.kind {
                SourceKind::File(_) => 0,
                _ => read_bytes(source).saturating_add(block_max(source)),
            };
            let parts = [REDACTOR_BYTES, source.max_record_bytes, block, socket_bytes(source)];
            let parts = parts.into_iter().chain(parts_bytes(config, source));
            let stream_bytes = parts.fold(0, usize::saturating_add);
            Limit { part: format!("source {}", source.name), streams, stream_bytes, keys }
        });
        let sinks = config.sinks.iter().map(|sink| {
            let inputs = config.sources.iter().filter(|source| sink.inputs.contains(&source.name));
            let is_emitted = config.ledger.iter().flat_map(|ledger| &ledger.emit).any(|emit| emit.sink == sink.name);
            let rows = is_emitted.then_some(EMIT_BLOCK_BYTES);
            let block = inputs.map(block_max).chain(rows).max().unwrap_or(0);
            let keys: &[_] = match &sink.kind {
                SinkKind::Tcp(_) => &["resend_bytes", "buffer_bytes"],
                SinkKind::Stdout | SinkKind::File(_) => &["buffer_bytes"],
            };
            Limit { part: format!("sink {}", sink.name), streams: 1, stream_bytes: sink_bytes(sink, block), keys }
        });
        let ledger = config.ledger.iter().map(|ledger| {
            let alert = ledger.alert.as_ref().map_or(0, |_| ALERT_BYTES_MAX);
            let emit = ledger.emit.as_ref().map_or(0, |_| EMIT_BYTES_MAX);
            let stream_bytes = LEDGER_BYTES_MAX + CLAIMS_BYTES_MAX + alert + emit;
            Limit { part: "ledger".to_owned(), streams: 1, stream_bytes, keys: &[] }
        });
        let program = Limit { part: "program".to_owned(), streams: 1, stream_bytes: PROGRAM_BYTES, keys: &[] };
        let others = work(config).into_iter().chain(rules(config)).chain(ledger).chain(api(config)).chain([program]);
        Limits(sources.chain(sinks).chain(others).collect())
    }

    /// One limit for each source and sink, in the order of the configuration, those of the threads that redact, one for all
    /// rules, one for the API, and one for the program.
    pub fn parts(&self) -> &[Limit] {
        &self.0
    }

    /// The sum.
    pub fn total_bytes(&self) -> usize {
        self.0.iter().map(Limit::bytes).fold(0, usize::saturating_add)
    }

    /// Whether the control groups of this process allow the sum. Their killer would come in the middle of a rush.
    ///
    /// # Errors
    /// When they don't.
    pub fn check(self) -> Result<(), MemoryShort> {
        self.check_against(cgroup::memory_limit())
    }

    fn check_against(self, allowed: Option<(u64, PathBuf)>) -> Result<(), MemoryShort> {
        match allowed {
            Some((bytes, path)) if (self.total_bytes() as u64) > bytes => {
                Err(MemoryShort { limits: self, allowed_bytes: bytes, path })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn log(&self) {
        for limit in &self.0 {
            tracing::info!(
                part = limit.part,
                streams = limit.streams,
                stream_bytes = limit.stream_bytes,
                bytes = limit.bytes(),
                "memory limit"
            );
        }
        tracing::info!(bytes = self.total_bytes(), "memory limit of all parts");
    }
}

/// More memory is promised than there is.
#[derive(Debug)]
pub struct MemoryShort {
    limits: Limits,
    allowed_bytes: u64,
    /// Where the allowance stands.
    path: PathBuf,
}

impl std::fmt::Display for MemoryShort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        write!(
            f,
            "the memory limits of this configuration add up to {} MiB, and this process may take {} MiB ({}); give it more, or lower",
            mib(self.limits.total_bytes() as u64),
            self.allowed_bytes >> 20,
            self.path.display()
        )?;
        let mut parts: Vec<&Limit> = self.limits.0.iter().filter(|limit| !limit.keys.is_empty()).collect();
        parts.sort_by_key(|limit| std::cmp::Reverse(limit.bytes()));
        for (index, limit) in parts.iter().take(NAMED_MAX).enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let keys = limit.keys.join(" or ");
            write!(f, "{comma} {keys} of {} ({} MiB)", limit.part, mib(limit.bytes() as u64))?;
        }
        Ok(())
    }
}

impl std::error::Error for MemoryShort {}

/// How many threads the agent's runtime has. It is asked once: where the files that say it can't be read any more the
/// answer would be another.
pub fn worker_threads() -> usize {
    static THREADS: OnceLock<usize> = OnceLock::new();
    *THREADS.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// The most that one read takes.
fn read_bytes(source: &Source) -> usize {
    match source.kind {
        SourceKind::File(_) => FILE_READ_BYTES,
        SourceKind::Stdin | SourceKind::Tcp(_) | SourceKind::Udp(_) | SourceKind::Unix(_) => READ_BYTES,
    }
}

/// What a connection takes for TLS, and what the kernel may keep for a socket that it can't hold back: it counts to the
/// control group, and the kernel takes twice as much as is asked for.
fn socket_bytes(source: &Source) -> usize {
    match &source.kind {
        SourceKind::Tcp(TcpSource { tls: Some(_), .. }) => TLS_BYTES,
        SourceKind::Udp(udp) => udp.receive_buffer_bytes.saturating_mul(2),
        _ => 0,
    }
}

/// How many times as long a text may become by markers.
fn growth(config: &Config, codec: Codec) -> usize {
    let template = config.redact.options.replacement.as_ref().map_or(0, String::len);
    let credential = match codec {
        Codec::Text => TEXT_CREDENTIAL_BYTES,
        // The texts in parts may be JSON too.
        Codec::Json | Codec::Cri | Codec::Docker => JSON_CREDENTIAL_BYTES,
    };
    (MARKER_BYTES + template) / credential
}

/// A block is what one read releases: its input, and a record that it completes, with their markers. Of a text in
/// records that wait, the markers are in it already.
fn block_bytes(config: &Config, source: &Source) -> usize {
    let (growth, record) = (growth(config, source.codec), source.max_record_bytes);
    let record_bytes = if source.codec == Codec::Text { record } else { record.saturating_mul(growth) };
    read_bytes(source).saturating_mul(growth).saturating_add(record_bytes)
}

/// What a stream of parts takes besides: the text that they make, its lines with their markers as they leave, and a
/// redactor for each of stdout, stderr and foreign lines.
fn parts_bytes(config: &Config, source: &Source) -> [usize; 3] {
    let record = source.max_record_bytes;
    match source.codec {
        Codec::Text | Codec::Json => [0; 3],
        Codec::Cri | Codec::Docker => [record, record.saturating_mul(growth(config, source.codec)), 3 * REDACTOR_BYTES],
    }
}

/// What threads take while they redact: those of the runtime, and one for each file source.
fn work(config: &Config) -> Vec<Limit> {
    let keys: &[_] = &["max_record_bytes"];
    let bytes = |source: &Source| match source.codec {
        Codec::Text => {
            TEXT_WORK.saturating_mul(read_bytes(source)).saturating_add(source.max_record_bytes.saturating_mul(2))
        }
        // A record is redacted as a whole, and then the next.
        _ => JSON_WORK.saturating_mul(source.max_record_bytes).saturating_add(block_bytes(config, source)),
    };
    let limit = |streams, stream_bytes| Limit { part: "redaction".to_owned(), streams, stream_bytes, keys };
    let is_file = |source: &&Source| matches!(source.kind, SourceKind::File(_));
    let files = config.sources.iter().filter(is_file).map(|source| limit(1, bytes(source)));
    let others = config.sources.iter().filter(|source| !is_file(source)).map(bytes).max();
    others.map(|bytes| limit(worker_threads(), bytes)).into_iter().chain(files).collect()
}

/// Each thread that redacts may search with each rule: those of the runtime, and one for each file source.
fn rules(config: &Config) -> Option<Limit> {
    let rules = config.redact.options.rules.iter().count();
    let file_sources = config.sources.iter().filter(|source| matches!(source.kind, SourceKind::File(_))).count();
    let threads = worker_threads() + file_sources;
    let stream_bytes = rules.saturating_mul(RULE_BYTES_MAX);
    let keys: &[_] = &["rule_files"];
    (rules > 0).then(|| Limit { part: "rules".to_owned(), streams: threads, stream_bytes, keys })
}

/// What is asked of us: on each of its addresses as many connections, and the answers that are made.
fn api(config: &Config) -> Option<Limit> {
    let api = config.api.as_ref()?;
    let sockets = 1 + usize::from(api.health_address.is_some());
    let connections = api.max_connections.saturating_mul(API_CONNECTION_BYTES).saturating_mul(sockets);
    let ledger = config.ledger.as_ref().map_or(0, |ledger| {
        let rows = usize::try_from(ledger.limits.max_entries).unwrap_or(usize::MAX);
        rows.saturating_mul(SORTED_ROW_BYTES).saturating_add(API_LEDGER_BYTES)
    });
    let stream_bytes = connections.saturating_add(METRICS_BYTES).saturating_add(ledger);
    let keys: &[_] = &["max_connections", "max_entries"];
    Some(Limit { part: "api".to_owned(), streams: 1, stream_bytes, keys })
}

fn sink_bytes(sink: &Sink, block: usize) -> usize {
    // A block over the whole buffer passes alone.
    let queue = sink.buffer_bytes.max(block);
    // Grown by doubling.
    let batch = block.saturating_add(BATCH_BYTES).saturating_mul(2);
    let retained = match &sink.kind {
        // Kept, once more while it is sent again, and by whole blocks.
        SinkKind::Tcp(tcp) if tcp.resend_bytes > 0 => tcp.resend_bytes.saturating_add(block).saturating_mul(2),
        SinkKind::Tcp(_) | SinkKind::File(_) | SinkKind::Stdout => 0,
    };
    let tls = match &sink.kind {
        SinkKind::Tcp(TcpSink { tls: Some(_), .. }) => TLS_BYTES,
        _ => 0,
    };
    // Since when each block waits.
    let times = sink.buffer_bytes / (BLOCK_OVERHEAD_BYTES / size_of::<u32>());
    queue.saturating_add(times).saturating_add(batch).saturating_add(retained).saturating_add(tls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_may_be_all_that_is_allowed_and_no_more() {
        let limits = Limits(vec![Limit { part: "sink a".into(), streams: 2, stream_bytes: 500, keys: &[] }]);
        let allowed = |bytes| Some((bytes, PathBuf::from("memory.max")));
        assert!(limits.clone().check_against(None).is_ok());
        assert!(limits.clone().check_against(allowed(1000)).is_ok());
        assert!(limits.check_against(allowed(999)).is_err());
    }

    #[test]
    fn a_sum_that_is_too_much_names_what_to_lower() {
        let limit = |part: &str, streams, keys| Limit { part: part.into(), streams, stream_bytes: 1 << 20, keys };
        let limits = Limits(vec![
            limit("source app", 1000, &["max_connections", "max_record_bytes"]),
            limit("sink a", 2, &["buffer_bytes"]),
            limit("sink b", 30, &["resend_bytes", "buffer_bytes"]),
            limit("sink c", 4, &["buffer_bytes"]),
            limit("program", 8, &[]),
        ]);
        let path = PathBuf::from("/sys/fs/cgroup/memory.max");
        let message = MemoryShort { limits, allowed_bytes: 256 << 20, path }.to_string();
        assert_eq!(
            message,
            "the memory limits of this configuration add up to 1044 MiB, and this process may take 256 MiB \
             (/sys/fs/cgroup/memory.max); give it more, or lower max_connections or max_record_bytes of source app \
             (1000 MiB), resend_bytes or buffer_bytes of sink b (30 MiB), buffer_bytes of sink c (4 MiB)"
        );
    }
}
