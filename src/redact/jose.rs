//! JOSE compact tokens: the header that proves one, and the parts behind it.

use super::cursor::{Cursor, More};
use super::finding::Kind;
use super::fingerprint::Digester;
use super::header::{Header, read_header};

/// No real header is longer: one still undecided after this many characters is decided by what is known of it.
pub(super) const HEADER_LEN_MAX: usize = 64 << 10;

/// Characters of base64 in either alphabet (RFC 4648 §4, §5).
#[inline]
pub(super) fn is_base64(byte: u8) -> bool {
    CLASS[usize::from(byte)] != 0
}

/// Characters of base64url (RFC 4648 §5).
#[inline]
fn is_base64url(byte: u8) -> bool {
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

/// What is remembered between candidates so that a text full of them costs linear time.
#[derive(Clone, Debug, Default)]
pub(super) struct Memo {
    /// Indexes of the last run of base64 characters that was measured.
    run: std::ops::Range<usize>,
    /// Whether the run may go on in the bytes to come.
    open: bool,
    /// The last header that was read, and what it says: services send the same header again and again.
    last: Option<(Vec<u8>, Header)>,
}

impl Memo {
    /// Indexes are about to change.
    pub fn forget_indexes(&mut self) {
        self.run = 0..0;
    }

    /// How many base64 characters follow, up to the limit.
    fn run_len(&mut self, at: &Cursor<'_>) -> Result<usize, More> {
        if !self.run.contains(&at.at) {
            let rest = at.rest();
            let len = rest.iter().position(|&byte| !is_base64(byte));
            self.run = at.at..at.at + len.unwrap_or(rest.len());
            self.open = len.is_none() && !at.rest_is_all();
        }
        match self.run.end - at.at {
            HEADER_LEN_MAX.. => Ok(HEADER_LEN_MAX),
            _ if self.open => Err(More),
            len => Ok(len),
        }
    }

    fn read(&mut self, text: &[u8]) -> Option<Header> {
        const REMEMBERED_LEN_MAX: usize = 512;
        if let Some((last, header)) = &self.last
            && last == text
        {
            return Some(*header);
        }
        let header = read_header(text, false)?;
        if text.len() <= REMEMBERED_LEN_MAX {
            self.last = Some((text.to_vec(), header));
        }
        Some(header)
    }
}

/// Decides whether a JOSE token with something secret in it begins here: a header (RFC 7515 §4, RFC 7516 §4), a dot, and
/// at least one character behind. A lone header is no secret.
pub(super) fn head(at: &Cursor<'_>, memo: &mut Memo) -> Result<Option<Header>, More> {
    let len = memo.run_len(at)?;
    let text = &at.rest()[..len];
    if len == HEADER_LEN_MAX {
        return Ok(read_header(text, true));
    }
    let mut after = at.advanced(len);
    for _ in 0..2 {
        if after.peek()? == Some(b'=') {
            after.at += 1;
        }
    }
    if after.peek()? != Some(b'.') {
        return Ok(None);
    }
    let secret = match after.peek_at(1)? {
        Some(byte) if is_base64(byte) => true,
        // A detached payload (RFC 7515 appendix F) or no encrypted key (RFC 7516 §4.5).
        Some(b'.') => after.peek_at(2)?.is_some_and(is_base64),
        _ => false,
    };
    if !secret {
        return Ok(None);
    }
    Ok(memo.read(text))
}

/// A token on its way through: its characters go into the digest and are kept nowhere.
#[derive(Clone)]
pub(super) struct Body {
    header: Header,
    digester: Digester,
    /// The part in progress: 0 is the header.
    part: usize,
    /// Characters of the part so far.
    part_len: u64,
    /// The last character of the part: its unused bits are cleared if it turns out to be the last.
    held: Option<u8>,
    /// Whether the token was seen to use the alphabet with `+` and `/`, or padding.
    standard: bool,
    /// Whether a part was seen that ought to have padding and has none.
    unpadded: bool,
    /// Whether the part in progress has its padding.
    padded: bool,
}

/// How a credential ended.
pub(super) struct Ending {
    pub kind: Kind,
    pub complete: bool,
}

impl Body {
    /// A token whose header begins where the body is first asked to advance.
    pub fn new(header: Header, digester: Digester) -> Self {
        Self { header, digester, part: 0, part_len: 0, held: None, standard: false, unpadded: false, padded: false }
    }

    pub fn into_digester(self) -> Digester {
        self.digester
    }

    fn parts(&self) -> usize {
        if self.header.encrypted { 5 } else { 3 }
    }

    fn is_last_part(&self) -> bool {
        self.part + 1 == self.parts()
    }

    /// Takes as many characters as are decided. The second value tells the end of the token; until it comes, more input
    /// is needed. The count never goes beyond the token.
    pub fn advance(&mut self, at: &Cursor<'_>, memo: &mut Memo) -> (usize, Option<Ending>) {
        let mut cursor = *at;
        loop {
            match self.step(&mut cursor, memo) {
                Ok(true) => {}
                Ok(false) => {
                    let ending = self.end();
                    return (cursor.at - at.at, Some(ending));
                }
                Err(More) => return (cursor.at - at.at, None),
            }
        }
    }

    /// One run of characters or one character that is none; false at the end of the token.
    fn step(&mut self, cursor: &mut Cursor<'_>, memo: &mut Memo) -> Result<bool, More> {
        let rest = cursor.rest();
        let run = rest.iter().position(|&byte| !is_base64url(byte)).unwrap_or(rest.len());
        if run > 0 {
            let (len, glued) = match self.glued_token(cursor, run, memo) {
                Glue::None => (run, false),
                Glue::At(offset) => (offset, true),
                Glue::Undecided(0) => return Err(More),
                Glue::Undecided(offset) => (offset, false),
            };
            self.take(&rest[..len]);
            cursor.at += len;
            return Ok(!glued);
        }
        match cursor.peek()? {
            Some(b'.') => self.dot(cursor, memo),
            Some(b'=') => self.padding(cursor),
            Some(byte @ (b'+' | b'/')) => self.standard_character(cursor, byte),
            _ => Ok(false),
        }
    }

    fn take(&mut self, characters: &[u8]) {
        let Some((&last, before)) = characters.split_last() else { return };
        if let Some(held) = self.held.replace(last) {
            self.digester.update(&[held]);
        }
        self.digester.update(before);
        self.part_len += characters.len() as u64;
    }

    /// A dot: between parts, or behind the token.
    fn dot(&mut self, cursor: &mut Cursor<'_>, memo: &mut Memo) -> Result<bool, More> {
        if self.is_last_part() {
            return Ok(false);
        }
        let goes_on = match cursor.peek_at(1)? {
            // A token that was cut may stand before another one.
            Some(b'e') if self.part == 1 => head(&cursor.advanced(1), memo)?.is_none(),
            Some(byte) if is_base64(byte) => true,
            // An unsecured token ends in a dot (RFC 7519 §6.1).
            _ if self.part == 1 && self.header.unsecured => true,
            // Of a JWE every part but the header may be empty, of a JWS the payload.
            next => next == Some(b'.') && (self.header.encrypted || self.part == 0),
        };
        if !goes_on {
            return Ok(false);
        }
        self.unpadded |= self.part_len % 4 > 1 && !self.padded;
        self.end_part();
        self.digester.update(b".");
        self.part += 1;
        cursor.at += 1;
        Ok(true)
    }

    /// Padding that sloppy encoders leave on; it is no part of the canonical form.
    fn padding(&mut self, cursor: &mut Cursor<'_>) -> Result<bool, More> {
        let missing = match self.part_len % 4 {
            2 if !self.unpadded => 2,
            3 if !self.unpadded => 1,
            _ => return Ok(false),
        };
        let mut len = 0;
        while len < missing && cursor.peek_at(len)? == Some(b'=') {
            len += 1;
        }
        if self.is_last_part() {
            cursor.at += len;
            return Ok(false);
        }
        if cursor.peek_at(len)? != Some(b'.') {
            return Ok(false);
        }
        self.standard = true;
        self.padded = true;
        cursor.at += len;
        Ok(true)
    }

    /// `+` or `/`: of the token only where it would not be whole without them (`/verify/<jwt>/confirm` is a path).
    fn standard_character(&mut self, cursor: &mut Cursor<'_>, byte: u8) -> Result<bool, More> {
        let belongs = match self.is_last_part() {
            true => self.last_part_goes_on(),
            false => cursor.peek_at(1)?.is_some_and(|next| is_base64(next) || matches!(next, b'.' | b'=')),
        };
        if belongs {
            self.standard = true;
            self.take(if byte == b'+' { b"-" } else { b"_" });
            cursor.at += 1;
        }
        Ok(belongs)
    }

    fn last_part_goes_on(&self) -> bool {
        let lens = self.header.last_part_lens;
        match lens.last() {
            Some(&longest) => self.part_len < longest && !lens.contains(&self.part_len),
            None => self.standard || self.part_len % 4 == 1,
        }
    }

    fn end_part(&mut self) {
        if let Some(held) = self.held.take() {
            self.digester.update(&[clear_unused_bits(held, self.part_len)]);
        }
        self.part_len = 0;
        self.padded = false;
    }

    fn end(&mut self) -> Ending {
        let lens = self.header.last_part_lens;
        let fits = lens.is_empty() || lens.contains(&self.part_len);
        let unsecured = self.header.unsecured && self.part_len == 0;
        let complete = self.is_last_part() && (unsecured || (self.part_len > 0 && fits));
        self.end_part();
        let kind = if self.header.encrypted { Kind::Jwe } else { Kind::Jwt };
        Ending { kind, complete }
    }

    /// Looks for another token that begins inside this run, since two may be glued together.
    fn glued_token(&self, cursor: &Cursor<'_>, run: usize, memo: &mut Memo) -> Glue {
        if self.part == 0 {
            return Glue::None;
        }
        let characters = &cursor.rest()[..run];
        let whole = run < cursor.rest().len() || cursor.rest_is_all();
        for offset in memchr::memchr_iter(b'e', characters) {
            // What begins a payload is the payload's own object.
            if self.part == 1 && self.part_len == 0 && offset == 0 {
                continue;
            }
            match characters.get(offset + 1..offset + 3) {
                Some([b'y', b'A' | b'I'..=b'L'] | [b'w', b'o' | b'0' | b'k']) => {}
                None if !whole => return Glue::Undecided(offset),
                _ => continue,
            }
            match head(&cursor.advanced(offset), memo) {
                Ok(Some(_)) => return Glue::At(offset),
                Ok(None) => {}
                Err(More) => return Glue::Undecided(offset),
            }
        }
        Glue::None
    }
}

enum Glue {
    None,
    At(usize),
    Undecided(usize),
}

/// Zeroes the bits of a part's last character that carry nothing, so that equal bytes have one canonical text.
fn clear_unused_bits(character: u8, part_len: u64) -> u8 {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let used = match part_len % 4 {
        2 => 0b11_0000,
        3 => 0b11_1100,
        _ => return character,
    };
    let value = ALPHABET.iter().position(|&other| other == character);
    value.map_or(character, |value| ALPHABET[value & used])
}
