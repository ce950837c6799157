//! A text that is too long to be held: each of its parts leaves with what is decided when it ends, and what is not yet
//! decided leaves with the next one. Whoever puts the parts together sees no difference.

use super::super::json;
use crate::redact::{Carry, CleanBlock, Finding, Redaction, Redactor};

pub(super) struct Rest {
    pub redactor: Redactor,
    /// What was found since somebody asked, with its places in the text.
    pub found: Vec<Finding>,
    /// The text comes as the contents of JSON strings, which have the ends of its lines in them.
    is_string: bool,
    /// The start of a character that would have been cut in two.
    cut_character: CleanBlock,
    /// The last line without its content, for what may still have to leave when the input ends.
    envelope: CleanBlock,
    content_at: usize,
}

impl Rest {
    pub fn new(redaction: &Redaction, carry: Carry, is_string: bool) -> Self {
        let mut redactor = Redactor::new(redaction);
        redactor.resume(carry);
        let found = Vec::new();
        Self {
            redactor,
            found,
            is_string,
            cut_character: CleanBlock::new(),
            envelope: CleanBlock::new(),
            content_at: 0,
        }
    }

    /// Takes the content of a part and gives the content that leaves in its place.
    pub fn content(&mut self, content: &[u8], is_partial: bool) -> CleanBlock {
        let mut clean = std::mem::take(&mut self.cut_character);
        if self.is_string {
            self.push(&json::decoded(content), &mut clean);
        } else {
            self.push(content, &mut clean);
        }
        if !is_partial {
            self.end_text(&mut clean);
        } else if self.is_string {
            self.cut_character = clean.split_off(complete_len(clean.as_bytes()));
        }
        clean
    }

    /// Takes some of the text as it is.
    pub fn push(&mut self, text: &[u8], clean: &mut CleanBlock) {
        self.redactor.push(text, clean);
        self.found.extend_from_slice(self.redactor.findings());
    }

    /// Says that the text is complete, and appends what was undecided.
    pub fn end_text(&mut self, clean: &mut CleanBlock) {
        if !self.is_string {
            // The line's own end, which the redactor tells from an end of the input. What was held has none.
            self.push(b"\n", clean);
        }
        self.redactor.end_record(clean);
        self.found.extend_from_slice(self.redactor.findings());
        if !self.is_string && clean.as_bytes().ends_with(b"\n") {
            clean.split_off(clean.len() - 1);
        }
    }

    /// A line of this content.
    pub fn line(&self, content: &CleanBlock, envelope: &CleanBlock, content_at: usize) -> CleanBlock {
        let mut line = CleanBlock::new();
        line.append_bytes(envelope, 0..content_at);
        if self.is_string {
            line.append_escaped(content);
        } else {
            line.append(content);
        }
        line.append_bytes(envelope, content_at..envelope.len());
        line
    }

    /// Keeps the form of the last line.
    pub fn remember(&mut self, envelope: CleanBlock, content_at: usize) {
        (self.envelope, self.content_at) = (envelope, content_at);
    }

    /// The input has ended: one more line, if there is something that no line took along.
    pub fn last_line(&mut self) -> Option<CleanBlock> {
        let mut content = std::mem::take(&mut self.cut_character);
        self.end_text(&mut content);
        (!content.is_empty()).then(|| self.line(&content, &self.envelope, self.content_at))
    }

    /// Bytes that wait for their decision.
    pub fn pending(&self) -> usize {
        self.redactor.pending() + self.cut_character.len()
    }
}

/// How much of a text does not end inside a character of UTF-8.
fn complete_len(text: &[u8]) -> usize {
    let tail_len = text.iter().rev().take(3).take_while(|&&byte| byte & 0xc0 == 0x80).count();
    let Some(start) = text.len().checked_sub(tail_len + 1) else { return text.len() };
    let character_len = match text[start] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    if character_len > tail_len + 1 { start } else { text.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_is_cut() {
        for (text, len) in [
            (&b""[..], 0),
            (b"ab", 2),
            (b"\xc3\xa9", 2),
            (b"a\xc3", 1),
            (b"\xe2\x80\xa8", 3),
            (b"\xe2\x80", 0),
            (b"a\xf0\x9f\x98", 1),
            (b"\x80\x80\x80\x80", 4),
            (b"\x80", 1),
            (b"\xff", 1),
        ] {
            assert_eq!(complete_len(text), len, "{text:?}");
        }
    }
}
