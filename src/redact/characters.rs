//! The characters of a token as they may stand in a log: plain, encoded one by one, with colour codes between them, or
//! wrapped by an encoder that breaks its lines.

use super::cursor::{Cursor, More, Unit};

/// Characters of base64 in either alphabet (RFC 4648 §4, §5).
#[inline]
pub(super) fn is_base64(byte: u8) -> bool {
    CLASS[usize::from(byte)] != 0
}

/// Characters of base64url (RFC 4648 §5).
#[inline]
pub(super) fn is_base64url(byte: u8) -> bool {
    CLASS[usize::from(byte)] == URL
}

const URL: u8 = 1;
const STANDARD: u8 = 2;
const CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let character = byte as u8;
        if character.is_ascii_alphanumeric() || character == b'-' || character == b'_' {
            class[byte] = URL;
        } else if character == b'+' || character == b'/' {
            class[byte] = STANDARD;
        }
        byte += 1;
    }
    class
};

/// The six bits that a character of base64 stands for; of another, with the uppermost bit set.
#[inline]
pub(super) fn sextet(character: u8) -> u8 {
    SEXTET[usize::from(character)]
}

const SEXTET: [u8; 256] = {
    let mut sextets = [0xff; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut value = 0;
    while value < alphabet.len() {
        sextets[alphabet[value] as usize] = value as u8;
        value += 1;
    }
    sextets[b'+' as usize] = 62;
    sextets[b'-' as usize] = 62;
    sextets[b'/' as usize] = 63;
    sextets[b'_' as usize] = 63;
    sextets
};

/// The three bytes that a group of up to four characters stands for; what is missing is zero.
#[inline]
pub(super) fn decode_group(group: &[u8]) -> [u8; 3] {
    let bits = group.iter().fold(0, |bits, &character| bits << 6 | u32::from(sextet(character)));
    let [_, bytes @ ..] = (bits << (6 * (4 - group.len()))).to_be_bytes();
    bytes
}

/// Encoders break their lines at one of these lengths (RFC 7468 §2, RFC 2045 §6.8).
const LINE_LENS: [u64; 2] = [64, 76];
/// More colour codes in a row are no colouring.
const COLOURS_MAX: usize = 4;

/// Whether an encoder would break its line behind so many characters.
pub(super) fn is_full_line(column: u64) -> bool {
    LINE_LENS.contains(&column)
}

/// A position in a token.
#[derive(Clone, Copy)]
pub(super) struct Characters<'a> {
    cursor: Cursor<'a>,
    /// Characters since the token's start or the last line break.
    column: u64,
    /// Whether `=` at the end of a line is a line break of quoted-printable (RFC 2045 §6.7), not padding.
    pub soft_breaks: bool,
    /// Whether the token may go on behind a line break or colour code; behind a complete token another text begins.
    pub goes_on: bool,
}

impl<'a> Characters<'a> {
    pub fn new(cursor: Cursor<'a>, column: u64) -> Self {
        Self { cursor, column, soft_breaks: true, goes_on: true }
    }

    pub fn at(&self) -> usize {
        self.cursor.at
    }

    pub fn column(&self) -> u64 {
        self.column
    }

    pub fn cursor(&self) -> Cursor<'a> {
        self.cursor
    }

    /// Steps over the characters that stand as they are, at most `limit` of them.
    pub fn plain_run(&mut self, limit: usize) -> &'a [u8] {
        let rest = self.cursor.rest();
        let rest = &rest[..rest.len().min(limit)];
        let len = rest.iter().position(|&byte| !is_base64(byte)).unwrap_or(rest.len());
        self.cursor.at += len;
        self.column += len as u64;
        &rest[..len]
    }

    /// The next character, stepped over; `None` where no character of a token can follow, and then nothing is stepped over
    /// that matters.
    pub fn next(&mut self) -> Result<Option<u8>, More> {
        let mut cursor = self.cursor;
        for _ in 0..COLOURS_MAX {
            if !self.goes_on || cursor.peek()? != Some(0x1b) || !cursor.skip_colour()? {
                break;
            }
        }
        if let Some(len) = self.line_break(&cursor)? {
            let after = cursor.advanced(len);
            if after.peek()?.is_some_and(|byte| is_base64(byte) || byte == b'.') {
                cursor = after;
                self.column = 0;
            }
        }
        let Some(Unit { byte, len }) = quoted(&cursor)?.map_or_else(|| cursor.unit(), |unit| Ok(Some(unit)))? else {
            return Ok(None);
        };
        if !is_base64(byte) && !matches!(byte, b'.' | b'=' | b'~') {
            return Ok(None);
        }
        self.cursor = cursor.advanced(len);
        self.column += 1;
        Ok(Some(byte))
    }

    /// The length of the line break of an encoder that comes next.
    fn line_break(&self, at: &Cursor<'_>) -> Result<Option<usize>, More> {
        match at.peek()? {
            Some(b'\\') if self.goes_on && is_full_line(self.column) => escaped_line_break(at),
            Some(b'\r') if at.is_decoded && self.goes_on && is_full_line(self.column) => {
                Ok((at.peek_at(1)? == Some(b'\n')).then_some(2))
            }
            Some(b'\n') if at.is_decoded && self.goes_on && is_full_line(self.column) => Ok(Some(1)),
            Some(b'=') if self.goes_on && self.soft_breaks => {
                let after = at.advanced(1);
                if after.peek()? == Some(b'\\') {
                    return Ok(escaped_line_break(&after)?.map(|len| len + 1));
                }
                // Between lines of a log it is the next line's decision.
                let carriage_return = usize::from(after.peek()? == Some(b'\r'));
                let found = at.is_decoded && after.peek_at(carriage_return)? == Some(b'\n');
                Ok(found.then_some(carriage_return + 2))
            }
            _ => Ok(None),
        }
    }
}

/// `\n` or `\r\n` as strings spell them, at any depth of nesting.
fn escaped_line_break(at: &Cursor<'_>) -> Result<Option<usize>, More> {
    let mut cursor = *at;
    let backslashes = cursor.backslashes()?;
    if cursor.peek_at(backslashes)? == Some(b'r') {
        cursor.at += backslashes + 1;
    }
    let found = cursor.backslashes()? == backslashes && cursor.peek_at(backslashes)? == Some(b'n');
    Ok(found.then_some(cursor.at + backslashes + 1 - at.at))
}

/// A character of a token in quoted-printable: `=2E`.
fn quoted(at: &Cursor<'_>) -> Result<Option<Unit>, More> {
    if at.peek()? != Some(b'=') {
        return Ok(None);
    }
    for (code, byte) in [(b"=2D", b'-'), (b"=2E", b'.'), (b"=3D", b'='), (b"=5F", b'_')] {
        if at.starts_with(code)? {
            return Ok(Some(Unit { byte, len: code.len() }));
        }
    }
    Ok(None)
}
