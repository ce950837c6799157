//! A reading position in the part of a stream that is at hand.
//!
//! A grammar reads through a cursor and never sees where a buffer happens to end: if it needs a byte that has not come
//! yet it gets [`More`], gives up, and is asked again when there is more. That is what makes the output independent of
//! how the input is cut.

/// The input at hand does not decide: ask again with more of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct More;

/// The longest character unit: `%252525` and two digits, or eight backslashes, `u` and four digits.
const BACKSLASHES_MAX: usize = 8;
const PERCENT_LEVELS_MAX: usize = 3;

#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    pub at: usize,
    /// Bytes before this index belong to another record or are gone.
    floor: usize,
    /// Whether the record ends where `bytes` ends.
    end: bool,
    /// The text comes out of a string, so that its newlines are escapes: an encoder's line breaks may be among them.
    pub is_decoded: bool,
}

/// One character, as it stands or in a transport encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    pub byte: u8,
    /// How many bytes of input it takes; 1 means that it is not encoded.
    pub len: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8], at: usize, floor: usize, end: bool) -> Self {
        Self { bytes, at, floor, end, is_decoded: false }
    }

    /// The next byte, `None` at the end of the record.
    #[inline]
    pub fn peek(&self) -> Result<Option<u8>, More> {
        self.peek_at(0)
    }

    /// The byte `ahead` bytes further on.
    #[inline]
    pub fn peek_at(&self, ahead: usize) -> Result<Option<u8>, More> {
        match self.bytes.get(self.at + ahead) {
            Some(&byte) => Ok(Some(byte)),
            None if self.end => Ok(None),
            None => Err(More),
        }
    }

    /// All bytes from here on that are at hand.
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at.min(self.bytes.len())..]
    }

    /// Whether nothing can follow [`rest`](Self::rest) in this record.
    pub fn rest_is_all(&self) -> bool {
        self.end
    }

    /// At most `len` bytes before this position, in the same record and the same line.
    pub fn before(&self, len: usize) -> &'a [u8] {
        let before = self.before_in_record(len);
        match memchr::memrchr(b'\n', before) {
            Some(newline) => &before[newline + 1..],
            None => before,
        }
    }

    /// The same, other lines too.
    #[inline]
    pub fn before_in_record(&self, len: usize) -> &'a [u8] {
        let start = self.floor.max(self.at.saturating_sub(len));
        &self.bytes[start.min(self.at)..self.at]
    }

    pub fn advanced(mut self, by: usize) -> Self {
        self.at += by;
        self
    }

    /// Whether `literal` (in lower case) comes next, in whatever case.
    pub fn starts_with_ignore_case(&self, literal: &[u8]) -> Result<bool, More> {
        for (ahead, &expected) in literal.iter().enumerate() {
            match self.peek_at(ahead)? {
                Some(byte) if byte.to_ascii_lowercase() == expected => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Whether `literal` comes next.
    pub fn starts_with(&self, literal: &[u8]) -> Result<bool, More> {
        for (ahead, &expected) in literal.iter().enumerate() {
            if self.peek_at(ahead)? != Some(expected) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Steps over `literal` if it comes next.
    pub fn eat(&mut self, literal: &[u8]) -> Result<bool, More> {
        let found = self.starts_with_ignore_case(literal)?;
        if found {
            self.at += literal.len();
        }
        Ok(found)
    }

    /// Steps over blanks and tabs, at most `limit` of them, and over terminal colour codes. Returns how many blanks.
    pub fn skip_blanks(&mut self, limit: usize) -> Result<usize, More> {
        let mut blanks = 0;
        while blanks < limit {
            match self.peek()? {
                Some(b' ' | b'\t') => {
                    self.at += 1;
                    blanks += 1;
                }
                Some(0x1b) if self.skip_colour()? => {}
                _ => break,
            }
        }
        Ok(blanks)
    }

    /// Steps over one `ESC [ … m`.
    pub fn skip_colour(&mut self) -> Result<bool, More> {
        if self.peek_at(1)? != Some(b'[') {
            return Ok(false);
        }
        for ahead in 2..24 {
            match self.peek_at(ahead)? {
                Some(b'0'..=b'9' | b';') => {}
                Some(b'm') => {
                    self.at += ahead + 1;
                    return Ok(true);
                }
                _ => break,
            }
        }
        Ok(false)
    }

    /// How many backslashes come next.
    pub fn backslashes(&self) -> Result<usize, More> {
        let mut count = 0;
        while count < BACKSLASHES_MAX && self.peek_at(count)? == Some(b'\\') {
            count += 1;
        }
        Ok(count)
    }

    /// The next character with its transport encoding removed: percent encoding to a fixed point (three levels at most),
    /// `\uXXXX`, `\xXX` and `\/` of strings at any depth of nesting, HTML's character references.
    #[inline]
    pub fn unit(&self) -> Result<Option<Unit>, More> {
        let Some(byte) = self.peek()? else { return Ok(None) };
        let encoded = match byte {
            b'%' => self.percent_unit()?,
            b'\\' => self.escape_unit()?,
            b'&' => self.reference_unit()?,
            _ => None,
        };
        Ok(Some(encoded.unwrap_or(Unit { byte, len: 1 })))
    }

    fn percent_unit(&self) -> Result<Option<Unit>, More> {
        let mut len = 1;
        for _ in 0..PERCENT_LEVELS_MAX {
            let Some(byte) = self.hex_pair(len)? else { return Ok(None) };
            len += 2;
            if byte != b'%' {
                return Ok(Some(Unit { byte, len }));
            }
            // `%25` was a percent sign: on to what it encodes in turn, if two digits follow.
            if self.hex_pair(len)?.is_none() {
                return Ok(Some(Unit { byte, len }));
            }
        }
        Ok(Some(Unit { byte: b'%', len }))
    }

    fn hex_pair(&self, ahead: usize) -> Result<Option<u8>, More> {
        let Some(high) = self.hex_digit(ahead)? else { return Ok(None) };
        let Some(low) = self.hex_digit(ahead + 1)? else { return Ok(None) };
        Ok(Some(high << 4 | low))
    }

    fn hex_digit(&self, ahead: usize) -> Result<Option<u8>, More> {
        Ok(self.peek_at(ahead)?.and_then(|byte| char::from(byte).to_digit(16)).map(|digit| digit as u8))
    }

    fn escape_unit(&self) -> Result<Option<Unit>, More> {
        let backslashes = self.backslashes()?;
        match self.peek_at(backslashes)? {
            Some(b'/') => Ok(Some(Unit { byte: b'/', len: backslashes + 1 })),
            Some(b'u') => {
                let at = backslashes + 1;
                let (Some(0), Some(byte)) = (self.hex_pair(at)?, self.hex_pair(at + 2)?) else { return Ok(None) };
                Ok((byte < 0x80).then_some(Unit { byte, len: at + 4 }))
            }
            // As nginx writes what it does not print, and programs write bytes.
            Some(b'x') => {
                let Some(byte) = self.hex_pair(backslashes + 1)? else { return Ok(None) };
                Ok((byte < 0x80).then_some(Unit { byte, len: backslashes + 3 }))
            }
            _ => Ok(None),
        }
    }

    /// `&#46;`, `&#x2e;`, `&period;`: the names are those of the characters that tokens and what stands around them need.
    fn reference_unit(&self) -> Result<Option<Unit>, More> {
        const NAMED: [(&[u8], u8); 12] = [
            (b"&quot;", b'"'),
            (b"&amp;", b'&'),
            (b"&apos;", b'\''),
            (b"&period;", b'.'),
            (b"&lowbar;", b'_'),
            (b"&hyphen;", b'-'),
            (b"&plus;", b'+'),
            (b"&sol;", b'/'),
            (b"&equals;", b'='),
            (b"&colon;", b':'),
            (b"&lt;", b'<'),
            (b"&gt;", b'>'),
        ];
        const DIGITS_MAX: usize = 7;
        if self.peek_at(1)? != Some(b'#') {
            for (name, byte) in NAMED {
                if self.starts_with_ignore_case(name)? {
                    return Ok(Some(Unit { byte, len: name.len() }));
                }
            }
            return Ok(None);
        }
        let (radix, start) = if matches!(self.peek_at(2)?, Some(b'x' | b'X')) { (16, 3) } else { (10, 2) };
        let mut value = 0;
        for ahead in start..start + DIGITS_MAX {
            match self.peek_at(ahead)? {
                Some(b';') if ahead > start && value < 0x80 => {
                    return Ok(Some(Unit { byte: value as u8, len: ahead + 1 }));
                }
                Some(byte) => match char::from(byte).to_digit(radix) {
                    Some(digit) => value = value * radix + digit,
                    None => return Ok(None),
                },
                None => return Ok(None),
            }
        }
        Ok(None)
    }
}
