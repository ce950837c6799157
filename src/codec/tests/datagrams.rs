//! Inputs that are complete by themselves, one after the other through one stream.

use super::super::{Codec, Decoding, Framing, RecordStream};
use super::stream;
use crate::redact::{CleanBlock, KeyRing, Options, Redaction};
use crate::rule_file::{self, OnUnsupported, RuleSource};
use proptest::prelude::*;
use std::sync::LazyLock;

const FRAMINGS: [Framing; 3] = [Framing::NewlineDelimited, Framing::CharacterDelimited(0), Framing::Bytes];

static WITH_RULES: LazyLock<Redaction> = LazyLock::new(|| {
    let loaded = rule_file::load(&[RuleSource::Builtin], OnUnsupported::Error).expect("our own rules");
    let options = Options { rules: loaded.rules, ..Options::default() };
    Redaction::new(KeyRing::parse(&[b'5'; 64]).expect("a key"), options).expect("valid options")
});

fn block(stream: &mut RecordStream, datagram: &[u8]) -> (Vec<u8>, Vec<usize>) {
    let mut block = CleanBlock::new();
    stream.push(datagram, &mut block).expect("framed");
    stream.end_input(&mut block).expect("framed");
    assert_eq!((stream.pending(), stream.unfinished()), (0, None));
    (block.as_bytes().to_vec(), block.record_ends().to_vec())
}

#[test]
fn the_end_of_a_datagram_ends_its_record() {
    let mut lines = stream(Framing::NewlineDelimited, Codec::Text, 100, true);
    for (datagram, clean) in [("one", "one\n"), ("two\n", "two\n"), ("a\n\nb", "a\n\nb\n"), ("", ""), ("\n", "\n")] {
        assert_eq!(block(&mut lines, datagram.as_bytes()).0, clean.as_bytes());
    }
    let mut whole = stream(Framing::Bytes, Codec::Json, 100, true);
    assert_eq!(block(&mut whole, b"{\"a\":\n1}\n"), (b"{\"a\":\n1}\n".to_vec(), vec![9]));
    assert_eq!(block(&mut whole, b""), (vec![], vec![]));
}

proptest! {
    /// What stays open at the end of one datagram has nothing to do with the next.
    #[test]
    fn each_datagram_is_the_first(
        datagrams in prop::collection::vec(
            prop::collection::vec(prop::sample::select(vec![
                &b"\n"[..], b"Authorization:", b"Authorization: Bearer", b" Bearer ", b"Cookie: a=b;", b"eyJhbGciOiJIUzI1NiJ9.",
                b"eyJzdWIiOiIxIn0.", b"c2lnbmF0dXJlLXNpZ25hdHVyZS1zaWduYXR1cmU", b"\"access_token\":\"", b"password: |", b"{", b"\"}",
                b" ", b"text", b"-----BEGIN PRIVATE KEY-----", b"-----END PRIVATE KEY-----", b"%65yJ", b"mF_9.B5f-4.1JqM",
            ]), 0..8).prop_map(|parts| parts.concat()),
            1..6,
        ),
        framing in prop::sample::select(&FRAMINGS[..]),
        codec in prop::sample::select(vec![Codec::Text, Codec::Json]),
        rules: bool,
    ) {
        let fresh = || match rules {
            false => stream(framing, codec, 1 << 20, true),
            true => RecordStream::new(&WITH_RULES, Decoding { framing, codec, max_record_bytes: 1 << 20, whole_records: true }),
        };
        let mut shared = fresh();
        for datagram in &datagrams {
            prop_assert_eq!(block(&mut shared, datagram), block(&mut fresh(), datagram));
        }
    }
}
