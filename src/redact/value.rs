//! Credentials that are known by their context: where one ends, whether it is one, and its way into the digest.
//!
//! # The decision rule
//!
//! The context says how much it proves ([`Trust`]), the characters say what a value looks like ([`Shape`]: random, a number,
//! or words). What is a credential:
//!
//! | trust | where | random | number | words | a sentence |
//! |---|---|---|---|---|---|
//! | `Member` | the whole value of a JSON member that is named as a credential | yes | yes | yes | yes |
//! | `Named` | behind an authorization header's scheme; behind a name that always has one, in a header, a query or quotes | yes | 4 digits or more | yes (1) | if a piece is random |
//! | `Scheme` | behind `Bearer` alone; behind an option | 6 characters or more (2) | 10 digits or more | no | no |
//! | `Random` | behind `token` and its like; wherever prose could stand | 6 characters or more (3) | no | no | no |
//! | `Code` | behind `code` and `signature`, in a sentence | 10 characters or more (4) | no | no | no |
//!
//! Why: in a header nothing but a credential can stand, and one that escaped because it looks like a word would be a leak.
//! The less a context proves, the more the value has to, since most words `token` and `bearer` in logs are prose.
//!
//! Never a credential, unless it is the beginning of something longer: what only stands for one (`null`, `***`, `<token>`,
//! `$TOKEN`, `expired`), and the name of a credential with its own value behind it (that one is looked at by itself).
//! 1. but for source code: `access_token=self.access_token`, `access_token=access_token`;
//! 2. but for names of things with a short number: `node-1a2b3c`;
//! 3. but for addresses of contracts, `0x` and 40 hexadecimal digits, and for colours, `#f8f8f2`;
//! 4. but for what has capitals and digits alone and is short: `SUMMER2023`, `AADSTS50058`, and for `0x…`.

use super::cursor::{Cursor, More};
use super::fingerprint::Digester;
use super::grammar::{Grammar, SoFar};
use super::marker::{Template, marker_len};
use super::names::{self, Class};
use super::trace::Rejection;
use super::word::{Shape, is_placeholder, shape};
use std::borrow::Cow;

/// How much a context proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// The value of a member that holds nothing else: a sentence too.
    Member,
    /// Whatever stands there is a credential, unless it is a placeholder.
    Named,
    /// It must not look like a word; a number must be long.
    Scheme,
    /// It must look random.
    Random,
    /// It must look random, and not be an error code.
    Code,
}

/// As much of a value is looked at to tell it from a word.
const SAMPLE_LEN: usize = 128;

/// The beginning of a value, as far as a decision needs it.
pub(super) struct Sample<'a> {
    /// Its transport encoding removed.
    text: Cow<'a, [u8]>,
    /// Where it ends in the bytes at hand, or where reading stopped.
    end: usize,
    /// Whether that is all of it.
    whole: bool,
    grammar: Grammar,
    /// It ends at a marker: some of it was replaced already.
    at_marker: bool,
}

impl<'a> Sample<'a> {
    /// Reads the beginning of the value at `at`. A marker ends it.
    pub fn read(at: &Cursor<'a>, grammar: Grammar, template: &Template) -> Result<Self, More> {
        let (mut len, mut decoded) = (0, None::<Vec<u8>>);
        let (mut whole, mut at_marker) = (false, false);
        let mut cursor = *at;
        let mut so_far = SoFar::NOTHING;
        while len < SAMPLE_LEN {
            let rest = cursor.rest();
            let plain = grammar.plain_run(&rest[..rest.len().min(SAMPLE_LEN - len)], template);
            if plain > 0 {
                let run = &rest[..plain];
                if let Some(decoded) = &mut decoded {
                    decoded.extend_from_slice(run);
                }
                so_far.take_run(run);
                len += plain;
                cursor.at += plain;
                continue;
            }
            let unit = match grammar.next(&cursor, &so_far)? {
                Some(unit) if !is_marker(&cursor, template)? => unit,
                unit => {
                    (whole, at_marker) = (true, unit.is_some());
                    break;
                }
            };
            if unit.len > 1 || decoded.is_some() {
                decoded.get_or_insert_with(|| at.rest()[..len].to_vec()).push(unit.byte);
            }
            so_far.take(unit);
            len += 1;
            cursor.at += unit.len;
        }
        let text = decoded.map_or_else(|| Cow::Borrowed(&at.rest()[..len]), Cow::Owned);
        Ok(Self { text, end: cursor.at, whole, grammar, at_marker })
    }

    fn text(&self) -> &[u8] {
        &self.text
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether it is itself a credential's name with a value, as in `token: access_token=…`: the inner name knows better.
    pub fn names_a_value(&self) -> bool {
        let text = self.text();
        let name = text.split(|&byte| byte == b'=').next().unwrap_or_default();
        name.len() < text.len()
            && matches!(names::classify_text(name, &[]), Some(Class::Credential | Class::Authorization))
    }

    /// Where it ends, or where so much of it ends as was read.
    pub fn end(&self) -> usize {
        self.end
    }

    /// Whether it looks random, and is at least so long.
    pub fn is_random(&self, len_min: usize) -> bool {
        self.text.len() >= len_min && (!self.whole || shape(self.text()) == Shape::Random)
    }

    /// `access_token=self.access_token`, `refresh_token=refresh_token`, `access_token=valid_token`
    fn is_source_code(&self) -> bool {
        let text = self.text();
        let dotted = self.grammar == Grammar::Param && text.contains(&b'.');
        let named = matches!(names::classify_text(text, &[]), Some(Class::Credential | Class::Token));
        dotted || self.whole && named && text.contains(&b'_')
    }

    /// Whether it is a credential, by the rule at the top of this file; see [`super::word`] for what looks random.
    pub fn is_credential(&self, trust: Trust) -> bool {
        const SCHEME_LEN_MIN: usize = 6;
        const SCHEME_DIGITS_MIN: usize = 10;
        const CODE_LEN_MIN: usize = 10;
        const NAMED_DIGITS_MIN: usize = 4;
        let text = self.text();
        if text.is_empty() || (self.whole && is_stand_in(text)) {
            return false;
        }
        // What was found inside such a text before was found by its own context, not as part of this value.
        let weak = !matches!(trust, Trust::Named | Trust::Member);
        if weak && self.at_marker && matches!(self.grammar, Grammar::Quoted(_) | Grammar::Whole) {
            return false;
        }
        if trust != Trust::Member && self.names_a_value() {
            return false;
        }
        if text.iter().any(|byte| byte.is_ascii_whitespace()) {
            // Only a quoted string has blanks: a sentence is none.
            let mut pieces = text.split(|byte| byte.is_ascii_whitespace()).filter(|piece| !piece.is_empty());
            return trust == Trust::Member
                || trust == Trust::Named && pieces.any(|piece| shape(piece) == Shape::Random);
        }
        let shape = if self.whole { shape(text) } else { Shape::Random };
        match trust {
            Trust::Member => true,
            // A count or a flag.
            Trust::Named if shape == Shape::Number => text.len() >= NAMED_DIGITS_MIN,
            // `access_token=self.access_token` in a traceback.
            Trust::Named => !(shape == Shape::Word && self.is_source_code()),
            Trust::Scheme => match shape {
                Shape::Word => false,
                Shape::Number => text.len() >= SCHEME_DIGITS_MIN,
                Shape::Random => text.len() >= SCHEME_LEN_MIN && !is_named_thing(text),
            },
            Trust::Random => {
                shape == Shape::Random && text.len() >= SCHEME_LEN_MIN && !is_address(text) && !is_colour(text)
            }
            Trust::Code => {
                shape == Shape::Random && text.len() >= CODE_LEN_MIN && !text.starts_with(b"0x") && !is_error_code(text)
            }
        }
    }
}

impl Sample<'_> {
    /// Why this is no credential, which is known.
    pub fn why_not(&self, trust: Trust) -> Rejection {
        let text = self.text();
        if text.is_empty() {
            return Rejection::Empty;
        }
        if self.whole && is_stand_in(text) {
            return Rejection::Placeholder;
        }
        if self.at_marker {
            return Rejection::Replaced;
        }
        if trust != Trust::Member && self.names_a_value() {
            return Rejection::InnerName;
        }
        if text.iter().any(u8::is_ascii_whitespace) {
            return Rejection::Sentence;
        }
        match shape(text) {
            Shape::Word => Rejection::Word,
            Shape::Number => Rejection::Number,
            Shape::Random => Rejection::TooShort,
        }
    }
}

/// `0x` and 40 hexadecimal digits: the address of a contract, which in ledgers is called a token.
fn is_address(text: &[u8]) -> bool {
    text.len() == 42 && text.starts_with(b"0x") && text[2..].iter().all(u8::is_ascii_hexdigit)
}

/// `#f8f8f2`: themes have a colour for tokens.
fn is_colour(text: &[u8]) -> bool {
    matches!(text, [b'#', digits @ ..] if matches!(digits.len(), 6 | 8) && digits.iter().all(u8::is_ascii_hexdigit))
}

/// `node-1a2b3c`: a word and a short number.
fn is_named_thing(text: &[u8]) -> bool {
    const WORD_LEN_MIN: usize = 4;
    const NUMBER_LEN_MAX: usize = 8;
    let word = text.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
    let rest = &text[word..];
    word >= WORD_LEN_MIN
        && (2..=NUMBER_LEN_MAX + 1).contains(&rest.len())
        && rest[0] == b'-'
        && rest[1..].iter().all(u8::is_ascii_alphanumeric)
        && shape(&text[..word]) == Shape::Word
}

/// `AADSTS50058`, `SUMMER2023`, `XMAS-7F3K-9Q2D`
fn is_error_code(text: &[u8]) -> bool {
    const LEN_MAX: usize = 24;
    let is_capital = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    text.len() < LEN_MAX && text[0].is_ascii_uppercase() && text.iter().all(is_capital)
}

/// `<token>`, `$TOKEN`, `${…}`, `{{ … }}`, `[REDACTED]`: what stands for a value in templates.
fn is_template(text: &[u8]) -> bool {
    match text {
        // The closing one may not belong to the value's grammar.
        [b'<' | b'[' | b'{', inner @ ..] => {
            inner.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"_-.: {}>]".contains(&byte))
                && inner.split(|byte| b" {}>]".contains(byte)).all(|piece| shape(piece) != Shape::Random)
        }
        [b'$', rest @ ..] => {
            // Of Perl and PHP: `$token`, `$entry->`.
            let name = rest.strip_suffix(b">").unwrap_or(rest);
            let name = name.strip_suffix(b"-").unwrap_or(name);
            rest.starts_with(b"{")
                || rest.starts_with(b"(")
                || name.iter().all(|&byte| byte.is_ascii_lowercase() || byte == b'_')
                || rest.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
        }
        [b'%', ..] => text.len() <= 3,
        _ => false,
    }
}

/// Whether a whole value only stands where a credential would.
pub(super) fn is_stand_in(text: &[u8]) -> bool {
    is_placeholder(text) || is_template(text)
}

#[inline]
fn is_marker(at: &Cursor<'_>, template: &Template) -> Result<bool, More> {
    Ok(at.peek()? == Some(template.first()) && marker_len(at, template)?.is_some())
}

/// An opaque credential on its way through.
#[derive(Clone)]
pub(super) struct Body {
    grammar: Grammar,
    digester: Digester,
    so_far: SoFar,
}

impl Body {
    pub fn new(grammar: Grammar, digester: Digester) -> Self {
        Self { grammar, digester, so_far: SoFar::NOTHING }
    }

    pub fn into_digester(self) -> Digester {
        self.digester
    }

    /// Takes as many characters as are decided; true at the end of the value, which is at a marker too.
    pub fn advance(&mut self, at: &Cursor<'_>, template: &Template) -> (usize, bool) {
        let mut cursor = *at;
        loop {
            match self.step(&mut cursor, template) {
                Ok(true) => {}
                Ok(false) => return (cursor.at - at.at, true),
                Err(More) => return (cursor.at - at.at, false),
            }
        }
    }

    fn step(&mut self, cursor: &mut Cursor<'_>, template: &Template) -> Result<bool, More> {
        let plain = self.grammar.plain_run(cursor.rest(), template);
        if plain > 0 {
            let run = &cursor.rest()[..plain];
            self.digester.update(run);
            self.so_far.take_run(run);
            cursor.at += plain;
            return Ok(true);
        }
        let unit = match self.grammar.next(cursor, &self.so_far)? {
            Some(unit) if !is_marker(cursor, template)? => unit,
            _ => return Ok(false),
        };
        self.digester.update(&[unit.byte]);
        self.so_far.take(unit);
        cursor.at += unit.len;
        Ok(true)
    }
}
