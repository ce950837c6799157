//! What is opened for sources before anything runs: the sockets of those that listen.

use super::config::{Source, SourceKind, TcpSource, UdpSource, UnixSource};
use super::connections::Shared;
use super::failure::Failure;
use super::source::SourceReport;
use super::{tcp_source, udp_source, unix_source};
use std::net::SocketAddr;
use tokio::net::UdpSocket;
use tokio::sync::watch;

/// An open socket, and what its source is to do with it.
pub(super) enum Inlet {
    Tcp(TcpSource, tcp_source::Listening),
    Udp(UdpSource, UdpSocket),
    Unix(UnixSource, unix_source::Listening),
}

impl Inlet {
    /// Opens what the source needs; some need nothing.
    ///
    /// # Errors
    /// When its address or path can't be had.
    pub fn open(source: &Source) -> Result<Option<Self>, Failure> {
        let name = &source.name;
        match &source.kind {
            SourceKind::Stdin | SourceKind::File(_) => Ok(None),
            SourceKind::Tcp(tcp) => {
                let failed = |error| Failure::source(name, tcp.address, error);
                tcp_source::listen(tcp).map(|socket| Some(Inlet::Tcp(tcp.clone(), socket))).map_err(failed)
            }
            SourceKind::Udp(udp) => {
                let failed = |error| Failure::source(name, udp.address, error);
                udp_source::bind(udp).map(|socket| Some(Inlet::Udp(udp.clone(), socket))).map_err(failed)
            }
            SourceKind::Unix(unix) => {
                let failed = |error| Failure::source(name, unix.path.display(), error);
                unix_source::listen(unix).map(|socket| Some(Inlet::Unix(unix.clone(), socket))).map_err(failed)
            }
        }
    }

    /// Where it is in the network: the port too, where the configuration leaves it to the system.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Inlet::Tcp(_, listening) => listening.socket.local_addr().ok(),
            Inlet::Udp(_, socket) => socket.local_addr().ok(),
            Inlet::Unix(..) => None,
        }
    }

    /// Tells that the source begins.
    pub fn log(&self, source: &str) {
        match self {
            Inlet::Tcp(tcp, _) => {
                let address = self.local_addr().unwrap_or(tcp.address);
                let max_connections = tcp.limits.max_connections;
                tracing::info!(source, kind = "tcp", %address, max_connections, "source started");
            }
            Inlet::Udp(udp, socket) => {
                let address = self.local_addr().unwrap_or(udp.address);
                // The kernel may have cut what was asked for.
                let receive_buffer_bytes = udp_source::receive_buffer_bytes(socket);
                tracing::info!(source, kind = "udp", %address, receive_buffer_bytes, "source started");
            }
            Inlet::Unix(unix, _) => {
                let (path, max_connections) = (unix.path.display(), unix.limits.max_connections);
                tracing::info!(source, kind = "unix", %path, max_connections, "source started");
            }
        }
    }

    /// Reads until the stop.
    pub async fn run(self, shared: Shared, reopen: watch::Receiver<u64>) -> Result<SourceReport, Failure> {
        match self {
            Inlet::Tcp(tcp, listening) => tcp_source::run(shared, tcp, listening, reopen).await,
            Inlet::Udp(udp, socket) => udp_source::run(shared, udp, socket).await,
            Inlet::Unix(unix, listening) => unix_source::run(shared, unix, listening).await,
        }
    }
}
