//! Schemes whose credentials are a list of parameters (RFC 9110 §11.4): only the secret ones go.

use super::context::{Lead, Place, Span};
use super::cursor::{Cursor, More};
use super::finding::Kind;
use super::grammar::{Grammar, Quote};
use super::names::{self, Class};
use super::scheme::Gap;
use super::separator::{eat_encoded_quote, quote};
use super::value::{Trust, is_stand_in};
use super::word::{Shape, shape};

/// A header is shorter; a longer list goes as a whole.
const LIST_LEN_MAX: usize = 16 << 10;
const NAME_LEN_MAX: usize = 48;

/// Schemes with parameters, or with a credential of their own form, in lower case. Behind other words a value must prove
/// itself.
const SCHEMES: [&[u8]; 23] = [
    b"digest",
    b"oauth",
    b"hawk",
    b"mac",
    b"hmac",
    b"signature",
    b"negotiate",
    b"ntlm",
    b"kerberos",
    b"sharedaccesssignature",
    b"sharedkey",
    b"sharedkeylite",
    b"aws",
    b"ssws",
    b"splunk",
    b"geniekey",
    b"vapid",
    b"hoba",
    b"bot",
    b"mutual",
    b"key",
    b"snowflake",
    b"googlelogin",
];

/// Parameters that are the proof.
const SECRET: [&[u8]; 22] = [
    b"response",
    b"signature",
    b"sig",
    b"mac",
    b"hmac",
    b"hash",
    b"digest",
    b"oauthsignature",
    b"oauthtoken",
    b"oauthtokensecret",
    b"token",
    b"key",
    b"apikey",
    b"secret",
    b"password",
    b"auth",
    b"jwt",
    b"assertion",
    b"result",
    b"proof",
    b"data",
    b"t",
];

/// Parameters that may look random and prove nothing.
const PUBLIC: [&[u8]; 34] = [
    b"realm",
    b"nonce",
    b"cnonce",
    b"opaque",
    b"uri",
    b"username",
    b"userhash",
    b"qop",
    b"nc",
    b"algorithm",
    b"credential",
    b"signedheaders",
    b"keyid",
    b"headers",
    b"created",
    b"expires",
    b"oauthconsumerkey",
    b"oauthnonce",
    b"oauthtimestamp",
    b"oauthsignaturemethod",
    b"oauthversion",
    b"oauthcallback",
    b"id",
    b"ts",
    b"ext",
    b"app",
    b"dlg",
    b"sr",
    b"se",
    b"sv",
    b"skn",
    b"version",
    b"k",
    b"kid",
];

/// Follows the name of an authorization header whose value begins with none of the schemes that carry one token.
/// `strict` says that the value is not surely a header's: a field of a log may have the same name.
pub(super) fn after_header(at: &Cursor<'_>, outer: Option<Quote>, strict: bool) -> Result<Lead, More> {
    let mut cursor = *at;
    let len = scheme_len(&cursor)?;
    let scheme = &cursor.rest()[..len];
    let known = is_known(scheme);
    cursor.at += len;
    if len == 0 || (strict && !known) {
        return Ok(Lead::Nothing);
    }
    match Gap::read(&mut cursor)? {
        Some(Gap::Blank) => {}
        // No scheme at all: `key=…`
        _ if !strict => return list(at, outer, true),
        _ => return Ok(Lead::Nothing),
    }
    if starts_parameter(&cursor)? {
        return list(&cursor, outer, known);
    }
    if scheme.eq_ignore_ascii_case(b"aws") || scheme.len() > 8 && scheme[..9].eq_ignore_ascii_case(b"sharedkey") {
        skip_account(&mut cursor)?;
    }
    if !known && !is_all(&cursor)? {
        return Ok(Lead::Nothing);
    }
    let trust = if known { Trust::Named } else { Trust::Random };
    Ok(Lead::Value(Place { at: cursor.at, grammar: Grammar::Token, trust, kind: Kind::Token, requote: None }))
}

/// `auth-scheme` (RFC 9110 §11.1).
fn scheme_len(at: &Cursor<'_>) -> Result<usize, More> {
    let mut len = 0;
    while len < NAME_LEN_MAX
        && at.peek_at(len)?.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    {
        len += 1;
    }
    Ok(len)
}

fn is_known(scheme: &[u8]) -> bool {
    // `AWS4-HMAC-SHA256`, `HMAC-SHA256`, `SCRAM-SHA-256`
    const BEGINNINGS: [&[u8]; 4] = [b"aws4-", b"goog4-", b"hmac-", b"scram-"];
    SCHEMES.iter().any(|name| scheme.eq_ignore_ascii_case(name))
        || BEGINNINGS
            .iter()
            .any(|begin| scheme.len() > begin.len() && scheme[..begin.len()].eq_ignore_ascii_case(begin))
}

/// `account:` before a signature.
fn skip_account(cursor: &mut Cursor<'_>) -> Result<(), More> {
    const ACCOUNT_LEN_MAX: usize = 64;
    for ahead in 0..ACCOUNT_LEN_MAX {
        match cursor.peek_at(ahead)? {
            Some(b':') => {
                cursor.at += ahead + 1;
                return Ok(());
            }
            Some(byte) if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/' | b'.') => {}
            _ => return Ok(()),
        }
    }
    Ok(())
}

/// Whether one value of 16 characters or more is all that follows in the header.
fn is_all(at: &Cursor<'_>) -> Result<bool, More> {
    const LEN_MIN: usize = 16;
    let mut cursor = *at;
    while let Some(byte) = cursor.peek()?
        && (byte.is_ascii_alphanumeric() || b"-_.~+/=:".contains(&byte))
    {
        cursor.at += 1;
        if cursor.at - at.at > LIST_LEN_MAX {
            return Ok(true);
        }
    }
    let ends =
        matches!(cursor.peek()?, None | Some(b'\r' | b'\n' | b'"' | b'\'' | b']' | b'}' | b')' | b',' | b'\\' | b'<'));
    Ok(ends && cursor.at - at.at >= LEN_MIN)
}

fn starts_parameter(at: &Cursor<'_>) -> Result<bool, More> {
    let mut cursor = at.advanced(scheme_len(at)?);
    if cursor.at == at.at {
        return Ok(false);
    }
    cursor.skip_blanks(8)?;
    if cursor.unit()?.is_none_or(|unit| unit.byte != b'=') {
        return Ok(false);
    }
    // Padding stands at the end of a credential.
    cursor.at += 1;
    Ok(cursor.peek()?.is_some_and(|byte| byte != b'=' && byte > b' '))
}

/// The secret parameters of a list. `known` says that the scheme has parameters, so that one of an unknown name may be
/// its secret, too.
fn list(at: &Cursor<'_>, outer: Option<Quote>, known: bool) -> Result<Lead, More> {
    let mut cursor = *at;
    let mut spans = Vec::new();
    while starts_parameter(&cursor)? {
        let name_len = scheme_len(&cursor)?;
        let name = &cursor.rest()[..name_len];
        cursor.at += name_len;
        cursor.skip_blanks(8)?;
        cursor.at += cursor.unit()?.map_or(0, |unit| unit.len);
        let Some(value) = value(&mut cursor, outer)? else { break };
        if cursor.at - at.at > LIST_LEN_MAX {
            // Undecided: all of the header.
            let grammar = Grammar::Quoted(outer.unwrap_or(Quote { byte: b'\n', backslashes: 0 }));
            return Ok(Lead::Value(Place {
                at: at.at,
                grammar,
                trust: Trust::Named,
                kind: Kind::Token,
                requote: None,
            }));
        }
        let text = &at.rest()[value.start - at.at..value.end - at.at];
        if is_secret(name, text, known) {
            spans.push(Span { range: value, kind: Kind::Token });
        }
        cursor.skip_blanks(8)?;
        let Some(separator) = cursor.unit()?.filter(|unit| matches!(unit.byte, b',' | b'&' | b';')) else { break };
        cursor.at += separator.len;
        cursor.skip_blanks(8)?;
    }
    Ok(if spans.is_empty() { Lead::Nothing } else { Lead::Spans(spans) })
}

/// Steps over a value; `None` if the header ends instead.
fn value(cursor: &mut Cursor<'_>, outer: Option<Quote>) -> Result<Option<std::ops::Range<usize>>, More> {
    let begin = *cursor;
    if let Some(inner) = quote(cursor)? {
        if outer.is_some_and(|outer| outer.byte == inner.byte && inner.backslashes <= outer.backslashes) {
            return Ok(None);
        }
        let start = cursor.at;
        loop {
            let backslashes = cursor.backslashes()?;
            match cursor.peek_at(backslashes)? {
                Some(byte) if byte == inner.byte && backslashes <= inner.backslashes => break,
                None | Some(b'\n') => return Ok(Some(start..cursor.at)),
                _ => cursor.at += backslashes + 1,
            }
            if cursor.at - start > LIST_LEN_MAX {
                break;
            }
        }
        let end = cursor.at;
        quote(cursor)?;
        return Ok(Some(start..end));
    }
    let encoded = eat_encoded_quote(cursor)?;
    let start = cursor.at;
    while cursor.at - start <= LIST_LEN_MAX {
        let Some(unit) = cursor.unit()? else { break };
        let ends = match unit.byte {
            b'"' | b'\'' if encoded => unit.len > 1,
            b'\n' | b'\r' => true,
            _ if encoded => false,
            b',' | b'&' | b'"' | b'\'' | b'`' | b']' | b'}' | b')' | b'<' | b'>' | b'\\' => true,
            byte => byte <= b' ',
        };
        if ends && (encoded || unit.len == 1 || unit.byte == b'&') {
            break;
        }
        cursor.at += unit.len;
    }
    let end = cursor.at;
    if encoded {
        eat_encoded_quote(cursor)?;
    }
    Ok((cursor.at > begin.at).then_some(start..end))
}

fn is_secret(name: &[u8], value: &[u8], known: bool) -> bool {
    const LEN_MIN: usize = 16;
    let name = names::normalize(name);
    let is_in = |names: &[&[u8]]| names.iter().any(|other| *other == name);
    if value.is_empty() || is_stand_in(value) {
        return false;
    }
    is_in(&SECRET)
        || matches!(names::classify_text(&name, &[]), Some(Class::Credential))
        || known && !is_in(&PUBLIC) && value.len() >= LEN_MIN && shape(value) == Shape::Random
}
