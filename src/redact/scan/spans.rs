//! Credentials whose ends a grammar has seen already: each waits until the scan gets to it.

use super::decide::Decision;
use super::view::Replaced;
use super::{Scan, Window};
use crate::redact::carrier::Carrier;
use crate::redact::context::Span;
use crate::redact::cursor::More;
use crate::redact::finding::Kind;
use crate::redact::jose;
use crate::redact::marker::marker_len;
use crate::redact::redaction::Shared;

/// A credential that is known and not replaced yet, by its positions in the stream.
#[derive(Clone, Copy)]
pub(super) struct Pending {
    start: u64,
    end: u64,
    kind: Kind,
    carrier: Carrier,
}

impl Scan {
    /// Takes note of credentials. What a decision found twice counts once.
    pub(super) fn expect(&mut self, window: Window<'_>, spans: Vec<Span>) {
        for Span { range, kind } in spans {
            let (start, end) = (window.position(range.start), window.position(range.end));
            if !self.pending.iter().any(|other| start < other.end && other.start < end) {
                self.pending.push(Pending { start, end, kind, carrier: self.carrier });
            }
        }
        self.pending.sort_by_key(|pending| pending.start);
    }

    /// Where the next of them begins, or goes on behind what was replaced.
    pub(super) fn next_pending(&mut self, window: Window<'_>) -> Option<usize> {
        if self.pending.is_empty() {
            return None;
        }
        self.pending.retain(|pending| pending.end > self.search);
        self.pending.first().map(|pending| window.index(pending.start.max(self.search)))
    }

    /// Replaces the first of them, less a marker at its start.
    pub(super) fn pending(&mut self, shared: &Shared, window: Window<'_>, start: usize) -> Result<Decision, More> {
        let Some(&Pending { end, kind, carrier, .. }) = self.pending.first() else { return Ok(Decision::Nothing) };
        let cursor = self.at(window, start);
        if let Some(len) = marker_len(&cursor, &shared.template)? {
            self.pending[0].start = window.position(start + len);
            self.search = self.pending[0].start;
            return Ok(Decision::Nothing);
        }
        self.carrier = carrier;
        let end = window.index(end);
        let replaced = match self.token(shared, window, start..end)? {
            Some(replaced) => replaced,
            None => match self.encoded_value(shared, window, start)? {
                Decision::Replace { replaced, .. } if replaced.len() == 1 && replaced[0].range == (start..end) => {
                    self.pending.remove(0);
                    return Ok(Decision::Replace { replaced, rest: None });
                }
                _ => self.opaque_span(shared, window, start..end, kind),
            },
        };
        self.pending.remove(0);
        Ok(Decision::Replace { replaced: vec![replaced], rest: None })
    }

    /// The whole span as one JOSE token, if it is one: its digest is that of the same token elsewhere.
    fn token(
        &mut self,
        shared: &Shared,
        window: Window<'_>,
        range: std::ops::Range<usize>,
    ) -> Result<Option<Replaced>, More> {
        let cursor = self.at(window, range.start);
        if cursor.unit()?.is_none_or(|unit| unit.byte != b'e') {
            return Ok(None);
        }
        let Some(header) = jose::head(&cursor, &mut self.memo)? else { return Ok(None) };
        let mut body = jose::Body::new(header, shared.digester(), self.parts(shared));
        let (len, ending) = body.advance(&cursor, &mut self.memo);
        let Some(ending) = ending else { return Err(More) };
        if len != range.len() {
            return Ok(None);
        }
        let (digester, parts) = body.into_parts();
        let fingerprint = digester.finish(ending.kind);
        if let Some(mut parts) = parts {
            if !shared.is_allowed(&fingerprint) {
                shared.note_claims(&fingerprint, &parts);
            }
            parts.clear();
            self.spare = Some(parts);
        }
        Ok(Some(Replaced { range, fingerprint, complete: ending.complete, carrier: self.carrier, wide: false }))
    }

    /// The span with its transport encodings removed.
    pub(super) fn opaque_span(
        &self,
        shared: &Shared,
        window: Window<'_>,
        range: std::ops::Range<usize>,
        kind: Kind,
    ) -> Replaced {
        let mut digester = shared.digester();
        let mut cursor = self.at(window, range.start);
        while cursor.at < range.end
            && let Ok(Some(unit)) = cursor.unit()
        {
            digester.update(&[unit.byte]);
            cursor.at += unit.len;
        }
        Replaced { range, fingerprint: digester.finish(kind), complete: true, carrier: self.carrier, wide: false }
    }
}
