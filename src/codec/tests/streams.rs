//! Every framing at every piece length.

use super::super::{Codec, Framing, FramingError, StreamStats};
use super::{FRAMINGS, MARKER, Outcome, framed, pieces_of, run, stream};
use crate::redact::CleanBlock;
use proptest::prelude::*;

const PIECE_LENS: [usize; 11] = [1, 2, 3, 4, 5, 6, 7, 4095, 4096, 4097, usize::MAX];

/// What must come out of records that need no redaction; the last one has no end if it is `unfinished`.
fn expected(framing: Framing, records: &[Vec<u8>], unfinished: bool, max: usize, whole: bool) -> Outcome {
    let announced = matches!(framing, Framing::LengthDelimited | Framing::OctetCounting);
    let joined = [records.concat()];
    let is_empty = framing == Framing::Bytes && joined[0].is_empty();
    let records = match framing {
        Framing::Bytes if is_empty => &[],
        Framing::Bytes => &joined[..],
        _ => records,
    };
    let mut outcome = Outcome { clean: Vec::new(), ends: Vec::new(), stats: StreamStats::default(), error: None };
    let whole = whole || announced;
    for (index, record) in records.iter().enumerate() {
        let pieces = if whole { pieces_of(record, max) } else { vec![&record[..]] };
        outcome.stats.split_records += u64::from(pieces.len() > 1);
        let has_end = framing != Framing::Bytes && !(unfinished && index + 1 == records.len());
        for piece in pieces {
            outcome.clean.extend(piece);
            match framing.delimiter() {
                Some(delimiter) if whole || has_end => outcome.clean.push(delimiter),
                None if whole => outcome.ends.push(outcome.clean.len()),
                _ => {}
            }
        }
    }
    outcome
}

/// Input without its last delimiter, if that leaves a half record.
fn without_end(
    framing: Framing,
    records: &[Vec<u8>],
    mut wire: Vec<u8>,
    mut ends: Vec<u64>,
) -> (Vec<u8>, Vec<u64>, bool) {
    let half = framing.delimiter().is_some() && records.last().is_some_and(|record| !record.is_empty());
    if half {
        wire.pop();
        ends.pop();
    }
    (wire, ends, half)
}

fn check(framing: Framing, records: &[Vec<u8>], cut_last: bool, max: usize, pieces: impl Fn(&[u8]) -> Vec<&[u8]>) {
    let (wire, ends) = framed(framing, records);
    let (wire, ends, half) = if cut_last { without_end(framing, records, wire, ends) } else { (wire, ends, false) };
    // RFC 6587 has no empty record: the stream ends at it.
    let broken_at = records.iter().position(Vec::is_empty).filter(|_| framing == Framing::OctetCounting);
    let valid = broken_at.unwrap_or(records.len());
    for whole in [false, true] {
        let ends = &ends[..valid.min(ends.len())];
        let seen = run(&mut stream(framing, Codec::Text, max, whole), &pieces(&wire), ends);
        let mut expected = expected(framing, &records[..valid], half, max, whole);
        expected.error = broken_at.map(|_| FramingError::Length);
        assert_eq!(seen, expected, "{framing:?}, whole {whole}, half {half}, at most {max}");
    }
}

#[test]
fn the_table_of_streams() {
    let long = |len: usize| (0..len).map(|at| b"0123456789 "[at % 11]).collect::<Vec<u8>>();
    let beside_marker = |before: usize| [&long(before)[..], MARKER, b" after it"].concat();
    let tables: [(&[usize], Vec<Vec<u8>>); 8] = [
        (&[1, 100], vec![]),
        (&[1, 100], vec![b"one".to_vec()]),
        (&[1, 2, 100], vec![b"one\r".to_vec(), b"".to_vec(), b"two".to_vec()]),
        (&[1, 100], vec![b"\xff\xfe\x80".to_vec(), b"\t\x1b[32m".to_vec(), b"last".to_vec()]),
        (&[20, 22, 23, 100], (0..90).map(|index| format!("line {index} of the service").into_bytes()).collect()),
        (&[4096], vec![long(4095), long(4096), long(4097), b"short".to_vec()]),
        (&[1, 2, 20, 64, 300], vec![long(20), long(21), long(40), long(41), b"x".to_vec(), long(200)]),
        (&[1, 20, 64], (0..70).step_by(3).map(beside_marker).collect()),
    ];
    for framing in FRAMINGS {
        for (maxima, records) in &tables {
            for (max, piece_len) in maxima.iter().flat_map(|&max| PIECE_LENS.map(|piece_len| (max, piece_len))) {
                let chunk_len = |wire: &[u8]| piece_len.min(wire.len().max(1));
                for cut_last in [false, true] {
                    check(framing, records, cut_last, max, |wire| wire.chunks(chunk_len(wire)).collect());
                }
            }
        }
    }
}

fn record() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        4 => "[ -~]{0,12}".prop_map(String::into_bytes),
        2 => Just(MARKER.to_vec()),
        1 => Just(b"redacted-".to_vec()),
        1 => Just(MARKER[..40].to_vec()),
        1 => prop::collection::vec(128_u8..=255, 0..6),
    ];
    prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn any_cut_of_the_input_gives_the_oracles_output(
        records in prop::collection::vec(record(), 0..8),
        framing in prop::sample::select(&FRAMINGS[..]),
        cut_last: bool,
        max in 1_usize..300,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        check(framing, &records, cut_last, max, |wire| {
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(wire.len() + 1)).chain([0, wire.len()]).collect();
            at.sort_unstable();
            at.windows(2).map(|pair| &wire[pair[0]..pair[1]]).collect()
        });
    }

    /// Holds whatever the engine finds in the text, and for both codecs.
    #[test]
    fn output_does_not_depend_on_how_the_input_is_cut(
        parts in prop::collection::vec(prop::sample::select(vec![
            &b"\n"[..], b"\r\n", b"\0", b"Authorization: Bearer ", b"eyJhbGciOiJIUzI1NiJ9.", b"eyJzdWIiOiIxIn0.",
            b"c2lnbmF0dXJlLXNpZ25hdHVyZS1zaWduYXR1cmU", b"{\"a\":", b"\"access_token\":\"", b"\"}", b" ", b"text", b"\\u002e",
        ]), 0..30),
        framing in prop::sample::select(vec![Framing::NewlineDelimited, Framing::CharacterDelimited(0), Framing::Bytes]),
        codec in prop::sample::select(vec![Codec::Text, Codec::Json]),
        max in 20_usize..200,
        whole: bool,
        piece_len in 1_usize..50,
    ) {
        let input = parts.concat();
        let ends: Vec<u64> = (1..=input.len() as u64)
            .filter(|&end| framing.delimiter() == Some(input[end as usize - 1]))
            .collect();
        let at_once = run(&mut stream(framing, codec, max, whole), &[&input], &ends);
        let in_pieces: Vec<&[u8]> = input.chunks(piece_len).collect();
        prop_assert_eq!(run(&mut stream(framing, codec, max, whole), &in_pieces, &ends), at_once);
    }
}

#[test]
fn a_broken_length_releases_what_came_before_and_ends_the_stream() {
    for piece_len in 1..=20 {
        let mut stream = stream(Framing::OctetCounting, Codec::Text, 100, true);
        let input = b"3 one3 two\n5 three";
        let pieces: Vec<&[u8]> = input.chunks(piece_len).collect();
        let mut out = CleanBlock::new();
        let errors: Vec<_> = pieces.iter().filter_map(|piece| stream.push(piece, &mut out).err()).collect();
        assert_eq!((out.as_bytes(), out.record_ends()), (&b"onetwo"[..], &[3, 6][..]));
        assert!(!errors.is_empty() && errors.iter().all(|&error| error == FramingError::Length));
        assert_eq!(stream.consumed(), 10);
        assert_eq!(stream.finish(&mut out), Err(FramingError::Length));
        assert_eq!(out.as_bytes(), b"onetwo");
    }
}

#[test]
fn a_stream_that_ends_inside_a_frame_gives_what_there_was() {
    for (input, clean, ends) in [
        (&b"\0\0\0\x02ab\0\0\0\x09cut"[..], &b"abcut"[..], &[2, 5][..]),
        (b"\0\0\0\x02ab\0\0\0\x09", b"ab", &[2]),
        (b"\0\0\0\x02ab\0", b"ab", &[2]),
    ] {
        for piece_len in 1..=input.len() {
            let pieces: Vec<&[u8]> = input.chunks(piece_len).collect();
            let seen = run(&mut stream(Framing::LengthDelimited, Codec::Text, 100, true), &pieces, &[6]);
            assert_eq!((&seen.clean[..], &seen.ends[..]), (clean, ends));
            assert_eq!(seen.error, Some(FramingError::Truncated));
        }
    }
}

#[test]
fn a_prompt_appears_at_once() {
    let mut stream = stream(Framing::NewlineDelimited, Codec::Text, 100, false);
    let mut out = CleanBlock::new();
    stream.push(b"done\nProceed? ", &mut out).expect("framed");
    assert_eq!((out.as_bytes(), stream.consumed()), (&b"done\nProceed? "[..], 5));
}

#[test]
fn a_stream_goes_on_after_its_end_at_a_new_record() {
    let mut stream = stream(Framing::NewlineDelimited, Codec::Text, 100, true);
    let mut out = CleanBlock::new();
    stream.push(b"half", &mut out).expect("framed");
    stream.finish(&mut out).expect("framed");
    assert_eq!((out.as_bytes(), stream.consumed()), (&b"half\n"[..], 4));
    stream.push(b"more\nrest", &mut out).expect("framed");
    assert_eq!((out.as_bytes(), stream.consumed(), stream.pending()), (&b"half\nmore\n"[..], 9, 4));
}

#[test]
fn json_records_are_taken_whole_and_long_ones_as_text() {
    let input = b"{\"a\":1}\r\n\nno json\n[1,2,3,4,5,6,7,8,9]\n\r\n{\"b\":2}\n{\"half\":";
    let ends = [9, 10, 18, 38, 40, 48];
    for (max, whole, clean, not_json, split_records) in [
        (100, true, [&input[..], b"\n"].concat(), 2, 0),
        (100, false, input.to_vec(), 2, 0),
        (8, false, input.to_vec(), 2, 0),
        (8, true, b"{\"a\":1}\r\n\nno json\n[1,2,3,4\n,5,6,7,8\n,9]\n\r\n{\"b\":2}\n{\"half\":\n".to_vec(), 3, 1),
    ] {
        for piece_len in 1..=input.len() {
            let pieces: Vec<&[u8]> = input.chunks(piece_len).collect();
            let seen = run(&mut stream(Framing::NewlineDelimited, Codec::Json, max, whole), &pieces, &ends);
            let not_json = if max == 8 { 3 } else { not_json };
            let stats = StreamStats { split_records, not_json, ..StreamStats::default() };
            assert_eq!(
                seen,
                Outcome { clean: clean.clone(), ends: vec![], stats, error: None },
                "{max} {whole} {piece_len}"
            );
        }
    }
}

#[test]
fn a_quote_in_a_credential_begins_no_string_of_what_is_no_json() {
    let input = br#""cookie:{'sid:'"'bearertoken""$urpp."#;
    let once = json_record(input);
    assert!(!once.windows(7).any(|window| window == b"'sid:'\"") && once.starts_with(br#""cookie:{'sid:'redacted-"#));
    assert_eq!(json_record(&once), once, "redacted twice");
}

fn json_record(record: &[u8]) -> Vec<u8> {
    let mut out = CleanBlock::new();
    let mut stream = stream(Framing::NewlineDelimited, Codec::Json, 1 << 20, false);
    stream.push(record, &mut out).expect("framed");
    stream.finish(&mut out).expect("framed");
    out.as_bytes().to_vec()
}

#[test]
fn findings_have_their_place_in_the_stream_however_it_is_cut() {
    let long = "x".repeat(5000);
    let lines = [
        r#"{"a":1}"#.to_owned(),
        r#"{"access_token":"mF_9.B5f-4.1JqM"}"#.to_owned(),
        String::new(),
        format!("{long} Bearer mF_9.B5f-4.1JqM"),
        "Bearer mF_9.B5f-4.1JqM".to_owned(),
    ];
    let text = lines.join("\r\n");
    let expected: Vec<u64> = text.match_indices("mF_9").map(|(at, _)| at as u64).collect();
    assert_eq!(expected.len(), 3);
    for codec in [Codec::Text, Codec::Json] {
        for piece_len in [1, 7, 4096, text.len()] {
            let mut stream = stream(Framing::NewlineDelimited, codec, 4096, false);
            let (mut out, mut found) = (CleanBlock::new(), Vec::new());
            for piece in text.as_bytes().chunks(piece_len) {
                stream.push(piece, &mut out).unwrap();
                found.extend(stream.findings().iter().map(|finding| finding.offset));
            }
            stream.finish(&mut out).unwrap();
            found.extend(stream.findings().iter().map(|finding| finding.offset));
            assert_eq!(found, expected, "{codec:?} in pieces of {piece_len}");
        }
    }
}
