//! Passwords and tokens in the user part of a URL (RFC 3986 §3.2.1).

use super::cursor::{Cursor, More};
use super::finding::Kind;
use super::marker::{Template, marker_len};
use super::value::is_template;
use super::word::{Shape, is_placeholder, shape};
use std::ops::Range;

/// No user part is longer; tokens with a form of their own are found without it.
const USERINFO_LEN_MAX: usize = 1024;
/// A shorter text is a password, whatever it looks like, and a user's name is no token.
const TOKEN_LEN_MIN: usize = 20;

/// The secret in the authority that begins here: the password, or a user's name that looks like a token.
///
/// `encoded` says that the URL as a whole is percent-encoded, its delimiters too.
pub(super) fn secret(
    at: &Cursor<'_>,
    encoded: bool,
    template: &Template,
) -> Result<Option<(Range<usize>, Kind)>, More> {
    let (mut user_end, mut end) = (None, None);
    let mut cursor = *at;
    loop {
        if cursor.at - at.at > USERINFO_LEN_MAX {
            return Ok(None);
        }
        let Some(unit) = cursor.unit()? else { break };
        let delimits = unit.len == 1 || encoded;
        match unit.byte {
            b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'`' | b'\\' if delimits => break,
            0..=b' ' | 0x7f => break,
            // Passwords hold more of them than they should: the last one counts.
            b'@' if delimits => end = Some((cursor.at, cursor.at + unit.len)),
            b':' if delimits && user_end.is_none() && end.is_none() => {
                user_end = Some((cursor.at, cursor.at + unit.len))
            }
            _ => {}
        }
        cursor.at += unit.len;
    }
    let Some((end, host)) = end else { return Ok(None) };
    let is_host = at.advanced(host - at.at).peek()?.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'[');
    if !is_host {
        return Ok(None);
    }
    let (user_end, password) = user_end.unwrap_or((end, end));
    let user = decoded(at, user_end)?;
    if user.len() >= TOKEN_LEN_MIN && shape(&user) == Shape::Random {
        let is_marker = marker_len(at, template)?.is_some();
        return Ok((!is_marker).then_some((at.at..user_end, Kind::Token)));
    }
    let at = at.advanced(password - at.at);
    let text = decoded(&at, end)?;
    if text.is_empty() || is_example(&text) || marker_len(&at, template)? == Some(end - at.at) {
        return Ok(None);
    }
    let is_token = text.len() >= TOKEN_LEN_MIN && shape(&text) == Shape::Random;
    Ok(Some((at.at..end, if is_token { Kind::Token } else { Kind::Basic })))
}

fn decoded(at: &Cursor<'_>, end: usize) -> Result<Vec<u8>, More> {
    let (mut cursor, mut text) = (*at, Vec::new());
    while cursor.at < end
        && let Some(unit) = cursor.unit()?
    {
        text.push(unit.byte);
        cursor.at += unit.len;
    }
    Ok(text)
}

/// What documentation writes where a password stands.
fn is_example(text: &[u8]) -> bool {
    const EXAMPLES: [&[u8]; 8] =
        [b"pass", b"passwd", b"password", b"pwd", b"secret", b"pw", b"x-oauth-basic", b"x-oauth-token"];
    is_placeholder(text)
        || is_template(text)
        || EXAMPLES.iter().any(|example| text.eq_ignore_ascii_case(example))
        || matches!(text, [b'{' | b'%' | b':', ..])
}
