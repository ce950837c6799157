//! A name at the end of a line, and its value in the next one: YAML, protobuf text, `print_r`, lists of headers.

use super::context::{self, Lead, Place};
use super::cursor::{Cursor, More};
use super::finding::Kind;
use super::grammar::{Grammar, Quote};
use super::names::{Class, is_name_byte};
use super::scan::Carry;
use super::scheme::{LineEnd, Scheme, line_end};
use super::separator::{BLANKS_MAX, Separator, quote};
use super::value::Trust;

/// What a name at the end of a line leaves open.
pub(super) fn fold(class: Class, line: LineEnd, block: bool) -> Lead {
    let carry = match class {
        Class::Authorization => Carry::Authorization,
        Class::Credential if block => Carry::Block,
        Class::Credential => Carry::Credential,
        Class::Token => Carry::Token,
        Class::Code | Class::Cookie | Class::Signature => return Lead::Nothing,
    };
    Lead::Folded { next_line: line.next_line, carry }
}

/// Reads the next line, which must be indented or be an item of a list.
pub(super) fn read(line: &Cursor<'_>, carry: Carry) -> Result<Lead, More> {
    let class = match carry {
        Carry::Authorization => Class::Authorization,
        Carry::Credential | Carry::Block => Class::Credential,
        Carry::Token => Class::Token,
        _ => return Ok(Lead::Nothing),
    };
    let mut cursor = *line;
    let blanks = cursor.skip_blanks(BLANKS_MAX)?;
    let item = cursor.starts_with(b"- ")?;
    if blanks == 0 && !item {
        return Ok(Lead::Nothing);
    }
    if item {
        cursor.at += 1;
        cursor.skip_blanks(BLANKS_MAX)?;
    }
    if matches!(cursor.peek()?, Some(b'(' | b'[' | b'{')) {
        let mut after = cursor.advanced(1);
        after.skip_blanks(BLANKS_MAX)?;
        if let Some(LineEnd { next_line, .. }) = line_end(&after)? {
            return Ok(Lead::Folded { next_line, carry });
        }
    }
    if let Some(lead) = member(&cursor, class)? {
        return Ok(lead);
    }
    // `string(40) "…"` of PHP's var_dump.
    let mut dumped = cursor;
    if dumped.eat(b"string(")? {
        while dumped.peek()?.is_some_and(|byte| byte.is_ascii_digit()) {
            dumped.at += 1;
        }
        if dumped.eat(b") ")? {
            cursor = dumped;
        }
    }
    let quote = quote(&mut cursor)?;
    if is_key(&cursor, quote)? {
        return Ok(Lead::Nothing);
    }
    let header = class == Class::Authorization;
    if let Some(scheme) = Scheme::read(&mut cursor)? {
        return scheme.lead(cursor, if header { Trust::Named } else { Trust::Random });
    }
    let grammar = quote.map_or(Grammar::Token, Grammar::Quoted);
    let trust = if carry == Carry::Block { Trust::Named } else { Trust::Random };
    Ok(Lead::Value(Place { at: cursor.at, grammar, trust, kind: Kind::Token, requote: None }))
}

/// `value: "…"`, `"value": "…"`, `[0] => …`
fn member(at: &Cursor<'_>, class: Class) -> Result<Option<Lead>, More> {
    let mut cursor = *at;
    if quote(&mut cursor)?.is_none() && cursor.peek()? == Some(b'[') {
        cursor.at += 1;
        quote(&mut cursor)?;
    }
    let named = cursor.eat(b"value")?;
    let digits = cursor.at;
    while !named && cursor.at - digits < 4 && cursor.peek()?.is_some_and(|byte| byte.is_ascii_digit()) {
        cursor.at += 1;
    }
    if !named && (cursor.at == digits || cursor.peek()? != Some(b']')) {
        return Ok(None);
    }
    let Some(separator) = Separator::read(&mut cursor)? else { return Ok(None) };
    Ok(Some(match separator.line {
        Some(line) => fold(class, line, false),
        None => context::after_value_key(cursor, &separator, class, named)?,
    }))
}

/// `description: …` is a member of its own.
fn is_key(at: &Cursor<'_>, open: Option<Quote>) -> Result<bool, More> {
    const KEY_LEN_MAX: usize = 64;
    let mut cursor = *at;
    let is_of_key = |byte: u8| match open {
        Some(open) => byte != open.byte && byte >= b' ' && byte != b'\\',
        None => is_name_byte(byte),
    };
    while cursor.at - at.at < KEY_LEN_MAX && cursor.peek()?.is_some_and(is_of_key) {
        cursor.at += 1;
    }
    let separated = quote(&mut cursor)?.is_some();
    cursor.skip_blanks(8)?;
    Ok(match cursor.peek()? {
        Some(b':') => separated || matches!(cursor.peek_at(1)?, None | Some(b' ' | b'\r' | b'\n')),
        Some(b'=') => cursor.peek_at(1)? == Some(b'>') || separated,
        _ => false,
    })
}
