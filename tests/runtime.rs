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

/// Where to cut: everywhere in short texts, at twenty places in others.
fn cuts(len: usize) -> impl Iterator<Item = usize> {
    (0..=len).step_by(1 + len / 20)
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
                if at % 8 != 0 {
                    continue;
                }
                for piece_len in [1, 7, 4096] {
                    let again = run(&redaction, decoding.clone(), both.chunks(piece_len)).0;
                    assert_eq!(show(&again), show(&clean), "{at} {max} in pieces of {piece_len}");
                }
            }
        }
    }
}

fn text_of(codec: Codec, parts: &[(&str, &str, bool)]) -> Vec<u8> {
    parts
        .iter()
        .flat_map(|(stream, content, is_partial)| line(codec, stream, content.as_bytes(), *is_partial))
        .collect()
}

#[test]
fn a_stream_goes_on_wherever_a_checkpoint_was_taken() {
    let redaction = redaction();
    let token = &tokens()["es256"];
    let (head, tail) = token.split_at(100);
    for codec in [Codec::Cri, Codec::Docker] {
        let log = text_of(
            codec,
            &[
                ("stdout", "start", false),
                ("stdout", head, true),
                ("stderr", "Authorization: Bear", true),
                ("stdout", tail, false),
                ("stderr", "er\r", false),
                ("stdout", "  not-folded-into-the-other-stream-1a2b3c4d5e6f", false),
                ("stderr", "  mF_9.B5f-4.1JqM-folded", false),
                ("stdout", "Cookie: a=b;\r", false),
                ("stderr", "other", false),
                ("stdout", " session=8f2a9c1b7d6e5f4a3b2c1d0e", true),
                ("stdout", "9f8e7d", false),
                ("stderr", "end", false),
            ],
        );
        let whole = run(&redaction, decoding(codec, LARGE, false), [&log[..]]).0;
        assert!(
            !show(&whole).contains("B5f") && !show(&whole).contains("8f2a") && show(&whole).contains("1a2b3c4d5e6f")
        );
        let mut places = std::collections::BTreeSet::new();
        for stop in 0..=log.len() {
            let mut first = RecordStream::new(&redaction, decoding(codec, LARGE, false));
            first.push(&log[..stop], &mut CleanBlock::new()).expect("newlines frame everything");
            let consumed = usize::try_from(first.consumed()).expect("it fits");
            places.insert(consumed);
            let mut second = RecordStream::new(&redaction, decoding(codec, LARGE, false));
            second.resume(first.carry());
            let mut out = CleanBlock::new();
            second.push(&log[consumed..], &mut out).expect("newlines frame everything");
            second.finish(&mut out).expect("newlines frame everything");
            assert!(!show(out.as_bytes()).contains("B5f") && !show(out.as_bytes()).contains("8f2a"), "from {consumed}");
            let count = log[consumed..].iter().filter(|&&byte| byte == b'\n').count();
            let rest = lines(&whole)[lines(&whole).len() - count..].join(&b'\n');
            // A header that one stream left open holds for both: more may go, never less.
            if !show(&rest).contains("not-folded") {
                assert_eq!(
                    show(out.as_bytes().strip_suffix(b"\n").unwrap_or_default()),
                    show(&rest),
                    "from {consumed}"
                );
            }
        }
        let line_count = |at: usize| lines(&log[..at]).len();
        assert!(places.iter().skip(1).all(|&at| ![2, 3, 4, 10].contains(&line_count(at))), "{places:?}");
        assert!(places.len() > 6, "{places:?}");
    }
}

#[test]
fn an_open_text_at_the_end_of_the_input_goes_out_redacted() {
    let redaction = redaction();
    let token = &tokens()["hs256"];
    let marker = redaction.fingerprints(token.as_bytes())[0].to_string();
    let (head, tail) = token.split_at(60);
    for codec in [Codec::Cri, Codec::Docker] {
        for max in [LARGE, 1] {
            let log = text_of(codec, &[("stdout", head, true), ("stderr", "x", false), ("stdout", tail, true)]);
            let clean = run(&redaction, decoding(codec, max, false), [&log[..]]).0;
            // Where nothing can be held the marker has no line to go with.
            let parts: &[_] = match max {
                1 => &[("stdout", "", true), ("stderr", "x", false), ("stdout", "", true), ("stdout", &marker, true)],
                _ => &[("stdout", &marker, true), ("stderr", "x", false), ("stdout", "", true)],
            };
            assert_eq!(show(&clean), show(&text_of(codec, parts)), "{max}");
            // A last line that is cut itself is the end of its text.
            for whole in [false, true] {
                let clean = run(&redaction, decoding(codec, max, whole), [log.strip_suffix(b"\n").expect("it ends")]).0;
                let parts: &[_] = match max {
                    1 => &[("stdout", "", true), ("stderr", "x", false), ("stdout", &marker, true)],
                    _ => parts,
                };
                let mut expected = text_of(codec, parts);
                if !whole {
                    expected.pop();
                }
                assert_eq!(show(&clean), show(&expected), "{max} {whole}");
            }
        }
    }
}

#[test]
fn lines_that_no_runtime_wrote_are_scanned_and_counted() {
    let redaction = redaction();
    let token = &tokens()["hs256"];
    let marker = redaction.fingerprints(token.as_bytes())[0].to_string();
    let (head, tail) = token.split_at(60);
    for codec in [Codec::Cri, Codec::Docker] {
        let log = |escaped: &str, credentials: [&str; 4]| {
            let [first, head, tail, last] = credentials;
            [
                format!("token {first}\n\n{{\"access_token\":\"{}\"}}\r\n", first.replacen('e', escaped, 1))
                    .into_bytes(),
                line(codec, "stdout", head.as_bytes(), true),
                format!("between {last}\n").into_bytes(),
                line(codec, "stdout", tail.as_bytes(), false),
                format!("2016-10-06T00:17:09Z stdout X {last}\r\n").into_bytes(),
                format!("{{\"log\":\"{last}\",\"stream\":\"std\"}}\n").into_bytes(),
                format!("{{\"log\":\"{last}\",\"stream\":\"stdout\"").into_bytes(),
            ]
            .concat()
        };
        let input = log("\\u0065", [token, head, tail, token]);
        for piece_len in [1, 5, 1000] {
            let (clean, stats) = run(&redaction, decoding(codec, LARGE, false), input.chunks(piece_len));
            let expected = log("e", [&marker, &marker, "", &marker]);
            assert_eq!(show(&clean), show(&expected));
            assert_eq!(stats.foreign_records, 6);
        }
    }
}

#[test]
fn json_stays_json_at_both_levels() {
    let redaction = redaction();
    let token = &tokens()["hs256"];
    let json =
        format!(r#"{{"level":"info","html":"<a>&\t","access_token":12345678,"password":"\u00e9","jwt":"{token}"}}"#);
    let marker = redaction.fingerprints(token.as_bytes())[0].to_string();
    for at in 0..json.len() {
        let (head, tail) = json.split_at(at);
        let with_attributes = |line: Vec<u8>| {
            let line = String::from_utf8(line).expect("text");
            line.replace("\"stream\"", &format!("\"attrs\":{{\"tag\":\"<{token}\",\"api_key\":\"x\"}} , \"stream\""))
        };
        let log = [
            line(Codec::Docker, "stdout", head.as_bytes(), true),
            line(Codec::Docker, "stdout", tail.as_bytes(), false),
        ]
        .map(with_attributes)
        .concat();
        let clean = run(&redaction, decoding(Codec::Docker, LARGE, false), [log.as_bytes()]).0;
        let outer: Vec<serde_json::Value> =
            lines(&clean).iter().map(|line| serde_json::from_slice(line).expect("JSON")).collect();
        assert!(outer.iter().all(|line| line["attrs"]["tag"] == format!("<{marker}")), "{}", show(&clean));
        let inner = joined(Codec::Docker, &clean, "stdout");
        let inner: serde_json::Value = serde_json::from_slice(&inner).unwrap_or_else(|_| panic!("{}", show(&inner)));
        assert_eq!(inner["jwt"], marker.as_str());
        assert!(inner["access_token"].as_str().is_some_and(|text| text.starts_with("redacted-token-")), "{inner}");
        assert_eq!((&inner["html"], &inner["level"]), (&"<a>&\t".into(), &"info".into()));
    }
}

#[test]
fn what_is_held_is_bounded_and_lines_that_are_too_long_leave_as_they_come() {
    let redaction = redaction();
    let token = &tokens()["rs256"];
    let (head, tail) = token.split_at(200);
    let filler = "some words of a log line, ".repeat(40_000);
    for max in [1000, 200_000] {
        let mut stream = RecordStream::new(&redaction, decoding(Codec::Cri, max, true));
        let mut out = CleanBlock::new();
        stream.push(&line(Codec::Cri, "stdout", head.as_bytes(), true), &mut out).expect("newlines frame everything");
        for _ in 0..10_000 {
            stream.push(&line(Codec::Cri, "stderr", b"a line of the other stream", false), &mut out).expect("framed");
            assert!(stream.pending() <= max + 128, "{} are held", stream.pending());
        }
        assert_eq!(stream.stats().split_records, 1);
        stream.push(&line(Codec::Cri, "stdout", tail.as_bytes(), false), &mut out).expect("newlines frame everything");
        assert_eq!(stream.pending(), 0);
        let marker = redaction.fingerprints(token.as_bytes())[0].to_string();
        assert_eq!(show(&joined(Codec::Cri, out.as_bytes(), "stdout")), format!("{marker}\\n"));

        // The runtime may be told not to cut, and such a line may be the end of a text that it did cut.
        for codec in [Codec::Cri, Codec::Docker] {
            let log = text_of(
                codec,
                &[
                    ("stdout", head, true),
                    ("stderr", "x", false),
                    ("stdout", &format!("{tail} {filler} {token}"), false),
                    ("stderr", token, false),
                    ("stdout", head, true),
                    ("stdout", &format!("{tail} {filler}"), true),
                    ("stdout", "end", false),
                ],
            );
            let at_once = run(&redaction, decoding(codec, max, false), [&log[..]]).0;
            let shown = show(&at_once);
            assert!(!shown.contains(&tail[..20]) || codec == Codec::Docker, "{codec:?} {max}");
            assert!(!shown.contains(&token[60..100]), "{codec:?} {max}");
            if codec == Codec::Cri {
                let expected = format!("{marker} {filler} {marker}\\n{marker} {filler}end\\n");
                assert_eq!(show(&joined(codec, &at_once, "stdout")), expected);
                assert_eq!(envelopes(codec, &at_once), envelopes(codec, &log));
            }
            for piece_len in [999, 70_000] {
                let again = run(&redaction, decoding(codec, max, false), log.chunks(piece_len)).0;
                assert!(again == at_once, "{codec:?} {max} in pieces of {piece_len}");
            }
            let whole = run(&redaction, decoding(codec, max, true), [&log[..]]).0;
            assert!(!show(&whole).contains(&token[60..100]), "{codec:?} {max}");
        }
    }
}

/// Lines as the documents of containerd and Docker show them, tags and attributes too.
#[test]
fn the_documented_formats() {
    let redaction = redaction();
    let token = &tokens()["eddsa"];
    let marker = redaction.fingerprints(token.as_bytes())[0].to_string();
    let (head, tail) = token.split_at(77);
    let containerd = |credentials: [&str; 3]| {
        let [head, tail, whole] = credentials;
        format!(
            "2016-10-06T00:17:09.669794202Z stdout F log content 1\n\
             2016-10-06T00:17:09.669794203Z stderr P {{\"msg\":\"GET /\",\"authorization\":\"Bearer {head}\n\
             2016-10-06T00:17:10.113242941+02:00 stdout F:more then {whole}\r\n\
             2016-10-06T00:17:10.113242942Z stderr P:more {tail}\",\"n\":1\n\
             2016-10-06T00:17:10.113242943Z stderr F }}\n\
             2016-10-06T00:17:10.113242944Z stdout F \n"
        )
    };
    let dockerd = |credentials: [&str; 3]| {
        let [head, tail, whole] = credentials;
        format!(
            r#"{{"log":"log content \u003c1\u003e\u0009\r\n","stream":"stdout","time":"2016-10-06T00:17:09.669794202Z"}}
{{"log":"{{\"msg\":\"GET /\u0026\",\"authorization\":\"Bearer {head}","stream":"stderr","attrs":{{"tag":"web"}},"time":"2016-10-06T00:17:09.669794203Z"}}
{{"log":"then \u001b[32m{whole}\u001b[0m\n","stream":"stdout","time":"2016-10-06T00:17:10.113242941Z"}}
{{"log":"{tail}\",\"n\":1","stream":"stderr","attrs":{{"tag":"web"}},"time":"2016-10-06T00:17:10.113242942Z"}}
{{"log":"}}\n","stream":"stderr","time":"2016-10-06T00:17:10.113242943Z"}}
"#
        )
    };
    for (codec, log, expected) in [
        (Codec::Cri, containerd([head, tail, token]), containerd([&marker, "", &marker])),
        (Codec::Docker, dockerd([head, tail, token]), dockerd([&marker, "", &marker])),
    ] {
        for whole_records in [false, true] {
            let (clean, stats) = run(&redaction, decoding(codec, LARGE, whole_records), [log.as_bytes()]);
            assert_eq!(show(&clean), show(expected.as_bytes()));
            assert_eq!(stats, StreamStats::default());
        }
    }
}
