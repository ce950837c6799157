//! User and password: before the host of a URL (RFC 3986 §3.2.1), and as an option of a command.

use super::context::Span;
use super::cursor::{Cursor, More};
use super::finding::Kind;
use super::fingerprint::MARKER_PREFIX;
use super::ranges::{self, Ranges};
use super::value::is_stand_in;
use super::word::{Shape, shape};
use std::ops::Range;

/// More than any user name and password; tokens of JOSE are found by themselves.
const USERINFO_LEN_MAX: usize = 2048;
/// As much of a part is looked at.
const SAMPLE_LEN: usize = 256;

/// The credentials behind `://`. `encoded` says that the slashes are percent-encoded, and so is what separates the parts.
pub(super) fn read(at: &Cursor<'_>, encoded: bool) -> Result<Vec<Span>, More> {
    if !encoded {
        let whole = at.rest_is_all() || at.rest().len() >= USERINFO_LEN_MAX;
        match may_begin(at.rest()) {
            Some(true) => {}
            None if !whole => return Err(More),
            _ => return Ok(Vec::new()),
        }
    }
    match Parts::read(at, encoded)? {
        Some(parts) => parts.credentials(at),
        None => Ok(Vec::new()),
    }
}

/// Whether a user part comes before a host, if that can be said. Nearly every URL ends its host before any `@`.
#[inline]
pub(super) fn may_begin(text: &[u8]) -> Option<bool> {
    let text = &text[..text.len().min(USERINFO_LEN_MAX)];
    let mut at = 0;
    loop {
        at += ranges::position(&text[at..], AUTHORITY_ENDS)?;
        match text[at] {
            b'@' => return Some(true),
            // Of a character reference: `&#x2e;`.
            b'#' if at > 0 && text[at - 1] == b'&' => at += 1,
            _ => return Some(false),
        }
    }
}

/// Whether the host ends among the next bytes without a user part before it. False says nothing.
#[inline(always)]
pub(super) fn ends_soon(text: &[u8]) -> bool {
    let Some(text) = text.first_chunk() else { return false };
    let len = ranges::bits(text, AUTHORITY_ENDS).trailing_zeros() as usize;
    text.get(len).is_some_and(|byte| !matches!(byte, b'@' | b'#'))
}

/// What ends a URL's part before its path, or its user part: all up to a blank, `"#/<>?@`.
const AUTHORITY_ENDS: Ranges<5> = [(0, b' '), (b'"', b'#'), (b'/', b'/'), (b'<', b'<'), (b'>', b'@')];

struct Parts {
    user: Range<usize>,
    password: Option<Range<usize>>,
}

impl Parts {
    fn read(at: &Cursor<'_>, encoded: bool) -> Result<Option<Self>, More> {
        let mut cursor = *at;
        let (mut user_end, mut password_start, mut last_at) = (None, None, None);
        let mut before = 0;
        let mut is_port = true;
        while cursor.at - at.at < USERINFO_LEN_MAX {
            let Some(unit) = cursor.unit()? else { break };
            let plain = unit.len == 1 || encoded;
            match unit.byte {
                // Of several the last one counts.
                b'@' if plain => last_at = Some(cursor.at),
                b':' if plain && password_start.is_none() && last_at.is_none() => {
                    user_end = Some(cursor.at);
                    password_start = Some(cursor.at + unit.len);
                }
                b'/' | b'?' | b'#' if plain || !encoded && unit.byte == b'/' && cursor.peek()? == Some(b'\\') => break,
                0..=b' ' | b'"' | b'\'' | b'<' | b'>' | b'`' | b'\\' | 0x7f.. if plain => break,
                // No part of a URL, but of passwords that nobody encoded.
                b'{' | b'}' | b'[' | b']' | b'^' | b'|'
                    if plain && (password_start.is_none_or(|start| start == cursor.at) || before == b'$') =>
                {
                    break;
                }
                _ if password_start.is_some() && last_at.is_none() && is_port => {
                    // `http://localhost:3000,joe@…` is a port and something else; a password can be `2024_…` or `12!…`.
                    let digits = cursor.at - password_start.unwrap_or(cursor.at);
                    if b",;&|)]}".contains(&unit.byte) && (1..=5).contains(&digits) {
                        return Ok(None);
                    }
                    is_port = unit.byte.is_ascii_digit();
                }
                _ => {}
            }
            before = unit.byte;
            cursor.at += unit.len;
        }
        let Some(end) = last_at else { return Ok(None) };
        // A container image and its digest.
        let mut host = *at;
        host.at = end + 1;
        if host.starts_with(b"sha256:")? || host.starts_with(b"sha512:")? {
            return Ok(None);
        }
        let user = at.at..user_end.unwrap_or(end);
        Ok(Some(Self { user, password: password_start.map(|start| start..end) }))
    }

    fn credentials(self, at: &Cursor<'_>) -> Result<Vec<Span>, More> {
        const USER_LEN_MIN: usize = 16;
        let user = Text::read(at, &self.user)?;
        let token = user.bytes().len() >= USER_LEN_MIN
            && user.is_token_like()
            && !holds_marker(&user)
            && shape(user.bytes()) == Shape::Random;
        let Some(range) = self.password.filter(|range| !range.is_empty()) else {
            let kind = Kind::Token;
            return Ok(token.then_some(Span { range: self.user, kind }).into_iter().collect());
        };
        let password = Text::read(at, &range)?;
        let mut spans = Vec::new();
        if token {
            spans.push(Span { range: self.user, kind: Kind::Token });
        }
        if !password.is_stand_in_for_password() {
            spans.push(Span { range, kind: password.kind(user.bytes()) });
        }
        Ok(spans)
    }
}

/// Whether a part of the text was replaced: what is left was judged then.
fn holds_marker(text: &Text) -> bool {
    memchr::memmem::find(text.bytes(), MARKER_PREFIX).is_some()
}

/// The beginning of a part, its percent encoding removed.
struct Text {
    bytes: [u8; SAMPLE_LEN],
    len: usize,
    whole: bool,
}

impl Text {
    fn read(at: &Cursor<'_>, range: &Range<usize>) -> Result<Self, More> {
        let mut text = Self { bytes: [0; SAMPLE_LEN], len: 0, whole: false };
        let mut cursor = *at;
        cursor.at = range.start;
        while cursor.at < range.end && text.len < SAMPLE_LEN {
            let Some(unit) = cursor.unit()? else { break };
            text.bytes[text.len] = unit.byte;
            text.len += 1;
            cursor.at += unit.len;
        }
        text.whole = cursor.at >= range.end;
        Ok(text)
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn is_token_like(&self) -> bool {
        self.bytes().iter().all(|&byte| byte.is_ascii_alphanumeric() || b"-_.~+/=".contains(&byte))
    }

    /// What documentation writes for a password, and what hosts of repositories want beside a token.
    fn is_stand_in_for_password(&self) -> bool {
        const WORDS: [&[u8]; 8] =
            [b"pass", b"passwd", b"password", b"pwd", b"pw", b"secret", b"x-oauth-basic", b"password123"];
        let text = self.bytes();
        self.whole && (is_stand_in(text) || WORDS.iter().any(|word| text.eq_ignore_ascii_case(word)))
    }

    /// A password has no digest that guesses could be tried against. A token in its place has: its user's name says so, or
    /// it is long and nothing but random.
    fn kind(&self, user: &[u8]) -> Kind {
        const TOKEN_USERS: [&[u8]; 12] = [
            b"oauth2",
            b"x-access-token",
            b"x-token-auth",
            b"x-oauth-token",
            b"gitlab-ci-token",
            b"gitlab+deploy-token",
            b"private-token",
            b"oauth2accesstoken",
            b"__token__",
            b"token",
            b"bearer",
            b"access_token",
        ];
        const TOKEN_LEN_MIN: usize = 20;
        let text = self.bytes();
        let named = TOKEN_USERS.iter().any(|name| user.eq_ignore_ascii_case(name));
        let random = text.len() >= TOKEN_LEN_MIN && self.is_token_like() && shape(text) == Shape::Random;
        if named || random { Kind::Token } else { Kind::Basic }
    }
}

/// The password behind `-u`, `--user` and their like in a command of curl.
pub(super) fn option(end: &Cursor<'_>) -> Result<Vec<Span>, More> {
    const COMMAND_LEN_MAX: usize = 1024;
    let mut cursor = *end;
    // `"-u", "user:password"`, `--user=user:password`, `-u 'user:password'`
    for _ in 0..8 {
        match cursor.peek()? {
            Some(b' ' | b'"' | b'\'' | b',' | b'=') => cursor.at += 1,
            _ => break,
        }
    }
    if cursor.at == end.at && end.before(1) != b" " {
        return Ok(Vec::new());
    }
    let before = end.before(COMMAND_LEN_MAX);
    if memchr::memmem::find(before, b"curl").is_none() {
        return Ok(Vec::new());
    }
    let start = cursor.at;
    let mut password_start = None;
    while cursor.at - start < USERINFO_LEN_MAX {
        match cursor.peek()? {
            Some(b':') if password_start.is_none() => password_start = Some(cursor.at + 1),
            Some(0..=b' ' | b'"' | b'\'' | b'`') | None => break,
            Some(_) => {}
        }
        cursor.at += 1;
    }
    match password_start {
        Some(password) => {
            let parts = Parts { user: start..password - 1, password: Some(password..cursor.at) };
            parts.credentials(end)
        }
        None => Ok(Vec::new()),
    }
}
