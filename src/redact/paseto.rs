//! PASETO tokens `v4.public.…` and `v4.local.…`, and the secret keys that PASERK writes alike.

use super::characters::is_base64url;
use super::cursor::{Cursor, More};

/// A signature alone is longer.
const PAYLOAD_LEN_MIN: usize = 32;
/// A longer token is taken as it comes.
pub(super) const TOKEN_LEN_MAX: usize = 64 << 10;

/// Whether `before`, which a purpose such as `.public.` follows, ends with a version: `v1` to `v4`, and `k1` to `k4` of keys.
pub(super) fn ends_with_version(before: &[u8]) -> bool {
    matches!(before, [.., b'v' | b'k', b'1'..=b'4'])
}

/// The length of the token that begins here with its version, if it is one; at most [`TOKEN_LEN_MAX`].
pub(super) fn token_len(at: &Cursor<'_>) -> Result<Option<usize>, More> {
    let is_key = at.peek()? == Some(b'k');
    let mut cursor = at.advanced(2);
    // Public keys and identifiers are no secrets.
    let purposes: [&[u8]; 2] = if is_key { [b".secret.", b".local."] } else { [b".public.", b".local."] };
    if !cursor.eat(purposes[0])? && !cursor.eat(purposes[1])? {
        return Ok(None);
    }
    let payload = run_len(&cursor)?;
    if payload < PAYLOAD_LEN_MIN {
        return Ok(None);
    }
    let mut len = cursor.at - at.at + payload;
    let footer = at.advanced(len);
    if len < TOKEN_LEN_MAX && footer.peek()? == Some(b'.') {
        let footer = run_len(&footer.advanced(1))?;
        len += if footer > 0 { footer + 1 } else { 0 };
    }
    Ok(Some(len.min(TOKEN_LEN_MAX)))
}

fn run_len(at: &Cursor<'_>) -> Result<usize, More> {
    let mut len = 0;
    while len < TOKEN_LEN_MAX && at.peek_at(len)?.is_some_and(is_base64url) {
        len += 1;
    }
    Ok(len)
}
