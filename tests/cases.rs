//! The table of cases, by every path and at every split point.

mod support;

use beartrap::redact::{CleanBlock, Redaction, Redactor};
use support::{Ready, corpus, mask_markers, redaction};

fn whole(redaction: &Redaction, input: &[u8]) -> Vec<u8> {
    Redactor::new(redaction).redact(input).clean
}

fn pushed<'a>(redaction: &Redaction, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut redactor = Redactor::new(redaction);
    let mut out = CleanBlock::new();
    for piece in pieces {
        redactor.push(piece, &mut out);
    }
    redactor.end_record(&mut out);
    out.as_bytes().to_vec()
}

/// Reads into the redactor's own buffer, as the filter does.
fn filled<'a>(redaction: &Redaction, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut redactor = Redactor::new(redaction);
    let mut out = Vec::new();
    for piece in pieces {
        redactor.space()[..piece.len()].copy_from_slice(piece);
        out.extend_from_slice(redactor.filled(piece.len()).as_bytes());
    }
    out.extend_from_slice(redactor.finish().as_bytes());
    out
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
