//! The authentication scheme before a credential, and the gap between them.

use super::characters::escaped_line_break;
use super::context::{Lead, Place};
use super::cursor::{Cursor, More};
use super::finding::Kind;
use super::grammar::Grammar;
use super::scan::Carry;
use super::separator::{BLANKS_MAX, eat_encoded_quote, eat_escaped_tab, quote};
use super::value::Trust;
use super::word::{Shape, shape};

/// The authentication scheme of a header's value, read together with what separates it from the credentials.
pub(super) struct Scheme {
    pub kind: Kind,
    pub gap: Gap,
}

impl Scheme {
    /// Steps over `scheme` and the gap behind it if that is what comes next.
    pub fn read(cursor: &mut Cursor<'_>) -> Result<Option<Self>, More> {
        const SCHEMES: [(&[u8], Kind); 12] = [
            (b"bearer", Kind::Token),
            (b"basic", Kind::Basic),
            (b"token", Kind::Token),
            (b"apikey", Kind::Token),
            (b"api-key", Kind::Token),
            (b"dpop", Kind::Token),
            (b"jwt", Kind::Token),
            (b"pop", Kind::Token),
            (b"gnap", Kind::Token),
            // RFC 4559.
            (b"negotiate", Kind::Token),
            (b"ntlm", Kind::Token),
            (b"kerberos", Kind::Token),
        ];
        for (name, kind) in SCHEMES {
            let mut after = *cursor;
            if after.eat(name)?
                && let Some(gap) = Gap::read(&mut after)?
            {
                *cursor = after;
                return Ok(Some(Self { kind, gap }));
            }
        }
        Ok(None)
    }

    pub fn lead(mut self, mut cursor: Cursor<'_>, trust: Trust) -> Result<Lead, More> {
        // Clients put the scheme before a value that has it already.
        let mut again = cursor;
        if again.eat(b"bearer")?
            && let Some(gap @ Gap::Blank) = Gap::read(&mut again)?
        {
            (self.gap, cursor) = (gap, again);
        }
        // `invalid bearer token …`
        let mut again = cursor;
        if trust == Trust::Scheme
            && again.eat(b"token")?
            && let Some(gap @ (Gap::Blank | Gap::Loose)) = Gap::read(&mut again)?
        {
            (self.gap, cursor) = (gap, again);
        }
        match self.gap {
            Gap::LineEnd { line: LineEnd { next_line, carriage_return } } => {
                // Only HTTP ends its lines so; elsewhere an indented line may be anything.
                let header = trust == Trust::Named && carriage_return;
                let carry = if header { Carry::Header(self.kind) } else { Carry::Bearer };
                return Ok(Lead::Folded { next_line, carry });
            }
            _ if is_auth_param(&cursor, trust)? => return Ok(Lead::Nothing),
            _ => {}
        }
        let trust = match self.gap {
            Gap::Blank => trust,
            _ => Trust::Scheme,
        };
        let grammar = if trust == Trust::Named { Grammar::Header } else { Grammar::Token };
        Ok(Lead::Value(Place { at: cursor.at, grammar, trust, kind: self.kind, requote: None }))
    }
}

/// What separates a scheme from its credentials.
#[derive(Clone, Copy)]
pub(super) enum Gap {
    /// Blanks in whatever encoding.
    Blank,
    /// Something that prose has too.
    Loose,
    LineEnd {
        line: LineEnd,
    },
}

impl Gap {
    pub fn read(cursor: &mut Cursor<'_>) -> Result<Option<Self>, More> {
        let mut blanks = 0;
        let mut loose = false;
        loop {
            blanks += cursor.skip_blanks(BLANKS_MAX - blanks)?;
            // A shell's escape.
            if cursor.peek()? == Some(b'\\') && matches!(cursor.peek_at(1)?, Some(b' ' | b'\t')) {
                cursor.at += 1;
                continue;
            }
            // A header that is folded (RFC 9112 §5.2), in a string.
            if let Some(len) = escaped_line_break(cursor)?
                && matches!(cursor.peek_at(len)?, Some(b' ' | b'\t'))
            {
                cursor.at += len;
                continue;
            }
            match cursor.unit()? {
                _ if eat_escaped_tab(cursor)? => {}
                Some(unit) if unit.len > 1 && matches!(unit.byte, b' ' | b'\t') => cursor.at += unit.len,
                // A blank in a form (application/x-www-form-urlencoded).
                Some(unit) if unit.byte == b'+' && blanks == 0 => cursor.at += unit.len,
                Some(unit) if matches!(unit.byte, b':' | b'=' | b',') && !loose => {
                    loose = true;
                    cursor.at += unit.len;
                }
                _ if cursor.eat(b"&nbsp;")? || cursor.eat(b"&#32;")? => {}
                _ => break,
            }
            blanks += 1;
            if blanks >= BLANKS_MAX {
                return Ok(None);
            }
        }
        if let Some(line) = line_end(cursor)? {
            return Ok((!loose).then_some(Gap::LineEnd { line }));
        }
        if blanks == 0 {
            return Ok(None);
        }
        let bracket = matches!(cursor.peek()?, Some(b'[' | b'(' | b'<' | b'{'));
        if bracket {
            cursor.at += 1;
        }
        let quoted = quote(cursor)?.is_some() || eat_encoded_quote(cursor)?;
        // Python's pprint ends a string behind the scheme and goes on with another one in the next line.
        if quoted && let Some(line) = line_end(cursor)? {
            return Ok(Some(Gap::LineEnd { line }));
        }
        Ok(Some(if loose || bracket { Gap::Loose } else { Gap::Blank }))
    }
}

/// The end of a line or record.
#[derive(Clone, Copy, Debug)]
pub(super) struct LineEnd {
    pub next_line: usize,
    carriage_return: bool,
}

/// Whether the line ends here.
pub(super) fn line_end(cursor: &Cursor<'_>) -> Result<Option<LineEnd>, More> {
    let carriage_return = cursor.peek()? == Some(b'\r');
    let at = usize::from(carriage_return);
    Ok(match cursor.peek_at(at)? {
        Some(b'\n') => Some(LineEnd { next_line: cursor.at + at + 1, carriage_return }),
        // A record without its delimiter: what ended it is not known.
        None => Some(LineEnd { next_line: cursor.at + at, carriage_return: true }),
        _ => None,
    })
}

/// `realm="…"`, `error=…`: parameters of a challenge or of another scheme (RFC 9110 §11.2), not a bearer credential.
/// Without a header's name before it any `name=value` is a field of the log.
fn is_auth_param(at: &Cursor<'_>, trust: Trust) -> Result<bool, More> {
    const NAMES: [&[u8]; 12] = [
        b"realm",
        b"scope",
        b"error",
        b"error_description",
        b"error_uri",
        b"charset",
        b"authorization_uri",
        b"resource_metadata",
        b"as_uri",
        b"max_age",
        b"acr_values",
        b"algs",
    ];
    const NAME_LEN_MAX: usize = 32;
    let mut len = 0;
    while len < NAME_LEN_MAX && at.peek_at(len)?.is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_') {
        len += 1;
    }
    if len == 0 || at.peek_at(len)? != Some(b'=') {
        return Ok(false);
    }
    let name = &at.rest()[..len];
    let mut value = at.advanced(len + 1);
    // Padding stands at the end of a credential (RFC 6750 §2.1), never before more of it.
    let named = trust == Trust::Scheme && len > 1 && shape(name) == Shape::Word;
    let field = named && value.peek()?.is_some_and(|byte| byte.is_ascii_alphanumeric());
    Ok(field || NAMES.contains(&name) || quote(&mut value)?.is_some() || eat_encoded_quote(&mut value)?)
}
