//! A naive oracle beside the engine: the grammar once more, in other words and without a thought of speed, compared span
//! by span on lines with fresh tokens in random surroundings.

use super::entropy::Entropy;
use super::neighbours::{AFTER, BEFORE};
use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use std::ops::Range;

/// Unused bits in a last character are no reason to refuse it.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// All credentials of a line, in order; the longer of two that overlap.
pub fn spans(line: &[u8]) -> Vec<Range<usize>> {
    let mut spans = jose_spans(line);
    let mut values = Vec::new();
    for scheme in ["bearer", "Bearer", "BEARER"] {
        // RFC 6750 §2.1.
        values.extend(values_behind(line, scheme, |rest| match rest {
            [b' ', ..] => rest.iter().take_while(|&&byte| byte == b' ').count(),
            [b'%', b'2', b'0', ..] => 3,
            [b'+', ..] => 1,
            _ => 0,
        }));
    }
    // Whatever stands before it: a token of something else is one too.
    values.extend(values_behind(line, "access_token", |rest| usize::from(rest.starts_with(b"="))));
    // `bearer of news`
    spans.extend(values.into_iter().filter(|value| line[value.clone()].iter().any(u8::is_ascii_digit)));
    spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
    let mut end = 0;
    spans.retain(|span| {
        let keep = span.start >= end;
        end = end.max(span.end);
        keep
    });
    spans
}

/// The values behind each `word` and what `separator_len` says is between: b64token without a dot at its end.
fn values_behind(line: &[u8], word: &str, separator_len: impl Fn(&[u8]) -> usize) -> Vec<Range<usize>> {
    let mut values = Vec::new();
    let mut at = 0;
    while at < line.len() {
        let rest = &line[at..];
        at += 1;
        let Some(behind) = rest.strip_prefix(word.as_bytes()) else { continue };
        let start = line.len() - behind.len() + separator_len(behind);
        if start == line.len() - behind.len() {
            continue;
        }
        let is_member = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte);
        let run = &line[start..start + line[start..].iter().take_while(|byte| is_member(byte)).count()];
        let len = run.iter().rposition(|&byte| byte != b'.').map_or(0, |last| last + 1);
        if len > 0 {
            let is_padded = len == run.len();
            let padding = line[start + len..].iter().take_while(|&&byte| is_padded && byte == b'=').count();
            values.push(start..start + len + padding);
            at = start + len + padding;
        }
    }
    values
}

/// At each position: the longest run, decoded, a JSON object with `alg` or `enc`, and the parts that it says.
fn jose_spans(line: &[u8]) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut at = 0;
    while at < line.len() {
        match jose_len(&line[at..]) {
            Some(len) => {
                spans.push(at..at + len);
                at += len;
            }
            None => at += 1,
        }
    }
    spans
}

fn run_len(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte)).count()
}

fn jose_len(text: &[u8]) -> Option<usize> {
    let header_len = run_len(text);
    if header_len < 4 || text.get(header_len) != Some(&b'.') {
        return None;
    }
    let header: serde_json::Value = serde_json::from_slice(&LENIENT.decode(&text[..header_len]).ok()?).ok()?;
    let is_encrypted = header.get("enc").is_some_and(serde_json::Value::is_string);
    let alg = header.get("alg").and_then(serde_json::Value::as_str);
    if !is_encrypted && alg.is_none() {
        return None;
    }
    let mut len = header_len;
    let parts = if is_encrypted { 5 } else { 3 };
    for part in 1..parts {
        let rest = &text[len..];
        let (b'.', body) = rest.split_first()? else { break };
        let body_len = run_len(body);
        // The last part may only be empty in an unsecured token.
        if body_len == 0 && part + 1 == parts && alg != Some("none") {
            break;
        }
        len += 1 + body_len;
    }
    (len > header_len + 1).then_some(len)
}

fn base64url(choices: &mut Entropy<'_>, len: usize) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(choices.noise(len))
}

/// A token that looks signed or encrypted.
pub fn jose(choices: &mut Entropy<'_>) -> String {
    let kid = base64url(choices, 6);
    let encrypted = choices.below(4) == 0;
    let (alg, signature_len) = match choices.below(5) {
        0 => ("HS256", 32),
        1 => ("RS256", 256),
        2 => ("ES384", 96),
        3 => ("EdDSA", 64),
        _ => ("HS512", 64),
    };
    let header = match (encrypted, choices.below(5)) {
        (true, 0) => format!(r#"{{"enc":"A256GCM","alg":"dir","kid":"{kid}"}}"#),
        (true, _) => format!(r#"{{ "alg": "RSA-OAEP", "enc": "A256GCM", "kid": "{kid}" }}"#),
        (false, 0) => format!(r#"{{"alg":"{alg}"}}"#),
        (false, 1) => format!("{{\n  \"typ\": \"JWT\",\n  \"alg\": \"{alg}\"\n}}"),
        (false, 2) => format!("{{\r\n\t\"kid\": \"{kid}\",\r\n\t\"alg\": \"{alg}\"\r\n}}"),
        (false, 3) => format!(r#"{{"kid":"{kid}","jwk":{{"kty":"OKP","x":["{kid}"]}},"alg":"{alg}"}}"#),
        (false, _) => format!(r#"{{"typ":"at+jwt","alg":"{alg}","kid":"{kid}"}}"#),
    };
    let header = BASE64_URL_SAFE_NO_PAD.encode(header);
    if encrypted {
        let key_len = [0, 256][choices.below(2)];
        let (key, text_len) = (base64url(choices, key_len), 1 + choices.below(90));
        return format!(
            "{header}.{key}.{}.{}.{}",
            base64url(choices, 12),
            base64url(choices, text_len),
            base64url(choices, 16)
        );
    }
    let payload = match choices.below(3) {
        0 => BASE64_URL_SAFE_NO_PAD.encode(format!(r#"{{"sub":"{kid}","exp":1893456000}}"#)),
        1 => String::new(),
        _ => {
            let len = 1 + choices.below(120);
            base64url(choices, len)
        }
    };
    format!("{header}.{payload}.{}", base64url(choices, signature_len))
}

/// Every one has a digit: without any it could be a word.
fn opaque(choices: &mut Entropy<'_>) -> String {
    match choices.below(4) {
        0 => choices.noise(20).iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "a7",
        1 => {
            let len = 15 + choices.below(40);
            base64url(choices, len) + "x9K"
        }
        2 => base64::prelude::BASE64_STANDARD.encode(["2x9-".as_bytes(), &choices.noise(22)].concat()),
        _ => format!("ghp_{}", choices.noise(18).iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
    }
}

/// More of it: what is of the alphabet may stand on the left.
const MORE_BEFORE: &[&str] = &["x", "abc_", "eyJ", "eyJwYWdlIjoyfQ", "eyJwYWdlIjoyfQ.", "a.b."];
const MORE_AFTER: &[&str] = &[" eyJhbGciOiJIUzI1NiJ9", ". Then", "...", ".", ":", "\n eyJ", "?a=eyJ", "#"];
const BEARER: &[&str] = &[
    "Bearer ",
    "bearer ",
    "BEARER ",
    "Authorization: Bearer ",
    "authorization: bearer   ",
    "Bearer%20",
    "access_token=",
];

/// A line with one to three credentials.
pub fn line(choices: &mut Entropy<'_>) -> String {
    let mut line = String::new();
    for _ in 0..1 + choices.below(3) {
        line.push_str(choices.pick(&[BEFORE, MORE_BEFORE].concat()));
        match choices.below(5) {
            0 => {
                line.push_str(choices.pick(BEARER));
                line.push_str(&opaque(choices));
            }
            1 => {
                line.push_str(choices.pick(BEARER));
                line.push_str(&jose(choices));
            }
            _ => line.push_str(&jose(choices)),
        }
        line.push_str(choices.pick(&[AFTER, MORE_AFTER].concat()));
        line.push(' ');
    }
    line
}
