//! A TCP peer as a sink. A block is acknowledged when the peer's kernel has acknowledged its last byte.

use super::backoff::Backoff;
use super::config::{Sink, TcpSink};
use super::queue::Intake;
use super::sink::SinkEnd;
use super::sys;
use super::window::Window;
use rustix::net::sockopt;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// The kernel tells no one when an acknowledgement arrives: it is asked, often while they come, seldom while not.
const POLL_MIN: Duration = Duration::from_millis(1);
const POLL_MAX: Duration = Duration::from_millis(50);

/// A peer is taken for dead when it has left sent bytes unacknowledged, or its window closed, for this long.
const USER_TIMEOUT: Duration = Duration::from_secs(60);
/// The same for an idle connection: about half a minute.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_PROBES: u32 = 4;

/// How long the peer may take to close after we have.
const LINGER: Duration = Duration::from_millis(500);

pub(super) async fn run(sink: &Sink, tcp: &TcpSink, mut intake: Intake) -> SinkEnd {
    let mut window = Window::new(sink.framing, tcp.resend_bytes);
    let mut backoff = Backoff::new(tcp.reconnect_max);
    loop {
        let Some(mut socket) = reconnect(sink, tcp, &mut backoff, &mut window, &mut intake).await else {
            return SinkEnd::Drained;
        };
        let delivered = intake.counters.delivered.blocks();
        let resent = intake.counters.resent.bytes();
        let ended = serve(&mut socket, &mut window, &mut intake).await;
        let resent = intake.counters.resent.bytes() - resent;
        match ended {
            Ok(()) => {
                tracing::info!(sink = sink.name, address = tcp.address, "disconnected");
                return SinkEnd::Drained;
            }
            Err(error) => {
                tracing::warn!(sink = sink.name, address = tcp.address, resent_bytes = resent, %error, "connection lost")
            }
        }
        // A peer that accepts and closes, over and over, delivers nothing: it is to be left alone like one that is down.
        if intake.counters.delivered.blocks() > delivered {
            backoff.reset();
        }
    }
}

/// Connects, however long it takes; `None` when meanwhile all sources have ended and nothing is left to send.
async fn reconnect(
    sink: &Sink,
    tcp: &TcpSink,
    backoff: &mut Backoff,
    window: &mut Window,
    intake: &mut Intake,
) -> Option<TcpStream> {
    loop {
        let attempt = async {
            sleep(backoff.pause()).await;
            connect(tcp).await
        };
        let mut attempt = std::pin::pin!(attempt);
        let attempt = loop {
            tokio::select! {
                attempt = &mut attempt => break attempt,
                // Only the end is of interest. With something in hand the queue is left alone: it is bounded, we are not.
                next = intake.recv(), if window.is_delivered() => window.push(next?),
            }
        };
        match attempt {
            Ok(socket) => {
                tracing::info!(sink = sink.name, address = tcp.address, "connected");
                return Some(socket);
            }
            Err(error) => tracing::warn!(sink = sink.name, address = tcp.address, %error, "can't connect"),
        }
    }
}

async fn connect(tcp: &TcpSink) -> io::Result<TcpStream> {
    let attempt = async {
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in tokio::net::lookup_host(&tcp.address).await? {
            match TcpStream::connect(address).await {
                Ok(socket) => return prepare(socket),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    };
    timeout(tcp.connect_timeout, attempt).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn prepare(socket: TcpStream) -> io::Result<TcpStream> {
    // While nobody listens on a local port, a connection to it can get that port as its own and meet itself.
    if socket.local_addr()? == socket.peer_addr()? {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    socket.set_nodelay(true)?;
    sockopt::set_socket_keepalive(&socket, true)?;
    sockopt::set_tcp_keepidle(&socket, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(&socket, KEEPALIVE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(&socket, KEEPALIVE_PROBES)?;
    sockopt::set_tcp_user_timeout(&socket, USER_TIMEOUT.as_millis() as u32)?;
    Ok(socket)
}

/// Sends over one connection until all sources have ended and all is acknowledged, or the connection is lost.
async fn serve(socket: &mut TcpStream, window: &mut Window, intake: &mut Intake) -> io::Result<()> {
    let baseline = sys::bytes_acked(&*socket)?;
    window.restart(intake);
    let sent = send(socket, baseline, window, intake).await;
    if sent.is_err() {
        // The peer's kernel may have taken more since we asked last: that need not be sent again.
        if let Ok(acked) = sys::bytes_acked(&*socket) {
            window.acknowledge(acked.saturating_sub(baseline));
        }
        window.lose_connection();
        return sent;
    }
    // To close with unread input would reset the connection, and the peer might lose what it has not read yet.
    if socket.shutdown().await.is_ok() {
        let _ = timeout(LINGER, tokio::io::copy(socket, &mut tokio::io::sink())).await;
    }
    Ok(())
}

async fn send(socket: &mut TcpStream, baseline: u64, window: &mut Window, intake: &mut Intake) -> io::Result<()> {
    let (mut reader, mut writer) = socket.split();
    let mut ignored = vec![0; 4096];
    let mut open = true;
    let mut pause = POLL_MIN;
    let mut poll_at = Instant::now() + pause;
    while open || !window.is_delivered() {
        let awaiting = window.is_awaiting();
        let unwritten = window.unwritten(intake);
        let idle = unwritten.is_empty();
        tokio::select! {
            written = writer.write(unwritten), if !idle => match written? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                len => {
                    window.wrote(len);
                    if !awaiting {
                        pause = POLL_MIN;
                        poll_at = Instant::now() + pause;
                    }
                }
            },
            next = intake.recv(), if open && idle => match next {
                Some(delivery) => window.push(delivery),
                None => open = false,
            },
            // Whatever the peer says is of no interest, but that it has closed is.
            read = reader.read(&mut ignored) => if read? == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the peer has closed the connection"));
            },
            () = sleep_until(poll_at), if awaiting => {
                let acked = sys::bytes_acked(writer.as_ref())?;
                let grown = window.acknowledge(acked.saturating_sub(baseline));
                pause = if grown { POLL_MIN } else { (pause * 2).min(POLL_MAX) };
                poll_at = Instant::now() + pause;
            }
        }
    }
    Ok(())
}
