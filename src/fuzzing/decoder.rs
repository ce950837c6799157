//! What an attacker does with the output: decodes it every way there is, and looks for pieces of a credential.
//!
//! It shares nothing with the engine, so that a mistake in one is no mistake in the other.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::collections::HashSet;

/// So many characters of a credential in a row are a leak.
pub const PIECE_LEN: usize = 12;
const DEPTH_MAX: usize = 3;
/// Shorter runs can't hold a piece.
const BASE64_LEN_MIN: usize = 16;
const HEX_LEN_MIN: usize = 2 * PIECE_LEN;

/// Unused bits in a last character are no reason to refuse it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The first piece of a secret that is in the output or in what it decodes to, in up to three steps; a piece that is in
/// `public` too says nothing.
pub fn surviving_piece(output: &[u8], secrets: &[Vec<u8>], public: &[u8]) -> Option<Vec<u8>> {
    let mut pieces: HashSet<&[u8]> = secrets.iter().flat_map(|secret| secret.windows(PIECE_LEN)).collect();
    for piece in public.windows(PIECE_LEN) {
        pieces.remove(piece);
    }
    let mut seen = HashSet::from([output.to_vec()]);
    let mut texts = vec![output.to_vec()];
    for depth in 0..=DEPTH_MAX {
        let found = texts.iter().flat_map(|text| text.windows(PIECE_LEN)).find(|piece| pieces.contains(piece));
        if let Some(piece) = found {
            return Some(piece.to_vec());
        }
        if depth < DEPTH_MAX {
            texts = texts.iter().flat_map(|text| decodings(text)).filter(|text| seen.insert(text.clone())).collect();
        }
    }
    None
}

/// All that one step of decoding makes of a text.
fn decodings(text: &[u8]) -> Vec<Vec<u8>> {
    let mut decoded = vec![percent(text), json(text), html(text), quoted_printable(text), unwrapped(text)];
    decoded.retain(|decoded| decoded != text);
    decoded.extend(blobs(text, is_base64, BASE64_LEN_MIN, 4, base64));
    decoded.extend(blobs(text, |byte| byte.is_ascii_hexdigit(), HEX_LEN_MIN, 2, hex));
    decoded.retain(|decoded| decoded.len() >= PIECE_LEN);
    decoded
}

fn percent(text: &[u8]) -> Vec<u8> {
    replaced(text, |rest| match rest {
        [b'%', high, low, ..] => Some((3, vec![byte_of(&[*high, *low])?])),
        _ => None,
    })
}

fn json(text: &[u8]) -> Vec<u8> {
    replaced(text, |rest| match rest {
        [b'\\', b'u', b'0', b'0', high, low, ..] => Some((6, vec![byte_of(&[*high, *low])?])),
        [b'\\', b'n', ..] => Some((2, vec![b'\n'])),
        [b'\\', b'r', ..] => Some((2, vec![b'\r'])),
        [b'\\', b't', ..] => Some((2, vec![b'\t'])),
        [b'\\', byte @ (b'"' | b'\\' | b'/'), ..] => Some((2, vec![*byte])),
        _ => None,
    })
}

fn html(text: &[u8]) -> Vec<u8> {
    const NAMES: &[(&str, u8)] =
        &[("period", b'.'), ("quot", b'"'), ("apos", b'\''), ("amp", b'&'), ("lt", b'<'), ("gt", b'>')];
    replaced(text, |rest| {
        let len = rest.iter().take(12).position(|&byte| byte == b';')?;
        let name = std::str::from_utf8(rest[..len].strip_prefix(b"&")?).ok()?;
        let byte = match (name.strip_prefix("#x"), name.strip_prefix('#')) {
            (Some(digits), _) => u8::from_str_radix(digits, 16).ok()?,
            (None, Some(digits)) => digits.parse().ok()?,
            (None, None) => NAMES.iter().find(|(known, _)| *known == name)?.1,
        };
        Some((len + 1, vec![byte]))
    })
}

fn quoted_printable(text: &[u8]) -> Vec<u8> {
    replaced(text, |rest| match rest {
        [b'=', b'\n', ..] => Some((2, Vec::new())),
        [b'=', b'\r', b'\n', ..] => Some((3, Vec::new())),
        [b'=', high, low, ..] => Some((3, vec![byte_of(&[*high, *low])?])),
        _ => None,
    })
}

/// Without line ends, real or escaped, and the blanks that begin a line.
fn unwrapped(text: &[u8]) -> Vec<u8> {
    replaced(text, |rest| {
        let line_end = ["\r\n", "\n", "\\r\\n", "\\n"].into_iter().find(|end| rest.starts_with(end.as_bytes()))?;
        let blanks = rest[line_end.len()..].iter().take_while(|&&byte| byte == b' ').count();
        Some((line_end.len() + blanks, Vec::new()))
    })
}

/// The runs of an alphabet, decoded from each of `alignments` first characters.
fn blobs(
    text: &[u8],
    is_member: impl Fn(u8) -> bool,
    len_min: usize,
    alignments: usize,
    decode: impl Fn(&[u8]) -> Vec<u8>,
) -> Vec<Vec<u8>> {
    let runs = text.split(|&byte| !is_member(byte)).filter(|run| run.len() >= len_min);
    let decoded = runs.flat_map(|run| (0..alignments).map(|skipped| decode(&run[skipped..])).collect::<Vec<_>>());
    // Noise holds no text, and what holds no text holds no piece.
    decoded.filter(|decoded| decoded.windows(PIECE_LEN).any(|piece| piece.iter().all(is_text))).collect()
}

fn base64(run: &[u8]) -> Vec<u8> {
    let standard = run.iter().map(|byte| match byte {
        b'-' => b'+',
        b'_' => b'/',
        byte => *byte,
    });
    let mut run: Vec<u8> = standard.collect();
    // One character alone is no byte.
    run.truncate(run.len() - usize::from(run.len() % 4 == 1));
    BASE64.decode(run).unwrap_or_default()
}

fn hex(run: &[u8]) -> Vec<u8> {
    run.chunks_exact(2).filter_map(byte_of).collect()
}

fn replaced(text: &[u8], unit: impl Fn(&[u8]) -> Option<(usize, Vec<u8>)>) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let (len, bytes) = unit(&text[at..]).unwrap_or((1, vec![byte]));
        out.extend_from_slice(&bytes);
        at += len;
    }
    out
}

fn byte_of(digits: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
    u8::from_str_radix(digits, 16).ok()
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte)
}

fn is_text(byte: &u8) -> bool {
    byte.is_ascii_graphic() || byte.is_ascii_whitespace()
}

#[cfg(test)]
mod tests {
    use super::super::encodings::{ENCODINGS, Marked};
    use super::*;

    const SECRET: &[u8] =
        b"Zm9vYmFy-x9K_27.LmNvbS9sb2dpbi8yMDI0LTAx.aGlkZGVuLWluLXBsYWluLXNpZ2h0LWFsbC10aGUtdGltZS1sb25n";

    #[test]
    fn every_stack_of_encodings_is_decoded() {
        for (first, inner) in ENCODINGS {
            for (second, outer) in ENCODINGS {
                let text = inner.encode(&Marked { bytes: SECRET.to_vec(), span: 0..SECRET.len() });
                let text = outer.encode(&text);
                let piece = surviving_piece(&text.bytes, &[SECRET.to_vec()], b"");
                assert!(piece.is_some(), "{first} in {second}: {}", text.bytes.escape_ascii());
            }
        }
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        let output =
            b"Authorization: Bearer redacted-jwt-0a1b2c3d-00112233445566778899aabbccddeeff eyJhbGciOiJIUzI1NiJ9";
        assert_eq!(surviving_piece(output, &[SECRET.to_vec()], b""), None);
    }
}
