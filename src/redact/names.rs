//! Names whose values are credentials.

use super::cursor::{Cursor, More};

/// What a name says of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// An HTTP header that carries `scheme credentials` (RFC 9110 §11.6.2).
    Authorization,
    /// Always a credential: `access_token` and its like (RFC 6749, RFC 8693).
    Credential,
    /// `token`: a credential unless the value is a word or a number.
    Token,
    /// `code`: an authorization code (RFC 6749 §4.1.2), more often a status.
    Code,
    /// `Cookie` and `Set-Cookie` (RFC 6265).
    Cookie,
}

/// Spelt in lower case without separators: `accessToken`, `access-token` and `ACCESS_TOKEN` are one name.
const CREDENTIAL_NAMES: [&[u8]; 26] = [
    b"accesstoken",
    b"idtoken",
    b"idtokenhint",
    b"refreshtoken",
    b"authtoken",
    b"jwt",
    b"jwttoken",
    b"clientassertion",
    b"assertion",
    b"samlassertion",
    b"subjecttoken",
    b"actortoken",
    b"bearertoken",
    b"bearer",
    b"authorizationtoken",
    b"authenticationtoken",
    b"oauthtoken",
    b"oauth2token",
    b"apitoken",
    b"sessiontoken",
    b"securitytoken",
    b"privatetoken",
    b"personalaccesstoken",
    b"deploytoken",
    b"jobtoken",
    b"logintoken",
];

/// A name's separators and escapes before it are no letters of it, so this many bytes before an anchor are looked at.
pub(super) const NAME_LEN_MAX: usize = 64;

/// The class of the name whose last letters are at `anchor`, and where it ends; `None` if no credential is named so.
pub(super) fn classify(anchor: &Cursor<'_>, len: usize, extra: &[Vec<u8>]) -> Result<Option<(Class, usize)>, More> {
    let mut end = anchor.advanced(len);
    // `id_token_hint` is the only one that goes on behind an anchor.
    end.eat(b"_hint")?;
    if end.peek()?.is_some_and(is_name_byte) {
        return Ok(None);
    }
    Ok(classify_text(end.before(NAME_LEN_MAX), extra).map(|class| (class, end.at)))
}

/// The class of a name that `text` ends with.
pub(super) fn classify_text(text: &[u8], extra: &[Vec<u8>]) -> Option<Class> {
    if ends_with_word(text, b"authorization", Boundary::Any) {
        return Some(Class::Authorization);
    }
    let mut known = CREDENTIAL_NAMES.iter().copied().chain(extra.iter().map(Vec::as_slice));
    if known.any(|name| ends_with_word(text, name, Boundary::Word)) {
        return Some(Class::Credential);
    }
    if ends_with_word(text, b"token", Boundary::Whole) || is_token_variable(text) {
        return Some(Class::Token);
    }
    let codes: [&[u8]; 4] = [b"code", b"authcode", b"authorizationcode", b"devicecode"];
    if codes.iter().any(|name| ends_with_word(text, name, Boundary::Whole)) {
        return Some(Class::Code);
    }
    ends_with_word(text, b"cookie", Boundary::Any).then_some(Class::Cookie)
}

/// `GITHUB_TOKEN`: an environment variable, but for those that guard forms or turn pages.
fn is_token_variable(text: &[u8]) -> bool {
    let start = text.iter().rposition(|byte| !matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_')).map_or(0, |at| at + 1);
    let Some(prefix) = text[start..].strip_suffix(b"_TOKEN") else { return false };
    let last = prefix.rsplit(|&byte| byte == b'_').next().unwrap_or_default();
    const OTHER: [&[u8]; 7] = [b"", b"CSRF", b"XSRF", b"NEXT", b"PAGE", b"CONTINUATION", b"SYNC"];
    !OTHER.contains(&last)
}

/// What may stand before a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Boundary {
    /// Anything.
    Any,
    /// No letter of the same word; other words may: `x_access_token`, `myAccessToken`.
    Word,
    /// No other word.
    Whole,
}

fn ends_with_word(text: &[u8], name: &[u8], boundary: Boundary) -> bool {
    let mut at = text.len();
    for &expected in name.iter().rev() {
        let Some(mut byte) = at.checked_sub(1).map(|before| text[before]) else { return false };
        if matches!(byte, b'_' | b'-' | b'.') && at < text.len() {
            at -= 1;
            let Some(before) = at.checked_sub(1) else { return false };
            byte = text[before];
        }
        if byte.to_ascii_lowercase() != expected {
            return false;
        }
        at -= 1;
    }
    let (before, word) = text.split_at(at);
    let Some(&last) = before.last() else { return true };
    match boundary {
        Boundary::Any => true,
        Boundary::Word => starts_word(before, last, word[0]),
        // A digit before it can only be the end of an escape: `%26token`, `\u0026token`.
        Boundary::Whole => {
            !matches!(last, b'_' | b'-' | b'.') && (starts_word(before, last, word[0]) && !is_hump(last, word[0]))
        }
    }
}

fn is_hump(last: u8, first: u8) -> bool {
    last.is_ascii_lowercase() && first.is_ascii_uppercase()
}

/// Whether a letter before a word belongs to something else: a hump, an escape (`\n`), a colour code (`ESC[32m`).
fn starts_word(before: &[u8], last: u8, first: u8) -> bool {
    if !last.is_ascii_alphabetic() || is_hump(last, first) {
        return true;
    }
    let previous = before.len().checked_sub(2).map(|index| before[index]);
    match previous {
        Some(b'\\') => true,
        Some(b'[' | b'0'..=b'9') if last == b'm' => true,
        // `%3Faccess_token`, `%2Caccess_token`
        Some(b'0'..=b'9') if last.is_ascii_hexdigit() => before.len() >= 3 && before[before.len() - 3] == b'%',
        _ => false,
    }
}

pub(super) fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// Brings a user's name into the form of [`CREDENTIAL_NAMES`].
pub(super) fn normalize(name: &str) -> Vec<u8> {
    name.bytes().filter(|byte| !b"_-.".contains(byte)).map(|byte| byte.to_ascii_lowercase()).collect()
}

/// Whether a cookie of this name carries a session or a credential.
pub(super) fn is_credential_cookie(name: &[u8]) -> bool {
    const ENDINGS: [&[u8]; 17] = [
        b"session",
        b"sessionid",
        b"sess",
        b"sessid",
        b"sid",
        b"token",
        b"auth",
        b"jwt",
        b"authorization",
        b"bearer",
        b"rememberme",
        b"authcookie",
        b"sessiontoken",
        b"aspxauth",
        b"credential",
        b"credentials",
        b"ticket",
    ];
    const HARMLESS: [&[u8]; 2] = [b"csrf", b"xsrf"];
    let name: Vec<u8> = name.iter().filter(|byte| !b"_-.".contains(byte)).map(u8::to_ascii_lowercase).collect();
    // ASP.NET's `.AspNetCore.Cookies`, WordPress' `wordpress_logged_in_…`, PHP frameworks' `…sess…` with a hash behind.
    const BEGINNINGS: [&[u8]; 4] = [b"aspnetcore", b"wordpressloggedin", b"aspsessionid", b"wordpresssec"];
    !HARMLESS.iter().any(|word| memchr::memmem::find(&name, word).is_some())
        && (ENDINGS.iter().any(|ending| name.ends_with(ending)) || BEGINNINGS.iter().any(|word| name.starts_with(word)))
}
