//! What several test files need: a fixed key, the table of cases, and a look at markers.
#![allow(dead_code, reason = "each test file uses its own part")]

use beartrap::redact::{CleanBlock, KeyRing, Options, Redaction, Redactor};

/// A fixed key, for tests alone.
pub const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

pub fn redaction() -> Redaction {
    let keys = KeyRing::parse(KEY.as_bytes()).expect("the key is well formed");
    Redaction::new(keys, Options::default()).expect("the default options are valid")
}

/// Pushes pieces through a redactor.
pub fn pushed<'a>(redaction: &Redaction, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut redactor = Redactor::new(redaction);
    let mut out = CleanBlock::new();
    for piece in pieces {
        redactor.push(piece, &mut out);
        assert!(redactor.pending() <= 200 << 10, "{} bytes are held back", redactor.pending());
    }
    redactor.end_record(&mut out);
    out.as_bytes().to_vec()
}

/// Reads pieces into the redactor's own buffer, as the filter does.
pub fn filled<'a>(redaction: &Redaction, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut redactor = Redactor::new(redaction);
    let mut out = Vec::new();
    for piece in pieces {
        redactor.space()[..piece.len()].copy_from_slice(piece);
        out.extend_from_slice(redactor.filled(piece.len()).as_bytes());
    }
    out.extend_from_slice(redactor.finish().as_bytes());
    out
}

/// One row of a corpus file.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    /// Text in which each credential stands between `«kind ` and `»`; `{name}` is a token of the file.
    pub text: String,
    /// Whether `\xNN` stands for a byte.
    #[serde(default)]
    pub bytes: bool,
    /// Whether its lines matter: codec `json` sees one text where text mode sees records.
    #[serde(default)]
    pub lines: bool,
    /// The exact output where it is not the text with a marker for each credential; `*` for a key id and digest.
    pub output: Option<String>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Corpus {
    case: Vec<Case>,
}

#[derive(Debug, serde::Deserialize)]
struct Tokens {
    tokens: std::collections::BTreeMap<String, String>,
}

/// A case made ready: what goes in, and what must come out between the credentials.
#[derive(Debug, Clone)]
pub struct Ready {
    pub name: String,
    pub lines: bool,
    pub input: Vec<u8>,
    /// The output with every marker's key id and digest left out.
    pub expected: Vec<u8>,
    /// The credentials as they stand in the input.
    pub secrets: Vec<Vec<u8>>,
}

/// Every case of every file under `tests/corpus`.
pub fn corpus() -> Vec<Ready> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("corpus").map(|entry| entry.expect("entry").path()).collect();
    files.sort();
    let mut cases = Vec::new();
    for file in files.iter().filter(|file| !file.ends_with("tokens.toml")) {
        let text = std::fs::read_to_string(file).expect("corpus file");
        cases.extend(table(&file.display().to_string(), &text, &tokens()));
    }
    assert!(!cases.is_empty(), "no case was found");
    cases
}

/// The cases of a text, made of these tokens.
pub fn table(name: &str, text: &str, tokens: &std::collections::BTreeMap<String, String>) -> Vec<Ready> {
    let corpus: Corpus = toml::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    corpus.case.into_iter().map(|case| ready(case, tokens)).collect()
}

/// The tokens that cases are made of, by name.
pub fn tokens() -> std::collections::BTreeMap<String, String> {
    let text = include_str!("../corpus/tokens.toml");
    toml::from_str::<Tokens>(text).expect("tokens.toml").tokens
}

fn ready(case: Case, tokens: &std::collections::BTreeMap<String, String>) -> Ready {
    let mut text = case.text;
    for (name, token) in tokens {
        text = text.replace(&format!("{{{name}}}"), token);
    }
    let (mut input, mut expected, mut secrets) = (String::new(), String::new(), Vec::new());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('«') {
        let (marked, after) = after.split_once('»').unwrap_or_else(|| panic!("{}: « without »", case.name));
        let (kind, secret) = marked.split_once(' ').unwrap_or_else(|| panic!("{}: no kind", case.name));
        input.extend([before, secret]);
        expected.extend([before, "redacted-", kind, "-*"]);
        secrets.push(unescape(secret, case.bytes));
        rest = after;
    }
    input.push_str(rest);
    expected.push_str(rest);
    let expected = case.output.unwrap_or(expected);
    Ready {
        input: unescape(&input, case.bytes),
        expected: unescape(&expected, case.bytes),
        secrets,
        name: case.name,
        lines: case.lines,
    }
}

fn unescape(text: &str, bytes: bool) -> Vec<u8> {
    if !bytes {
        return text.as_bytes().to_vec();
    }
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\x") {
        out.extend_from_slice(before.as_bytes());
        out.push(u8::from_str_radix(&after[..2], 16).expect("two hex digits behind \\x"));
        rest = &after[2..];
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

/// Replaces the key id and digest of every marker by `*`.
pub fn mask_markers(output: &[u8]) -> Vec<u8> {
    let mut masked = Vec::new();
    let mut rest = output;
    while !rest.is_empty() {
        match marker_kind(rest) {
            Some((kind, len)) => {
                masked.extend_from_slice(&[b"redacted-", kind, b"-*"].concat());
                rest = &rest[len..];
            }
            None => {
                masked.push(rest[0]);
                rest = &rest[1..];
            }
        }
    }
    masked
}

/// The kind and the length of the marker that `bytes` begins with.
pub fn marker_kind(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let rest = bytes.strip_prefix(b"redacted-")?;
    let kind = rest.split(|&byte| byte == b'-').next().filter(|kind| (1..=64).contains(&kind.len()))?;
    if !kind.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_')) {
        return None;
    }
    let tail = rest.get(kind.len() + 1..kind.len() + 42)?;
    let hex = |bytes: &[u8]| bytes.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (hex(&tail[..8]) && tail[8] == b'-' && hex(&tail[9..])).then_some((kind, 9 + kind.len() + 42))
}
