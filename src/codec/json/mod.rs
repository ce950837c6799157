//! JSON records: credentials are looked for in the decoded strings and in members that are named as credentials; only
//! what is replaced changes.

mod walk;

pub(super) use walk::string;

use crate::redact::{Carry, CleanBlock, Counts, Finding, Redaction, Replacement};
use memchr::memchr;
use serde::de::IgnoredAny;

/// Redacts one JSON text at a time.
pub(super) struct JsonRedactor {
    redaction: Redaction,
    counts: Counts,
    /// What was found in the last record.
    found: Vec<Replacement>,
    /// What the last record left open, if that was no JSON.
    carry: Carry,
}

/// How deep JSON may lie in strings of JSON.
const DEPTH_MAX: u8 = 3;

impl JsonRedactor {
    pub fn new(redaction: &Redaction) -> Self {
        Self { redaction: redaction.clone(), counts: Counts::default(), found: Vec::new(), carry: Carry::None }
    }

    /// Appends the clean form of one record (without what frames it) and says whether it is JSON. A record with nothing
    /// in it to look at is not parsed: it counts as JSON if it begins and ends like an object or array.
    pub fn record(&mut self, record: &[u8], out: &mut CleanBlock) -> bool {
        let mut found = Vec::new();
        let carry = std::mem::take(&mut self.carry);
        let is_json = if carry != Carry::None || self.needs_work(record) {
            find(&self.redaction, record, DEPTH_MAX, carry, &mut self.carry, &mut found)
        } else {
            Self::looks_like_json(record)
        };
        self.redaction.replace(record, &found, out, &mut self.counts);
        self.found = found;
        is_json
    }

    /// Whether a record with nothing to look at counts as JSON.
    pub fn looks_like_json(record: &[u8]) -> bool {
        matches!(record.trim_ascii(), [b'{', .., b'}'] | [b'[', .., b']']) || is_strict(record)
    }

    /// How long the whole lines are at the beginning of `text` that need no work.
    pub fn clean_lines_len(&self, text: &[u8]) -> usize {
        if self.carry != Carry::None {
            return 0;
        }
        let place = self.redaction.first_place(text);
        let place = hiding_escape(&text[..place]).unwrap_or(place);
        memchr::memrchr(b'\n', &text[..place]).map_or(0, |last| last + 1)
    }

    /// Appends lines that need no work.
    pub fn clean_lines(&mut self, lines: &[u8], out: &mut CleanBlock) {
        self.redaction.replace(lines, &[], out, &mut self.counts);
        self.found.clear();
    }

    /// The findings of the last record, which begins at `base` in its stream.
    pub fn findings(&self, base: u64) -> impl Iterator<Item = Finding> {
        self.found.iter().filter_map(move |replacement| replacement.finding(base))
    }

    /// Says that a record came that is not looked at.
    pub fn forget_findings(&mut self) {
        self.found = Vec::new();
    }

    /// How many findings there are since the start of the stream.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The state that the last record left open.
    pub fn carry(&self) -> Carry {
        self.carry
    }

    /// Goes on where a checkpoint stopped.
    pub fn resume(&mut self, carry: Carry) {
        self.carry = carry;
    }

    fn needs_work(&self, record: &[u8]) -> bool {
        self.redaction.may_hold(record) || has_hiding_escape(record)
    }
}

fn has_hiding_escape(text: &[u8]) -> bool {
    hiding_escape(text).is_some()
}

/// Where an escape is that could hide an anchor: `\u` and `\/`, not `\n` and `\"`.
fn hiding_escape(text: &[u8]) -> Option<usize> {
    let mut end = 0;
    while let Some(len) = memchr(b'\\', &text[end..]) {
        // In a string of a string each escape has one backslash more.
        let start = end + len;
        let backslashes = text[start..].iter().take_while(|&&byte| byte == b'\\').count();
        end = start + backslashes;
        if matches!(text.get(end), Some(b'u' | b'/')) {
            return Some(start);
        }
    }
    None
}

fn is_strict(text: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

/// Finds the credentials of a JSON text and says whether a strict parser takes it. What it refuses gets the same scan,
/// and is scanned as plain text besides, behind what the text before it left open.
fn find(
    redaction: &Redaction,
    text: &[u8],
    depth: u8,
    before: Carry,
    after: &mut Carry,
    all: &mut Vec<Replacement>,
) -> bool {
    let is_json = is_strict(text);
    // Lines of pretty-printed JSON may be JSON by themselves: `"…"` behind a line that ends in `"access_token": [`.
    // The rest of a cut token is none.
    let before = if is_json && matches!(before, Carry::Cut { .. }) { Carry::None } else { before };
    let mut found = Vec::new();
    if is_json && before == Carry::None {
        // A rule may want a member's name and its value; a string or number alone has neither.
        let has_members = matches!(text.trim_ascii_start(), [b'{' | b'[', ..]);
        if has_members {
            redaction.scan_rules(text, &mut found);
        }
        walk::walk(redaction, text, depth, &[], &mut found);
    } else {
        let mut in_line = Vec::new();
        *after = redaction.scan_line(text, before, &mut in_line);
        let gone: Vec<_> = in_line.iter().map(|replacement| replacement.range.clone()).collect();
        walk::walk(redaction, text, depth, &gone, &mut found);
        found.append(&mut in_line);
    }
    // The members of a JOSE object (RFC 7515 §7.2) are credentials by what stands beside them.
    redaction.scan_objects(text, &mut found);
    merge(&mut found);
    all.append(&mut found);
    is_json
}

/// Finds the credentials of a line of text that may be JSON, and gives what it leaves open for the next line.
pub(super) fn find_in_line(redaction: &Redaction, line: &[u8], before: Carry, found: &mut Vec<Replacement>) -> Carry {
    let mut after = Carry::None;
    let may_be_json = matches!(line.trim_ascii_start().first(), Some(b'{' | b'['));
    if before == Carry::None && !redaction.may_hold(line) && !(may_be_json && has_hiding_escape(line)) {
        return after;
    }
    if may_be_json {
        find(redaction, line, DEPTH_MAX, before, &mut after, found);
    } else {
        after = redaction.scan_line(line, before, found);
    }
    after
}

/// The same for a line that is the content of a JSON string.
pub(super) fn find_in_string(
    redaction: &Redaction,
    content: &[u8],
    before: Carry,
    found: &mut Vec<Replacement>,
) -> Carry {
    if before == Carry::None && !redaction.may_hold(content) && !has_hiding_escape(content) {
        return Carry::None;
    }
    let decoded = walk::Decoded::new(content);
    let first = found.len();
    let after = find_in_line(redaction, &decoded.text, before, found);
    decoded.move_outside(&mut found[first..], 0);
    after
}

/// The text that a JSON string's content stands for.
pub(super) fn decoded(content: &[u8]) -> Vec<u8> {
    walk::Decoded::new(content).text
}

/// Finds the credentials of a text that is JSON around such a string.
pub(super) fn find_around(redaction: &Redaction, text: &[u8], found: &mut Vec<Replacement>) {
    if redaction.may_hold(text) || has_hiding_escape(text) {
        find(redaction, text, DEPTH_MAX, Carry::None, &mut Carry::None, found);
    }
}

/// Puts replacements in order. Where two overlap the longer one stays, so that nothing of either is left.
fn merge(found: &mut Vec<Replacement>) {
    found.sort_by_key(|replacement| (replacement.range.start, std::cmp::Reverse(replacement.range.end)));
    let mut merged: Vec<Replacement> = Vec::with_capacity(found.len());
    for next in found.drain(..) {
        match merged.last_mut() {
            Some(last) if next.range.start < last.range.end => {
                let union = last.range.start..last.range.end.max(next.range.end);
                if next.range.len() > last.range.len() {
                    *last = next;
                }
                last.range = union;
            }
            _ => merged.push(next),
        }
    }
    *found = merged;
}
