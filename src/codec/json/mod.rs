//! JSON records: credentials are looked for in the decoded strings and in members that are named as credentials; only
//! what is replaced changes.

mod walk;

use crate::redact::{Carry, CleanBlock, Counts, Redaction, Replacement};
use memchr::memchr;
use serde::de::IgnoredAny;

/// Redacts one JSON text at a time.
pub(super) struct JsonRedactor {
    redaction: Redaction,
    counts: Counts,
    /// What the last record left open, if that was no JSON.
    carry: Carry,
}

/// How deep JSON may lie in strings of JSON.
const DEPTH_MAX: u8 = 3;

impl JsonRedactor {
    pub fn new(redaction: &Redaction) -> Self {
        Self { redaction: redaction.clone(), counts: Counts::default(), carry: Carry::None }
    }

    /// Appends the clean form of one record (without what frames it) and says whether it is JSON. A record with nothing
    /// in it to look at is not parsed: it counts as JSON if it begins and ends like an object or array.
    pub fn record(&mut self, record: &[u8], out: &mut CleanBlock) -> bool {
        let mut found = Vec::new();
        let carry = std::mem::take(&mut self.carry);
        let is_json = if carry != Carry::None || self.needs_work(record) {
            find(&self.redaction, record, DEPTH_MAX, carry, &mut self.carry, &mut found)
        } else {
            matches!(record.trim_ascii(), [b'{', .., b'}'] | [b'[', .., b']']) || is_strict(record)
        };
        self.redaction.replace(record, &found, out, &mut self.counts);
        is_json
    }

    /// Findings since the start of the stream.
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

/// Whether an escape could hide an anchor: `\u` and `\/`, not `\n` and `\"`.
fn has_hiding_escape(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = memchr(b'\\', rest) {
        match rest.get(at + 1) {
            Some(b'u' | b'/') => return true,
            Some(_) => rest = &rest[at + 2..],
            None => return false,
        }
    }
    false
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
    found: &mut Vec<Replacement>,
) -> bool {
    walk::walk(redaction, text, depth, found);
    let is_json = is_strict(text);
    if !is_json {
        *after = redaction.scan_line(text, before, found);
    }
    redaction.scan_objects(text, found);
    merge(found);
    is_json
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
