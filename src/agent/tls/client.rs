//! The sink's side of TLS: the handshake, and the bytes that it costs.

use super::super::config::ServerName;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ProtocolVersion;
use tokio_rustls::rustls::client::ClientConfig;

/// How long a peer may take to say that it accepts our certificate, or that it wants one. Most send a session ticket;
/// a peer that sends none is believed after this time.
const ACCEPTANCE_MAX: Duration = Duration::from_secs(1);

pub(in super::super) type Stream = TlsStream<Counting>;

/// Makes a sink's connections into ones under TLS.
pub(in super::super) struct Connector {
    current: watch::Receiver<Arc<ClientConfig>>,
    name: ServerName,
}

impl Connector {
    /// `name` is the one that the peer's certificate must be for.
    pub fn new(current: watch::Receiver<Arc<ClientConfig>>, name: ServerName) -> Self {
        Self { current, name }
    }

    /// Shakes hands; the peer's certificate is checked.
    pub async fn connect(&self, socket: TcpStream) -> io::Result<Stream> {
        let connector = TlsConnector::from(self.current.borrow().clone());
        connector.connect(self.name.0.clone(), Counting { socket, written: 0 }).await
    }
}

/// Gives the peer the time to refuse us. In TLS 1.3 the client is through with the handshake before the server has seen
/// its certificate: what it sent to a server that refuses it would be acknowledged by a kernel, and read by nobody.
pub(in super::super) async fn accepted(stream: &mut Stream) -> io::Result<()> {
    if stream.get_ref().1.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        return Ok(());
    }
    timeout(ACCEPTANCE_MAX, answer(stream)).await.unwrap_or(Ok(()))
}

/// Waits until the peer says something: a ticket or data if it takes us, else its reason.
async fn answer(stream: &mut Stream) -> io::Result<()> {
    std::future::poll_fn(|cx| {
        let mut ignored = [0; 1024];
        let mut ignored = ReadBuf::new(&mut ignored);
        match Pin::new(&mut *stream).poll_read(cx, &mut ignored) {
            Poll::Ready(Ok(())) if ignored.filled().is_empty() => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            Poll::Pending if stream.get_ref().1.tls13_tickets_received() == 0 => Poll::Pending,
            Poll::Pending => Poll::Ready(Ok(())),
            ready => ready,
        }
    })
    .await
}

/// A socket that counts what is written to it: under TLS that is not what the sink has written.
#[derive(Debug)]
pub(in super::super) struct Counting {
    pub socket: TcpStream,
    pub written: u64,
}

impl AsyncRead for Counting {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counting {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let len = ready!(Pin::new(&mut self.socket).poll_write(cx, bytes))?;
        self.written += len as u64;
        Poll::Ready(Ok(len))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let len = ready!(Pin::new(&mut self.socket).poll_write_vectored(cx, pieces))?;
        self.written += len as u64;
        Poll::Ready(Ok(len))
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
