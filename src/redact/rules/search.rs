//! From a text to the secrets in it: keywords, lines, windows, matches.

use super::fit::fit;
use super::rule::Rule;
use super::{Rules, Set};
use crate::redact::cursor::Cursor;
use crate::redact::finding::RuleKind;
use crate::redact::fingerprint::MARKER_PREFIX;
use crate::redact::grammar::Quote;
use crate::redact::marker::{Template, marker_len};
use aho_corasick::Input;
use memchr::{memchr, memmem, memrchr};
use std::cell::OnceCell;
use std::ops::Range;

/// As much of a line is looked at in one piece; longer lines are looked at in windows that overlap.
const WINDOW_LEN: usize = 64 << 10;
/// From the start of one window to the start of the next. A match that is not longer than the difference is found
/// wherever it lies.
const STEP_LEN: usize = 56 << 10;
/// What a window sees of the line before it: a marker that reaches into it, and for `\b` a character.
pub(in crate::redact) const LOOKBEHIND_LEN: usize = 256;
/// A rule whose matches have no longest length may have to read to the window's end for each of them.
const UNBOUNDED_MATCHES_MAX: usize = 1000;

/// A secret that a rule found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::redact) struct Found {
    pub range: Range<usize>,
    pub kind: RuleKind,
    /// It is a JSON number, so that what takes its place needs quotes.
    pub requote: Option<Quote>,
    /// It is no secret but the first line of a PEM block.
    pub pem: bool,
}

/// How far a text that comes in pieces has been searched.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::redact) struct Progress {
    /// The search goes on inside a line.
    mid_line: bool,
    /// So many of the bytes to search hold no line end: the last search has looked.
    unfinished_len: usize,
}

impl Rules {
    /// Whether there is anything in `text` that a match needs.
    pub(in crate::redact) fn may_match(&self, text: &[u8]) -> bool {
        self.0.as_ref().is_some_and(|set| {
            !set.always.is_empty() || set.keywords.as_ref().is_some_and(|keywords| keywords.is_match(text))
        })
    }

    /// Searches `bytes` from `from` on and says how far the matches are known: to the start of the last line if that
    /// has not ended, `end` saying that it has. What is found depends on the lines alone, not on how they came.
    pub(in crate::redact) fn search(
        &self,
        bytes: &[u8],
        from: usize,
        end: bool,
        template: &Template,
        progress: &mut Progress,
        found: &mut Vec<Found>,
    ) -> usize {
        let Some(set) = &self.0 else { return bytes.len() };
        let unchecked = from + progress.unfinished_len;
        let complete = match memrchr(b'\n', &bytes[unchecked..]) {
            _ if end => bytes.len(),
            Some(newline) => unchecked + newline + 1,
            None => from,
        };
        let search = Search { set, bytes, template };
        let mut at = from;
        if complete > at {
            search.lines(at..complete, progress.mid_line, found);
            at = complete;
            progress.mid_line = false;
        }
        while bytes.len() - at > WINDOW_LEN {
            search.window(at..at + WINDOW_LEN, at + STEP_LEN, progress.mid_line, found);
            at += STEP_LEN;
            progress.mid_line = true;
        }
        progress.unfinished_len = bytes.len() - at;
        if end {
            *progress = Progress::default();
        }
        at
    }
}

struct Search<'a> {
    set: &'a Set,
    bytes: &'a [u8],
    template: &'a Template,
}

/// A window of a line, with what a pattern may look at around it.
pub(super) struct View<'a> {
    pub text: &'a [u8],
    /// Where in `text` a match may begin.
    starts: Range<usize>,
    /// Without what ends the line.
    pub line: Range<usize>,
    /// Where strings of JSON begin and end, once somebody wants to know.
    quotes: OnceCell<Vec<usize>>,
}

impl Search<'_> {
    /// Lines that are complete, the first one from somewhere in it if `mid_line` says so.
    fn lines(&self, span: Range<usize>, mut mid_line: bool, found: &mut Vec<Found>) {
        let mut at = span.start;
        while at < span.end {
            let mut hit = at;
            if self.set.always.is_empty() {
                let input = Input::new(self.bytes).span(at..span.end);
                let Some(keyword) = self.set.keywords.as_ref().and_then(|keywords| keywords.find(input)) else {
                    return;
                };
                hit = keyword.start();
            }
            if let Some(newline) = memrchr(b'\n', &self.bytes[at..hit]) {
                at += newline + 1;
                mid_line = false;
            }
            let end = memchr(b'\n', &self.bytes[hit..span.end]).map_or(span.end, |newline| hit + newline + 1);
            while end - at > WINDOW_LEN {
                self.window(at..at + WINDOW_LEN, at + STEP_LEN, mid_line, found);
                at += STEP_LEN;
                mid_line = true;
            }
            self.window(at..end, end, mid_line, found);
            at = end;
            mid_line = false;
        }
    }

    /// A window of one line; matches begin before `starts_end`.
    fn window(&self, window: Range<usize>, starts_end: usize, mid_line: bool, found: &mut Vec<Found>) {
        let mut tried = vec![false; self.set.rules.len()];
        self.set.always.iter().for_each(|&rule| tried[rule] = true);
        if let Some(keywords) = &self.set.keywords {
            for hit in keywords.find_overlapping_iter(Input::new(self.bytes).span(window.clone())) {
                self.set.rules_of[hit.pattern().as_usize()].iter().for_each(|&rule| tried[rule] = true);
            }
        }
        if !tried.contains(&true) {
            return;
        }
        let base = if mid_line { window.start.saturating_sub(LOOKBEHIND_LEN) } else { window.start };
        let mut text = std::borrow::Cow::Borrowed(&self.bytes[base..window.end]);
        if text.last() != Some(&b'\n') {
            // Patterns that want a blank behind the secret find one there.
            text.to_mut().push(b'\n');
        }
        let mut line_end = text.len() - 1;
        if text[..line_end].last() == Some(&b'\r') {
            line_end -= 1;
        }
        let start = window.start - base;
        let view = View {
            text: &text,
            starts: start..starts_end - base,
            line: start..line_end.max(start),
            quotes: OnceCell::new(),
        };
        let parts = self.parts(&view);
        let first = found.len();
        for (rule, _) in self.set.rules.iter().zip(&tried).filter(|(_, tried)| **tried) {
            parts.iter().for_each(|part| view.search(rule, part.clone(), found));
        }
        for found in &mut found[first..] {
            found.range = found.range.start + base..found.range.end + base;
        }
    }

    /// The parts of a window between markers. No rule sees a marker: it would take it for a secret.
    fn parts(&self, view: &View<'_>) -> Vec<Range<usize>> {
        let first = [&self.template.prefix, MARKER_PREFIX].concat();
        let mut parts = Vec::new();
        let mut at = view.starts.start;
        let mut after = 0;
        for marker in memmem::find_iter(view.text, &first) {
            if marker < after {
                continue;
            }
            if let Ok(Some(len)) = marker_len(&Cursor::new(view.text, marker, 0, true), self.template) {
                if marker > at {
                    parts.push(at..marker);
                }
                after = marker + len;
                at = at.max(after);
            }
        }
        if at < view.text.len() {
            parts.push(at..view.text.len());
        }
        parts
    }
}

impl<'a> View<'a> {
    #[cfg(test)]
    pub fn of(text: &'a [u8]) -> Self {
        Self { text, starts: 0..text.len(), line: 0..text.len(), quotes: OnceCell::new() }
    }

    /// Whether a string of JSON is open at a place. Of a line that begins elsewhere this is a guess.
    pub fn is_in_string(&self, at: usize) -> bool {
        let quotes = self.quotes.get_or_init(|| {
            let mut escaped = false;
            let is_quote = |index: &usize| {
                let byte = self.text[*index];
                let is_quote = byte == b'"' && !escaped;
                escaped = byte == b'\\' && !escaped;
                is_quote
            };
            self.line.clone().filter(is_quote).collect()
        });
        quotes.partition_point(|quote| *quote < at) % 2 == 1
    }

    fn search(&self, rule: &Rule, part: Range<usize>, found: &mut Vec<Found>) {
        let mut captures = None;
        let mut at = part.start;
        let mut matches = 0;
        while at < part.end {
            let Some(mut next) = rule.find(self.text, at..part.end, &mut captures) else { return };
            if next.whole.start >= self.starts.end {
                return;
            }
            matches += 1;
            if matches > UNBOUNDED_MATCHES_MAX && !rule.is_bounded() {
                // Nobody writes so many secrets into a line. The search ends, but nothing passes for that.
                next.secret = next.whole.start..part.end;
                fit(self, next.secret, rule.kind(), found);
                return;
            }
            next.secret = next.secret.start.max(self.line.start)..next.secret.end.min(self.line.end);
            let accepted = next.secret.start < next.secret.end && rule.accepts(self.text, &next, self.line.clone());
            if accepted && rule.is_pem() {
                let (range, kind) = (next.whole.clone(), rule.kind());
                found.push(Found { range, kind, requote: None, pem: true });
            } else if accepted {
                fit(self, next.secret.clone(), rule.kind(), found);
            }
            // What stands behind one secret may be part of the context of another.
            let end = if accepted && rule.is_bounded() { next.secret.end } else { next.whole.end };
            at = end.max(at + 1);
        }
    }
}
