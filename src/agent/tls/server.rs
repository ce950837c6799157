//! The source's side of TLS.

use super::super::connections::Handshake;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::server::ServerConfig;
use tokio_rustls::server::TlsStream;

/// A client may leave its receive buffer full, and that we close is no news to wait for.
const CLOSE_MAX: Duration = Duration::from_millis(100);

/// Makes a source's connections into ones under TLS.
pub(in super::super) struct Accept {
    pub current: watch::Receiver<Arc<ServerConfig>>,
    pub time_max: Duration,
}

impl Handshake<TcpStream> for Accept {
    type Stream = TlsStream<TcpStream>;

    fn time_max(&self) -> Option<Duration> {
        Some(self.time_max)
    }

    async fn shake(&self, socket: TcpStream) -> io::Result<Self::Stream> {
        let acceptor = TlsAcceptor::from(self.current.borrow().clone());
        acceptor.accept(socket).await
    }

    async fn close(&self, mut stream: Self::Stream) {
        // Not being able to say goodbye changes nothing.
        let _ = timeout(CLOSE_MAX, stream.shutdown()).await;
    }
}
