//! Whether a decision is called for at an anchor. Most anchors of a log are other words with the same letters, prose, and
//! URLs without a user part, and a decision costs more than a look at the bytes around them.
//!
//! Nothing here decides: what is passed over is what every decision would pass over too. Where the bytes that tell are
//! not at hand yet, a decision is called for.

use super::anchors::Anchor;
use super::characters::is_base64;
use super::context;
use super::literals::Beside;
use super::names::{self, Class, NAME_LEN_MAX, is_name_byte};
use super::ranges::{self, Ranges};
use super::userinfo;
use std::ops::Range;

const ANY: u8 = 1;

/// Bytes before an anchor.
mod before {
    pub const BEARER: u8 = 1 << 1;
    pub const AUTHORIZATION: u8 = 1 << 2;
    pub const VALUE: u8 = 1 << 3;
}

/// Bytes behind an anchor.
mod behind {
    /// What can separate a name from its value.
    pub const NAME: u8 = 1 << 1;
    /// The same for a scheme and its credentials.
    pub const SCHEME: u8 = 1 << 2;
    /// A quote, or what escapes it.
    pub const QUOTE: u8 = 1 << 3;
    /// `ation`
    pub const AUTHORIZATION: u8 = 1 << 4;
    /// `id_token_hint` and `cookies` go on behind the anchor.
    pub const HINT: u8 = 1 << 5;
    pub const PLURAL: u8 = 1 << 6;
}

/// The classes of each byte.
pub(super) static CLASSES: [Beside; 256] = {
    let mut classes = [Beside { before: ANY, behind: ANY }; 256];
    let mut index = 0;
    while index < 256 {
        let byte = index as u8;
        let Beside { before, behind } = &mut classes[index];
        match byte {
            b'b' | b'B' => *before |= before::BEARER,
            b'o' | b'O' => *before |= before::AUTHORIZATION,
            b'a' => *before |= before::VALUE,
            _ => {}
        }
        match byte {
            b'"' | b'\'' | b'`' | b'\\' => *behind |= behind::NAME | behind::SCHEME | behind::QUOTE,
            b' ' | b'\t' | b'\r' | b'\n' | 0x1b | b'%' | b'&' | b']' | b'=' | b':' | b'>' => {
                *behind |= behind::NAME | behind::SCHEME;
            }
            b'+' | b',' => *behind |= behind::SCHEME,
            b'a' | b'A' => *behind |= behind::AUTHORIZATION,
            b'_' | b'h' | b'H' => *behind |= behind::HINT,
            b's' => *behind |= behind::PLURAL,
            _ => {}
        }
        index += 1;
    }
    classes
};

/// What stands directly beside an anchor.
pub(super) fn beside(anchor: Anchor, literal: &[u8]) -> Beside {
    let (before, behind) = match anchor {
        Anchor::Scheme => (before::BEARER, behind::SCHEME),
        Anchor::Authorization => (before::AUTHORIZATION, behind::AUTHORIZATION),
        Anchor::Value => (before::VALUE, ANY),
        Anchor::Name => (ANY, behind::NAME | behind::HINT),
        Anchor::Cookie => (ANY, behind::NAME | behind::PLURAL),
        Anchor::Signature { .. } if literal.ends_with(b"ignature") => (ANY, behind::NAME),
        Anchor::Member => (ANY, behind::QUOTE),
        _ => (ANY, ANY),
    };
    Beside { before, behind }
}

/// Whether what is behind an anchor may call for a decision, by a look that is cheap enough for the search itself.
#[inline(always)]
pub(super) fn may_be_wanted(anchor: Anchor, behind: &[u8]) -> bool {
    !(anchor == Anchor::Authority { encoded: false } && userinfo::ends_soon(behind))
}

/// Whether a decision is called for at a literal. Decisions don't look before `floor`, and what is there may be anything.
pub(super) fn is_wanted(anchor: Anchor, text: &[u8], floor: usize, literal: &Range<usize>) -> bool {
    let floor = floor.min(literal.start);
    let (before, behind) = (&text[floor..literal.start], &text[literal.end..]);
    match anchor {
        Anchor::Authority { encoded: false } => userinfo::may_begin(behind) != Some(false),
        Anchor::Jose => may_be_object(behind),
        Anchor::Authorization => {
            before.last_chunk::<5>().is_none_or(|start| start.eq_ignore_ascii_case(b"autho"))
                && behind.first_chunk::<5>().is_none_or(|end| end.eq_ignore_ascii_case(b"ation"))
                && may_name(before, behind.get(5..).unwrap_or_default())
        }
        Anchor::Name if text[literal.clone()] == *b"code" && !may_begin_code(before) => false,
        Anchor::Name => may_name(before, behind) && may_be_named(&text[floor..literal.end], behind),
        Anchor::Scheme => may_be_scheme(before, behind),
        Anchor::Cookie => may_hold_session(behind),
        // `-user-id`, `-u 1000` apart.
        Anchor::User if text[literal.clone()] == *b"-user" => behind.first().is_none_or(|&byte| !is_name_byte(byte)),
        Anchor::Value => before.ends_with(b"va"),
        _ => true,
    }
}

/// Whether base64 that begins with two or three characters of an object is long enough for one, as far as it is at hand.
fn may_be_object(behind: &[u8]) -> bool {
    const LEN_MIN: usize = 8;
    let end = behind.iter().take(LEN_MIN).find(|&&byte| !is_base64(byte));
    // It may go on behind what an encoder puts between, or in the next line.
    end.is_none_or(|byte| matches!(byte, b'=' | b'%' | b'\\' | b'&' | b'.' | b'\r' | b'\n' | 0x1b))
}

/// Whether the word before `code` may be one that belongs to the names of credentials: not that of `status_code`.
fn may_begin_code(before: &[u8]) -> bool {
    match before {
        // The last letters of `auth`, `authorization`, `device`.
        [.., last, b'_' | b'-'] if last.is_ascii_alphanumeric() => b"hneHNE".contains(last),
        _ => true,
    }
}

/// Whether what is behind a name may separate it from a value: not the next word of a sentence, nor the rest of the name.
fn may_name(before: &[u8], behind: &[u8]) -> bool {
    match behind {
        [b'_', next, ..] => next.eq_ignore_ascii_case(&b'h'),
        // A column may be called `value`.
        [b' ', b'v' | b'V', ..] => true,
        [b' ', next, ..] if next.is_ascii_alphanumeric() || matches!(next, b'(' | b'.' | b'/' | b'-' | b'#') => {
            may_be_tag_or_option(before)
        }
        // The value may stand in the next line: `key: token`.
        [b'\r' | b'\n', ..] => {
            let (lead, _) = split_name(before, is_name_byte);
            lead.is_empty() || lead.ends_with(b"=") || lead.ends_with(b": ")
        }
        [byte, ..] => CLASSES[usize::from(*byte)].behind & (behind::NAME | behind::HINT) != 0,
        [] => true,
    }
}

/// Whether a name that ends with `name`, or goes on behind it, is that of a credential, and not one of several strings.
fn may_be_named(name: &[u8], behind: &[u8]) -> bool {
    // The name may go on, or be part of a text in an encoding.
    if matches!(behind, [] | [b'_' | b'h' | b'H' | b'%' | b'&', ..]) {
        return true;
    }
    let begin = name.len().saturating_sub(NAME_LEN_MAX);
    let Some(class) = names::classify_text(&name[begin..], &[]) else { return false };
    // `error="invalid_token", scope=`
    let in_list = matches!(behind, [b'"' | b'\'', b',', b' ', first, second, ..]
        if first.is_ascii_alphabetic() && second.is_ascii_alphabetic());
    !(in_list && matches!(class, Class::Token | Class::Code)) || may_be_tag_or_option(name)
}

/// Whether a credential may follow `bearer`, of which `before` has the first letter: not `token_type=Bearer`, not the
/// parameters of a challenge, not a short word.
fn may_be_scheme(before: &[u8], behind: &[u8]) -> bool {
    const WORD_LEN_MAX: usize = 4;
    const PARAMETERS: [&[u8]; 3] = [b"realm=", b"error=", b"scope="];
    let [b' ', text @ ..] = behind else { return true };
    let word = text.iter().take(WORD_LEN_MAX + 2).take_while(|byte| byte.is_ascii_lowercase()).count();
    let is_word = match text.get(word) {
        Some(b' ' | b',') => (1..=WORD_LEN_MAX).contains(&word),
        // `token` is a word too, but for what may follow it in the same line.
        Some(b'\n' | b')' | b'"') => (1..=WORD_LEN_MAX).contains(&word) || text[..word] == *b"token",
        _ => false,
    };
    let is_field = text.first().is_some_and(|first| first.is_ascii_lowercase() && *first != b'v');
    let rejected = is_word
        || PARAMETERS.iter().any(|name| text.starts_with(name))
        || is_field && context::is_token_type(&before[before.len().saturating_sub(48)..], 1);
    !rejected || may_be_tag_or_option(before)
}

/// Whether the cookie header that goes on with `behind` may hold a session: not `Set-Cookie: theme=dark; Path=/`. That is told
/// of headers that stand in a line as they are.
fn may_hold_session(behind: &[u8]) -> bool {
    const LINE_LEN_MAX: usize = 1024;
    let line = behind.strip_prefix(b"s").unwrap_or(behind);
    let line = &line[..line.len().min(LINE_LEN_MAX)];
    let Some(end) = memchr::memchr(b'\n', line) else { return true };
    let line = line[..end].strip_suffix(b"\r").unwrap_or(&line[..end]);
    let [b':', b' ', cookies @ ..] = line else { return true };
    // What is quoted, encoded or in a list, and what goes on in the next line.
    let is_plain = ranges::position(cookies, NOT_PLAIN).is_none();
    if !is_plain || matches!(cookies.last(), None | Some(b' ' | b';' | b',')) {
        return true;
    }
    memchr::memchr2_iter(b'=', b':', cookies).any(|end| {
        let name = &cookies[..end];
        let start = name.iter().rposition(|&byte| matches!(byte, b' ' | b';' | b',' | b'=')).map_or(0, |at| at + 1);
        names::is_credential_cookie(&name[start..])
    })
}

/// Control characters, quotes, brackets, and what begins an encoding.
const NOT_PLAIN: Ranges<7> =
    [(0, 0x1f), (b'"', b'"'), (b'%', b'('), (b'<', b'<'), (b'[', b'\\'), (b'`', b'`'), (b'{', b'|')];

/// Whether the name whose last letters come next may be an element with attributes or a command's option, which need no
/// sign behind them.
fn may_be_tag_or_option(before: &[u8]) -> bool {
    let (lead, name) = split_name(before, |byte| is_name_byte(byte) || byte == b':');
    let is_option = name.starts_with(b"--") || memchr::memmem::find(name, b":--").is_some();
    // What is before the text at hand or before the longest name may be anything.
    lead.is_empty() || lead.ends_with(b"<") || lead.ends_with(b"&lt;") || is_option
}

/// What comes before the name that `text` ends with, and the name.
fn split_name(text: &[u8], is_of_name: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let text = &text[text.len().saturating_sub(NAME_LEN_MAX)..];
    let start = text.iter().rposition(|&byte| !is_of_name(byte)).map_or(0, |at| at + 1);
    text.split_at(start)
}
