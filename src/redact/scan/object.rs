//! Decisions at base64 of objects, and at JOSE objects.

use super::active::opaque;
use super::decide::Decision;
use super::view::Stretch;
use super::{Carry, Scan, Window};
use crate::redact::carrier::Carrier;
use crate::redact::characters::is_base64;
use crate::redact::claims::Parts;
use crate::redact::context::Span;
use crate::redact::cursor::{Cursor, More, Unit};
use crate::redact::finding::Kind;
use crate::redact::grammar::Grammar;
use crate::redact::header::{CHARACTERS_MIN, Text, begins_object, may_be_session};
use crate::redact::jose;
use crate::redact::redaction::Shared;
use crate::redact::session::{rails_signature, session_len};
use crate::redact::view::{self, Encoding, is_wrapped};
use std::ops::Range;

impl Scan {
    /// Decides at base64 of an object: a token, a session, or a text that holds a credential.
    pub(super) fn object(&mut self, shared: &Shared, window: Window<'_>, at: usize) -> Result<Decision, More> {
        let cursor = self.at(window, at);
        let run_len = self.memo.run_len(&cursor)?;
        // A header that is too short to say anything.
        if run_len < CHARACTERS_MIN && cursor.peek_at(run_len)? == Some(b'.') {
            return Ok(Decision::Nothing);
        }
        let is_plain = run_len >= 16;
        if is_plain && !begins_object(Text::Plain(cursor.rest()))? {
            return Ok(Decision::Nothing);
        }
        if is_lone(&cursor, run_len)? && begins_object(Text::Plain(cursor.rest()))? {
            match self.protected(shared, window, &cursor)? {
                Decision::Nothing if is_empty(shared, &cursor.rest()[..run_len]) => return Ok(Decision::Nothing),
                Decision::Nothing => {}
                decision => return Ok(decision),
            }
        }
        self.carrier = Carrier::before(&cursor);
        if let Some(header) = jose::head(&cursor, &mut self.memo)? {
            return Ok(Decision::Start { at, active: self.jose_token(shared, header, None) });
        }
        match self.protected(shared, window, &cursor)? {
            Decision::Nothing => {}
            decision => return Ok(decision),
        }
        if !is_plain && !begins_object(Text::Plain(cursor.rest()))? {
            return Ok(Decision::Nothing);
        }
        if let Some(len) = session_len(&cursor, &mut self.memo)? {
            return self.session(shared, window, at..at + len);
        }
        match self.wrapped(shared, window, at)? {
            Decision::Nothing => {}
            decision => return Ok(decision),
        }
        if let Some((next_line, rest)) = jose::cut_header_end(&cursor, &mut self.memo)? {
            return Ok(Decision::Folded { next_line, carry: Carry::Cut { kind: Kind::Jwt, rest } });
        }
        self.encoded(shared, window, &(at..at), Encoding::Base64 { back: 0 })
    }

    /// Decides at a member of what may be a JOSE object, whose name ends at `name_end`.
    pub(super) fn serialized(
        &mut self,
        shared: &Shared,
        window: Window<'_>,
        name_end: &Cursor<'_>,
    ) -> Result<Decision, More> {
        if window.position(name_end.at) < self.no_object_until {
            return Ok(Decision::Nothing);
        }
        let reading = jose::from_name(name_end)?;
        Ok(self.reading(shared, window, reading))
    }

    /// Decides at a header that may be the value of `protected`.
    pub(super) fn protected(
        &mut self,
        shared: &Shared,
        window: Window<'_>,
        value: &Cursor<'_>,
    ) -> Result<Decision, More> {
        Ok(match jose::from_protected(value)? {
            Some(reading) => self.reading(shared, window, reading),
            None => Decision::Nothing,
        })
    }

    fn reading(&mut self, shared: &Shared, window: Window<'_>, reading: jose::Reading) -> Decision {
        match reading {
            jose::Reading::Secrets { spans, header, payload } => {
                if shared.claims.is_some() {
                    self.note_object(shared, window, &spans, header, payload);
                }
                Decision::Spans(spans)
            }
            jose::Reading::Endless { at, quote, kind } => {
                Decision::Start { at, active: opaque(shared, Grammar::Quoted(quote), kind, None) }
            }
            jose::Reading::Nothing { until } => {
                self.no_object_until = self.no_object_until.max(window.position(until));
                Decision::Nothing
            }
        }
    }

    /// Keeps what an object says of itself with its payload; with its first secret member if it is encrypted.
    fn note_object(
        &self,
        shared: &Shared,
        window: Window<'_>,
        spans: &[Span],
        header: Range<usize>,
        payload: Option<Range<usize>>,
    ) {
        // Of a look that began behind the payload nothing is kept: another one began before it.
        let first = spans.first().filter(|first| first.kind == Kind::Jwe).map(|first| first.range.clone());
        let Some(member) = payload.clone().or(first) else { return };
        let mut parts = Parts::new();
        parts.push(0, &window.bytes[header]);
        if let Some(payload) = payload {
            parts.push(1, &window.bytes[payload]);
        }
        let kind = spans.first().map_or(Kind::Jwt, |first| first.kind);
        let fingerprint = self.opaque_span(shared, window, member, kind).fingerprint;
        if !shared.is_allowed(&fingerprint) {
            shared.note_claims(&fingerprint, &parts);
        }
    }

    /// Decides at what an encoder may have broken into lines.
    pub(super) fn wrapped(&mut self, shared: &Shared, window: Window<'_>, at: usize) -> Result<Decision, More> {
        if !is_wrapped(&self.at(window, at))? {
            return Ok(Decision::Nothing);
        }
        self.look_into(shared, window, Stretch::at(at), Encoding::Wrapped)
    }

    pub(super) fn session(&self, shared: &Shared, window: Window<'_>, range: Range<usize>) -> Result<Decision, More> {
        let replaced = vec![self.opaque_span(shared, window, range, Kind::Token)];
        Ok(Decision::Replace { replaced, rest: None })
    }
}

/// Whether a run of base64 has nothing beside it that it may belong to: what ends it, behind its padding, is not what a token
/// goes on with in whatever encoding. False says nothing.
fn is_lone(at: &Cursor<'_>, run_len: usize) -> Result<bool, More> {
    if at.before(1).first().is_some_and(|&byte| is_base64(byte)) {
        return Ok(false);
    }
    let mut end = at.advanced(run_len);
    for _ in 0..2 {
        end.at += usize::from(end.peek()? == Some(b'='));
    }
    Ok(match end.unit()? {
        Some(Unit { byte: b'\\', len: 1 }) => end.peek_at(1)?.is_some_and(is_quote),
        Some(Unit { byte, len: 1 }) => is_quote(byte) || b" \t,;&)}]|<>".contains(&byte),
        _ => false,
    })
}

/// Whether base64 of an object that has nothing beside it holds nothing: a cursor of a list, say, of which there are many.
/// False says nothing.
fn is_empty(shared: &Shared, run: &[u8]) -> bool {
    const LEN_MAX: usize = 1024;
    if run.len() > LEN_MAX || rails_signature(run).is_some() {
        return false;
    }
    let text = view::decode_characters(run);
    !may_be_session(&text) && !shared.anchors.any(&text)
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`')
}
