//! What stands between a name or a scheme and its credential, as programs print it.

use super::cursor::{Cursor, More};
use super::finding::Kind;
use super::grammar::{Grammar, Quote};
use super::names::{self, Class, NAME_LEN_MAX, is_name_byte};
use super::scan::Carry;
use super::scheme::{Gap, Scheme};
use super::separator::{BLANKS_MAX, Operator, Separator, opens_tag, quote};
use super::value::Trust;
use super::{next_line, option, params};
use std::ops::Range;

/// Where a value begins, and what is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub at: usize,
    pub grammar: Grammar,
    pub trust: Trust,
    pub kind: Kind,
    /// The quotes that a replacement needs to keep JSON valid: the value is a number.
    pub requote: Option<Quote>,
}

/// A credential whose end is known already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub range: Range<usize>,
    pub kind: Kind,
}

/// What a context leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lead {
    Nothing,
    Value(Place),
    /// The line ends where the credential should stand: it may be folded into the next one (RFC 9112 §5.2).
    Folded {
        next_line: usize,
        carry: Carry,
    },
    /// The members of a cookie header begin here.
    Cookies {
        at: usize,
        quote: Option<Quote>,
    },
    /// Credentials that were read to their ends.
    Spans(Vec<Span>),
}

/// Follows a name that ends at `name_end`. What separates it from a value is read first: in prose nothing does.
pub(super) fn after_name(name_end: &Cursor<'_>, extra: &[Vec<u8>]) -> Result<Lead, More> {
    let mut cursor = *name_end;
    let Some(separator) = Separator::read(&mut cursor)? else {
        return option::after_name(name_end, extra);
    };
    let Some(class) = names::classify_text(name_end.before(NAME_LEN_MAX), extra) else { return Ok(Lead::Nothing) };
    if let Some(line) = separator.line.filter(|_| class != Class::Cookie) {
        if is_media_type(name_end) {
            return Ok(Lead::Nothing);
        }
        return Ok(next_line::fold(class, line, separator.block));
    }
    match class {
        Class::Authorization if is_in_prose(name_end) => after_authorization(cursor, &separator, Trust::Scheme),
        Class::Authorization => after_authorization(cursor, &separator, Trust::Named),
        Class::Signature => Ok(after_signature(name_end, &cursor, &separator)),
        Class::Cookie if matches!(separator.operator, Operator::Tag | Operator::Column) => Ok(Lead::Nothing),
        Class::Cookie => Ok(Lead::Cookies { at: cursor.at, quote: separator.value_quote }),
        Class::Credential | Class::Token | Class::Code => after_parameter(name_end, cursor, &separator, class),
    }
}

fn after_parameter(
    name_end: &Cursor<'_>,
    mut cursor: Cursor<'_>,
    separator: &Separator,
    class: Class,
) -> Result<Lead, More> {
    let option = separator.operator == Operator::Comma && option::is_option(name_end);
    if matches!(separator.operator, Operator::Comma | Operator::Column) && class != Class::Credential && !option {
        return Ok(Lead::Nothing);
    }
    if separator.operator == Operator::Comma && !is_element_before_element(name_end, &cursor, separator)? {
        return Ok(Lead::Nothing);
    }
    let quoted = separator.quoted;
    if separator.operator == Operator::Tag && separator.key_quote.is_none() && !opens_tag(name_end) {
        return Ok(Lead::Nothing);
    }
    let trust = match class {
        // HTML's element of that name is none, nor is what reStructuredText marks with it.
        Class::Code if separator.operator == Operator::Tag => match name_end.before(4) {
            b"code" => return Ok(Lead::Nothing),
            _ => Trust::Code,
        },
        Class::Code if separator.value_quote.is_some_and(|quote| quote.byte == b'`') => return Ok(Lead::Nothing),
        Class::Code if separator.operator == Operator::Equals || quoted => Trust::Code,
        Class::Code => return Ok(Lead::Nothing),
        Class::Token => Trust::Random,
        _ => match separator.operator {
            Operator::Comma | Operator::Column => Trust::Random,
            _ if separator.bracket && !quoted => Trust::Random,
            Operator::Tag if separator.blanks > 0 || separator.key_quote.is_some() => Trust::Random,
            // Source code, or a sentence about it.
            Operator::Equals if separator.blanks > 0 && !quoted => Trust::Random,
            // `access_token: required` may be prose; in a header or in quotes it is none.
            Operator::Colon if !quoted && !is_header_name(name_end) => Trust::Random,
            _ => Trust::Named,
        },
    };
    let number = cursor.peek()?.is_some_and(|byte| byte.is_ascii_digit() || byte == b'-');
    if number
        && !quoted
        && class == Class::Credential
        && separator.operator == Operator::Colon
        && separator.key_quote.is_some()
    {
        return Ok(Lead::Value(Place {
            at: cursor.at,
            grammar: Grammar::Number,
            trust: Trust::Named,
            kind: Kind::Token,
            requote: separator.key_quote,
        }));
    }
    if let Some(scheme) = Scheme::read(&mut cursor)? {
        return scheme.lead(cursor, trust);
    }
    let in_array = separator.bracket && separator.key_quote.is_some() && trust == Trust::Named;
    let grammar = match separator.value_quote {
        Some(quote) if in_array => Grammar::Element(quote),
        Some(quote) => Grammar::Quoted(quote),
        None if separator.operator == Operator::Equals || is_header_name(name_end) => Grammar::Param,
        None => Grammar::Token,
    };
    Ok(Lead::Value(Place { at: cursor.at, grammar, trust, kind: Kind::Token, requote: None }))
}

/// Whether the string behind a name is its value, as in `["access_token", "…"]`, and not the next member's name:
/// `{"typ": "JWT", "x5t#S256": "…"}`.
fn is_element_before_element(name_end: &Cursor<'_>, value: &Cursor<'_>, separator: &Separator) -> Result<bool, More> {
    const STRING_LEN_MAX: usize = 64;
    if is_media_type(name_end) {
        return Ok(false);
    }
    let Some(open) = separator.value_quote else { return Ok(true) };
    let mut end = *value;
    while end.at - value.at < STRING_LEN_MAX && end.peek()?.is_some_and(|byte| byte != open.byte && byte >= b' ') {
        end.at += 1;
    }
    let closed = quote(&mut end)? == Some(open);
    end.skip_blanks(BLANKS_MAX)?;
    Ok(!closed || end.peek()? != Some(b':'))
}

/// `at+jwt`, `application/jwt`
fn is_media_type(name_end: &Cursor<'_>) -> bool {
    let before = name_end.before_in_record(NAME_LEN_MAX);
    matches!(before[..before.len() - names::before(name_end).len()], [.., b'+' | b'/'])
}

/// `X-Auth-Token: …`
pub(super) fn is_header_name(name_end: &Cursor<'_>) -> bool {
    let name = names::before(name_end);
    name.len() > 2 && name[..2].eq_ignore_ascii_case(b"x-")
}

/// The next string of an array whose strings are credentials: `"access_token":["…","…"]`.
pub(super) fn next_element(value_end: &Cursor<'_>, grammar: Grammar) -> Result<Option<Place>, More> {
    let Grammar::Element(open) = grammar else { return Ok(None) };
    let mut cursor = *value_end;
    if quote(&mut cursor)? != Some(open) {
        return Ok(None);
    }
    cursor.skip_blanks(BLANKS_MAX)?;
    if cursor.peek()? != Some(b',') {
        return Ok(None);
    }
    cursor.at += 1;
    cursor.skip_blanks(BLANKS_MAX)?;
    if quote(&mut cursor)? != Some(open) {
        return Ok(None);
    }
    Ok(Some(Place { at: cursor.at, grammar, trust: Trust::Named, kind: Kind::Token, requote: None }))
}

/// `token_type=Bearer`: what is behind it is another field. `before` ends with so many letters of the word.
pub(super) fn is_token_type(before: &[u8], letters: usize) -> bool {
    let before = &before[..before.len().saturating_sub(letters)];
    let end = before.iter().rposition(|byte| !b"=:\"' \\".contains(byte)).map_or(0, |last| last + 1);
    let name = &before[..end];
    name.len() < before.len()
        && [&b"token_type"[..], b"tokentype", b"token-type"]
            .iter()
            .any(|word| name.len() >= word.len() && name[name.len() - word.len()..].eq_ignore_ascii_case(word))
}

/// Another scheme and its credentials in the same header: `Basic …, Bearer …`.
pub(super) fn next_scheme(value_end: &Cursor<'_>, grammar: Grammar) -> Result<Option<Place>, More> {
    let mut cursor = *value_end;
    if !matches!(grammar, Grammar::Token | Grammar::Header) || cursor.peek()? != Some(b',') {
        return Ok(None);
    }
    cursor.at += 1;
    cursor.skip_blanks(BLANKS_MAX)?;
    Ok(match Scheme::read(&mut cursor)? {
        Some(Scheme { kind, gap: Gap::Blank }) => {
            Some(Place { at: cursor.at, grammar, trust: Trust::Scheme, kind, requote: None })
        }
        _ => None,
    })
}

/// `signature` and `sig` of a signed URL or request: other parameters stand before it.
fn after_signature(name_end: &Cursor<'_>, value: &Cursor<'_>, separator: &Separator) -> Lead {
    let before = name_end.before(NAME_LEN_MAX);
    let start = before.iter().rposition(|&byte| !byte.is_ascii_alphabetic()).map_or(0, |index| index + 1);
    let before = before[..start].trim_ascii_end();
    let joined = [&b"&"[..], b"?", b",", b"&amp;", b"%26", b"%3F", b"%2526", b"u0026"];
    if separator.operator != Operator::Equals || !joined.iter().any(|end| before.ends_with(end)) {
        return Lead::Nothing;
    }
    let grammar = separator.value_quote.map_or(Grammar::Param, Grammar::Quoted);
    Lead::Value(Place { at: value.at, grammar, trust: Trust::Code, kind: Kind::Token, requote: None })
}

/// `Missing Authorization: Bearer …`: a sentence about the header.
fn is_in_prose(name_end: &Cursor<'_>) -> bool {
    const WORDS: [&[u8]; 8] =
        [b"missing", b"expected", b"expects", b"requires", b"required", b"without", b"lacks", b"needs"];
    let before = name_end.before(NAME_LEN_MAX);
    let start = before.iter().rposition(|&byte| !is_name_byte(byte)).map_or(0, |index| index + 1);
    let Some(before) = before[..start].strip_suffix(b" ") else { return false };
    WORDS
        .iter()
        .any(|word| before.len() >= word.len() && before[before.len() - word.len()..].eq_ignore_ascii_case(word))
}

/// Follows the name `value`, or an index, that stands for a name before it.
pub(super) fn after_value_key(
    mut cursor: Cursor<'_>,
    separator: &Separator,
    class: Class,
    named: bool,
) -> Result<Lead, More> {
    if class == Class::Authorization {
        return after_authorization(cursor, separator, Trust::Named);
    }
    let trust = if named && class == Class::Credential { Trust::Named } else { Trust::Random };
    if let Some(scheme) = Scheme::read(&mut cursor)? {
        return scheme.lead(cursor, trust);
    }
    let grammar = separator.value_quote.map_or(Grammar::Token, Grammar::Quoted);
    Ok(Lead::Value(Place { at: cursor.at, grammar, trust, kind: Kind::Token, requote: None }))
}

fn after_authorization(mut cursor: Cursor<'_>, separator: &Separator, trust: Trust) -> Result<Lead, More> {
    if let Some(scheme) = Scheme::read(&mut cursor)? {
        return scheme.lead(cursor, trust);
    }
    let strict = separator.operator == Operator::Equals && !separator.quoted && !separator.bracket;
    let lead = params::after_header(&cursor, separator.value_quote, strict)?;
    if lead != Lead::Nothing {
        return Ok(lead);
    }
    let grammar = separator.value_quote.map_or(Grammar::Token, Grammar::Quoted);
    Ok(Lead::Value(Place { at: cursor.at, grammar, trust: Trust::Random, kind: Kind::Token, requote: None }))
}

/// Follows the word `bearer` that ends at `word_end` and has no header name before it.
pub(super) fn after_bearer(word_end: &Cursor<'_>) -> Result<Lead, More> {
    let mut cursor = *word_end;
    if option::is_option(word_end) {
        return option::after_bearer(cursor);
    }
    let Some(gap) = Gap::read(&mut cursor)? else { return Ok(Lead::Nothing) };
    let before = word_end.before(48);
    if is_challenge(before) || is_token_type(before, b"bearer".len()) {
        return Ok(Lead::Nothing);
    }
    Scheme { kind: Kind::Token, gap }.lead(cursor, Trust::Scheme)
}

/// Whether the scheme `bearer` that ends here follows once more: an anchor of its own, which decides.
pub(super) fn is_again(word_end: &Cursor<'_>) -> Result<bool, More> {
    let [blank, first, others] = [0, 1, 2].map(|len| word_end.advanced(len));
    Ok(blank.peek()? == Some(b' ')
        && matches!(first.peek()?, Some(b'b' | b'B'))
        && (others.starts_with(b"earer ")? || others.starts_with(b"EARER ")?))
}

/// Whether the word `bearer` at the end of this text stands in a challenge.
pub(super) fn is_challenge(before: &[u8]) -> bool {
    const WORD: &[u8] = b"authenticate";
    /// The letter that few other words have.
    const RARE_AT: usize = 3;
    memchr::memchr2_iter(b'h', b'H', before).any(|at| {
        let begin = at.checked_sub(RARE_AT);
        begin
            .and_then(|begin| before.get(begin..begin + WORD.len()))
            .is_some_and(|word| word.eq_ignore_ascii_case(WORD))
    })
}

/// Whether something separates a name from a value.
pub(super) fn is_separated(name_end: &Cursor<'_>) -> Result<bool, More> {
    Ok(Separator::read(&mut name_end.clone())?.is_some())
}

/// Begins a text that is a whole value of a member: all of it is the credential, but for the scheme word.
pub(super) fn member(value: &Cursor<'_>, class: Class, beside: bool) -> Result<Lead, More> {
    let trust = match class {
        Class::Authorization | Class::Credential if beside => Trust::Random,
        Class::Authorization | Class::Credential => Trust::Member,
        Class::Signature => return Ok(Lead::Nothing),
        Class::Token => Trust::Random,
        Class::Code => Trust::Code,
        Class::Cookie => return Ok(Lead::Cookies { at: value.at, quote: None }),
    };
    let mut cursor = *value;
    // A string in the string.
    let grammar = quote(&mut cursor)?.map_or(Grammar::Whole, Grammar::Quoted);
    let begin = cursor;
    let (kind, trust) = match Scheme::read(&mut cursor)? {
        Some(Scheme { kind, gap: Gap::Blank }) => {
            (kind, if beside && class == Class::Authorization { Trust::Named } else { trust })
        }
        _ => {
            cursor = begin;
            if class == Class::Authorization {
                let outer = if let Grammar::Quoted(quote) = grammar { Some(quote) } else { None };
                let lead = params::after_header(&cursor, outer, false)?;
                if lead != Lead::Nothing {
                    return Ok(lead);
                }
            }
            (Kind::Token, trust)
        }
    };
    Ok(Lead::Value(Place { at: cursor.at, grammar, trust, kind, requote: None }))
}
