//! Signed sessions that are no JOSE: base64 of JSON, a time and a signature. What the JSON holds decides.

use super::characters::{is_base64, is_base64url};
use super::cursor::{Cursor, More};
use super::fingerprint::MARKER_PREFIX;
use super::header::{Text, read_object};
use super::jose::Memo;

/// Sessions are kept in cookies, which are shorter (RFC 6265 §6.1).
const SESSION_LEN_MAX: usize = 16 << 10;

/// The length of the session that begins here with base64 of an object.
pub(super) fn session_len(at: &Cursor<'_>, memo: &mut Memo) -> Result<Option<usize>, More> {
    let len = memo.run_len(at)?;
    if len > SESSION_LEN_MAX {
        return Ok(None);
    }
    let run = &at.rest()[..len];
    if let Some(found) = session_in(at, run)? {
        return Ok(Some(found));
    }
    // A path that goes on: the slash belongs to its alphabet.
    match memchr::memchr(b'/', run) {
        Some(slash) => session_in(at, &run[..slash]),
        None => Ok(None),
    }
}

/// The length of the session whose text, and what Rails joins to it, is `run`.
fn session_in(at: &Cursor<'_>, run: &[u8]) -> Result<Option<usize>, More> {
    let len = run.len();
    // Rails joins with dashes, which base64url has too.
    let (text, signed) = match rails_signature(run) {
        Some(text_len) => (&run[..text_len], true),
        None => (run, false),
    };
    let object = read_object(Text::Plain(text))?;
    if !object.whole {
        return Ok(None);
    }
    if signed {
        return Ok(Some(len));
    }
    let padded = padding_len(&at.advanced(len))?;
    let end = len + padded;
    if let Some(signature) = timed_signature_len(&at.advanced(len))? {
        return Ok(Some(len + signature));
    }
    if let Some(signature) = hex_signature_len(&at.advanced(end))? {
        return Ok(Some(end + signature));
    }
    Ok(object.seen.is_session().then_some(end))
}

/// The length of a compressed session of Flask or Django: zlib's bytes, which begin here, a time and a signature.
pub(super) fn compressed_len(at: &Cursor<'_>, memo: &mut Memo) -> Result<Option<usize>, More> {
    let len = memo.run_len(at)?;
    if len > SESSION_LEN_MAX {
        return Ok(None);
    }
    Ok(timed_signature_len(&at.advanced(len))?.map(|signature| len + signature))
}

/// `.Zx1y2Q.` or `:1abcDE:` and a signature of at least 160 bits, as itsdangerous and Django write them.
fn timed_signature_len(at: &Cursor<'_>) -> Result<Option<usize>, More> {
    const SIGNATURE_LEN_MIN: usize = 27;
    const SIGNATURE_LEN_MAX: usize = 128;
    // In transport encoding too: `%3A`.
    let Some(separator) = at.unit()?.filter(|unit| matches!(unit.byte, b'.' | b':')) else { return Ok(None) };
    let time = at.advanced(separator.len);
    let time_len = run_len(&time, 9)?;
    let signature = time.advanced(time_len + separator.len);
    if !(5..=8).contains(&time_len) || time.advanced(time_len).unit()? != Some(separator) {
        return Ok(None);
    }
    // A marker is written in the same alphabet: what was there was found otherwise.
    if signature.starts_with(MARKER_PREFIX)? {
        return Ok(None);
    }
    let len = run_len(&signature, SIGNATURE_LEN_MAX + 1)?;
    Ok((SIGNATURE_LEN_MIN..=SIGNATURE_LEN_MAX).contains(&len).then_some(signature.at + len - at.at))
}

fn run_len(at: &Cursor<'_>, limit: usize) -> Result<usize, More> {
    let mut len = 0;
    while len < limit && at.peek_at(len)?.is_some_and(is_base64url) {
        len += 1;
    }
    Ok(len)
}

/// Where the text ends in a run that ends with two dashes and a signature in hexadecimal digits.
pub(super) fn rails_signature(run: &[u8]) -> Option<usize> {
    let digits = run.iter().rev().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let text = &run[..run.len() - digits];
    (matches!(digits, 40 | 64) && text.ends_with(b"--")).then_some(text.len() - 2)
}

/// The same behind padding.
fn hex_signature_len(at: &Cursor<'_>) -> Result<Option<usize>, More> {
    if !at.starts_with(b"--")? {
        return Ok(None);
    }
    let mut digits = 0;
    while digits <= 64 && at.peek_at(2 + digits)?.is_some_and(|byte| byte.is_ascii_hexdigit()) {
        digits += 1;
    }
    let ends = !at.peek_at(2 + digits)?.is_some_and(is_base64);
    Ok((matches!(digits, 40 | 64) && ends).then_some(2 + digits))
}

/// The length of the padding, as it stands or percent-encoded.
fn padding_len(at: &Cursor<'_>) -> Result<usize, More> {
    let mut cursor = *at;
    for _ in 0..2 {
        match cursor.unit()? {
            Some(unit) if unit.byte == b'=' => cursor.at += unit.len,
            _ => break,
        }
    }
    Ok(cursor.at - at.at)
}
