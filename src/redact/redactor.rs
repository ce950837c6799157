//! The buffer between a stream and its scan.

use super::ruled::Ruled;
use super::scan::{Output, Scan, Window};
use super::{Carry, Clean, CleanBlock, Counts, Finding, Redaction};

/// The result of [`Redactor::redact`].
#[derive(Clone, Debug)]
pub struct Redacted {
    /// The clean bytes.
    pub clean: Vec<u8>,
    /// What was replaced, in order.
    pub findings: Vec<Finding>,
}

/// Redacts one stream of text. The output is independent of how the input is cut.
///
/// Undecided bytes and a little of what came before them stay in a buffer; everything else is released at once. The
/// buffer is bounded: a candidate is decided after 64 KiB at most, and of a credential in progress only its digest is kept
/// (with [`claims`](super::Options::claims) also the beginning of a JOSE token, see [`Claims`](super::Claims)).
///
/// With [`rules`](super::Options::rules) a line that has not ended stays in the buffer too, up to 64 KiB of it.
pub struct Redactor {
    redaction: Redaction,
    scan: Scan,
    out: Output,
    /// With rules, what leaves is put together here.
    ruled: Option<Box<Ruled>>,
    buffer: Vec<u8>,
    /// The stream's position of the first byte of the buffer.
    base: i64,
    /// The end of the input in the buffer.
    len: usize,
}

/// How much is read at once where the caller reads into the buffer.
const BLOCK_LEN: usize = 256 << 10;
/// What stays in the buffer between two blocks goes before this index; a block is read to a place behind it.
const BLOCK_START: usize = 132 << 10;
const PAGE_LEN: usize = 4096;
/// Copies take twice as long where the target's place in its page is 1 to 15 bytes behind the source's. The pages of files
/// and pipes begin with what is read and written, so both ends of a block stay away from where a page begins.
const PAGE_MARGIN: usize = 64;
/// Larger inputs to [`Redactor::push`] are taken in pieces of this length.
const PUSH_LEN: usize = 64 << 10;
/// What a stream that waits may keep of each of its buffers, besides what is undecided.
const REST_BYTES_MAX: usize = 96 << 10;

impl Redactor {
    /// A redactor at the start of a stream.
    pub fn new(redaction: &Redaction) -> Self {
        Self {
            redaction: redaction.clone(),
            scan: Scan::new(0),
            out: Output::default(),
            ruled: (!redaction.shared().rules.is_empty()).then(Box::default),
            buffer: Vec::new(),
            base: 0,
            len: 0,
        }
    }

    /// Redacts a text that is complete, independently of the stream.
    pub fn redact(&mut self, text: &[u8]) -> Redacted {
        let shared = self.redaction.shared();
        let mut out = Output::default();
        let window = Window { bytes: text, base: 0, end: true };
        Scan::new(0).run(&shared, window, &mut out);
        if let Some(ruled) = &mut self.ruled {
            let mut whole = Ruled::default();
            whole.run(&shared, window, text.len() as u64, &out.findings);
            ruled.counts.add(&whole.counts);
            let clean = if whole.replaced { whole.bytes } else { text.to_vec() };
            return Redacted { clean, findings: whole.findings };
        }
        self.out.counts.add(&out.counts);
        Redacted { clean: if out.replaced { out.bytes } else { text.to_vec() }, findings: out.findings }
    }

    /// Where the caller may read the next input into; never empty.
    pub fn space(&mut self) -> &mut [u8] {
        const LEN: usize = BLOCK_START + BLOCK_LEN + 3 * PAGE_LEN;
        if self.buffer.is_empty() {
            // Memory that comes zeroed is not touched before it is used.
            self.buffer = vec![0; LEN];
        } else if self.buffer.len() < LEN {
            self.buffer.resize(LEN, 0);
        }
        let page = BLOCK_START + self.buffer[BLOCK_START..].as_ptr().align_offset(PAGE_LEN).min(PAGE_LEN);
        // What waits leaves before the block.
        let waiting_len = (self.len - self.index(self.scan.cursor())) % PAGE_LEN;
        let start = page + waiting_len.next_multiple_of(PAGE_MARGIN) + PAGE_MARGIN;
        self.make_room(start);
        &mut self.buffer[start..start + BLOCK_LEN]
    }

    /// Takes the first `len` bytes of [`space`](Self::space) as input and releases all that is decided.
    pub fn filled(&mut self, len: usize) -> Clean<'_> {
        self.len += len;
        self.run(false)
    }

    /// Takes input and appends all that is decided to `out`.
    pub fn push(&mut self, input: &[u8], out: &mut CleanBlock) {
        let mut findings = Vec::new();
        for piece in input.chunks(PUSH_LEN) {
            self.make_room(0);
            self.buffer.truncate(self.len);
            self.buffer.extend_from_slice(piece);
            self.len = self.buffer.len();
            out.push(self.run(false));
            findings.extend_from_slice(self.findings());
        }
        match &mut self.ruled {
            Some(ruled) => ruled.findings = findings,
            None => self.out.findings = findings,
        }
    }

    /// Forgets the findings of the last call and gives back what its output and buffer have grown to.
    pub fn rest(&mut self) {
        self.out.findings = Vec::new();
        if self.out.bytes.capacity() > REST_BYTES_MAX {
            self.out.bytes = Vec::new();
        }
        if let Some(ruled) = &mut self.ruled {
            ruled.findings = Vec::new();
            if ruled.bytes.capacity() > REST_BYTES_MAX {
                ruled.bytes = Vec::new();
            }
        }
        if self.buffer.capacity() > REST_BYTES_MAX {
            self.make_room(0);
            self.buffer.truncate(self.len);
            self.buffer.shrink_to(REST_BYTES_MAX);
        }
    }

    /// Says that a record ends here though no newline does: all that was undecided is decided and appended.
    pub fn end_record(&mut self, out: &mut CleanBlock) {
        out.push(self.run(true));
        self.scan.end_record();
    }

    /// Ends the stream: releases the rest.
    pub fn finish(&mut self) -> Clean<'_> {
        self.run(true)
    }

    /// How many bytes of input are taken and not yet released, redacted or not.
    pub fn pending(&self) -> usize {
        let undecided = match &self.ruled {
            Some(ruled) => ruled.undecided_from(self.scan.consumed()),
            None => self.scan.cursor(),
        };
        self.len - self.index(undecided)
    }

    /// The open state at a record's end, to be stored with a checkpoint.
    pub fn carry(&self) -> Carry {
        match &self.ruled {
            Some(ruled) => ruled.carry(self.scan.carry()),
            None => self.scan.carry(),
        }
    }

    /// Goes on where a checkpoint stopped.
    pub fn resume(&mut self, carry: Carry) {
        let shared = self.redaction.shared();
        self.scan.resume(match &mut self.ruled {
            Some(ruled) => ruled.resume(&shared, carry),
            None => carry,
        });
    }

    /// The last `len` bytes of input as they were read, if they were taken by the last call of [`filled`](Self::filled).
    pub fn taken(&self, len: usize) -> &[u8] {
        &self.buffer[self.len.saturating_sub(len)..self.len]
    }

    /// The findings of the last call that took input.
    pub fn findings(&self) -> &[Finding] {
        self.ruled.as_ref().map_or(&self.out.findings, |ruled| &ruled.findings)
    }

    /// Findings since the start of the stream.
    pub fn counts(&self) -> &Counts {
        self.ruled.as_ref().map_or(&self.out.counts, |ruled| &ruled.counts)
    }

    /// Moves what must stay at hand so that it ends at `end`, or, where that is too little room, begins at 0.
    fn make_room(&mut self, end: usize) {
        let keep_from = match &self.ruled {
            Some(ruled) => self.scan.keep_from().min(ruled.keep_from(self.scan.consumed())),
            None => self.scan.keep_from(),
        };
        let keep_from = self.index(keep_from);
        let keep_len = self.len - keep_from;
        let start = end.saturating_sub(keep_len);
        assert!(end == 0 || keep_len <= end, "a decision is bounded, and so is what it waits for");
        if keep_from != start {
            self.buffer.copy_within(keep_from..self.len, start);
        }
        self.base += keep_from as i64 - start as i64;
        self.len = start + keep_len;
    }

    /// All before has left.
    fn released(&self) -> u64 {
        self.ruled.as_ref().map_or(self.scan.cursor(), |ruled| ruled.released())
    }

    fn index(&self, position: u64) -> usize {
        (position as i64 - self.base) as usize
    }

    fn run(&mut self, end: bool) -> Clean<'_> {
        let window = Window { bytes: &self.buffer[..self.len], base: self.base, end };
        let from = self.released();
        let shared = self.redaction.shared();
        self.scan.run(&shared, window, &mut self.out);
        if let Some(ruled) = &mut self.ruled {
            ruled.run(&shared, window, self.scan.decided(), &self.out.findings);
        }
        let replaced = match &self.ruled {
            Some(ruled) => ruled.replaced.then_some(&ruled.bytes),
            None => self.out.replaced.then_some(&self.out.bytes),
        };
        match replaced {
            Some(bytes) => Clean::new(bytes),
            // What is certain to be replaced is not kept.
            None if from == self.released() => Clean::new(&[]),
            None => Clean::new(&self.buffer[self.index(from)..self.index(self.released())]),
        }
    }
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::{KeyRing, Options};

    #[test]
    fn all_findings_of_a_long_push_are_there() {
        let redaction = Redaction::new(KeyRing::parse(&[b'a'; 64]).unwrap(), Options::default()).unwrap();
        let line = b"Bearer mF_9.B5f-4.1JqM\n";
        let mut redactor = Redactor::new(&redaction);
        redactor.push(&line.repeat(10_000), &mut CleanBlock::new());
        assert_eq!(redactor.findings().len(), 10_000);
        assert_eq!(redactor.findings()[9_999].offset, 9_999 * line.len() as u64 + 7);
        redactor.push(line, &mut CleanBlock::new());
        assert_eq!(redactor.findings().len(), 1);
    }

    #[test]
    fn what_was_at_hand_before_the_start_does_not_count() {
        let redaction = Redaction::new(KeyRing::parse(&[b'a'; 64]).unwrap(), Options::default()).unwrap();
        // Of the last part so much is left at the place before the text, when it is moved, that `token` seems to go on there.
        let text = b"token `abcGciO12JIU1I1NiIsInR5cCIodHRwczovL2lz";
        for cut in 0..=text.len() {
            let mut redactor = Redactor::new(&redaction);
            let mut clean = Vec::new();
            for piece in [&text[..cut], &text[cut..]] {
                redactor.space()[..piece.len()].copy_from_slice(piece);
                clean.extend_from_slice(redactor.filled(piece.len()).as_bytes());
                redactor.space();
            }
            clean.extend_from_slice(redactor.finish().as_bytes());
            assert_eq!(clean, redactor.redact(text).clean, "cut at {cut}");
            assert_eq!(redactor.counts().total(), 2, "cut at {cut}");
        }
    }

    #[test]
    fn names_that_the_user_adds_win() {
        let extra_fields = ["next_token", "csrf_token", "status_code", "my_cookie"].map(String::from).to_vec();
        let options = Options { extra_fields, ..Options::default() };
        let redaction = Redaction::new(KeyRing::parse(&[b'a'; 64]).unwrap(), options).unwrap();
        for name in ["next_token", "nextToken", "NEXT-TOKEN", "csrf_token", "status_code", "my_cookie"] {
            for text in [format!("{name}=tR7xK2mQ9vLp4ZsW"), format!("a {{\"{name}\": \"tR7xK2mQ9vLp4ZsW\"}} b")] {
                let redacted = Redactor::new(&redaction).redact(text.as_bytes());
                assert_eq!(redacted.findings.len(), 1, "{text}");
                assert!(memchr::memmem::find(&redacted.clean, b"tR7xK2mQ").is_none(), "{text}");
            }
        }
    }
}
