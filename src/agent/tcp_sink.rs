//! A TCP peer as a sink. A block is acknowledged when the peer's kernel has acknowledged its last byte.

use super::backoff::Backoff;
use super::config::{Sink, TcpSink};
use super::link::{Link, Progress};
use super::queue::Intake;
use super::sink::SinkEnd;
use super::status::{Condition, SinkIncident};
use super::tls::{ClientConfig, Connector};
use super::window::Window;
use rustix::net::sockopt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// The kernel tells no one when an acknowledgement arrives: it is asked, often while they come, seldom while not.
const POLL_MIN: Duration = Duration::from_millis(1);
const POLL_MAX: Duration = Duration::from_millis(50);

/// When an idle peer is taken for dead: after about half a minute.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_PROBES: u32 = 4;

pub(super) async fn run(
    sink: &Sink,
    tcp: &TcpSink,
    tls: Option<watch::Receiver<Arc<ClientConfig>>>,
    mut intake: Intake,
) -> SinkEnd {
    let tls = match (&tcp.tls, tls) {
        (Some(options), Some(current)) => Some(Connector::new(current, options.server_name.clone())),
        (None, None) => None,
        // Never plaintext because something is missing.
        _ => unreachable!("bind loads what TLS needs"),
    };
    let mut window = Window::new(sink.framing, tcp.resend_bytes);
    let mut backoff = Backoff::new(tcp.reconnect_max);
    loop {
        let Some(mut link) = reconnect(sink, tcp, tls.as_ref(), &mut backoff, &mut window, &mut intake).await else {
            return SinkEnd::Drained;
        };
        let delivered = intake.counters.delivered.blocks();
        let resent = intake.counters.resent.bytes();
        let ended = serve(&mut link, &mut window, &mut intake).await;
        let resent = intake.counters.resent.bytes() - resent;
        match ended {
            Ok(()) => {
                link.close().await;
                tracing::info!(sink = sink.name, address = tcp.address, "disconnected");
                return SinkEnd::Drained;
            }
            Err(error) => {
                intake.counters.health.note(SinkIncident::LostConnection);
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
    tls: Option<&Connector>,
    backoff: &mut Backoff,
    window: &mut Window,
    intake: &mut Intake,
) -> Option<Link> {
    intake.counters.health.set(Condition::Connecting);
    loop {
        let attempt = async {
            sleep(backoff.pause()).await;
            connect(tcp, tls).await
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
            Ok(link) => {
                tracing::info!(sink = sink.name, address = tcp.address, "connected");
                intake.counters.health.set(Condition::Ready);
                return Some(link);
            }
            Err(error) => {
                intake.counters.health.note(SinkIncident::NotConnected);
                tracing::warn!(sink = sink.name, address = tcp.address, %error, "can't connect");
            }
        }
    }
}

/// Tries all addresses of the peer.
async fn connect(tcp: &TcpSink, tls: Option<&Connector>) -> io::Result<Link> {
    let attempt = async {
        let addresses: Vec<_> = tokio::net::lookup_host(&tcp.address).await?.collect();
        connect_any(&addresses, tcp, tls).await
    };
    let mut link =
        timeout(tcp.connect_timeout, attempt).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
    link.accepted().await?;
    Ok(link)
}

/// An address that does not answer must not take the time of those behind it: each gets its share.
async fn connect_any(addresses: &[SocketAddr], tcp: &TcpSink, tls: Option<&Connector>) -> io::Result<Link> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let share = tcp.connect_timeout / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    for &address in addresses {
        match timeout(share, open(address, tcp, tls)).await {
            Ok(Ok(link)) => return Ok(link),
            Ok(Err(error)) => failure = error,
            Err(_) => failure = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(failure)
}

async fn open(address: SocketAddr, tcp: &TcpSink, tls: Option<&Connector>) -> io::Result<Link> {
    Link::new(prepare(TcpStream::connect(address).await?, tcp)?, tls).await
}

fn prepare(socket: TcpStream, tcp: &TcpSink) -> io::Result<TcpStream> {
    // While nobody listens on a local port, a connection to it can get that port as its own and meet itself.
    if socket.local_addr()? == socket.peer_addr()? {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    socket.set_nodelay(true)?;
    sockopt::set_socket_keepalive(&socket, true)?;
    sockopt::set_tcp_keepidle(&socket, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(&socket, KEEPALIVE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(&socket, KEEPALIVE_PROBES)?;
    sockopt::set_tcp_user_timeout(&socket, tcp.ack_timeout.as_millis() as u32)?;
    Ok(socket)
}

/// Sends over one connection until all sources have ended and all is acknowledged, or the connection is lost.
async fn serve(link: &mut Link, window: &mut Window, intake: &mut Intake) -> io::Result<()> {
    window.restart(intake);
    let sent = send(link, window, intake).await;
    if sent.is_err() {
        // The peer's kernel may have taken more since we asked last: that need not be sent again.
        if let Ok(acknowledged) = link.acknowledged() {
            window.acknowledge(acknowledged);
        }
        window.lose_connection();
    }
    sent
}

async fn send(link: &mut Link, window: &mut Window, intake: &mut Intake) -> io::Result<()> {
    let mut open = true;
    let mut pause = POLL_MIN;
    let mut poll_at = Instant::now() + pause;
    while open || !window.is_delivered() {
        let awaiting = window.is_awaiting();
        // What waits in TLS goes first: only when nothing does is it known where a block ends in the kernel's count.
        let unwritten = if window.is_writing() || link.is_flushed() { window.unwritten(intake) } else { &[] };
        let idle = unwritten.is_empty();
        tokio::select! {
            progress = link.exchange(unwritten) => if let Progress::Wrote(len) = progress? {
                window.wrote(len);
                if !awaiting {
                    pause = POLL_MIN;
                    poll_at = Instant::now() + pause;
                }
            },
            next = intake.recv(), if open && idle => match next {
                Some(delivery) => window.push(delivery),
                None => open = false,
            },
            () = sleep_until(poll_at), if awaiting => {
                let grown = window.acknowledge(link.acknowledged()?);
                if grown {
                    intake.counters.health.progressed();
                }
                pause = if grown { POLL_MIN } else { (pause * 2).min(POLL_MAX) };
                poll_at = Instant::now() + pause;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpSocket;

    #[tokio::test]
    async fn an_address_that_does_not_answer_leaves_time_for_the_next() {
        // With its queue full, the kernel leaves further attempts without an answer.
        let dark = TcpSocket::new_v4().unwrap();
        dark.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let dark = dark.listen(0).unwrap();
        let dark = dark.local_addr().map(|address| (address, dark)).unwrap();
        let mut queued = Vec::new();
        while let Ok(Ok(socket)) = timeout(Duration::from_millis(200), TcpStream::connect(dark.0)).await {
            queued.push(socket);
        }
        let healthy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let second = Duration::from_secs(1);
        let tcp = TcpSink {
            address: String::new(),
            tls: None,
            resend_bytes: 0,
            reconnect_max: second,
            connect_timeout: 4 * second,
            ack_timeout: second,
        };
        let addresses = [dark.0, healthy.local_addr().unwrap()];
        let connected = timeout(tcp.connect_timeout, connect_any(&addresses, &tcp, None)).await;
        assert!(connected.is_ok_and(|link| link.is_ok()), "the second address had no time");
    }
}
