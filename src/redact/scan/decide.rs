//! Decisions: whether a credential begins here.

use super::active::{Active, jose_token, opaque};
use super::cookies::Cookies;
use super::{Carry, LOOKBACK_LEN, Scan, Window};
use crate::redact::anchors::Anchor;
use crate::redact::context::{self, Lead, Place};
use crate::redact::cursor::{Cursor, More};
use crate::redact::finding::Kind;
use crate::redact::jose;
use crate::redact::marker::marker_len;
use crate::redact::names::{self, Class};
use crate::redact::redaction::Shared;
use crate::redact::value::{Grammar, Quote, Sample, Trust};
use std::ops::Range;

/// What a decision comes to.
#[allow(clippy::large_enum_variant, reason = "it lives for one call")]
pub(super) enum Decision {
    Nothing,
    Start {
        at: usize,
        active: Active,
    },
    /// A marker of an earlier run.
    Marker {
        end: usize,
        grammar: Grammar,
        kind: Kind,
    },
    Folded {
        next_line: usize,
        carry: Carry,
    },
    Cookies {
        at: usize,
        quote: Option<Quote>,
    },
}
impl Scan {
    /// Decides at the beginning of a folded line or of a cookie.
    pub(super) fn event(&mut self, shared: &Shared, window: Window<'_>, at: usize) -> Result<Decision, More> {
        let mut cursor = self.at(window, at);
        if let Some((position, carry)) = self.fold
            && window.index(position.max(self.search)) == at
        {
            if cursor.rest().is_empty() {
                // The record ends here, whether the window says so or not: the next one decides.
                return Err(More);
            }
            // RFC 9112 §5.2: a line that begins with a blank continues the header.
            let folded = position >= self.search && cursor.skip_blanks(LOOKBACK_LEN)? > 0;
            self.fold = None;
            let (kind, trust) = match carry {
                Carry::Header(kind) => (kind, Trust::Named),
                _ => (Kind::Token, Trust::Scheme),
            };
            match carry {
                Carry::Header(_) | Carry::Bearer if folded => {
                    context::quote(&mut cursor).inspect_err(|_| self.fold = Some((position, carry)))?;
                    let place = Place { at: cursor.at, grammar: Grammar::Token, trust, kind, requote: None };
                    return self.decide(shared, window, place).inspect_err(|_| self.fold = Some((position, carry)));
                }
                Carry::Cookies if folded => {
                    self.cookies = Some(Cookies::begin(window.position(cursor.at), None));
                }
                _ => {}
            }
            return Ok(Decision::Nothing);
        }
        self.cookie(shared, window, cursor)
    }

    /// Decides at an anchor.
    pub(super) fn confirm(
        &mut self,
        shared: &Shared,
        window: Window<'_>,
        range: Range<usize>,
        anchor: Anchor,
    ) -> Result<Decision, More> {
        let cursor = self.at(window, range.start);
        let lead = match anchor {
            Anchor::Jose => {
                return Ok(match jose::head(&cursor, &mut self.memo)? {
                    Some(header) => Decision::Start { at: range.start, active: jose_token(shared, header, None) },
                    None => Decision::Nothing,
                });
            }
            Anchor::Scheme => {
                let scheme = matches!(cursor.before(1), [b'b' | b'B']);
                let end = cursor.advanced(range.len());
                match if scheme { context::after_bearer(&end)? } else { Lead::Nothing } {
                    // `"bearer": "…"`: a member's name.
                    Lead::Nothing if scheme => self.after_name(shared, &cursor, range.len())?,
                    lead => lead,
                }
            }
            Anchor::Authorization => {
                let begins = cursor.before(5).eq_ignore_ascii_case(b"autho");
                let end = cursor.advanced(b"rization".len());
                if !begins
                    || !cursor.starts_with_ignore_case(b"rization")?
                    || end.peek()?.is_some_and(names::is_name_byte)
                {
                    return Ok(Decision::Nothing);
                }
                context::after_name(&end, &shared.extra_names)?
            }
            Anchor::Name | Anchor::Cookie => self.after_name(shared, &cursor, range.len())?,
        };
        self.lead(shared, window, lead)
    }

    fn after_name(&self, shared: &Shared, anchor: &Cursor<'_>, len: usize) -> Result<Lead, More> {
        match names::end(anchor, len)? {
            Some(end) => context::after_name(&end, &shared.extra_names),
            None => Ok(Lead::Nothing),
        }
    }

    /// Decides at the beginning of a text that is the value of a member, or stands beside its name.
    pub(super) fn member(
        &mut self,
        shared: &Shared,
        window: Window<'_>,
        class: Class,
        beside: bool,
    ) -> Result<Decision, More> {
        let lead = context::member(&self.at(window, 0), class, beside)?;
        self.lead(shared, window, lead)
    }

    fn lead(&mut self, shared: &Shared, window: Window<'_>, lead: Lead) -> Result<Decision, More> {
        match lead {
            Lead::Nothing => Ok(Decision::Nothing),
            Lead::Value(place) => self.decide(shared, window, place),
            Lead::Folded { next_line, carry } => Ok(Decision::Folded { next_line, carry }),
            Lead::Cookies { at, quote } => Ok(Decision::Cookies { at, quote }),
        }
    }

    /// Decides whether what stands where a credential may stand is one.
    pub(super) fn decide(&mut self, shared: &Shared, window: Window<'_>, place: Place) -> Result<Decision, More> {
        let Place { at, grammar, trust, kind, requote } = place;
        let cursor = self.at(window, at);
        if let Some(len) = marker_len(&cursor, &shared.template)? {
            return Ok(Decision::Marker { end: at + len, grammar: grammar.rest(trust), kind });
        }
        if let Some(b'e') = cursor.peek()?
            && let Some(header) = jose::head(&cursor, &mut self.memo)?
        {
            return Ok(Decision::Start { at, active: jose_token(shared, header, Some(grammar.rest(trust))) });
        }
        if !Sample::read(&cursor, grammar, &shared.template)?.is_credential(trust) {
            return Ok(Decision::Nothing);
        }
        Ok(Decision::Start { at, active: opaque(shared, grammar, kind, requote) })
    }

    /// Decides on what directly follows a token or marker inside a value.
    pub(super) fn rest_of_value(
        &mut self,
        shared: &Shared,
        window: Window<'_>,
        grammar: Grammar,
        kind: Kind,
    ) -> Result<Decision, More> {
        let at = window.index(self.cursor);
        let cursor = self.at(window, at);
        if let Some(len) = marker_len(&cursor, &shared.template)? {
            return Ok(Decision::Marker { end: at + len, grammar, kind });
        }
        if let Some(b'e') = cursor.peek()?
            && let Some(header) = jose::head(&cursor, &mut self.memo)?
        {
            return Ok(Decision::Start { at, active: jose_token(shared, header, Some(grammar)) });
        }
        if Sample::read(&cursor, grammar, &shared.template)?.is_empty() {
            return Ok(Decision::Nothing);
        }
        Ok(Decision::Start { at, active: opaque(shared, grammar, kind, None) })
    }
}
