//! Where a secret that a pattern found really lies: a pattern knows nothing of escapes, strings and numbers, and JSON is
//! to stay JSON.

use super::search::{Found, View};
use crate::redact::finding::RuleKind;
use crate::redact::grammar::Quote;
use std::ops::Range;

/// What stands between the strings of JSON.
const STRUCTURE: &[u8] = b" \t:,{}[]\\=";

/// Adds what of `secret` is to be replaced: all of it, but no quotation mark, no half of an escape or of a character.
pub(super) fn fit(view: &View<'_>, secret: Range<usize>, kind: RuleKind, found: &mut Vec<Found>) {
    let (text, line) = (view.text, view.line.clone());
    let secret = secret.start.max(line.start)..secret.end.min(line.end);
    if secret.is_empty() {
        return;
    }
    let secret = whole_characters(text, &line, secret);
    let parted = text[secret.clone()].contains(&b'"');
    let mut start = secret.start;
    while start <= secret.end {
        let end = memchr::memchr(b'"', &text[start..secret.end]).map_or(secret.end, |len| start + len);
        let mut piece = whole_escapes(text, &line, start..end);
        if parted {
            piece = trim(text, piece);
        }
        push(view, piece, kind, found);
        start = end + 1;
    }
}

/// Adds a piece that holds no quotation mark: as a whole if it is text, else each number in it.
fn push(view: &View<'_>, piece: Range<usize>, kind: RuleKind, found: &mut Vec<Found>) {
    let text = view.text;
    let is_structure = |byte: &u8| STRUCTURE.contains(byte);
    let bytes = &text[piece.clone()];
    let scalars = bytes.iter().all(|byte| is_scalar_part(byte) || is_structure(byte));
    let first = found.len();
    let mut at = piece.start;
    while scalars && at < piece.end {
        at += text[at..piece.end].iter().take_while(|byte| is_structure(byte)).count();
        let len = text[at..piece.end].iter().take_while(|byte| !is_structure(byte)).count();
        match scalar(view, &(at..at + len)) {
            _ if len == 0 => {}
            Scalar::Number(range, quote) => found.push(Found { range, kind, requote: Some(quote), pem: false }),
            Scalar::Literal => {}
            Scalar::None => {
                found.truncate(first);
                break;
            }
        }
        at += len;
    }
    if !piece.is_empty() && (!scalars || at < piece.end) {
        found.push(Found { range: piece, kind, requote: None, pem: false });
    }
}

/// Widens a range that begins or ends inside a UTF-8 sequence.
fn whole_characters(text: &[u8], line: &Range<usize>, mut range: Range<usize>) -> Range<usize> {
    const CONTINUATION_MAX: usize = 3;
    let continues = |at: usize| line.contains(&at) && text[at] & 0xc0 == 0x80;
    for _ in 0..CONTINUATION_MAX {
        if continues(range.start) && range.start > line.start {
            range.start -= 1;
        }
        if continues(range.end) {
            range.end += 1;
        }
    }
    range
}

/// Narrows a range that begins or ends inside an escape.
fn whole_escapes(text: &[u8], line: &Range<usize>, mut range: Range<usize>) -> Range<usize> {
    // The escape that is cut begins at most so many bytes before the cut.
    const ESCAPE_LEN_MAX: usize = 6;
    let escape = |cut: usize| {
        let first = cut.saturating_sub(ESCAPE_LEN_MAX - 1).max(line.start);
        (first..cut).rev().find(|&at| text[at] == b'\\').and_then(|last| {
            let backslashes = text[line.start..=last].iter().rev().take_while(|&&byte| byte == b'\\').count();
            let len = match text.get(last + 1) {
                Some(b'u') if text[last + 2..].iter().take(4).take_while(|b| b.is_ascii_hexdigit()).count() == 4 => 6,
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
                _ => return None,
            };
            (backslashes % 2 == 1 && last + len > cut).then_some(last..last + len)
        })
    };
    if let Some(escape) = escape(range.start) {
        range.start = escape.end;
    }
    if let Some(escape) = escape(range.end) {
        range.end = escape.start;
        // `\\\"`: the backslashes of strings in strings belong to the quotation mark.
        while range.end > range.start && text.get(escape.start + 1) == Some(&b'"') && text[range.end - 1] == b'\\' {
            range.end -= 1;
        }
    }
    range.start..range.end.max(range.start)
}

fn trim(text: &[u8], mut range: Range<usize>) -> Range<usize> {
    while range.start < range.end && STRUCTURE.contains(&text[range.start]) {
        range.start += 1;
    }
    while range.start < range.end && STRUCTURE.contains(&text[range.end - 1]) {
        range.end -= 1;
    }
    range
}

fn is_scalar_part(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+-.".contains(byte)
}

enum Scalar {
    Number(Range<usize>, Quote),
    /// `true`, `false`, `null`
    Literal,
    None,
}

/// Whether what was found is, or lies in, a JSON value that is no string.
fn scalar(view: &View<'_>, secret: &Range<usize>) -> Scalar {
    let (text, line) = (view.text, &view.line);
    let before = text[line.start..secret.start].iter().rev().take_while(|byte| is_scalar_part(byte)).count();
    let after = text[secret.end..line.end].iter().take_while(|byte| is_scalar_part(byte)).count();
    let (start, end) = (secret.start - before, secret.end + after);
    let value = &text[start..end];
    let is_number = serde_json::from_slice::<serde_json::Number>(value).is_ok();
    if !is_number && !matches!(value, b"true" | b"false" | b"null") {
        return Scalar::None;
    }
    let before = text[line.start..start].trim_ascii_end();
    let after = text[end..line.end].trim_ascii_start();
    if !matches!(after.first(), Some(b',' | b'}' | b']')) {
        return Scalar::None;
    }
    let quote = match before.split_last() {
        // Behind a member's name: its quotes are the ones to use.
        Some((b':', name)) => match name.trim_ascii_end().split_last() {
            Some((b'"', name)) => {
                let backslashes = name.iter().rev().take_while(|&&byte| byte == b'\\').count();
                Quote { byte: b'"', backslashes }
            }
            _ => return Scalar::None,
        },
        Some((b'[' | b',', _)) if !view.is_in_string(start) => Quote { byte: b'"', backslashes: 0 },
        _ => return Scalar::None,
    };
    if is_number { Scalar::Number(start..end, quote) } else { Scalar::Literal }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text with what is replaced in `«»`.
    fn fitted(text: &str, secret: &str) -> String {
        let start = text.find(secret).unwrap();
        let mut found = Vec::new();
        let kind = RuleKind::new("test").unwrap();
        fit(&View::of(text.as_bytes()), start..start + secret.len(), kind, &mut found);
        let mut out = text.to_owned();
        for found in found.iter().rev() {
            let quote = if found.requote.is_some() { "#" } else { "" };
            out.replace_range(found.range.clone(), &format!("{quote}«{}»", &text[found.range.clone()]));
        }
        out
    }

    #[test]
    fn what_is_replaced_keeps_json_whole() {
        for (text, secret, expected) in [
            (r#"{"key":"abcdef"}"#, "abcdef", r#"{"key":"«abcdef»"}"#),
            (r#"{"key": "abcdef"}"#, r#"key": "abcdef"#, r#"{"«key»": "«abcdef»"}"#),
            (r#"{\"key\": \"abcdef\"}"#, r#"key\": \"abcdef\"#, r#"{\"«key»\": \"«abcdef»\"}"#),
            (r"x\nabcdef", "nabcdef", r"x\n«abcdef»"),
            (r"x\u000aabcdef\u000ab", r"00aabcdef\u00", r"x\u000a«abcdef»\u000ab"),
            (r"abcdef\nx", r"abcdef\", r"«abcdef»\nx"),
            (r#"{"pin": 123456, "a": 1}"#, "2345", r##"{"pin": #«123456», "a": 1}"##),
            (r#"{"pin": true}"#, "true", r#"{"pin": true}"#),
            ("pin: 123456", "123456", "pin: «123456»"),
            (r#"["a",123456]"#, "123456", r##"["a",#«123456»]"##),
            (r#"["a",123456, 77]"#, "123456, 7", r##"["a",#«123456», #«77»]"##),
            (
                r#"{"a": 1, "b": "c", "d": null}"#,
                r#"a": 1, "b": "c", "d": nul"#,
                r##"{"«a»": #«1», "«b»": "«c»", "«d»": null}"##,
            ),
            ("12, 34", "12, 34", "«12, 34»"),
            (r#"{"a":"n[123456,"}"#, "123456", r#"{"a":"n[«123456»,"}"#),
        ] {
            assert_eq!(fitted(text, secret), expected, "{secret}");
        }
    }

    #[test]
    fn no_character_is_halved() {
        let mut found = Vec::new();
        let kind = RuleKind::new("test").unwrap();
        fit(&View::of("aéb".as_bytes()), 2..4, kind, &mut found);
        assert_eq!(found[0].range, 1..4);
        assert_eq!(whole_characters("aéb".as_bytes(), &(0..4), 0..2), 0..3);
    }
}
