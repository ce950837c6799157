//! What separates a name from its value, as programs print it: signs, quotes, brackets, tags, line ends.

use super::cursor::{Cursor, More};
use super::grammar::Quote;
use super::names::{NAME_LEN_MAX, is_name_byte};
use super::scheme::{LineEnd, line_end};
use super::word::{Shape, shape};

/// More blanks than this separate nothing.
pub(super) const BLANKS_MAX: usize = 256;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equals,
    Colon,
    /// The next element of an array or tuple.
    Comma,
    /// The end of an XML tag.
    Tag,
    /// The next column of a table.
    Column,
}

/// What separates a name from its value.
pub(super) struct Separator {
    pub operator: Operator,
    pub key_quote: Option<Quote>,
    pub value_quote: Option<Quote>,
    /// The value stands in the next line.
    pub line: Option<LineEnd>,
    /// Something before the line's end says that it does.
    pub block: bool,
    /// The value is in quotes, encoded ones too.
    pub quoted: bool,
    pub bracket: bool,
    pub blanks: usize,
}

impl Separator {
    /// Steps over everything between a name and its value; `None` if no value of that name follows.
    pub fn read(cursor: &mut Cursor<'_>) -> Result<Option<Self>, More> {
        Self::read_to(cursor, true)
    }

    /// `pair` allows the value to be the next member, called `value`.
    fn read_to(cursor: &mut Cursor<'_>, pair: bool) -> Result<Option<Self>, More> {
        let name_end = *cursor;
        let blanks_before = cursor.skip_blanks(BLANKS_MAX)?;
        let key_quote = quote(cursor)?;
        let mut key_closed = key_quote.is_some() || eat_encoded_quote(cursor)?;
        // `user[access_token]=`, and PHP's `["access_token"]=>`.
        key_closed |= eat_bracket(cursor)?;
        let blanks_before = blanks_before + cursor.skip_blanks(BLANKS_MAX)?;
        if pair && blanks_before > 0 && !key_closed {
            eat_attributes(&name_end, cursor)?;
        }
        let tag_end = cursor.starts_with_ignore_case(b"&gt;")?;
        let Some(unit) = cursor.unit()? else {
            let closed = pair && (key_quote.is_some() || is_value_of_key(&name_end));
            return if closed { Self::at_line_end(cursor) } else { Ok(None) };
        };
        let mut len = if tag_end { b"&gt;".len() } else { unit.len };
        let operator = match unit.byte {
            b'&' if tag_end => Operator::Tag,
            b'=' => Operator::Equals,
            b':' => Operator::Colon,
            b',' if key_quote.is_some() => Operator::Comma,
            b'>' => Operator::Tag,
            // `<header name="Authorization" value="…"/>`
            b'v' | b'V'
                if pair
                    && blanks_before > 0
                    && (key_closed || is_value_of_key(&name_end))
                    && cursor.eat(b"value")? =>
            {
                return Self::read_to(cursor, false);
            }
            // PHP's `serialize`: `s:12:"access_token";s:40:"…"`.
            b';' if key_quote.is_some() => match serialized_len(cursor)? {
                Some(serialized) => {
                    len = serialized;
                    Operator::Equals
                }
                None => return Ok(None),
            },
            b'|' if blanks_before > 0 => Operator::Column,
            0xe2 if blanks_before > 0 && cursor.starts_with("│".as_bytes())? => {
                len = "│".len();
                Operator::Column
            }
            // `key: "authorization"`, and `value: …` in the next line.
            b'\r' | b'\n' if pair && (key_quote.is_some() || is_value_of_key(&name_end)) => {
                return Self::at_line_end(cursor);
            }
            _ => return Ok(None),
        };
        cursor.at += len;
        if matches!(operator, Operator::Equals | Operator::Tag) && cursor.peek()? == Some(b'=') {
            // A comparison.
            return Ok(None);
        }
        let arrow = matches!(operator, Operator::Equals) && cursor.eat(b">")?;
        let walrus = operator == Operator::Colon && cursor.eat(b"=")?;
        let mut blanks = cursor.skip_blanks(BLANKS_MAX)?;
        if operator == Operator::Colon {
            blanks += skip_encoded_blanks(cursor, len > 1)?;
        }
        // `token_id= total=1`: with a blank on one side only, the value is empty.
        if operator == Operator::Equals && !arrow && !walrus && blanks > 0 && blanks_before == 0 {
            return Ok(None);
        }
        if operator == Operator::Column && blanks == 0 {
            return Ok(None);
        }
        let (line, block) = (None, false);
        let mut separator =
            Self { operator, key_quote, value_quote: None, line, block, quoted: false, bracket: false, blanks };
        if operator == Operator::Colon && !walrus {
            separator.block = eat_yaml(cursor, key_quote)?;
        }
        if matches!(operator, Operator::Colon | Operator::Comma) || arrow {
            let mut end = *cursor;
            // PHP's `print_r` goes on with a parenthesis in a line of its own.
            if arrow && end.eat(b"array")? {
                end.skip_blanks(BLANKS_MAX)?;
            }
            separator.line = line_end(&end)?;
            if separator.line.is_some() {
                return Ok(Some(separator));
            }
            // `"access_token": {"value": "…"}`
            if pair && cursor.peek()? == Some(b'{') && key_quote.is_some() {
                let mut inner = cursor.advanced(1);
                inner.skip_blanks(BLANKS_MAX)?;
                if quote(&mut inner)?.is_some() && inner.eat(b"value")? {
                    *cursor = inner;
                    return Self::read_to(cursor, false);
                }
            }
        }
        if !separator.open(cursor)? {
            return Ok(None);
        }
        // `"name": "Authorization", "value": "…"`
        if pair && operator == Operator::Comma && separator.value_quote.is_some() && cursor.eat(b"value")? {
            return Self::read_to(cursor, false);
        }
        Ok(Some(separator))
    }

    /// A name that only a member called `value` in the next line can follow.
    fn at_line_end(cursor: &Cursor<'_>) -> Result<Option<Self>, More> {
        Ok(line_end(cursor)?.map(|line| Self {
            operator: Operator::Comma,
            key_quote: None,
            value_quote: None,
            line: Some(line),
            block: false,
            quoted: false,
            bracket: false,
            blanks: 0,
        }))
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
                    self.line = line_end(cursor)?.filter(|_| self.key_quote.is_some());
                    if self.line.is_some() {
                        return Ok(true);
                    }
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

/// Steps over the attributes of an element whose name ends at `name_end`: `<accessToken type="x">`.
fn eat_attributes(name_end: &Cursor<'_>, cursor: &mut Cursor<'_>) -> Result<(), More> {
    const ATTRIBUTES_LEN_MAX: usize = 256;
    if !cursor.peek()?.is_some_and(|byte| byte.is_ascii_alphabetic()) || !opens_tag(name_end) {
        return Ok(());
    }
    for ahead in 0..ATTRIBUTES_LEN_MAX {
        match cursor.peek_at(ahead)? {
            Some(b'>') => {
                cursor.at += ahead;
                return Ok(());
            }
            None | Some(b'<' | b'\n') => return Ok(()),
            _ => {}
        }
    }
    Ok(())
}

/// `key=authorization value=…`
fn is_value_of_key(name_end: &Cursor<'_>) -> bool {
    let before = name_end.before(NAME_LEN_MAX);
    let start = before.iter().rposition(|&byte| !is_name_byte(byte)).map_or(0, |index| index + 1);
    let keys = [&b"key="[..], b"name=", b"key: ", b"name: ", b"header="];
    keys.iter().any(|key| before[..start].ends_with(key))
}

/// The length of `;s:40:` before the quote that opens the value.
fn serialized_len(cursor: &Cursor<'_>) -> Result<Option<usize>, More> {
    let mut after = *cursor;
    if !after.eat(b";s:")? {
        return Ok(None);
    }
    while after.peek()?.is_some_and(|byte| byte.is_ascii_digit()) {
        after.at += 1;
    }
    Ok(after.eat(b":")?.then_some(after.at - cursor.at))
}

/// Steps over a tag, and over what says that a block follows: `!!str`, `|`, `>-`. True for the latter.
fn eat_yaml(cursor: &mut Cursor<'_>, key_quote: Option<Quote>) -> Result<bool, More> {
    const TAG_LEN_MAX: usize = 32;
    if cursor.peek()? == Some(b'!') && key_quote.is_none() {
        let mut after = *cursor;
        while after.at - cursor.at < TAG_LEN_MAX
            && after.peek()?.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'!' | b'/' | b'_'))
        {
            after.at += 1;
        }
        if after.skip_blanks(BLANKS_MAX)? > 0 {
            *cursor = after;
        }
    }
    let mut after = *cursor;
    if !matches!(after.peek()?, Some(b'|' | b'>')) {
        return Ok(false);
    }
    after.at += 1;
    while matches!(after.peek()?, Some(b'-' | b'+' | b'1'..=b'9')) && after.at - cursor.at < 3 {
        after.at += 1;
    }
    after.skip_blanks(BLANKS_MAX)?;
    let found = line_end(&after)?.is_some();
    if found {
        *cursor = after;
    }
    Ok(found)
}

/// `<access_token>`, not `</access_token>` and not a comparison.
pub(super) fn opens_tag(name_end: &Cursor<'_>) -> bool {
    let before = name_end.before(NAME_LEN_MAX);
    let start = before.iter().rposition(|&byte| !is_name_byte(byte) && byte != b':').map_or(0, |index| index + 1);
    before[..start].ends_with(b"<") || before[..start].ends_with(b"&lt;")
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

/// Steps over blanks in a transport encoding: `Authorization%3A%20Basic`. In a form, behind another encoded character, a
/// plus sign is one too.
fn skip_encoded_blanks(cursor: &mut Cursor<'_>, in_form: bool) -> Result<usize, More> {
    let mut blanks = 0;
    while eat_escaped_tab(cursor)? {
        blanks += 1;
    }
    while blanks < BLANKS_MAX
        && let Some(unit) = cursor.unit()?
        && (unit.len > 1 && matches!(unit.byte, b' ' | b'\t') || in_form && unit.byte == b'+')
    {
        cursor.at += unit.len;
        blanks += 1;
    }
    Ok(blanks)
}

/// Steps over `\t` as strings spell it, at any depth of nesting.
pub(super) fn eat_escaped_tab(cursor: &mut Cursor<'_>) -> Result<bool, More> {
    let backslashes = cursor.backslashes()?;
    let found = backslashes > 0 && cursor.peek_at(backslashes)? == Some(b't');
    cursor.at += if found { backslashes + 1 } else { 0 };
    Ok(found)
}

/// Steps over a quotation mark in a transport encoding: of URLs, of JSON, of HTML, and nginx's `\x22`.
pub(super) fn eat_encoded_quote(cursor: &mut Cursor<'_>) -> Result<bool, More> {
    if !matches!(cursor.peek()?, Some(b'%' | b'\\' | b'&')) {
        return Ok(false);
    }
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
            // Of a name; a credential may have one behind it too.
            Some(b'(') if shape(&cursor.rest()[..ahead]) != Shape::Random => {
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
