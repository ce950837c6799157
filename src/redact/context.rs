//! What stands between a name or a scheme and its credential, as programs print it.

use super::cursor::{Cursor, More};
use super::finding::Kind;
use super::names::{self, Class, NAME_LEN_MAX, is_name_byte};
use super::scan::Carry;
use super::scheme::{Gap, LineEnd, Scheme, line_end, secret_parameter};
use super::value::{Grammar, Quote, Trust};

/// More blanks than this separate nothing.
pub(super) const BLANKS_MAX: usize = 256;

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

/// What a context leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equals,
    Colon,
    /// The next element of an array or tuple.
    Comma,
    /// The end of an XML tag.
    Tag,
}

struct Separator {
    operator: Operator,
    key_quote: Option<Quote>,
    value_quote: Option<Quote>,
    /// The value is in quotes, encoded ones too.
    quoted: bool,
    bracket: bool,
    blanks: usize,
}

/// Follows a name that ends at `name_end`. What separates it from a value is read first: in prose nothing does.
pub(super) fn after_name(name_end: &Cursor<'_>, extra: &[Vec<u8>]) -> Result<Lead, More> {
    let mut cursor = *name_end;
    let Some(separator) = Separator::read(&mut cursor, is_key(name_end))? else {
        return match option_value(name_end)? {
            Some(place) if names::classify_text(name_end.before(NAME_LEN_MAX), extra).is_some_and(is_token_class) => {
                Ok(Lead::Value(place))
            }
            _ => after_name_alone(name_end, extra),
        };
    };
    let Some(class) = names::classify_text(name_end.before(NAME_LEN_MAX), extra) else { return Ok(Lead::Nothing) };
    if matches!(class, Class::Authorization | Class::Credential)
        && let Some(line) = block_end(&cursor)?
    {
        return Ok(Lead::Folded { next_line: line.next_line, carry: Carry::Bearer });
    }
    match class {
        Class::Authorization => after_authorization(cursor, &separator),
        Class::Cookie if separator.operator == Operator::Tag => Ok(Lead::Nothing),
        Class::Cookie => Ok(Lead::Cookies { at: cursor.at, quote: separator.value_quote }),
        Class::Credential | Class::Token | Class::Code | Class::Signature => {
            after_parameter(name_end, cursor, &separator, class)
        }
    }
}

/// Follows a quoted name that nothing separates from a value: it may stand in the next line, `key: "authorization"`.
fn after_name_alone(name_end: &Cursor<'_>, extra: &[Vec<u8>]) -> Result<Lead, More> {
    let mut cursor = *name_end;
    if !is_key(name_end) || quote(&mut cursor)?.is_none() {
        return Ok(Lead::Nothing);
    }
    let class = names::classify_text(name_end.before(NAME_LEN_MAX), extra);
    match line_end(&cursor)? {
        Some(line) if matches!(class, Some(Class::Authorization | Class::Credential)) => {
            Ok(Lead::Folded { next_line: line.next_line, carry: Carry::Bearer })
        }
        _ => Ok(Lead::Nothing),
    }
}

fn is_token_class(class: Class) -> bool {
    matches!(class, Class::Credential | Class::Token)
}

/// Whether the name is itself the value of a `key` or `name`.
fn is_key(name_end: &Cursor<'_>) -> bool {
    let before = name_end.before(NAME_LEN_MAX);
    let start = before.iter().rposition(|&byte| !is_name_byte(byte)).map_or(0, |last| last + 1);
    let before = before[..start].trim_ascii_end();
    let before = before.strip_suffix(b"\"").or(before.strip_suffix(b"'")).unwrap_or(before).trim_ascii_end();
    let Some(before) = before.strip_suffix(b":").or(before.strip_suffix(b"=")) else { return false };
    [&b"key"[..], b"name"].iter().any(|key| before.ends_with(key))
}

/// The value behind a blank of a command's option, `--token X`.
fn option_value(name_end: &Cursor<'_>) -> Result<Option<Place>, More> {
    let before = name_end.before(NAME_LEN_MAX);
    let start = before.iter().rposition(|&byte| !is_name_byte(byte)).map_or(0, |last| last + 1);
    let mut cursor = *name_end;
    if !before[start..].starts_with(b"--") || cursor.skip_blanks(BLANKS_MAX)? == 0 || cursor.peek()? == Some(b'-') {
        return Ok(None);
    }
    let grammar = quote(&mut cursor)?.map_or(Grammar::Param, Grammar::Quoted);
    Ok(Some(Place { at: cursor.at, grammar, trust: Trust::Random, kind: Kind::Token, requote: None }))
}

/// The end of the line, if nothing but what announces a block of lines stands before it: YAML's `|` and `>-`.
fn block_end(at: &Cursor<'_>) -> Result<Option<LineEnd>, More> {
    let mut cursor = *at;
    if matches!(cursor.peek()?, Some(b'|' | b'>')) {
        cursor.at += 1;
        if matches!(cursor.peek()?, Some(b'-' | b'+')) {
            cursor.at += 1;
        }
    }
    line_end(&cursor)
}

fn after_parameter(
    name_end: &Cursor<'_>,
    mut cursor: Cursor<'_>,
    separator: &Separator,
    class: Class,
) -> Result<Lead, More> {
    let is_option = || name_end.before(NAME_LEN_MAX).ends_with(b"--token");
    if separator.operator == Operator::Comma && class != Class::Credential && !is_option() {
        return Ok(Lead::Nothing);
    }
    let quoted = separator.quoted;
    if separator.operator == Operator::Tag && separator.key_quote.is_none() && !opens_tag(name_end) {
        return Ok(Lead::Nothing);
    }
    let trust = match class {
        Class::Code if separator.operator == Operator::Equals || quoted => Trust::Code,
        Class::Code => return Ok(Lead::Nothing),
        Class::Signature if separator.operator != Operator::Equals || !is_signed_request(name_end) => {
            return Ok(Lead::Nothing);
        }
        Class::Token | Class::Signature => Trust::Random,
        _ => match separator.operator {
            Operator::Comma => Trust::Random,
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
    let grammar = match separator.value_quote {
        Some(quote) => Grammar::Quoted(quote),
        None if separator.operator == Operator::Equals || is_header_name(name_end) => Grammar::Param,
        None => Grammar::Token,
    };
    Ok(Lead::Value(Place { at: cursor.at, grammar, trust, kind: Kind::Token, requote: None }))
}

/// Whether the parameters before a signature are those of a signed request: other signatures are no credentials.
fn is_signed_request(name_end: &Cursor<'_>) -> bool {
    const LEN_MAX: usize = 1024;
    const SIGNS: [&[u8]; 12] = [
        b"X-Amz-",
        b"X-Goog-",
        b"oauth_",
        b"AWS4-",
        b"GOOG4-",
        b"AWSAccessKeyId=",
        b"GoogleAccessId=",
        b"HMAC-SHA",
        b"keyId=",
        b"SharedAccessSignature",
        b"sv=",
        b"se=",
    ];
    let before = name_end.before(LEN_MAX);
    SIGNS.iter().any(|sign| memchr::memmem::find(before, sign).is_some())
}

/// `<access_token>`, not `</access_token>` and not a comparison.
fn opens_tag(name_end: &Cursor<'_>) -> bool {
    let before = name_end.before(NAME_LEN_MAX);
    let start = before.iter().rposition(|&byte| !is_name_byte(byte) && byte != b':').map_or(0, |index| index + 1);
    before[..start].ends_with(b"<") || before[..start].ends_with(b"&lt;")
}

/// `X-Auth-Token: …`
pub(super) fn is_header_name(name_end: &Cursor<'_>) -> bool {
    let before = name_end.before(NAME_LEN_MAX);
    let start = before.iter().rposition(|&byte| !is_name_byte(byte)).map_or(0, |index| index + 1);
    before[start..].len() > 2 && before[start..start + 2].eq_ignore_ascii_case(b"x-")
}

fn after_authorization(mut cursor: Cursor<'_>, separator: &Separator) -> Result<Lead, More> {
    if let Some(scheme) = Scheme::read(&mut cursor)? {
        return scheme.lead(cursor, Trust::Named);
    }
    if let Some(place) = secret_parameter(&cursor)? {
        return Ok(Lead::Value(place));
    }
    let grammar = separator.value_quote.map_or(Grammar::Token, Grammar::Quoted);
    Ok(Lead::Value(Place { at: cursor.at, grammar, trust: Trust::Random, kind: Kind::Token, requote: None }))
}

/// Follows the word `bearer` that ends at `word_end` and has no header name before it.
pub(super) fn after_bearer(word_end: &Cursor<'_>) -> Result<Lead, More> {
    let before = word_end.before(48);
    let is_challenge = |word: &[u8]| matches!(word[0], b'a' | b'A') && word.eq_ignore_ascii_case(b"authenticate");
    let challenge = before.windows(12).any(is_challenge);
    let mut cursor = *word_end;
    let kind = Kind::Token;
    match Gap::read(&mut cursor)? {
        Some(_) if challenge => Ok(Lead::Nothing),
        Some(gap) => Scheme { kind, gap }.lead(cursor, Trust::Scheme),
        None => Ok(Lead::Nothing),
    }
}

impl Separator {
    /// Steps over everything between a name and its value; `None` if no value of that name follows.
    fn read(cursor: &mut Cursor<'_>, is_key: bool) -> Result<Option<Self>, More> {
        Self::read_to(cursor, true, is_key)
    }

    /// `pair` allows the value to be the next member, called `value`.
    fn read_to(cursor: &mut Cursor<'_>, pair: bool, is_key: bool) -> Result<Option<Self>, More> {
        let blanks_before = cursor.skip_blanks(BLANKS_MAX)?;
        let key_quote = quote(cursor)?;
        let key_closed = key_quote.is_some() || eat_encoded_quote(cursor)? || eat_bracket(cursor)?;
        // `["access_token"]=>`
        if key_quote.is_some() && cursor.peek()? == Some(b']') && cursor.peek_at(1)? == Some(b'=') {
            cursor.at += 1;
        }
        let blanks_before = blanks_before + cursor.skip_blanks(BLANKS_MAX)?;
        let tag_end = cursor.starts_with_ignore_case(b"&gt;")?;
        let Some(unit) = cursor.unit()? else { return Ok(None) };
        let operator = match unit.byte {
            b'&' if tag_end => Operator::Tag,
            b'=' => Operator::Equals,
            b':' => Operator::Colon,
            b',' if key_quote.is_some() => Operator::Comma,
            b'>' => Operator::Tag,
            // `<header name="Authorization" value="…"/>`
            b'v' | b'V' if pair && (key_closed || is_key) && blanks_before > 0 && cursor.eat(b"value")? => {
                return Self::read_to(cursor, false, false);
            }
            _ => return Ok(None),
        };
        cursor.at += if tag_end { b"&gt;".len() } else { unit.len };
        if matches!(operator, Operator::Equals | Operator::Tag) && cursor.peek()? == Some(b'=') {
            // A comparison.
            return Ok(None);
        }
        let arrow = matches!(operator, Operator::Equals) && cursor.eat(b">")?;
        let walrus = operator == Operator::Colon && cursor.eat(b"=")?;
        let blanks = cursor.skip_blanks(BLANKS_MAX)?;
        // `token_id= total=1`: with a blank on one side only, the value is empty.
        if operator == Operator::Equals && !arrow && !walrus && blanks > 0 && blanks_before == 0 {
            return Ok(None);
        }
        let mut separator = Self { operator, key_quote, value_quote: None, quoted: false, bracket: false, blanks };
        if !separator.open(cursor)? {
            return Ok(None);
        }
        // `"name": "Authorization", "value": "…"`
        if pair && operator == Operator::Comma && separator.value_quote.is_some() && cursor.eat(b"value")? {
            return Self::read_to(cursor, false, false);
        }
        Ok(Some(separator))
    }

    /// Whether a quote that follows the operator directly opens something.
    fn is_open_in(&self, cursor: &Cursor<'_>) -> Result<bool, More> {
        let next = cursor.peek()?;
        let closes = matches!(next, None | Some(b',' | b'}' | b']' | b')' | b';' | b'\r' | b'\n' | b' ' | b'\t'));
        Ok(self.blanks > 0 || !closes)
    }

    /// Steps over brackets and quotes before a value; false if there is none.
    fn open(&mut self, cursor: &mut Cursor<'_>) -> Result<bool, More> {
        const OPENERS_MAX: usize = 4;
        for _ in 0..OPENERS_MAX {
            match cursor.peek()? {
                Some(b'[' | b'(') => {
                    self.bracket = true;
                    cursor.at += 1;
                }
                Some(b'O') if cursor.eat(b"optional[")? => self.bracket = true,
                // Python's `b'…'`.
                Some(b'b' | b'u') if matches!(cursor.peek_at(1)?, Some(b'"' | b'\'')) => cursor.at += 1,
                Some(b'&' | b'%' | b'\\') if eat_encoded_quote(cursor)? => self.quoted = true,
                // Wrapped: `Some("…")`, `AccessToken(…)`, `Str(…)`.
                Some(byte) if byte.is_ascii_alphabetic() && eat_constructor(cursor)? => self.bracket = true,
                Some(b' ' | b'\t' | 0x1b) if self.bracket && cursor.skip_blanks(BLANKS_MAX)? > 0 => {}
                _ => break,
            }
        }
        self.value_quote = quote(cursor)?;
        // `"missing access_token:", …`: what looks like an opening quote ends the text that holds the name.
        if self.value_quote.is_some() && !self.is_open_in(cursor)? {
            return Ok(false);
        }
        self.quoted |= self.value_quote.is_some();
        // A string in three quotes, as Python and TOML have it.
        if let Some(Quote { byte, .. }) = self.value_quote
            && cursor.peek()? == Some(byte)
            && cursor.peek_at(1)? == Some(byte)
        {
            cursor.at += 2;
        }
        Ok(true)
    }
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
            if class == Class::Authorization
                && let Some(place) = secret_parameter(&cursor)?
            {
                return Ok(Lead::Value(place));
            }
            (Kind::Token, trust)
        }
    };
    Ok(Lead::Value(Place { at: cursor.at, grammar, trust, kind, requote: None }))
}

/// Steps over what stands before a value on a line of its own: `- ` of a list, `value: `, `string(40) `.
pub(super) fn skip_item(cursor: &mut Cursor<'_>) -> Result<(), More> {
    if cursor.peek()? == Some(b'-') && cursor.peek_at(1)? == Some(b' ') {
        cursor.at += 2;
    }
    let mut item = *cursor;
    if (item.eat(b"value")? || item.eat(b"string_value")?) && item.peek()? == Some(b':') {
        item.at += 1;
        item.skip_blanks(BLANKS_MAX)?;
        *cursor = item;
    } else if item.eat(b"string(")? {
        while item.peek()?.is_some_and(|byte| byte.is_ascii_digit()) {
            item.at += 1;
        }
        if item.eat(b") ")? {
            *cursor = item;
        }
    }
    Ok(())
}

/// Steps over a quotation mark and the backslashes before it.
pub(super) fn quote(cursor: &mut Cursor<'_>) -> Result<Option<Quote>, More> {
    let backslashes = cursor.backslashes()?;
    match cursor.peek_at(backslashes)? {
        Some(byte @ (b'"' | b'\'' | b'`')) => {
            cursor.at += backslashes + 1;
            Ok(Some(Quote { byte, backslashes }))
        }
        _ => Ok(None),
    }
}

/// Steps over a quotation mark in a transport encoding: of URLs, of JSON, of HTML, and nginx's `\x22`.
pub(super) fn eat_encoded_quote(cursor: &mut Cursor<'_>) -> Result<bool, More> {
    if let Some(unit) = cursor.unit()?
        && unit.len > 1
        && matches!(unit.byte, b'"' | b'\'')
    {
        cursor.at += unit.len;
        return Ok(true);
    }
    for entity in [&b"&quot;"[..], b"&#34;", b"&#x22;", b"&#39;", b"&#x27;", b"&apos;"] {
        if cursor.eat(entity)? {
            return Ok(true);
        }
    }
    let backslashes = cursor.backslashes()?;
    let mut number = cursor.advanced(backslashes);
    let found = backslashes > 0 && (number.eat(b"x22")? || number.eat(b"x27")?);
    if found {
        *cursor = number;
    }
    Ok(found)
}

/// Steps over a name and the parenthesis behind it.
fn eat_constructor(cursor: &mut Cursor<'_>) -> Result<bool, More> {
    const NAME_LEN_MAX: usize = 24;
    for ahead in 0..NAME_LEN_MAX {
        match cursor.peek_at(ahead)? {
            Some(b'(') => {
                cursor.at += ahead + 1;
                return Ok(true);
            }
            Some(byte) if byte.is_ascii_alphanumeric() => {}
            _ => break,
        }
    }
    Ok(false)
}

/// Steps over the bracket behind a name: `user[access_token]=`.
fn eat_bracket(cursor: &mut Cursor<'_>) -> Result<bool, More> {
    match cursor.unit()? {
        Some(unit) if unit.byte == b']' => {
            cursor.at += unit.len;
            Ok(true)
        }
        _ => Ok(false),
    }
}
