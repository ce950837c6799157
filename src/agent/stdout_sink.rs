//! Standard output as a sink.
//!
//! A thread of its own does the writing: a write to a pipe that nobody reads can't be cancelled, and the runtime waits
//! for its own blocking threads when it ends.

use super::batch::Batch;
use super::config::Sink;
use super::failure::Failure;
use super::queue::Intake;
use super::sink::SinkEnd;
use crate::codec::Framing;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::os::fd::AsFd;
use tokio::sync::oneshot;

pub(super) async fn run(sink: &Sink, intake: Intake) -> Result<SinkEnd, Failure> {
    let failed = |error| Failure::sink(&sink.name, "stdout", error);
    let framing = sink.framing;
    let (done, ended) = oneshot::channel();
    std::thread::Builder::new()
        .name("stdout".into())
        .spawn(move || done.send(write_blocks(std::io::stdout(), framing, intake)))
        .map_err(failed)?;
    match ended.await {
        Ok(Ok(())) => Ok(SinkEnd::Drained),
        Ok(Err(Errno::PIPE)) => Ok(SinkEnd::ReaderGone),
        Ok(Err(error)) => Err(failed(error.into())),
        Err(_) => panic!("the thread that writes standard output has failed"),
    }
}

/// Writes until all sources have ended. A block is acknowledged once it is written.
fn write_blocks(output: impl AsFd, framing: Framing, mut intake: Intake) -> rustix::io::Result<()> {
    let mut batch = Batch::default();
    while let Some(first) = intake.blocking_recv() {
        batch.fill(framing, first, &mut intake);
        while batch.written < batch.wire.len() {
            match rustix::io::write(&output, &batch.wire[batch.written..]) {
                Ok(len) => batch.written += len,
                Err(Errno::INTR) => {}
                // Whoever shares the open file with us may have made it non-blocking.
                Err(Errno::AGAIN) => {
                    let _ = poll(&mut [PollFd::new(&output, PollFlags::OUT)], None);
                }
                Err(error) => return Err(error),
            }
        }
        for delivery in batch.deliveries.drain(..) {
            delivery.acknowledge();
        }
    }
    Ok(())
}
