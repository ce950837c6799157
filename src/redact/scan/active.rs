//! The credential that is being consumed.

use super::{Output, Scan, Window};
use crate::redact::finding::{Finding, Kind};
use crate::redact::header::Header;
use crate::redact::jose;
use crate::redact::redaction::Shared;
use crate::redact::value::{self, Grammar, Quote};

pub(super) struct Active {
    pub(super) start: u64,
    body: Body,
    /// The value that it stands in.
    grammar: Option<Grammar>,
    kind: Kind,
    requote: Option<Quote>,
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
                (taken, ended, true)
            }
        };
        out.replace(&window, index);
        active.keep(&window.bytes[index..index + taken]);
        self.cursor += taken as u64;
        self.search = self.cursor;
        if ended {
            // No decision looks at what was replaced: the next run would see a marker there.
            self.floor = self.cursor;
            self.rest = active.grammar.map(|grammar| (grammar, Kind::Token));
            active.finish(shared, self.cursor, complete, out);
        } else {
            self.active = Some(active);
        }
        ended
    }
}

impl Active {
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

    /// The credential ended before `end`: its marker goes out.
    fn finish(self, shared: &Shared, end: u64, complete: bool, out: &mut Output) {
        let digester = match self.body {
            Body::Jose(body) => body.into_digester(),
            Body::Value(body) => body.into_digester(),
        };
        let fingerprint = digester.finish(self.kind);
        if let Some(kept) = self.kept
            && shared.is_allowed(&fingerprint)
        {
            out.bytes.extend_from_slice(&kept);
            return;
        }
        write_quote(self.requote, &mut out.bytes);
        shared.template.write(&fingerprint, &mut out.bytes);
        write_quote(self.requote, &mut out.bytes);
        out.counts.count(self.kind);
        let (offset, len) = (self.start, end - self.start);
        out.findings.push(Finding { offset, len, fingerprint, complete, requote: self.requote });
    }
}

pub(super) fn jose_token(shared: &Shared, header: Header, grammar: Option<Grammar>) -> Active {
    let body = Body::Jose(jose::Body::new(header, shared.digester()));
    Active { start: 0, body, grammar, kind: Kind::Jwt, requote: None, kept: shared.allow.then(Vec::new) }
}

pub(super) fn opaque(shared: &Shared, grammar: Grammar, kind: Kind, requote: Option<Quote>) -> Active {
    let body = Body::Value(value::Body::new(grammar, shared.digester()));
    let rest = (grammar != Grammar::Number).then_some(grammar);
    Active { start: 0, body, grammar: rest, kind, requote, kept: shared.allow.then(Vec::new) }
}

/// A number that is replaced becomes a string, also inside a string.
fn write_quote(quote: Option<Quote>, out: &mut Vec<u8>) {
    if let Some(Quote { byte, backslashes }) = quote {
        out.resize(out.len() + backslashes, b'\\');
        out.push(byte);
    }
}
