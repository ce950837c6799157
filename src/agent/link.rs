//! One connection of a TCP sink, plain or under TLS, and how much of it the peer's kernel has acknowledged.

use super::sys;
use super::tls::{self, ClientStream, Connector};
use std::collections::VecDeque;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long the peer may take to close after we have.
const LINGER: Duration = Duration::from_millis(500);

/// What has happened on a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// So many bytes were taken.
    Wrote(usize),
    /// All that were taken have gone to the kernel.
    Flushed,
}

/// A connection.
pub(super) struct Link {
    stream: Stream,
    /// What the kernel counted as acknowledged when the connection was fresh.
    baseline: u64,
    /// Bytes that were taken from the sink.
    taken: u64,
    /// Up to which byte of the sink the peer's kernel has them.
    acknowledged: u64,
    /// Under TLS: the bytes of the sink that are whole in the hands of the kernel, and where they end in its count.
    marks: VecDeque<Mark>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<ClientStream>),
}

#[derive(Debug)]
struct Mark {
    taken: u64,
    /// The count of ciphertext; it includes the handshake.
    written: u64,
}

impl Link {
    /// Takes a fresh connection, on which nothing was written yet, and shakes hands if it is to be under TLS.
    pub async fn new(socket: TcpStream, tls: Option<&Connector>) -> io::Result<Self> {
        let baseline = sys::bytes_acked(&socket)?;
        let stream = match tls {
            None => Stream::Plain(socket),
            Some(connector) => Stream::Tls(Box::new(connector.connect(socket).await?)),
        };
        Ok(Self { stream, baseline, taken: 0, acknowledged: 0, marks: VecDeque::new() })
    }

    /// Waits until the peer has had the time to refuse the connection.
    pub async fn accepted(&mut self) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(_) => Ok(()),
            Stream::Tls(stream) => tls::accepted(stream).await,
        }
    }

    /// Whether nothing that was taken waits to go to the kernel.
    pub fn is_flushed(&self) -> bool {
        match &self.stream {
            Stream::Plain(_) => true,
            Stream::Tls(stream) => !stream.get_ref().1.wants_write(),
        }
    }

    /// Writes some of `bytes`, or flushes if there are none. Waits for ever if there is nothing to do, and fails when the
    /// peer closes. What the peer says is of no interest.
    pub async fn exchange(&mut self, bytes: &[u8]) -> io::Result<Progress> {
        std::future::poll_fn(|cx| self.poll_exchange(cx, bytes)).await
    }

    fn poll_exchange(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<Progress>> {
        let mut ignored = [MaybeUninit::uninit(); 4096];
        let mut ignored = ReadBuf::uninit(&mut ignored);
        let read = Pin::new(&mut self.stream).poll_read(cx, &mut ignored)?;
        if read.is_ready() && ignored.filled().is_empty() {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the peer has closed the connection",
            )));
        }
        let progress = self.poll_progress(cx, bytes)?;
        if read.is_ready() && progress.is_pending() {
            // There may be more to read, and nobody else would ask.
            cx.waker().wake_by_ref();
        }
        progress.map(Ok)
    }

    fn poll_progress(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<Progress>> {
        if !bytes.is_empty() {
            let len = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
            if len == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.taken += len as u64;
            self.mark();
            return Poll::Ready(Ok(Progress::Wrote(len)));
        }
        if self.is_flushed() {
            return Poll::Pending;
        }
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.mark();
        Poll::Ready(Ok(Progress::Flushed))
    }

    /// Notes where the bytes of the sink end in the kernel's count, if that is certain: if none waits in TLS.
    fn mark(&mut self) {
        if let Stream::Tls(stream) = &self.stream
            && !stream.get_ref().1.wants_write()
            && self.marks.back().is_none_or(|mark| mark.taken < self.taken)
        {
            self.marks.push_back(Mark { taken: self.taken, written: stream.get_ref().0.written });
        }
    }

    /// How many bytes of the sink the peer's kernel has acknowledged.
    pub fn acknowledged(&mut self) -> io::Result<u64> {
        match &self.stream {
            Stream::Plain(socket) => Ok(sys::bytes_acked(socket)?.saturating_sub(self.baseline)),
            Stream::Tls(stream) => {
                let counted = sys::bytes_acked(&stream.get_ref().0.socket)?.saturating_sub(self.baseline);
                while let Some(mark) = self.marks.pop_front_if(|mark| mark.written <= counted) {
                    self.acknowledged = mark.taken;
                }
                Ok(self.acknowledged)
            }
        }
    }

    /// Says that nothing more comes, and waits a moment for the peer to close: to close with unread input would reset
    /// the connection, and the peer might lose what it has not read yet.
    pub async fn close(mut self) {
        let closing = async {
            self.stream.shutdown().await?;
            tokio::io::copy(&mut self.stream, &mut tokio::io::sink()).await
        };
        let _ = timeout(LINGER, closing).await;
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
