//! A listening TCP socket as a source.

use super::config::TcpSource;
use super::connections::{self, Admission, Listen, Peer, Plain, Shared};
use super::failure::Failure;
use super::source::SourceReport;
use super::tls::{self, Accept, Fresh, ServerConfig};
use rustix::net::sockopt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

/// The kernel shortens it to `net.core.somaxconn`.
const LISTEN_QUEUE: u32 = 4096;

/// A peer that went dark must not hold one of `max_connections` for ever.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: u32 = 6;

/// A socket that listens, and what its connections are to be under.
pub(super) struct Listening {
    pub socket: TcpListener,
    tls: Option<Fresh<ServerConfig>>,
}

/// Binds, and loads what TLS needs.
pub(super) fn listen(tcp: &TcpSource) -> io::Result<Listening> {
    let tls = tcp.tls.as_ref().map(tls::of_source).transpose()?;
    Ok(Listening { socket: bind(tcp.address)?, tls })
}

/// Binds with a listen queue that is long enough for connections over `max_connections` to wait in.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Connections of an earlier run that linger in TIME-WAIT are no reason not to start.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(LISTEN_QUEUE)
}

pub(super) async fn run(
    shared: Shared,
    tcp: TcpSource,
    listening: Listening,
    reopen: watch::Receiver<u64>,
) -> Result<SourceReport, Failure> {
    let Listening { socket, tls } = listening;
    let TcpSource { permit_origin: origins, max_connections_per_peer: max_per_peer, limits, .. } = tcp;
    let admission = Admission { origins, max_per_peer, limits };
    match tls {
        None => connections::run(shared, socket, Plain, admission).await,
        Some(fresh) => {
            let current = fresh.keep(format!("source {}", shared.source.name), reopen);
            let accept = Accept { current, time_max: tcp.handshake_timeout };
            connections::run(shared, socket, accept, admission).await
        }
    }
}

impl Listen for TcpListener {
    type Socket = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, Peer)> {
        let (socket, address) = TcpListener::accept(self).await?;
        if let Err(error) = keep_alive(&socket) {
            tracing::debug!(peer = %address, %error, "can't watch over the connection");
        }
        Ok((socket, Peer::Network(address)))
    }
}

fn keep_alive(socket: &TcpStream) -> rustix::io::Result<()> {
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(socket, KEEPALIVE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(socket, KEEPALIVE_PROBES)
}
