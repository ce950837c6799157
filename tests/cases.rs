//! The table of cases, by every path and at every split point.

mod support;

use beartrap::codec::{Codec, Decoding, Framing, RecordStream};
use beartrap::redact::{CleanBlock, Redaction, Redactor};
use support::{Ready, corpus, filled, mask_markers, pushed, redaction};

fn whole(redaction: &Redaction, input: &[u8]) -> Vec<u8> {
    Redactor::new(redaction).redact(input).clean
}

fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

#[test]
fn every_case_comes_out_as_the_table_says() {
    let redaction = redaction();
    let mut failures = Vec::new();
    for case in corpus() {
        let output = whole(&redaction, &case.input);
        if mask_markers(&output) != mask_markers(&case.expected) {
            failures.push(format!(
                "{}\n  input    {}\n  output   {}\n  expected {}",
                case.name,
                show(&case.input),
                show(&mask_markers(&output)),
                show(&case.expected)
            ));
        }
    }
    assert!(failures.is_empty(), "{} cases fail:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn redacting_twice_changes_nothing() {
    let redaction = redaction();
    for case in corpus() {
        let once = whole(&redaction, &case.input);
        let twice = whole(&redaction, &once);
        assert_eq!(show(&twice), show(&once), "{}", case.name);
    }
}

fn assert_same(case: &Ready, how: &str, output: &[u8], expected: &[u8]) {
    assert_eq!(show(output), show(expected), "{} ({how})", case.name);
}

#[test]
fn output_is_the_same_at_every_split_point() {
    let redaction = redaction();
    for case in corpus() {
        let expected = whole(&redaction, &case.input);
        for at in 0..=case.input.len() {
            let (head, tail) = case.input.split_at(at);
            assert_same(&case, &format!("pushed in two at {at}"), &pushed(&redaction, [head, tail]), &expected);
        }
        for len in [1, 2, 3, 7] {
            assert_same(&case, &format!("pieces of {len}"), &pushed(&redaction, case.input.chunks(len)), &expected);
        }
        assert_same(&case, "filled by bytes", &filled(&redaction, case.input.chunks(1)), &expected);
        assert_same(&case, "filled at once", &filled(&redaction, [&case.input[..]]), &expected);
    }
}

#[test]
fn cases_in_a_row_do_not_change_each_other() {
    let redaction = redaction();
    let (mut input, mut expected) = (Vec::new(), Vec::new());
    for case in corpus() {
        // A blank line: no header is folded over it.
        input.extend_from_slice(&[&case.input[..], b"\n\n"].concat());
        expected.extend_from_slice(&[&whole(&redaction, &case.input)[..], b"\n\n"].concat());
    }
    assert_eq!(show(&pushed(&redaction, input.chunks(4096))), show(&expected));
    assert_eq!(show(&filled(&redaction, input.chunks(4097))), show(&expected));
}

/// One record through codec `json`, in pieces.
fn json_record(redaction: &Redaction, record: &[u8], piece: usize) -> Vec<u8> {
    let decoding = Decoding {
        framing: Framing::NewlineDelimited,
        codec: Codec::Json,
        max_record_bytes: 1 << 20,
        whole_records: false,
    };
    let mut stream = RecordStream::new(redaction, decoding);
    let mut out = CleanBlock::new();
    for piece in record.chunks(piece) {
        stream.push(piece, &mut out).expect("newlines frame everything");
    }
    stream.finish(&mut out).expect("newlines frame everything");
    out.as_bytes().to_vec()
}

#[test]
fn inside_json_the_same_credentials_get_the_same_markers() {
    let redaction = redaction();
    let mut failures = Vec::new();
    for case in corpus().into_iter().filter(|case| !case.lines) {
        let Ok(text) = std::str::from_utf8(&case.input) else { continue };
        let expected = whole(&redaction, &case.input);
        let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        let literal = serde_json::to_string(text).expect("a string is JSON");
        for (how, literal) in [("plain", literal), ("every character escaped", format!("\"{escaped}\""))] {
            let record = format!("{{\"n\": 1e999, \"message\": {literal}, \"z\":[null]}}\n");
            let output = json_record(&redaction, record.as_bytes(), 5);
            let message: Option<String> = serde_json::from_slice::<Record>(&output).ok().map(|record| record.message);
            if message.as_deref().map(str::as_bytes) != Some(&expected) {
                let shown = [show(&output), show(&expected)];
                failures.push(format!("{} ({how})\n  output   {}\n  expected {}", case.name, shown[0], shown[1]));
            }
        }
    }
    assert!(failures.is_empty(), "{} cases fail:\n{}", failures.len(), failures.join("\n"));
}

#[derive(serde::Deserialize)]
struct Record {
    message: String,
}

#[test]
fn a_folded_header_is_found_between_json_records_too() {
    let redaction = redaction();
    let input = b"{\"a\":1}\nAuthorization: Bearer\r\n 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b\r\n{\"b\":2}\n";
    let expected = b"{\"a\":1}\nAuthorization: Bearer\r\n redacted-token-*\r\n{\"b\":2}\n";
    for piece in [1, 7, input.len()] {
        assert_eq!(show(&mask_markers(&json_record(&redaction, input, piece))), show(expected));
    }
}
