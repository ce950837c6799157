//! The configuration as the agent uses it: resolved and valid.

mod alert;
mod api;
mod checks;
mod diagnostics;
mod emit;
mod keys;
mod ledger;
mod load;
mod origins;
mod section;
mod sinks;
mod snippet;
mod sources;
mod tls;
mod values;

pub use diagnostics::Diagnostics;
pub use keys::{Key, keys};
pub use origins::Origins;

use crate::codec::{Codec, Framing};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// A whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where checkpoints are kept (mode 0700). Needed by file sources.
    pub data_dir: Option<PathBuf>,
    /// How long a stop may take before what is left is counted as undelivered.
    pub shutdown_grace: Duration,
    /// How the process is restricted.
    pub sandbox: SandboxMode,
    /// `[redact]`
    pub redact: Redact,
    /// `[sources.NAME]`, in the order of the file.
    pub sources: Vec<Source>,
    /// `[sinks.NAME]`, in the order of the file.
    pub sinks: Vec<Sink>,
    /// `[ledger]`
    pub ledger: Option<Ledger>,
    /// `[api]`; without it nothing listens.
    pub api: Option<Api>,
}

/// `[api]`
#[derive(Clone, Debug)]
pub struct Api {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where health and metrics are, for everybody; without it they are on `address`.
    pub health_address: Option<SocketAddr>,
    /// The file with the token that callers must know.
    pub token_file: Option<PathBuf>,
    /// Names by which it may be called besides its address.
    pub allowed_hosts: Vec<String>,
    /// Whether a sink that does not deliver makes the agent not ready.
    pub ready_requires_delivery: bool,
    /// How many connections it has at once.
    pub max_connections: usize,
    /// How long a request may take, from its first byte to the last one of the answer.
    pub request_timeout: Duration,
}

/// How the process is restricted to what the configuration names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SandboxMode {
    /// As it must be, or it does not start.
    Require,
    /// As far as the system can.
    #[default]
    BestEffort,
    /// Not at all.
    Off,
}

/// `[redact]`
#[derive(Clone, Debug, Default)]
pub struct Redact {
    /// The key file; `None` means `$BEARTRAP_KEY_FILE` or the default place.
    pub key_file: Option<PathBuf>,
    /// The share of output blocks that are looked at a second time, between 0 and 1.
    pub verify_sample: f64,
    /// What is passed to the engine.
    pub options: crate::redact::Options,
    /// What the user should know of the rules.
    pub rule_warnings: Vec<String>,
}

/// `[ledger]`
#[derive(Clone, Debug)]
pub struct Ledger {
    /// Its file; made with mode 0600 where it is missing.
    pub path: PathBuf,
    /// Which host or pod it is of; `None` means the host's name.
    pub instance: Option<String>,
    /// How much it keeps.
    pub limits: crate::ledger::Limits,
    /// What is no finding, that of sources included.
    pub policy: crate::ledger::PolicyLimits,
    /// Where its rows go when they change.
    pub emit: Option<Emit>,
    /// `[ledger.alert]`
    pub alert: Option<Alert>,
}

/// `emit_to` of `[ledger]`
#[derive(Clone, Debug)]
pub struct Emit {
    /// The name of the sink; no source feeds it.
    pub sink: String,
    /// How often it is looked what has changed.
    pub interval: Duration,
}

/// `[ledger.alert]`
#[derive(Clone, Debug)]
pub struct Alert {
    /// Who is told.
    pub url: AlertUrl,
    /// The file with the secrets that sign.
    pub secret_file: PathBuf,
    /// Authorities of which the receiver must have a certificate; without it those of the system.
    pub ca_file: Option<PathBuf>,
    /// How bad the worst finding of a row must be at least.
    pub min_severity: Option<crate::ledger::Severity>,
    /// How many attempts are made in a minute at most.
    pub max_per_minute: usize,
    /// How many rows are told of at once at most.
    pub max_batch: usize,
    /// How long an attempt may take.
    pub timeout: Duration,
    /// How often the same alert is tried.
    pub max_attempts: usize,
    /// The longest pause between two attempts that fail.
    pub retry_max: Duration,
}

pub use alert::AlertUrl;

/// `[sources.NAME]`
#[derive(Clone, Debug)]
pub struct Source {
    /// `NAME`
    pub name: String,
    /// How records are told apart.
    pub framing: Framing,
    /// What they are.
    pub codec: Codec,
    /// A longer record goes out as several.
    pub max_record_bytes: usize,
    /// What it reads from.
    pub kind: SourceKind,
}

/// What a source reads from.
#[derive(Clone, Debug)]
pub enum SourceKind {
    /// Standard input.
    Stdin,
    /// Files that are followed.
    File(FileSource),
    /// A listening TCP socket.
    Tcp(TcpSource),
    /// A UDP socket.
    Udp(UdpSource),
    /// A listening Unix socket.
    Unix(UnixSource),
}

impl SourceKind {
    /// Its `type`.
    pub fn name(&self) -> &'static str {
        match self {
            SourceKind::Stdin => "stdin",
            SourceKind::File(_) => "file",
            SourceKind::Tcp(_) => "tcp",
            SourceKind::Udp(_) => "udp",
            SourceKind::Unix(_) => "unix",
        }
    }
}

/// `type = "file"`
#[derive(Clone, Debug)]
pub struct FileSource {
    /// Globs of files to follow.
    pub include: Vec<glob::Pattern>,
    /// Globs of files to leave out.
    pub exclude: Vec<glob::Pattern>,
    /// Start of a file that is seen for the first time when the agent starts: its beginning, or its last unfinished record.
    pub read_from_end: bool,
    /// Files that were last written so long ago when they are seen for the first time are read from their end on.
    pub ignore_older: Option<Duration>,
    /// Whether links below the part of a glob without wildcards lead anywhere.
    pub follow_symlinks: bool,
    /// How often globs are expanded.
    pub glob_interval: Duration,
    /// How often a file that had nothing new is looked at again.
    pub poll_interval: Duration,
    /// How long a rotated or deleted file is read on after its last growth.
    pub rotate_wait: Duration,
    /// How often the checkpoint is written.
    pub checkpoint_interval: Duration,
    /// How many files are open at most.
    pub max_open_files: usize,
}

/// `type = "tcp"` of a source
#[derive(Clone, Debug)]
pub struct TcpSource {
    /// Where it listens.
    pub address: SocketAddr,
    /// How connections are encrypted; `None` means plaintext.
    pub tls: Option<TlsServer>,
    /// How long a client may take to shake hands for TLS.
    pub handshake_timeout: Duration,
    /// Who may connect.
    pub permit_origin: Origins,
    /// How many connections one address may have; further ones are closed at once.
    pub max_connections_per_peer: usize,
    /// What holds for each kind of connection.
    pub limits: ConnectionLimits,
}

/// `type = "udp"`
#[derive(Clone, Debug)]
pub struct UdpSource {
    /// Where it receives.
    pub address: SocketAddr,
    /// Whose datagrams are taken.
    pub permit_origin: Origins,
    /// How much the kernel may keep of what has not been read.
    pub receive_buffer_bytes: usize,
}

/// `type = "unix"`
#[derive(Clone, Debug)]
pub struct UnixSource {
    /// Where its socket is in the file system.
    pub path: PathBuf,
    /// Who may connect: the mode of the socket's file.
    pub socket_file_mode: u32,
    /// What holds for each kind of connection.
    pub limits: ConnectionLimits,
}

/// What a source with connections allows them.
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// Connections above this number wait in the listen queue.
    pub max_connections: usize,
    /// If another one waits, a connection may be closed that has been silent for so long.
    pub idle_timeout: Duration,
    /// How long a record may wait for its end before what there is of it is forwarded.
    pub record_timeout: Duration,
}

/// `[sinks.NAME]`
#[derive(Clone, Debug)]
pub struct Sink {
    /// `NAME`
    pub name: String,
    /// The names of its sources.
    pub inputs: Vec<String>,
    /// How records are told apart.
    pub framing: Framing,
    /// What happens when it can't take more.
    pub when_full: WhenFull,
    /// How many bytes wait for it at most.
    pub buffer_bytes: usize,
    /// What it writes to.
    pub kind: SinkKind,
}

/// What happens to a block when its sink is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// The source waits.
    Block,
    /// The block is dropped and counted.
    DropNewest,
}

/// What a sink writes to.
#[derive(Clone, Debug)]
pub enum SinkKind {
    /// Standard output.
    Stdout,
    /// A file that is appended to.
    File(FileSink),
    /// A TCP peer.
    Tcp(TcpSink),
}

impl SinkKind {
    /// Its `type`.
    pub fn name(&self) -> &'static str {
        match self {
            SinkKind::Stdout => "stdout",
            SinkKind::File(_) => "file",
            SinkKind::Tcp(_) => "tcp",
        }
    }
}

/// `type = "file"` of a sink
#[derive(Clone, Debug)]
pub struct FileSink {
    /// The file; made with mode 0600 where it is missing.
    pub path: PathBuf,
    /// How long written blocks may wait for their common `fdatasync`.
    pub sync_interval: Duration,
}

/// `type = "tcp"` of a sink
#[derive(Clone, Debug)]
pub struct TcpSink {
    /// Host and port of the peer.
    pub address: String,
    /// How the connection is encrypted; `None` means plaintext.
    pub tls: Option<TlsClient>,
    /// How many of the last bytes that the peer's kernel has acknowledged are sent again after a reconnect.
    pub resend_bytes: usize,
    /// The longest pause between two attempts to connect.
    pub reconnect_max: Duration,
    /// How long one attempt to connect may take.
    pub connect_timeout: Duration,
    /// How long the peer may leave bytes unacknowledged, or take none, before it counts as dead.
    pub ack_timeout: Duration,
}

/// `tls.*` of a source
#[derive(Clone, Debug)]
pub struct TlsServer {
    /// What it shows.
    pub identity: Identity,
    /// Authorities of which clients must have a certificate; without it they need none.
    pub ca_file: Option<PathBuf>,
}

/// `tls.*` of a sink
#[derive(Clone, Debug)]
pub struct TlsClient {
    /// What it shows if the peer asks for a certificate.
    pub identity: Option<Identity>,
    /// Authorities of which the peer must have a certificate; without it those of the system.
    pub ca_file: Option<PathBuf>,
    /// The name that the peer's certificate must be for.
    pub server_name: ServerName,
}

/// A DNS name or an IP address, as certificates are for.
#[derive(Clone, Debug)]
pub struct ServerName(pub(super) tokio_rustls::rustls::pki_types::ServerName<'static>);

impl ServerName {
    /// `None` if no certificate can be for it.
    pub fn new(name: &str) -> Option<Self> {
        name.to_owned().try_into().ok().map(Self)
    }
}

/// The files of a certificate with its chain, and of its key.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate and those between it and its authority, in PEM.
    pub crt_file: PathBuf,
    /// Its key, in PEM.
    pub key_file: PathBuf,
}

impl Config {
    /// The files besides the key file that are read again while the agent runs.
    pub fn reloaded_files(&self) -> Vec<PathBuf> {
        let of_identity = |identity: &Identity| [identity.crt_file.clone(), identity.key_file.clone()];
        let mut files: Vec<_> = self.api.iter().filter_map(|api| api.token_file.clone()).collect();
        for source in &self.sources {
            if let SourceKind::Tcp(TcpSource { tls: Some(tls), .. }) = &source.kind {
                files.extend(of_identity(&tls.identity));
                files.extend(tls.ca_file.clone());
            }
        }
        for sink in &self.sinks {
            if let SinkKind::Tcp(TcpSink { tls: Some(tls), .. }) = &sink.kind {
                files.extend(tls.identity.iter().flat_map(of_identity));
                files.extend(tls.ca_file.clone());
            }
        }
        if let Some(alert) = self.ledger.as_ref().and_then(|ledger| ledger.alert.as_ref()) {
            files.push(alert.secret_file.clone());
            files.extend(alert.ca_file.clone());
        }
        files
    }

    /// Which host or pod the agent is of: what is set, or the host's name.
    pub fn instance(&self) -> String {
        let given = self.ledger.as_ref().and_then(|ledger| ledger.instance.clone());
        given.unwrap_or_else(|| {
            let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
            if name.is_empty() { "unknown".to_owned() } else { name.replace('/', "_") }
        })
    }

    /// Reads the secrets and certificates besides the key file, and says what is wrong with them: one line each.
    pub fn file_problems(&self) -> Vec<String> {
        let mut problems = super::tls::problems(self);
        problems.extend(self.api.as_ref().and_then(super::api::token_problem));
        problems.extend(self.ledger.as_ref().and_then(|ledger| super::alert::problem(ledger.alert.as_ref()?)));
        problems
    }
}
