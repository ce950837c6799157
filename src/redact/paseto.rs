//! PASETO: `v4.local.payload.footer` and its like.

use super::characters::is_base64url;
use super::cursor::{Cursor, More};
use std::ops::Range;

/// A nonce and a tag, or a signature, is longer than this in base64.
const PAYLOAD_LEN_MIN: usize = 40;
/// Longer ones are none: tokens travel in headers.
const PAYLOAD_LEN_MAX: usize = 64 << 10;

/// The token whose purpose (`.local.`, `.public.`) stands at `purpose`, with its version before and its footer behind.
pub(super) fn range(purpose: &Cursor<'_>, len: usize) -> Result<Option<Range<usize>>, More> {
    if !matches!(purpose.before(2), [b'v' | b'k', b'1'..=b'4']) {
        return Ok(None);
    }
    let payload = run_len(&purpose.advanced(len))?;
    if payload < PAYLOAD_LEN_MIN {
        return Ok(None);
    }
    let mut end = purpose.advanced(len + payload);
    if end.peek()? == Some(b'.') {
        let footer = run_len(&end.advanced(1))?;
        end.at += if footer > 0 { 1 + footer } else { 0 };
    }
    Ok(Some(purpose.at - 2..end.at))
}

fn run_len(at: &Cursor<'_>) -> Result<usize, More> {
    let rest = at.rest();
    let rest = &rest[..rest.len().min(PAYLOAD_LEN_MAX)];
    match rest.iter().position(|&byte| !is_base64url(byte)) {
        Some(len) => Ok(len),
        None if rest.len() == PAYLOAD_LEN_MAX || at.rest_is_all() => Ok(rest.len()),
        None => Err(More),
    }
}
