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
    /// `code`: an authorization code (RFC 6749 §4.1.2), more often a status. `assertion` (RFC 7521 §4.1), more often a test's.
    Code,
    /// `Cookie` and `Set-Cookie` (RFC 6265).
    Cookie,
    /// `signature` and `sig`: what proves a signed URL or request, among its parameters.
    Signature,
}

/// What stands before `token` in the names that always carry one. Spelt in lower case without separators: `accessToken`,
/// `access-token` and `ACCESS_TOKEN` are one name.
const TOKENS: [&[u8]; 21] = [
    b"access",
    b"id",
    b"refresh",
    b"auth",
    b"jwt",
    b"subject",
    b"actor",
    b"bearer",
    b"authorization",
    b"authentication",
    b"oauth",
    b"oauth2",
    b"api",
    b"session",
    b"security",
    b"private",
    b"personalaccess",
    b"deploy",
    b"job",
    b"login",
    b"identity",
];

/// Other names that always carry a credential.
const CREDENTIALS: [&[u8]; 11] = [
    b"jwt",
    b"clientassertion",
    b"samlassertion",
    b"bearer",
    b"apikey",
    b"idtokenhint",
    b"amzsignature",
    b"googsignature",
    b"oauthsignature",
    b"authkey",
    // RFC 6749 §2.3.1: with it anyone can get tokens.
    b"clientsecret",
];

/// A name's separators and escapes before it are no letters of it, so this many bytes before an anchor are looked at.
pub(super) const NAME_LEN_MAX: usize = 64;

/// Where the name whose last letters are at `anchor` ends; `None` if more letters follow.
pub(super) fn end<'a>(anchor: &Cursor<'a>, len: usize) -> Result<Option<Cursor<'a>>, More> {
    let mut end = anchor.advanced(len);
    // `id_token_hint` is the only name that goes on behind an anchor.
    if !end.eat(b"_hint")? {
        end.eat(b"hint")?;
    }
    Ok(if end.peek()?.is_some_and(is_name_byte) { None } else { Some(end) })
}

/// All bytes of a name that ends here.
pub(super) fn before<'a>(end: &Cursor<'a>) -> &'a [u8] {
    let before = end.before_in_record(NAME_LEN_MAX);
    let start = before.iter().rposition(|&byte| !is_name_byte(byte)).map_or(0, |last| last + 1);
    &before[start..]
}

/// The class of a name that `text` ends with.
pub(super) fn classify_text(text: &[u8], extra: &[Vec<u8>]) -> Option<Class> {
    // What the user says of a name counts more than what it is elsewhere: `next_token`.
    if ends_with_any(text, extra.iter().map(Vec::as_slice), Boundary::Word) {
        return Some(Class::Credential);
    }
    if let Some(before) = strip_word(text, b"token") {
        if ends_with_any(before, TOKENS.iter().copied(), Boundary::Word) {
            return Some(Class::Credential);
        }
        if ends_with_word(text, b"token", Boundary::Whole) {
            return Some(Class::Token);
        }
        let word = &text[before.len()..];
        let joined = before.last().is_some_and(|&last| matches!(last, b'_' | b'-') || is_hump(last, word[0]));
        return (joined && is_token_of_something(before)).then_some(Class::Token);
    }
    if ends_with_word(text, b"authorization", Boundary::Any) {
        return Some(Class::Authorization);
    }
    if ends_with_any(text, CREDENTIALS.iter().copied(), Boundary::Word) {
        return Some(Class::Credential);
    }
    // Alone it is a word of test runners too.
    if ends_with_word(text, b"assertion", Boundary::Word) {
        return Some(Class::Code);
    }
    let codes: [&[u8]; 4] = [b"code", b"authcode", b"authorizationcode", b"devicecode"];
    if ends_with_any(text, codes.into_iter(), Boundary::Whole) {
        return Some(Class::Code);
    }
    let signatures: [&[u8]; 2] = [b"signature", b"sig"];
    if ends_with_any(text, signatures.into_iter(), Boundary::Whole) {
        return Some(Class::Signature);
    }
    let cookies: [&[u8]; 2] = [b"cookie", b"cookies"];
    ends_with_any(text, cookies.into_iter(), Boundary::Any).then_some(Class::Cookie)
}

/// `GITHUB_TOKEN`, `slack_token`, `vaultToken`: a token of something, but for those that guard forms or turn pages.
fn is_token_of_something(before: &[u8]) -> bool {
    const OTHER: [&[u8]; 16] = [
        b"csrf",
        b"xsrf",
        b"authenticity",
        b"verification",
        b"next",
        b"page",
        b"continuation",
        b"sync",
        b"cancel",
        b"cancellation",
        b"resume",
        b"cursor",
        b"prev",
        b"previous",
        b"device",
        b"push",
    ];
    let word = match before {
        [word @ .., separator] if is_separator(*separator) => word,
        word => word,
    };
    let start = word.iter().rposition(|byte| !byte.is_ascii_alphanumeric()).map_or(0, |at| at + 1);
    let word = &word[start..];
    // The last hump of `nextPageToken`.
    let hump = word.iter().rposition(u8::is_ascii_uppercase).filter(|_| word.iter().any(u8::is_ascii_lowercase));
    let last = &word[hump.unwrap_or(0)..];
    word.len() > 1 && !OTHER.iter().any(|other| last.eq_ignore_ascii_case(other))
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

/// What stands before `word` at the end of `text`, its separator too.
fn strip_word<'a>(text: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let mut at = text.len();
    for &expected in word.iter().rev() {
        if at < text.len() && at > 0 && is_separator(text[at - 1]) {
            at -= 1;
        }
        at = at.checked_sub(1)?;
        if text[at].to_ascii_lowercase() != expected {
            return None;
        }
    }
    Some(&text[..at])
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b'_' | b'-' | b'.')
}

fn ends_with_word(text: &[u8], name: &[u8], boundary: Boundary) -> bool {
    ends_with_any(text, std::iter::once(name), boundary)
}

fn ends_with_any<'a>(text: &[u8], mut names: impl Iterator<Item = &'a [u8]>, boundary: Boundary) -> bool {
    // A word of a longer name has its separator behind it.
    let text = match text {
        [name @ .., separator] if is_separator(*separator) => name,
        text => text,
    };
    // Of many names nearly all end otherwise.
    let may_end = |name: &[u8]| match (name, text) {
        ([.., second, first], [.., text_second, text_first]) => {
            text_first.to_ascii_lowercase() == *first
                && (text_second.to_ascii_lowercase() == *second || is_separator(*text_second))
        }
        _ => true,
    };
    names.any(|name| may_end(name) && is_at_end(text, name, boundary))
}

fn is_at_end(text: &[u8], name: &[u8], boundary: Boundary) -> bool {
    let Some(before) = strip_word(text, name) else { return false };
    let (Some(&last), word) = (before.last(), &text[before.len()..]) else { return true };
    match boundary {
        Boundary::Any => true,
        Boundary::Word => starts_word(before, last, word[0]),
        // An option of a command: `--token=`.
        Boundary::Whole if last == b'-' => {
            before.len() < 2 || !is_name_byte(before[before.len() - 2]) || before.ends_with(b"--")
        }
        Boundary::Whole => !is_separator(last) && starts_word(before, last, word[0]) && !is_hump(last, word[0]),
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
        // `-Daccess.token=`
        Some(b'-') if last == b'D' => true,
        // `%3Faccess_token`, `%2Caccess_token`
        Some(b'0'..=b'9') if last.is_ascii_hexdigit() => before.len() >= 3 && before[before.len() - 3] == b'%',
        _ => false,
    }
}

pub(super) fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// The form of [`CREDENTIALS`]: lower case without separators.
pub(super) fn normalize(name: &[u8]) -> Vec<u8> {
    letters(name).collect()
}

fn letters(name: &[u8]) -> impl DoubleEndedIterator<Item = u8> {
    name.iter().filter(|&&byte| !is_separator(byte)).map(u8::to_ascii_lowercase)
}

/// Whether a cookie of this name carries a session or a credential.
pub(super) fn is_credential_cookie(name: &[u8]) -> bool {
    const ENDINGS: [&[u8]; 17] = [
        b"session",
        b"sessionid",
        b"sess",
        b"sid",
        b"token",
        b"auth",
        b"jwt",
        b"authorization",
        b"bearer",
        b"rememberme",
        b"authcookie",
        b"credential",
        b"credentials",
        b"ticket",
        b"sessioncookie",
        b"applicationcookie",
        b"oauth2proxy",
    ];
    // ASP.NET's `.AspNetCore.Cookies`, WordPress' `wordpress_logged_in_…`, PHP frameworks' `…sess…` with a hash behind.
    const BEGINNINGS: [&[u8]; 6] =
        [b"aspnetcore", b"wordpressloggedin", b"aspsessionid", b"wordpresssec", b"sess", b"ssess"];
    const HARMLESS: [&[u8]; 2] = [b"csrf", b"xsrf"];
    // Long values are cut into numbered cookies; Drupal puts a hash behind `SESS`.
    let last_letters = || letters(name).rev().skip_while(u8::is_ascii_digit);
    let (first, last) = (letters(name).next(), last_letters().next());
    // Nearly all names end here.
    if !matches!(last, Some(b'd' | b'e' | b'h' | b'l' | b'n' | b'r' | b's' | b't' | b'y'))
        && !matches!(first, Some(b'a' | b's' | b'w'))
    {
        return false;
    }
    let ends_with =
        |word: &&[u8]| last == word.last().copied() && word.iter().rev().copied().eq(last_letters().take(word.len()));
    let begins_with =
        |word: &&[u8]| first == word.first().copied() && word.iter().copied().eq(letters(name).take(word.len()));
    let found = ENDINGS.iter().any(ends_with) || BEGINNINGS.iter().any(begins_with);
    found && !HARMLESS.iter().any(|word| memchr::memmem::find(&normalize(name), word).is_some())
}
