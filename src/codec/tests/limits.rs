//! Nothing of a record is kept beyond the limits, however long it is.

use super::super::{Codec, Framing, FramingError, StreamStats};
use super::stream;
use crate::redact::{CleanBlock, MARKER_LEN_MAX};

static PIECE: [u8; 64 << 10] = [b'.'; 64 << 10];
const RECORD_BYTES_MAX: usize = 1 << 20;
/// Between two pushes; the engine may hold a few undecided bytes.
const PENDING_MAX: usize = RECORD_BYTES_MAX + MARKER_LEN_MAX + 4096;

#[test]
fn an_announced_frame_of_300_mb_is_held_in_flat_memory() {
    const LEN: usize = 300 << 20;
    for (framing, header) in [
        (Framing::LengthDelimited, (LEN as u32).to_be_bytes().to_vec()),
        (Framing::OctetCounting, format!("{LEN} ").into_bytes()),
    ] {
        let mut stream = stream(framing, Codec::Text, RECORD_BYTES_MAX, true);
        let mut block = CleanBlock::new();
        stream.push(&header, &mut block).expect("framed");
        let (mut clean_len, mut records) = (0, 0);
        for _ in 0..LEN / PIECE.len() {
            stream.push(&PIECE, &mut block).expect("framed");
            clean_len += block.len();
            records += block.record_ends().len();
            assert!(stream.pending() <= PENDING_MAX && block.len() <= RECORD_BYTES_MAX + PIECE.len());
            block.clear();
        }
        assert_eq!((clean_len, records, stream.pending()), (LEN, LEN / RECORD_BYTES_MAX, 0));
        assert_eq!(stream.stats(), StreamStats { split_records: 1, ..StreamStats::default() });
        assert_eq!(stream.consumed(), (header.len() + LEN) as u64);
        assert_eq!(stream.finish(&mut block), Ok(()));
    }
}

#[test]
fn endless_lines_stream_or_are_cut() {
    for (codec, whole) in [(Codec::Text, false), (Codec::Text, true), (Codec::Json, false), (Codec::Json, true)] {
        let mut stream = stream(Framing::NewlineDelimited, codec, RECORD_BYTES_MAX, whole);
        let mut block = CleanBlock::new();
        for _ in 0..400 {
            stream.push(&PIECE, &mut block).expect("framed");
            assert!(stream.pending() <= PENDING_MAX && block.len() <= 2 * RECORD_BYTES_MAX);
            block.clear();
        }
        assert_eq!(stream.consumed(), 0);
        stream.push(b"\n", &mut block).expect("framed");
        assert_eq!((stream.consumed(), stream.pending()), (400 * PIECE.len() as u64 + 1, 0));
        assert_eq!(
            stream.stats(),
            StreamStats {
                split_records: whole.into(),
                not_json: (codec == Codec::Json).into(),
                ..StreamStats::default()
            }
        );
    }
}

#[test]
fn an_announcement_alone_costs_nothing() {
    let mut stream = stream(Framing::OctetCounting, Codec::Json, RECORD_BYTES_MAX, true);
    let mut block = CleanBlock::new();
    stream.push(b"9999999999 x", &mut block).expect("framed");
    assert_eq!((stream.pending(), block.len()), (1, 0));
    assert_eq!(stream.finish(&mut block), Err(FramingError::Truncated));
    assert_eq!((block.as_bytes(), block.record_ends()), (&b"x"[..], &[1][..]));
}

#[test]
fn no_limit_at_all_is_a_limit_too() {
    for max in [0, usize::MAX] {
        let mut stream = stream(Framing::NewlineDelimited, Codec::Json, max, true);
        let mut block = CleanBlock::new();
        stream.push(b"{}\n[", &mut block).expect("framed");
        stream.finish(&mut block).expect("framed");
        assert_eq!(block.as_bytes(), if max == 0 { &b"{\n}\n[\n"[..] } else { b"{}\n[\n" });
    }
}
