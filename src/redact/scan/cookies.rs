//! Inside a cookie header (RFC 6265).

use super::decide::Decision;
use super::{Carry, LOOKBACK_LEN, Scan, Window};
use crate::redact::context::Place;
use crate::redact::cursor::{Cursor, More};
use crate::redact::finding::Kind;
use crate::redact::names;
use crate::redact::redaction::Shared;
use crate::redact::value::{Grammar, Quote, Trust};

/// Inside a cookie header.
#[derive(Clone, Copy)]
pub(super) struct Cookies {
    /// Where the next member begins, or where to look for the `;` before it.
    at: u64,
    seeking: bool,
    quote: Option<Quote>,
}
impl Cookies {
    /// At the beginning of a header's value, or of a line that continues it.
    pub fn begin(at: u64, quote: Option<Quote>) -> Self {
        Self { at, seeking: false, quote }
    }
}

impl Scan {
    /// Where the next cookie of the header begins, if that is at hand.
    pub(super) fn next_cookie(&mut self, window: Window<'_>) -> Option<usize> {
        let cookies = self.cookies.as_mut()?;
        if !cookies.seeking {
            return Some(window.index(cookies.at.max(self.search)));
        }
        let quote = cookies.quote.map_or(b'\n', |quote| quote.byte);
        let mut from = window.index(cookies.at.max(self.search));
        if self.no_cookie_end.1 == quote {
            from = from.max(window.index(self.no_cookie_end.0.max(self.search)));
        }
        let end = memchr::memchr3(b';', b'\n', quote, &window.bytes[from..]);
        self.no_cookie_end = (window.position(end.map_or(window.bytes.len(), |offset| from + offset)), quote);
        match end {
            Some(offset) if window.bytes[from + offset] == b';' => {
                cookies.seeking = false;
                cookies.at = window.position(from + offset + 1);
                Some(from + offset + 1)
            }
            Some(_) => {
                self.cookies = None;
                None
            }
            None => {
                cookies.at = window.position(window.bytes.len());
                None
            }
        }
    }

    /// Decides on one `name=value` of a cookie header.
    pub(super) fn cookie(
        &mut self,
        shared: &Shared,
        window: Window<'_>,
        mut cursor: Cursor<'_>,
    ) -> Result<Decision, More> {
        const NAME_LEN_MAX: usize = 128;
        let Some(cookies) = self.cookies else { return Ok(Decision::Nothing) };
        cursor.skip_blanks(LOOKBACK_LEN)?;
        if cursor.peek()? == Some(b'\r') {
            cursor.at += 1;
        }
        if matches!(cursor.peek()?, Some(b'\n') | None) {
            // Nothing behind the `;`: the header may go on in the next line.
            let next_line = window.position(cursor.at + usize::from(cursor.peek()?.is_some()));
            self.cookies = None;
            self.fold = Some((next_line, Carry::Cookies));
            return Ok(Decision::Nothing);
        }
        let mut len = 0;
        while len < NAME_LEN_MAX
            && cursor.peek_at(len)?.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"!#$%&*+-.^_|~".contains(&byte))
        {
            len += 1;
        }
        let named = cursor.peek_at(len)? == Some(b'=') && names::is_credential_cookie(&cursor.rest()[..len]);
        let decision = if named {
            let mut value = cursor.advanced(len + 1);
            if value.peek()? == Some(b'"') {
                value.at += 1;
            }
            let kind = Kind::Token;
            let place = Place { at: value.at, grammar: Grammar::Cookie, trust: Trust::Named, kind, requote: None };
            self.decide(shared, window, place)?
        } else {
            Decision::Nothing
        };
        self.cookies = Some(Cookies { at: window.position(cursor.at), seeking: true, ..cookies });
        Ok(decision)
    }
}
