//! The user's page of forms, docs/coverage.md, says what the engine does: every example in it is run.

mod support;

use beartrap::Redactor;
use beartrap::codec::{Codec, Decoding, Framing, RecordStream};
use beartrap::redact::CleanBlock;

/// What `«jwt»` and `«jwe»` stand for on the page.
const JWT: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6Ik1pbmEgVGVzdCIsImlhdCI6MTUxNjIzOTAyMn0.\
                   UvImZaYMEtKJGF2VDuiBNgkWb2sRPReNbA_TkB_yOaE";
const JWE: &str = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..VRbN8vi4ZXZmvvIV.uSgr_iAHJpfnd86nJZzTmPp5qO9ZJ4yMIQUDzPi5phqGv-8jb_zf\
                   MdPfNgdANkqAPcOWU0KLa9UhD-i9.WuV1qZXQ54Rr0-rggCGIJg";

#[test]
fn every_example_does_what_the_page_says() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/coverage.md");
    let page = std::fs::read_to_string(path).expect("docs/coverage.md");
    let examples = examples(&page);
    assert!(examples.iter().filter(|example| example.contains('«')).count() > 25, "the page lost its examples");
    assert!(examples.iter().filter(|example| !example.contains('«')).count() > 15, "the page lost what stays");
    let redaction = support::redaction();
    for example in examples {
        let (input, secrets) = input(&example);
        let redacted = Redactor::new(&redaction).redact(input.as_bytes());
        let found: Vec<&str> = redacted
            .findings
            .iter()
            .map(|finding| &input[finding.offset as usize..(finding.offset + finding.len) as usize])
            .collect();
        assert_eq!(found, secrets, "{example}");
    }
}

#[test]
fn the_lines_of_a_container_runtime_are_joined() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/coverage.md");
    let page = std::fs::read_to_string(path).expect("docs/coverage.md");
    let block = page.split_once("```cri\n").expect("an example").1.split_once("```").expect("its end").0;
    let (input, secrets) = input(block);
    let redaction = support::redaction();
    let decoding = Decoding {
        framing: Framing::NewlineDelimited,
        codec: Codec::Cri,
        max_record_bytes: 1 << 20,
        whole_records: false,
    };
    let mut out = CleanBlock::new();
    RecordStream::new(&redaction, decoding).push(input.as_bytes(), &mut out).expect("lines");
    // One marker for both parts, in the first.
    let marker = redaction.fingerprints(secrets.concat().as_bytes())[0].to_string();
    let expected = input.replace(&secrets[0], &marker).replace(&secrets[1], "");
    assert_eq!(std::str::from_utf8(out.as_bytes()), Ok(expected.as_str()));
}

/// The examples: code with « in it, and all code in the section about what stays.
fn examples(page: &str) -> Vec<String> {
    let mut examples = Vec::new();
    let mut section = "";
    let mut block: Option<String> = None;
    for line in page.lines() {
        if line.starts_with("```") {
            examples.extend(block.take());
            block = (line == "```text").then(String::new);
        } else if let Some(block) = &mut block {
            block.push_str(line);
            block.push('\n');
        } else if let Some(title) = line.strip_prefix("## ") {
            section = title;
        } else if section != "Not covered yet" && !section.is_empty() {
            let code = line.split('`').skip(1).step_by(2);
            examples.extend(code.filter(|code| code.contains('«') || section == "What stays").map(str::to_owned));
        }
    }
    examples
}

/// An example as text to redact, and what of it must go.
fn input(example: &str) -> (String, Vec<String>) {
    let mut pieces = example.split('«');
    let mut input = pieces.next().unwrap_or_default().to_owned();
    let mut secrets = Vec::new();
    for piece in pieces {
        let (secret, rest) = piece.split_once('»').expect("« has its »");
        let secret = match secret {
            "jwt" => JWT,
            "jwe" => JWE,
            other => other,
        };
        input.push_str(secret);
        input.push_str(rest);
        secrets.push(secret.to_owned());
    }
    (input, secrets)
}
