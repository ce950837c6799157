//! Which characters belong to a value, and where it ends.

use super::characters::{base64url_len, is_base64, is_full_line, quoted, wrap_len};
use super::cursor::{Cursor, More, Unit};
use super::marker::Template;
use super::ranges;
use super::value::Trust;

/// Which characters a value may have, and so where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grammar {
    /// `b64token` (RFC 6750 §2.1).
    Token,
    /// The same in a header, where nothing else can stand: also characters that no token should have.
    Header,
    /// A value in a query, a form body or logfmt: also what RFC 3986 §3.4 allows between `&`s.
    Param,
    /// `cookie-octet` (RFC 6265 §4.1.1), less the brackets and quotes that logs put around headers.
    Cookie,
    /// A string up to its closing quote, or to the end of its line if it has none.
    Quoted(Quote),
    /// The same in an array, where the next string is another one.
    Element(Quote),
    /// A JSON number (RFC 8259 §6).
    Number,
    /// All that there is.
    Whole,
    /// What goes on behind the end of a line: base64 and dots.
    Cut,
}

/// A quotation mark, and how many backslashes stand before it where strings are nested in strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quote {
    pub byte: u8,
    pub backslashes: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Part of the value.
    In,
    /// Part of the value if more of it follows: the dot of a sentence is not.
    Soft,
    /// Part of the value if what follows is as long as a key.
    Joint,
    Out,
}

/// How many soft characters may stand in a row.
const SOFT_LEN_MAX: usize = 64;
/// What follows `:` or `|` inside a credential is at least this long: `12|K6Lq…`, `2/1204/99:8f2a…`.
const JOINED_LEN_MIN: usize = 16;
/// What came of a value so far.
#[derive(Clone, Copy)]
pub(super) struct SoFar {
    /// Only digits.
    digits: bool,
    /// Characters since its start or the last line break of an encoder.
    column: u64,
}

impl SoFar {
    pub const NOTHING: Self = Self { digits: true, column: 0 };

    pub fn take_run(&mut self, run: &[u8]) {
        self.digits &= run.iter().all(u8::is_ascii_digit);
        self.column += run.len() as u64;
    }

    pub fn take(&mut self, next: Next) {
        self.digits &= next.byte.is_ascii_digit();
        self.column = if next.begins_line { 1 } else { self.column + 1 };
    }
}

/// A character of a value, and how many bytes of input it takes.
#[derive(Clone, Copy)]
pub(super) struct Next {
    pub byte: u8,
    pub len: usize,
    /// A line break of an encoder stands before it.
    begins_line: bool,
}

impl From<Unit> for Next {
    fn from(Unit { byte, len }: Unit) -> Self {
        Self { byte, len, begins_line: false }
    }
}

impl Grammar {
    fn role(self, unit: Unit) -> Role {
        let byte = unit.byte;
        match self {
            Grammar::Whole => Role::In,
            Grammar::Cut => match byte {
                b'.' | b'~' => Role::Soft,
                _ if is_base64(byte) => Role::In,
                _ => Role::Out,
            },
            Grammar::Number => match byte {
                b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E' => Role::In,
                _ => Role::Out,
            },
            Grammar::Quoted(_) | Grammar::Element(_) if byte == b'\n' && unit.len == 1 => Role::Out,
            Grammar::Quoted(_) | Grammar::Element(_) => Role::In,
            Grammar::Cookie if unit.len > 1 => Role::In,
            Grammar::Cookie => match byte {
                b'"' | b'\'' | b',' | b';' | b'\\' | b'<' | b'>' | b']' | b'}' | b')' => Role::Out,
                b'!'..=b'~' => Role::In,
                _ => Role::Out,
            },
            Grammar::Token | Grammar::Header | Grammar::Param => match byte {
                b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b'~' | b'+' | b'/' | b'=' => Role::In,
                b'.' => Role::Soft,
                b':' | b'|' if unit.len > 1 => Role::In,
                b':' | b'|' => Role::Joint,
                _ if self == Grammar::Token => Role::Out,
                b'!' | b'$' | b'*' | b'@' | b'%' => Role::Soft,
                b'#' if self == Grammar::Header => Role::Soft,
                _ if self == Grammar::Header => Role::Out,
                // Encoded, these are data; as they stand, they end the value.
                b',' | b';' | b'(' | b')' if unit.len > 1 => Role::Soft,
                _ => Role::Out,
            },
        }
    }

    /// The next character if it is part of the value, together with an encoder's line break before it.
    #[inline]
    pub fn next(self, at: &Cursor<'_>, so_far: &SoFar) -> Result<Option<Next>, More> {
        if is_full_line(so_far.column)
            && !matches!(self, Grammar::Number | Grammar::Cut)
            && let Some(len) = wrap_len(at, so_far.column)?
        {
            let unit = at.advanced(len).unit()?;
            return Ok(unit.map(|unit| Next { byte: unit.byte, len: len + unit.len, begins_line: true }));
        }
        if self == Grammar::Cut && at.peek()? == Some(b'=') {
            if let Some(unit) = quoted(at)? {
                return Ok(Some(unit.into()));
            }
            // The padding of a part.
            let behind = at.advanced(if at.peek_at(1)? == Some(b'=') { 2 } else { 1 });
            let belongs = behind.peek()? == Some(b'.') && self.goes_on(&behind)?;
            return Ok(belongs.then_some(Next { byte: b'=', len: 1, begins_line: false }));
        }
        if let Grammar::Quoted(quote) | Grammar::Element(quote) = self {
            return Ok(quoted_unit(at, quote)?.map(Next::from));
        }
        let Some(unit) = at.unit()? else { return Ok(None) };
        let belongs = match self.role(unit) {
            Role::In => true,
            Role::Out => false,
            Role::Soft => self.goes_on(&at.advanced(unit.len))?,
            Role::Joint => (unit.byte == b':' || so_far.digits) && is_key(&at.advanced(unit.len))?,
        };
        Ok(belongs.then(|| unit.into()))
    }

    /// How many of the next bytes belong to a value wherever it stands, and can't begin a marker.
    pub fn plain_run(self, bytes: &[u8], template: &Template) -> usize {
        if self == Grammar::Number {
            return 0;
        }
        // Where many beginnings of markers stand in a run, it is measured again behind each.
        const LEN_MAX: usize = 1024;
        let bytes = &bytes[..bytes.len().min(LEN_MAX)];
        let run = &bytes[..base64url_len(bytes)];
        ranges::pair_position(run, template.first(), [(template.second(), template.second())]).unwrap_or(run.len())
    }

    /// The end of a value that is no credential; if it is long, somewhere in it.
    pub fn skip<'a>(self, at: &Cursor<'a>) -> Result<Cursor<'a>, More> {
        const LEN_MAX: usize = 4096;
        let mut cursor = *at;
        while cursor.at - at.at < LEN_MAX
            && let Some(unit) = self.next(&cursor, &SoFar { digits: false, column: 0 })?
        {
            cursor.at += unit.len;
        }
        Ok(cursor)
    }

    fn goes_on(self, at: &Cursor<'_>) -> Result<bool, More> {
        let mut cursor = *at;
        for _ in 0..SOFT_LEN_MAX {
            let Some(unit) = cursor.unit()? else { return Ok(false) };
            match self.role(unit) {
                Role::In => return Ok(true),
                Role::Soft => cursor.at += unit.len,
                Role::Joint | Role::Out => return Ok(false),
            }
        }
        Ok(true)
    }

    /// What can follow a token inside a value of this grammar and still belong to it.
    pub fn rest(self, trust: Trust) -> Grammar {
        match self {
            Grammar::Quoted(_) => Grammar::Token,
            Grammar::Whole if trust != Trust::Member => Grammar::Token,
            grammar => grammar,
        }
    }
}

fn is_key(at: &Cursor<'_>) -> Result<bool, More> {
    for ahead in 0..JOINED_LEN_MIN {
        match at.peek_at(ahead)? {
            Some(byte) if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// The next character of a quoted string; a quote with more backslashes than the opening one is part of it.
fn quoted_unit(at: &Cursor<'_>, quote: Quote) -> Result<Option<Unit>, More> {
    let backslashes = at.backslashes()?;
    match at.peek_at(backslashes)? {
        Some(byte) if byte == quote.byte && backslashes <= quote.backslashes => return Ok(None),
        Some(byte) if byte == quote.byte => return Ok(Some(Unit { byte, len: backslashes + 1 })),
        _ => {}
    }
    Ok(at.unit()?.filter(|unit| Grammar::Quoted(quote).role(*unit) == Role::In))
}
