//! A value that stands before the name it belongs to: `{"value": "…", "name": "Authorization"}`.

use super::context::{self, Lead};
use super::cursor::{Cursor, More};
use super::grammar::{Grammar, Quote, SoFar};
use super::names::{self, Class, NAME_LEN_MAX, is_name_byte};
use super::separator::{BLANKS_MAX, Separator, quote};

/// Headers are no longer, and so long a value waits for its name.
const VALUE_LEN_MAX: usize = 8 << 10;

/// Follows a member called `value`, whose name ends at `key_end`.
pub(super) fn read(key_end: &Cursor<'_>, extra: &[Vec<u8>]) -> Result<Lead, More> {
    let mut value = *key_end;
    let Some(separator) = Separator::read(&mut value)? else { return Ok(Lead::Nothing) };
    let Some(open) = separator.value_quote.filter(|&open| separator.key_quote == Some(open)) else {
        return Ok(Lead::Nothing);
    };
    match class(&value, open, extra)? {
        None => Ok(Lead::Nothing),
        Some(Class::Cookie) => Ok(Lead::Cookies { at: value.at, quote: Some(open) }),
        Some(class) => context::after_value_key(value, &separator, class, true),
    }
}

/// What the name behind a value in quotes says of it.
fn class(value: &Cursor<'_>, open: Quote, extra: &[Vec<u8>]) -> Result<Option<Class>, More> {
    const KEYS: [&[u8]; 3] = [b"name", b"key", b"header"];
    let mut cursor = *value;
    while let Some(next) = Grammar::Quoted(open).next(&cursor, &SoFar::NOTHING)? {
        cursor.at += next.len;
        if cursor.at - value.at > VALUE_LEN_MAX {
            return Ok(None);
        }
    }
    if quote(&mut cursor)? != Some(open) || !eat_sign(&mut cursor, b",")? || quote(&mut cursor)? != Some(open) {
        return Ok(None);
    }
    let mut is_key = false;
    for key in KEYS {
        is_key = is_key || cursor.eat(key)?;
    }
    if !is_key
        || quote(&mut cursor)? != Some(open)
        || !eat_sign(&mut cursor, b":")?
        || quote(&mut cursor)? != Some(open)
    {
        return Ok(None);
    }
    let name = cursor;
    while cursor.at - name.at < NAME_LEN_MAX && cursor.peek()?.is_some_and(is_name_byte) {
        cursor.at += 1;
    }
    let text = &name.rest()[..cursor.at - name.at];
    let is_whole = quote(&mut cursor)? == Some(open);
    Ok(names::classify_text(text, extra).filter(|_| is_whole))
}

/// Steps over a sign and the blanks around it.
fn eat_sign(cursor: &mut Cursor<'_>, sign: &[u8]) -> Result<bool, More> {
    cursor.skip_blanks(BLANKS_MAX)?;
    let found = cursor.eat(sign)?;
    cursor.skip_blanks(BLANKS_MAX)?;
    Ok(found)
}
