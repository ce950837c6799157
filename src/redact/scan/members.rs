//! JOSE in JSON serialization (RFC 7515 §7.2, RFC 7516 §7.2): the members beside a protected header.

use super::decide::Decision;
use super::{LOOKBACK_LEN, Scan, Window};
use crate::redact::characters::is_base64url;
use crate::redact::context;
use crate::redact::cursor::{Cursor, More};
use crate::redact::finding::Kind;
use crate::redact::header::{Text, read_object};
use crate::redact::marker::marker_len;
use crate::redact::redaction::Shared;

/// How far from a protected header its other members are looked for, in either direction, values left out.
const BESIDE_LEN_MAX: usize = 512;
/// The same behind it, values and all.
const OBJECT_LEN_MAX: u64 = 256 << 10;
/// Longer values are decided as if they ended here.
const VALUE_LEN_MAX: usize = 64 << 10;

impl Scan {
    /// Notes that base64 of an object at `at` is the protected header of a JOSE object.
    pub(super) fn protected(&mut self, window: Window<'_>, at: usize) -> Result<(), More> {
        if !follows_name(&self.at(window, at), b"protected") {
            return Ok(());
        }
        let cursor = self.at(window, at);
        let len = run_len(&cursor)?;
        if let Some(header) = read_object(Text::Plain(&cursor.rest()[..len]))?.seen.header() {
            let kind = if header.encrypted { Kind::Jwe } else { Kind::Jwt };
            self.jose_object = Some((window.position(at), kind));
        }
        Ok(())
    }

    /// Decides whether a value at `at`, behind one of these names, is part of a JOSE object.
    pub(super) fn jose_member(
        &mut self,
        shared: &Shared,
        window: Window<'_>,
        at: usize,
        kind: Kind,
    ) -> Result<Decision, More> {
        let cursor = self.at(window, at);
        let len = run_len(&cursor)?;
        if len == 0 || marker_len(&cursor, &shared.template)?.is_some() {
            return Ok(Decision::Nothing);
        }
        let kind = match self.jose_object {
            Some((start, kind)) if self.is_beside(window, start, at) => kind,
            _ if before_protected(&cursor.advanced(len))? => kind,
            _ => return Ok(Decision::Nothing),
        };
        self.known(shared, window, at..at + len, kind)
    }

    /// Whether the text goes on from the protected header at `start` to `at` as one object, as far back as is known.
    fn is_beside(&self, window: Window<'_>, start: u64, at: usize) -> bool {
        let position = window.position(at);
        let from = start.max(self.floor).max(position.saturating_sub(LOOKBACK_LEN as u64));
        let between = &window.bytes[window.index(from)..at];
        // Pretty-printed members and brackets begin their lines so; records begin otherwise.
        let goes_on = |newline: usize| matches!(between.get(newline + 1), Some(b' ' | b'\t' | b'}' | b']' | b'"'));
        position - start < OBJECT_LEN_MAX && memchr::memchr_iter(b'\n', between).all(goes_on)
    }

    /// Decides at the name of a member that only JOSE objects have.
    pub(super) fn at_member(
        &mut self,
        shared: &Shared,
        window: Window<'_>,
        name: usize,
        len: usize,
    ) -> Result<Decision, More> {
        match value(self.at(window, name + len))? {
            Some(at) => self.jose_member(shared, window, at, Kind::Jwe),
            None => Ok(Decision::Nothing),
        }
    }
}

/// Where the value of a member called `signature` begins, if that is what ends here.
pub(super) fn signature_value(anchor: &Cursor<'_>, len: usize) -> Result<Option<usize>, More> {
    if anchor.rest()[..len] != *b"ignature" || !matches!(anchor.before(2), [b'"', b's']) {
        return Ok(None);
    }
    value(anchor.advanced(len))
}

/// Where the quoted value behind a quoted name begins, if `cursor` stands at the name's closing quote.
pub(super) fn value(mut cursor: Cursor<'_>) -> Result<Option<usize>, More> {
    const BLANKS_MAX: usize = 16;
    if context::quote(&mut cursor)?.is_none() {
        return Ok(None);
    }
    cursor.skip_blanks(BLANKS_MAX)?;
    if cursor.peek()? != Some(b':') {
        return Ok(None);
    }
    cursor.at += 1;
    cursor.skip_blanks(BLANKS_MAX)?;
    Ok(context::quote(&mut cursor)?.map(|_| cursor.at))
}

/// Whether `at` stands at the beginning of the string of a member of this name.
pub(super) fn follows_name(at: &Cursor<'_>, name: &[u8]) -> bool {
    const BETWEEN_LEN_MAX: usize = 32;
    let before = at.before(BETWEEN_LEN_MAX);
    let is_between = |byte: &u8| matches!(byte, b'"' | b'\\' | b':' | b' ' | b'\t');
    let end = before.iter().rposition(|byte| !is_between(byte)).map_or(0, |last| last + 1);
    before[..end].ends_with(name) && before[end..].contains(&b':')
}

/// Whether a protected header follows soon behind a value that ends here.
fn before_protected(end: &Cursor<'_>) -> Result<bool, More> {
    let mut cursor = *end;
    for _ in 0..BESIDE_LEN_MAX {
        match cursor.peek()? {
            None => return Ok(false),
            Some(b'p') if cursor.starts_with(b"protected")? => {
                let name_end = cursor.advanced(b"protected".len());
                return match value(name_end)? {
                    Some(at) => cursor.advanced(at - cursor.at).starts_with(b"e"),
                    None => Ok(false),
                };
            }
            // A line that is no JSON ends the search; pretty-printed members begin with a blank.
            Some(b'\n') if !matches!(cursor.peek_at(1)?, Some(b' ' | b'\t')) => return Ok(false),
            Some(_) => cursor.at += 1,
        }
    }
    Ok(false)
}

fn run_len(at: &Cursor<'_>) -> Result<usize, More> {
    let rest = at.rest();
    let rest = &rest[..rest.len().min(VALUE_LEN_MAX)];
    match rest.iter().position(|&byte| !is_base64url(byte)) {
        Some(len) => Ok(len),
        None if rest.len() == VALUE_LEN_MAX || at.rest_is_all() => Ok(rest.len()),
        None => Err(More),
    }
}
