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

#[cfg(test)]
mod tests {
    use super::super::config::{SinkKind, WhenFull};
    use super::super::outlet::Outlet;
    use super::super::queue::queue;
    use super::*;
    use crate::redact::CleanBlock;
    use std::io::Read;

    fn sink() -> Sink {
        Sink {
            name: "out".into(),
            inputs: vec!["in".into()],
            framing: Framing::NewlineDelimited,
            when_full: WhenFull::Block,
            buffer_bytes: 1 << 20,
            kind: SinkKind::Stdout,
        }
    }

    fn block(len: usize) -> CleanBlock {
        let mut block = CleanBlock::new();
        block.set_delimiter(Some(b'\n'));
        (0..len).for_each(|_| block.push_delimiter(b'\n'));
        block
    }

    #[tokio::test]
    async fn a_block_is_acknowledged_once_it_is_written() {
        let (feed, intake) = queue(&sink());
        let outlet = Outlet::new(vec![feed]);
        let (mut reader, writer) = std::io::pipe().unwrap();
        // Full pipes of a non-blocking writer must be waited for, not spun on or given up.
        rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::NONBLOCK).unwrap();
        let thread = std::thread::spawn(move || write_blocks(writer, Framing::NewlineDelimited, intake));
        let receipt = outlet.send(block(300_000)).await.unwrap();
        assert!(!receipt.is_acknowledged(), "a pipe does not hold that much");
        drop(outlet);
        let mut written = Vec::new();
        reader.read_to_end(&mut written).unwrap();
        assert_eq!(written.len(), 300_000);
        thread.join().unwrap().unwrap();
        assert!(receipt.is_acknowledged());
    }

    #[tokio::test]
    async fn a_reader_that_has_gone_is_an_error_of_its_own() {
        let (feed, intake) = queue(&sink());
        let outlet = Outlet::new(vec![feed]);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let receipt = outlet.send(block(1)).await.unwrap();
        let thread = std::thread::spawn(move || write_blocks(writer, Framing::NewlineDelimited, intake));
        assert_eq!(thread.join().unwrap(), Err(Errno::PIPE));
        assert!(!receipt.is_acknowledged());
        assert!(outlet.send(block(1)).await.is_err());
    }
}
