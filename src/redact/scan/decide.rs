//! Decisions: whether a credential begins here.

use super::active::{Active, opaque};
use super::cookies::Cookies;
use super::view::{Replaced, Stretch};
use super::{Carry, LOOKBACK_LEN, Rest, Scan, Window};
use crate::redact::anchors::Anchor;
use crate::redact::carrier::Carrier;
use crate::redact::context::{self, Lead, Place, Span};
use crate::redact::cookie_jar;
use crate::redact::cursor::{Cursor, More};
use crate::redact::finding::Kind;
use crate::redact::grammar::{Grammar, Quote};
use crate::redact::marker::marker_len;
use crate::redact::names::{self, Class};
use crate::redact::next_line;
use crate::redact::paseto;
use crate::redact::redaction::Shared;
use crate::redact::separator;
use crate::redact::session::compressed_len;
use crate::redact::userinfo;
use crate::redact::value::{Sample, Trust};
use crate::redact::value_first;
use crate::redact::view::Encoding;
use std::ops::Range;

/// What a decision comes to.
#[allow(clippy::large_enum_variant, reason = "it lives for one call")]
pub(super) enum Decision {
    Nothing,
    Start {
        at: usize,
        active: Box<Active>,
    },
    /// Credentials that are at hand as a whole, and what the rest of their value is.
    Replace {
        replaced: Vec<Replaced>,
        rest: Option<(Grammar, Kind)>,
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
    /// Credentials that are known to their ends.
    Spans(Vec<Span>),
}
impl Scan {
    /// Decides at the beginning of a folded line or of a cookie.
    pub(super) fn event(&mut self, shared: &Shared, window: Window<'_>, at: usize) -> Result<Decision, More> {
        if self.next_pending(window) == Some(at) {
            return self.pending(shared, window, at);
        }
        let mut cursor = self.at(window, at);
        if let Some((position, carry)) = self.fold
            && window.index(position.max(self.search)) == at
        {
            if cursor.rest().is_empty() {
                // The record ends here, whether the window says so or not: the next one decides.
                return Err(More);
            }
            // RFC 9112 §5.2: a line that begins with a blank continues the header.
            self.carrier = match carry {
                Carry::Header(_) => Carrier::Authorization,
                Carry::Bearer => Carrier::Scheme,
                _ => Carrier::None,
            };
            if let Carry::Cut { kind, rest } = carry {
                let decision = self.rest_of_cut(shared, window, position, kind, rest)?;
                self.fold = None;
                return Ok(decision);
            }
            if matches!(carry, Carry::Authorization | Carry::Credential | Carry::Block | Carry::Token) {
                let lead = if position < self.search { Lead::Nothing } else { next_line::read(&cursor, carry)? };
                let decision = self.lead(shared, window, lead)?;
                self.fold = None;
                return Ok(decision);
            }
            let folded = position >= self.search && cursor.skip_blanks(LOOKBACK_LEN)? > 0;
            self.fold = None;
            let (kind, trust) = match carry {
                Carry::Header(kind) => (kind, Trust::Named),
                _ => (Kind::Token, Trust::Scheme),
            };
            match carry {
                Carry::Header(_) | Carry::Bearer if folded => {
                    separator::quote(&mut cursor).inspect_err(|_| self.fold = Some((position, carry)))?;
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
        self.carrier = Carrier::Cookie;
        self.cookie(shared, window, cursor)
    }

    /// Decides whether a record goes on with the token that the record before it ended in.
    fn rest_of_cut(
        &mut self,
        shared: &Shared,
        window: Window<'_>,
        position: u64,
        kind: Kind,
        rest: Rest,
    ) -> Result<Decision, More> {
        if position < self.search {
            return Ok(Decision::Nothing);
        }
        let mut cursor = self.at(window, window.index(position));
        skip_runtime_prefix(&mut cursor)?;
        let indented = cursor.skip_blanks(LOOKBACK_LEN)? > 0;
        let sample = Sample::read(&cursor, Grammar::Cut, &shared.template)?;
        let is_rest = match rest {
            Rest::Sure => !sample.is_empty(),
            _ if !sample.is_random(rest.len_min()) => false,
            // A key of a line of its own is none: `name: value`.
            Rest::Indented if !indented => false,
            Rest::Likely | Rest::Indented => self.at(window, sample.end()).peek()? != Some(b':'),
            // No part follows a last part: a header glued to a word.
            Rest::Doubtful => {
                let len = self.memo.run_len(&cursor)?;
                !matches!(cursor.peek_at(len)?, Some(b'.' | b':'))
            }
        };
        if is_rest {
            return Ok(Decision::Start { at: cursor.at, active: opaque(shared, Grammar::Cut, kind, None).cut() });
        }
        Ok(Decision::Nothing)
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
        self.carrier = match anchor {
            Anchor::Authority { .. } => Carrier::Userinfo,
            Anchor::User => Carrier::Option,
            Anchor::Cookie | Anchor::CookieJar => Carrier::Cookie,
            Anchor::Member | Anchor::Signature { .. } => Carrier::Member,
            Anchor::Compressed | Anchor::Encoded(_) => Carrier::before(&cursor),
            _ => Carrier::None,
        };
        if self.objects_only {
            return match anchor {
                Anchor::Jose => self.protected(shared, window, &cursor),
                Anchor::Signature { len } => self.serialized(shared, window, &cursor.advanced(len)),
                Anchor::Member => self.serialized(shared, window, &cursor.advanced(range.len())),
                _ => Ok(Decision::Nothing),
            };
        }
        let lead = match anchor {
            Anchor::Jose => return self.object(shared, window, range.start),
            Anchor::Encoded(encoding) => return self.encoded(shared, window, &range, encoding),
            Anchor::Tail { back } => return self.tail(shared, window, range.start, back),
            Anchor::Compressed => {
                let dot = cursor.before(1) == b".";
                let len = if dot { compressed_len(&cursor, &mut self.memo)? } else { None };
                let Some(len) = len else { return Ok(Decision::Nothing) };
                return self.session(shared, window, range.start - 1..range.start + len);
            }
            Anchor::Scheme => {
                let scheme = matches!(cursor.before(1), [b'b' | b'B']);
                let end = cursor.advanced(range.len());
                if !scheme || context::is_again(&end)? {
                    return Ok(Decision::Nothing);
                }
                match context::after_bearer(&end)? {
                    // `"bearer": "…"`: a member's name.
                    Lead::Nothing => self.after_name(shared, &cursor, range.len())?,
                    lead => {
                        self.carrier = Carrier::of_scheme(&end);
                        lead
                    }
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
                self.carrier = Carrier::Authorization;
                context::after_name(&end, &shared.extra_names)?
            }
            Anchor::Authority { encoded } => {
                let found = userinfo::read(&cursor.advanced(range.len()), encoded)?;
                if found.is_empty() {
                    return Ok(Decision::Nothing);
                }
                spans(self.not_replaced(shared, window, found)?)
            }
            Anchor::Signature { len } => {
                let end = cursor.advanced(len);
                match self.serialized(shared, window, &end)? {
                    Decision::Nothing => context::after_name(&end, &shared.extra_names)?,
                    decision => return Ok(decision),
                }
            }
            Anchor::Member => return self.serialized(shared, window, &cursor.advanced(range.len())),
            Anchor::Paseto => {
                // A token was replaced behind what only looked like its beginning.
                if marker_len(&cursor.advanced(range.len()), &shared.template)?.is_some() {
                    return Ok(Decision::Nothing);
                }
                match self.wrapped(shared, window, range.start)? {
                    Decision::Nothing => {}
                    decision => return Ok(decision),
                }
                return Ok(match paseto::token_len(&cursor)? {
                    Some(paseto::TOKEN_LEN_MAX) => {
                        let active = opaque(shared, Grammar::Cut, Kind::Token, None);
                        Decision::Start { at: range.start, active }
                    }
                    Some(len) => {
                        let range = range.start..range.start + len;
                        Decision::Spans(vec![Span { range, kind: Kind::Token }])
                    }
                    None => Decision::Nothing,
                });
            }
            Anchor::User => {
                let found = userinfo::option(&cursor.advanced(range.len()))?;
                spans(self.not_replaced(shared, window, found)?)
            }
            Anchor::CookieJar => cookie_jar::columns(&cursor.advanced(2))?,
            Anchor::Cookie => {
                let separator = cursor.advanced(range.len()).unit()?;
                if separator.is_some_and(|unit| unit.len > 1 && unit.byte == b':') && !cursor.before(1).is_empty() {
                    // The whole header is encoded, and what ends its values with it.
                    return self.look_into(shared, window, Stretch::at(range.start - 1), Encoding::Escaped);
                }
                self.after_cookie(shared, &cursor.advanced(range.len()))?
            }
            Anchor::Name => self.after_name(shared, &cursor, range.len())?,
            Anchor::Value => {
                self.carrier = Carrier::Member;
                value_first::read(&cursor.advanced(b"lue".len()), &shared.extra_names)?
            }
        };
        match self.lead(shared, window, lead)? {
            Decision::Nothing => self.encoded_around(shared, window, range),
            decision => Ok(decision),
        }
    }

    /// Decides at a name that is part of an encoded text: `%22token%22%20%3A%20%22…%22`.
    fn encoded_around(&mut self, shared: &Shared, window: Window<'_>, name: Range<usize>) -> Result<Decision, More> {
        let mut end = self.at(window, name.end);
        while end.at - name.end < names::NAME_LEN_MAX && end.peek()?.is_some_and(names::is_name_byte) {
            end.at += 1;
        }
        let behind = end.unit()?.filter(|unit| unit.len > 1 && b"\"'\t\r\n :=>\\".contains(&unit.byte));
        if !matches!(end.peek()?, Some(b'%' | b'&')) || behind.is_none() {
            return Ok(Decision::Nothing);
        }
        self.encoded(shared, window, &name, Encoding::Escaped)
    }

    /// The spans that do not begin with a marker: where one stands, all that there was is replaced.
    fn not_replaced(&self, shared: &Shared, window: Window<'_>, spans: Vec<Span>) -> Result<Vec<Span>, More> {
        let mut others = Vec::new();
        for span in spans {
            if marker_len(&self.at(window, span.range.start), &shared.template)?.is_none() {
                others.push(span);
            }
        }
        Ok(others)
    }

    fn after_name(&mut self, shared: &Shared, anchor: &Cursor<'_>, len: usize) -> Result<Lead, More> {
        let Some(end) = names::end(anchor, len)? else { return Ok(Lead::Nothing) };
        let lead = context::after_name(&end, &shared.extra_names)?;
        if lead != Lead::Nothing {
            self.carrier = Carrier::after_name(&end, &shared.extra_names)?;
        }
        Ok(lead)
    }

    fn after_cookie(&self, shared: &Shared, end: &Cursor<'_>) -> Result<Lead, More> {
        let before = end.before(b"Stored cookie".len());
        if end.peek()? == Some(b' ') {
            // What Python writes for one.
            if before.ends_with(b"<Cookie") {
                return Ok(Lead::Cookies { at: end.at + 1, quote: None });
            }
            if before == b"Stored cookie" {
                return cookie_jar::stored(end);
            }
        }
        let mut end = *end;
        end.eat(b"s")?;
        match end.peek()? {
            Some(byte) if names::is_name_byte(byte) => Ok(Lead::Nothing),
            _ => context::after_name(&end, &shared.extra_names),
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
        self.carrier = Carrier::of_member(class);
        let lead = context::member(&self.at(window, 0), class, beside)?;
        self.lead(shared, window, lead)
    }

    fn lead(&mut self, shared: &Shared, window: Window<'_>, lead: Lead) -> Result<Decision, More> {
        match lead {
            Lead::Nothing => Ok(Decision::Nothing),
            Lead::Value(place) => self.decide(shared, window, place),
            Lead::Folded { next_line, carry } => Ok(Decision::Folded { next_line, carry }),
            Lead::Cookies { at, quote } => Ok(Decision::Cookies { at, quote }),
            Lead::Spans(spans) => Ok(Decision::Spans(spans)),
        }
    }
}

fn spans(spans: Vec<Span>) -> Lead {
    if spans.is_empty() { Lead::Nothing } else { Lead::Spans(spans) }
}

/// Steps over what a container runtime puts before each record: `2016-10-06T00:17:09.669794202Z stdout P `.
fn skip_runtime_prefix(cursor: &mut Cursor<'_>) -> Result<(), More> {
    const TIME_LEN_MAX: usize = 40;
    let mut at = *cursor;
    for _ in 0..TIME_LEN_MAX {
        match at.peek()? {
            Some(b'0'..=b'9' | b'-' | b':' | b'.' | b'+' | b'T' | b'Z') => at.at += 1,
            _ => break,
        }
    }
    if at.at > cursor.at
        && at.eat(b" std")?
        && (at.eat(b"out ")? || at.eat(b"err ")?)
        && (at.eat(b"p ")? || at.eat(b"f ")?)
    {
        *cursor = at;
    }
    Ok(())
}
