//! How much memory a configuration may take at most.

use super::batch::BATCH_BYTES;
use super::config::{Config, Sink, SinkKind, Source, SourceKind, TcpSink, TcpSource};
use super::file_source::READ_BYTES as FILE_READ_BYTES;
use super::source::READ_BYTES;
use super::tls::CONNECTION_BYTES as TLS_BYTES;
use crate::codec::Codec;
use crate::redact::RULE_BYTES_MAX;

/// What one stream's redactor may hold: its buffer, and the undecided start of a credential.
const REDACTOR_BYTES: usize = 512 << 10;

/// The memory that a source or sink may take, or all rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// `source NAME`, `sink NAME` or `rules`.
    pub part: String,
    /// How many streams it has at a time.
    pub streams: usize,
    /// What one of them takes at most.
    pub stream_bytes: usize,
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
        // A block is what one read releases: its input, and a record that it completes.
        let block_max = |source: &Source| read_bytes(source).saturating_add(source.max_record_bytes);
        let sources = config.sources.iter().map(|source| {
            let streams = match &source.kind {
                SourceKind::Stdin => 1,
                SourceKind::Tcp(tcp) => tcp.max_connections,
                SourceKind::File(file) => file.max_open_files,
            };
            // What was read, the record that waits to be complete, and the block that waits for room.
            let parts = [read_bytes(source), REDACTOR_BYTES, source.max_record_bytes, block_max(source), tls(source)];
            let stream_bytes = parts.into_iter().chain(parts_bytes(source)).fold(0, usize::saturating_add);
            Limit { part: format!("source {}", source.name), streams, stream_bytes }
        });
        let sinks = config.sinks.iter().map(|sink| {
            let inputs = config.sources.iter().filter(|source| sink.inputs.contains(&source.name));
            let block = inputs.map(block_max).max().unwrap_or(0);
            Limit { part: format!("sink {}", sink.name), streams: 1, stream_bytes: sink_bytes(sink, block) }
        });
        Limits(sources.chain(sinks).chain(rules(config)).collect())
    }

    /// One limit for each source and sink, in the order of the configuration, and one for all rules.
    pub fn parts(&self) -> &[Limit] {
        &self.0
    }

    /// The sum.
    pub fn total_bytes(&self) -> usize {
        self.0.iter().map(Limit::bytes).fold(0, usize::saturating_add)
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

/// The most that one read takes.
fn read_bytes(source: &Source) -> usize {
    match source.kind {
        SourceKind::File(_) => FILE_READ_BYTES,
        SourceKind::Stdin | SourceKind::Tcp(_) => READ_BYTES,
    }
}

/// What a connection takes for TLS.
fn tls(source: &Source) -> usize {
    match &source.kind {
        SourceKind::Tcp(TcpSource { tls: Some(_), .. }) => TLS_BYTES,
        _ => 0,
    }
}

/// What a stream of parts takes besides: the text that they make, its lines as they leave, and a redactor for each of
/// stdout, stderr and foreign lines.
fn parts_bytes(source: &Source) -> [usize; 3] {
    match source.codec {
        Codec::Text | Codec::Json => [0; 3],
        Codec::Cri | Codec::Docker => [source.max_record_bytes, source.max_record_bytes, 3 * REDACTOR_BYTES],
    }
}

/// Each thread that redacts may search with each rule: those of the runtime, and one for each file source.
fn rules(config: &Config) -> Option<Limit> {
    let rules = config.redact.options.rules.iter().count();
    let file_sources = config.sources.iter().filter(|source| matches!(source.kind, SourceKind::File(_))).count();
    let threads = std::thread::available_parallelism().map_or(1, usize::from) + file_sources;
    let stream_bytes = rules.saturating_mul(RULE_BYTES_MAX);
    (rules > 0).then(|| Limit { part: "rules".to_owned(), streams: threads, stream_bytes })
}

fn sink_bytes(sink: &Sink, block: usize) -> usize {
    // A block over the whole buffer passes alone.
    let queue = sink.buffer_bytes.max(block);
    let batch = block.saturating_add(2 * BATCH_BYTES);
    let retained = match &sink.kind {
        // Kept, once more while it is sent again, and by whole blocks.
        SinkKind::Tcp(tcp) if tcp.resend_bytes > 0 => tcp.resend_bytes.saturating_add(block).saturating_mul(2),
        SinkKind::Tcp(_) | SinkKind::File(_) | SinkKind::Stdout => 0,
    };
    let tls = match &sink.kind {
        SinkKind::Tcp(TcpSink { tls: Some(_), .. }) => TLS_BYTES,
        _ => 0,
    };
    queue.saturating_add(batch).saturating_add(retained).saturating_add(tls)
}
