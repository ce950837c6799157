//! Blocks to wire bytes and back.

use super::super::{Codec, Encoder, Framing};
use super::{FRAMINGS, framed, run, stream};
use crate::redact::CleanBlock;
use proptest::prelude::*;
use std::borrow::Cow;

fn block(framing: Framing, records: &[Vec<u8>]) -> CleanBlock {
    let mut block = CleanBlock::new();
    let mut stream = stream(framing, Codec::Text, 1 << 20, true);
    stream.push(&framed(framing, records).0, &mut block).expect("framed");
    stream.finish(&mut block).expect("framed");
    block
}

fn records(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

#[test]
fn the_own_delimiter_needs_no_copy() {
    let lines = block(Framing::NewlineDelimited, &records(&["a\r", "", "b"]));
    for framing in [Framing::NewlineDelimited, Framing::CharacterDelimited(b'\n'), Framing::Bytes] {
        assert!(matches!(Encoder::new(framing).wire(&lines), Cow::Borrowed(b"a\r\n\nb\n")));
    }
}

#[test]
fn every_source_framing_goes_to_every_sink_framing() {
    for from in FRAMINGS {
        let given =
            if from == Framing::Bytes { records(&["the whole stream"]) } else { records(&["a\r", "bb", "{\"c\":3}"]) };
        let block = block(from, &given);
        for to in FRAMINGS {
            let wire = Encoder::new(to).wire(&block).into_owned();
            let expected = match to {
                Framing::Bytes => block.as_bytes().to_vec(),
                to => framed(to, &given).0,
            };
            assert_eq!(wire, expected, "{from:?} to {to:?}");
        }
    }
}

#[test]
fn empty_records_do_not_vanish() {
    let block = block(Framing::NewlineDelimited, &records(&["", "a", ""]));
    assert_eq!(&*Encoder::new(Framing::OctetCounting).wire(&block), b"1 \n1 a1 \n");
    assert_eq!(&*Encoder::new(Framing::LengthDelimited).wire(&block), b"\0\0\0\0\0\0\0\x01a\0\0\0\0");
    assert_eq!(&*Encoder::new(Framing::CharacterDelimited(0)).wire(&block), b"\0a\0\0");
}

#[test]
fn a_record_that_contains_the_sinks_delimiter_stays_as_it_is() {
    let block = block(Framing::OctetCounting, &records(&["one\n  at two\n", "three"]));
    assert_eq!(&*Encoder::new(Framing::NewlineDelimited).wire(&block), b"one\n  at two\n\nthree\n");
}

#[test]
fn an_unfinished_record_passes_in_its_own_framing() {
    for (framing, input) in [(Framing::NewlineDelimited, &b"done\nProceed? "[..]), (Framing::Bytes, b"half\n of it")] {
        let mut block = CleanBlock::new();
        stream(framing, Codec::Text, 100, false).push(input, &mut block).expect("framed");
        assert_eq!(&*Encoder::new(framing).wire(&block), input);
    }
}

#[test]
fn blocks_of_differently_framed_sources_meet_in_one_sink() {
    let encoder = Encoder::new(Framing::NewlineDelimited);
    let mut wire = Vec::new();
    for from in FRAMINGS {
        encoder.encode(&block(from, &records(&["text"])), &mut wire);
    }
    assert_eq!(wire, b"text\n".repeat(FRAMINGS.len()));
}

proptest! {
    /// Source framing, block, sink framing, and the receiver's reading of it.
    #[test]
    fn records_survive_the_way_to_the_receiver(
        given in prop::collection::vec("[ -~]{1,40}".prop_map(String::into_bytes), 1..20),
        from in prop::sample::select(&FRAMINGS[..5]),
        to in prop::sample::select(&FRAMINGS[..5]),
        piece_len in 1_usize..64,
    ) {
        let wire = Encoder::new(to).wire(&block(from, &given)).into_owned();
        let (_, ends) = framed(to, &given);
        let pieces: Vec<&[u8]> = wire.chunks(piece_len).collect();
        let received = run(&mut stream(to, Codec::Text, 100, true), &pieces, &ends);
        prop_assert_eq!(received.error, None);
        let mut expected = CleanBlock::new();
        stream(to, Codec::Text, 100, true).push(&framed(to, &given).0, &mut expected).expect("framed");
        prop_assert_eq!(received.clean, expected.as_bytes());
        prop_assert_eq!(received.ends, expected.record_ends());
    }

    #[test]
    fn a_block_lists_its_records(given in prop::collection::vec("[ -~]{0,9}".prop_map(String::into_bytes), 0..9)) {
        for framing in [Framing::NewlineDelimited, Framing::LengthDelimited] {
            let block = block(framing, &given);
            prop_assert_eq!(block.records().map(<[u8]>::to_vec).collect::<Vec<_>>(), given.clone());
        }
    }
}
