//! Cookies in columns: the files that browsers and curl share, and what wget says of the cookies that it stores.

use super::context::{Lead, Place};
use super::cursor::{Cursor, More};
use super::finding::Kind;
use super::grammar::{Grammar, Quote};
use super::names::is_credential_cookie;
use super::value::Trust;
use std::ops::Range;

/// Names and columns are shorter; a whole cookie is no longer (RFC 6265 §6.1).
const LINE_LEN_MAX: usize = 8 << 10;

/// The value ends where the line does, however long it is: a part of it would be another part when the rest is gone.
const LINE_END: Quote = Quote { byte: b'\r', backslashes: usize::MAX };

/// Reads on behind `TRUE` or `FALSE`, a tab, and the slash of a path: path, secure, expiry, name, value.
pub(super) fn columns(path: &Cursor<'_>) -> Result<Lead, More> {
    let mut cursor = *path;
    let mut name = 0..0;
    for index in 0..4 {
        name = word(&mut cursor, |byte| byte == b'\t')?;
        let column = text(path, &name);
        let fits = match index {
            1 => column == b"TRUE" || column == b"FALSE",
            2 => !column.is_empty() && column.iter().all(u8::is_ascii_digit),
            _ => !column.is_empty(),
        };
        if !fits || !cursor.eat(b"\t")? {
            return Ok(Lead::Nothing);
        }
    }
    Ok(value_of(text(path, &name), cursor.at))
}

/// `Stored cookie example.com -1 (ANY) / <session> <insecure> [expiry none] NAME VALUE`
pub(super) fn stored(end: &Cursor<'_>) -> Result<Lead, More> {
    let mut cursor = *end;
    word(&mut cursor, |byte| byte == b']')?;
    if !cursor.eat(b"] ")? {
        return Ok(Lead::Nothing);
    }
    let name = word(&mut cursor, |byte| byte == b' ')?;
    if !cursor.eat(b" ")? {
        return Ok(Lead::Nothing);
    }
    Ok(value_of(text(end, &name), cursor.at))
}

fn value_of(name: &[u8], at: usize) -> Lead {
    if !is_credential_cookie(name) {
        return Lead::Nothing;
    }
    let grammar = Grammar::Quoted(LINE_END);
    Lead::Value(Place { at, grammar, trust: Trust::Member, kind: Kind::Token, requote: None })
}

/// Steps over what is in the line and before a separator.
fn word(cursor: &mut Cursor<'_>, is_separator: impl Fn(u8) -> bool) -> Result<Range<usize>, More> {
    let start = cursor.at;
    while cursor.at - start < LINE_LEN_MAX
        && let Some(byte) = cursor.peek()?
        && !matches!(byte, b'\r' | b'\n')
        && !is_separator(byte)
    {
        cursor.at += 1;
    }
    Ok(start..cursor.at)
}

fn text<'a>(from: &Cursor<'a>, range: &Range<usize>) -> &'a [u8] {
    &from.rest()[range.start - from.at..range.end - from.at]
}
