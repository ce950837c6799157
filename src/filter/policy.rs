//! What the user has chosen for an output that can't keep up or fails, and what is told about it.

use super::input::InputError;
use super::output::OutputError;

/// What happens while the reader of the output takes no more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// Nothing is read until it does: nothing is lost, and the program that writes waits too.
    #[default]
    Block,
    /// What comes from a pipe, socket or terminal is read on; whole lines are dropped and counted.
    DropNewest,
}

/// What happens once nothing can be written any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// The process ends, and the program that writes is killed by its next write.
    #[default]
    Exit,
    /// Input is read to its end, discarded and counted.
    Drain,
}

/// Both choices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// For an output that can't keep up.
    pub when_full: WhenFull,
    /// For one that fails.
    pub on_failure: OnFailure,
}

/// What did not reach the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Lines, an unfinished last one among them.
    pub records: u64,
    /// Bytes.
    pub bytes: u64,
    /// The last line is not finished yet, and is counted already.
    is_open: bool,
}

impl Loss {
    /// Counts what is lost. Stretches of one line that follow on one another count as one.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        let Some(&last) = bytes.last() else { return };
        self.bytes += bytes.len() as u64;
        self.records += memchr::memchr_iter(b'\n', bytes).count() as u64;
        self.records -= u64::from(self.is_open);
        self.is_open = last != b'\n';
        self.records += u64::from(self.is_open);
    }

    /// Counts what can't be looked at any more.
    pub(super) fn add_unseen(&mut self, records: u64, bytes: u64) {
        self.records += records;
        self.bytes += bytes;
    }

    /// Whether the end of the line that is being lost has not come yet.
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// What follows belongs to another line, whatever it is.
    pub(super) fn close(&mut self) {
        self.is_open = false;
    }
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plural = if self.records == 1 { "" } else { "s" };
        write!(f, "{} record{plural} ({} bytes)", self.records, self.bytes)
    }
}

/// Why nothing is written any more.
#[derive(Debug)]
pub enum Failure {
    /// The output can't be written.
    Output(OutputError),
    /// The reader of the output has closed it, which is no error.
    ReaderGone {
        /// The output's name.
        output: String,
    },
    /// The engine failed. Nothing that it had not redacted was written.
    Engine,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Output(error) => error.fmt(f),
            Self::ReaderGone { output } => write!(f, "the reader of {output} has gone"),
            Self::Engine => f.write_str("the engine failed; nothing unredacted was written"),
        }
    }
}

/// What is told while it happens. Whoever is told must not wait for anybody: the input waits meanwhile.
#[derive(Debug)]
pub enum Notice {
    /// An input that can't be opened or read; the others are read.
    Unread(InputError),
    /// The output is full and lines are dropped: so much up to now.
    Dropping {
        /// The output's name.
        output: String,
        /// What was dropped since the start.
        dropped: Loss,
    },
    /// From now on input is discarded.
    Draining {
        /// Why, as the failure says it.
        reason: String,
        /// Whether it is an error: that nobody wants the output is none.
        is_error: bool,
    },
    /// The end of an output that did not get everything.
    Ended {
        /// The output's name.
        output: String,
        /// What was dropped because it was full.
        dropped: Loss,
        /// What came after nothing could be written any more.
        discarded: Loss,
    },
}

impl std::fmt::Display for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unread(error) => error.fmt(f),
            Self::Dropping { output, dropped } => write!(f, "{output} is full, {dropped} dropped up to now"),
            Self::Draining { reason, .. } => write!(f, "{reason}; input is read on and discarded"),
            Self::Ended { output, dropped, discarded } => {
                write!(f, "{output} did not get everything: {dropped} dropped, {discarded} discarded")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_lost_in_pieces_is_one() {
        let mut loss = Loss::default();
        for (bytes, records) in [("a", 1), ("", 1), ("b", 1), ("\nc", 2), ("\n", 2), ("\n\n", 4), ("x\ny", 6)] {
            loss.add(bytes.as_bytes());
            assert_eq!(loss.records, records, "{bytes:?}");
        }
        assert!(loss.is_open());
        loss.close();
        loss.add(b"z\n");
        assert_eq!((loss.records, loss.bytes), (7, 12));
    }
}
