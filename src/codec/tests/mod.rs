//! Streams and encoders against naive oracles: split everything first, then look at each record.

mod cuts;
mod datagrams;
mod encoding;
mod limits;
mod streams;

use super::{Codec, Decoding, Framing, RecordStream};
use crate::redact::{CleanBlock, KeyRing, MARKER_LEN_MAX, Options, Redaction};
use std::sync::LazyLock;

const MARKER: &[u8] = b"redacted-jwt-0a1b2c3d-00112233445566778899aabbccddeeff";
const FRAMINGS: [Framing; 6] = [
    Framing::NewlineDelimited,
    Framing::CharacterDelimited(0),
    Framing::CharacterDelimited(b'\n'),
    Framing::LengthDelimited,
    Framing::OctetCounting,
    Framing::Bytes,
];

/// To build one takes longer than most tests.
static REDACTION: LazyLock<Redaction> = LazyLock::new(|| {
    let keys = KeyRing::parse(&[b'5'; 64]).expect("a key");
    Redaction::new(keys, Options::default()).expect("valid options")
});

fn stream(framing: Framing, codec: Codec, max_record_bytes: usize, whole_records: bool) -> RecordStream {
    RecordStream::new(&REDACTION, Decoding { framing, codec, max_record_bytes, whole_records })
}

/// What a stream gave for one way of cutting its input.
#[derive(Debug, PartialEq)]
struct Outcome {
    clean: Vec<u8>,
    ends: Vec<usize>,
    stats: super::StreamStats,
    error: Option<super::FramingError>,
}

/// Pushes the input in pieces and checks after each one that `consumed` is the last end of a record.
fn run(stream: &mut RecordStream, pieces: &[&[u8]], record_ends: &[u64]) -> Outcome {
    let mut out = CleanBlock::new();
    let mut error = None;
    let mut position = 0;
    for piece in pieces {
        // Each piece gets a block of its own, as in the agent.
        let mut block = CleanBlock::new();
        error = stream.push(piece, &mut block).err();
        out.set_delimiter(block.delimiter());
        out.append(&block);
        position += piece.len() as u64;
        let complete = record_ends.iter().copied().take_while(|&end| end <= position).last().unwrap_or(0);
        assert_eq!(stream.consumed(), complete, "after {position} bytes");
        if error.is_some() {
            break;
        }
    }
    let mut block = CleanBlock::new();
    let finished = stream.finish(&mut block).err();
    out.append(&block);
    if finished.is_none() {
        assert_eq!((stream.consumed(), stream.pending()), (position, 0), "after the end");
    }
    let ends = out.record_ends().to_vec();
    Outcome { clean: out.as_bytes().to_vec(), ends, stats: stream.stats(), error: error.or(finished) }
}

/// Writes records in a framing, the plainest way, and says where each one ends.
fn framed(framing: Framing, records: &[Vec<u8>]) -> (Vec<u8>, Vec<u64>) {
    let mut wire = Vec::new();
    let mut ends = Vec::new();
    for record in records {
        match framing {
            Framing::LengthDelimited => wire.extend((record.len() as u32).to_be_bytes()),
            Framing::OctetCounting => wire.extend(format!("{} ", record.len()).bytes()),
            _ => {}
        }
        wire.extend(record);
        wire.extend(framing.delimiter());
        if framing != Framing::Bytes {
            ends.push(wire.len() as u64);
        }
    }
    (wire, ends)
}

/// The pieces that a clean record leaves in.
fn pieces_of(mut record: &[u8], max: usize) -> Vec<&[u8]> {
    let is_marker = |at: usize| record.get(at..at + MARKER.len()) == Some(MARKER);
    let markers: Vec<usize> = (0..record.len()).filter(|&at| is_marker(at)).collect();
    let mut pieces = Vec::new();
    let mut start = 0;
    while record.len() > max {
        let around = markers.iter().find(|&&at| at < start + max && at + MARKER.len() > start + max);
        let len = match around {
            Some(&at) if at == start => MARKER.len(),
            Some(&at) => at - start,
            None => max,
        };
        if len == record.len() {
            break;
        }
        pieces.push(&record[..len]);
        record = &record[len..];
        start += len;
    }
    pieces.push(record);
    pieces
}

const _: () = assert!(MARKER.len() <= MARKER_LEN_MAX);
