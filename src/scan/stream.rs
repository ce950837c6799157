//! One stream from its bytes to what is found in them.

use super::lines::{Lines, Place};
use super::verify::{MarkerCounts, Suspect, Verifier};
use crate::codec::{Codec, Decoding, Framing, RecordStream};
use crate::ledger::{Place as Location, Recorder, Text};
use crate::redact::{CleanBlock, Finding, Redaction, Redactor};
use std::io::{self, Read};

/// What was found, and where.
#[derive(Clone, Debug)]
pub struct Item {
    /// What it is.
    pub what: What,
    /// Offset of its first byte in the stream.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u64,
    /// Where it begins.
    pub start: Place,
    /// Where what follows it begins.
    pub end: Place,
}

/// What is reported.
#[derive(Clone, Debug)]
pub enum What {
    /// A credential.
    Credential(Finding),
    /// What the engine passed and the second look did not.
    Suspect(Suspect),
}

/// Why a stream was not scanned to its end.
#[derive(Debug)]
pub enum StreamError {
    /// It can't be read. What came before was scanned.
    Read(io::Error),
    /// Nobody takes the findings.
    Report(io::Error),
}

/// Scans streams, one after the other.
#[derive(Debug)]
pub struct Scanner<'a> {
    redaction: &'a Redaction,
    codec: Codec,
    /// The counts of markers, where the input is to be looked at a second time.
    verified: Option<MarkerCounts>,
}

const READ_BYTES: usize = 64 << 10;
/// A longer record is scanned as text.
const MAX_RECORD_BYTES: usize = 4 << 20;

impl<'a> Scanner<'a> {
    /// A scanner; `verify` takes a second look with other means than the engine's, and counts markers.
    pub fn new(redaction: &'a Redaction, codec: Codec, verify: bool) -> Self {
        Self { redaction, codec, verified: verify.then(MarkerCounts::default) }
    }

    /// The markers in all streams so far.
    pub fn markers(&self) -> Option<&MarkerCounts> {
        self.verified.as_ref()
    }

    /// Scans a stream to its end. `progress` is told how many bytes came. What is found is recorded besides, where it is
    /// asked for.
    ///
    /// # Errors
    /// When it can't be read, or `report` fails.
    pub fn scan(
        &mut self,
        input: &mut dyn Read,
        report: &mut dyn FnMut(&Item) -> io::Result<()>,
        progress: &mut dyn FnMut(u64),
        recorder: Option<(&Recorder, &Location)>,
    ) -> Result<(), StreamError> {
        let mut stream = Stream::new(self.redaction, self.codec, self.verified.is_some());
        let scanned = stream.run(input, report, progress, recorder);
        if let (Some(counts), Some(verifier)) = (&mut self.verified, stream.verifier) {
            counts.add(verifier.into_counts());
        }
        scanned
    }
}

struct Stream {
    engine: Engine,
    lines: Lines,
    verifier: Option<Verifier>,
}

enum Engine {
    Text(Box<Redactor>),
    Records { stream: Box<RecordStream>, buffer: Vec<u8>, block: CleanBlock },
}

impl Stream {
    fn new(redaction: &Redaction, codec: Codec, verify: bool) -> Self {
        Self { engine: Engine::new(redaction, codec), lines: Lines::new(), verifier: verify.then(Verifier::new) }
    }

    fn run(
        &mut self,
        input: &mut dyn Read,
        report: &mut dyn FnMut(&Item) -> io::Result<()>,
        progress: &mut dyn FnMut(u64),
        recorder: Option<(&Recorder, &Location)>,
    ) -> Result<(), StreamError> {
        let (mut read, mut taken) = (Ok(()), 0);
        loop {
            let space = self.engine.space();
            let len = match input.read(space) {
                Ok(0) => break,
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // What is there is scanned before the error is reported.
                Err(error) => {
                    read = Err(StreamError::Read(error));
                    break;
                }
            };
            self.lines.feed(&space[..len]);
            if let Some(verifier) = &mut self.verifier {
                verifier.take(&space[..len]);
            }
            progress(len as u64);
            self.engine.filled(len).map_err(StreamError::Read)?;
            self.record(recorder, taken, len);
            taken += len as u64;
            self.report(false, report).map_err(StreamError::Report)?;
        }
        self.engine.finish().map_err(StreamError::Read)?;
        self.record(recorder, taken, 0);
        self.report(true, report).map_err(StreamError::Report)?;
        read
    }

    fn record(&self, recorder: Option<(&Recorder, &Location)>, start: u64, len: usize) {
        if let Some((recorder, place)) = recorder {
            recorder.record(self.engine.findings(), Text { bytes: self.engine.taken(len), start }, place);
        }
    }

    fn report(&mut self, ended: bool, report: &mut dyn FnMut(&Item) -> io::Result<()>) -> io::Result<()> {
        let findings = self.engine.findings();
        for finding in findings {
            report(&item(&self.lines, What::Credential(*finding), finding.offset, finding.len))?;
        }
        if let Some(verifier) = &mut self.verifier {
            for suspect in verifier.look(findings, ended) {
                let (offset, len) = (suspect.offset, suspect.len);
                report(&item(&self.lines, What::Suspect(suspect), offset, len))?;
            }
        }
        Ok(())
    }
}

fn item(lines: &Lines, what: What, offset: u64, len: u64) -> Item {
    Item { what, offset, len, start: lines.place(offset), end: lines.place(offset + len) }
}

impl Engine {
    fn new(redaction: &Redaction, codec: Codec) -> Self {
        if codec == Codec::Text {
            return Self::Text(Box::new(Redactor::new(redaction)));
        }
        let decoding = Decoding {
            framing: Framing::NewlineDelimited,
            codec,
            max_record_bytes: MAX_RECORD_BYTES,
            whole_records: false,
        };
        let stream = Box::new(RecordStream::new(redaction, decoding));
        Self::Records { stream, buffer: vec![0; READ_BYTES], block: CleanBlock::new() }
    }

    fn space(&mut self) -> &mut [u8] {
        match self {
            Self::Text(redactor) => redactor.space(),
            Self::Records { buffer, .. } => buffer,
        }
    }

    fn filled(&mut self, len: usize) -> io::Result<()> {
        match self {
            Self::Text(redactor) => {
                redactor.filled(len);
                Ok(())
            }
            Self::Records { stream, buffer, block } => {
                block.clear();
                stream.push(&buffer[..len], block).map_err(io::Error::other)
            }
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Text(redactor) => {
                redactor.finish();
                Ok(())
            }
            Self::Records { stream, block, .. } => {
                block.clear();
                stream.finish(block).map_err(io::Error::other)
            }
        }
    }

    /// The last `len` bytes as they were read.
    fn taken(&self, len: usize) -> &[u8] {
        match self {
            Self::Text(redactor) => redactor.taken(len),
            Self::Records { buffer, .. } => &buffer[..len],
        }
    }

    fn findings(&self) -> &[Finding] {
        match self {
            Self::Text(redactor) => redactor.findings(),
            Self::Records { stream, .. } => stream.findings(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::{KeyRing, Options};

    fn found(text: &[u8], codec: Codec, verify: bool, piece_len: usize) -> Vec<(u64, u64, u64)> {
        /// Gives so many bytes a read.
        struct Pieces<'a>(&'a [u8], usize);
        impl Read for Pieces<'_> {
            fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
                let len = self.1.min(out.len());
                self.0.read(&mut out[..len])
            }
        }
        let redaction = Redaction::new(KeyRing::parse(&[b'a'; 64]).unwrap(), Options::default()).unwrap();
        let mut items = Vec::new();
        let mut report = |item: &Item| {
            items.push((item.start.line, item.start.column, item.len));
            Ok(())
        };
        Scanner::new(&redaction, codec, verify)
            .scan(&mut Pieces(text, piece_len), &mut report, &mut |_| {}, None)
            .unwrap();
        items
    }

    #[test]
    fn places_do_not_depend_on_how_the_input_is_cut() {
        let long = "a b\n".repeat(20_000) + &"x ".repeat(100_000);
        let text = format!("one\r\nAuthorization: Bearer mF_9.B5f-4.1JqMxyz\n{long}&access_token=mF_9.B5f-4.1JqMxyz");
        let expected = [(2, 23, 18), (20_003, 200_015, 18)];
        for piece_len in [1000, 4096, 1 << 20] {
            assert_eq!(found(text.as_bytes(), Codec::Text, false, piece_len), expected);
            assert_eq!(found(text.as_bytes(), Codec::Json, false, piece_len), expected);
            assert_eq!(found(text.as_bytes(), Codec::Text, true, piece_len), expected);
        }
    }

    #[test]
    fn a_credential_over_many_blocks_is_found_where_it_begins() {
        let text = format!("one\n eyJhbGciOiJIUzI1NiJ9.{}\ntwo Bearer mF_9.B5f-4.1JqMxyz", "a".repeat(2 << 20));
        let len = (2 << 20) + 21;
        assert_eq!(found(text.as_bytes(), Codec::Text, false, 1 << 20), [(2, 2, len), (3, 12, 18)]);
    }

    #[test]
    fn a_credential_over_the_parts_of_a_runtime_is_found_where_it_begins() {
        let cri = "2024-01-01T00:00:00.1Z stdout P x Bearer mF_9.B5f\n\
            2024-01-01T00:00:00.1Z stderr F other\n\
            2024-01-01T00:00:00.1Z stdout F -4.1JqMxyz y\n\
            not of the runtime: Bearer mF_9.B5f-4.1JqMxyz\n";
        let docker = "{\"log\":\"x Bearer mF_9.B5f\",\"stream\":\"stdout\",\"time\":\"t\"}\n\
            {\"log\":\"-4.1JqMxyz y\\n\",\"stream\":\"stdout\",\"time\":\"t\"}\n\
            {\"log\":\"z\\n\",\"stream\":\"stdout\",\"attrs\":{\"access_token\":\"mF_9.B5f-4.1JqMxyz\"},\"time\":\"t\"}\n";
        for piece_len in [1, 1000] {
            assert_eq!(found(cri.as_bytes(), Codec::Cri, false, piece_len), [(1, 42, 18), (4, 28, 18)]);
            assert_eq!(found(docker.as_bytes(), Codec::Docker, false, piece_len), [(1, 18, 18), (3, 57, 18)]);
        }
    }

    #[test]
    fn a_text_of_a_runtime_that_is_too_long_is_said_to_be_where_it_was_decided() {
        let part = |tag, text: &str| format!("2024-01-01T00:00:00.1Z stdout {tag} {text}\n");
        let long = part('P', &"x ".repeat(8 << 10)).repeat(600) + &part('F', " Bearer mF_9.B5f-4.1JqMxyz");
        let places: Vec<_> = found(long.as_bytes(), Codec::Cri, false, 64 << 10);
        assert_eq!(places, [(601, 33, 18)]);
    }
}
