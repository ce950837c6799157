//! A token on its way through.

use super::{Memo, head, head_in_line};
use crate::redact::characters::{Characters, GoesOn, base64url_len, is_base64, is_base64url, is_full_line};
use crate::redact::claims::Parts;
use crate::redact::cursor::{Cursor, More};
use crate::redact::finding::Kind;
use crate::redact::fingerprint::Digester;
use crate::redact::header::Header;
use crate::redact::ranges;

/// A token on its way through: its characters go into the digest and are kept nowhere, but for those of its header and payload
/// where somebody wants to know what it says of itself.
pub(in crate::redact) struct Body {
    header: Header,
    digester: Digester,
    said: Option<Box<Parts>>,
    /// The part in progress: 0 is the header.
    part: usize,
    /// Characters of the part so far.
    part_len: u64,
    /// Characters since the token's start or the last line break in it.
    column: u64,
    /// The last character of the part: its unused bits are cleared if it turns out to be the last.
    held: Option<u8>,
    /// Whether the token was seen to use the alphabet with `+` and `/`, or padding.
    standard: bool,
    /// Whether a part was seen that ought to have padding and has none.
    unpadded: bool,
    /// Whether the part in progress has its padding.
    padded: bool,
    /// Whether padding was seen in quoted-printable, where a sign at the end of a line is none.
    quoted: bool,
    /// What of an SD-JWT (RFC 9901 §4) is in progress.
    disclosed: Disclosed,
    /// Whether the token in front of the disclosures is whole.
    complete: bool,
    /// Whether the token could be longer than it is, by what its header says.
    may_be_longer: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disclosed {
    /// The signed token itself.
    No,
    Disclosure,
    /// The token behind the last `~` that binds a key.
    Binding,
}

/// How a credential ended.
pub(in crate::redact) struct Ending {
    pub kind: Kind,
    pub complete: bool,
}

impl Body {
    /// A token whose header begins where the body is first asked to advance.
    pub fn new(header: Header, digester: Digester, said: Option<Box<Parts>>) -> Self {
        Self {
            header,
            digester,
            said,
            part: 0,
            part_len: 0,
            column: 0,
            held: None,
            standard: false,
            unpadded: false,
            padded: false,
            quoted: false,
            disclosed: Disclosed::No,
            complete: false,
            may_be_longer: false,
        }
    }

    /// The digest, and what the token says of itself.
    pub fn into_parts(self) -> (Digester, Option<Box<Parts>>) {
        (self.digester, self.said)
    }

    /// Whether an encoder would break its line behind what was taken so far.
    pub fn ends_full_line(&self) -> bool {
        is_full_line(self.column)
    }

    /// Whether the token that has ended could be longer than it is, by what its header says.
    pub fn may_be_longer(&self) -> bool {
        self.may_be_longer
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
        let run = base64url_len(rest);
        if run > 0 {
            let (len, glued) = match self.glued_token(cursor, run, memo) {
                Glue::None => (run, false),
                Glue::At(offset) => (offset, true),
                Glue::Undecided(0) => return Err(More),
                Glue::Undecided(offset) => (offset, false),
            };
            self.take(&rest[..len]);
            self.column += len as u64;
            cursor.at += len;
            return Ok(!glued);
        }
        let mut next = self.characters(cursor);
        match next.next()? {
            Some(b'~') => self.tilde(cursor, next, memo),
            Some(b'.') if self.disclosed != Disclosed::Disclosure => self.dot(cursor, next, memo),
            Some(b'=') if self.disclosed != Disclosed::Disclosure => self.padding(cursor, next),
            Some(byte @ (b'+' | b'/')) => self.standard_character(cursor, next, byte),
            Some(byte) if is_base64(byte) => {
                self.take(&[byte]);
                self.step_to(cursor, next);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn characters<'a>(&self, cursor: &Cursor<'a>) -> Characters<'a> {
        let mut characters = Characters::new(*cursor, self.column);
        characters.goes_on = match self.header.last_part_lens.last() {
            Some(&longest)
                if self.is_last_part() && self.disclosed != Disclosed::Disclosure && !self.last_part_goes_on() =>
            {
                if self.part_len < longest {
                    GoesOn::Maybe
                } else {
                    GoesOn::No
                }
            }
            _ => GoesOn::Yes,
        };
        characters.lacks_padding = !self.quoted && self.missing_padding() > 0;
        // Behind any other part than the last, padding is followed by a dot.
        characters.soft_breaks = !self.is_last_part()
            || self.disclosed == Disclosed::Disclosure
            || self.missing_padding() == 0
            || self.last_part_goes_on();
        characters
    }

    fn step_to<'a>(&mut self, cursor: &mut Cursor<'a>, characters: Characters<'a>) {
        *cursor = characters.cursor();
        self.column = characters.column();
    }

    fn take(&mut self, characters: &[u8]) {
        let Some((&last, before)) = characters.split_last() else { return };
        if let Some(held) = self.held.replace(last) {
            self.digester.update(&[held]);
        }
        self.digester.update(before);
        self.part_len += characters.len() as u64;
        if let Some(said) = &mut self.said
            && self.disclosed == Disclosed::No
            // What is behind the header of a JWE is none of ours, and no payload.
            && !(self.header.encrypted && self.part > 0)
        {
            said.push(self.part, characters);
        }
    }

    /// A dot: between parts, or behind the token.
    fn dot<'a>(&mut self, cursor: &mut Cursor<'a>, dot: Characters<'a>, memo: &mut Memo) -> Result<bool, More> {
        if self.is_last_part() {
            return Ok(false);
        }
        let mut after = dot;
        let goes_on = match after.next()? {
            // A token that was cut may stand before another one.
            Some(b'e') if self.part == 1 => head(&dot.cursor(), memo)?.is_none(),
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
        self.step_to(cursor, dot);
        Ok(true)
    }

    /// How many characters of padding the part lacks.
    fn missing_padding(&self) -> usize {
        match self.part_len % 4 {
            2 if !self.unpadded => 2,
            3 if !self.unpadded => 1,
            _ => 0,
        }
    }

    /// Padding that sloppy encoders leave on; it is no part of the canonical form.
    fn padding<'a>(&mut self, cursor: &mut Cursor<'a>, first: Characters<'a>) -> Result<bool, More> {
        let missing = self.missing_padding();
        if missing == 0 {
            return Ok(false);
        }
        let mut padding = first;
        let mut next = first;
        self.quoted |= first.at() > cursor.at + 1;
        next.lacks_padding &= !self.quoted;
        if self.is_last_part() {
            // A second sign is one of padding, or another text.
            next.goes_on = GoesOn::No;
        }
        // What stands behind the last of them is asked for once.
        let mut after = next.next()?;
        if missing == 2 && after == Some(b'=') {
            padding = next;
            after = next.next()?;
        }
        if self.is_last_part() {
            self.step_to(cursor, padding);
            return Ok(false);
        }
        if after != Some(b'.') {
            return Ok(false);
        }
        self.standard = true;
        self.padded = true;
        self.step_to(cursor, padding);
        Ok(true)
    }

    /// `+` or `/`: of the token only where it would not be whole without them (`/verify/<jwt>/confirm` is a path).
    fn standard_character<'a>(
        &mut self,
        cursor: &mut Cursor<'a>,
        next: Characters<'a>,
        byte: u8,
    ) -> Result<bool, More> {
        let mut after = next;
        let belongs = match self.is_last_part() {
            true => self.disclosed != Disclosed::Disclosure && self.last_part_goes_on(),
            false => after.next()?.is_some_and(|next| is_base64(next) || matches!(next, b'.' | b'=')),
        };
        if belongs {
            self.standard = true;
            self.take(if byte == b'+' { b"-" } else { b"_" });
            self.step_to(cursor, next);
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

    /// A tilde: before a disclosure, before the token that binds a key, behind the last disclosure (RFC 9901 §4), or behind
    /// the token.
    fn tilde<'a>(&mut self, cursor: &mut Cursor<'a>, tilde: Characters<'a>, memo: &mut Memo) -> Result<bool, More> {
        // A disclosure is an array in base64: `["` or `[` and a blank. Its salt alone is longer than this.
        const DISCLOSURE_LEN_MIN: usize = 16;
        let signed = self.disclosed == Disclosed::No && self.is_last_part() && !self.header.encrypted;
        if !(signed && self.part_len > 0 || self.disclosed == Disclosed::Disclosure) {
            return Ok(false);
        }
        let mut after = tilde;
        after.goes_on = GoesOn::Yes;
        after.soft_breaks = true;
        let mut len = 0;
        let mut first = None;
        while len < DISCLOSURE_LEN_MIN
            && let Some(byte) = after.next()?
            && is_base64url(byte)
        {
            first = first.or(Some(byte));
            len += 1;
        }
        let binding = match first {
            Some(b'e') => head_in_line(tilde, memo)?,
            _ => None,
        };
        if signed {
            self.complete = self.is_complete();
        }
        if let Some(header) = binding {
            self.next_after_tilde(cursor, tilde);
            self.header = header;
            self.part = 0;
            self.disclosed = Disclosed::Binding;
            return Ok(true);
        }
        if first == Some(b'W') && len == DISCLOSURE_LEN_MIN {
            self.next_after_tilde(cursor, tilde);
            self.disclosed = Disclosed::Disclosure;
            return Ok(true);
        }
        if self.disclosed == Disclosed::Disclosure {
            self.next_after_tilde(cursor, tilde);
        }
        Ok(false)
    }

    fn next_after_tilde<'a>(&mut self, cursor: &mut Cursor<'a>, tilde: Characters<'a>) {
        self.end_part();
        self.digester.update(b"~");
        self.step_to(cursor, tilde);
    }

    fn end_part(&mut self) {
        if let Some(held) = self.held.take() {
            self.digester.update(&[clear_unused_bits(held, self.part_len)]);
        }
        self.part_len = 0;
        self.padded = false;
    }

    fn is_complete(&self) -> bool {
        let lens = self.header.last_part_lens;
        let fits = lens.is_empty() || lens.contains(&self.part_len);
        let unsecured = self.header.unsecured && self.part_len == 0;
        self.is_last_part() && (unsecured || (self.part_len > 0 && fits))
    }

    fn end(&mut self) -> Ending {
        let complete = match self.disclosed {
            Disclosed::No => self.is_complete(),
            Disclosed::Disclosure => self.complete,
            Disclosed::Binding => self.complete && self.is_complete(),
        };
        let longest = self.header.last_part_lens.last();
        self.may_be_longer = longest.is_none_or(|&longest| self.part_len < longest);
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
        let mut from = 0;
        while let Some(found) = ranges::pair_position(&characters[from..], b'e', [(b'w', b'w'), (b'y', b'y')]) {
            let offset = from + found;
            from = offset + 1;
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
