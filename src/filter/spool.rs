//! Clean bytes between the engine and a writer that may be stuck: a bounded buffer that drops whole lines when it is full.

use super::policy::Loss;
use crate::redact::{Clean, CleanBlock};
use std::io;
use std::sync::Arc;

/// What waits for the writer, beside what the output's pipe holds.
pub(super) const SPOOL_BYTES: usize = 1 << 20;

/// So much more is taken to complete a line whose beginning is on its way to the reader.
const COMPLETION_BYTES: usize = 1 << 20;

/// The buffer. The engine's side [`offer`](Self::offer)s, the writer's side [`take`](Self::take)s.
#[derive(Debug, Default)]
pub(super) struct Spool {
    waiting: CleanBlock,
    /// The last line that was taken in is not finished.
    is_open: bool,
    /// Where it begins in `waiting`; `None` if the writer has its beginning.
    open_at: Option<usize>,
    /// What the writer has, and how much of it is written.
    in_flight: Arc<CleanBlock>,
    written: usize,
    written_bytes: u64,
    dropped: Loss,
    is_closed: bool,
    failure: Option<io::Error>,
}

impl Spool {
    /// Takes in what fits, by whole lines, and drops the rest.
    pub fn offer(&mut self, piece: Clean<'_>) {
        let piece = if self.dropped.is_open() { self.drop_first_line(piece) } else { piece };
        let piece = if self.is_open { self.complete(piece) } else { piece };
        let room = SPOOL_BYTES.saturating_sub(self.held());
        let mut fitting = piece.as_bytes().len();
        if fitting > room {
            // The whole of it is a line or a part of one: a line that is longer than the buffer passes when it is alone.
            let alone = if self.held() == 0 { first_line_len(piece.as_bytes()) } else { 0 };
            let whole = memchr::memrchr(b'\n', &piece.as_bytes()[..room]).map_or(0, |last| last + 1);
            fitting = alone.max(whole);
        }
        let (fitting, rest) = piece.split_at(fitting);
        self.take_in(fitting);
        self.dropped.add(rest.as_bytes());
    }

    /// Goes on with the line that is open; returns what is behind its end.
    fn complete<'a>(&mut self, piece: Clean<'a>) -> Clean<'a> {
        let (line, rest) = piece.split_at(first_line_len(piece.as_bytes()));
        let held = self.held() + line.as_bytes().len();
        if held <= SPOOL_BYTES {
            self.take_in(line);
        } else if let Some(start) = self.open_at.take() {
            let begun = self.waiting.split_off(start);
            self.dropped.add(begun.as_bytes());
            self.dropped.add(line.as_bytes());
            self.is_open = false;
        } else if held <= SPOOL_BYTES + COMPLETION_BYTES {
            self.take_in(line);
        } else {
            // Its beginning has left: only an end that is not its own keeps the next line from being glued to it.
            self.waiting.push_delimiter(b'\n');
            self.dropped.add(line.as_bytes());
            self.is_open = false;
        }
        rest
    }

    fn drop_first_line<'a>(&mut self, piece: Clean<'a>) -> Clean<'a> {
        let (line, rest) = piece.split_at(first_line_len(piece.as_bytes()));
        self.dropped.add(line.as_bytes());
        rest
    }

    fn take_in(&mut self, piece: Clean<'_>) {
        let bytes = piece.as_bytes();
        let Some(&last) = bytes.last() else { return };
        match memchr::memrchr(b'\n', bytes) {
            Some(end) => self.open_at = Some(self.waiting.len() + end + 1),
            None if !self.is_open => self.open_at = Some(self.waiting.len()),
            None => {}
        }
        self.is_open = last != b'\n';
        if !self.is_open {
            self.open_at = None;
        }
        self.waiting.push(piece);
    }

    /// What follows comes from another input: it is no part of a line that was being dropped.
    pub fn begin_input(&mut self) {
        self.dropped.close();
    }

    /// All that waits, for the writer, which has written all that it had; `None` if nothing does.
    pub fn take(&mut self) -> Option<Arc<CleanBlock>> {
        if self.waiting.is_empty() {
            return None;
        }
        self.in_flight = Arc::new(std::mem::take(&mut self.waiting));
        self.written = 0;
        self.open_at = None;
        Some(self.in_flight.clone())
    }

    /// The writer has written so much more.
    pub fn wrote(&mut self, len: usize) {
        self.written += len;
        self.written_bytes += len as u64;
    }

    /// Bytes that are taken in and not written.
    pub fn held(&self) -> usize {
        self.waiting.len() + self.in_flight.len() - self.written
    }

    /// Whether this much has room, or is alone.
    pub fn has_room(&self, len: usize) -> bool {
        self.held() == 0 || self.held() + len <= SPOOL_BYTES
    }

    /// Bytes that were written.
    pub fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// What was dropped.
    pub fn dropped(&self) -> Loss {
        self.dropped
    }

    /// Empties it: what is held counts as lost, and is added to `lost`.
    pub fn abandon(&mut self, lost: &mut Loss) {
        lost.add(&self.in_flight.as_bytes()[self.written..]);
        lost.add(self.waiting.as_bytes());
        (self.written, self.is_open, self.open_at) = (self.in_flight.len(), false, None);
        self.waiting.clear();
    }

    /// As [`abandon`](Self::abandon), by the choice to drop.
    pub fn drop_held(&mut self) {
        let mut dropped = self.dropped;
        dropped.close();
        self.abandon(&mut dropped);
        self.dropped = dropped;
    }

    /// Nothing more will be offered.
    pub fn close(&mut self) {
        self.is_closed = true;
    }

    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// The writer has met an error and writes no more.
    pub fn fail(&mut self, error: io::Error) {
        self.failure = Some(error);
    }

    pub fn is_failed(&self) -> bool {
        self.failure.is_some()
    }

    pub fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }
}

/// The length of the first line with its newline, or of all if there is none.
fn first_line_len(bytes: &[u8]) -> usize {
    memchr::memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(bytes: &[u8]) -> CleanBlock {
        let keys = crate::redact::KeyRing::parse(&[b'a'; 64]).unwrap();
        let redaction = crate::redact::Redaction::new(keys, crate::redact::Options::default()).unwrap();
        let mut redactor = crate::redact::Redactor::new(&redaction);
        let mut block = CleanBlock::new();
        redactor.push(bytes, &mut block);
        block.push(redactor.finish());
        assert!(block.as_bytes() == bytes, "nothing to redact");
        block
    }

    fn offer(spool: &mut Spool, bytes: &[u8]) {
        spool.offer(block(bytes).as_clean());
    }

    /// What the writer gets if it takes all and writes all.
    fn read(spool: &mut Spool) -> Vec<u8> {
        let Some(taken) = spool.take() else { return Vec::new() };
        spool.wrote(taken.len());
        taken.as_bytes().to_vec()
    }

    fn line(len: usize) -> Vec<u8> {
        let mut line = vec![b'.'; len - 1];
        line.push(b'\n');
        line
    }

    #[test]
    fn what_fits_passes() {
        let mut spool = Spool::default();
        for piece in ["a prompt? ", "yes\nno", "\n", "end"] {
            offer(&mut spool, piece.as_bytes());
            assert_eq!(read(&mut spool), piece.as_bytes());
        }
        assert_eq!(spool.dropped(), Loss::default());
        assert_eq!(spool.written_bytes(), 20);
    }

    #[test]
    fn a_full_buffer_drops_whole_lines_and_those_after_room_pass() {
        let mut spool = Spool::default();
        offer(&mut spool, &line(SPOOL_BYTES - 10));
        offer(&mut spool, b"fits\nis dropped\nis begun ");
        offer(&mut spool, b"and dropped");
        assert_eq!(spool.dropped().records, 2);
        assert_eq!(read(&mut spool).len(), SPOOL_BYTES - 5);
        // Room is no reason to let the end of a line pass whose beginning is gone.
        offer(&mut spool, b" to its end\npasses\n");
        assert_eq!(read(&mut spool), b"passes\n");
        assert_eq!((spool.dropped().records, spool.dropped().bytes), (2, 43));
    }

    #[test]
    fn a_line_whose_beginning_still_waits_is_taken_back() {
        let mut spool = Spool::default();
        offer(&mut spool, &line(SPOOL_BYTES - 20));
        offer(&mut spool, b"one\nbegun");
        offer(&mut spool, b" and too long for this\ntwo\n");
        assert!(read(&mut spool).ends_with(b".\none\ntwo\n"));
        assert_eq!((spool.dropped().records, spool.dropped().bytes), (1, 28));
    }

    #[test]
    fn a_line_that_has_begun_to_leave_is_completed() {
        let mut spool = Spool::default();
        offer(&mut spool, b"begun ");
        let taken = spool.take().unwrap();
        spool.wrote(3);
        offer(&mut spool, &line(SPOOL_BYTES));
        offer(&mut spool, b"dropped\n");
        spool.wrote(taken.len() - 3);
        assert_eq!(read(&mut spool).len(), SPOOL_BYTES);
        assert_eq!(spool.dropped().records, 1);
    }

    #[test]
    fn a_line_that_is_too_long_to_be_completed_gets_an_end() {
        let mut spool = Spool::default();
        offer(&mut spool, b"begun ");
        let taken = spool.take().unwrap();
        for _ in 0..40 {
            offer(&mut spool, &[b'.'; 64 << 10]);
            assert!(spool.held() <= SPOOL_BYTES + COMPLETION_BYTES + 1);
        }
        offer(&mut spool, b"\nnext\n");
        spool.wrote(taken.len());
        let rest = read(&mut spool);
        assert!(rest.ends_with(b".\n"), "no line is glued to it");
        assert_eq!(spool.dropped().records, 2);
        offer(&mut spool, b"passes\n");
        assert_eq!(read(&mut spool), b"passes\n");
    }

    #[test]
    fn a_line_over_the_whole_buffer_passes_alone() {
        let mut spool = Spool::default();
        let long = line(3 * SPOOL_BYTES);
        offer(&mut spool, &[&long[..], b"dropped\n"].concat());
        assert!(read(&mut spool) == long);
        assert_eq!(spool.dropped().records, 1);
    }

    #[test]
    fn what_is_held_can_be_given_up() {
        let mut spool = Spool::default();
        offer(&mut spool, b"written\nhalf\n");
        spool.take().unwrap();
        spool.wrote(10);
        offer(&mut spool, b"waits\nunfinished");
        spool.drop_held();
        assert_eq!((spool.held(), spool.dropped().records, spool.dropped().bytes), (0, 3, 19));
    }

    #[test]
    fn another_input_is_no_part_of_a_dropped_line() {
        let mut spool = Spool::default();
        offer(&mut spool, &line(SPOOL_BYTES));
        offer(&mut spool, b"dropped");
        read(&mut spool);
        spool.begin_input();
        offer(&mut spool, b"kept\n");
        assert_eq!(read(&mut spool), b"kept\n");
    }
}
