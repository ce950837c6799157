//! A second look at what should be clean: nothing of the engine is used here, so that a mistake there does not vouch for
//! itself. It is cruder: it knows tokens with a readable header, and what follows `Bearer` and `access_token=`.
//!
//! What it *suspects* is for people to judge. A *survivor* it takes for certain: the agent stops at one, so that each of
//! them must be what the engine always finds.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use memchr::memmem;
use regex_automata::meta::Regex;
use std::ops::Range;
use std::sync::LazyLock;

/// Longer runs are looked at up to here.
pub(crate) const LINE_BYTES_MAX: usize = 256 << 10;
/// As much of a header is decoded.
const HEADER_BYTES_MAX: usize = 8 << 10;
/// Shorter ones are too often something else.
const TOKEN_LEN_MIN: usize = 16;
/// What is longer is reported up to here.
const TOKEN_LEN_MAX: usize = 4 << 10;

const JOSE: &str = "a token with a JOSE header";
const BEARER: &str = "a token after Bearer";
const ACCESS_TOKEN: &str = "a value of access_token";

/// What looks like a credential and begins before `end`, in order, with what it looks like.
pub(crate) fn suspects(text: &[u8], end: usize) -> Vec<(Range<usize>, &'static str)> {
    let mut ranges = [jose(text, end), after_names(text, end)].concat();
    ranges.sort_by_key(|(range, _)| range.start);
    ranges
}

/// What is a credential beyond doubt, in order, with what it is. `stays` says which may be there.
pub fn survivor(text: &[u8], stays: impl Fn(&[u8]) -> bool) -> Option<&'static str> {
    SURVIVORS.find_iter(text).find_map(|found| {
        let (name, is_certain) = NAMES[found.pattern().as_usize()];
        let value = match text[found.range()].rsplit(|byte| b"= \t".contains(byte)).find(|rest| !rest.is_empty()) {
            Some(value) if is_apart(text, found.range()) => value,
            _ => return None,
        };
        // What may stay may have a sentence's dot behind it.
        let signs = value.iter().rev().take_while(|byte| !byte.is_ascii_alphanumeric()).count();
        let bare = &value[..value.len() - signs];
        (is_certain(value) && !stays(value) && !stays(bare)).then_some(name)
    })
}

type Judge = fn(&[u8]) -> bool;

/// By the number of the pattern: what it finds, and when its value is beyond doubt.
const NAMES: [(&str, Judge); 3] = [(JOSE, is_jwt), (BEARER, is_minted), (ACCESS_TOKEN, is_minted)];

static SURVIVORS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new_many(&[
        r"(?-u)eyJ[A-Za-z0-9_-]{9,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{22,}",
        r#"(?-u)(?i:authorization)["']?[ \t]*[:=][ \t]*["']?(?i:bearer)[ \t]+[A-Za-z0-9._~+/-]{20,}"#,
        r"(?-u)access_token=[A-Za-z0-9._~-]{20,}",
    ])
    .expect("the patterns are constant")
});

/// Nothing stands before and behind it that could make it a part of something else. An opening bracket behind a value makes
/// it a name.
fn is_apart(text: &[u8], range: Range<usize>) -> bool {
    let is_one_of = |ends: &[u8], byte: Option<&u8>| byte.is_none_or(|byte| ends.contains(byte));
    is_one_of(b" \t\r\n\"'?&,()[]{}<>;", text[..range.start].last())
        && is_one_of(b" \t\r\n\"'?&,)]}<>;", text.get(range.end))
}

fn is_jwt(token: &[u8]) -> bool {
    let header = token.split(|&byte| byte == b'.').next().unwrap_or_default();
    header.len() <= HEADER_BYTES_MAX && is_header(header)
}

/// No word, number or template: letters and digits change places too often.
fn is_minted(token: &[u8]) -> bool {
    const CHANGES_MIN: usize = 5;
    let is_mixed = |pair: &&[u8]| {
        pair.iter().all(u8::is_ascii_alphanumeric) && pair[0].is_ascii_digit() != pair[1].is_ascii_digit()
    };
    // A lone JOSE header is nothing secret.
    !token.starts_with(b"eyJ") && looks_random(token) && token.windows(2).filter(is_mixed).count() >= CHANGES_MIN
}

/// A header that decodes to an object with `alg` or `enc`, and a dot and more behind it.
fn jose(text: &[u8], end: usize) -> Vec<(Range<usize>, &'static str)> {
    const LEN_MIN: usize = 12;
    /// So many beginnings are tried in one run of base64, so that a hostile one costs linear time.
    const TRIES_MAX: usize = 16;
    let mut found = Vec::new();
    let (mut run_end, mut tries) = (0, 0);
    for at in memchr::memchr_iter(b'e', text).take_while(|&at| at < end) {
        if !matches!(text.get(at + 1), Some(b'y' | b'w')) {
            continue;
        }
        if at >= run_end {
            (run_end, tries) = (at + run_len(&text[at..], is_base64url), 0);
        }
        let header = &text[at..run_end.min(at + HEADER_BYTES_MAX)];
        if header.len() < LEN_MIN || tries == TRIES_MAX {
            continue;
        }
        let Some(dot_len) = dot_len(&text[run_end..]) else { continue };
        let payload_len = run_len(&text[run_end + dot_len..], is_base64url);
        tries += 1;
        if payload_len > 0 && is_header(header) {
            found.push((at..run_end + dot_len + payload_len, JOSE));
            tries = TRIES_MAX;
        }
    }
    found
}

fn is_header(characters: &[u8]) -> bool {
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone);
    let whole = if characters.len() % 4 == 1 { &characters[..characters.len() - 1] } else { characters };
    let Ok(decoded) = GeneralPurpose::new(&URL_SAFE, config).decode(whole) else { return false };
    let holds = |name: &[u8]| memmem::find(&decoded, name).is_some();
    decoded.starts_with(b"{") && (holds(b"\"alg\"") || holds(b"\"enc\""))
}

fn dot_len(text: &[u8]) -> Option<usize> {
    [&b"."[..], b"%2E", b"%2e", b"%252E", b"\\u002e", b"\\u002E", b"&#46;"]
        .into_iter()
        .find(|dot| text.starts_with(dot))
        .map(<[u8]>::len)
}

/// What follows `Bearer` or `access_token=` and mixes letters and digits.
fn after_names(text: &[u8], end: usize) -> Vec<(Range<usize>, &'static str)> {
    let mut found = Vec::new();
    for (name, like) in [(&b"earer"[..], BEARER), (b"EARER", BEARER), (b"access_token=", ACCESS_TOKEN)] {
        for at in memmem::find_iter(text, name).take_while(|&at| at < end) {
            let mut start = at + name.len();
            if !name.ends_with(b"=") {
                let blanks = run_len(&text[start..], |byte| matches!(byte, b' ' | b'\t' | b'+'));
                let encoded = text[start..].starts_with(b"%20");
                let before = text[..at].strip_suffix(b"b").or(text[..at].strip_suffix(b"B"));
                if before.is_none_or(names_a_type) || blanks == 0 && !encoded {
                    continue;
                }
                start += if encoded { 3 } else { blanks };
            }
            let len = run_len(&text[start..text.len().min(start + TOKEN_LEN_MAX)], is_token);
            if looks_random(&text[start..start + len]) {
                found.push((start..start + len, like));
            }
        }
    }
    found
}

/// `token_type=`, `"tokenType": "`: the word is the value of a field, and what follows is another one.
fn names_a_type(before: &[u8]) -> bool {
    const BETWEEN_LEN_MAX: usize = 8;
    let between = before.iter().rev().take(BETWEEN_LEN_MAX).take_while(|&&byte| b"\\\"'=: ".contains(&byte)).count();
    between > 0 && before[..before.len() - between].ends_with(b"ype")
}

fn looks_random(token: &[u8]) -> bool {
    let count = |is: fn(&u8) -> bool| token.iter().filter(|&byte| is(byte)).count();
    let is_long = token.len() >= TOKEN_LEN_MIN;
    // Padding ends a token; elsewhere `=` stands between a field of the log and its value.
    let padding = token.iter().position(|&byte| byte == b'=').unwrap_or(token.len());
    let is_field = token[padding..].iter().any(|&byte| byte != b'=');
    is_long
        && !is_field
        && count(u8::is_ascii_digit) >= 2
        && count(u8::is_ascii_alphabetic) >= 2
        && memmem::find(token, b"redacted-").is_none()
}

fn run_len(text: &[u8], is: impl Fn(u8) -> bool) -> usize {
    text.iter().take(LINE_BYTES_MAX).position(|&byte| !is(byte)).unwrap_or(text.len().min(LINE_BYTES_MAX))
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// RFC 6750 §2.1.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}
