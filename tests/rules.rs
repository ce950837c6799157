//! Rules: what they find, at every split point and in JSON, what a rule file may say, and the rules that come with us.

mod support;

use beartrap::codec::{Codec, Decoding, Framing, RecordStream};
use beartrap::redact::{CleanBlock, KeyRing, Kind, Options, Redaction, Redactor, RuleKind};
use beartrap::rule_file::{self, OnUnsupported, RuleSource};
use std::collections::BTreeMap;
use support::{KEY, Ready, filled, mask_markers, pushed};

const RULES: &str = include_str!("rules/rules.toml");

fn redaction_with(options: Options) -> Redaction {
    let keys = KeyRing::parse(KEY.as_bytes()).expect("the key is well formed");
    Redaction::new(keys, options).expect("the options are valid")
}

fn rules() -> Redaction {
    let loaded = rule_file::parse("rules.toml", RULES, OnUnsupported::Error).unwrap_or_else(|error| panic!("{error}"));
    redaction_with(Options { rules: loaded.rules, ..Options::default() })
}

fn builtin() -> Redaction {
    let loaded =
        rule_file::load(&[RuleSource::Builtin], OnUnsupported::Error).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(loaded.warnings, []);
    redaction_with(Options { rules: loaded.rules, ..Options::default() })
}

/// Every table of cases with its rules. Tokens of real formats are made here, so that none lies in the repository.
fn cases() -> [(Redaction, Vec<Ready>); 2] {
    let mut tokens = support::tokens();
    let mechanism = support::table("mechanism.toml", include_str!("rules/mechanism.toml"), &tokens);
    tokens.extend(minted());
    [(rules(), mechanism), (builtin(), support::table("builtin.toml", include_str!("rules/builtin.toml"), &tokens))]
}

fn minted() -> BTreeMap<String, String> {
    const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let digits = |seed: u32, len: usize| -> String {
        let next = |state: &mut u32| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Some(char::from(BASE62[(*state >> 16) as usize % 62]))
        };
        std::iter::repeat_n((), len).scan(seed, |state, ()| next(state)).collect()
    };
    let with_checksum = |prefix: &str, seed| {
        let body = digits(seed, 30);
        let mut number = crc32fast::hash(body.as_bytes());
        let mut checksum = String::new();
        for _ in 0..6 {
            checksum.insert(0, char::from(BASE62[number as usize % 62]));
            number /= 62;
        }
        format!("{prefix}_{body}{checksum}")
    };
    let mut tokens = BTreeMap::new();
    for kind in ["p", "o", "u", "s", "r"] {
        tokens.insert(format!("github_{kind}"), with_checksum(&format!("gh{kind}"), 7));
    }
    tokens.insert("npm".to_owned(), with_checksum("npm", 8));
    for len in [10, 20, 22, 24, 28, 32, 35, 36, 40, 59, 64, 93, 100] {
        tokens.insert(format!("x{len}"), digits(len as u32, len));
    }
    tokens
}

fn whole(redaction: &Redaction, input: &[u8]) -> Vec<u8> {
    Redactor::new(redaction).redact(input).clean
}

fn records<'a>(redaction: &Redaction, codec: Codec, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let framing = Framing::NewlineDelimited;
    let decoding = Decoding { framing, codec, max_record_bytes: 1 << 20, whole_records: false };
    let mut stream = RecordStream::new(redaction, decoding);
    let mut out = CleanBlock::new();
    for piece in pieces {
        stream.push(piece, &mut out).expect("newlines frame everything");
    }
    stream.finish(&mut out).expect("newlines frame everything");
    out.as_bytes().to_vec()
}

fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

#[test]
fn every_case_comes_out_as_the_table_says() {
    let mut failures = Vec::new();
    for (redaction, cases) in cases() {
        for case in cases {
            let output = mask_markers(&whole(&redaction, &case.input));
            if output != mask_markers(&case.expected) {
                let shown = [show(&case.input), show(&output), show(&case.expected)];
                failures.push(format!(
                    "{}\n  input    {}\n  output   {}\n  expected {}",
                    case.name, shown[0], shown[1], shown[2]
                ));
            }
        }
    }
    assert!(failures.is_empty(), "{} cases fail:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn redacting_twice_changes_nothing_with_the_rules_or_without() {
    let plain = redaction_with(Options::default());
    for (redaction, cases) in cases() {
        for case in cases.iter().chain(&support::corpus()) {
            let once = whole(&redaction, &case.input);
            assert_eq!(show(&whole(&redaction, &once)), show(&once), "{}", case.name);
            assert_eq!(show(&whole(&plain, &once)), show(&once), "{} (without the rules)", case.name);
        }
    }
}

#[test]
fn output_is_the_same_at_every_split_point() {
    for (redaction, cases) in cases() {
        for case in cases {
            let expected = show(&whole(&redaction, &case.input));
            for at in 0..=case.input.len() {
                let (head, tail) = case.input.split_at(at);
                assert_eq!(show(&pushed(&redaction, [head, tail])), expected, "{} at {at}", case.name);
            }
            for len in [1, 2, 3, 7] {
                assert_eq!(show(&pushed(&redaction, case.input.chunks(len))), expected, "{} by {len}", case.name);
                let records = records(&redaction, Codec::Text, case.input.chunks(len));
                assert_eq!(show(&records), expected, "{} as records by {len}", case.name);
            }
            assert_eq!(show(&filled(&redaction, case.input.chunks(1))), expected, "{} filled", case.name);
            assert_eq!(show(&filled(&redaction, [&case.input[..]])), expected, "{} filled at once", case.name);
        }
    }
}

#[test]
fn the_corpus_comes_out_the_same_beside_rules_that_find_nothing() {
    let text = "[[rules]]\nid = \"never\"\nregex = 'never~[0-9]+'\nkeywords = ['a', 'e']\n";
    let loaded = rule_file::parse("never.toml", text, OnUnsupported::Error).expect("a rule");
    let (with, without) = (redaction_with(Options { rules: loaded.rules, ..Options::default() }), support::redaction());
    for case in support::corpus() {
        let expected = show(&whole(&without, &case.input));
        assert_eq!(show(&whole(&with, &case.input)), expected, "{}", case.name);
        for len in [1, 5, 64] {
            assert_eq!(show(&pushed(&with, case.input.chunks(len))), expected, "{} by {len}", case.name);
        }
    }
}

#[test]
fn in_json_the_decoded_strings_are_searched() {
    for (redaction, cases) in cases() {
        for case in cases {
            let Ok(text) = std::str::from_utf8(&case.input) else { continue };
            let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            let record = format!("{{\"n\":1,\"message\":\"{escaped}\"}}\n");
            let output = records(&redaction, Codec::Json, record.as_bytes().chunks(5));
            let value: serde_json::Value = serde_json::from_slice(&output).expect("JSON stays JSON");
            let expected = show(&whole(&redaction, &case.input));
            assert_eq!(show(value["message"].as_str().expect("a string").as_bytes()), expected, "{}", case.name);
        }
    }
}

/// A line of several windows: what lies across a border of two is found, wherever the input is cut.
#[test]
fn long_lines_are_searched_in_windows() {
    let redaction = rules();
    let secret = "acme_0123456789abcdefghij";
    for at in [0, 10, (56 << 10) - 30, (56 << 10) - 12, (56 << 10) - 1, 56 << 10, (64 << 10) - 7, (112 << 10) - 20] {
        let mut line = vec![b'.'; 200 << 10];
        line[at..at + secret.len()].copy_from_slice(secret.as_bytes());
        line.extend_from_slice(b"\nnext acme_abcdefghij0123456789\n");
        let output = whole(&redaction, &line);
        let masked = mask_markers(&output);
        let expected = format!("{}redacted-acme_key-*", ".".repeat(at));
        assert!(masked.starts_with(expected.as_bytes()), "at {at}");
        assert!(masked.ends_with(b".\nnext redacted-acme_key-*\n"), "at {at}");
        for len in [1 << 10, 64 << 10, 150 << 10] {
            assert!(pushed(&redaction, line.chunks(len)) == output, "at {at} by {len}");
            assert!(filled(&redaction, line.chunks(len)) == output, "at {at} filled by {len}");
        }
    }
}

/// Each of the window's decisions waits for something: a credential that goes on, a rule, a block.
#[test]
fn what_is_held_back_is_bounded_and_comes_out_the_same() {
    let redaction = rules();
    let long_token = format!("Authorization: Bearer {} acme_0123456789abcdefghij\n", "Ab1".repeat(100_000));
    let endless_match = format!("end<{}> acme_0123456789abcdefghij\n", "x".repeat(300_000));
    let many = "end<a>".repeat(5000) + "\n";
    let block = format!("-----BEGIN PRIVATE KEY-----\n{}-----END PRIVATE KEY-----\n", "QUJD".repeat(16) + "\n");
    let huge_block =
        format!("-----BEGIN PRIVATE KEY-----\n{}\nafter\n", format!("{}\n", "QUJD".repeat(16)).repeat(2000));
    let one_line_block = format!("-----BEGIN PRIVATE KEY-----{} after\n", "QUJD".repeat(60_000));
    let blank_block = format!("-----BEGIN PRIVATE KEY-----{}QUJDQUJDQUJDQUJDQUJD\n", "\n".repeat(40_000));
    for text in [long_token, endless_match, many, block, huge_block, one_line_block, blank_block] {
        let expected = whole(&redaction, text.as_bytes());
        for len in [997, 64 << 10, 100_000] {
            let output = pushed(&redaction, text.as_bytes().chunks(len));
            assert!(output == expected, "by {len}: {}", show(&text.as_bytes()[..40]));
            assert!(filled(&redaction, text.as_bytes().chunks(len)) == expected, "filled by {len}");
        }
        let twice = whole(&redaction, &expected);
        assert!(twice == expected, "twice: {} {}", show(&text.as_bytes()[..40]), show(&twice[..200.min(twice.len())]));
        assert!(!expected.windows(32).any(|text| text == "QUJD".repeat(8).as_bytes()), "a block leaks");
    }
}

#[test]
fn a_digest_is_the_same_whoever_finds_the_credential() {
    let secret = "acme_0123456789abcdefghij";
    let (with, without) = (rules(), support::redaction());
    let found = Redactor::new(&with).redact(format!("k: {secret}").as_bytes()).findings;
    let by_rule = found[0].fingerprint;
    assert_eq!(by_rule.kind, Kind::Rule(RuleKind::new("acme-key").expect("a name")));
    assert_eq!(with.fingerprints(secret.as_bytes()), [by_rule]);
    let by_engine = without.fingerprints(secret.as_bytes())[0];
    assert_eq!((by_engine.kind, by_engine.digest), (Kind::Token, by_rule.digest));
    let in_header = Redactor::new(&without).redact(format!("Authorization: Bearer {secret}").as_bytes()).findings;
    assert_eq!(in_header[0].fingerprint.digest, by_rule.digest);
}

#[test]
fn an_allowed_digest_stays() {
    let secret = "acme_0123456789abcdefghij";
    let digest: String = rules().fingerprints(secret.as_bytes())[0].digest.iter().map(|b| format!("{b:02x}")).collect();
    let loaded = rule_file::parse("rules.toml", RULES, OnUnsupported::Error).expect("rules");
    let options = Options { rules: loaded.rules, allow_fingerprints: vec![digest], ..Options::default() };
    let redaction = redaction_with(options);
    let text = format!("a {secret} Authorization: Bearer {secret}\n");
    assert_eq!(show(&whole(&redaction, text.as_bytes())), show(text.as_bytes()));
    for len in [1, 7] {
        assert_eq!(show(&pushed(&redaction, text.as_bytes().chunks(len))), show(text.as_bytes()), "by {len}");
    }
}

#[test]
fn short_secrets_get_no_digest() {
    let output = whole(&rules(), b"pin: 123456");
    assert!(output.ends_with(&[b'0'; 32]), "{}", show(&output));
}

/// A block that goes on in the next record is redacted there, under a digest of its own.
#[test]
fn an_open_block_is_carried_over_records() {
    let redaction = rules();
    let mut redactor = Redactor::new(&redaction);
    let line = "QUJD".repeat(16);
    let mut out = CleanBlock::new();
    redactor.push(format!("-----BEGIN PRIVATE KEY-----\n{line}").as_bytes(), &mut out);
    redactor.end_record(&mut out);
    let carry = redactor.carry();
    let code = carry.code();
    assert_eq!(beartrap::redact::Carry::from_code(code), Some(carry));
    let mut next = Redactor::new(&redaction);
    next.resume(carry);
    next.push(format!("{line}\n-----END PRIVATE KEY-----\n{line}\n").as_bytes(), &mut out);
    next.end_record(&mut out);
    let expected =
        format!("-----BEGIN PRIVATE KEY-----\nredacted-block-*redacted-block-*\n-----END PRIVATE KEY-----\n{line}\n");
    assert_eq!(show(&mask_markers(out.as_bytes())), show(expected.as_bytes()));
}

/// A reader that starts again where a stream had been consumed loses nothing of a block.
#[test]
fn a_block_is_consumed_as_a_whole() {
    let redaction = rules();
    let framing = Framing::NewlineDelimited;
    for whole_records in [false, true] {
        let decoding = Decoding { framing, codec: Codec::Text, max_record_bytes: 1 << 20, whole_records };
        let mut stream = RecordStream::new(&redaction, decoding);
        let mut out = CleanBlock::new();
        stream.push(b"first\n-----BEGIN PRIVATE KEY-----\n", &mut out).expect("lines");
        let before = stream.consumed();
        assert!(before <= 6);
        stream.push(format!("{}\n", "QUJD".repeat(16)).as_bytes(), &mut out).expect("lines");
        assert_eq!(stream.consumed(), before);
        stream.finish(&mut out).expect("lines");
        let expected = b"first\n-----BEGIN PRIVATE KEY-----\nredacted-block-*\n";
        assert_eq!(show(&mask_markers(out.as_bytes())), show(expected));
        assert_eq!(stream.consumed(), 34 + 65);
    }
}

#[test]
fn real_logs_without_credentials_stay() {
    let redaction = builtin();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/clean");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        let log = std::fs::read(&path).expect("a log");
        let found = redaction.rule_matches(&log);
        assert!(found.is_empty(), "{}: {} found, first at {}", path.display(), found.len(), found[0].offset);
        count += 1;
    }
    assert!(count > 3);
}

#[test]
fn redacting_real_logs_twice_changes_nothing() {
    let redaction = builtin();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    for entry in std::fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let once = whole(&redaction, &std::fs::read(&path).expect("a log"));
            assert!(whole(&redaction, &once) == once, "{}", path.display());
        }
    }
}

/// A rule costs its own time where it is tried, whatever the text is made of.
#[test]
fn a_hostile_line_costs_linear_time() {
    let redaction = rules();
    for unit in ["end<", "acme_", "group:", "wide x ", "end<a>", "-----BEGIN PRIVATE KEY-----", "pin: 1234567, "] {
        let time = |len: usize| {
            let text: Vec<u8> = unit.bytes().cycle().take(len).collect();
            let best = (0..3).map(|_| {
                let started = std::time::Instant::now();
                pushed(&redaction, text.chunks(64 << 10));
                started.elapsed()
            });
            best.min().expect("three runs")
        };
        let (short, long) = (time(256 << 10), time(1 << 20));
        // Four times as long, and room for a busy machine; quadratic would be sixteen times.
        assert!(long < short * 10, "{unit}: {short:?} for 256 KiB, {long:?} for 1 MiB");
    }
}
