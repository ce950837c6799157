//! One connection, from its handshake to its end.

use super::super::source::{READ_BYTES, SourceReport, Stream, StreamEnd, decoding, reading_ends};
use super::{Handshake, Peer, Shared};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::ready;
use tokio::io::{AsyncRead, AsyncReadExt};

/// How a connection ended.
pub(super) struct Ended {
    pub report: SourceReport,
    /// Its sinks are still there.
    pub sinks_open: bool,
}

/// Reads one connection to its end.
pub(super) async fn run<S, H: Handshake<S>>(shared: Arc<Shared>, handshake: Arc<H>, socket: S, peer: Peer) -> Ended {
    let name = &shared.source.name;
    let mut ends = pin!(reading_ends(shared.stop.clone(), shared.grace));
    let shaken = tokio::select! {
        biased;
        shaken = tokio::time::timeout(H::TIME_MAX, handshake.shake(socket)) => shaken,
        () = &mut ends => return Ended { report: SourceReport::default(), sinks_open: true },
    };
    let shaken = shaken.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "the handshake took too long")));
    let mut socket = match shaken {
        Ok(socket) => socket,
        Err(error) => {
            tracing::debug!(source = name, %peer, %error, "no connection: the handshake failed");
            return Ended { report: SourceReport { failed_handshakes: 1, ..Default::default() }, sinks_open: true };
        }
    };
    let decoding = decoding(&shared.source, true);
    let mut stream = Stream::new(&shared.redaction, decoding, shared.outlet.clone(), shared.stop.clone());
    let mut end = read(&shared, &mut socket, peer, &mut stream, ends).await;
    if end.is_ok() {
        end = stream.finish().await;
    }
    let sinks_open = match end {
        Ok(()) => true,
        Err(StreamEnd::Closed) => false,
        Err(StreamEnd::Framing(error)) => {
            tracing::warn!(source = name, %peer, %error, "connection closed");
            true
        }
    };
    Ended { report: stream.report(), sinks_open }
}

/// Reads until the peer closes, resets, or the stop's time is over. All three leave a half record to be finished.
async fn read(
    shared: &Shared,
    socket: &mut (impl AsyncRead + Unpin),
    peer: Peer,
    stream: &mut Stream,
    mut ends: impl Future<Output = ()> + Unpin,
) -> Result<(), StreamEnd> {
    loop {
        let read = tokio::select! {
            biased;
            () = &mut ends => return Ok(()),
            read = read_some(socket) => read,
        };
        match read {
            Ok(input) if input.is_empty() => return Ok(()),
            Ok(input) => stream.push(input).await?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                tracing::debug!(source = shared.source.name, %peer, %error, "connection lost");
                return Ok(());
            }
        }
        // A peer that sends faster than we work must not keep others from running.
        tokio::task::consume_budget().await;
    }
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
