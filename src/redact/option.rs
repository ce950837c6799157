//! What follows a name with nothing but blanks between: the value of a command's option, or a token in quotes.

use super::context::{Lead, Place};
use super::cursor::{Cursor, More};
use super::finding::Kind;
use super::grammar::Grammar;
use super::names::{self, Class, NAME_LEN_MAX};
use super::separator::quote;
use super::value::Trust;

/// `--access-token X`, `token 'X' not found`
pub(super) fn after_name(name_end: &Cursor<'_>, extra: &[Vec<u8>]) -> Result<Lead, More> {
    let mut cursor = *name_end;
    let blanks = cursor.skip_blanks(4)?;
    if blanks == 0 || matches!(cursor.peek()?, None | Some(b'-' | b'\r' | b'\n')) {
        return Ok(Lead::Nothing);
    }
    let option = is_option(name_end);
    let quote = quote(&mut cursor)?;
    if !option && quote.is_none() {
        return Ok(Lead::Nothing);
    }
    let trust = match names::classify_text(name_end.before(NAME_LEN_MAX), extra) {
        Some(Class::Credential) if option => Trust::Scheme,
        Some(Class::Token) if option => Trust::Random,
        Some(Class::Credential | Class::Token) if blanks == 1 => Trust::Code,
        _ => return Ok(Lead::Nothing),
    };
    let grammar = quote.map_or(Grammar::Token, Grammar::Quoted);
    Ok(Lead::Value(Place { at: cursor.at, grammar, trust, kind: Kind::Token, requote: None }))
}

/// Whether the name that ends here is an option: two dashes before it, and nothing before them.
pub(super) fn is_option(name_end: &Cursor<'_>) -> bool {
    let name = names::before(name_end);
    name.starts_with(b"--") && name.len() > 2
}

/// `--oauth2-bearer X`, also with `=` or as two elements of a list: a credential whatever it looks like.
pub(super) fn after_bearer(mut cursor: Cursor<'_>) -> Result<Lead, More> {
    let begin = cursor.at;
    let closing = quote(&mut cursor)?;
    if closing.is_some() {
        cursor.skip_blanks(4)?;
        if !cursor.eat(b",")? {
            return Ok(Lead::Nothing);
        }
        cursor.skip_blanks(4)?;
    } else if !cursor.eat(b"=")? {
        cursor.skip_blanks(4)?;
    }
    if cursor.at == begin {
        return Ok(Lead::Nothing);
    }
    let grammar = quote(&mut cursor)?.map_or(Grammar::Token, Grammar::Quoted);
    let trust = if closing.is_some() && grammar == Grammar::Token { Trust::Random } else { Trust::Named };
    Ok(Lead::Value(Place { at: cursor.at, grammar, trust, kind: Kind::Token, requote: None }))
}
