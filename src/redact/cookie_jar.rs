//! Cookies in columns: the files that browsers and curl share, and what wget says of the cookies that it stores.

use super::context::Span;
use super::cursor::{Cursor, More};
use super::finding::Kind;
use super::names::is_credential_cookie;
use std::ops::Range;

/// A cookie is no longer (RFC 6265 §6.1), and the columns before it are short.
const LINE_LEN_MAX: usize = 8 << 10;

/// Reads on behind `TRUE` or `FALSE`, a tab, and the slash of a path: path, secure, expiry, name, value.
pub(super) fn columns(path: &Cursor<'_>) -> Result<Vec<Span>, More> {
    let mut cursor = *path;
    let mut fields = [0..0, 0..0, 0..0, 0..0, 0..0];
    for (index, field) in fields.iter_mut().enumerate() {
        *field = word(&mut cursor, |byte| byte == b'\t')?;
        let text = text(path, field);
        let fits = match index {
            1 => text == b"TRUE" || text == b"FALSE",
            2 => !text.is_empty() && text.iter().all(u8::is_ascii_digit),
            _ => !text.is_empty(),
        };
        if !fits || index < 4 && cursor.peek()? != Some(b'\t') {
            return Ok(Vec::new());
        }
        cursor.at += usize::from(index < 4);
    }
    let [_, _, _, name, value] = fields;
    Ok(credential(text(path, &name), value))
}

/// `Stored cookie example.com -1 (ANY) / <session> <insecure> [expiry none] NAME VALUE`
pub(super) fn stored(end: &Cursor<'_>) -> Result<Vec<Span>, More> {
    let mut cursor = *end;
    let line = word(&mut cursor, |_| false)?;
    if line.len() == LINE_LEN_MAX {
        return Ok(Vec::new());
    }
    let line_text = text(end, &line);
    let Some(expiry) = memchr::memmem::find(line_text, b"] ") else { return Ok(Vec::new()) };
    let start = expiry + b"] ".len();
    let Some(name_len) = memchr::memchr(b' ', &line_text[start..]) else { return Ok(Vec::new()) };
    let value = line.start + start + name_len + 1..line.end;
    Ok(credential(&line_text[start..start + name_len], value))
}

fn credential(name: &[u8], value: Range<usize>) -> Vec<Span> {
    // What does not end in time is no cookie: a part of it would be another part when the rest is gone.
    let found = is_credential_cookie(name) && !value.is_empty() && value.len() < LINE_LEN_MAX;
    found.then_some(Span { range: value, kind: Kind::Token }).into_iter().collect()
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
