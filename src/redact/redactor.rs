//! The streaming engine's outside (skeleton).

use super::{Clean, CleanBlock, Counts, Finding, Fingerprint, KeyRing};
use std::sync::Arc;

/// What a user may set about redaction; the rest is fixed.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Further member names whose values are credentials (matched without regard to case, `-` and `_`).
    pub extra_fields: Vec<String>,
    /// Digests (32 hex digits) of credentials that are to stay, for example public test tokens.
    pub allow_fingerprints: Vec<String>,
    /// Give digests to passwords and credentials under 16 bytes too, though they could be guessed.
    pub weak_fingerprints: bool,
    /// A template around the marker, `{}` standing for the marker itself; `None` is the bare marker.
    pub replacement: Option<String>,
}

/// Keys and options, built once and shared by all redactors.
#[derive(Clone, Debug)]
pub struct Redaction(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    keys: KeyRing,
    #[expect(dead_code)]
    options: Options,
}

impl Redaction {
    /// Builds the automaton and takes the keys.
    ///
    /// # Errors
    /// Says which option is wrong and why.
    pub fn new(keys: KeyRing, options: Options) -> Result<Self, String> {
        Ok(Self(Arc::new(Shared { keys, options })))
    }

    /// What one credential is called under each key, the active key first.
    pub fn fingerprints(&self, _credential: &[u8]) -> Vec<Fingerprint> {
        let _ = &self.0.keys;
        Vec::new()
    }
}

/// What a record's end left open for the next record. It holds no bytes of the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Carry {
    /// Nothing.
    #[default]
    None = 0,
}

impl Carry {
    /// The carry that was stored as `code` (its value as `u8`); `None` if this version knows no such state.
    pub fn from_code(code: u8) -> Option<Self> {
        [Carry::None].into_iter().find(|carry| *carry as u8 == code)
    }
}

/// One replacement inside a text that was scanned as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// The bytes to replace.
    pub range: std::ops::Range<usize>,
    /// What they become.
    pub finding: Finding,
}

/// The result of [`Redactor::redact`].
#[derive(Clone, Debug)]
pub struct Redacted {
    /// The clean bytes.
    pub clean: Vec<u8>,
    /// What was replaced, in order.
    pub findings: Vec<Finding>,
}

/// Redacts one stream of text. The output is independent of how the input is cut.
pub struct Redactor {
    buffer: Vec<u8>,
    counts: Counts,
    findings: Vec<Finding>,
    filled: usize,
}

impl Redactor {
    /// A redactor at the start of a stream.
    pub fn new(_redaction: &Redaction) -> Self {
        Self { buffer: vec![0; 256 << 10], counts: Counts::default(), findings: Vec::new(), filled: 0 }
    }

    /// Redacts a text that is complete.
    pub fn redact(&mut self, text: &[u8]) -> Redacted {
        Redacted { clean: text.to_vec(), findings: Vec::new() }
    }

    /// Where the caller may read the next input into; never empty.
    pub fn space(&mut self) -> &mut [u8] {
        &mut self.buffer
    }

    /// Takes the first `len` bytes of [`space`](Self::space) as input and releases all that is decided.
    pub fn filled(&mut self, len: usize) -> Clean<'_> {
        self.filled = len;
        Clean::new(&self.buffer[..len])
    }

    /// Takes input and appends all that is decided to `out`.
    pub fn push(&mut self, input: &[u8], out: &mut CleanBlock) {
        out.push(Clean::new(input));
    }

    /// Says that a record ends here though no newline does: all that was undecided is decided and appended.
    pub fn end_record(&mut self, _out: &mut CleanBlock) {}

    /// Ends the stream: releases the rest.
    pub fn finish(&mut self) -> Clean<'_> {
        Clean::new(&[])
    }

    /// How many bytes of input are taken and not yet released, redacted or not.
    pub fn pending(&self) -> usize {
        0
    }

    /// The open state at a record's end, to be stored with a checkpoint.
    pub fn carry(&self) -> Carry {
        Carry::None
    }

    /// Goes on where a checkpoint stopped.
    pub fn resume(&mut self, _carry: Carry) {}

    /// The findings of the last call that took input.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Findings since the start of the stream.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}
