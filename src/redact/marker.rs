//! Recognising markers in the input: a marker is clean, and redacting twice changes nothing.

use super::Fingerprint;
use super::cursor::{Cursor, More};
use super::finding::KIND_LEN_MAX;
use super::fingerprint::MARKER_PREFIX;

/// The length of the exact marker that starts here, template included, if there is one.
pub(super) fn marker_len(at: &Cursor<'_>, template: &Template) -> Result<Option<usize>, More> {
    let mut cursor = *at;
    if !eat_exact(&mut cursor, &template.prefix)? || !eat_exact(&mut cursor, MARKER_PREFIX)? {
        return Ok(None);
    }
    let Some(kind_len) = kind_len(&cursor)? else { return Ok(None) };
    cursor.at += kind_len;
    for digits in [8, 32] {
        if cursor.peek()? != Some(b'-') {
            return Ok(None);
        }
        cursor.at += 1;
        for _ in 0..digits {
            match cursor.peek()? {
                Some(b'0'..=b'9' | b'a'..=b'f') => cursor.at += 1,
                _ => return Ok(None),
            }
        }
    }
    Ok(eat_exact(&mut cursor, &template.suffix)?.then_some(cursor.at - at.at))
}

fn kind_len(cursor: &Cursor<'_>) -> Result<Option<usize>, More> {
    // The kinds of all rules that there are: the marker may be that of a process with other rules.
    for len in 0..=KIND_LEN_MAX {
        match cursor.peek_at(len)? {
            Some(b'-') if len > 0 => return Ok(Some(len)),
            Some(b'a'..=b'z' | b'0'..=b'9') => {}
            Some(b'_') if len > 0 => {}
            _ => break,
        }
    }
    Ok(None)
}

fn eat_exact(cursor: &mut Cursor<'_>, literal: &[u8]) -> Result<bool, More> {
    for &expected in literal {
        if cursor.peek()? != Some(expected) {
            return Ok(false);
        }
        cursor.at += 1;
    }
    Ok(true)
}

/// What stands around a marker in the output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Template {
    pub prefix: Vec<u8>,
    pub suffix: Vec<u8>,
}

impl Template {
    /// Appends a marker.
    pub fn write(&self, fingerprint: &Fingerprint, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.prefix);
        fingerprint.write_marker(out);
        out.extend_from_slice(&self.suffix);
    }

    /// The first byte of every marker.
    pub fn first(&self) -> u8 {
        self.prefix.first().copied().unwrap_or(MARKER_PREFIX[0])
    }

    /// The second byte of every marker.
    pub fn second(&self) -> u8 {
        self.prefix.get(1).copied().unwrap_or(MARKER_PREFIX[1 - self.prefix.len().min(1)])
    }

    /// Reads `prefix{}suffix`, or says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let Some((prefix, suffix)) = text.split_once("{}") else {
            return Err("must hold `{}` exactly once, where the marker goes");
        };
        // Only characters that are safe wherever a marker may stand: JSON strings, URLs, logfmt, CSV, XML.
        let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:~-".contains(&byte);
        if suffix.contains("{}") {
            Err("must hold `{}` exactly once, where the marker goes")
        } else if !prefix.bytes().chain(suffix.bytes()).all(safe) {
            Err("may hold only letters, digits and `_.:~-` around `{}`")
        } else if prefix.len() + suffix.len() > 64 {
            Err("may hold at most 64 characters around `{}`")
        } else {
            Ok(Self { prefix: prefix.into(), suffix: suffix.into() })
        }
    }
}
