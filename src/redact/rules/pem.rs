//! PEM blocks (RFC 7468): a credential that lies over several lines, or over `\n` escapes in one.
//!
//! All of a block's text is one credential. In the output its first line is the marker and the others are empty, so that
//! no line is lost. A block is gathered for [`BODY_LEN_MAX`] bytes at most; what comes then is redacted as another credential.

use crate::redact::cursor::Cursor;
use crate::redact::finding::RuleKind;
use crate::redact::marker::{Template, marker_len};
use std::ops::Range;

/// Larger than the key of any RSA that is in use.
const BODY_LEN_MAX: usize = 16 << 10;
/// A line of a block without an end is at least this long, or it might be a word.
const LINE_LEN_MIN: usize = 16;
/// The same where a blank, not a line end, stands behind it.
const PIECE_LEN_MIN: usize = 40;
/// As much behind a body's limit may be looked at.
const LOOKAHEAD_LEN: usize = 512;
/// How the first and the last line begin and end.
const DASHES: &[u8] = b"-----";

/// Follows a text from block to block.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::redact) struct Pem {
    /// Inside a block: the rule that found its first line.
    open: Option<RuleKind>,
}

/// What a block holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::redact) struct Block {
    pub kind: RuleKind,
    /// Its lines, without what is between them; never empty.
    pub pieces: Vec<Range<usize>>,
    /// Its last line is there.
    pub complete: bool,
}

/// How far a body goes.
enum Body {
    /// It ends here.
    Ends { complete: bool, at: usize },
    /// It is too long to be gathered, and goes on here.
    GoesOn { at: usize },
    /// The text ends inside it.
    Open,
    /// Whether it goes on is decided by what comes.
    Undecided,
}

impl Pem {
    /// Whether the text so far ends inside a block.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Goes on inside a block, whose first line was elsewhere.
    pub fn resume(&mut self, kind: RuleKind) {
        self.open = Some(kind);
    }

    pub fn close(&mut self) {
        self.open = None;
    }

    /// Reads `bytes[from..known]`, in which the first lines of blocks end at `starts`, and says how far it got: to the body
    /// of a block that is not decided yet. `end` says that nothing follows.
    pub fn read(
        &mut self,
        bytes: &[u8],
        span: Range<usize>,
        end: bool,
        starts: &[(usize, RuleKind)],
        template: &Template,
        blocks: &mut Vec<Block>,
    ) -> usize {
        let text = &bytes[..span.end];
        let mut at = span.start;
        let mut starts = starts.iter();
        loop {
            let Some(kind) = self.open else {
                // A first line inside a body is none.
                match starts.find(|(start, _)| *start >= at) {
                    Some(&(start, kind)) => (at, self.open) = (start, Some(kind)),
                    None => return span.end,
                }
                continue;
            };
            let mut pieces = Vec::new();
            let body = body(text, at, end, template, &mut pieces);
            let complete = match body {
                Body::Undecided => return at,
                Body::Ends { complete, .. } => complete,
                Body::GoesOn { .. } | Body::Open => false,
            };
            if !pieces.is_empty() {
                blocks.push(Block { kind, pieces, complete });
            }
            match body {
                Body::Ends { at: end, .. } => (at, self.open) = (end, None),
                Body::GoesOn { at: next } => at = next,
                Body::Open | Body::Undecided => return span.end,
            }
        }
    }
}

/// Reads the body that begins at `from`. A decision that would read beyond the text waits, unless that is its `end`; so it
/// is the same however the text came.
fn body(text: &[u8], from: usize, end: bool, template: &Template, pieces: &mut Vec<Range<usize>>) -> Body {
    let limit = from + BODY_LEN_MAX;
    let (text, end) = match text.get(..limit + LOOKAHEAD_LEN) {
        Some(text) => (text, true),
        None => (text, end),
    };
    let mut at = from;
    loop {
        at = gap(text, at, template).end;
        if at >= limit {
            let goes_on = !pieces.is_empty();
            return if goes_on { Body::GoesOn { at: limit } } else { Body::Ends { complete: false, at: limit } };
        }
        match line(text, at, end, !pieces.is_empty(), template) {
            Line::Undecided => return Body::Undecided,
            Line::Nothing => return Body::Open,
            Line::Last => return Body::Ends { complete: true, at },
            Line::Other => return Body::Ends { complete: false, at },
            // `Proc-Type: 4,ENCRYPTED` (RFC 1421), before an empty line.
            Line::Header(len) => at += len,
            Line::Body(len) => {
                let piece_end = limit.min(at + len);
                pieces.push(at..piece_end);
                at = piece_end;
            }
        }
    }
}

/// What stands in a line of a block.
enum Line {
    Body(usize),
    Header(usize),
    /// `-----END …`
    Last,
    /// The text is over.
    Nothing,
    /// It is none of the block's.
    Other,
    Undecided,
}

fn line(text: &[u8], at: usize, end: bool, inside: bool, template: &Template) -> Line {
    let line = &text[at..];
    let more = || if end { Line::Other } else { Line::Undecided };
    if line.is_empty() {
        return if end { Line::Nothing } else { Line::Undecided };
    }
    if line.starts_with(DASHES) {
        return Line::Last;
    }
    if DASHES.starts_with(line) {
        return more();
    }
    if !inside {
        let name = line.iter().take_while(|&&byte| byte.is_ascii_alphabetic() || byte == b'-').count();
        if name > 0 && line[name..].starts_with(b": ") {
            let escape = memchr::memmem::find(line, b"\\n").unwrap_or(line.len());
            return Line::Header(memchr::memchr(b'\n', line).unwrap_or(line.len()).min(escape));
        }
        if b": ".starts_with(&line[name..]) && !end {
            return Line::Undecided;
        }
    }
    let run = line.iter().take_while(|byte| is_base64(byte)).count();
    if run == 0 {
        return Line::Other;
    }
    let gap = gap(text, at + run, template);
    let rest = &text[gap.end..];
    if !end && (rest.is_empty() || DASHES.starts_with(rest)) {
        return Line::Undecided;
    }
    let is_last = rest.is_empty() || rest.starts_with(DASHES);
    let quoted = matches!(rest.first(), Some(b'"' | b'\''));
    let len_min = if gap.ends_line || inside && quoted { LINE_LEN_MIN } else { PIECE_LEN_MIN };
    let alone = !gap.is_empty() || is_last || quoted;
    let is_body = alone && (run >= len_min || line[run - 1] == b'=' || is_last);
    if is_body { Line::Body(run) } else { Line::Other }
}

/// What stands between two lines of a block.
struct Gap {
    start: usize,
    end: usize,
    /// A line ends in it, or the text.
    ends_line: bool,
}

impl Gap {
    fn is_empty(&self) -> bool {
        self.start == self.end
    }
}

/// Line ends and blanks, as they are or as escapes at any depth, and markers.
fn gap(text: &[u8], start: usize, template: &Template) -> Gap {
    let mut gap = Gap { start, end: start, ends_line: false };
    while let Some(&byte) = text.get(gap.end) {
        let len = match byte {
            b' ' | b'\t' => 1,
            b'\n' | b'\r' => {
                gap.ends_line = true;
                1
            }
            b'\\' => {
                let backslashes = text[gap.end..].iter().take_while(|&&byte| byte == b'\\').count();
                match text.get(gap.end + backslashes) {
                    Some(b'n' | b'r') => gap.ends_line = true,
                    Some(b't') => {}
                    _ => break,
                }
                backslashes + 1
            }
            byte if byte == template.first() => match marker_len(&Cursor::new(text, gap.end, 0, true), template) {
                Ok(Some(len)) => len,
                _ => break,
            },
            _ => break,
        };
        gap.end += len;
    }
    gap.ends_line |= gap.end == text.len();
    gap
}

fn is_base64(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=".contains(byte)
}
