//! What holds for every input: the bodies of the fuzz targets. Tests run them over the corpus and the samples.

mod decoder;
mod encodings;
mod entropy;
mod neighbours;
mod oracle;

use crate::codec::{Codec, Decoding, Framing, RecordStream};
use crate::redact::{CleanBlock, Finding, KeyRing, Options, Redaction, Redactor};
use crate::rule_file::{self, OnUnsupported};
use encodings::{ENCODINGS, Marked};
use entropy::Entropy;
use serde::de::IgnoredAny;
use std::sync::LazyLock;

static KEYS: LazyLock<KeyRing> = LazyLock::new(|| KeyRing::parse(&[b'5'; 64]).expect("64 digits are a key"));

static REDACTION: LazyLock<Redaction> =
    LazyLock::new(|| Redaction::new(KEYS.clone(), Options::default()).expect("the default options are valid"));

/// No decision needs more input than this.
const PENDING_LEN_MAX: usize = 200 << 10;

/// Reasons are not looked for at speed.
const EXPLAINED_LEN_MAX: usize = 16 << 10;

/// The output is the same however the input is cut, redacting it again changes nothing, all bytes outside the findings are
/// those of the input, and no anchor is passed over of which something comes.
pub fn chunking(data: &[u8]) {
    let Some(input) = Input::parse(data) else { return };
    let text = &input.text;
    let whole = Redactor::new(&REDACTION).redact(text);
    assert_rest_is_untouched(text, &whole.clean, &whole.findings);

    let (clean, findings) = pushed(&REDACTION, &input);
    assert_same("pushed in pieces", &clean, &whole.clean);
    assert_eq!(findings, whole.findings, "pushed in pieces");

    let (clean, findings) = filled(&REDACTION, &input);
    assert_same("filled in pieces", &clean, &whole.clean);
    assert_eq!(findings, whole.findings, "filled in pieces");

    assert_same("redacted twice", &Redactor::new(&REDACTION).redact(&whole.clean).clean, &whole.clean);

    // Who asks why is told of every anchor.
    if text.len() < EXPLAINED_LEN_MAX {
        assert_eq!(REDACTION.explain(text).findings, whole.findings, "explained");
    }
}

/// JSON stays JSON line by line, however the lines are cut, and redacting them again changes nothing.
pub fn json(data: &[u8]) {
    let Some(input) = Input::parse(data) else { return };
    let record_bytes_max = if input.cuts[0] % 4 == 3 { 64 } else { 1 << 20 };
    let clean = json_lines(&REDACTION, &input.text, [&input.text[..]], record_bytes_max);
    assert_same("in pieces", &json_lines(&REDACTION, &input.text, input.pieces(), record_bytes_max), &clean);

    let is_gathered = |line: &&[u8]| line.len() <= record_bytes_max;
    let (before, after) = (input.text.split(is_newline), clean.split(is_newline));
    assert_eq!(before.clone().count(), after.clone().count(), "lines");
    for (before, after) in before.zip(after).filter(|(before, _)| is_gathered(before)) {
        assert!(!is_json(before) || is_json(after), "no longer JSON: {}", after.escape_ascii());
    }
    if input.text.split(is_newline).all(|line| is_gathered(&line)) {
        assert_same("redacted twice", &json_lines(&REDACTION, &clean, [&clean[..]], usize::MAX), &clean);
    }
}

/// A rule file, a line that begins with `%`, and a text: no file makes the loader panic, and rules that load give the same
/// output however the text is cut.
pub fn rules(data: &[u8]) {
    let (file, data) = match memchr::memmem::find(data, b"\n%\n") {
        Some(at) => (&data[..=at], &data[at + 3..]),
        None => (data, &[][..]),
    };
    let Ok(file) = std::str::from_utf8(file) else { return };
    let _ = rule_file::parse("fuzz.toml", file, OnUnsupported::Error).map_err(|errors| errors.to_string());
    let Ok(loaded) = rule_file::parse("fuzz.toml", file, OnUnsupported::Skip) else { return };
    let Some(input) = Input::parse(data) else { return };
    let options = Options { rules: loaded.rules, ..Options::default() };
    let redaction = Redaction::new(KEYS.clone(), options).expect("rules that are ready can be used");
    let text = &input.text;
    let whole = Redactor::new(&redaction).redact(text);

    let (clean, findings) = pushed(&redaction, &input);
    assert_same("pushed in pieces", &clean, &whole.clean);
    assert_eq!(findings, whole.findings, "pushed in pieces");

    let (clean, findings) = filled(&redaction, &input);
    assert_same("filled in pieces", &clean, &whole.clean);
    assert_eq!(findings, whole.findings, "filled in pieces");

    let json = json_lines(&redaction, text, [&text[..]], 1 << 20);
    assert_same("JSON in pieces", &json_lines(&redaction, text, input.pieces(), 1 << 20), &json);
    assert_json_stays(text, &whole.clean);
    assert_json_stays(text, &json);
}

/// A line with fresh credentials: the engine finds what a naive reading of the grammar finds, however the line is cut.
pub fn oracle(data: &[u8]) {
    let choices = &mut Entropy::new(data);
    let line = oracle::line(choices).into_bytes();
    let mut redactor = Redactor::new(&REDACTION);
    let (mut clean, mut found) = (CleanBlock::new(), Vec::new());
    for piece in choices.cut(&line) {
        redactor.push(piece, &mut clean);
        found.extend_from_slice(redactor.findings());
    }
    redactor.end_record(&mut clean);
    found.extend_from_slice(redactor.findings());
    let found: Vec<_> =
        found.iter().map(|finding| finding.offset as usize..(finding.offset + finding.len) as usize).collect();
    assert_eq!(found, oracle::spans(&line), "{}", line.escape_ascii());
}

/// What a token in encodings may stand in.
const SURROUNDINGS: &[(&str, &str)] = &[
    ("", ""),
    ("", "\n"),
    ("got: ", " from ada"),
    ("t=", "&n=1"),
    ("{\"t\":\"", "\",\"n\":1}"),
    ("<t>", "</t>"),
    ("(", ")"),
    ("['", "']"),
    ("\u{1b}[32m", "\u{1b}[0m"),
    ("é", "é"),
];

/// A fresh token in up to three encodings: nothing of it survives in any decoding of the output, and its digest is that of
/// the bare token.
pub fn views(data: &[u8]) {
    let choices = &mut Entropy::new(data);
    let token = oracle::jose(choices);
    let mut text = Marked { span: 0..token.len(), bytes: token.clone().into_bytes() };
    let (name, encoding) = ENCODINGS[choices.below(ENCODINGS.len())];
    // A line end cuts a token in several.
    if !encoding.is_of_lines() && !encoding.is_wrapping() {
        text = encoding.encode(&text);
    }
    let (before, after) = SURROUNDINGS[choices.below(SURROUNDINGS.len())];
    let line = [before.as_bytes(), &text.bytes, after.as_bytes()].concat();
    let redacted = Redactor::new(&REDACTION).redact(&line);
    let secrets: Vec<Vec<u8>> = token.split('.').skip(1).map(|part| part.as_bytes().to_vec()).collect();
    let piece = decoder::surviving_piece(&redacted.clean, &secrets, b"");
    assert!(piece.is_none(), "{name} {}\n  left {}", line.escape_ascii(), redacted.clean.escape_ascii());
    let expected = REDACTION.fingerprints(token.as_bytes());
    let found: Vec<_> = redacted.findings.iter().map(|finding| finding.fingerprint).collect();
    // What stands beside a blob may belong to its alphabet, and be taken for more of it.
    if !encoding.is_blob() {
        assert_eq!(found, expected, "{name} {}", line.escape_ascii());
    }
}

fn assert_json_stays(before: &[u8], after: &[u8]) {
    let before = before.split(is_newline);
    let after: Vec<_> = after.split(is_newline).collect();
    assert_eq!(before.clone().count(), after.len(), "lines");
    for (before, after) in before.zip(after) {
        let is_record = matches!(before.trim_ascii_start(), [b'{' | b'[', ..]) && is_json(before);
        assert!(!is_record || is_json(after), "no longer JSON: {}", after.escape_ascii());
    }
}

/// What a fuzzer's bytes stand for: a text and how it is cut.
struct Input {
    cuts: [u8; 7],
    text: Vec<u8>,
}

impl Input {
    /// The first bytes are the cuts. One more says how often the middle of the text is repeated: decisions are bounded,
    /// and a fuzzer that writes each byte by itself does not get that far.
    fn parse(data: &[u8]) -> Option<Self> {
        let (&[cuts @ .., stretch], text) = data.split_first_chunk::<8>()?;
        let (head, rest) = text.split_at(text.len() / 3);
        let (middle, tail) = rest.split_at(rest.len() / 2);
        let stretched_len = usize::from(stretch.saturating_sub(0xdf)) * 5000;
        let stretched = middle.iter().cycle().take(stretched_len.max(middle.len()));
        let text = head.iter().chain(stretched).chain(tail).copied().collect();
        Some(Self { cuts, text })
    }

    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.text[..];
        let mut cuts = self.cuts.iter().cycle();
        std::iter::from_fn(move || {
            let cut = usize::from(*cuts.next()?);
            let len = if cut < 200 { cut + 1 } else { (cut - 199) << 10 };
            let (piece, after) = rest.split_at(len.min(rest.len()));
            rest = after;
            (!piece.is_empty()).then_some(piece)
        })
    }
}

fn pushed(redaction: &Redaction, input: &Input) -> (Vec<u8>, Vec<Finding>) {
    let mut redactor = Redactor::new(redaction);
    let (mut clean, mut findings) = (CleanBlock::new(), Vec::new());
    for piece in input.pieces() {
        redactor.push(piece, &mut clean);
        findings.extend_from_slice(redactor.findings());
        assert!(redactor.pending() <= PENDING_LEN_MAX, "{} bytes are held back", redactor.pending());
    }
    redactor.end_record(&mut clean);
    findings.extend_from_slice(redactor.findings());
    (clean.as_bytes().to_vec(), findings)
}

fn filled(redaction: &Redaction, input: &Input) -> (Vec<u8>, Vec<Finding>) {
    let mut redactor = Redactor::new(redaction);
    let (mut clean, mut findings) = (Vec::new(), Vec::new());
    for piece in input.pieces() {
        redactor.space()[..piece.len()].copy_from_slice(piece);
        clean.extend_from_slice(redactor.filled(piece.len()).as_bytes());
        findings.extend_from_slice(redactor.findings());
    }
    clean.extend_from_slice(redactor.finish().as_bytes());
    findings.extend_from_slice(redactor.findings());
    (clean, findings)
}

fn json_lines<'a>(
    redaction: &Redaction,
    text: &[u8],
    pieces: impl IntoIterator<Item = &'a [u8]>,
    max_record_bytes: usize,
) -> Vec<u8> {
    let framing = Framing::NewlineDelimited;
    let decoding = Decoding { framing, codec: Codec::Json, max_record_bytes, whole_records: false };
    let mut stream = RecordStream::new(redaction, decoding);
    let mut clean = CleanBlock::new();
    for piece in pieces {
        stream.push(piece, &mut clean).expect("newlines frame everything");
    }
    stream.finish(&mut clean).expect("newlines frame everything");
    assert_eq!(stream.consumed(), text.len() as u64, "consumed");
    clean.as_bytes().to_vec()
}

/// Walks through input and output at once. A number's marker is in quotes that the input did not have.
fn assert_rest_is_untouched(input: &[u8], output: &[u8], findings: &[Finding]) {
    let (mut input_at, mut output_at) = (0, 0);
    for finding in findings {
        let start = usize::try_from(finding.offset).expect("an offset in the text");
        let len = usize::try_from(finding.len).expect("a length in the text");
        let before = &input[input_at..start];
        let rest = output[output_at..].strip_prefix(before).expect("what is before a finding stays");
        let marker = finding.fingerprint.to_string();
        let quote_len = rest.iter().take_while(|byte| b"\\\"'".contains(byte)).count();
        let (quote, rest) = rest.split_at(quote_len);
        let rest = rest.strip_prefix(marker.as_bytes()).expect("a marker stands for each finding");
        let rest = rest.strip_prefix(quote).expect("a marker's quotes are a pair");
        (input_at, output_at) = (start + len, output.len() - rest.len());
    }
    assert_same("behind the last finding", &output[output_at..], &input[input_at..]);
}

fn assert_same(what: &str, output: &[u8], expected: &[u8]) {
    assert!(output == expected, "{what}:\n  {}\nnot\n  {}", output.escape_ascii(), expected.escape_ascii());
}

fn is_newline(byte: &u8) -> bool {
    *byte == b'\n'
}

fn is_json(line: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(line).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const EVERY_BYTE: [u8; 8] = [0; 8];
    const UNEVEN: [u8; 8] = [6, 0, 62, 2, 200, 255, 1, 0];
    const STRETCHED: [u8; 8] = [30, 199, 220, 254, 0, 201, 7, 0xf4];

    fn files(folder: &str) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let mut paths: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.is_file());
        paths.sort();
        paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
    }

    /// The texts of the table of cases, without what marks the credentials in them.
    fn cases() -> Vec<String> {
        let files: Vec<toml::Table> = files("tests/corpus")
            .iter()
            .map(|file| toml::from_str(std::str::from_utf8(file).unwrap()).unwrap())
            .collect();
        let tokens = files.iter().find_map(|file| file.get("tokens")).unwrap().as_table().unwrap();
        let cases = files.iter().filter_map(|file| file.get("case")).flat_map(|cases| cases.as_array().unwrap());
        let texts = cases.map(|case| {
            let mut text = case["text"].as_str().unwrap().to_owned();
            for kind in crate::redact::Kind::ALL {
                text = text.replace(&format!("«{} ", kind.name()), "");
            }
            text = text.replace('»', "");
            for (name, token) in tokens {
                text = text.replace(&format!("{{{name}}}"), token.as_str().unwrap());
            }
            text
        });
        texts.collect()
    }

    fn with_cuts(cuts: [u8; 8], text: &[u8]) -> Vec<u8> {
        [&cuts[..], text].concat()
    }

    #[test]
    fn the_corpus_does_not_depend_on_its_cuts() {
        for text in cases() {
            for cuts in [EVERY_BYTE, UNEVEN] {
                chunking(&with_cuts(cuts, text.as_bytes()));
            }
        }
        chunking(&with_cuts(EVERY_BYTE, cases().join("\n").as_bytes()));
    }

    #[test]
    fn the_samples_do_not_depend_on_their_cuts() {
        for text in [files("tests/samples"), files("tests/samples/clean")].concat() {
            chunking(&with_cuts(UNEVEN, &text));
            json(&with_cuts(UNEVEN, &text));
        }
    }

    #[test]
    fn stretched_cases_do_not_depend_on_their_cuts() {
        for text in cases().iter().step_by(7) {
            chunking(&with_cuts(STRETCHED, text.as_bytes()));
        }
    }

    #[test]
    fn rules_do_not_depend_on_the_cuts_of_the_text() {
        let builtin = include_str!("rule_file/builtin.toml");
        let tried = include_str!("../tests/rules/rules.toml");
        let wild = "[[rules]]\nid='a'\nregex='[a-f0-9]{20,}'\n[[rules]]\nid='b'\nregex='\"?[a-z]+\"?: ?\"?[^,]{3,9}'\n";
        let log = files("tests/samples").concat();
        let cases = [cases().join("\n").as_bytes(), log.get(..60_000).unwrap_or(&log)].concat();
        for file in [builtin, tried, wild] {
            for cuts in [EVERY_BYTE, UNEVEN] {
                rules(&[file.as_bytes(), b"\n%\n", &with_cuts(cuts, &cases)].concat());
            }
            rules(&[file.as_bytes(), b"\n%\n", &with_cuts(STRETCHED, &cases[..3000])].concat());
        }
    }

    #[test]
    fn no_rule_file_makes_the_loader_panic() {
        let file = include_str!("../tests/rules/rules.toml");
        for cut in (0..file.len()).step_by(3) {
            rules(&file.as_bytes()[..cut]);
            rules(&file.as_bytes()[cut..]);
        }
    }

    #[test]
    fn the_corpus_in_json_stays_json() {
        for text in cases() {
            let record = serde_json::json!({ "message": text, "n": [1, { "access_token": text, "code": 98_765_432 }] });
            let nested = serde_json::json!({ "log": record.to_string() });
            for cuts in [EVERY_BYTE, UNEVEN, [3; 8]] {
                json(&with_cuts(cuts, format!("{record}\n{nested}\n{text}").as_bytes()));
            }
        }
    }

    /// Inputs for targets that take choices. `BEARTRAP_SEED` and `BEARTRAP_CASES` ask for others, and for more.
    fn choices() -> impl Iterator<Item = [u8; 16]> {
        let number = |variable: &str| std::env::var(variable).ok().and_then(|value| value.parse::<u64>().ok());
        let seed = number("BEARTRAP_SEED").unwrap_or(20_240_101);
        let cases = number("BEARTRAP_CASES").unwrap_or(3_000);
        println!("BEARTRAP_SEED={seed} BEARTRAP_CASES={cases}");
        (0..cases).map(move |case| {
            let noise = Entropy::new(&[seed.to_le_bytes(), case.to_le_bytes()].concat()).noise(16);
            noise.try_into().unwrap()
        })
    }

    #[test]
    fn the_engine_finds_what_a_naive_reading_of_the_grammar_finds() {
        let spans: usize =
            choices().map(|data| oracle::spans(oracle::line(&mut Entropy::new(&data)).as_bytes()).len()).sum();
        assert!(spans > choices().count(), "the lines hold too little");
        choices().for_each(|data| oracle(&data));
    }

    #[test]
    fn tokens_are_seen_through_encodings() {
        choices().for_each(|data| views(&data));
    }
}
