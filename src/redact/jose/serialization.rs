//! JOSE in JSON serialization (RFC 7515 §7.2, RFC 7516 §7.2): members of an object, whose `protected` proves the others.

use super::{HEADER_LEN_MAX, read_header};
use crate::redact::context::Span;
use crate::redact::cursor::{Cursor, More};
use crate::redact::finding::Kind;
use crate::redact::grammar::Quote;
use crate::redact::header::{Header, Text};
use crate::redact::separator::quote;
use std::ops::Range;

/// No object is read further than this.
const OBJECT_LEN_MAX: usize = 64 << 10;
/// `{"signatures":[{` may close before the payload comes.
const CLOSED_MAX: i32 = 2;

/// What became of a look at an object.
pub(in crate::redact) enum Reading {
    /// Its secret members; its header, and which of them is its payload.
    Secrets { spans: Vec<Span>, header: Range<usize>, payload: Option<Range<usize>> },
    /// The value that begins here has no end in sight.
    Endless { at: usize, quote: Quote, kind: Kind },
    /// No such object; up to here no other look is needed.
    Nothing { until: usize },
}

/// Reads on from the member whose name ends here: `"payload":"…"` and its like.
pub(in crate::redact) fn from_name(name_end: &Cursor<'_>) -> Result<Reading, More> {
    let nothing = Ok(Reading::Nothing { until: name_end.at });
    let mut cursor = *name_end;
    let Some(open) = quote(&mut cursor)? else { return nothing };
    let before = name_end.before(16);
    let len = before.iter().rev().take_while(|&&byte| byte.is_ascii_lowercase() || byte == b'_').count();
    let name = &before[before.len() - len..];
    let mut object = Object::new(cursor, open);
    object.skip_blanks()?;
    if !is_secret(name) || object.cursor.peek()? != Some(b':') {
        return nothing;
    }
    object.cursor.at += 1;
    object.skip_blanks()?;
    if quote(&mut object.cursor)? != Some(open) {
        return nothing;
    }
    // What is no base64url is another kind of payload.
    let start = object.cursor.at;
    while let Some(byte) = object.cursor.peek()?
        && (byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    {
        object.cursor.at += 1;
        if object.cursor.at - start > OBJECT_LEN_MAX {
            return Ok(Reading::Endless { at: start, quote: open, kind: Kind::Jwt });
        }
    }
    let value = start..object.cursor.at;
    if value.is_empty() || quote(&mut object.cursor)? != Some(open) {
        return nothing;
    }
    object.secret(name, value);
    // Signatures and keys of several recipients stand in objects of their own.
    object.closed_max = if matches!(name, b"signature" | b"encrypted_key") { CLOSED_MAX } else { 0 };
    object.read(name_end.at)
}

/// Reads on from a header that is the value of `protected`, which begins here.
pub(in crate::redact) fn from_protected(value: &Cursor<'_>) -> Result<Option<Reading>, More> {
    let before = value.before(48);
    let Some((&byte, rest)) = before.split_last().filter(|(byte, _)| matches!(byte, b'"' | b'\'')) else {
        return Ok(None);
    };
    let backslashes = rest.iter().rev().take_while(|&&byte| byte == b'\\').count();
    let rest = rest[..rest.len() - backslashes].trim_ascii_end();
    let Some(rest) = rest.strip_suffix(b":") else { return Ok(None) };
    let Some(rest) = rest.trim_ascii_end().strip_suffix(&[byte]) else { return Ok(None) };
    if !rest[..rest.len().saturating_sub(backslashes)].ends_with(b"protected") {
        return Ok(None);
    }
    let mut object = Object::new(*value, Quote { byte, backslashes });
    let Some(header) = object.string()? else { return Ok(None) };
    object.protected(header);
    if object.header.is_none() {
        return Ok(None);
    }
    object.closed_max = CLOSED_MAX;
    object.read(value.at).map(Some)
}

fn is_secret(name: &[u8]) -> bool {
    matches!(name, b"payload" | b"signature" | b"encrypted_key" | b"ciphertext" | b"tag")
}

/// An object that is read from somewhere inside it.
struct Object<'a> {
    begin: Cursor<'a>,
    cursor: Cursor<'a>,
    /// The quotes of all its strings; there are backslashes where it stands in a string itself.
    quote: Quote,
    header: Option<(Header, Range<usize>)>,
    secrets: Vec<Range<usize>>,
    payload: Option<Range<usize>>,
    /// How many objects and arrays around it may end without ending what belongs together.
    closed_max: i32,
}

impl<'a> Object<'a> {
    fn new(cursor: Cursor<'a>, quote: Quote) -> Self {
        Self { begin: cursor, cursor, quote, header: None, secrets: Vec::new(), payload: None, closed_max: 0 }
    }

    /// Reads names and strings up to the object's end. `from` is where the look began.
    fn read(mut self, from: usize) -> Result<Reading, More> {
        let mut name = 0..0;
        let mut depth = 0;
        let mut closed = false;
        while !self.is_long() {
            self.skip_blanks()?;
            let byte = self.cursor.peek()?;
            // Behind an object another one without a comma is another record.
            if std::mem::take(&mut closed) && !matches!(byte, Some(b',' | b'}' | b']')) {
                break;
            }
            match byte {
                Some(b'{' | b'[') => depth += 1,
                Some(b'}' | b']') if depth == -self.closed_max => break,
                Some(b'}' | b']') => {
                    depth -= 1;
                    closed = true;
                }
                Some(b',' | b':') => {}
                Some(byte) if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.') => {}
                Some(_) => {
                    if quote(&mut self.cursor)? != Some(self.quote) {
                        break;
                    }
                    let start = self.cursor.at;
                    let Some(string) = self.string()? else {
                        if let Some((header, _)) = self.header
                            && self.is_long()
                            && is_secret(self.text(&name))
                            && self.secrets.is_empty()
                        {
                            return Ok(Reading::Endless { at: start, quote: self.quote, kind: kind(header) });
                        }
                        break;
                    };
                    self.skip_blanks()?;
                    if self.cursor.peek()? == Some(b':') {
                        name = string;
                        continue;
                    }
                    match self.text(&name) {
                        b"protected" => self.protected(string),
                        secret if is_secret(secret) && !string.is_empty() => self.secret(secret, string),
                        _ => {}
                    }
                    name = 0..0;
                    continue;
                }
                None => break,
            }
            self.cursor.at += 1;
        }
        let Some((header, protected)) = self.header else {
            let until = if self.is_long() { from + OBJECT_LEN_MAX / 2 } else { self.cursor.at };
            return Ok(Reading::Nothing { until });
        };
        let kind = kind(header);
        let spans = self.secrets.into_iter().map(|range| Span { range, kind }).collect();
        Ok(Reading::Secrets { spans, header: protected, payload: self.payload })
    }

    fn is_long(&self) -> bool {
        self.cursor.at - self.begin.at > OBJECT_LEN_MAX
    }

    fn text(&self, range: &Range<usize>) -> &'a [u8] {
        if range.is_empty() {
            return b"";
        }
        &self.begin.rest()[range.start - self.begin.at..range.end - self.begin.at]
    }

    fn protected(&mut self, string: Range<usize>) {
        let text = self.text(&string);
        if text.len() <= HEADER_LEN_MAX && self.header.is_none() {
            self.header = read_header(Text::Plain(text), false).ok().flatten().map(|header| (header, string));
        }
    }

    fn secret(&mut self, name: &[u8], value: Range<usize>) {
        if name == b"payload" && self.payload.is_none() {
            self.payload = Some(value.clone());
        }
        self.secrets.push(value);
    }

    /// Steps over the rest of a string and its closing quote; `None` if it has none in sight.
    fn string(&mut self) -> Result<Option<Range<usize>>, More> {
        let start = self.cursor.at;
        loop {
            let rest = self.cursor.rest();
            let rest = &rest[..rest.len().min(OBJECT_LEN_MAX)];
            let Some(len) = memchr::memchr2(self.quote.byte, b'\n', rest) else {
                self.cursor.at += rest.len();
                return if self.is_long() || self.cursor.rest_is_all() { Ok(None) } else { Err(More) };
            };
            let backslashes = self.begin.rest()[start - self.begin.at..self.cursor.at - self.begin.at + len]
                .iter()
                .rev()
                .take_while(|&&byte| byte == b'\\')
                .count();
            let end = self.cursor.at + len;
            if rest[len] == b'\n' || backslashes < self.quote.backslashes {
                return Ok(None);
            }
            self.cursor.at = end + 1;
            if backslashes == self.quote.backslashes {
                return Ok(Some(start..end - backslashes));
            }
            if self.is_long() {
                return Ok(None);
            }
        }
    }

    /// Steps over blanks and line ends, and over escaped ones where the object stands in a string.
    fn skip_blanks(&mut self) -> Result<(), More> {
        while !self.is_long() {
            match self.cursor.peek()? {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.cursor.at += 1,
                Some(b'\\') => {
                    let backslashes = self.cursor.backslashes()?;
                    if !matches!(self.cursor.peek_at(backslashes)?, Some(b'n' | b'r' | b't')) {
                        return Ok(());
                    }
                    self.cursor.at += backslashes + 1;
                }
                _ => return Ok(()),
            }
        }
        Ok(())
    }
}

fn kind(header: Header) -> Kind {
    if header.encrypted { Kind::Jwe } else { Kind::Jwt }
}
