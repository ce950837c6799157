//! What one line of a container runtime is: whose text it carries, and what stands around it.

use super::super::{Codec, json};
use super::{Held, cri, docker};
use crate::redact::{CleanBlock, Counts, Finding, Redaction, Replacement};
use std::ops::Range;

/// A line of a part of 16 KiB is never longer, however its content is escaped. So much of a line is gathered even where
/// `max_record_bytes` is less.
pub(crate) const RUNTIME_LINE_BYTES: usize = 128 << 10;
/// Who wrote the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::codec) enum Runtime {
    /// Kubernetes: containerd, CRI-O.
    Cri,
    /// Docker's `json-file` driver.
    Docker,
}

impl Runtime {
    /// The runtime whose lines a codec reads.
    pub fn of(codec: Codec) -> Option<Self> {
        match codec {
            Codec::Text | Codec::Json => None,
            Codec::Cri => Some(Runtime::Cri),
            Codec::Docker => Some(Runtime::Docker),
        }
    }

    pub(super) fn line(self, text: &[u8]) -> Option<Line> {
        match self {
            Runtime::Cri => cri::line(text),
            Runtime::Docker => docker::line(text),
        }
    }

    /// Whether a channel's text comes as the contents of JSON strings.
    pub(super) fn has_strings(self, channel: Channel) -> bool {
        self == Runtime::Docker && channel != Channel::Foreign
    }
}

/// The last place in some lines behind which no text goes on that began before.
pub(crate) fn last_whole_record(codec: Codec, lines: &[u8]) -> Option<usize> {
    let runtime = Runtime::of(codec)?;
    let (mut texts, mut at, mut last) = (OpenTexts::default(), 0, None);
    for line in lines.split_inclusive(|&byte| byte == b'\n') {
        at += line.len();
        texts.line(runtime, line.strip_suffix(b"\n").unwrap_or(line));
        if !texts.is_open() {
            last = Some(at);
        }
    }
    last
}

/// Which channels have a text whose next line is still to come.
#[derive(Default)]
pub(in crate::codec) struct OpenTexts([bool; 3]);

impl OpenTexts {
    /// Takes a whole line.
    pub fn line(&mut self, runtime: Runtime, text: &[u8]) {
        if let Some(line) = runtime.line(text) {
            self.0[line.channel as usize] = line.is_partial;
        }
    }

    pub fn is_open(&self) -> bool {
        self.0.contains(&true)
    }
}

/// Whose text a line carries. Each is a text of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    Stdout,
    Stderr,
    /// Lines that the runtime did not write.
    Foreign,
}

/// Where a line's content is, and whose it is.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub channel: Channel,
    /// The next line of the channel goes on with the same text.
    pub is_partial: bool,
    pub content: Range<usize>,
}

/// What stands around a line's content.
pub(super) struct Envelope<'a> {
    redaction: &'a Redaction,
    text: Vec<u8>,
    content_at: usize,
    found: Vec<Replacement>,
}

impl<'a> Envelope<'a> {
    pub fn new(runtime: Runtime, redaction: &'a Redaction, held: &Held) -> Self {
        let text = [&held.text[..held.content.start], &held.text[held.content.end..]].concat();
        let mut found = Vec::new();
        // The time, stream and tags of the other runtime hold nothing else.
        if runtime == Runtime::Docker && !text.is_empty() {
            json::find_around(redaction, &text, &mut found);
        }
        Self { redaction, text, content_at: held.content.start, found }
    }

    /// Whether it stays as it is.
    pub fn is_clean(&self) -> bool {
        self.found.is_empty()
    }

    /// What was found in it, with its places in the stream.
    pub fn findings(&self, held: &Held) -> impl Iterator<Item = Finding> + use<'_, 'a> {
        let (start, content_len) = (held.start, held.content.len() as u64);
        self.found.iter().filter_map(move |replacement| {
            let is_behind = replacement.range.start >= self.content_at;
            replacement.finding(if is_behind { start + content_len } else { start })
        })
    }

    /// Appends what stands before the content.
    pub fn before(&self, out: &mut CleanBlock, counts: &mut Counts) {
        self.redaction.replace_part(&self.text, 0..self.content_at, &self.found, out, counts);
    }

    /// Appends what stands behind it.
    pub fn behind(&self, out: &mut CleanBlock, counts: &mut Counts) {
        self.redaction.replace_part(&self.text, self.content_at..self.text.len(), &self.found, out, counts);
    }
}
