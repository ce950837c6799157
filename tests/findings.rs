//! What is said of findings, over the table of cases: the same however the input is cut, with reasons, and never with
//! credentials.

mod support;

use beartrap::codec::Codec;
use beartrap::redact::{CleanBlock, Finding, Redaction, Redactor};
use beartrap::scan::{Scanner, What, explain};
use support::{corpus, redaction};

fn pushed(redaction: &Redaction, input: &[u8], piece_len: usize) -> Vec<Finding> {
    let mut redactor = Redactor::new(redaction);
    let (mut out, mut findings) = (CleanBlock::new(), Vec::new());
    for piece in input.chunks(piece_len) {
        redactor.push(piece, &mut out);
        findings.extend_from_slice(redactor.findings());
    }
    redactor.end_record(&mut out);
    findings.extend_from_slice(redactor.findings());
    findings
}

#[test]
fn findings_are_the_same_however_the_input_is_cut() {
    let redaction = redaction();
    for case in corpus() {
        let whole = Redactor::new(&redaction).redact(&case.input).findings;
        for piece_len in [1, 2, 3, 7] {
            assert_eq!(pushed(&redaction, &case.input, piece_len), whole, "{} in pieces of {piece_len}", case.name);
        }
    }
}

#[test]
fn explaining_finds_the_same_and_shows_no_credential() {
    const TELLING_LEN_MIN: usize = 12;
    let redaction = redaction();
    for case in corpus() {
        let findings = Redactor::new(&redaction).redact(&case.input).findings;
        assert_eq!(redaction.explain(&case.input).findings, findings, "{}", case.name);
        for as_json in [false, true] {
            let out = explain(&redaction, &case.input, as_json);
            for finding in &findings {
                let range = finding.offset as usize..(finding.offset + finding.len) as usize;
                let credential = &case.input[range];
                let is_telling = credential.len() >= TELLING_LEN_MIN;
                let is_shown = out.windows(credential.len()).any(|window| window == credential);
                assert!(!is_telling || !is_shown, "{}: {}", case.name, out.escape_ascii());
            }
            let lines = out.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
            if as_json {
                lines.for_each(|line| {
                    serde_json::from_slice::<serde_json::Value>(line).unwrap_or_else(|error| {
                        panic!("{}: {error}: {}", case.name, line.escape_ascii());
                    });
                });
            }
        }
    }
}

#[test]
fn the_second_look_finds_nothing_in_what_was_redacted() {
    let redaction = redaction();
    let mut failures = Vec::new();
    for case in corpus() {
        let clean = Redactor::new(&redaction).redact(&case.input).clean;
        let mut report = |item: &beartrap::scan::Item| {
            let what = match item.what {
                What::Credential(finding) => finding.to_owned().fingerprint.to_string(),
                What::Suspect(suspect) => suspect.like.to_owned(),
            };
            failures.push(format!("{}: {what}: {}", case.name, clean.escape_ascii()));
            Ok(())
        };
        Scanner::new(&redaction, Codec::Text, true)
            .scan(&mut &clean[..], &mut report, &mut |_| {}, None)
            .expect("bytes");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
