//! Decisions on values: where the context says that a credential may stand, and behind one.

use super::active::opaque;
use super::decide::Decision;
use super::{Rest, Scan, Window};
use crate::redact::context::{self, Place};
use crate::redact::cursor::More;
use crate::redact::finding::Kind;
use crate::redact::grammar::Grammar;
use crate::redact::header::{Text, begins_object};
use crate::redact::jose;
use crate::redact::marker::marker_len;
use crate::redact::paseto;
use crate::redact::redaction::Shared;
use crate::redact::session::session_len;
use crate::redact::value::{Sample, Trust};

impl Scan {
    /// Decides whether what stands where a credential may stand is one.
    pub(super) fn decide(&mut self, shared: &Shared, window: Window<'_>, place: Place) -> Result<Decision, More> {
        let Place { at, grammar, trust, kind, requote } = place;
        let cursor = self.at(window, at);
        if let Some(len) = marker_len(&cursor, &shared.template)? {
            // Where a value has to prove itself, what stands behind a marker was judged when the marker was put there.
            return Ok(match trust {
                Trust::Random | Trust::Code => Decision::Nothing,
                _ => Decision::Marker { end: at + len, grammar: grammar.rest(trust), kind },
            });
        }
        match self.by_form(shared, window, at, grammar.rest(trust))? {
            Decision::Nothing => {}
            decision => return Ok(decision),
        }
        if !Sample::read(&cursor, grammar, &shared.template)?.is_credential(trust) {
            return Ok(Decision::Nothing);
        }
        if cursor.peek()? == Some(b'v') && paseto::token_len(&cursor)?.is_some() {
            let active = opaque(shared, Grammar::Cut, kind, None).open(Some(Rest::Indented));
            return Ok(Decision::Start { at, active: active.within(grammar.rest(trust)) });
        }
        let is_object = cursor.peek()? == Some(b'e') && begins_object(Text::Plain(cursor.rest()))?;
        let cut = if is_object { jose::cut_header_end(&cursor, &mut self.memo)? } else { None };
        let active = opaque(shared, grammar, kind, requote).open(cut.map(|(_, rest)| rest));
        Ok(Decision::Start { at, active })
    }

    /// Decides whether a value has a form that is known by itself. What follows it is read by `rest`.
    fn by_form(&mut self, shared: &Shared, window: Window<'_>, at: usize, rest: Grammar) -> Result<Decision, More> {
        let cursor = self.at(window, at);
        let Some(first) = cursor.unit()? else { return Ok(Decision::Nothing) };
        if first.byte == b'e' {
            if let Some(header) = jose::head(&cursor, &mut self.memo)? {
                return Ok(Decision::Start { at, active: self.jose_token(shared, header, Some(rest)) });
            }
            if begins_object(Text::Plain(cursor.rest()))?
                && let Some(len) = session_len(&cursor, &mut self.memo)?
            {
                let replaced = vec![self.opaque_span(shared, window, at..at + len, Kind::Token)];
                return Ok(Decision::Replace { replaced, rest: Some((rest, Kind::Token)) });
            }
        }
        let joined = match first.byte {
            b'e' | b'v' => self.wrapped(shared, window, at)?,
            _ => Decision::Nothing,
        };
        let decision = match joined {
            Decision::Nothing => self.encoded_value(shared, window, at)?,
            decision => decision,
        };
        Ok(match decision {
            Decision::Replace { replaced, rest: cut }
                if replaced.first().is_some_and(|first| first.range.start == at) =>
            {
                Decision::Replace { replaced, rest: cut.or(Some((rest, Kind::Token))) }
            }
            _ => Decision::Nothing,
        })
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
        if cursor.unit()?.is_some_and(|unit| unit.byte == b'e')
            && let Some(header) = jose::head(&cursor, &mut self.memo)?
        {
            return Ok(Decision::Start { at, active: self.jose_token(shared, header, Some(grammar)) });
        }
        let sample = Sample::read(&cursor, grammar, &shared.template)?;
        if grammar != Grammar::Whole && sample.names_a_value() {
            return Ok(Decision::Nothing);
        }
        if sample.is_empty() {
            let mut end = cursor;
            while let Some(place) = context::next_element(&end, grammar)? {
                match self.decide(shared, window, place)? {
                    // A placeholder among credentials: the next one may be one.
                    Decision::Nothing => end = grammar.skip(&self.at(window, place.at))?,
                    decision => return Ok(decision),
                }
            }
            return match context::next_scheme(&cursor, grammar)? {
                Some(place) => self.decide(shared, window, place),
                None => Ok(Decision::Nothing),
            };
        }
        Ok(Decision::Start { at, active: opaque(shared, grammar, kind, None) })
    }
}
