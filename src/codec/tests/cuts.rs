//! Records that leave before their end, because it did not come in time.

use super::super::{Codec, Framing};
use super::{framed, stream};
use crate::redact::CleanBlock;
use proptest::prelude::*;

const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLXRoYXQtaXMtbm90LW9uZQ";

/// What a stream gives before the place where it is cut, for the cut itself, and after it.
fn run(framing: Framing, codec: Codec, input: &[u8], at: usize) -> [CleanBlock; 3] {
    let mut stream = stream(framing, codec, 1 << 20, true);
    let mut blocks = [CleanBlock::new(), CleanBlock::new(), CleanBlock::new()];
    stream.push(&input[..at], &mut blocks[0]).expect("framed");
    stream.cut_record(&mut blocks[1]);
    stream.push(&input[at..], &mut blocks[2]).expect("framed");
    let _ = stream.finish(&mut blocks[2]);
    assert_eq!(stream.stats().split_records, u64::from(!blocks[1].is_empty()));
    blocks
}

fn whole(framing: Framing, codec: Codec, input: &[u8]) -> CleanBlock {
    let mut stream = stream(framing, codec, 1 << 20, true);
    let mut block = CleanBlock::new();
    stream.push(input, &mut block).expect("framed");
    let _ = stream.finish(&mut block);
    block
}

/// The output is what it is without the cut, but for the end of a record at the cut.
fn check(framing: Framing, input: &[u8], at: usize) {
    let whole = whole(framing, Codec::Text, input);
    let [before, cut, after] = run(framing, Codec::Text, input, at).map(|block| block.as_bytes().to_vec());
    let Some(delimiter) = framing.delimiter().filter(|_| !cut.is_empty()) else {
        return assert_eq!([before, cut, after].concat(), whole.as_bytes(), "cut at {at}");
    };
    let (&last, piece) = cut.split_last().expect("not empty");
    assert_eq!(last, delimiter, "cut at {at}");
    let ends_there = whole.as_bytes().get(before.len() + piece.len()) == Some(&delimiter);
    let expected = if ends_there { [before, cut, after].concat() } else { [&before, piece, &after].concat() };
    assert_eq!(expected, whole.as_bytes(), "cut at {at}");
}

#[test]
fn a_token_that_is_cut_by_time_leaves_as_its_marker() {
    let records = [format!("GET / authorization: Bearer {TOKEN} end"), "next".into()].map(String::into_bytes);
    for framing in super::FRAMINGS {
        let (input, _) = framed(framing, &records);
        for at in 0..=input.len() {
            check(framing, &input, at);
        }
    }
    let [before, cut, after] = run(Framing::NewlineDelimited, Codec::Text, b"x. Bearer mF_9.B5f-4.1JqM9\n", 15);
    assert_eq!((before.as_bytes(), cut.as_bytes()), (&b""[..], &b"x. \n"[..]));
    assert!(after.as_bytes().starts_with(b"Bearer redacted-token-"));
}

#[test]
fn what_is_cut_again_and_again_leaves_piece_by_piece_and_ends_without_an_empty_record() {
    let mut stream = stream(Framing::NewlineDelimited, Codec::Text, 100, true);
    let mut out = CleanBlock::new();
    for piece in ["1#", " 2#", "", " 3#"] {
        stream.push(piece.as_bytes(), &mut out).expect("framed");
        stream.cut_record(&mut out);
    }
    stream.push(b"\nnext\n\n", &mut out).expect("framed");
    stream.push(b"9#", &mut out).expect("framed");
    stream.cut_record(&mut out);
    stream.finish(&mut out).expect("framed");
    assert_eq!(String::from_utf8_lossy(out.as_bytes()), "1#\n 2#\n 3#\nnext\n\n9#\n");
    assert_eq!((stream.stats().split_records, stream.pending()), (2, 0));
}

#[test]
fn a_json_record_that_is_cut_by_time_is_scanned_as_text() {
    let secrets = ["mF_9.B5f-4.1JqM9xK2", TOKEN];
    let record = format!(r#"{{"access_token":"{}","b":"Bearer {}","c":"tail"}}"#, secrets[0], secrets[1]);
    let input = format!("{record}\n{record}\n");
    for at in 0..=input.len() {
        let blocks = run(Framing::NewlineDelimited, Codec::Json, input.as_bytes(), at);
        let out: Vec<u8> = blocks.iter().flat_map(|block| block.as_bytes().to_vec()).collect();
        let text = String::from_utf8(out).expect("text");
        for secret in secrets {
            for piece in secret.as_bytes().windows(6) {
                let piece = std::str::from_utf8(piece).expect("text");
                assert!(!text.contains(piece), "cut at {at}: {piece} of {secret}\n{text}");
            }
        }
    }
}

#[test]
fn lines_of_a_runtime_that_wait_for_their_text_leave_and_the_rest_of_it_is_redacted() {
    let line = |tag: &str, content: &str| format!("2016-10-06T00:17:09.669794202Z stdout {tag} {content}\n");
    for cut in 0..=TOKEN.len() {
        let (start, end) = TOKEN.split_at(cut);
        let first = line("P", &format!("a Bearer {start}"));
        let input = first.clone() + &line("F", &format!("{end} end"));
        let [before, at_cut, after] = run_runtime(&input, first.len());
        assert_eq!((before.as_str(), at_cut.lines().count(), after.lines().count()), ("", 1, 1), "cut at {cut}");
        let text = at_cut + &after;
        assert!(TOKEN.as_bytes().windows(6).all(|piece| !text.contains(std::str::from_utf8(piece).unwrap())), "{text}");
    }
}

#[test]
fn a_line_of_a_runtime_that_has_not_ended_keeps_those_that_wait_for_it() {
    let line = |tag: &str, content: &str| format!("2016-10-06T00:17:09.669794202Z stdout {tag} {content}\n");
    let (start, end) = TOKEN.split_at(TOKEN.len() / 2);
    for (first, second) in [(format!("a Bearer {start}"), format!("{end} tail")), ("one ".into(), "two".into())] {
        let input = line("P", &first) + &line("F", &second);
        let whole = run_runtime(&input, input.len()).concat();
        for at in 0..input.len() {
            let text = run_runtime(&input, at).concat();
            assert!(
                TOKEN.as_bytes().windows(6).all(|piece| !text.contains(std::str::from_utf8(piece).unwrap())),
                "{text}"
            );
            let envelopes = text.matches("2016-10-06T00:17:09.669794202Z stdout").count();
            assert_eq!((text.lines().count(), envelopes), (2, 2), "cut at {at}: {text}");
            // Where the first line left by itself the marker is in the second.
            assert_eq!(text.len(), whole.len(), "cut at {at}: {text}");
        }
    }
}

fn run_runtime(input: &str, at: usize) -> [String; 3] {
    let mut stream = stream(Framing::NewlineDelimited, Codec::Cri, 1 << 20, true);
    let mut blocks = [CleanBlock::new(), CleanBlock::new(), CleanBlock::new()];
    stream.push(&input.as_bytes()[..at], &mut blocks[0]).expect("framed");
    stream.cut_record(&mut blocks[1]);
    stream.push(&input.as_bytes()[at..], &mut blocks[2]).expect("framed");
    stream.finish(&mut blocks[2]).expect("framed");
    blocks.map(|block| String::from_utf8(block.as_bytes().to_vec()).expect("text"))
}

proptest! {
    #[test]
    fn a_cut_changes_nothing_but_the_records_end(
        parts in prop::collection::vec(prop::sample::select(vec![
            &b"\n"[..], b"\r\n", b"Authorization: Bearer ", b"Cookie: sid=", b"eyJhbGciOiJIUzI1NiJ9.", b"eyJzdWIiOiIxIn0.",
            b"c2lnbmF0dXJlLXNpZ25hdHVyZS1zaWduYXR1cmU", b"\"access_token\":\"", b"\"", b" ", b"text", b"password=", b"%65yJ",
        ]), 0..20),
        framing in prop::sample::select(vec![Framing::NewlineDelimited, Framing::CharacterDelimited(0), Framing::Bytes]),
        at in any::<prop::sample::Index>(),
    ) {
        let input = parts.concat();
        check(framing, &input, at.index(input.len() + 1));
    }
}
