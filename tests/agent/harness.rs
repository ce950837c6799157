//! An agent under test, and what stands around it.

use beartrap::agent::config::{
    Api, Config, ConnectionLimits, FileSink, Origins, Redact, SandboxMode, Sink, SinkKind, Source, SourceKind, TcpSink,
    TcpSource, WhenFull,
};
use beartrap::agent::{Agent, Controller, Health, Outcome};
use beartrap::codec::{Codec, Framing};
use beartrap::redact::{KeyRing, Options, Redaction};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Nothing in these tests takes this long unless it is broken.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub fn tcp_source(max_connections: usize) -> Source {
    Source {
        name: "app".into(),
        framing: Framing::NewlineDelimited,
        codec: Codec::Text,
        max_record_bytes: 1 << 20,
        kind: SourceKind::Tcp(TcpSource {
            address: ([127, 0, 0, 1], 0).into(),
            permit_origin: Origins::all(),
            max_connections_per_peer: usize::MAX,
            limits: ConnectionLimits { max_connections, ..connection_limits() },
            tls: None,
            handshake_timeout: Duration::from_secs(10),
        }),
    }
}

pub fn connection_limits() -> ConnectionLimits {
    ConnectionLimits { max_connections: 1000, idle_timeout: 10 * PATIENCE, record_timeout: 10 * PATIENCE }
}

pub fn sink(name: &str, kind: SinkKind) -> Sink {
    Sink {
        name: name.into(),
        inputs: vec!["app".into()],
        framing: Framing::NewlineDelimited,
        when_full: WhenFull::Block,
        buffer_bytes: 1 << 20,
        kind,
    }
}

pub fn tcp_sink(address: SocketAddr, resend_bytes: usize) -> Sink {
    let kind = SinkKind::Tcp(TcpSink {
        address: address.to_string(),
        tls: None,
        resend_bytes,
        reconnect_max: Duration::from_millis(500),
        connect_timeout: Duration::from_secs(5),
        ack_timeout: Duration::from_secs(60),
    });
    sink("collector", kind)
}

pub fn file_sink(path: &Path) -> Sink {
    sink("file", SinkKind::File(FileSink { path: path.into(), sync_interval: Duration::from_millis(50) }))
}

pub fn config(sources: Vec<Source>, sinks: Vec<Sink>) -> Config {
    Config {
        data_dir: None,
        shutdown_grace: Duration::from_secs(30),
        sandbox: SandboxMode::Off,
        redact: Redact::default(),
        sources,
        sinks,
        ledger: None,
        api: None,
    }
}

/// An API on ports of the system's choice.
pub fn api() -> Api {
    Api {
        address: ([127, 0, 0, 1], 0).into(),
        health_address: None,
        token_file: None,
        allowed_hosts: Vec::new(),
        ready_requires_delivery: false,
        max_connections: 64,
        request_timeout: Duration::from_secs(10),
    }
}

pub fn redaction() -> Redaction {
    redaction_with(Options::default())
}

fn redaction_with(options: Options) -> Redaction {
    let keys = KeyRing::parse("11".repeat(32).as_bytes()).expect("a valid key");
    Redaction::new(keys, options).expect("valid options")
}

/// An agent that runs in a thread of its own, with all that it logs.
pub struct Running {
    pub address: SocketAddr,
    pub health: Health,
    /// Where its API is, and where for health.
    pub api: [Option<SocketAddr>; 2],
    pub controller: Controller,
    thread: JoinHandle<Outcome>,
    log: Log,
}

impl Running {
    pub fn start(config: Config) -> Self {
        let (controller, control) = Controller::channel();
        let (ready, bound) = std::sync::mpsc::channel();
        let log = Log::default();
        let writer = log.clone();
        let thread = std::thread::spawn(move || {
            // One thread, so that the log of this agent is what this thread logs.
            let subscriber = tracing_subscriber::fmt()
                .json()
                .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
                .with_writer(move || writer.clone())
                .finish();
            let _log = tracing_dispatch(subscriber);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let outcome = runtime.block_on(async {
                let redaction = redaction_with(Options { claims: config.ledger.is_some(), ..Options::default() });
                let agent = Agent::bind(config, redaction).await.expect("everything opens");
                ready.send((agent.local_addr("app"), agent.health(), agent.api_addrs())).expect("the test waits");
                agent.run(control).await
            });
            runtime.shutdown_background();
            outcome
        });
        let (address, health, api) = bound.recv_timeout(PATIENCE).expect("the agent starts");
        // Not every source has one.
        let address = address.unwrap_or(([0, 0, 0, 0], 0).into());
        Self { address, health, api, controller, thread, log }
    }

    pub fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).expect("the agent listens")
    }

    /// Sends and closes.
    pub fn send(&self, bytes: &[u8]) {
        let mut socket = self.connect();
        socket.write_all(bytes).expect("the agent reads");
    }

    /// Stops in order and waits for the end.
    pub fn stop(self) -> (Outcome, Log) {
        self.controller.stop();
        self.end()
    }

    pub fn end(self) -> (Outcome, Log) {
        (self.thread.join().expect("the agent does not panic"), self.log)
    }

    pub fn log(&self) -> &Log {
        &self.log
    }
}

fn tracing_dispatch(subscriber: impl Into<tracing::Dispatch>) -> tracing::dispatcher::DefaultGuard {
    tracing::dispatcher::set_default(&subscriber.into())
}

/// What an agent has logged, one JSON object a line.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no panic").clone()).expect("the log is text")
    }

    /// A field of the last event with this message.
    pub fn field(&self, message: &str, field: &str) -> Option<serde_json::Value> {
        let text = self.text();
        // The last line may not be whole yet.
        let mut events = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let event = events.rfind(|event| event["fields"]["message"] == message)?;
        Some(event["fields"][field].clone())
    }

    /// A number in the last event with this message.
    pub fn number(&self, message: &str, field: &str) -> u64 {
        let value = self.field(message, field).expect("the event was logged");
        value.as_u64().unwrap_or_else(|| panic!("no {field} in {message}"))
    }

    /// How often this message was logged.
    pub fn count(&self, message: &str) -> usize {
        self.text().matches(&format!("\"message\":\"{message}")).count()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A peer of a TCP sink.
pub struct Collector {
    listener: TcpListener,
    pub address: SocketAddr,
}

impl Collector {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        Self { listener, address }
    }

    pub fn listener(&self) -> &TcpListener {
        &self.listener
    }

    pub fn accept(&self) -> TcpStream {
        self.listener.set_nonblocking(true).expect("non-blocking");
        let socket = until("the sink connects", || self.listener.accept().ok()).0;
        socket.set_nonblocking(false).expect("blocking");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket
    }

    /// Accepts one connection and reads it to its end, in a thread.
    pub fn collect(self) -> JoinHandle<Vec<u8>> {
        std::thread::spawn(move || read_all(self.accept()))
    }
}

pub fn read_all(mut socket: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).expect("the stream ends");
    bytes
}

/// Connects from this address, which must be one of this host.
pub fn connect_from(from: [u8; 4], to: SocketAddr) -> TcpStream {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(&socket, &SocketAddr::from((from, 0))).expect("an address of this host");
    connect(&socket, &to).expect("somebody listens");
    socket.into()
}

/// Whether the other side has closed.
pub fn is_closed(socket: &TcpStream) -> bool {
    socket.set_nonblocking(true).expect("non-blocking");
    let read = (&mut &*socket).read(&mut [0]);
    socket.set_nonblocking(false).expect("blocking");
    !matches!(read, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

/// Closes with a reset.
pub fn reset(socket: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::ZERO)).expect("linger");
    drop(socket);
}

/// Polls until there is a value.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = look() {
            return value;
        }
        assert!(Instant::now() < deadline, "timed out: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Numbered lines of one sender.
pub fn lines(sender: &str, numbers: std::ops::Range<usize>) -> String {
    numbers.map(|number| format!("{sender} {number:07} GET /index.html HTTP/1.1 200\n")).collect()
}

/// How often each line came.
pub fn tally<'a>(streams: impl IntoIterator<Item = &'a [u8]>) -> HashMap<&'a [u8], usize> {
    let mut tally = HashMap::new();
    for line in streams.into_iter().flat_map(|stream| stream.split_inclusive(|&byte| byte == b'\n')) {
        *tally.entry(line).or_default() += 1;
    }
    tally
}

/// Reads exactly this.
pub fn expect(socket: &mut TcpStream, bytes: &[u8]) {
    let mut read = vec![0; bytes.len()];
    socket.read_exact(&mut read).expect("the bytes arrive");
    assert_eq!(String::from_utf8_lossy(&read), String::from_utf8_lossy(bytes));
}
