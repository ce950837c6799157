//! Between the engine and the output: written at once, or through a buffer and a thread that may get stuck in its write.

use super::output::Output;
use super::policy::{Failure, Loss, WhenFull};
use super::spool::Spool;
use crate::redact::Clean;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The writing thread asks for no more than this at once, so that it is known how far it has come.
const WRITE_BYTES: usize = 8 << 10;

/// The way to the output.
#[derive(Debug)]
pub(super) enum Outlet {
    /// Whoever writes waits for the reader.
    Direct { output: Output, written_bytes: u64 },
    /// Nobody but the writing thread does. It is never joined: it may wait for ever.
    Spooled { output: Arc<Output>, shared: Arc<Shared> },
}

#[derive(Debug, Default)]
pub(super) struct Shared {
    spool: Mutex<Spool>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Spool> {
        self.spool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, spool: MutexGuard<'a, Spool>) -> MutexGuard<'a, Spool> {
        self.changed.wait(spool).unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outlet {
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(output: Output, when_full: WhenFull) -> Result<Self, Failure> {
        if when_full == WhenFull::Block {
            return Ok(Self::Direct { output, written_bytes: 0 });
        }
        let (output, shared) = (Arc::new(output), Arc::new(Shared::default()));
        let (to, from) = (output.clone(), shared.clone());
        let write = move || write_spool(&to, &from);
        let started = std::thread::Builder::new().name("write".to_owned()).spawn(write);
        started.map_err(|error| Failure::Output(output.error(error)))?;
        Ok(Self::Spooled { output, shared })
    }

    pub fn output(&self) -> &Output {
        match self {
            Self::Direct { output, .. } => output,
            Self::Spooled { output, .. } => output,
        }
    }

    /// What is put from now on comes from another input.
    pub fn begin_input(&self) {
        if let Self::Spooled { shared, .. } = self {
            shared.lock().begin_input();
        }
    }

    /// Writes a piece or hands it over. Where it would have to wait for room it drops, unless it may wait. After an
    /// error what was not written is added to `discarded`.
    pub fn put(&mut self, piece: Clean<'_>, may_wait: bool, discarded: &mut Loss) -> io::Result<()> {
        match self {
            Self::Direct { output, written_bytes } => {
                let mut written = 0;
                let result = output.write(piece, &mut written);
                *written_bytes += written as u64;
                discarded.add(piece.split_at(written).1.as_bytes());
                result
            }
            Self::Spooled { shared, .. } => {
                let mut spool = shared.lock();
                while may_wait && !spool.is_failed() && !spool.has_room(piece.as_bytes().len()) {
                    spool = shared.wait(spool);
                }
                if let Some(error) = spool.take_failure() {
                    spool.abandon(discarded);
                    discarded.add(piece.as_bytes());
                    return Err(error);
                }
                spool.offer(piece);
                shared.changed.notify_all();
                Ok(())
            }
        }
    }

    /// Nobody reads what is held: it counts as discarded.
    pub fn abandon(&self, discarded: &mut Loss) {
        if let Self::Spooled { shared, .. } = self {
            let mut spool = shared.lock();
            spool.close();
            spool.abandon(discarded);
        }
    }

    /// Waits until all is written, or until the reader has taken nothing for so long: then what is held is dropped.
    /// `progress` is told how much is still held.
    pub fn close(
        &self,
        silence: Option<Duration>,
        discarded: &mut Loss,
        mut progress: impl FnMut(u64),
    ) -> io::Result<()> {
        let Self::Spooled { shared, .. } = self else { return Ok(()) };
        let mut spool = shared.lock();
        spool.close();
        shared.changed.notify_all();
        let (mut held, mut moved_at) = (spool.held(), Instant::now());
        while held > 0 && !spool.is_failed() {
            progress(held as u64);
            spool = match silence.map(|silence| silence.saturating_sub(moved_at.elapsed())) {
                Some(Duration::ZERO) => {
                    spool.drop_held();
                    break;
                }
                Some(left) => shared.changed.wait_timeout(spool, left).unwrap_or_else(PoisonError::into_inner).0,
                None => shared.wait(spool),
            };
            if spool.held() != held {
                (held, moved_at) = (spool.held(), Instant::now());
            }
        }
        match spool.take_failure() {
            Some(error) => {
                spool.abandon(discarded);
                Err(error)
            }
            None => Ok(()),
        }
    }

    /// Bytes that were put and are not written yet.
    pub fn held(&self) -> u64 {
        match self {
            Self::Direct { .. } => 0,
            Self::Spooled { shared, .. } => shared.lock().held() as u64,
        }
    }

    pub fn written_bytes(&self) -> u64 {
        match self {
            Self::Direct { written_bytes, .. } => *written_bytes,
            Self::Spooled { shared, .. } => shared.lock().written_bytes(),
        }
    }

    /// What was dropped because the output was full.
    pub fn dropped(&self) -> Loss {
        match self {
            Self::Direct { .. } => Loss::default(),
            Self::Spooled { shared, .. } => shared.lock().dropped(),
        }
    }
}

/// The writing thread.
fn write_spool(output: &Output, shared: &Shared) {
    loop {
        let mut spool = shared.lock();
        let block = loop {
            match spool.take() {
                Some(block) => break block,
                None if spool.is_closed() => return,
                None => spool = shared.wait(spool),
            }
        };
        drop(spool);
        let mut rest = block.as_clean();
        while !rest.as_bytes().is_empty() {
            let (piece, _) = rest.split_at(rest.as_bytes().len().min(WRITE_BYTES));
            let result = output.write_some(piece);
            let mut spool = shared.lock();
            match result {
                Ok(len) => {
                    rest = rest.split_at(len).1;
                    spool.wrote(len);
                }
                Err(error) => {
                    spool.fail(error);
                    shared.changed.notify_all();
                    return;
                }
            }
            drop(spool);
            shared.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Input;
    use crate::redact::CleanBlock;

    fn newlines(len: usize) -> CleanBlock {
        let mut block = CleanBlock::new();
        (0..len).for_each(|_| block.push_delimiter(b'\n'));
        block
    }

    #[test]
    fn a_reader_that_takes_nothing_at_the_end_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let reading = path.clone();
        let reader = std::thread::spawn(move || std::fs::File::open(reading).unwrap());
        let output = Output::create(&path, &[Input::Stdin]).unwrap();
        let _never_read = reader.join().unwrap();
        let mut outlet = Outlet::start(output, WhenFull::DropNewest).unwrap();
        let mut discarded = Loss::default();
        outlet.put(newlines(500_000).as_clean(), false, &mut discarded).unwrap();
        outlet.close(Some(Duration::from_millis(100)), &mut discarded, |_| {}).unwrap();
        let (written, dropped) = (outlet.written_bytes(), outlet.dropped());
        assert!(written > 0 && dropped.bytes > 0, "{written} written, {dropped} dropped");
        assert_eq!((written + dropped.records, dropped.records, discarded.bytes), (500_000, dropped.bytes, 0));
    }
}
