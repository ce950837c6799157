//! The agent's second look at its output: it sees what the engine finds, and nothing that the engine leaves, since each
//! false alarm would be an outage.

mod support;

use beartrap::codec::{Codec, Decoding, Framing, RecordStream};
use beartrap::redact::CleanBlock;
use beartrap::second_look::survivor;
use proptest::prelude::*;

fn redacted(input: &[u8], codec: Codec) -> Vec<u8> {
    let framing = Framing::NewlineDelimited;
    let decoding = Decoding { framing, codec, max_record_bytes: 1 << 20, whole_records: true };
    let mut stream = RecordStream::new(&support::redaction(), decoding);
    let mut out = CleanBlock::new();
    stream.push(input, &mut out).expect("newlines frame everything");
    stream.finish(&mut out).expect("newlines frame everything");
    out.as_bytes().to_vec()
}

fn assert_no_survivor(name: &str, input: &[u8]) {
    for codec in [Codec::Text, Codec::Json] {
        let output = redacted(input, codec);
        let found = survivor(&output, |_| false);
        assert_eq!(found, None, "{name}, {codec:?}: {}", output.escape_ascii());
    }
}

#[test]
fn it_sees_what_would_survive() {
    let jwt = support::tokens()["hs256"].clone();
    let opaque = "7Fh2k9Qd3Xw8Zp1Lm6Rt";
    for text in [
        format!("level=info token {jwt} ok"),
        jwt.clone(),
        format!("{{\"a\":\"{jwt}\"}}"),
        format!("Authorization: Bearer {opaque}"),
        format!("\"authorization\": \"bearer {opaque}\""),
        format!("GET /a?access_token={opaque}&b=1"),
    ] {
        assert!(survivor(text.as_bytes(), |_| false).is_some(), "{text}");
        assert!(survivor(text.as_bytes(), |value| value == opaque.as_bytes() || value == jwt.as_bytes()).is_none());
        assert_no_survivor("alone", text.as_bytes());
    }
}

#[test]
fn nothing_is_left_of_the_table_of_cases() {
    let mut seen = 0;
    for case in support::corpus() {
        seen += usize::from(survivor(&case.input, |_| false).is_some());
        assert_no_survivor(&case.name, &case.input);
    }
    assert!(seen > 20, "it sees only {seen} of the cases before they are redacted");
}

#[test]
fn nothing_is_left_of_the_samples() {
    let mut seen = 0;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let clean = folder.join("clean");
    let files = [folder, clean].into_iter().flat_map(|folder| folder.read_dir().expect("a folder"));
    for path in files.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file()) {
        let input = std::fs::read(&path).expect("a file");
        seen += usize::from(survivor(&input, |_| false).is_some());
        if path.extension().is_some_and(|extension| extension == "log") {
            assert_no_survivor(&path.display().to_string(), &input);
        }
    }
    assert!(seen > 10, "it sees only {seen} of the samples before they are redacted");
}

/// What its patterns are made of, and what may stand between.
fn fragment() -> impl Strategy<Value = String> {
    let literals = [
        "Authorization",
        "authorization",
        "PROXY_AUTHORIZATION",
        ":",
        "=",
        " ",
        "\t",
        "\"",
        "'",
        ", ",
        "\n",
        "\\n",
        ".",
        "..",
        "Bearer ",
        "bearer ",
        "BEARER ",
        "Basic ",
        "access_token=",
        "?access_token=",
        "&access_token=",
        "%3D",
        "&a=1",
        "{",
        "}",
        "eyJhbGciOiJIUzI1NiJ9",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
        "eyJlbmMiOiJBMTI4R0NNIn0",
        "eyJzdWIiOiIxMjM0NTY3ODkwIn0",
        "redacted-jwt-48e18db9-2a10c1893ac7040fe2f4fee71ddcdbdb",
        "null",
        "realm=",
        "token_type=",
        "${TOKEN_1a2b3c4d5e6f7g8h}",
        "****",
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "1.2.3.4.5.6.7.8.9.10.11",
        "/usr/lib/x86_64/a1b2c3d4e5f6",
        "550e8400-e29b-41d4-a716-446655440000",
        "2024-01-01T00:00:00Z",
        "YOUR_T0K3N_H3R3_1a1a1a1a1a",
    ];
    prop_oneof![
        5 => prop::sample::select(literals.map(str::to_owned).to_vec()),
        2 => "[A-Za-z0-9_-]{20,60}",
        1 => "[a-z0-9]{20,40}",
        1 => "[A-Za-z0-9._~+/-]{20,60}={0,2}",
        1 => "[ -~]{0,8}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    /// Whatever the engine leaves is no survivor.
    #[test]
    fn nothing_is_left_of_mixtures(fragments in prop::collection::vec(fragment(), 1..30)) {
        assert_no_survivor("a mixture", fragments.concat().as_bytes());
    }
}
