//! Listening sockets of streams as sources: each connection is a stream of its own.
//!
//! ```text
//! Listen ─▶ Acceptor ─▶ a task for each connection: Handshake ─▶ reading ─▶ Stream
//! ```

mod acceptor;
mod connection;
mod handshakes;

use super::config::Source;
use super::failure::Failure;
use super::outlet::Outlet;
use super::seldom::Seldom;
use super::source::SourceReport;
use super::stop::Stop;
use crate::redact::Redaction;
use acceptor::Acceptor;
use connection::Ended;
use handshakes::Handshakes;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

/// Anybody who reaches the port can make handshakes fail; the log hears of them this often.
const FAILURES_INTERVAL: Duration = Duration::from_secs(10);

/// A socket that gives out connections.
pub(super) trait Listen: Send + 'static {
    /// One connection.
    type Socket: Send + 'static;

    /// Waits for the next connection. When the call is dropped, no connection is lost.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Socket, Peer)>> + Send;
}

/// What stands between a connection and its bytes.
pub(super) trait Handshake<Socket>: Send + Sync + 'static {
    /// What is read from then.
    type Stream: AsyncRead + Send + Unpin;

    /// A peer that takes longer is sent away. `None` if the peer has no part in it.
    fn time_max(&self) -> Option<Duration>;

    /// Agrees with the peer on how the bytes are to be read. It runs in the connection's own task: nobody else waits.
    fn shake(&self, socket: Socket) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Ends a connection of which no more is read.
    fn close(&self, stream: Self::Stream) -> impl Future<Output = ()> + Send;
}

/// Bytes are read as they come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plain;

impl<Socket: AsyncRead + Send + Unpin + 'static> Handshake<Socket> for Plain {
    type Stream = Socket;

    fn time_max(&self) -> Option<Duration> {
        None
    }

    async fn shake(&self, socket: Socket) -> io::Result<Socket> {
        Ok(socket)
    }

    async fn close(&self, _: Socket) {}
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// Another socket of the network.
    Network(SocketAddr),
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Peer::Network(address) => address.fmt(f),
        }
    }
}

/// What every connection of a source needs.
pub(super) struct Shared {
    pub source: Source,
    pub redaction: Redaction,
    pub outlet: Outlet,
    pub stop: watch::Receiver<Stop>,
    pub grace: Duration,
    failed_handshakes: Seldom,
}

impl Shared {
    pub fn new(
        source: Source,
        redaction: Redaction,
        outlet: Outlet,
        stop: watch::Receiver<Stop>,
        grace: Duration,
    ) -> Self {
        let failed_handshakes = Seldom::new(FAILURES_INTERVAL);
        Self { source, redaction, outlet, stop, grace, failed_handshakes }
    }
}

/// Takes connections and reads them until the stop, and those that are open then to their end.
pub(super) async fn run<L, H>(
    shared: Shared,
    listener: L,
    handshake: H,
    max_connections: usize,
) -> Result<SourceReport, Failure>
where
    L: Listen,
    H: Handshake<L::Socket>,
{
    let mut stop = shared.stop.clone();
    let (shared, handshake) = (Arc::new(shared), Arc::new(handshake));
    let mut acceptor = Acceptor::new(listener);
    let mut connections = JoinSet::new();
    let mut handshakes = Handshakes::default();
    let begin = |(socket, peer), handshakes: &mut Handshakes| {
        let turn = handshake.time_max().map(|_| handshakes.begin());
        connection::run(shared.clone(), handshake.clone(), socket, peer, turn)
    };
    let mut report = SourceReport::default();
    let mut open = true;
    while open {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop != Stop::Running) => break,
            Some(ended) = connections.join_next() => open = settle(ended, &mut report),
            accepted = acceptor.accept(&shared.source.name), if connections.len() < max_connections || handshakes.any() => {
                if let Some(accepted) = accepted {
                    // Who only begins handshakes must not keep out who means it.
                    if connections.len() >= max_connections {
                        handshakes.end_oldest();
                    }
                    connections.spawn(begin(accepted, &mut handshakes));
                }
            }
        }
    }
    // Whoever has connected by now may have sent and closed already; closing the listener would reset them.
    while open && connections.len() < max_connections {
        match acceptor.waiting().await {
            Some(accepted) => connections.spawn(begin(accepted, &mut handshakes)),
            None => break,
        };
    }
    drop(acceptor);
    while let Some(ended) = connections.join_next().await {
        settle(ended, &mut report);
    }
    Ok(report)
}

/// Adds a connection's report. False if its sinks have ended, and with them the source.
fn settle(ended: Result<Ended, JoinError>, report: &mut SourceReport) -> bool {
    match ended {
        Ok(connection) => {
            report.add(&connection.report);
            connection.sinks_open
        }
        // The engine failed: that ends the agent.
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => false,
    }
}
