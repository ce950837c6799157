//! Logs of container runtimes: wherever a text is cut into parts, it is redacted as the whole that it was.

mod support;

use beartrap::codec::{Codec, Decoding, Framing, RecordStream, StreamStats};
use beartrap::redact::{CleanBlock, Redaction, Redactor};
use support::{Ready, corpus, redaction, tokens};

const TIME: &str = "2016-10-06T00:17:09.669794202Z";
/// More than any text here.
const LARGE: usize = 1 << 20;

fn decoding(codec: Codec, max_record_bytes: usize, whole_records: bool) -> Decoding {
    Decoding { framing: Framing::NewlineDelimited, codec, max_record_bytes, whole_records }
}

fn run<'a>(
    redaction: &Redaction,
    decoding: Decoding,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<u8>, StreamStats) {
    let mut stream = RecordStream::new(redaction, decoding);
    let mut out = CleanBlock::new();
    for piece in pieces {
        stream.push(piece, &mut out).expect("newlines frame everything");
    }
    stream.finish(&mut out).expect("newlines frame everything");
    assert_eq!(stream.pending(), 0);
    (out.as_bytes().to_vec(), stream.stats())
}

fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// One line as the runtime writes it.
fn line(codec: Codec, stream: &str, content: &[u8], is_partial: bool) -> Vec<u8> {
    if codec == Codec::Cri {
        let tag = if is_partial { "P" } else { "F" };
        return [format!("{TIME} {stream} {tag} ").as_bytes(), content, b"\n"].concat();
    }
    let mut text = String::from_utf8(content.to_vec()).expect("Docker writes UTF-8");
    if !is_partial {
        text.push('\n');
    }
    format!("{{\"log\":\"{}\",\"stream\":\"{stream}\",\"time\":\"{TIME}\"}}\n", docker_string(&text)).into_bytes()
}

fn docker_string(text: &str) -> String {
    let escape = |character: char| match character {
        '"' | '\\' => format!("\\{character}"),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\0'..'\u{20}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => format!("\\u{:04x}", character as u32),
        _ => character.to_string(),
    };
    text.chars().map(escape).collect()
}

/// What stands around the content of a line, whose stream it is, whether it is partial, and its content.
fn taken_apart(codec: Codec, line: &[u8]) -> (String, String, bool, Vec<u8>) {
    if codec == Codec::Cri {
        let head_len = TIME.len() + " stdout P ".len();
        let head = String::from_utf8(line[..head_len].to_vec()).expect("an envelope is text");
        let stream = head.split(' ').nth(1).expect("a stream").to_owned();
        return (head.clone(), stream, head.contains(" P "), line[head_len..].to_vec());
    }
    let value: serde_json::Value = serde_json::from_slice(line).unwrap_or_else(|_| panic!("no JSON: {}", show(line)));
    let log = value["log"].as_str().expect("a string");
    let (content, is_partial) = log.strip_suffix('\n').map_or((log, true), |content| (content, false));
    let stream = value["stream"].as_str().expect("a stream").to_owned();
    let around = format!("{stream} {} {is_partial}", value["time"]);
    (around, stream, is_partial, content.as_bytes().to_vec())
}

fn lines(log: &[u8]) -> Vec<&[u8]> {
    log.strip_suffix(b"\n").expect("the last line ends").split(|&byte| byte == b'\n').collect()
}

/// The text of one stream, put together again.
fn joined(codec: Codec, log: &[u8], stream: &str) -> Vec<u8> {
    let mut text = Vec::new();
    for (_, of, is_partial, content) in lines(log).into_iter().map(|line| taken_apart(codec, line)) {
        if of == stream {
            text.extend(content);
            if !is_partial {
                text.push(b'\n');
            }
        }
    }
    text
}

fn envelopes(codec: Codec, log: &[u8]) -> Vec<String> {
    lines(log).into_iter().map(|line| taken_apart(codec, line).0).collect()
}

/// A text as the log of a stream, each of its lines in parts of at most `part_len`, one of them cut at `at` besides; what
/// `between` gives follows every part.
fn log(codec: Codec, text: &[u8], at: usize, part_len: usize, mut between: impl FnMut() -> Vec<u8>) -> Vec<u8> {
    let (mut log, mut start) = (Vec::new(), 0);
    for content in text.split(|&byte| byte == b'\n') {
        let cut = at.checked_sub(start).filter(|&cut| cut <= content.len()).unwrap_or(content.len());
        let (head, tail) = content.split_at(cut);
        let mut parts: Vec<&[u8]> = head.chunks(part_len).chain(tail.chunks(part_len)).collect();
        let last = parts.pop().unwrap_or_default();
        for part in parts {
            log.extend(line(codec, "stdout", part, true));
            log.extend(between());
        }
        log.extend(line(codec, "stdout", last, false));
        log.extend(between());
        start += content.len() + 1;
    }
    log
}

fn is_like_json(text: &[u8]) -> bool {
    text.split(|&byte| byte == b'\n').any(|line| matches!(line.trim_ascii_start().first(), Some(b'{' | b'[')))
}

/// The cases that a runtime could log, and what each of them becomes there.
fn cases(redaction: &Redaction, codec: Codec) -> Vec<(Ready, Vec<u8>)> {
    let mut cases = Vec::new();
    for case in corpus().into_iter().filter(|case| codec == Codec::Cri || std::str::from_utf8(&case.input).is_ok()) {
        let log = log(codec, &case.input, usize::MAX, usize::MAX, Vec::new);
        let clean = run(redaction, decoding(codec, LARGE, false), [&log[..]]).0;
        let text = joined(codec, &clean, "stdout");
        if !is_like_json(&case.input) {
            let whole = Redactor::new(redaction).redact(&[&case.input[..], b"\n"].concat()).clean;
            assert_eq!(show(&text), show(&whole), "{} is not redacted as text is", case.name);
        }
        cases.push((case, text));
    }
    assert!(cases.len() > 100);
    cases
}

/// Where to cut: everywhere in the short ones, else where it changes from run to run of nothing.
fn cuts(len: usize) -> impl Iterator<Item = usize> {
    (0..=len).step_by(1 + len / 40)
}

fn check(redaction: &Redaction, decoding: Decoding, name: &str, log: &[u8], expected: &[u8]) -> Vec<u8> {
    let codec = decoding.codec;
    let (clean, stats) = run(redaction, decoding.clone(), [log]);
    assert_eq!(show(&joined(codec, &clean, "stdout")), show(expected), "{name}: {}", show(log));
    assert_eq!(envelopes(codec, &clean), envelopes(codec, log), "{name}: {}", show(log));
    assert_eq!(stats.foreign_records, 0, "{name}");
    clean
}

#[test]
fn wherever_a_text_is_cut_it_is_redacted_as_one() {
    let redaction = redaction();
    for codec in [Codec::Cri, Codec::Docker] {
        for (case, expected) in cases(&redaction, codec) {
            for at in cuts(case.input.len()) {
                if codec == Codec::Docker && !std::str::from_utf8(&case.input).expect("text").is_char_boundary(at) {
                    continue;
                }
                let log = log(codec, &case.input, at, usize::MAX, Vec::new);
                let clean = check(&redaction, decoding(codec, LARGE, at % 2 == 0), &case.name, &log, &expected);
                let twice = run(&redaction, decoding(codec, LARGE, true), [&clean[..]]).0;
                assert_eq!(show(&twice), show(&clean), "{}: twice", case.name);
            }
        }
    }
}

#[test]
fn texts_that_are_too_long_to_be_held_are_redacted_as_one() {
    let redaction = redaction();
    for codec in [Codec::Cri, Codec::Docker] {
        for (case, expected) in cases(&redaction, codec) {
            if is_like_json(&case.input) || !case.input.is_ascii() {
                continue;
            }
            for (part_len, max) in [(1, 1), (3, 150), (16, 1), (40, 400)] {
                let log = log(codec, &case.input, 0, part_len, Vec::new);
                check(&redaction, decoding(codec, max, false), &case.name, &log, &expected);
            }
        }
    }
}

#[test]
fn streams_do_not_mix() {
    let redaction = redaction();
    let token = &tokens()["hs256"];
    let text = format!("a GET /?access_token={token}&x=<1> \"b\"\nb Authorization: Bearer {token}\nc\n\td");
    for codec in [Codec::Cri, Codec::Docker] {
        let expected = Redactor::new(&redaction).redact(&[text.as_bytes(), b"\n"].concat()).clean;
        for at in 0..=text.len() {
            // The other stream has the same text, in parts of its own, between the parts of the first one.
            let other = log(codec, text.as_bytes(), at / 2, 7, Vec::new);
            let other = String::from_utf8(other).expect("text").replace("stdout", "stderr");
            let mut others = other.split_inclusive('\n');
            let part_len = 1 + at % 50;
            let mut both =
                log(codec, text.as_bytes(), at, part_len, || others.next().unwrap_or_default().as_bytes().to_vec());
            both.extend(others.flat_map(str::bytes));
            for max in [LARGE, 700, 1] {
                let decoding = decoding(codec, max, at % 2 == 0);
                let clean = check(&redaction, decoding.clone(), "both streams", &both, &expected);
                assert_eq!(show(&joined(codec, &clean, "stderr")), show(&expected), "{at} {max}");
                for piece_len in [1, 7, 4096] {
                    let again = run(&redaction, decoding.clone(), both.chunks(piece_len)).0;
                    assert_eq!(show(&again), show(&clean), "{at} {max} in pieces of {piece_len}");
                }
            }
        }
    }
}
