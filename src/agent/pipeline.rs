//! The agent: binds sources to sinks, runs them, and ends them in order.

use super::api::{Api, Facts, Serving};
use super::append_file::AppendFile;
use super::config::{Config, Sink, SinkKind, Source, SourceKind, WhenFull};
use super::connections;
use super::control::Control;
use super::counters::SinkCounters;
use super::data_dir::DataDir;
use super::exposures::Exposures;
use super::failure::Failure;
use super::file_source::{self, SourceError};
use super::inlet::Inlet;
use super::limits::Limits;
use super::outlet::Outlet;
use super::queue::{Feed, Intake, queue};
use super::sampled::Sampler;
use super::sink::SinkEnd;
use super::source::SourceReport;
use super::status::{Condition, Health, SourceHealth, Watcher};
use super::stop::Stop;
use super::tls::{self, ClientConfig, Fresh};
use super::{file_sink, stdin_source, stdout_sink, tcp_sink};
use crate::codec::Framing;
use crate::redact::Redaction;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};

/// When the time is over, sources may still note how far their sinks have come.
const LAST_NOTES: Duration = Duration::from_millis(300);

/// How often it is looked whether all sinks deliver.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How an agent ended.
#[derive(Debug)]
pub enum Outcome {
    /// All that was read is delivered, or nobody reads standard output any more.
    Done,
    /// The time to stop was over before all was delivered.
    Undelivered {
        /// Bytes that were redacted but not delivered, summed over the sinks.
        bytes: u64,
        /// The blocks that they are in.
        blocks: u64,
    },
    /// A source or sink failed for good.
    Io(Failure),
    /// The engine failed. Nothing that it had not redacted was written.
    Engine,
}

/// An agent whose files and listening sockets are open.
pub struct Agent {
    config: Config,
    redaction: Redaction,
    inlets: Vec<Option<Inlet>>,
    files: Vec<Option<AppendFile>>,
    sink_tls: Vec<Option<Fresh<ClientConfig>>>,
    queues: Vec<(Feed, Intake)>,
    source_health: Vec<Arc<SourceHealth>>,
    health: Health,
    /// Locked for as long as the agent lives; only file sources and a ledger need it.
    data_dir: Option<Arc<DataDir>>,
    exposures: Option<Exposures>,
    api: Option<Api>,
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Agent")
    }
}

impl Agent {
    /// Opens output files and listening sockets.
    ///
    /// # Errors
    /// Names the first source or sink that can't be opened.
    pub async fn bind(config: Config, redaction: Redaction) -> Result<Self, Failure> {
        for source in &config.sources {
            // What it sends would count as delivered and be lost.
            if !config.sinks.iter().any(|sink| sink.inputs.contains(&source.name)) {
                let error = io::Error::new(io::ErrorKind::InvalidInput, "it is the input of no sink");
                return Err(Failure::source(&source.name, "inputs", error));
            }
        }
        let data_dir = open_data_dir(&config)?;
        let mut files = Vec::new();
        for sink in &config.sinks {
            files.push(match &sink.kind {
                SinkKind::File(file) => {
                    let failed = |error| Failure::sink(&sink.name, file.path.display(), error);
                    Some(AppendFile::open(&file.path, sink.framing).map_err(failed)?)
                }
                SinkKind::Stdout | SinkKind::Tcp(_) => None,
            });
        }
        let sink_tls = tls::of_sinks(&config)?;
        let inlets = config.sources.iter().map(Inlet::open).collect::<Result<_, _>>()?;
        let api = config.api.as_ref().map(Api::bind).transpose()?;
        let queues: Vec<_> = config.sinks.iter().map(queue).collect();
        // Nobody else reads how many there are, and counting them costs a pass over all that leaves.
        let counts_records = config.api.is_some();
        let source_health: Vec<_> = config
            .sources
            .iter()
            .map(|source| Arc::new(SourceHealth::new(&source.name, source.kind.name(), counts_records)))
            .collect();
        let sink_health = queues.iter().map(|(_, intake)| intake.counters.clone()).collect();
        let exposures = Exposures::open(&config, &redaction)?;
        let ledger = exposures.as_ref().map(Exposures::health);
        let health = Health::new(source_health.clone(), sink_health, ledger);
        let agent = Self {
            config,
            redaction,
            inlets,
            files,
            sink_tls,
            queues,
            source_health,
            health,
            data_dir,
            exposures,
            api,
        };
        Ok(agent)
    }

    /// How it is, to be asked while it runs.
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Where a source of the network listens: the port too, where the configuration leaves it to the system.
    pub fn local_addr(&self, source: &str) -> Option<SocketAddr> {
        let index = self.config.sources.iter().position(|candidate| candidate.name == source)?;
        self.inlets[index].as_ref()?.local_addr()
    }

    /// Where the API listens, and where for health if that is elsewhere.
    pub fn api_addrs(&self) -> [Option<SocketAddr>; 2] {
        self.api.as_ref().map(Api::local_addrs).unwrap_or_default()
    }

    /// Runs until all sources have ended, a command ends it, or something fails for good.
    pub async fn run(self, control: Control) -> Outcome {
        Limits::of(&self.config).log();
        match Running::start(self, &control) {
            Ok(running) => running.run(control).await,
            Err(failure) => Outcome::Io(failure),
        }
    }
}

/// What the end of one part means for the rest.
enum Verdict {
    GoOn,
    /// End in order.
    Drain,
    /// Nothing can be delivered any more.
    End,
}

struct Running {
    grace: Duration,
    stop: watch::Sender<Stop>,
    reopen: watch::Receiver<u64>,
    sources: JoinSet<(String, Result<SourceReport, Failure>)>,
    sinks: JoinSet<(String, Result<SinkEnd, Failure>)>,
    counters: Vec<Arc<SinkCounters>>,
    /// Standard output without a reader; what it did not get counts no more.
    gone: Option<String>,
    failure: Option<Failure>,
    panicked: bool,
    total: SourceReport,
    watcher: Watcher,
    source_health: Vec<Arc<SourceHealth>>,
    exposures: Option<Exposures>,
    /// Answers until the end.
    _api: Option<Serving>,
}

impl Running {
    fn start(agent: Agent, control: &Control) -> Result<Self, Failure> {
        let Agent { config, redaction, inlets, files, sink_tls, queues, source_health, health, data_dir, .. } = agent;
        let (exposures, api) = (agent.exposures, agent.api);
        health.with_keys(control.keys.clone());
        let stop = watch::channel(Stop::Running).0;
        let api = api.map(|api| {
            let facts = Facts::new(health.clone(), redaction.clone(), stop.subscribe(), &config);
            api.serve(facts, control.reopen.clone())
        });
        let mut running = Self {
            grace: config.shutdown_grace,
            stop,
            reopen: control.reopen.clone(),
            sources: JoinSet::new(),
            sinks: JoinSet::new(),
            counters: Vec::new(),
            gone: None,
            failure: None,
            panicked: false,
            total: SourceReport::default(),
            watcher: Watcher::new(health),
            source_health: source_health.clone(),
            exposures,
            _api: api.transpose()?,
        };
        let mut feeds = Vec::new();
        for (((sink, file), tls), (feed, intake)) in config.sinks.iter().zip(files).zip(sink_tls).zip(queues) {
            running.counters.push(intake.counters.clone());
            feeds.push((sink, feed));
            running.start_sink(sink.clone(), file, tls, intake);
        }
        for ((source, inlet), health) in config.sources.iter().zip(inlets).zip(source_health) {
            let inputs = feeds.iter().filter(|(sink, _)| sink.inputs.contains(&source.name));
            let sampler = Sampler::new(&source.name, config.redact.verify_sample, &redaction);
            let feeds = inputs.map(|(_, feed)| Feed::clone(feed)).collect::<Vec<_>>();
            let recorder = running.exposures.as_ref().map(|exposures| exposures.ledger().recorder(&source.name));
            let outlet = Outlet::new(feeds).sampled(sampler).recorded(recorder).of(health);
            running.start_source(source.clone(), &config, inlet, data_dir.clone(), &redaction, outlet);
        }
        running.exposures.iter_mut().for_each(|exposures| exposures.emit(&config, &feeds, &redaction));
        Ok(running)
    }

    fn start_sink(&mut self, sink: Sink, file: Option<AppendFile>, tls: Option<Fresh<ClientConfig>>, intake: Intake) {
        let reopen = self.reopen.clone();
        tracing::info!(sink = sink.name, kind = %sink_place(&sink), buffer_bytes = sink.buffer_bytes, "sink started");
        self.sinks.spawn(async move {
            let end = match (&sink.kind, file) {
                (SinkKind::Stdout, _) => stdout_sink::run(&sink, intake).await,
                (SinkKind::Tcp(tcp), _) => {
                    let fresh = tls.map(|tls| tls.keep(format!("sink {}", sink.name), reopen));
                    Ok(tcp_sink::run(&sink, tcp, fresh, intake).await)
                }
                (SinkKind::File(options), Some(file)) => file_sink::run(&sink, options, file, intake, reopen).await,
                (SinkKind::File(_), None) => unreachable!("bind opens every output file"),
            };
            (sink.name, end)
        });
    }

    fn start_source(
        &mut self,
        source: Source,
        config: &Config,
        inlet: Option<Inlet>,
        data_dir: Option<Arc<DataDir>>,
        redaction: &Redaction,
        outlet: Outlet,
    ) {
        let (stop, grace, redaction) = (self.stop.subscribe(), self.grace, redaction.clone());
        let name = source.name.clone();
        match (source.kind.clone(), inlet) {
            (SourceKind::Stdin, _) => {
                tracing::info!(source = name, kind = "stdin", "source started");
                let whole_records = !may_stream(config, &source);
                self.sources.spawn(async move {
                    let report = stdin_source::run(&source, whole_records, &redaction, outlet, stop, grace).await;
                    (name, report)
                });
            }
            (_, Some(inlet)) => {
                inlet.log(&name);
                let shared = connections::Shared::new(source, redaction, outlet, stop, grace);
                let reopen = self.reopen.clone();
                self.sources.spawn(async move { (name, inlet.run(shared, reopen).await) });
            }
            (SourceKind::File(file), _) => {
                let Some(data_dir) = data_dir else { unreachable!("bind opens the data directory") };
                tracing::info!(source = name, kind = "file", "source started");
                self.sources.spawn(async move {
                    let ended = file_source::run(&source, &file, &data_dir, &redaction, outlet, stop).await;
                    let failed = |error: SourceError| Failure::source(&source.name, "file", io::Error::other(error));
                    (name, ended.map(|report| report.log(&source.name)).map_err(failed))
                });
            }
            (SourceKind::Tcp(_) | SourceKind::Udp(_) | SourceKind::Unix(_), None) => {
                unreachable!("bind opens every source")
            }
        }
    }

    async fn run(mut self, mut control: Control) -> Outcome {
        let mut commanded = Stop::Running;
        let mut deadline = None;
        let mut look = tokio::time::interval(LOOK_INTERVAL);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.sources.is_empty() || !self.sinks.is_empty() {
            if self.sources.is_empty() {
                self.exposures.iter().for_each(Exposures::finish);
            }
            let over = deadline.unwrap_or_else(Instant::now);
            let verdict = tokio::select! {
                stop = control.beyond(commanded) => {
                    commanded = stop;
                    match stop {
                        Stop::Now => Verdict::End,
                        Stop::Running | Stop::Draining => Verdict::Drain,
                    }
                }
                Some(ended) = self.sources.join_next() => self.source_ended(ended),
                Some(ended) = self.sinks.join_next() => self.sink_ended(ended),
                () = tokio::time::sleep_until(over), if deadline.is_some() => Verdict::End,
                _ = look.tick() => {
                    self.watcher.look();
                    self.exposures.iter_mut().for_each(Exposures::look);
                    Verdict::GoOn
                }
            };
            match verdict {
                Verdict::GoOn => {}
                Verdict::Drain if deadline.is_none() => {
                    tracing::info!(grace_secs = self.grace.as_secs_f64(), "stopping");
                    deadline = Some(Instant::now() + self.grace);
                    self.stop.send_replace(Stop::Draining);
                }
                Verdict::Drain => {}
                Verdict::End => {
                    self.end_now().await;
                    break;
                }
            }
        }
        if let Some(exposures) = self.exposures.take() {
            exposures.close(deadline.map_or(Duration::MAX, |deadline| deadline - Instant::now())).await;
        }
        self.outcome()
    }

    /// Gives sources a moment for their last notes, and ends all that is left.
    async fn end_now(&mut self) {
        self.stop.send_replace(Stop::Now);
        let notes = async {
            while !self.sources.is_empty() || !self.sinks.is_empty() {
                tokio::select! {
                    Some(ended) = self.sources.join_next() => { self.source_ended(ended); }
                    Some(ended) = self.sinks.join_next() => { self.sink_ended(ended); }
                }
            }
        };
        let _ = tokio::time::timeout(LAST_NOTES, notes).await;
        self.sources.shutdown().await;
        self.sinks.shutdown().await;
    }

    fn source_ended(&mut self, ended: Result<(String, Result<SourceReport, Failure>), JoinError>) -> Verdict {
        match ended {
            Ok((name, Ok(report))) => {
                tracing::info!(
                    source = name,
                    bytes = report.bytes,
                    streams = report.streams,
                    broken_streams = report.broken_streams,
                    lost_streams = report.lost_streams,
                    failed_handshakes = report.connections.failed_handshakes,
                    refused_origins = report.connections.refused_origins,
                    refused_per_peer = report.connections.refused_per_peer,
                    closed_idle = report.connections.closed_idle,
                    timed_out_records = report.connections.timed_out_records,
                    split_records = report.stats.split_records,
                    not_json = report.stats.not_json,
                    foreign_records = report.stats.foreign_records,
                    findings = report.findings.total(),
                    "source ended"
                );
                self.total.add(&report);
                self.source_health.iter().filter(|health| health.name() == name).for_each(|health| health.end());
                Verdict::GoOn
            }
            Ok((_, Err(failure))) => {
                self.fail(failure);
                Verdict::Drain
            }
            Err(error) => self.task_lost(&error),
        }
    }

    fn sink_ended(&mut self, ended: Result<(String, Result<SinkEnd, Failure>), JoinError>) -> Verdict {
        match ended {
            Ok((name, Ok(SinkEnd::Drained))) => {
                self.note_sink_end(&name);
                Verdict::GoOn
            }
            Ok((name, Ok(SinkEnd::ReaderGone))) => {
                self.note_sink_end(&name);
                tracing::info!(sink = name, "nobody reads standard output any more");
                self.gone = Some(name);
                if self.counters.len() > 1 { Verdict::Drain } else { Verdict::End }
            }
            Ok((_, Err(failure))) => {
                self.fail(failure);
                Verdict::End
            }
            Err(error) => self.task_lost(&error),
        }
    }

    fn note_sink_end(&self, name: &str) {
        let ended = self.counters.iter().filter(|counters| counters.name() == name);
        ended.for_each(|counters| counters.health.set(Condition::Ended));
    }

    fn task_lost(&mut self, error: &JoinError) -> Verdict {
        self.panicked |= error.is_panic();
        Verdict::End
    }

    fn fail(&mut self, failure: Failure) {
        tracing::error!(error = %failure, "stopping");
        self.failure.get_or_insert(failure);
    }

    fn outcome(self) -> Outcome {
        let (mut blocks, mut bytes) = (0, 0);
        for counters in &self.counters {
            let (open_blocks, open_bytes) = counters.undelivered();
            tracing::info!(
                sink = counters.name(),
                delivered_bytes = counters.delivered.bytes(),
                dropped_records = counters.dropped_records(),
                dropped_bytes = counters.dropped.bytes(),
                resent_blocks = counters.resent.blocks(),
                resent_bytes = counters.resent.bytes(),
                undelivered_bytes = open_bytes,
                "sink ended"
            );
            if self.gone.as_deref() != Some(counters.name()) {
                blocks += open_blocks;
                bytes += open_bytes;
            }
        }
        let findings: Vec<_> =
            self.total.findings.by_kind().map(|(kind, count)| format!("{count} {}", kind.name())).collect();
        tracing::info!(
            bytes = self.total.bytes,
            // Not as `jwt = …`: the log passes the redactor, and that is a credential's name.
            findings = %findings.join(", "),
            "ended"
        );
        match (self.panicked, self.failure) {
            (true, _) => Outcome::Engine,
            (false, Some(failure)) => Outcome::Io(failure),
            (false, None) if blocks > 0 => Outcome::Undelivered { bytes, blocks },
            (false, None) => Outcome::Done,
        }
    }
}

/// Opens and locks the data directory if a source keeps checkpoints there, or there is a ledger.
fn open_data_dir(config: &Config) -> Result<Option<Arc<DataDir>>, Failure> {
    let source = config.sources.iter().find(|source| matches!(source.kind, SourceKind::File(_)));
    if source.is_none() && (config.ledger.is_none() || config.data_dir.is_none()) {
        return Ok(None);
    }
    let failed = |error: io::Error| match source {
        Some(source) => Failure::source(&source.name, "data_dir", error),
        None => Failure::ledger(error),
    };
    let missing = || failed(io::Error::new(io::ErrorKind::InvalidInput, "file sources need a data_dir"));
    let path = config.data_dir.as_ref().ok_or_else(missing)?;
    DataDir::open(path).map(|data_dir| Some(Arc::new(data_dir))).map_err(|error| failed(io::Error::other(error)))
}

/// Whether pieces of records may leave: only a single stream to a single stream, framed alike, where neither another
/// source, a new connection, a new file nor a drop can come between two pieces.
pub(super) fn may_stream(config: &Config, source: &Source) -> bool {
    let newline = Framing::NewlineDelimited;
    let mut sinks = config.sinks.iter().filter(|sink| sink.inputs.contains(&source.name));
    source.framing == newline
        && sinks.all(|sink| {
            matches!(sink.kind, SinkKind::Stdout)
                && sink.inputs.len() == 1
                && sink.framing == newline
                && sink.when_full == WhenFull::Block
        })
}

fn sink_place(sink: &Sink) -> String {
    match &sink.kind {
        SinkKind::Stdout => "stdout".to_owned(),
        SinkKind::File(file) => format!("file {}", file.path.display()),
        SinkKind::Tcp(tcp) => format!("tcp {}", tcp.address),
    }
}
