//! Decisions on what is encoded.

use super::active::opaque;
use super::decide::Decision;
use super::{Output, Scan, Window};
use crate::redact::Fingerprint;
use crate::redact::carrier::Carrier;
use crate::redact::characters::{is_base64, is_base64url};
use crate::redact::cursor::{Cursor, More};
use crate::redact::finding::Kind;
use crate::redact::grammar::Grammar;
use crate::redact::redaction::Shared;
use crate::redact::view::{self, Encoding, STRETCH_BACK_MAX, VIEW_LEN_MAX, View};
use std::ops::Range;

/// Encodings may lie in each other so deep.
pub(super) const DEPTH_MAX: u8 = 3;

/// Up to where stretches were decoded in vain, by encoding and by where its units begin: anchors before are not tried
/// again, so that a text full of them costs linear time.
#[derive(Clone, Copy, Default)]
pub(super) struct Explored([u64; 14]);

impl Explored {
    fn slot(&mut self, encoding: Encoding, start: u64) -> &mut u64 {
        let slot = match encoding {
            Encoding::Base64 { .. } => start % 4,
            Encoding::Hex => 4 + start % 2,
            Encoding::SpacedHex => 6,
            Encoding::Escaped => 7,
            Encoding::Utf16 => 8,
            Encoding::Wrapped => 9,
        };
        &mut self.0[slot as usize]
    }

    /// The same for the rests of tokens.
    fn tail_slot(&mut self, group: u64) -> &mut u64 {
        &mut self.0[10 + (group % 4) as usize]
    }
}

/// One credential that is at hand as a whole, and what stands for it.
pub(super) struct Replaced {
    pub range: Range<usize>,
    pub fingerprint: Fingerprint,
    pub complete: bool,
    pub carrier: Carrier,
    /// The marker is written in characters of two bytes.
    pub wide: bool,
}

/// What a stretch held.
struct Found {
    replaced: Vec<Replaced>,
    /// The stretch goes on, and is part of the credential.
    cut: bool,
}

impl Scan {
    /// Decides at a fragment of a credential in an encoding.
    pub(super) fn encoded(
        &mut self,
        shared: &Shared,
        window: Window<'_>,
        range: &Range<usize>,
        encoding: Encoding,
    ) -> Result<Decision, More> {
        if self.is_explored(window, range.start, encoding) {
            return Ok(Decision::Nothing);
        }
        let Some(stretch) = Stretch::around(&self.at(window, range.start), encoding) else {
            return Ok(Decision::Nothing);
        };
        self.look_into(shared, window, stretch, encoding)
    }

    fn is_explored(&mut self, window: Window<'_>, anchor: usize, encoding: Encoding) -> bool {
        let unit = window.position(anchor).saturating_sub(encoding.back());
        self.depth == 0 || window.position(anchor) < *self.explored.slot(encoding, unit)
    }

    /// Decides whether the value that begins at `at` is an encoded credential.
    pub(super) fn encoded_value(&mut self, shared: &Shared, window: Window<'_>, at: usize) -> Result<Decision, More> {
        let cursor = self.at(window, at);
        let encoding = match shared.anchors.encoding(&cursor)? {
            None => text_encoding(&cursor)?,
            encoding => encoding,
        };
        match encoding {
            Some(encoding) => self.look_into(shared, window, Stretch::at(at), encoding),
            None => Ok(Decision::Nothing),
        }
    }

    /// Decodes a stretch and scans it.
    pub(super) fn look_into(
        &mut self,
        shared: &Shared,
        window: Window<'_>,
        stretch: Stretch,
        encoding: Encoding,
    ) -> Result<Decision, More> {
        let Stretch { anchor, start, from } = stretch;
        if self.is_explored(window, anchor, encoding) {
            return Ok(Decision::Nothing);
        }
        let unit = window.position(anchor).saturating_sub(encoding.back());
        let cursor = self.at(window, start);
        let view = match encoding {
            Encoding::Base64 { .. } => View::base64(&cursor)?,
            Encoding::Hex => View::hex(&cursor, 0)?,
            Encoding::SpacedHex => View::hex(&cursor, 1)?,
            Encoding::Escaped => View::escaped(&cursor)?,
            Encoding::Utf16 => View::utf16(&cursor)?,
            Encoding::Wrapped => View::wrapped(&cursor)?,
        };
        let (found, explored) = self.scan_view(shared, &view, from, encoding);
        *self.explored.slot(encoding, unit) = window.position(explored);
        let Found { mut replaced, cut } = found;
        for one in &mut replaced {
            one.wide = encoding == Encoding::Utf16;
        }
        if replaced.is_empty() {
            return Ok(Decision::Nothing);
        }
        // Where escapes are, percent signs can stand that are none.
        let grammar = if encoding == Encoding::Escaped { Grammar::Param } else { Grammar::Token };
        Ok(Decision::Replace { replaced, rest: cut.then_some((grammar, Kind::Token)) })
    }

    /// Scans a decoded stretch. The second value is the index in the input up to which nothing is left to be found.
    fn scan_view(&self, shared: &Shared, view: &View, from: usize, encoding: Encoding) -> (Found, usize) {
        let mut scan = Scan { depth: self.depth - 1, ..Scan::of_string() };
        let mut out = Output::default();
        scan.run(shared, Window { bytes: &view.text, base: 0, end: !view.cut && !view.before_marker }, &mut out);
        let mut explored = view.end;
        if view.cut {
            // What is undecided at the cut is looked at again from where it begins, unless nothing came before it.
            let undecided = scan.decided() as usize;
            if undecided > view.text.len() / 2 {
                explored = if view.is_exact() {
                    view.raw(&(undecided..undecided + 1)).start
                } else {
                    view.start + (view.end - view.start) / view.text.len().max(1) * undecided
                };
            } else {
                scan = Scan { depth: self.depth - 1, ..Scan::of_string() };
                out = Output::default();
                scan.run(shared, Window { bytes: &view.text, base: 0, end: true }, &mut out);
            }
        }
        let findings = out.findings.iter().map(|finding| {
            let start = finding.offset as usize;
            (start..start + finding.len as usize, finding)
        });
        if view.is_exact() {
            let replaced: Vec<_> = findings
                .map(|(range, finding)| Replaced {
                    range: view.raw(&range),
                    fingerprint: finding.fingerprint,
                    complete: finding.complete,
                    carrier: self.carrier.within(encoding, finding.carrier),
                    wide: false,
                })
                // What begins before the fragment was not found by it.
                .filter(|replaced| replaced.range.start >= from)
                .collect();
            let cut = view.cut && replaced.last().is_some_and(|last| last.range.end == view.end);
            return (Found { replaced, cut }, explored);
        }
        let all: Vec<_> = findings.collect();
        let replaced = match &all[..] {
            [] => Vec::new(),
            [(_, one)] => vec![(one.fingerprint, one.complete)],
            several => {
                let mut digester = shared.digester();
                digester.update(&view.text);
                vec![(digester.finish(Kind::Token), several.iter().all(|(_, one)| one.complete))]
            }
        };
        let replaced = replaced.into_iter().map(|(fingerprint, complete)| Replaced {
            range: from..view.end,
            fingerprint,
            complete: complete && !view.cut,
            carrier: self.carrier.within(encoding, all[0].1.carrier),
            wide: false,
        });
        (Found { replaced: replaced.collect(), cut: view.cut && !all.is_empty() }, explored)
    }

    /// Down to where bytes before `at` must stay for a decision at `at` or behind it: all of a run that may turn out to be
    /// an encoded credential, or of an escape. Each condition holds for every beginning of what it holds for, so that what
    /// stays does not depend on how the input is cut.
    pub(super) fn held_from(&self, window: Window<'_>, at: usize) -> usize {
        if window.end {
            return at;
        }
        let cursor = self.at(window, at);
        let before = cursor.before(STRETCH_BACK_MAX);
        let escape = before.iter().rev().take(8).take_while(|&&byte| byte == b'\\').count();
        if escape > 0 {
            return at - escape;
        }
        let start = view::run_start(&cursor);
        let run = &window.bytes[start..at];
        let begins_record = self.at(window, start).before(1).is_empty();
        // At the start of a record all of the run may be the rest of a token; its first group may be cut anywhere.
        let phases = if begins_record { 4 } else { run.len().min(4) };
        let is_text = |&phase: &usize| view::is_base64_of_text(&run[phase.min(run.len())..]);
        let first = (0..phases).find(is_text);
        let held = match first {
            Some(_) if begins_record => start,
            _ if view::is_hex_of_text(run) => start,
            Some(phase) => start + phase,
            None => at,
        };
        // Version of a PASETO, before the dot of its purpose.
        match self.at(window, held).before(2) {
            [b'v' | b'k', b'1'..=b'4'] => return held - 2,
            [.., b'v' | b'k'] => return held - 1,
            _ => {}
        }
        // A compressed session begins with its dot.
        if held > 0 && self.at(window, held).before(1) == b"." { held - 1 } else { held }
    }

    /// Decides at what may be the rest of a token whose beginning another record or a line limit took.
    pub(super) fn tail(
        &mut self,
        shared: &Shared,
        window: Window<'_>,
        anchor: usize,
        back: usize,
    ) -> Result<Decision, More> {
        const NAMES: [&[u8]; 4] = [b"\"alg", b"\"iss", b"\"sub", b"\"exp"];
        const SIGNATURE_LEN_MIN: usize = 43;
        let cursor = self.at(window, anchor);
        let group = anchor - cursor.before(back).len();
        let before = self.at(window, group).before(8);
        let tried = *self.explored.tail_slot(window.position(group));
        if before.len() < 8 || !before.iter().all(|&byte| is_base64(byte)) || window.position(anchor) < tried {
            return Ok(Decision::Nothing);
        }
        // The groups that end with the quote before the colon.
        let whole = if back == 0 { group - 8..group } else { group - 8..group + 4 };
        let bytes = view::decode_characters(&window.bytes[whole]);
        let quote = 6 + back.saturating_sub(1);
        let named = bytes.get(..quote).is_some_and(|bytes| NAMES.iter().any(|name| bytes.ends_with(name)));
        if !named {
            return Ok(Decision::Nothing);
        }
        let start = view::run_start(&cursor);
        if group < start + 8 {
            return Ok(Decision::Nothing);
        }
        let phase = (group - start) % 4;
        let is_text = view::is_base64_of_text(&window.bytes[start + phase..group]);
        let begins_record = self.at(window, start).before(1).is_empty();
        // What begins like a whole object or array is no rest of one.
        let first = view::decode_characters(&window.bytes[start + phase..group]).first().copied();
        let begins_whole = phase == 0 && matches!(first, Some(b'{' | b'['));
        let is_rest = begins_record && is_text && !begins_whole;
        let start = match is_text {
            true if begins_record => start,
            true => start + phase,
            // What came before may be gone.
            false => anchor,
        };
        let run = self.memo.run_len(&cursor)?;
        let dot = self.at(window, anchor + run);
        let mut signed = dot.peek()? == Some(b'.');
        for ahead in 1..=SIGNATURE_LEN_MIN {
            signed = signed && dot.peek_at(ahead)?.is_some_and(is_base64url);
        }
        if is_rest || signed {
            return Ok(Decision::Start { at: start, active: opaque(shared, Grammar::Cut, Kind::Jwt, None).cut() });
        }
        *self.explored.tail_slot(window.position(group)) = window.position(anchor + run);
        Ok(Decision::Nothing)
    }
}

/// The encoding in which a value begins with text, if it is one.
fn text_encoding(at: &Cursor<'_>) -> Result<Option<Encoding>, More> {
    const CHARACTERS: usize = 24;
    let mut characters = [0; CHARACTERS];
    for ahead in 0..CHARACTERS {
        match at.peek_at(ahead)? {
            Some(byte) if is_base64(byte) => characters[ahead] = byte,
            _ => return Ok(None),
        }
        // Most values end here: no byte of text has its first bit set.
        if ahead == 3 && !view::is_base64_of_text(&characters[..4]) && !view::is_hex_of_text(&characters[..4]) {
            return Ok(None);
        }
    }
    Ok(match () {
        () if view::is_hex_of_text(&characters) => Some(Encoding::Hex),
        () if view::is_base64_of_text(&characters) => Some(Encoding::Base64 { back: 0 }),
        () => None,
    })
}

/// Where an encoded stretch begins.
pub(super) struct Stretch {
    /// The fragment that gave it away.
    anchor: usize,
    /// Where decoding begins.
    start: usize,
    /// No credential in it begins before this.
    from: usize,
}

impl Stretch {
    pub fn at(start: usize) -> Self {
        Self { anchor: start, start, from: start }
    }

    /// The stretch that a fragment stands in; `None` if it can't be one.
    fn around(at: &Cursor<'_>, encoding: Encoding) -> Option<Self> {
        const BACK_MAX: usize = 256;
        let anchor = at.at;
        let from_anchor = |start| Self { anchor, start, from: anchor };
        Some(match encoding {
            Encoding::Base64 { back } => {
                let group = at.before(back);
                if group.len() < back || !group.iter().all(|&byte| is_base64(byte)) {
                    return None;
                }
                let group = anchor - back;
                let run_start = view::run_start(at);
                let run = at.before(anchor - run_start);
                let phase = group.checked_sub(run_start).map_or(0, |len| len % 4);
                let whole = anchor - run_start < STRETCH_BACK_MAX && run_start <= group;
                // The whole blob, as far as it is text: a path before it is none.
                if whole && view::is_base64_of_text(&run[phase..]) {
                    Self { anchor, start: run_start + phase, from: run_start + phase }
                } else {
                    // What is before shares a few bits with the credential, and may be gone.
                    from_anchor(group)
                }
            }
            Encoding::Hex => {
                let run_start = view::run_start(at);
                let run = at.before(anchor - run_start);
                let whole = run.len() < STRETCH_BACK_MAX && run.len().is_multiple_of(2) && view::is_hex_of_text(run);
                let start = if whole { run_start } else { anchor };
                Self { anchor, start, from: start }
            }
            Encoding::SpacedHex | Encoding::Wrapped => from_anchor(anchor),
            Encoding::Escaped => {
                let before = at.before(BACK_MAX);
                let start = before.iter().rposition(|&byte| view::ends_escaped(byte)).map_or(0, |last| last + 1);
                let escape = before.iter().rev().take_while(|&&byte| byte == b'\\').count();
                Self { anchor, start: anchor - (before.len() - start), from: anchor - escape }
            }
            Encoding::Utf16 => {
                let before = at.before(BACK_MAX);
                // Characters and zeros take turns, seen from the fragment's letter.
                let letter = anchor + usize::from(at.rest().first() == Some(&0));
                let turns = before.iter().rev().enumerate().take_while(|(index, byte)| {
                    let is_zero = (letter - (anchor - 1 - index)) % 2 == 1;
                    if is_zero { **byte == 0 } else { matches!(**byte, b'\t' | b' '..=b'~') }
                });
                let start = anchor - turns.count();
                from_anchor(start + (letter - start) % 2)
            }
        })
    }
}

const _: () = assert!(VIEW_LEN_MAX + STRETCH_BACK_MAX < 128 << 10, "it fits before a block in the buffer");
