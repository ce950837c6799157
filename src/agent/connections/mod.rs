//! Listening sockets of streams as sources: each connection is a stream of its own.
//!
//! ```text
//! Listen ─▶ Acceptor ─▶ Admission ─▶ a task for each connection: Handshake ─▶ reading ─▶ Stream
//!                                      ▲ closed if it is idle and another one waits: Table
//! ```

mod acceptor;
mod admission;
mod connection;
mod events;
mod handshakes;
mod record_clock;
mod table;

pub(super) use admission::Admission;
pub(super) use events::ConnectionCounts;

use super::config::Source;
use super::failure::Failure;
use super::outlet::Outlet;
use super::source::SourceReport;
use super::status::Trouble;
use super::stop::Stop;
use crate::redact::Redaction;
use acceptor::Acceptor;
use connection::{Connection, Ended};
use events::Events;
use handshakes::Handshakes;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use table::Table;
use tokio::io::AsyncRead;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

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
    /// A process of this host, as far as the kernel tells.
    Process(Option<i32>),
}

impl Peer {
    /// Its address, an IPv4 address as such.
    fn ip(self) -> Option<IpAddr> {
        match self {
            Peer::Network(address) => Some(address.ip().to_canonical()),
            Peer::Process(_) => None,
        }
    }
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Peer::Network(address) => address.fmt(f),
            Peer::Process(Some(id)) => write!(f, "process {id}"),
            Peer::Process(None) => f.write_str("a process"),
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
    events: Events,
}

impl Shared {
    pub fn new(
        source: Source,
        redaction: Redaction,
        outlet: Outlet,
        stop: watch::Receiver<Stop>,
        grace: Duration,
    ) -> Self {
        let events = Events::new(&source.name, outlet.meter().clone());
        Self { source, redaction, outlet, stop, grace, events }
    }
}

/// Takes connections and reads them until the stop, and those that are open then to their end.
pub(super) async fn run<L, H>(
    shared: Shared,
    listener: L,
    handshake: H,
    admission: Admission,
) -> Result<SourceReport, Failure>
where
    L: Listen,
    H: Handshake<L::Socket>,
{
    let mut open = Open {
        shared: Arc::new(shared),
        handshake: Arc::new(handshake),
        table: Table::new(admission.limits.idle_timeout),
        admission,
        tasks: JoinSet::new(),
        handshakes: Handshakes::default(),
        waiting: None,
        report: SourceReport::default(),
    };
    let mut acceptor = Acceptor::new(listener);
    if open.take(&mut acceptor).await {
        open.take_rest(&mut acceptor).await;
    }
    drop(acceptor);
    while let Some(ended) = open.tasks.join_next_with_id().await {
        open.settle(ended);
    }
    open.report.connections = open.shared.events.counts();
    Ok(open.report)
}

/// The connections of a source that are open, and one that waits to be.
struct Open<L: Listen, H> {
    shared: Arc<Shared>,
    handshake: Arc<H>,
    admission: Admission,
    tasks: JoinSet<Ended>,
    table: Table,
    handshakes: Handshakes,
    /// Accepted while there were as many as there may be.
    waiting: Option<(L::Socket, Peer)>,
    report: SourceReport,
}

impl<L: Listen, H: Handshake<L::Socket>> Open<L, H> {
    /// Takes connections until the stop, or until the sinks have ended: then it is false.
    async fn take(&mut self, acceptor: &mut Acceptor<L>) -> bool {
        let mut stop = self.shared.stop.clone();
        loop {
            self.shared.outlet.health().set(Trouble::NotAccepting, acceptor.is_starved());
            let is_waited_for = self.waiting.is_some() || acceptor.is_starved();
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop != Stop::Running) => return true,
                Some(ended) = self.tasks.join_next_with_id() => {
                    if !self.settle(ended) {
                        return false;
                    }
                    acceptor.try_again();
                }
                accepted = acceptor.accept(&self.shared.events), if self.waiting.is_none() => {
                    self.waiting = accepted.filter(|(_, peer)| self.admits(*peer));
                    // Who only begins handshakes must not keep out who means it.
                    if acceptor.is_starved() || (self.waiting.is_some() && self.is_full()) {
                        self.handshakes.end_oldest();
                    }
                }
                () = tokio::time::sleep_until(self.table.closing_at(Instant::now())), if is_waited_for => {
                    if self.waiting.is_some() || acceptor.is_starved() {
                        self.table.close_longest_idle(Instant::now());
                    }
                }
            }
            if !self.is_full()
                && let Some((socket, peer)) = self.waiting.take()
            {
                self.begin(socket, peer);
            }
        }
    }

    /// Whoever has connected by now may have sent and closed already; closing the listener would reset them.
    async fn take_rest(&mut self, acceptor: &mut Acceptor<L>) {
        if let Some((socket, peer)) = self.waiting.take() {
            self.begin(socket, peer);
        }
        while !self.is_full()
            && let Some((socket, peer)) = acceptor.waiting().await
        {
            if self.admits(peer) {
                self.begin(socket, peer);
            }
        }
    }

    fn is_full(&self) -> bool {
        self.table.len() >= self.admission.limits.max_connections
    }

    fn admits(&self, peer: Peer) -> bool {
        self.admission.admits(peer, &self.table, &self.shared.events)
    }

    fn begin(&mut self, socket: L::Socket, peer: Peer) {
        let turn = self.handshake.time_max().map(|_| self.handshakes.begin());
        let connection = Connection::new(self.shared.clone(), self.admission.limits.clone(), peer);
        let activity = connection.activity();
        let task = self.tasks.spawn(connection.run(self.handshake.clone(), socket, turn));
        self.table.add(task.id(), peer.ip(), activity);
        self.shared.outlet.meter().set_open(self.table.len());
    }

    /// Adds a connection's report. False if its sinks have ended, and with them the source.
    fn settle(&mut self, ended: Result<(Id, Ended), JoinError>) -> bool {
        match ended {
            Ok((id, connection)) => {
                self.table.remove(id);
                self.shared.outlet.meter().set_open(self.table.len());
                self.report.add(&connection.report);
                connection.sinks_open
            }
            // The engine failed: that ends the agent.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => false,
        }
    }
}
