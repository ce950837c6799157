//! What must hold of each case.

use crate::case::Case;
use crate::decoder::surviving_piece;
use crate::random::Random;
use crate::support::marker_kind;
use beartrap::codec::{Codec, Decoding, Framing, RecordStream};
use beartrap::redact::{CleanBlock, Finding, Redaction, Redactor};
use serde::de::IgnoredAny;

/// One promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// Nothing of the credential is in any decoding of the output.
    Leak,
    /// What is replaced is the credential, and nothing else.
    Span,
    /// One credential has one digest, in all carriers and encodings.
    Digest,
    /// JSON stays JSON.
    Json,
    /// The output does not depend on how the input is cut.
    Split,
    /// Redacting twice changes nothing.
    Twice,
    /// `Leak` and `Json` with codec `json`, where the text is a string of a record or a record itself.
    Codec,
}

/// The promises that a case breaks, each with what was seen.
pub fn broken(case: &Case, redaction: &Redaction, random: &mut Random) -> Vec<(Check, String)> {
    let mut broken = Vec::new();
    let mut check = |check, seen: Option<String>| broken.extend(seen.map(|seen| (check, seen)));
    let input = &case.text.bytes;
    let redacted = Redactor::new(redaction).redact(input);
    check(Check::Leak, leak(case, &redacted.clean));
    // Each line of a token that real line ends cut is a credential of its own.
    if !case.recipe.encodings().any(|(_, encoding)| encoding.is_of_lines()) {
        check(Check::Span, span(case, &redacted.findings));
        check(Check::Digest, digest(case, redaction, &redacted.findings));
    }
    if is_json(input) && !is_json(&redacted.clean) {
        check(Check::Json, Some("no longer JSON".to_owned()));
    }
    check(Check::Split, split(input, &redacted.clean, redaction, random));
    if Redactor::new(redaction).redact(&redacted.clean).clean != redacted.clean {
        check(Check::Twice, Some("changed again".to_owned()));
    }
    check(Check::Codec, codec(case, redaction));
    broken
}

fn leak(case: &Case, output: &[u8]) -> Option<String> {
    let piece = surviving_piece(output, &case.credential.secrets, case.credential.header())?;
    Some(format!("{:?} is in {}", piece.escape_ascii().to_string(), shown(output)))
}

fn range(finding: &Finding) -> (usize, usize) {
    (finding.offset as usize, (finding.offset + finding.len) as usize)
}

fn span(case: &Case, findings: &[Finding]) -> Option<String> {
    let found: Vec<_> = findings.iter().map(range).collect();
    let expected = (case.text.span.start, case.text.span.end);
    // One carrier holds another credential, too.
    let others = usize::from(case.recipe.carrier.name == "B8 two schemes" && found.len() == 2);
    let is_exact = found.contains(&expected) && found.len() == 1 + others;
    // All that is in a blob is replaced with it.
    (!is_exact).then(|| format!("found {found:?}, not {expected:?}"))
}

fn digest(case: &Case, redaction: &Redaction, findings: &[Finding]) -> Option<String> {
    let text = case.credential.fingerprinted.as_ref()?;
    // A blob with two credentials has one digest for both.
    let in_blob = case.recipe.outer.iter().any(|(_, encoding)| encoding.is_blob());
    if case.recipe.carrier.is_wider() || in_blob && case.recipe.carrier.name == "B8 two schemes" {
        return None;
    }
    let expected = redaction.fingerprints(text.as_bytes());
    let [expected] = expected[..] else { return Some("the whole credential has no fingerprint".to_owned()) };
    if expected.kind != case.credential.kind {
        return Some(format!("the whole credential is a {}", expected.kind.name()));
    }
    let found = findings.iter().find(|finding| finding.fingerprint == expected);
    match found {
        Some(finding) if finding.complete => None,
        Some(_) => Some("taken for one that was cut".to_owned()),
        None => {
            let found: Vec<_> = findings.iter().map(|finding| finding.fingerprint.to_string()).collect();
            Some(format!("found {found:?}, not {expected}"))
        }
    }
}

fn split(input: &[u8], whole: &[u8], redaction: &Redaction, random: &mut Random) -> Option<String> {
    let mut redactor = Redactor::new(redaction);
    let mut out = CleanBlock::new();
    let mut rest = input;
    let mut lens = Vec::new();
    while !rest.is_empty() {
        let len_max = *random.pick(&[1, 3, 20, 300]);
        let (piece, after) = rest.split_at((1 + random.below(len_max)).min(rest.len()));
        lens.push(piece.len());
        redactor.push(piece, &mut out);
        rest = after;
    }
    redactor.end_record(&mut out);
    (out.as_bytes() != whole).then(|| format!("in pieces of {lens:?} bytes: {}", shown(out.as_bytes())))
}

fn codec(case: &Case, redaction: &Redaction) -> Option<String> {
    let text = std::str::from_utf8(&case.text.bytes).ok()?;
    let record = format!("{{\"n\":1e999,\"message\":{},\"z\":[null]}}", serde_json::Value::from(text));
    let mut records = vec![record];
    if is_json(text.as_bytes()) {
        records.push(text.trim().to_owned());
    }
    records.into_iter().find_map(|record| {
        let output = json_record(redaction, record.as_bytes());
        if !is_json(&output) {
            return Some(format!("no longer JSON: {}", shown(&output)));
        }
        leak(case, &output)
    })
}

fn json_record(redaction: &Redaction, record: &[u8]) -> Vec<u8> {
    let framing = Framing::NewlineDelimited;
    let decoding = Decoding { framing, codec: Codec::Json, max_record_bytes: 1 << 20, whole_records: false };
    let mut stream = RecordStream::new(redaction, decoding);
    let mut out = CleanBlock::new();
    stream.push(record, &mut out).expect("newlines frame everything");
    stream.finish(&mut out).expect("newlines frame everything");
    out.as_bytes().to_vec()
}

fn is_json(text: &[u8]) -> bool {
    text.trim_ascii_start().starts_with(b"{") && serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

/// The output, with markers cut short.
fn shown(output: &[u8]) -> String {
    let mut shown = Vec::new();
    let mut rest = output;
    while let Some(byte) = rest.first() {
        let (text, len) = match marker_kind(rest) {
            Some((kind, len)) => (format!("‹{}›", kind.escape_ascii()).into_bytes(), len),
            None => (vec![*byte], 1),
        };
        shown.extend(text);
        rest = &rest[len..];
    }
    let text: String = String::from_utf8_lossy(&shown).chars().map(|c| if c.is_control() { '␤' } else { c }).collect();
    match text.char_indices().nth(240) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
