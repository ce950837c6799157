//! A source's bytes to clean records.

use super::framer::{Event, Framer};
use super::json::JsonRedactor;
use super::release::{KEPT_BYTES_MAX, Release};
use super::runtime::{Runtime, RuntimeRecords};
use super::{Framing, FramingError};
use crate::redact::{Carry, CleanBlock, Counts, Finding, Redaction, Redactor};
use memchr::{memchr, memrchr};

/// What a record's bytes are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Codec {
    /// Plain text of any encoding.
    #[default]
    Text,
    /// One JSON text a record; credentials are looked for in the decoded strings.
    Json,
    /// Lines of a Kubernetes container runtime; the parts of a long line are scanned as one text.
    Cri,
    /// Lines of Docker's `json-file` driver; likewise.
    Docker,
}

/// How a source's bytes become records.
#[derive(Clone, Debug)]
pub struct Decoding {
    /// How records are told apart.
    pub framing: Framing,
    /// What they are.
    pub codec: Codec,
    /// A longer record goes out as several, counted, but is scanned as one.
    pub max_record_bytes: usize,
    /// Release a record only as a whole (several sources share a sink, or the sink frames otherwise). A last record
    /// without its delimiter then gets one. Records of announced length are always released as a whole.
    pub whole_records: bool,
}

/// Counters of one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamStats {
    /// Records that went out in several pieces because they were over `max_record_bytes`.
    pub split_records: u64,
    /// Records under codec `json` that no strict parser takes; they were scanned all the same.
    pub not_json: u64,
    /// Records under codecs `cri` and `docker` that are none of the runtime's; they were scanned all the same.
    pub foreign_records: u64,
}

/// One stream from framed input to clean records.
pub struct RecordStream {
    delimiter: Option<u8>,
    framer: Framer,
    redactor: Redactor,
    json: Option<JsonRecords>,
    runtime: Option<Box<RuntimeRecords>>,
    release: Release,
    /// Something of a record has come, but not its end.
    is_open: bool,
    broken: Option<FramingError>,
    position: u64,
    consumed: u64,
    carry: Carry,
    counts: Counts,
    /// Of the last call that took input.
    findings: Vec<Finding>,
    /// Where the current record begins in the stream, and how much the text engine had taken before it.
    record_start: u64,
    record_redacted: u64,
    /// How much the text engine has taken.
    redacted: u64,
    #[cfg(test)]
    fault: super::fault::Fault,
}

/// The record that is being gathered under codec `json`, which takes records as a whole.
struct JsonRecords {
    redactor: JsonRedactor,
    record: Vec<u8>,
    record_bytes_max: usize,
    /// The current record is too long to be gathered: it went to the text engine.
    is_text: bool,
    not_json: u64,
}

impl std::fmt::Debug for RecordStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecordStream")
    }
}

impl RecordStream {
    /// A stream at its start.
    pub fn new(redaction: &Redaction, decoding: Decoding) -> Self {
        let Decoding { framing, codec, max_record_bytes, whole_records } = decoding;
        let delimiter = framing.delimiter();
        let announced = matches!(framing, Framing::LengthDelimited | Framing::OctetCounting);
        let release = if whole_records || announced {
            Release::whole_records(delimiter, max_record_bytes)
        } else {
            Release::at_once(delimiter)
        };
        let json = (codec == Codec::Json).then(|| JsonRecords::new(redaction, max_record_bytes));
        let runtime =
            Runtime::of(codec).map(|runtime| Box::new(RuntimeRecords::new(redaction, runtime, max_record_bytes)));
        Self {
            delimiter,
            framer: Framer::new(framing),
            redactor: Redactor::new(redaction),
            json,
            runtime,
            release,
            is_open: false,
            broken: None,
            position: 0,
            consumed: 0,
            carry: Carry::default(),
            counts: Counts::default(),
            findings: Vec::new(),
            record_start: 0,
            record_redacted: 0,
            redacted: 0,
            #[cfg(test)]
            fault: super::fault::Fault::default(),
        }
    }

    /// Takes input and appends what may leave to `out`.
    ///
    /// # Errors
    /// When the framing is broken; what came before is in `out`, and nothing more can be read from the stream.
    pub fn push(&mut self, input: &[u8], out: &mut CleanBlock) -> Result<(), FramingError> {
        self.still_framed()?;
        self.findings.clear();
        out.set_delimiter(self.delimiter);
        let end = self.position + input.len() as u64;
        let is_lines = self.delimiter == Some(b'\n') && self.runtime.is_none();
        let result = match is_lines {
            true if self.json.is_none() => {
                self.push_lines(input, out);
                Ok(())
            }
            true => self.push_json_lines(input, end, out),
            false => self.push_records(input, end, out),
        };
        self.position += input.len() as u64;
        // The parts of a text may have waited for each other.
        self.findings.sort_by_key(|finding| finding.offset);
        self.count();
        #[cfg(test)]
        self.fault.take(input);
        #[cfg(test)]
        if super::fault::leaks(input) {
            out.leak(input);
        }
        result.inspect_err(|&error| self.broken = Some(error))
    }

    /// Ends the stream; a half record goes out redacted.
    ///
    /// # Errors
    /// When the stream ended inside a frame; what there was of the record is in `out`.
    pub fn finish(&mut self, out: &mut CleanBlock) -> Result<(), FramingError> {
        self.still_framed()?;
        self.findings.clear();
        out.set_delimiter(self.delimiter);
        if self.is_open {
            self.end_record(out, false);
        } else if self.redactor.pending() > 0 {
            // The lines of a PEM block without an end.
            self.release.delimited_records(out, |out| self.redactor.end_record(out));
        }
        if let Some(runtime) = &mut self.runtime {
            runtime.finish(&mut self.release, out);
            self.findings.append(&mut runtime.take_findings());
            self.carry = runtime.carry().unwrap_or_default();
        }
        self.consumed = self.position;
        self.count();
        #[cfg(test)]
        self.fault.end();
        self.framer.finish()
    }

    /// Ends an input as [`finish`](Self::finish) does. What comes next is another one, which nothing of this one touches.
    ///
    /// # Errors
    /// As of `finish`.
    pub fn end_input(&mut self, out: &mut CleanBlock) -> Result<(), FramingError> {
        let result = self.finish(out);
        self.resume(Carry::None);
        self.broken = None;
        result
    }

    /// Lets what is decided of an unfinished record leave as a record of its own, for one that waits too long for its end.
    /// What is undecided stays, and what follows is scanned as its continuation. A record under codec `json` becomes text;
    /// under `cri` and `docker` the lines leave that waited for others, unless one of them has not ended itself: without its
    /// end it can't be told whose text it is.
    pub fn cut_record(&mut self, out: &mut CleanBlock) {
        self.findings.clear();
        out.set_delimiter(self.delimiter);
        if self.runtime.is_some() && self.is_open {
            return;
        }
        if let Some(runtime) = &mut self.runtime {
            runtime.give_up(&mut self.release, out);
            self.findings.append(&mut runtime.take_findings());
        } else if self.json.as_ref().is_some_and(|json| !json.record.is_empty()) {
            self.gathered_as_text(out);
        }
        self.release.cut_now(out);
        self.count();
    }

    /// Bytes of input up to the end of the last record that has been released whole: where a reader may start again.
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// How much input it has taken.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Where the first record begins that has not been released whole; `None` if all have.
    pub fn unfinished(&self) -> Option<u64> {
        (self.consumed < self.position).then_some(self.consumed)
    }

    /// The open state at [`consumed`](Self::consumed), to be stored with it.
    pub fn carry(&self) -> Carry {
        self.carry
    }

    /// Goes on where a checkpoint stopped.
    pub fn resume(&mut self, carry: Carry) {
        self.redactor.resume(carry);
        if let Some(json) = &mut self.json {
            json.redactor.resume(carry);
        }
        if let Some(runtime) = &mut self.runtime {
            runtime.resume(carry);
        }
        self.carry = carry;
    }

    /// Bytes that are held because their record has not ended or is not decided yet.
    pub fn pending(&self) -> usize {
        let gathered = self.json.as_ref().map_or(0, |json| json.record.len());
        let held = self.runtime.as_ref().map_or(0, |runtime| runtime.pending());
        self.redactor.pending() + gathered + held + self.release.pending()
    }

    /// Forgets the findings of the last call and gives back what it has grown to: many streams may wait for more input.
    pub fn rest(&mut self) {
        self.findings = Vec::new();
        self.redactor.rest();
        if let Some(json) = &mut self.json {
            json.redactor.forget_findings();
        }
    }

    /// The findings of the last call that took input, in order, with their places in the stream.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// How many findings there are since the start of the stream.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Other counters.
    pub fn stats(&self) -> StreamStats {
        StreamStats {
            split_records: self.release.split_records()
                + self.runtime.as_ref().map_or(0, |runtime| runtime.split_records()),
            not_json: self.json.as_ref().map_or(0, |json| json.not_json),
            foreign_records: self.runtime.as_ref().map_or(0, |runtime| runtime.foreign_records()),
        }
    }

    fn still_framed(&self) -> Result<(), FramingError> {
        self.broken.map_or(Ok(()), Err)
    }

    /// The engine ends records at newlines by itself, so that all lines of a piece go through it in one go; only where the
    /// last one ends must be known.
    fn push_lines(&mut self, input: &[u8], out: &mut CleanBlock) {
        let lines_len = memrchr(b'\n', input).map_or(0, |last| last + 1);
        let (lines, rest) = input.split_at(lines_len);
        if !lines.is_empty() {
            self.release.delimited_records(out, |out| self.redactor.push(lines, out));
            self.redacted += lines.len() as u64;
            self.collect();
            // A newline decides all before it, except in a PEM block: a reader that starts again starts before that.
            self.is_open = false;
            if self.redactor.pending() == 0 {
                self.end_at(self.position + lines_len as u64, self.redactor.carry());
            }
        }
        if !rest.is_empty() {
            self.is_open = true;
            self.redact(rest, out);
        }
    }

    /// Lines with nothing in them that a decision could begin at leave together; each of the others is a record.
    fn push_json_lines(&mut self, mut input: &[u8], end: u64, out: &mut CleanBlock) -> Result<(), FramingError> {
        while !input.is_empty() {
            if let Some(json) = self.json.as_mut().filter(|_| !self.is_open) {
                let clean_len = json.clean_lines(input, out);
                if clean_len > 0 {
                    input = &input[clean_len..];
                    self.end_at(end - input.len() as u64, Carry::None);
                }
            }
            let line_len = memchr(b'\n', input).map_or(input.len(), |len| len + 1);
            let (line, rest) = input.split_at(line_len);
            self.push_records(line, end - rest.len() as u64, out)?;
            input = rest;
        }
        Ok(())
    }

    /// Takes input that ends at `end`.
    fn push_records(&mut self, mut input: &[u8], end: u64, out: &mut CleanBlock) -> Result<(), FramingError> {
        while let Some(event) = self.framer.next(&mut input)? {
            match event {
                Event::Content(piece) => {
                    if !self.is_open {
                        self.record_start = end - (input.len() + piece.len()) as u64;
                        self.record_redacted = self.redacted;
                    }
                    self.content(piece, out);
                }
                Event::End => {
                    self.end_record(out, true);
                    self.consume_to(end - input.len() as u64);
                }
            }
        }
        Ok(())
    }

    /// A record has ended at `position`. A reader may start again there unless the record goes on in later ones.
    fn consume_to(&mut self, position: u64) {
        if let Some(runtime) = &self.runtime {
            let Some(carry) = runtime.carry() else { return };
            self.carry = carry;
        }
        self.consumed = position;
    }

    fn content(&mut self, piece: &[u8], out: &mut CleanBlock) {
        self.is_open = true;
        if let Some(runtime) = &mut self.runtime {
            runtime.begin_line(self.record_start);
            runtime.content(piece, &mut self.release, out);
            return self.findings.append(&mut runtime.take_findings());
        }
        if let Some(json) = &mut self.json {
            if json.gather(piece) {
                return;
            }
            if !json.is_text {
                self.gathered_as_text(out);
            }
        }
        self.redact(piece, out);
    }

    /// Hands what was gathered of a JSON record to the text engine, and has the rest go there too.
    fn gathered_as_text(&mut self, out: &mut CleanBlock) {
        let Some(json) = &mut self.json else { return };
        let start = json.give_up();
        // The engine has not seen the records that were gathered: what is open before this one is known here.
        self.redactor.resume(self.carry);
        self.redact(&start, out);
    }

    fn redact(&mut self, piece: &[u8], out: &mut CleanBlock) {
        self.release.content(out, |out| self.redactor.push(piece, out));
        self.redacted += piece.len() as u64;
        self.collect();
    }

    /// Takes over what the text engine has found; it knows nothing of what stands between records.
    fn collect(&mut self) {
        let between = self.record_start - self.record_redacted;
        for mut finding in self.redactor.findings().iter().copied() {
            finding.offset += between;
            self.findings.push(finding);
        }
    }

    /// Ends the current record. It is `terminated` if the end came with the input and not by the end of the stream.
    fn end_record(&mut self, out: &mut CleanBlock, terminated: bool) {
        if let Some(runtime) = &mut self.runtime {
            self.is_open = false;
            runtime.end_line(terminated, &mut self.release, out);
            return self.findings.append(&mut runtime.take_findings());
        }
        let carry = match &mut self.json {
            Some(json) if !json.is_text => {
                json.redact(self.delimiter == Some(b'\n'), out);
                self.findings.extend(json.redactor.findings(self.record_start));
                if terminated || self.release.holds_records_back() {
                    self.release.terminate(out);
                }
                json.redactor.carry()
            }
            json => {
                if let Some(json) = json {
                    json.is_text = false;
                }
                self.release.content(out, |out| self.redactor.end_record(out));
                self.release.end(out, terminated);
                self.collect();
                self.redactor.carry()
            }
        };
        self.end_at(self.consumed, carry);
    }

    fn end_at(&mut self, consumed: u64, carry: Carry) {
        self.is_open = false;
        self.consumed = consumed;
        self.carry = carry;
    }

    fn count(&mut self) {
        self.counts = self.redactor.counts().clone();
        self.json.iter().for_each(|json| self.counts.add(json.redactor.counts()));
        self.runtime.iter().for_each(|runtime| self.counts.add(&runtime.counts()));
    }
}

impl JsonRecords {
    fn new(redaction: &Redaction, record_bytes_max: usize) -> Self {
        let redactor = JsonRedactor::new(redaction);
        Self { redactor, record: Vec::new(), record_bytes_max, is_text: false, not_json: 0 }
    }

    /// Appends the whole lines at the beginning of `input` that can't hold anything, as far as they are no longer than a
    /// record, and gives their length.
    fn clean_lines(&mut self, input: &[u8], out: &mut CleanBlock) -> usize {
        let lines = &input[..self.redactor.clean_lines_len(input)];
        let mut len = 0;
        while let Some(line_len) = memchr(b'\n', &lines[len..]).filter(|&line_len| line_len <= self.record_bytes_max) {
            let line = &lines[len..len + line_len];
            let text = line.strip_suffix(b"\r").unwrap_or(line);
            self.not_json += u64::from(!text.is_empty() && !JsonRedactor::looks_like_json(text));
            len += line_len + 1;
        }
        self.redactor.clean_lines(&lines[..len], out);
        len
    }

    /// Keeps a piece of the current record; false if the record is too long for that.
    fn gather(&mut self, piece: &[u8]) -> bool {
        let fits = !self.is_text && piece.len() <= self.record_bytes_max - self.record.len();
        if fits {
            self.record.extend_from_slice(piece);
            // It grows by doubling, and waits for as long as its sender likes.
            self.record.shrink_to(self.record_bytes_max);
        }
        fits
    }

    /// Leaves the current record to the text engine and returns what was gathered of it.
    fn give_up(&mut self) -> Vec<u8> {
        self.is_text = true;
        self.not_json += 1;
        std::mem::take(&mut self.record)
    }

    /// Redacts the gathered record. It is never cut, though markers may have made it longer: it is to stay valid JSON.
    fn redact(&mut self, is_line: bool, out: &mut CleanBlock) {
        let text = match self.record.strip_suffix(b"\r") {
            Some(text) if is_line => text,
            _ => &self.record[..],
        };
        self.redactor.forget_findings();
        if !text.is_empty() && !self.redactor.record(text, out) {
            self.not_json += 1;
        }
        if text.len() < self.record.len() {
            out.push_delimiter(b'\r');
        }
        if self.record.capacity() > KEPT_BYTES_MAX {
            self.record = Vec::new();
        }
        self.record.clear();
    }
}
