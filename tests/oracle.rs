//! A naive oracle beside the engine: the grammar once more, in other words and without a thought of speed, compared span
//! by span on lines with fresh tokens in random surroundings.
#![allow(clippy::disallowed_macros, reason = "a test prints for whoever runs it")]

mod support;

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use beartrap::redact::Redactor;
use regex::bytes::Regex;
use std::ops::Range;

/// Unused bits in a last character are no reason to refuse it.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

struct Oracle {
    bearer: Regex,
    parameter: Regex,
}

impl Oracle {
    fn new() -> Self {
        Self {
            // RFC 6750 §2.1.
            bearer: Regex::new(r"(?-u)(?:bearer|Bearer|BEARER)(?: +|%20|\+)([A-Za-z0-9._~+/-]*[A-Za-z0-9_~+/-]=*)")
                .expect("regex"),
            // Whatever stands before it: a token of something else is one too.
            parameter: Regex::new(r"(?-u)access_token=([A-Za-z0-9._~+/-]*[A-Za-z0-9_~+/-]=*)").expect("regex"),
        }
    }

    /// All credentials of a line, in order; the longer of two that overlap.
    fn spans(&self, line: &[u8]) -> Vec<Range<usize>> {
        let mut spans = jose_spans(line);
        for regex in [&self.bearer, &self.parameter] {
            let values = regex.captures_iter(line).filter_map(|captures| captures.get(1));
            // `bearer of news`
            let credentials = values.filter(|value| value.as_bytes().iter().any(u8::is_ascii_digit));
            spans.extend(credentials.map(|credential| credential.range()));
        }
        spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
        let mut end = 0;
        spans.retain(|span| {
            let keep = span.start >= end;
            end = end.max(span.end);
            keep
        });
        spans
    }
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

/// A small generator of random numbers, xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 32) as usize % limit
    }

    fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }

    fn base64url(&mut self, len: usize) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.bytes(len))
    }
}

/// A token that looks signed or encrypted.
fn jose(random: &mut Random) -> String {
    let kid = random.base64url(6);
    let encrypted = random.below(4) == 0;
    let (alg, signature_len) = match random.below(5) {
        0 => ("HS256", 32),
        1 => ("RS256", 256),
        2 => ("ES384", 96),
        3 => ("EdDSA", 64),
        _ => ("HS512", 64),
    };
    let header = match (encrypted, random.below(5)) {
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
        let key_len = [0, 256][random.below(2)];
        let (key, text_len) = (random.base64url(key_len), 1 + random.below(90));
        return format!(
            "{header}.{key}.{}.{}.{}",
            random.base64url(12),
            random.base64url(text_len),
            random.base64url(16)
        );
    }
    let payload = match random.below(3) {
        0 => BASE64_URL_SAFE_NO_PAD.encode(format!(r#"{{"sub":"{kid}","exp":1893456000}}"#)),
        1 => String::new(),
        _ => {
            let len = 1 + random.below(120);
            random.base64url(len)
        }
    };
    format!("{header}.{payload}.{}", random.base64url(signature_len))
}

/// Every one has a digit: without any it could be a word.
fn opaque(random: &mut Random) -> String {
    match random.below(4) {
        0 => random.bytes(20).iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "a7",
        1 => {
            let len = 15 + random.below(40);
            random.base64url(len) + "x9K"
        }
        2 => base64::prelude::BASE64_STANDARD.encode(["2x9-".as_bytes(), &random.bytes(22)].concat()),
        _ => format!("ghp_{}", random.bytes(18).iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
    }
}

/// What stands around: nothing of the alphabet on the right, anything on the left.
const BEFORE: &[&str] = &[
    "",
    " ",
    "\"",
    "'",
    "got: ",
    "(",
    "[",
    "{",
    "<",
    "=",
    ",",
    ";",
    "|",
    ">",
    "\\n",
    "\\\"",
    "\\t",
    "%22",
    "%3D",
    "\u{1b}[32m",
    "é",
    "\0",
    "x",
    "abc_",
    "GET /verify/",
    "t=",
    "id:",
    "eyJ",
    "eyJwYWdlIjoyfQ",
    "eyJwYWdlIjoyfQ.",
    "a.b.",
    "https://host/?next=1&t=",
];
const AFTER: &[&str] = &[
    "",
    " ",
    "\"",
    "'",
    ")",
    "]",
    "}",
    ">",
    "<",
    ",",
    ";",
    "|",
    "&next=1",
    " eyJhbGciOiJIUzI1NiJ9",
    "\\n",
    "\\\"",
    "%22",
    "\u{1b}[0m",
    "é",
    "\0",
    ". Then",
    "...",
    ".",
    ":",
    "\r\n",
    "\n",
    "\n eyJ",
    "?a=eyJ",
    "#",
    " bearer of news",
];
const BEARER: &[&str] = &[
    "Bearer ",
    "bearer ",
    "BEARER ",
    "Authorization: Bearer ",
    "authorization: bearer   ",
    "Bearer%20",
    "access_token=",
];

fn line(random: &mut Random) -> String {
    let mut line = String::new();
    for _ in 0..1 + random.below(3) {
        line.push_str(random.pick(BEFORE));
        match random.below(5) {
            0 => {
                line.push_str(random.pick(BEARER));
                line.push_str(&opaque(random));
            }
            1 => {
                line.push_str(random.pick(BEARER));
                line.push_str(&jose(random));
            }
            _ => line.push_str(&jose(random)),
        }
        line.push_str(random.pick(AFTER));
        line.push(' ');
    }
    line
}

#[test]
fn the_engine_finds_what_a_naive_reading_of_the_grammar_finds() {
    let seed = std::env::var("BEARTRAP_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_240_101);
    let cases = std::env::var("BEARTRAP_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(3_000);
    println!("BEARTRAP_SEED={seed} BEARTRAP_CASES={cases}");
    let (oracle, redaction, mut random) = (Oracle::new(), support::redaction(), Random(seed));
    let (mut failures, mut spans) = (Vec::new(), 0);
    for case in 0..cases {
        let line = line(&mut random).into_bytes();
        let expected = oracle.spans(&line);
        spans += expected.len();
        let findings = Redactor::new(&redaction).redact(&line).findings;
        let found: Vec<_> =
            findings.iter().map(|finding| finding.offset as usize..(finding.offset + finding.len) as usize).collect();
        if found != expected {
            failures.push(format!("{case}: {}\n  found {found:?}, expected {expected:?}", line.escape_ascii()));
        }
    }
    assert!(spans > cases, "the lines hold too little");
    let shown = &failures[..failures.len().min(8)];
    assert!(failures.is_empty(), "seed {seed}: {} of {cases} lines differ:\n{}", failures.len(), shown.join("\n"));
}
