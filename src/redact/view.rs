//! Texts inside an encoding: a stretch of input decoded, and where each decoded byte came from.
//!
//! A view is bounded. What it shows is scanned like any text, by the same scan one level deeper, and what is found there is
//! replaced here.

use super::characters::{Characters, LINE_LEN_MAX, decode_group, hard_line_break, is_base64, is_full_line, sextet};
use super::cursor::{Cursor, More, Unit};
use super::fingerprint::MARKER_PREFIX;

/// So much of the input is decoded for one decision. More than the longest header that is read, and less than what may
/// wait in a buffer.
pub(super) const VIEW_LEN_MAX: usize = 96 << 10;
/// How far back a stretch is looked for.
pub(super) const STRETCH_BACK_MAX: usize = 4096;

/// How a stretch of text is encoded, and where in it the fragment stands that gave it away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// RFC 4648 §4, §5. The group of four characters begins so many characters before the fragment.
    Base64 { back: usize },
    /// RFC 4648 §8.
    Hex,
    /// Pairs of hexadecimal digits with one character between them.
    SpacedHex,
    /// Letters in percent encoding, escapes or character references, which no honest encoder needs to write so.
    Escaped,
    /// Characters of two bytes.
    Utf16,
    /// A token that an encoder has broken into lines.
    Wrapped,
}

impl Encoding {
    /// How many bytes before the fragment its unit begins.
    pub fn back(self) -> u64 {
        match self {
            Encoding::Base64 { back } => back as u64,
            _ => 0,
        }
    }
}

/// A decoded stretch.
pub(super) struct View {
    pub text: Vec<u8>,
    /// Where each byte of `text` comes from, as first and last index in the input; empty where only the stretch as a whole
    /// can be replaced.
    origin: Vec<(usize, usize)>,
    /// Where it begins and ends in the input.
    pub start: usize,
    pub end: usize,
    /// The stretch goes on behind the longest view.
    pub cut: bool,
    /// A marker stands for what came behind it.
    pub before_marker: bool,
}

impl View {
    /// Where the bytes of `text` stand in the input.
    pub fn raw(&self, text: &std::ops::Range<usize>) -> std::ops::Range<usize> {
        match (self.origin.get(text.start), text.end.checked_sub(1).and_then(|last| self.origin.get(last))) {
            (Some(first), Some(last)) => first.0..last.1,
            _ => self.start..self.end,
        }
    }

    /// Whether what is found is replaced by itself, not with the stretch around it.
    pub fn is_exact(&self) -> bool {
        !self.origin.is_empty()
    }

    fn empty(at: &Cursor<'_>) -> Self {
        Self { text: Vec::new(), origin: Vec::new(), start: at.at, end: at.at, cut: false, before_marker: false }
    }

    /// Takes one more character, stepped over; false if the view is full.
    fn take(&mut self, cursor: &mut Cursor<'_>, unit: Unit) -> bool {
        self.cut = cursor.at - self.start >= VIEW_LEN_MAX;
        if self.cut {
            return false;
        }
        self.text.push(unit.byte);
        self.origin.push((cursor.at, cursor.at + unit.len));
        cursor.at += unit.len;
        self.end = cursor.at;
        true
    }

    /// Decodes base64 from the beginning of a group of four characters on.
    pub fn base64(at: &Cursor<'_>) -> Result<Self, More> {
        let mut characters = Characters::new(*at, 0);
        let (mut read, mut slashes) = (Vec::new(), Vec::new());
        let mut end = at.at;
        let mut cut = false;
        loop {
            if characters.at() - at.at >= VIEW_LEN_MAX {
                cut = true;
                break;
            }
            let plain = characters.plain_run(VIEW_LEN_MAX - (characters.at() - at.at));
            if !plain.is_empty() {
                slashes.extend(memchr::memchr_iter(b'/', plain).map(|slash| (read.len() + slash, end + slash)));
                read.extend_from_slice(plain);
                end = characters.at();
                continue;
            }
            let mut next = characters;
            match next.next()? {
                Some(byte) if is_base64(byte) => {
                    if byte == b'/' {
                        slashes.push((read.len(), end));
                    }
                    read.push(byte);
                }
                // Padding belongs to it, as far as it fits.
                Some(b'=') if read.len() % 4 > 1 => {
                    end = next.at();
                    let mut second = next;
                    if read.len() % 4 == 2 && second.next()? == Some(b'=') {
                        end = second.at();
                    }
                    break;
                }
                _ => break,
            }
            characters = next;
            end = next.at();
        }
        let mut before_marker = false;
        // All of a marker's characters are some of base64.
        if let Some(len) = memchr::memmem::find(&read, MARKER_PREFIX)
            && let Some(raw_len) = memchr::memmem::find(&at.rest()[..end - at.at], MARKER_PREFIX)
        {
            read.truncate(len);
            slashes.retain(|(index, _)| *index < len);
            (end, cut, before_marker) = (at.at + raw_len, false, true);
        }
        let mut text = decode_characters(&read);
        // What follows a slash is a path's next segment if it decodes to no text.
        for (index, at) in slashes {
            let from = index * 6 / 8;
            let behind = text.get(from..text.len().min(from + 9)).unwrap_or_default();
            if !is_text(behind) {
                text.truncate(from);
                end = at;
                cut = false;
                break;
            }
        }
        Ok(Self { text, origin: Vec::new(), start: at.at, end, cut, before_marker })
    }

    /// Decodes pairs of hexadecimal digits with `apart` characters between them.
    pub fn hex(at: &Cursor<'_>, apart: usize) -> Result<Self, More> {
        let separator = at.peek_at(2)?;
        let mut view = Self::empty(at);
        let mut cursor = *at;
        while let Some(high) = hex_digit(cursor.peek()?)
            && let Some(low) = hex_digit(cursor.peek_at(1)?)
        {
            view.text.push(high << 4 | low);
            view.end = cursor.at + 2;
            if view.end - view.start >= VIEW_LEN_MAX {
                view.cut = true;
                break;
            }
            if apart == 1 && cursor.peek_at(2)? != separator {
                break;
            }
            cursor.at += 2 + apart;
        }
        Ok(view)
    }

    /// Decodes characters that are encoded one by one, up to what [`ends_escaped`].
    pub fn escaped(at: &Cursor<'_>) -> Result<Self, More> {
        let mut view = Self::empty(at);
        let mut cursor = *at;
        while let Some(unit) = cursor.unit()? {
            if unit.len == 1 && ends_escaped(unit.byte) {
                break;
            }
            if !view.take(&mut cursor, unit) {
                break;
            }
        }
        Ok(view)
    }

    /// Joins the lines of a token.
    pub fn wrapped(at: &Cursor<'_>) -> Result<Self, More> {
        let mut view = Self::empty(at);
        let (mut cursor, mut column) = (*at, 0);
        loop {
            if is_full_line(column)
                && let Some(len) = hard_line_break(&cursor)?
                && cursor.advanced(len).peek()?.is_some_and(is_of_token)
            {
                cursor.at += len;
                column = 0;
            }
            let Some(unit) = cursor.unit()?.filter(|unit| is_of_token(unit.byte)) else { break };
            if !view.take(&mut cursor, unit) {
                break;
            }
            column += 1;
        }
        Ok(view)
    }

    /// Decodes ASCII characters of two bytes in a line. Each is taken for the character and the zero behind it: whether the
    /// zero stands before or behind, a stretch of both begins and ends with the same bytes around it.
    pub fn utf16(at: &Cursor<'_>) -> Result<Self, More> {
        let mut view = Self::empty(at);
        let mut cursor = *at;
        while let Some(byte @ (b'\t' | b' '..=b'~')) = cursor.peek()? {
            let next = cursor.peek_at(1)?;
            let len = if next == Some(0) { 2 } else { 1 };
            // The last character of a big-endian text has no zero behind it.
            if len == 1 && next.is_some_and(|next| !matches!(next, b'\r' | b'\n')) {
                break;
            }
            if !view.take(&mut cursor, Unit { byte, len }) {
                break;
            }
        }
        Ok(view)
    }
}

/// What ends a text with encoded characters: quotes, tags, lines. Not a blank, since who escapes letters may leave that as
/// it is.
pub(super) fn ends_escaped(byte: u8) -> bool {
    matches!(byte, 0..=0x1f | b'"' | b'\'' | b'<' | b'>' | b'`')
}

/// Whether a token that an encoder has broken into lines begins here.
pub(super) fn is_wrapped(at: &Cursor<'_>) -> Result<bool, More> {
    let mut column = 0;
    while at.peek_at(column)?.is_some_and(is_of_token) {
        column += 1;
        if is_full_line(column as u64) && hard_line_break(&at.advanced(column))?.is_some() {
            return Ok(true);
        }
        if column == LINE_LEN_MAX {
            break;
        }
    }
    Ok(false)
}

/// Characters of tokens and sessions.
fn is_of_token(byte: u8) -> bool {
    is_base64(byte) || matches!(byte, b'.' | b':' | b'=' | b'~')
}

/// Where the run of base64 characters that ends at `at` begins: not before what an escape, a percent encoding or a colour
/// code ends with.
pub(super) fn run_start(at: &Cursor<'_>) -> usize {
    let before = at.before(STRETCH_BACK_MAX);
    let mut start = before.iter().rposition(|&byte| !is_base64(byte)).map_or(0, |last| last + 1);
    let run = &before[start..];
    let skipped = match &before[..start] {
        [.., b'\\'] => match run {
            [b'u', digits @ ..] => 1 + digits.iter().take(4).take_while(|digit| digit.is_ascii_hexdigit()).count(),
            [b'x', digits @ ..] => 1 + digits.iter().take(2).take_while(|digit| digit.is_ascii_hexdigit()).count(),
            [] => 0,
            _ => 1,
        },
        [.., b'%'] => run.iter().take(2).take_while(|digit| digit.is_ascii_hexdigit()).count(),
        [.., 0x1b, b'['] | [.., b';'] => {
            let digits = run.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if run.get(digits) == Some(&b'm') { digits + 1 } else { 0 }
        }
        _ => 0,
    };
    start += skipped;
    at.at - (before.len() - start)
}

/// The bytes that groups of four characters stand for.
pub(super) fn decode_characters(characters: &[u8]) -> Vec<u8> {
    let (groups, rest) = characters.as_chunks::<4>();
    let mut bytes = vec![0; 3 * groups.len()];
    for (group, bytes) in groups.iter().zip(bytes.as_chunks_mut::<3>().0) {
        *bytes = decode_group(group);
    }
    if !rest.is_empty() {
        // A lone last character holds only six bits of a byte.
        bytes.extend_from_slice(&decode_group(rest)[..rest.len() - 1]);
    }
    bytes
}

/// Whether `characters` can begin base64 of ASCII text. What holds for some characters holds for fewer of them.
pub(super) fn is_base64_of_text(characters: &[u8]) -> bool {
    // The first bit of a byte of ASCII is zero, and the first sextet of a group begins a byte.
    let first_bit = |group: &[u8]| group.len() != 1 || sextet(group[0]) < 0b10_0000;
    is_text(&decode_characters(characters)) && characters.chunks(4).last().is_none_or(first_bit)
}

/// Whether `digits` can begin hexadecimal digits of ASCII text.
pub(super) fn is_hex_of_text(digits: &[u8]) -> bool {
    digits.chunks(2).all(|pair| match (hex_digit(pair.first().copied()), pair.get(1)) {
        (Some(high), None) => high < 8,
        (Some(high), Some(&low)) => hex_digit(Some(low)).is_some_and(|low| is_text(&[high << 4 | low])),
        (None, _) => false,
    })
}

pub(super) fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~'))
}

pub(super) fn hex_digit(byte: Option<u8>) -> Option<u8> {
    byte.and_then(|byte| char::from(byte).to_digit(16)).map(|digit| digit as u8)
}
