//! Lines of container runtimes, which cut what an application wrote into parts: the parts of one stream are put together,
//! scanned as one text, and leave as the lines that they came in.

mod cri;
mod docker;
mod line;
mod rest;

pub(super) use line::{OpenTexts, Runtime};
pub(crate) use line::{RUNTIME_LINE_BYTES, last_whole_record};

use super::json;
use super::release::{KEPT_BYTES_MAX, Release};
use crate::redact::{Carry, CleanBlock, Counts, Finding, Redaction};
use line::{Channel, Envelope, Line};
use rest::Rest;
use std::collections::VecDeque;
use std::ops::Range;

/// What keeping a line costs besides its bytes, about.
const HELD_OVERHEAD: usize = 64;

/// A line that waits for others.
#[derive(Default)]
struct Held {
    /// Where it begins in the stream.
    start: u64,
    text: Vec<u8>,
    content: Range<usize>,
    /// What leaves for it, once that is known.
    clean: Option<CleanBlock>,
    has_delimiter: bool,
}

/// The open text of a channel.
#[derive(Default)]
struct Open {
    /// The held lines that it consists of, counted from the start of the stream.
    parts: Vec<u64>,
    /// It grew too long to be held.
    rest: Option<Rest>,
    /// What the text before left open.
    carry: Carry,
}

/// Lines to clean lines, in order. Behind an open text all lines wait, up to the limit of a record: from then on the text
/// goes through a redactor piece by piece, and each of its parts leaves with what is decided by then.
pub(super) struct RuntimeRecords {
    redaction: Redaction,
    runtime: Runtime,
    record_bytes_max: usize,
    /// The line that is being gathered, and where it begins in the stream.
    line: Vec<u8>,
    line_start: u64,
    /// The line is too long to be gathered: whose it is, and whether it is partial.
    long_line: Option<(Channel, bool)>,
    held: VecDeque<Held>,
    held_bytes: usize,
    /// How many lines were held and have left.
    left: u64,
    channels: [Open; 3],
    counts: Counts,
    /// Since somebody asked. What was found in a text that was not held is said to be in the line that decided it.
    findings: Vec<Finding>,
    split_records: u64,
    foreign_records: u64,
    /// The last line that left had no delimiter.
    lacks_delimiter: bool,
}

impl RuntimeRecords {
    pub fn new(redaction: &Redaction, runtime: Runtime, record_bytes_max: usize) -> Self {
        Self {
            redaction: redaction.clone(),
            runtime,
            record_bytes_max,
            line: Vec::new(),
            line_start: 0,
            long_line: None,
            held: VecDeque::new(),
            held_bytes: 0,
            left: 0,
            channels: Default::default(),
            counts: Counts::default(),
            findings: Vec::new(),
            split_records: 0,
            foreign_records: 0,
            lacks_delimiter: false,
        }
    }

    /// Says where the current line begins in the stream.
    pub fn begin_line(&mut self, start: u64) {
        self.line_start = start;
    }

    /// The findings since the last call.
    pub fn take_findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.findings)
    }

    /// Takes a piece of the current line.
    pub fn content(&mut self, piece: &[u8], release: &mut Release, out: &mut CleanBlock) {
        let mut piece = piece;
        if self.long_line.is_none() {
            let room = self.record_bytes_max.max(RUNTIME_LINE_BYTES) - self.line.len();
            let fitting = piece.split_off(..room.min(piece.len())).unwrap_or_default();
            self.line.extend_from_slice(fitting);
            if !piece.is_empty() {
                self.begin_long_line(release, out);
            }
        }
        if let Some((channel, _)) = self.long_line
            && !piece.is_empty()
        {
            let rest = self.channels[channel as usize].rest(&self.redaction, self.runtime.has_strings(channel));
            release.content(out, |out| rest.push(piece, out));
            self.collect(channel, self.line_start);
        }
    }

    /// Ends the current line. Where the input ends with it, no more parts are to come.
    pub fn end_line(&mut self, has_delimiter: bool, release: &mut Release, out: &mut CleanBlock) {
        self.lacks_delimiter = !has_delimiter && !release.holds_records_back();
        if let Some((channel, is_partial)) = self.long_line.take() {
            if !is_partial || !has_delimiter {
                let open = &mut self.channels[channel as usize];
                let rest = open.rest(&self.redaction, self.runtime.has_strings(channel));
                let mut end = CleanBlock::new();
                rest.end_text(&mut end);
                release.content(out, |out| out.append(&end));
                self.collect(channel, self.line_start);
                self.channels[channel as usize].close(&mut self.counts);
            }
            return release.end(out, has_delimiter);
        }
        let text = std::mem::take(&mut self.line);
        let line = self.runtime.line(&text);
        self.foreign_records += u64::from(line.is_none() && !text.is_empty());
        let Line { channel, is_partial, content } =
            line.unwrap_or(Line { channel: Channel::Foreign, is_partial: false, content: 0..text.len() });
        let is_partial = is_partial && has_delimiter;
        self.held_bytes += text.len() + HELD_OVERHEAD;
        let mut held = Held { start: self.line_start, text, content, clean: None, has_delimiter };
        if self.channels[channel as usize].rest.is_some() {
            held.clean = Some(self.part(channel, &held, is_partial));
        }
        let is_decided = held.clean.is_some();
        self.held.push_back(held);
        if !is_decided {
            self.channels[channel as usize].parts.push(self.left + self.held.len() as u64 - 1);
            if !is_partial {
                self.decide(channel);
            }
        }
        self.leave(release, out);
        if self.held_bytes > self.record_bytes_max {
            self.give_up(release, out);
        }
    }

    /// Ends the stream: what is open is complete.
    pub fn finish(&mut self, release: &mut Release, out: &mut CleanBlock) {
        for channel in [Channel::Stdout, Channel::Stderr] {
            self.decide(channel);
        }
        self.leave(release, out);
        for channel in [Channel::Stdout, Channel::Stderr, Channel::Foreign] {
            let Some(rest) = &mut self.channels[channel as usize].rest else { continue };
            let last = rest.last_line();
            self.collect(channel, self.line_start);
            self.channels[channel as usize].close(&mut self.counts);
            if let Some(last) = last {
                if std::mem::take(&mut self.lacks_delimiter) {
                    release.terminate(out);
                }
                out.append(&last);
                release.terminate(out);
            }
        }
    }

    /// What is open for the next line, if no text is: only there may a reader start again. There is room for one state in
    /// a checkpoint, so channels that left different things open don't count as such a place.
    pub fn carry(&self) -> Option<Carry> {
        let is_open = |open: &Open| !open.parts.is_empty() || open.rest.is_some();
        if self.channels.iter().any(is_open) {
            return None;
        }
        let mut carries = self.channels.iter().map(|open| open.carry).filter(|&carry| carry != Carry::None);
        let first = carries.next().unwrap_or_default();
        carries.all(|carry| carry == first).then_some(first)
    }

    /// Goes on where a checkpoint stopped. Which channel left something open is not known, so it holds for each.
    pub fn resume(&mut self, carry: Carry) {
        self.channels.iter_mut().for_each(|open| open.carry = carry);
    }

    /// Bytes that wait.
    pub fn pending(&self) -> usize {
        let held = self.held_bytes - HELD_OVERHEAD * self.held.len();
        let rests = self.channels.iter().filter_map(|open| open.rest.as_ref());
        self.line.len() + held + rests.map(Rest::pending).sum::<usize>()
    }

    pub fn counts(&self) -> Counts {
        let mut counts = self.counts.clone();
        self.channels.iter().filter_map(|open| open.rest.as_ref()).for_each(|rest| counts.add(rest.redactor.counts()));
        counts
    }

    /// Texts that were too long to be scanned as a whole.
    pub fn split_records(&self) -> u64 {
        self.split_records
    }

    /// Lines that the runtime did not write.
    pub fn foreign_records(&self) -> u64 {
        self.foreign_records
    }

    /// Lets all lines before the first undecided one go.
    fn leave(&mut self, release: &mut Release, out: &mut CleanBlock) {
        while let Some(Held { clean: Some(_), .. }) = self.held.front()
            && let Some(Held { text, clean: Some(clean), has_delimiter, .. }) = self.held.pop_front()
        {
            self.held_bytes -= text.len() + HELD_OVERHEAD;
            self.left += 1;
            out.append(&clean);
            if has_delimiter || release.holds_records_back() {
                release.terminate(out);
            }
            if self.held.is_empty() && text.capacity() <= KEPT_BYTES_MAX {
                self.line = text;
                self.line.clear();
            }
        }
    }

    /// The text of a channel is complete: finds what is in it and says what each of its lines becomes.
    fn decide(&mut self, channel: Channel) {
        let parts = std::mem::take(&mut self.channels[channel as usize].parts);
        if parts.is_empty() {
            return;
        }
        let index = |part: u64| (part - self.left) as usize;
        let mut text = Vec::new();
        for &part in &parts {
            let held = &self.held[index(part)];
            text.extend_from_slice(&held.text[held.content.clone()]);
        }
        let mut found = Vec::new();
        let open = &mut self.channels[channel as usize];
        open.carry = if self.runtime.has_strings(channel) {
            json::find_in_string(&self.redaction, &text, open.carry, &mut found)
        } else {
            text.push(b'\n');
            json::find_in_line(&self.redaction, &text, open.carry, &mut found)
        };
        let (mut start, mut cleans) = (0, Vec::with_capacity(parts.len()));
        for &part in &parts {
            let held = &self.held[index(part)];
            let range = start..start + held.content.len();
            start = range.end;
            let mut clean = CleanBlock::new();
            let envelope = Envelope::new(self.runtime, &self.redaction, held);
            if found.is_empty() && envelope.is_clean() {
                self.redaction.replace(&held.text, &[], &mut clean, &mut self.counts);
            } else {
                envelope.before(&mut clean, &mut self.counts);
                self.redaction.replace_part(&text, range.clone(), &found, &mut clean, &mut self.counts);
                envelope.behind(&mut clean, &mut self.counts);
                self.findings.extend(envelope.findings(held));
                let content_start = held.start + held.content.start as u64;
                let here = found.iter().filter(|replacement| range.contains(&replacement.range.start));
                self.findings.extend(here.filter_map(|replacement| {
                    let mut finding = replacement.finding(content_start)?;
                    finding.offset -= range.start as u64;
                    Some(finding)
                }));
            }
            cleans.push(clean);
        }
        for (&part, clean) in parts.iter().zip(cleans) {
            self.held[(part - self.left) as usize].clean = Some(clean);
        }
    }

    /// Too much waits, or for too long: open texts are no longer held.
    pub fn give_up(&mut self, release: &mut Release, out: &mut CleanBlock) {
        for channel in [Channel::Stdout, Channel::Stderr] {
            let parts = std::mem::take(&mut self.channels[channel as usize].parts);
            self.split_records += u64::from(!parts.is_empty());
            for part in parts {
                let index = (part - self.left) as usize;
                let mut held = std::mem::take(&mut self.held[index]);
                held.clean = Some(self.part(channel, &held, true));
                self.held[index] = held;
            }
        }
        self.leave(release, out);
    }

    /// What leaves for a part of a text that is not held.
    fn part(&mut self, channel: Channel, held: &Held, is_partial: bool) -> CleanBlock {
        let open = &mut self.channels[channel as usize];
        let rest = open.rest(&self.redaction, self.runtime.has_strings(channel));
        let envelope = Envelope::new(self.runtime, &self.redaction, held);
        let content = rest.content(&held.text[held.content.clone()], is_partial);
        let mut clean = CleanBlock::new();
        envelope.before(&mut clean, &mut self.counts);
        let content_at = clean.len();
        envelope.behind(&mut clean, &mut self.counts);
        let line = rest.line(&content, &clean, content_at);
        self.findings.extend(envelope.findings(held));
        if is_partial {
            rest.remember(clean, content_at);
        }
        self.collect(channel, held.start + held.content.start as u64);
        if !is_partial {
            self.channels[channel as usize].close(&mut self.counts);
        }
        line
    }

    /// The line can't be gathered: it leaves as it comes, and so all that waits has to leave before.
    fn begin_long_line(&mut self, release: &mut Release, out: &mut CleanBlock) {
        let start = std::mem::take(&mut self.line);
        self.give_up(release, out);
        let line = match self.runtime {
            Runtime::Cri => cri::line(&start),
            // Whose text it is stands behind the text. Docker writes no such lines.
            Runtime::Docker => None,
        };
        self.foreign_records += u64::from(line.is_none());
        let Line { channel, is_partial, content } =
            line.unwrap_or(Line { channel: Channel::Foreign, is_partial: false, content: 0..start.len() });
        self.long_line = Some((channel, is_partial));
        let (head, content) = start.split_at(content.start);
        let rest = self.channels[channel as usize].rest(&self.redaction, self.runtime.has_strings(channel));
        let mut envelope = CleanBlock::new();
        self.redaction.replace(head, &[], &mut envelope, &mut self.counts);
        release.content(out, |out| {
            out.append(&envelope);
            rest.push(content, out);
        });
        rest.remember(envelope, head.len());
        self.collect(channel, self.line_start + head.len() as u64);
    }

    /// Takes over what was found in a text that is not held.
    fn collect(&mut self, channel: Channel, at: u64) {
        let Some(rest) = &mut self.channels[channel as usize].rest else { return };
        for mut finding in rest.found.drain(..) {
            finding.offset = at;
            self.findings.push(finding);
        }
    }
}

impl Open {
    /// The redactor of a text that is not held, from now on if it was.
    fn rest(&mut self, redaction: &Redaction, is_string: bool) -> &mut Rest {
        self.rest.get_or_insert_with(|| Rest::new(redaction, self.carry, is_string))
    }

    /// The text that was not held is complete.
    fn close(&mut self, counts: &mut Counts) {
        if let Some(rest) = self.rest.take() {
            self.carry = rest.redactor.carry();
            counts.add(rest.redactor.counts());
        }
    }
}
