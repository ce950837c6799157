//! The characters of a token as they may stand in a log: plain, encoded one by one, with colour codes between them, or
//! wrapped by an encoder that breaks its lines.

use super::cursor::{Cursor, More, Unit};
use super::ranges::{self, Ranges};
use super::word::{Shape, shape};

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

/// How many characters of base64 `bytes` begins with.
#[inline]
pub(super) fn base64_len(bytes: &[u8]) -> usize {
    const CHARACTERS: Ranges<6> = [(b'a', b'z'), (b'A', b'Z'), (b'/', b'9'), (b'-', b'-'), (b'_', b'_'), (b'+', b'+')];
    ranges::run_len(bytes, CHARACTERS)
}

/// How many characters of base64url `bytes` begins with.
#[inline]
pub(super) fn base64url_len(bytes: &[u8]) -> usize {
    const CHARACTERS: Ranges<5> = [(b'a', b'z'), (b'A', b'Z'), (b'0', b'9'), (b'-', b'-'), (b'_', b'_')];
    ranges::run_len(bytes, CHARACTERS)
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
pub(super) const LINE_LEN_MAX: usize = 76;
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
    /// Whether it is padding where a dot follows in the next line.
    pub lacks_padding: bool,
    pub goes_on: GoesOn,
}

/// Whether a token may go on behind a line break or colour code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GoesOn {
    Yes,
    /// It may be complete: only if what is behind a line break looks like the rest of it.
    Maybe,
    /// Behind a complete token another text begins.
    No,
}

impl<'a> Characters<'a> {
    pub fn new(cursor: Cursor<'a>, column: u64) -> Self {
        Self { cursor, column, soft_breaks: true, lacks_padding: false, goes_on: GoesOn::Yes }
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
        let len = base64_len(rest);
        self.cursor.at += len;
        self.column += len as u64;
        &rest[..len]
    }

    /// The next character, stepped over; `None` where no character of a token can follow, and then nothing is stepped over
    /// that matters.
    pub fn next(&mut self) -> Result<Option<u8>, More> {
        // Nearly all of them: none begins an encoding or a line break.
        if let Some(&byte) = self.cursor.rest().first()
            && (is_base64(byte) || matches!(byte, b'.' | b'~'))
        {
            self.cursor.at += 1;
            self.column += 1;
            return Ok(Some(byte));
        }
        let mut cursor = self.cursor;
        for _ in 0..COLOURS_MAX {
            if self.goes_on != GoesOn::Yes || cursor.peek()? != Some(0x1b) || !cursor.skip_colour()? {
                break;
            }
        }
        if let Some(len) = self.line_break(&cursor)? {
            let after = cursor.advanced(len);
            let is_padding = self.lacks_padding && cursor.peek()? == Some(b'=') && after.peek()? == Some(b'.');
            let goes_on = after.peek()?.is_some_and(|byte| is_base64(byte) || matches!(byte, b'.' | b'~' | b'='));
            if goes_on && !is_padding {
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
        let len = match (at.peek()?, self.goes_on) {
            (Some(b'='), GoesOn::Yes) if !self.soft_breaks => None,
            (Some(b'='), _) => hard_line_break(&at.advanced(1))?.map(|len| len + 1),
            (Some(b'\\' | b'\r' | b'\n'), GoesOn::Maybe) => wrap_len(at, self.column)?,
            (Some(b'\\' | b'\r' | b'\n'), _) if is_full_line(self.column) => hard_line_break(at)?,
            _ => None,
        };
        Ok(match len {
            // Only disclosures (RFC 9901 §4) and padding follow a complete token.
            Some(len) if self.goes_on == GoesOn::No => matches!(at.peek_at(len)?, Some(b'~' | b'=')).then_some(len),
            len => len,
        })
    }
}

/// The length of an encoder's line break behind so many characters, if what is behind it looks like the rest of a text:
/// a line as long, or one that is no word and no key.
pub(super) fn wrap_len(at: &Cursor<'_>, column: u64) -> Result<Option<usize>, More> {
    const SHORT_LEN: usize = 8;
    let len = if is_full_line(column) { hard_line_break(at)? } else { None };
    let Some(len) = len else { return Ok(None) };
    let line = at.advanced(len);
    let mut end = 0;
    while end as u64 <= column
        && line.peek_at(end)?.is_some_and(|byte| is_base64(byte) || matches!(byte, b'.' | b'=' | b'~'))
    {
        end += 1;
    }
    let text = &line.rest()[..end];
    let is_key = line.peek_at(end)? == Some(b':');
    // No word has digits, or capitals behind small letters.
    let is_mixed = text.windows(2).any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase())
        || text.iter().any(u8::is_ascii_digit);
    let is_end = end < SHORT_LEN && !matches!(line.peek_at(end)?, Some(b' ' | b'\t'));
    let is_rest = text.ends_with(b"=") || is_mixed || is_end || shape(text) == Shape::Random;
    let goes_on = end as u64 == column || (1..column).contains(&(end as u64)) && !is_key && is_rest;
    Ok(goes_on.then_some(len))
}

/// A line break in a string, as it stands or escaped. Between lines of a log it is the next line's decision.
pub(super) fn hard_line_break(at: &Cursor<'_>) -> Result<Option<usize>, More> {
    match at.peek()? {
        Some(b'\\') => escaped_line_break(at),
        Some(b'\n') if at.is_decoded => Ok(Some(1)),
        Some(b'\r') if at.is_decoded => Ok((at.peek_at(1)? == Some(b'\n')).then_some(2)),
        _ => Ok(None),
    }
}

/// `\n` or `\r\n` as strings spell them, at any depth of nesting.
pub(super) fn escaped_line_break(at: &Cursor<'_>) -> Result<Option<usize>, More> {
    if at.peek()? != Some(b'\\') {
        return Ok(None);
    }
    let mut cursor = *at;
    let backslashes = cursor.backslashes()?;
    if cursor.peek_at(backslashes)? == Some(b'r') {
        cursor.at += backslashes + 1;
    }
    let found = cursor.backslashes()? == backslashes && cursor.peek_at(backslashes)? == Some(b'n');
    Ok(found.then_some(cursor.at + backslashes + 1 - at.at))
}

/// A character of a token in quoted-printable: `=2E`.
pub(super) fn quoted(at: &Cursor<'_>) -> Result<Option<Unit>, More> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_end_where_the_tables_say() {
        for (byte, place) in (0..=255).flat_map(|byte| (0..70).map(move |place| (byte, place))) {
            let mut text = [b'a'; 70];
            text[place] = byte;
            let len = |is_in: fn(u8) -> bool| text.iter().position(|&byte| !is_in(byte)).unwrap_or(text.len());
            assert_eq!(base64_len(&text), len(is_base64), "{byte} at {place}");
            assert_eq!(base64url_len(&text), len(is_base64url), "{byte} at {place}");
        }
    }
}
