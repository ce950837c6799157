//! Inside a cookie header (RFC 6265), and inside objects and lists of cookies.

use super::decide::Decision;
use super::{Carry, LOOKBACK_LEN, Scan, Window};
use crate::redact::context::Place;
use crate::redact::cursor::{Cursor, More};
use crate::redact::finding::Kind;
use crate::redact::grammar::{Grammar, Quote};
use crate::redact::names;
use crate::redact::ranges::{self, Ranges};
use crate::redact::redaction::Shared;
use crate::redact::separator::quote;
use crate::redact::value::Trust;

/// Inside a cookie header.
#[derive(Clone, Copy)]
pub(super) struct Cookies {
    /// Where the next member begins, or where to look for what is before it.
    at: u64,
    seeking: bool,
    quote: Option<Quote>,
    /// What ends the object or list that the cookies are members of.
    closing: Option<u8>,
    /// A member called `name` said that the next one called `value` is a credential.
    named: bool,
}

/// One `name=value`, `name: value` or `"name": "value"`.
struct Member {
    name: std::ops::Range<usize>,
    value: usize,
    quote: Option<Quote>,
}

impl Cookies {
    /// At the beginning of a header's value, or of a line that continues it.
    pub fn begin(at: u64, quote: Option<Quote>) -> Self {
        Self { at, seeking: false, quote, closing: None, named: false }
    }

    /// What ends the header, its line's end apart: both bytes are the same if there is only one.
    fn ends(&self) -> (u8, u8) {
        let quote = self.quote.map_or(b'\n', |quote| quote.byte);
        (quote, self.closing.unwrap_or(quote))
    }
}

impl Scan {
    /// Where the next cookie of the header begins, if that is at hand.
    pub(super) fn next_cookie(&mut self, window: Window<'_>) -> Option<usize> {
        let cookies = self.cookies.as_mut()?;
        if !cookies.seeking {
            return Some(window.index(cookies.at.max(self.search)));
        }
        let ends = cookies.ends();
        let mut from = window.index(cookies.at.max(self.search));
        if self.no_cookie_end.1 == ends {
            from = from.max(window.index(self.no_cookie_end.0.max(self.search)));
        }
        let rest = &window.bytes[from..];
        let separator = memchr::memchr3(b';', b',', b'\n', rest);
        let end = memchr::memchr2(ends.0, ends.1, &rest[..separator.unwrap_or(rest.len())]).or(separator);
        self.no_cookie_end = (window.position(end.map_or(window.bytes.len(), |offset| from + offset)), ends);
        let Some(end) = end.map(|offset| from + offset) else {
            cookies.at = window.position(window.bytes.len());
            return None;
        };
        let begin = match window.bytes[end] {
            b';' | b',' => end + 1,
            // A list of strings may go on behind the quote.
            byte if cookies.quote.is_some_and(|quote| quote.byte == byte) => end,
            _ => {
                self.cookies = None;
                return None;
            }
        };
        cookies.seeking = false;
        cookies.at = window.position(begin);
        Some(begin)
    }

    /// Decides on one cookie.
    pub(super) fn cookie(
        &mut self,
        shared: &Shared,
        window: Window<'_>,
        mut cursor: Cursor<'_>,
    ) -> Result<Decision, More> {
        let Some(mut cookies) = self.cookies else { return Ok(Decision::Nothing) };
        if let Some(open) = cookies.quote
            && cursor.peek()? == Some(open.byte)
        {
            cursor.at += 1;
            cursor.skip_blanks(LOOKBACK_LEN)?;
            if cursor.peek()? != Some(b',') {
                self.cookies = None;
                return Ok(Decision::Nothing);
            }
            cursor.at += 1;
            cursor.skip_blanks(LOOKBACK_LEN)?;
            quote(&mut cursor)?;
        }
        cursor.skip_blanks(LOOKBACK_LEN)?;
        for _ in 0..2 {
            let Some(byte @ (b'{' | b'[' | b'(')) = cursor.peek()? else { break };
            // The outermost one ends it all; the first one may be behind us.
            let in_list = cursor.before(16).trim_ascii_end().ends_with(b"[");
            let closing = match byte {
                _ if in_list => b']',
                b'(' => b')',
                open => open + 2,
            };
            cookies.closing = cookies.closing.or(Some(closing));
            cursor.at += 1;
            cursor.skip_blanks(LOOKBACK_LEN)?;
        }
        if cursor.peek()? == Some(b'\r') {
            cursor.at += 1;
        }
        if matches!(cursor.peek()?, Some(b'\n') | None) {
            // Nothing behind the separator: the header may go on in the next line.
            let next_line = window.position(cursor.at + usize::from(cursor.peek()?.is_some()));
            self.cookies = None;
            self.fold = Some((next_line, Carry::Cookies));
            return Ok(Decision::Nothing);
        }
        let decision = match Member::read(&cursor)? {
            Some(member) => self.member_of_cookies(shared, window, cursor, &member, &mut cookies)?,
            None => Decision::Nothing,
        };
        self.cookies = Some(Cookies { at: window.position(cursor.at), seeking: true, ..cookies });
        Ok(decision)
    }

    fn member_of_cookies(
        &mut self,
        shared: &Shared,
        window: Window<'_>,
        cursor: Cursor<'_>,
        member: &Member,
        cookies: &mut Cookies,
    ) -> Result<Decision, More> {
        let name = &cursor.rest()[member.name.start - cursor.at..member.name.end - cursor.at];
        let value = self.at(window, member.value);
        let in_list = cookies.closing.is_some();
        if in_list && name.eq_ignore_ascii_case(b"name") {
            cookies.named = names::is_credential_cookie(&value.rest()[..name_len(&value)?]);
            return Ok(Decision::Nothing);
        }
        let is_value = in_list && name.eq_ignore_ascii_case(b"value") && std::mem::take(&mut cookies.named);
        if !is_value && !names::is_credential_cookie(name) {
            return Ok(Decision::Nothing);
        }
        let grammar = member.quote.filter(|_| in_list).map_or(Grammar::Cookie, Grammar::Quoted);
        let kind = Kind::Token;
        let place = Place { at: member.value, grammar, trust: Trust::Named, kind, requote: None };
        self.decide(shared, window, place)
    }
}

impl Member {
    fn read(at: &Cursor<'_>) -> Result<Option<Self>, More> {
        let mut cursor = *at;
        let key_quote = quote(&mut cursor)?;
        let start = cursor.at;
        let len = name_len(&cursor)?;
        cursor.at += len;
        let name = start..cursor.at;
        if key_quote.is_some() {
            quote(&mut cursor)?;
        }
        match cursor.peek()? {
            Some(b'=') => cursor.at += 1,
            Some(b':') => {
                cursor.at += 1;
                cursor.skip_blanks(LOOKBACK_LEN)?;
            }
            _ => return Ok(None),
        }
        let quote = quote(&mut cursor)?;
        Ok((len > 0).then_some(Self { name, value: cursor.at, quote }))
    }
}

/// How many characters of a cookie's name follow (`token`, RFC 9110 §5.6.2).
fn name_len(at: &Cursor<'_>) -> Result<usize, More> {
    const NAME_LEN_MAX: usize = 128;
    const CHARACTERS: Ranges<10> = [
        (b'a', b'z'),
        (b'A', b'Z'),
        (b'0', b'9'),
        (b'-', b'.'),
        (b'^', b'_'),
        (b'!', b'!'),
        (b'#', b'&'),
        (b'*', b'+'),
        (b'|', b'|'),
        (b'~', b'~'),
    ];
    let rest = at.rest();
    let len = ranges::run_len(&rest[..rest.len().min(NAME_LEN_MAX)], CHARACTERS);
    if len == rest.len() && !at.rest_is_all() && len < NAME_LEN_MAX {
        return Err(More);
    }
    Ok(len)
}
