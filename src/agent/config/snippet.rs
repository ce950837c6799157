//! The line of the file that a problem points to, with every value masked that could be a secret.

use super::keys;
use super::section::is_showable_key;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

const MASK: char = '…';

/// A line that may be shown.
#[derive(Clone, Debug)]
pub(super) struct Snippet {
    pub line: String,
    /// From 1.
    pub line_number: usize,
    /// The bytes of `line` that the problem is about.
    pub mark: Range<usize>,
}

/// Decides what of a file may be shown.
pub(super) struct Mask<'a> {
    text: &'a str,
    /// Values that may be shown; sorted, without overlap.
    shown: Vec<Range<usize>>,
    /// Values and keys that may not; sorted, without overlap.
    hidden: Vec<Range<usize>>,
    /// The file has a syntax error, so that nobody can say where its values are.
    broken: bool,
}

impl<'a> Mask<'a> {
    /// `shown` are the values that may be shown.
    pub fn new(text: &'a str, table: &DeTable<'_>, mut shown: Vec<Range<usize>>, broken: bool) -> Self {
        let mut scalars = Scalars::default();
        scalars.add_table(table);
        shown.sort_by_key(|span| span.start);
        let is_hidden = |span: &Range<usize>| shown.binary_search_by_key(&span.start, |s| s.start).is_err();
        let mut hidden: Vec<Range<usize>> = scalars.spans.into_iter().filter(is_hidden).collect();
        hidden.sort_by_key(|span| span.start);
        Self { text, shown, hidden, broken }
    }

    /// The line in which `span` starts.
    ///
    /// What is masked before the span keeps its width, so that the column shown is the column in the file.
    pub fn snippet(&self, span: &Range<usize>, line_number: usize) -> Snippet {
        let at = self.text.floor_char_boundary(span.start);
        let start = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let end = self.text[at..].find('\n').map_or(self.text.len(), |len| at + len);
        let end = if self.text[start..end].ends_with('\r') { end - 1 } else { end };
        let mark = self.text.floor_char_boundary(span.start.min(end))..self.text.floor_char_boundary(span.end.min(end));
        let mut out = Shown { line: String::new(), text: self.text, mark_in: mark, start: None, end: None };
        if self.broken {
            self.broken_line(start..end, &mut out);
        } else {
            self.sound_line(start..end, &mut out);
        }
        let len = out.line.len();
        let start = out.start.unwrap_or(len);
        Snippet { line_number, mark: start..out.end.unwrap_or(len).max(start), line: out.line }
    }

    /// Outside of values a sound line holds only keys, punctuation and a comment.
    fn sound_line(&self, line: Range<usize>, out: &mut Shown<'_>) {
        let mut at = line.start;
        while at < line.end {
            if let Some(end) = end_of_span_at(&self.hidden, at) {
                out.mask(at..end.min(line.end));
                at = end.min(line.end);
            } else if let Some(end) = end_of_span_at(&self.shown, at) {
                let span = at..end.min(line.end);
                out.show(span.clone());
                at = span.end;
            } else {
                let rest = &self.text[at..line.end];
                if rest.starts_with('#') {
                    out.line.truncate(out.line.trim_end().len());
                    return;
                }
                let len = run_len(rest);
                let span = at..at + len;
                let run = &rest[..len];
                if is_sign(run) || is_showable_key(run) {
                    out.show(span)
                } else {
                    out.mask(span)
                }
                at += len;
            }
        }
    }

    /// With a syntax error about, only words of the vocabulary and names in headers are known to be no values.
    fn broken_line(&self, line: Range<usize>, out: &mut Shown<'_>) {
        let text = &self.text[line.clone()];
        let is_header = text.starts_with("[sources.") || text.starts_with("[sinks.");
        let mut at = line.start;
        while at < line.end {
            let rest = &self.text[at..line.end];
            let len = run_len(rest);
            let run = &rest[..len];
            let known = matches!(run, " " | "\t" | "=" | "[" | "]" | ".")
                || keys::is_vocabulary(run)
                || is_header && is_showable_key(run);
            if !known {
                // The rest of the line as one: where a value ends is not known.
                out.mask(at..line.end);
                return;
            }
            out.show(at..at + len);
            at += len;
        }
    }
}

/// The line in the making.
struct Shown<'a> {
    line: String,
    text: &'a str,
    mark_in: Range<usize>,
    start: Option<usize>,
    end: Option<usize>,
}

impl Shown<'_> {
    fn show(&mut self, span: Range<usize>) {
        let out = self.line.len();
        self.line.push_str(&self.text[span.clone()]);
        if self.start.is_none() && span.contains(&self.mark_in.start) {
            self.start = Some(out + self.mark_in.start - span.start);
        }
        if self.end.is_none() && self.start.is_some() && span.end >= self.mark_in.end {
            self.end = Some(out + self.mark_in.end.saturating_sub(span.start));
        }
    }

    fn mask(&mut self, span: Range<usize>) {
        let text = &self.text[span.clone()];
        let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''));
        let before = self.mark_in.start.clamp(span.start, span.end) - span.start;
        let mut masked = text[..before].chars().map(|_| MASK);
        if before == text.len() {
            // It keeps its width.
            let (first, last) = (masked.next(), masked.next_back());
            self.line.extend(first.map(|mask| quote.unwrap_or(mask)));
            self.line.extend(masked);
            self.line.extend(last.map(|mask| quote.unwrap_or(mask)));
            return;
        }
        self.line.extend(masked);
        if self.start.is_none() && span.start + before == self.mark_in.start {
            self.start = Some(self.line.len());
        }
        let quote = quote.filter(|_| before == 0);
        self.line.extend(quote);
        self.line.push(MASK);
        self.line.extend(quote);
        if self.end.is_none() && self.start.is_some() && span.end >= self.mark_in.end {
            self.end = Some(self.line.len());
        }
    }
}

/// Where scalar values are, and keys that don't look like keys.
#[derive(Default)]
struct Scalars {
    spans: Vec<Range<usize>>,
}

impl Scalars {
    fn add_table(&mut self, table: &DeTable<'_>) {
        for (key, value) in table.iter() {
            if !is_showable_key(key.get_ref()) {
                self.spans.push(key.span());
            }
            self.add(value.get_ref(), value.span());
        }
    }

    fn add(&mut self, value: &DeValue<'_>, span: Range<usize>) {
        match value {
            DeValue::Table(table) => self.add_table(table),
            DeValue::Array(array) => array.iter().for_each(|item| self.add(item.get_ref(), item.span())),
            _ => self.spans.push(span),
        }
    }
}

/// The end of the span that `at` lies in.
fn end_of_span_at(spans: &[Range<usize>], at: usize) -> Option<usize> {
    let next = spans.partition_point(|span| span.start <= at);
    spans[..next].last().filter(|span| at < span.end).map(|span| span.end)
}

const SIGNS: [char; 12] = [' ', '\t', '=', '[', ']', '{', '}', ',', '.', '"', '\'', '#'];

fn is_sign(run: &str) -> bool {
    run.len() == 1 && run.starts_with(SIGNS)
}

/// The length of what stands at the start: one sign, or all up to the next sign.
fn run_len(rest: &str) -> usize {
    if rest.starts_with(SIGNS) { 1 } else { rest.find(SIGNS).unwrap_or(rest.len()) }
}
