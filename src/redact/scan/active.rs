//! The credential that is being consumed.

use super::view::Replaced;
use super::{Carry, Output, Rest, Scan, Window};
use crate::redact::carrier::Carrier;
use crate::redact::characters::is_full_line;
use crate::redact::claims::Parts;
use crate::redact::cursor::More;
use crate::redact::finding::{Finding, Kind};
use crate::redact::grammar::{Grammar, Quote};
use crate::redact::header::Header;
use crate::redact::jose;
use crate::redact::redaction::Shared;
use crate::redact::value;

pub(super) struct Active {
    pub(super) start: u64,
    body: Body,
    /// The value that it stands in.
    grammar: Option<Grammar>,
    kind: Kind,
    requote: Option<Quote>,
    /// Its beginning is gone.
    is_cut: bool,
    /// Whether it goes on in the next line if it ends with its own, where its characters don't say so.
    open: Option<Rest>,
    /// The input's bytes so far.
    len: u64,
    /// The input so far, only where `allow_fingerprints` may want it back.
    kept: Option<Vec<u8>>,
}

enum Body {
    Jose(jose::Body),
    Value(value::Body),
}
impl Scan {
    /// Takes more of the credential in progress; puts the marker when it ends.
    pub(super) fn consume(&mut self, shared: &Shared, window: Window<'_>, out: &mut Output) -> bool {
        let Some(mut active) = self.active.take() else { return true };
        let index = window.index(self.cursor);
        let cursor = self.at(window, index);
        let (taken, ended, complete) = match &mut active.body {
            Body::Jose(body) => match body.advance(&cursor, &mut self.memo) {
                (taken, Some(ending)) => {
                    active.kind = ending.kind;
                    (taken, true, ending.complete)
                }
                (taken, None) => (taken, false, false),
            },
            Body::Value(body) => {
                let (taken, ended) = body.advance(&cursor, &shared.template);
                (taken, ended, !active.is_cut)
            }
        };
        out.replace(&window, index);
        active.keep(&window.bytes[index..index + taken]);
        active.len += taken as u64;
        self.cursor += taken as u64;
        self.search = self.cursor;
        if ended {
            // No decision looks at what was replaced: the next run would see a marker there.
            self.floor = self.cursor;
            self.rest = active.grammar.map(|grammar| (grammar, Kind::Token));
            self.cut = active.rest(complete).map(|rest| (active.kind, rest));
            self.spare = active.finish(shared, self.cursor, complete, self.carrier, out);
        } else {
            self.active = Some(active);
        }
        ended
    }
}

impl Scan {
    /// Puts markers for credentials that are at hand as a whole.
    pub(super) fn replace(&mut self, shared: &Shared, window: Window<'_>, out: &mut Output, replaced: &[Replaced]) {
        for one in replaced {
            // A value's beginning may be replaced already.
            let start = one.range.start.max(window.index(self.cursor));
            self.release(window, out, start);
            out.replace(&window, start);
            let raw = &window.bytes[start..one.range.end];
            let offset = window.position(start);
            self.cursor = window.position(one.range.end);
            self.search = self.cursor;
            self.floor = self.cursor;
            if shared.is_allowed(&one.fingerprint) {
                out.bytes.extend_from_slice(raw);
                continue;
            }
            if one.wide {
                let mut marker = Vec::new();
                shared.template.write(&one.fingerprint, &mut marker);
                out.bytes.extend(marker.into_iter().flat_map(|byte| [byte, 0]));
                // The last character of a big-endian text has its zero before it.
                out.bytes.truncate(out.bytes.len() - raw.len() % 2);
            } else {
                shared.template.write(&one.fingerprint, &mut out.bytes);
                self.cut = Some((one.fingerprint.kind, Rest::Indented));
            }
            out.counts.count(one.fingerprint.kind, one.carrier);
            let (len, fingerprint, complete) = (raw.len() as u64, one.fingerprint, one.complete);
            out.findings.push(Finding { offset, len, fingerprint, complete, carrier: one.carrier, requote: None });
        }
    }

    /// Behind a token that may not be whole: where the line ends the next one may go on with it.
    pub(super) fn end_cut(&mut self, window: Window<'_>, kind: Kind, rest: Rest) -> Result<(), More> {
        let mut cursor = self.at(window, window.index(self.cursor));
        // What joins parts may be the last that fits in a line, behind an empty part too.
        for _ in 0..2 {
            cursor.at += usize::from(matches!(cursor.peek()?, Some(b'.' | b'~')));
        }
        // A soft line break of quoted-printable (RFC 2045 §6.7), or padding.
        let mut signs = 0;
        while signs < 2 && cursor.peek()? == Some(b'=') {
            cursor.at += 1;
            signs += 1;
        }
        let soft = signs == 1;
        if cursor.peek()? == Some(b'\r') && cursor.peek_at(1)? == Some(b'\n') {
            cursor.at += 1;
        }
        let next_line = match cursor.peek()? {
            None => cursor.at,
            Some(b'\n') => cursor.at + 1,
            Some(_) => return Ok(()),
        };
        self.fold = Some((window.position(next_line), Carry::Cut { kind, rest: if soft { Rest::Sure } else { rest } }));
        Ok(())
    }
}

impl Active {
    /// Says that the credential's beginning is gone.
    pub(super) fn cut(mut self: Box<Self>) -> Box<Self> {
        self.is_cut = true;
        self
    }

    /// Says how likely it goes on in the next line if it ends with its own.
    pub(super) fn open(mut self: Box<Self>, open: Option<Rest>) -> Box<Self> {
        self.open = open;
        self
    }

    /// Says that it stands in a longer value.
    pub(super) fn within(mut self: Box<Self>, grammar: Grammar) -> Box<Self> {
        self.grammar = Some(grammar);
        self
    }

    /// How likely more of it follows if the line ends where it does.
    fn rest(&self, complete: bool) -> Option<Rest> {
        let (full_line, may_go_on) = match &self.body {
            Body::Jose(body) => (body.ends_full_line(), body.may_be_longer()),
            Body::Value(_) if self.open.is_some() => return self.open,
            Body::Value(_) => (is_full_line(self.len), false),
        };
        match complete {
            false if full_line => Some(Rest::Sure),
            false => Some(Rest::Likely),
            true => may_go_on.then_some(Rest::Doubtful),
        }
    }

    /// Longer credentials are redacted whether allowed or not: nothing of this size is a public test token.
    const KEPT_LEN_MAX: usize = 16 << 10;

    /// Whether it may turn out to be allowed to stay.
    pub(super) fn may_be_allowed(&self) -> bool {
        self.kept.is_some()
    }

    fn keep(&mut self, bytes: &[u8]) {
        match &mut self.kept {
            Some(kept) if kept.len() + bytes.len() <= Self::KEPT_LEN_MAX => kept.extend_from_slice(bytes),
            kept => *kept = None,
        }
    }

    /// The credential ended before `end`: its marker goes out. What is returned can be used again.
    fn finish(
        self,
        shared: &Shared,
        end: u64,
        complete: bool,
        carrier: Carrier,
        out: &mut Output,
    ) -> Option<Box<Parts>> {
        let (digester, mut parts) = match self.body {
            Body::Jose(body) => body.into_parts(),
            Body::Value(body) => (body.into_digester(), None),
        };
        let fingerprint = digester.finish(self.kind);
        if let Some(kept) = self.kept
            && shared.is_allowed(&fingerprint)
        {
            out.bytes.extend_from_slice(&kept);
            return None;
        }
        if let Some(parts) = &mut parts {
            shared.note_claims(&fingerprint, parts);
            parts.clear();
        }
        write_quote(self.requote, &mut out.bytes);
        shared.template.write(&fingerprint, &mut out.bytes);
        write_quote(self.requote, &mut out.bytes);
        out.counts.count(self.kind, carrier);
        let (offset, len) = (self.start, end - self.start);
        out.findings.push(Finding { offset, len, fingerprint, complete, carrier, requote: self.requote });
        parts
    }
}

impl Scan {
    /// Room for what a token says of itself, if anybody wants to know.
    pub(super) fn parts(&mut self, shared: &Shared) -> Option<Box<Parts>> {
        shared.claims.as_ref().map(|_| self.spare.take().unwrap_or_else(|| Box::new(Parts::new())))
    }

    pub(super) fn jose_token(&mut self, shared: &Shared, header: Header, grammar: Option<Grammar>) -> Box<Active> {
        let body = Body::Jose(jose::Body::new(header, shared.digester(), self.parts(shared)));
        Box::new(Active {
            start: 0,
            body,
            grammar,
            kind: Kind::Jwt,
            requote: None,
            is_cut: false,
            open: None,
            len: 0,
            kept: shared.allow.then(Vec::new),
        })
    }
}

pub(super) fn opaque(shared: &Shared, grammar: Grammar, kind: Kind, requote: Option<Quote>) -> Box<Active> {
    let body = Body::Value(value::Body::new(grammar, shared.digester()));
    let rest = (grammar != Grammar::Number).then_some(grammar);
    let kept = shared.allow.then(Vec::new);
    Box::new(Active { start: 0, body, grammar: rest, kind, requote, is_cut: false, open: None, len: 0, kept })
}

/// A number that is replaced becomes a string, also inside a string.
fn write_quote(quote: Option<Quote>, out: &mut Vec<u8>) {
    if let Some(Quote { byte, backslashes }) = quote {
        out.resize(out.len() + backslashes, b'\\');
        out.push(byte);
    }
}
