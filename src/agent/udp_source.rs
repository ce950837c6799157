//! A UDP socket as a source: each datagram is complete by itself.
//!
//! The protocol has no back-pressure. What comes while a sink is full waits in the kernel's buffer for this socket, and
//! what finds no room there is dropped by the kernel, which counts it.

use super::config::{Origins, UdpSource};
use super::connections::Shared;
use super::failure::Failure;
use super::seldom::Seldom;
use super::source::{READ_BYTES, SourceReport, Stream, StreamEnd, decoding, reading_ends};
use super::status::{Incident, Meter};
use super::stop::Stop;
use super::sys;
use crate::redact::CleanBlock;
use rustix::net::{RecvFlags, sockopt};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// Senders decide how often these things happen; the log hears of each this often.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);
/// An error that is not the datagram's may last.
const ERROR_PAUSE: Duration = Duration::from_millis(100);

/// Binds, and asks the kernel for its buffer.
pub(super) fn bind(udp: &UdpSource) -> io::Result<UdpSocket> {
    let socket = std::net::UdpSocket::bind(udp.address)?;
    socket.set_nonblocking(true)?;
    sockopt::set_socket_recv_buffer_size(&socket, udp.receive_buffer_bytes)?;
    UdpSocket::from_std(socket)
}

/// How much the kernel keeps; it cuts what was asked for to `net.core.rmem_max`, and doubles it for what it needs itself.
pub(super) fn receive_buffer_bytes(socket: &UdpSocket) -> usize {
    sockopt::socket_recv_buffer_size(socket).unwrap_or(0) / 2
}

pub(super) async fn run(shared: Shared, udp: UdpSource, socket: UdpSocket) -> Result<SourceReport, Failure> {
    let Shared { source, redaction, outlet, mut stop, grace, .. } = shared;
    let meter = outlet.meter().clone();
    let mut stream = Stream::new(&redaction, decoding(&source, true), outlet, stop.clone(), None);
    let mut receiver = Receiver::new(&source.name, udp.permit_origin, socket, meter);
    let mut open = true;
    while open {
        let ready = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop != Stop::Running) => break,
            ready = receiver.socket.readable() => ready,
        };
        if let Err(error) = ready.and_then(|()| receiver.receive(&mut stream)) {
            receiver.failed(&error);
            tokio::time::sleep(ERROR_PAUSE).await;
        }
        open = receiver.send(&mut stream).await.is_ok();
        tokio::task::consume_budget().await;
    }
    if open {
        // What has come by now was sent before the stop. There is no telling when a sender has ended, so what comes later
        // finds no socket.
        tokio::select! {
            () = receiver.receive_rest(&mut stream) => {}
            () = reading_ends(stop, grace) => {}
        }
    }
    Ok(receiver.report(&stream))
}

struct Receiver {
    source: String,
    meter: Arc<Meter>,
    origins: Origins,
    socket: UdpSocket,
    buffer: Vec<u8>,
    /// What the datagrams have become that are not sent yet.
    block: CleanBlock,
    datagrams: u64,
    /// What the kernel had counted when it was asked last; `None` if it does not count.
    kernel_count: Option<u32>,
    dropped: Seldom,
    truncated: Seldom,
    refused: Seldom,
    failures: Seldom,
}

impl Receiver {
    fn new(source: &str, origins: Origins, socket: UdpSocket, meter: Arc<Meter>) -> Self {
        let seldom = || Seldom::new(REPORT_INTERVAL);
        let counted = sys::datagrams_dropped(&socket);
        if let Err(error) = &counted {
            tracing::warn!(source, %error, "datagrams that the kernel drops are not counted");
        }
        Self {
            source: source.to_owned(),
            meter,
            origins,
            socket,
            // Larger than any datagram, but for jumbograms.
            buffer: vec![0; READ_BYTES],
            block: CleanBlock::new(),
            datagrams: 0,
            kernel_count: counted.ok(),
            dropped: seldom(),
            truncated: seldom(),
            refused: seldom(),
            failures: seldom(),
        }
    }

    /// Takes the datagrams that are there, up to about one block. False if there are no more.
    fn receive(&mut self, stream: &mut Stream) -> io::Result<bool> {
        let mut taken = 0;
        while taken < READ_BYTES {
            let (socket, buffer) = (&self.socket, &mut self.buffer[..]);
            let received = socket.try_io(Interest::READABLE, || {
                Ok(rustix::net::recvfrom(socket, buffer, RecvFlags::TRUNC | RecvFlags::DONTWAIT)?)
            });
            let (len, whole_len, from) = match received {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            // So many empty ones are a block too.
            taken += len.max(READ_BYTES >> 10);
            self.datagrams += 1;
            let from = from.and_then(|from| SocketAddr::try_from(from).ok());
            let Some(peer) = from.filter(|from| self.origins.permit(from.ip())) else {
                self.meter.note(Incident::RefusedOrigin);
                if let (Some(refused), Some(peer)) = (self.refused.count(), from) {
                    let source = &self.source;
                    tracing::warn!(source, refused, %peer, "datagrams refused: their address is not in `permit_origin`");
                }
                continue;
            };
            if whole_len > len {
                self.meter.note(Incident::CutDatagram);
                if let Some(truncated) = self.truncated.count() {
                    let source = &self.source;
                    tracing::warn!(source, truncated, "datagrams were longer than 64 KiB: their ends are lost");
                }
            }
            stream.datagram(&self.buffer[..len], &peer, &mut self.block);
        }
        Ok(true)
    }

    async fn send(&mut self, stream: &mut Stream) -> Result<(), StreamEnd> {
        let sent = stream.send_datagrams(std::mem::take(&mut self.block)).await;
        self.ask_kernel();
        sent
    }

    /// Takes what the kernel holds at this moment. Senders that go on sending must not keep this from ending.
    async fn receive_rest(&mut self, stream: &mut Stream) {
        let mut left = receive_buffer_bytes(&self.socket) * 2 / READ_BYTES + 1;
        while left > 0 {
            left -= 1;
            let more = self.receive(stream).unwrap_or(false);
            if self.send(stream).await.is_err() || !more {
                return;
            }
        }
    }

    /// How many were dropped since the last time.
    fn ask_kernel(&mut self) {
        let Some(before) = self.kernel_count else { return };
        let Ok(now) = sys::datagrams_dropped(&self.socket) else { return };
        self.kernel_count = Some(now);
        let dropped = u64::from(now.wrapping_sub(before));
        self.meter.note_times(Incident::DroppedDatagram, dropped);
        if dropped > 0
            && let Some(dropped) = self.dropped.add(dropped)
        {
            let source = &self.source;
            tracing::warn!(
                source,
                dropped,
                "datagrams dropped by the kernel: they come faster than they can be sent on"
            );
        }
    }

    fn failed(&self, error: &io::Error) {
        self.meter.note(Incident::FailedReceive);
        if let Some(times) = self.failures.count() {
            tracing::warn!(source = self.source, times, %error, "can't receive");
        }
    }

    fn report(&mut self, stream: &Stream) -> SourceReport {
        self.ask_kernel();
        tracing::info!(
            source = self.source,
            datagrams = self.datagrams,
            dropped = self.dropped.total(),
            truncated = self.truncated.total(),
            "datagrams ended"
        );
        let mut report = stream.report();
        report.connections.refused_origins = self.refused.total();
        report
    }
}
