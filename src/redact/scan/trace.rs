//! Telling why, after a decision: the same questions are asked again, one by one.

use super::decide::Decision;
use super::{Output, Scan, Window};
use crate::redact::anchors::Anchor;
use crate::redact::context::{self, Lead, Place};
use crate::redact::cursor::{Cursor, More};
use crate::redact::grammar::Grammar;
use crate::redact::header::{Text, begins_object, read_header};
use crate::redact::names;
use crate::redact::redaction::Shared;
use crate::redact::scheme::Gap;
use crate::redact::separator::BLANKS_MAX;
use crate::redact::trace::{Clue, Rejection, Step, Verdict};
use crate::redact::value::{Sample, Trust};
use std::ops::Range;

impl Scan {
    /// Notes what was decided at an anchor.
    pub(super) fn note(
        &mut self,
        shared: &Shared,
        window: Window<'_>,
        (range, anchor): (Range<usize>, Anchor),
        decision: &Result<Decision, More>,
        out: &mut Output,
    ) {
        let Ok(decision) = decision else { return };
        let verdict = match verdict(window, decision) {
            Some(verdict) => verdict,
            // The text is complete: nothing is waited for.
            None => Verdict::Rejected(self.why_not(shared, window, &range, anchor).unwrap_or(Rejection::WeakContext)),
        };
        let (offset, len) = (window.position(range.start), range.len() as u64);
        let trace = out.trace.get_or_insert_default();
        trace.push(Step { offset, len, clue: anchor.into(), verdict });
        if let Decision::Spans(spans) = decision {
            let others = spans.iter().skip(1).map(|span| Verdict::Found(window.position(span.range.start)));
            trace.extend(others.map(|verdict| Step { offset, len, clue: anchor.into(), verdict }));
        }
    }

    /// Notes what was decided at the beginning of a line or of a cookie.
    pub(super) fn note_event(
        &mut self,
        shared: &Shared,
        window: Window<'_>,
        at: usize,
        decision: &Result<Decision, More>,
        out: &mut Output,
    ) {
        let Ok(decision) = decision else { return };
        let (clue, name_len, verdict) = match (verdict(window, decision), self.cookies.is_some()) {
            (Some(verdict), true) => (Clue::Cookie, 0, verdict),
            (Some(verdict), false) => (Clue::NextLine, 0, verdict),
            (None, true) => match self.why_no_cookie(shared, window, at) {
                Ok((1.., rejection)) => (Clue::Cookie, 0, Verdict::Rejected(rejection)),
                _ => return,
            },
            (None, false) => return,
        };
        out.trace.get_or_insert_default().push(Step { offset: window.position(at), len: name_len, clue, verdict });
    }

    fn why_not(
        &mut self,
        shared: &Shared,
        window: Window<'_>,
        range: &Range<usize>,
        anchor: Anchor,
    ) -> Result<Rejection, More> {
        let cursor = self.at(window, range.start);
        let end = cursor.advanced(range.len());
        match anchor {
            Anchor::Jose => {
                let len = self.memo.run_len(&cursor)?;
                let text = Text::Plain(&cursor.rest()[..len]);
                Ok(match begins_object(text)? {
                    false => Rejection::NoObject,
                    true if read_header(text, false)?.is_some() => Rejection::LoneHeader,
                    true => Rejection::NoJoseMember,
                })
            }
            Anchor::Encoded(_) => Ok(Rejection::NothingInside),
            Anchor::Tail { .. } => Ok(Rejection::NoRest),
            Anchor::Compressed => Ok(Rejection::NoSession),
            Anchor::Authority { .. } => Ok(Rejection::NoPassword),
            Anchor::User => Ok(Rejection::NoPassword),
            Anchor::CookieJar => Ok(Rejection::OtherName),
            Anchor::Member | Anchor::Signature { .. } => Ok(Rejection::NoJoseObject),
            Anchor::Paseto => Ok(Rejection::NoPaseto),
            Anchor::Scheme => {
                if !matches!(cursor.before(1), [b'b' | b'B']) {
                    return Ok(Rejection::OtherWord);
                }
                if Gap::read(&mut end.clone())?.is_none() {
                    return self.why_not_named(shared, window, &end);
                }
                Ok(match context::after_bearer(&end)? {
                    Lead::Value(place) => self.why_no_value(shared, window, place)?,
                    _ if context::is_challenge(end.before(48)) => Rejection::Challenge,
                    _ => Rejection::Parameter,
                })
            }
            Anchor::Authorization => {
                let end = cursor.advanced(b"rization".len());
                let is_whole = cursor.before(5).eq_ignore_ascii_case(b"autho")
                    && cursor.starts_with_ignore_case(b"rization")?
                    && !end.peek()?.is_some_and(names::is_name_byte);
                if is_whole { self.why_not_named(shared, window, &end) } else { Ok(Rejection::OtherWord) }
            }
            Anchor::Value => Ok(Rejection::OtherName),
            Anchor::Name | Anchor::Cookie => match names::end(&cursor, range.len())? {
                Some(end) => self.why_not_named(shared, window, &end),
                None => Ok(Rejection::OtherWord),
            },
        }
    }

    fn why_not_named(&self, shared: &Shared, window: Window<'_>, name_end: &Cursor<'_>) -> Result<Rejection, More> {
        if !context::is_separated(name_end)? {
            return Ok(Rejection::NothingSeparates);
        }
        if names::classify_text(name_end.before(names::NAME_LEN_MAX), &shared.extra_names).is_none() {
            return Ok(Rejection::OtherName);
        }
        match context::after_name(name_end, &shared.extra_names)? {
            Lead::Value(place) => self.why_no_value(shared, window, place),
            _ => Ok(Rejection::WeakContext),
        }
    }

    fn why_no_value(&self, shared: &Shared, window: Window<'_>, place: Place) -> Result<Rejection, More> {
        let sample = Sample::read(&self.at(window, place.at), place.grammar, &shared.template)?;
        Ok(sample.why_not(place.trust))
    }

    /// How long the name of the cookie at `at` is, and why its value is nothing.
    fn why_no_cookie(&self, shared: &Shared, window: Window<'_>, at: usize) -> Result<(usize, Rejection), More> {
        let mut cursor = self.at(window, at);
        cursor.skip_blanks(BLANKS_MAX)?;
        let rest = cursor.rest();
        let len = rest.iter().take(names::NAME_LEN_MAX).take_while(|&&byte| byte > b' ' && byte != b'=').count();
        if !names::is_credential_cookie(&rest[..len]) {
            return Ok((len, Rejection::OtherName));
        }
        let mut value = cursor.advanced(len);
        if value.peek()? != Some(b'=') {
            return Ok((len, Rejection::NothingSeparates));
        }
        value.at += 1;
        value.at += usize::from(value.peek()? == Some(b'"'));
        Ok((len, Sample::read(&value, Grammar::Cookie, &shared.template)?.why_not(Trust::Named)))
    }
}

/// What a decision comes to, unless it is nothing.
fn verdict(window: Window<'_>, decision: &Decision) -> Option<Verdict> {
    Some(match decision {
        Decision::Nothing => return None,
        Decision::Start { at, .. } => Verdict::Found(window.position(*at)),
        Decision::Replace { replaced, .. } => Verdict::Found(window.position(replaced.first()?.range.start)),
        Decision::Spans(spans) => Verdict::Found(window.position(spans.first()?.range.start)),
        Decision::Marker { .. } => Verdict::Marker,
        Decision::Folded { .. } => Verdict::NextLine,
        Decision::Cookies { .. } => Verdict::Cookies,
    })
}
