//! A listening TCP socket as a source: each connection is a stream of its own.

use super::config::{Source, TcpSource};
use super::failure::Failure;
use super::outlet::Outlet;
use super::source::{READ_BYTES, SourceReport, Stream, StreamEnd, decoding, reading_ends};
use super::stop::Stop;
use crate::redact::Redaction;
use rustix::net::sockopt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

/// Out of descriptors, most likely: they come back when connections end, so that trying at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const ACCEPT_LOG_INTERVAL: Duration = Duration::from_secs(1);

/// A peer that went dark must not hold one of `max_connections` for ever.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: u32 = 6;

/// What every connection needs.
struct Shared {
    source: Source,
    redaction: Redaction,
    outlet: Outlet,
    stop: watch::Receiver<Stop>,
    grace: Duration,
}

pub(super) async fn run(
    source: Source,
    tcp: TcpSource,
    listener: TcpListener,
    redaction: Redaction,
    outlet: Outlet,
    mut stop: watch::Receiver<Stop>,
    grace: Duration,
) -> Result<SourceReport, Failure> {
    let shared = Arc::new(Shared { source, redaction, outlet, stop: stop.clone(), grace });
    let mut acceptor = Acceptor::new(listener);
    let mut connections = JoinSet::new();
    let mut report = SourceReport::default();
    let mut open = true;
    while open {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop != Stop::Running) => break,
            Some(ended) = connections.join_next() => open = settle(ended, &mut report),
            accepted = acceptor.accept(&shared.source.name), if connections.len() < tcp.max_connections => {
                if let Some((socket, peer)) = accepted {
                    connections.spawn(connection(shared.clone(), socket, peer));
                }
            }
        }
    }
    // Whoever has connected by now may have sent and closed already; closing the listener would reset them.
    while open && connections.len() < tcp.max_connections {
        match tokio::time::timeout(Duration::ZERO, acceptor.listener.accept()).await {
            Ok(Ok((socket, peer))) => connections.spawn(connection(shared.clone(), socket, peer)),
            Ok(Err(_)) | Err(_) => break,
        };
    }
    drop(acceptor);
    while let Some(ended) = connections.join_next().await {
        settle(ended, &mut report);
    }
    Ok(report)
}

/// Adds a connection's report. False if its sinks have ended, and with them the source.
fn settle(ended: Result<(SourceReport, bool), JoinError>, report: &mut SourceReport) -> bool {
    match ended {
        Ok((connection, open)) => {
            report.add(&connection);
            open
        }
        // The engine failed: that ends the agent.
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => false,
    }
}

struct Acceptor {
    listener: TcpListener,
    resume_at: Instant,
    logged_at: Option<Instant>,
}

impl Acceptor {
    fn new(listener: TcpListener) -> Self {
        Self { listener, resume_at: Instant::now(), logged_at: None }
    }

    /// The next connection; `None` after a failure, which is no reason to end: the next call waits a little.
    async fn accept(&mut self, name: &str) -> Option<(TcpStream, SocketAddr)> {
        tokio::time::sleep_until(self.resume_at).await;
        let error = match self.listener.accept().await {
            Ok(accepted) => return Some(accepted),
            Err(error) => error,
        };
        // The peer had gone before it was its turn; that says nothing about the next one.
        if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
            return None;
        }
        let now = Instant::now();
        self.resume_at = now + ACCEPT_PAUSE;
        if self.logged_at.is_none_or(|at| now - at >= ACCEPT_LOG_INTERVAL) {
            self.logged_at = Some(now);
            tracing::warn!(source = name, %error, "can't accept connections");
        }
        None
    }
}

/// Reads one connection to its end. True if its sinks are still there.
async fn connection(shared: Arc<Shared>, socket: TcpStream, peer: SocketAddr) -> (SourceReport, bool) {
    let name = &shared.source.name;
    let (decoding, stop) = (decoding(&shared.source, true), shared.stop.clone());
    let mut stream = Stream::new(&shared.redaction, decoding, shared.outlet.clone(), stop);
    if let Err(error) = keep_alive(&socket) {
        tracing::debug!(source = name, %peer, %error, "can't watch over the connection");
    }
    let mut end = read(&shared, &socket, peer, &mut stream).await;
    if end.is_ok() {
        end = stream.finish().await;
    }
    let open = match end {
        Ok(()) => true,
        Err(StreamEnd::Closed) => false,
        Err(StreamEnd::Framing(error)) => {
            tracing::warn!(source = name, %peer, %error, "connection closed");
            true
        }
    };
    (stream.report(), open)
}

/// Reads until the peer closes, resets, or the stop's time is over. All three leave a half record to be finished.
async fn read(shared: &Shared, socket: &TcpStream, peer: SocketAddr, stream: &mut Stream) -> Result<(), StreamEnd> {
    let mut ends = std::pin::pin!(reading_ends(shared.stop.clone(), shared.grace));
    loop {
        let ready = tokio::select! {
            biased;
            () = &mut ends => return Ok(()),
            ready = socket.readable() => ready,
        };
        // Memory only while there is something to read: most connections are idle most of the time.
        let mut input = Vec::with_capacity(READ_BYTES);
        match ready.and_then(|()| socket.try_read_buf(&mut input)) {
            Ok(0) => return Ok(()),
            Ok(_) => stream.push(input).await?,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => {
                tracing::debug!(source = shared.source.name, %peer, %error, "connection lost");
                return Ok(());
            }
        }
        // A peer that sends faster than we work must not keep others from running.
        tokio::task::consume_budget().await;
    }
}

fn keep_alive(socket: &TcpStream) -> rustix::io::Result<()> {
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(socket, KEEPALIVE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(socket, KEEPALIVE_PROBES)
}
