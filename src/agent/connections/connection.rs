//! One connection, from its handshake to its end.

use super::super::config::ConnectionLimits;
use super::super::source::{READ_BYTES, SourceReport, Stream, StreamEnd, decoding, reading_ends};
use super::super::status::Incident;
use super::handshakes::Turn;
use super::record_clock::RecordClock;
use super::table::Activity;
use super::{Handshake, Peer, Shared};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::ready;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::Instant;

/// How a connection ended.
pub(super) struct Ended {
    pub report: SourceReport,
    /// Its sinks are still there.
    pub sinks_open: bool,
}

pub(super) struct Connection {
    shared: Arc<Shared>,
    limits: ConnectionLimits,
    peer: Peer,
    activity: Arc<Activity>,
}

impl Connection {
    pub fn new(shared: Arc<Shared>, limits: ConnectionLimits, peer: Peer) -> Self {
        Self { shared, limits, peer, activity: Arc::new(Activity::new()) }
    }

    pub fn activity(&self) -> Arc<Activity> {
        self.activity.clone()
    }

    /// Reads the connection to its end.
    pub async fn run<S, H: Handshake<S>>(self, handshake: Arc<H>, socket: S, turn: Option<Turn>) -> Ended {
        let shared = &self.shared;
        let mut ends = pin!(reading_ends(shared.stop.clone(), shared.grace));
        let shaken = tokio::select! {
            biased;
            shaken = shake(&*handshake, socket, turn) => shaken,
            () = &mut ends => return Ended { report: SourceReport::default(), sinks_open: true },
        };
        let mut socket = match shaken {
            Ok(socket) => socket,
            Err(error) => {
                self.shared.events.failed_handshake(self.peer, &error);
                return Ended { report: SourceReport::default(), sinks_open: true };
            }
        };
        let decoding = decoding(&shared.source, true);
        let (outlet, stop) = (shared.outlet.clone(), shared.stop.clone());
        let mut stream = Stream::new(&shared.redaction, decoding, outlet, stop, Some(&self.peer));
        let read = self.read(&mut socket, &mut stream, ends).await;
        self.activity.busy();
        let lost = matches!(read, Ok(InputEnd::Lost));
        if lost {
            shared.outlet.meter().note(Incident::LostStream);
        }
        let end = match read {
            Ok(_) => stream.finish().await,
            Err(end) => Err(end),
        };
        let sinks_open = match end {
            Ok(()) => true,
            Err(StreamEnd::Closed) => false,
            Err(StreamEnd::Framing(error)) => {
                self.shared.events.broken(self.peer, &error);
                true
            }
        };
        handshake.close(socket).await;
        Ended { report: SourceReport { lost_streams: u64::from(lost), ..stream.report() }, sinks_open }
    }

    /// Reads until the peer closes or resets, the stop's time is over, or the connection is idle and another one waits.
    /// All of that leaves a half record to be finished.
    async fn read(
        &self,
        socket: &mut (impl AsyncRead + Unpin),
        stream: &mut Stream,
        mut ends: impl Future<Output = ()> + Unpin,
    ) -> Result<InputEnd, StreamEnd> {
        let mut clock = RecordClock::new(self.limits.record_timeout);
        self.activity.silent(Instant::now());
        loop {
            let read = tokio::select! {
                biased;
                () = &mut ends => return Ok(InputEnd::Ended),
                // Before all that is done because nothing comes.
                read = read_some(socket) => read,
                () = clock.over() => Err(io::ErrorKind::Interrupted.into()),
                () = self.activity.asked_to_leave() => {
                    if self.is_idle() {
                        self.shared.events.closed_idle(self.peer);
                        return Ok(InputEnd::Ended);
                    }
                    continue;
                }
            };
            match read {
                Ok(input) if input.is_empty() => return Ok(InputEnd::Ended),
                Ok(input) => {
                    self.activity.busy();
                    let began = Instant::now();
                    stream.push(input).await?;
                    let now = Instant::now();
                    clock.advance(stream.unfinished(), now - began, now);
                    self.activity.silent(now);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    tracing::debug!(source = self.shared.source.name, peer = %self.peer, %error, "connection lost");
                    return Ok(InputEnd::Lost);
                }
            }
            if clock.is_over(Instant::now()) {
                clock.reset();
                if stream.cut_record().await? {
                    self.shared.events.timed_out_record(self.peer);
                }
            }
            // A peer that sends faster than we work must not keep others from running.
            tokio::task::consume_budget().await;
        }
    }

    /// Something may have come since it was asked to leave.
    fn is_idle(&self) -> bool {
        self.activity.silent_since().is_some_and(|since| since.elapsed() >= self.limits.idle_timeout)
    }
}

/// A handshake ends in time, or to make room.
async fn shake<S, H: Handshake<S>>(handshake: &H, socket: S, turn: Option<Turn>) -> io::Result<H::Stream> {
    let shaken = handshake.shake(socket);
    let (Some(time_max), Some(mut turn)) = (handshake.time_max(), turn) else { return shaken.await };
    let failed = |why| Err(io::Error::new(io::ErrorKind::TimedOut, why));
    tokio::select! {
        biased;
        () = turn.ended() => failed("it was the oldest when another needed room"),
        shaken = tokio::time::timeout(time_max, shaken) => shaken.unwrap_or_else(|_| failed("it took too long")),
    }
}

/// Why there is no more to read. What was read is finished in either case.
enum InputEnd {
    Ended,
    /// Without a proper end: there may have been more.
    Lost,
}

/// Waits for bytes; none at the end. There is memory for them only while there is something to read: most connections
/// are idle most of the time.
async fn read_some(socket: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    std::future::poll_fn(|context| {
        let mut input = Vec::with_capacity(READ_BYTES);
        // Nothing is lost of a read that is dropped while it waits.
        let read = ready!(pin!(socket.read_buf(&mut input)).poll(context));
        read.map(|_| input).into()
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn reads_give_what_there_is_and_nothing_is_lost_of_one_that_is_dropped() {
        let (mut near, mut far) = tokio::io::duplex(64);
        for round in 0..3 {
            let waited = tokio::time::timeout(Duration::from_millis(5), read_some(&mut far)).await;
            assert!(waited.is_err(), "round {round}");
            near.write_all(b"some bytes").await.unwrap();
            assert_eq!(read_some(&mut far).await.unwrap(), b"some bytes");
        }
        drop(near);
        assert_eq!(read_some(&mut far).await.unwrap(), b"");
    }
}
