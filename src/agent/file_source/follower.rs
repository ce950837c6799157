//! One followed file: where it is read, whether it is still what it was, and how much of it has been delivered.

use super::super::checkpoint::Entry;
use super::super::identity::{FileId, HEAD_LEN_MAX, IdentityKey, Landmarks, Position, TAIL_LEN_MAX};
use super::super::outlet::Receipt;
use super::SourceReport;
use crate::codec::{Decoding, RecordStream};
use crate::redact::{Carry, CleanBlock, Redaction};
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// How much is read at a time; it makes at most one block. Each block wakes threads, which costs more than to redact 64 KiB.
pub(in crate::agent) const READ_BYTES: usize = 256 << 10;
/// A turn reads the bytes before the offset once more, to see that they are still there.
pub(super) const BUFFER_LEN: usize = TAIL_LEN_MAX + READ_BYTES;
/// A file with this many blocks on their way waits for its sinks.
const UNACKNOWLEDGED_MAX: usize = 16;
/// First bytes of gzip, zstd and xz files: rotated logs, which hold no lines.
const COMPRESSED: [&[u8]; 3] = [b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0"];

/// What all followers of a source have in common.
pub(super) struct Shared {
    pub source: String,
    pub decoding: Decoding,
    pub redaction: Redaction,
    pub key: IdentityKey,
    pub poll_interval: Duration,
    pub rotate_wait: Duration,
}

/// What a turn gave.
pub(super) enum Step {
    /// Nothing to deliver.
    Idle,
    /// A block to deliver, and where the file goes on once it is.
    Block(CleanBlock, Position),
}

/// A file that is followed under whatever name it has.
pub(super) struct Follower {
    pub id: FileId,
    /// Where it is now.
    pub path: PathBuf,
    /// The last name of it that a glob knew.
    listed_path: PathBuf,
    /// Closed while others need the descriptor.
    file: Option<File>,
    /// Missing until something is read, and after a close.
    stream: Option<RecordStream>,
    /// Where the stream's input starts in the file.
    stream_start: u64,
    /// Up to where the file has been read.
    read_to: u64,
    /// What lies before `read_to`; the head only until its digest covers [`HEAD_LEN_MAX`] bytes.
    landmarks: Landmarks,
    /// The end of the last record that has been handed on.
    position: Position,
    position_tail: Vec<u8>,
    /// Everything before it is delivered.
    frontier: Position,
    unacknowledged: VecDeque<(Option<Receipt>, Position)>,
    /// Size and time of the last change when it was last looked at.
    seen: Option<(u64, Option<SystemTime>)>,
    ready: bool,
    next_look: Instant,
    last_growth: Instant,
    /// Since when no glob names it; it is read on for a while.
    unlisted_since: Option<Instant>,
    /// Nobody could open it again: it has no name, or none that was found.
    nameless: bool,
    /// NUL bytes to come are the hole that a truncation left, not content.
    in_hole: bool,
    /// It can't be cut into records, or holds none: left alone until it is truncated.
    abandoned: bool,
    ended: bool,
}

impl Follower {
    /// A file that is read from `position` on; `landmarks` are what lies before it.
    pub fn new(file: File, id: FileId, path: PathBuf, position: Position, landmarks: Landmarks, in_hole: bool) -> Self {
        let now = Instant::now();
        let mut landmarks = landmarks;
        if position.offset >= HEAD_LEN_MAX as u64 {
            landmarks.head = Vec::new();
        }
        Self {
            id,
            listed_path: path.clone(),
            path,
            file: Some(file),
            stream: None,
            stream_start: position.offset,
            read_to: position.offset,
            position,
            position_tail: landmarks.tail.clone(),
            landmarks,
            frontier: position,
            unacknowledged: VecDeque::new(),
            seen: None,
            ready: true,
            next_look: now,
            last_growth: now,
            unlisted_since: None,
            nameless: false,
            in_hole,
            abandoned: false,
            ended: false,
        }
    }

    pub fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// Whether it may be closed for another: it can be opened again. The least recently read goes first, and one
    /// that is in the middle of a record last.
    pub fn closing_order(&self) -> Option<(bool, Instant)> {
        (self.is_open() && !self.nameless).then_some((self.read_to != self.position.offset, self.last_growth))
    }

    /// Gives the descriptor and the stream's memory back. A record that was read in part is read again.
    pub fn close(&mut self, report: &mut SourceReport) {
        self.file = None;
        self.read_to = self.position.offset;
        self.end_stream(report);
        self.landmarks.tail.clone_from(&self.position_tail);
        let head_len = self.landmarks.head.len().min(usize::try_from(self.read_to).unwrap_or(HEAD_LEN_MAX));
        self.landmarks.head.truncate(head_len);
    }

    /// Takes a descriptor of the file's again.
    pub fn reopened(&mut self, file: File) {
        self.file = Some(file);
    }

    /// What the checkpoint is to say of it.
    pub fn entry(&self, last_seen_secs: u64) -> Entry {
        Entry { id: self.id, position: self.frontier, path: self.listed_path.clone(), last_seen_secs }
    }

    /// A glob names it; true if by another name than before.
    pub fn listed(&mut self, path: &Path) -> bool {
        self.unlisted_since = None;
        self.nameless = false;
        self.ended = false;
        let is_moved = self.listed_path != path;
        self.path = path.to_owned();
        self.listed_path = path.to_owned();
        is_moved
    }

    /// It was rotated while nobody looked: `listed_path` is the name that it had.
    pub fn rotated_from(&mut self, listed_path: PathBuf) {
        self.listed_path = listed_path;
        self.unlisted_since = Some(Instant::now());
    }

    /// No glob names it; `path` is where it was found all the same.
    pub fn unlisted(&mut self, path: Option<PathBuf>) {
        self.unlisted_since.get_or_insert_with(Instant::now);
        match path {
            Some(path) => {
                self.path = path;
                self.nameless = false;
            }
            None => self.nameless = true,
        }
    }

    /// Whether nothing is to come of it and all of it is delivered.
    pub fn is_done(&self) -> bool {
        self.unlisted_since.is_some() && self.unacknowledged.is_empty() && (self.ended || self.is_gone())
    }

    /// Without a descriptor and without a name there is no way to it.
    pub fn is_gone(&self) -> bool {
        self.nameless && !self.is_open()
    }

    /// Whether there may be something in it that was not read.
    pub fn has_unread(&self) -> bool {
        self.ready || self.seen.is_some_and(|(len, _)| len != self.read_to)
    }

    /// Whether it has no name under which it may come back.
    pub fn is_nameless(&self) -> bool {
        self.nameless
    }

    /// Moves the frontier over what is acknowledged; true if it moved.
    pub fn collect_receipts(&mut self) -> bool {
        let before = self.frontier;
        while let Some((receipt, position)) = self.unacknowledged.front() {
            if receipt.as_ref().is_some_and(|receipt| !receipt.is_acknowledged()) {
                break;
            }
            self.frontier = *position;
            self.unacknowledged.pop_front();
        }
        self.frontier != before
    }

    /// A block was handed on, or there was nothing in it.
    pub fn sent(&mut self, receipt: Option<Receipt>, position: Position) {
        self.unacknowledged.push_back((receipt, position));
    }

    /// The oldest block on its way.
    pub fn oldest_receipt(&self) -> Option<&Receipt> {
        self.unacknowledged.iter().find_map(|(receipt, _)| receipt.as_ref())
    }

    /// How many blocks are on their way.
    pub fn unacknowledged_blocks(&self) -> usize {
        self.unacknowledged.iter().filter(|(receipt, _)| receipt.is_some()).count()
    }

    /// Whether it waits for its sinks.
    pub fn is_held_up(&self) -> bool {
        self.unacknowledged.len() >= UNACKNOWLEDGED_MAX
    }

    /// Whether a turn may give something, now that it is `now`. Sets `displaced` if its name has gone to another.
    pub fn is_ready(&mut self, now: Instant, shared: &Shared, displaced: &mut bool) -> bool {
        if self.is_held_up() || self.is_gone() {
            return false;
        }
        if !self.ready && now >= self.next_look {
            self.next_look = now + shared.poll_interval;
            self.look(displaced);
        }
        self.ready || self.is_expired(now, shared)
    }

    fn look(&mut self, displaced: &mut bool) {
        let metadata = match std::fs::symlink_metadata(&self.path) {
            Ok(metadata) if FileId::of(&metadata) == self.id => Some(metadata),
            _ => {
                *displaced |= self.unlisted_since.is_none();
                self.file.as_ref().and_then(|file| file.metadata().ok())
            }
        };
        let Some(metadata) = metadata else { return };
        // An equal size is no proof: the file may have been truncated and have grown to where it was. And another size
        // is no news if the file was closed in the middle of a record that is still not complete.
        let seen = Some((metadata.len(), metadata.modified().ok()));
        self.ready = if self.abandoned {
            metadata.len() < self.read_to
        } else {
            self.seen != seen || (self.is_open() && metadata.len() != self.read_to)
        };
        self.seen = seen;
    }

    fn is_expired(&self, now: Instant, shared: &Shared) -> bool {
        !self.ended && self.unlisted_since.is_some_and(|since| now >= since.max(self.last_growth) + shared.rotate_wait)
    }

    /// The file has nothing to read now: it is looked at again after the usual time.
    pub fn pause(&mut self, shared: &Shared) {
        self.ready = false;
        self.next_look = Instant::now() + shared.poll_interval;
    }

    /// It could not be read now: the next look is to find it ready again.
    pub fn delay(&mut self, shared: &Shared) {
        self.pause(shared);
        self.seen = None;
    }

    /// Reads once, if there is something; at most one block comes out.
    ///
    /// The bytes before `read_to` are read once more and compared, so a file that was truncated and has grown past
    /// `read_to` between two turns is noticed too. What can't be noticed is one that grew back to the same bytes there.
    pub fn step(&mut self, shared: &Shared, buffer: &mut [u8], report: &mut SourceReport) -> io::Result<Step> {
        let Some(file) = &self.file else { return Ok(Step::Idle) };
        let overlap = self.landmarks.tail.len();
        let start = self.read_to - overlap as u64;
        let len = read_past(file, &mut buffer[..overlap + READ_BYTES], start, overlap)?;
        if len < overlap || buffer[..overlap] != self.landmarks.tail[..] {
            report.truncated += 1;
            tracing::info!(source = shared.source, path = %self.path.display(), "file was truncated and is read from its beginning");
            return Ok(self.restart(shared, report));
        }
        if len == overlap || self.abandoned {
            if self.is_expired(Instant::now(), shared) {
                return Ok(self.end(shared, report));
            }
            if self.read_to == self.position.offset {
                // Most files are idle most of the time: their streams are not to hold memory meanwhile.
                self.end_stream(report);
            }
            self.pause(shared);
            return Ok(Step::Idle);
        }
        self.last_growth = Instant::now();
        self.ended = false;
        Ok(self.take(shared, &buffer[..len], overlap, report))
    }

    /// Takes `bytes[overlap..]` as the file's next.
    fn take(&mut self, shared: &Shared, bytes: &[u8], overlap: usize, report: &mut SourceReport) -> Step {
        let new = &bytes[overlap..];
        if self.read_to == 0 && COMPRESSED.iter().any(|magic| new.starts_with(magic)) {
            tracing::info!(source = shared.source, path = %self.path.display(), "compressed file is not read");
            self.abandoned = true;
            self.ready = false;
            return Step::Idle;
        }
        let hole = if self.in_hole { new.iter().take_while(|&&byte| byte == 0).count() } else { 0 };
        if hole < new.len() {
            self.in_hole = false;
        }
        report.bytes += new.len() as u64;
        report.hole_bytes += hole as u64;
        let mut block = CleanBlock::with_capacity(new.len());
        if hole > 0 {
            self.note(bytes, overlap, hole);
            self.stream_start = self.read_to;
            self.set_position(shared, self.read_to, Carry::None, &self.landmarks.tail.clone());
        }
        if hole < new.len() {
            let before = self.read_to;
            let stream = self.stream.get_or_insert_with(|| {
                let mut stream = RecordStream::new(&shared.redaction, shared.decoding.clone());
                stream.resume(self.position.carry);
                stream
            });
            let framing = stream.push(&new[hole..], &mut block);
            let (consumed, carry) = (self.stream_start + stream.consumed(), stream.carry());
            self.note(bytes, overlap + hole, new.len() - hole);
            // The bytes before an older offset are gone, so it can't be told by a digest; the next one will do.
            if consumed > self.position.offset && consumed >= before {
                let end = bytes.len() - usize::try_from(self.read_to - consumed).unwrap_or(0);
                let tail = bytes[end.saturating_sub(TAIL_LEN_MAX)..end].to_vec();
                self.set_position(shared, consumed, carry, &tail);
            }
            if let Err(error) = framing {
                report.broken_streams += 1;
                tracing::warn!(source = shared.source, path = %self.path.display(), %error, "file can't be read on");
                self.abandoned = true;
                self.ready = false;
            }
        }
        Step::Block(block, self.position)
    }

    /// Moves `read_to` over `len` bytes at `bytes[at..]`; what lies before them in `bytes` lies before them in the file.
    fn note(&mut self, bytes: &[u8], at: usize, len: usize) {
        let end = at + len;
        if self.read_to < HEAD_LEN_MAX as u64 {
            let missing = HEAD_LEN_MAX.saturating_sub(self.landmarks.head.len()).min(len);
            self.landmarks.head.extend_from_slice(&bytes[at..at + missing]);
        }
        self.landmarks.tail.clear();
        self.landmarks.tail.extend_from_slice(&bytes[end.saturating_sub(TAIL_LEN_MAX)..end]);
        self.read_to += len as u64;
    }

    fn set_position(&mut self, shared: &Shared, offset: u64, carry: Carry, tail: &[u8]) {
        let head = if self.position.offset >= HEAD_LEN_MAX as u64 {
            self.position.head
        } else {
            let len = usize::try_from(offset).unwrap_or(usize::MAX).min(self.landmarks.head.len());
            shared.key.head(&self.landmarks.head[..len])
        };
        self.position = Position { offset, carry, head, tail: shared.key.tail(tail) };
        self.position_tail.clear();
        self.position_tail.extend_from_slice(tail);
        if offset >= HEAD_LEN_MAX as u64 {
            self.landmarks.head = Vec::new();
        }
    }

    /// Begins again at the file's start; the half record that was there before goes out.
    fn restart(&mut self, shared: &Shared, report: &mut SourceReport) -> Step {
        let (block, _) = self.finish_stream(shared, report);
        self.read_to = 0;
        self.stream_start = 0;
        self.landmarks = Landmarks::default();
        self.position = Position::start(&shared.key);
        self.position_tail.clear();
        self.in_hole = true;
        self.abandoned = false;
        self.ready = true;
        Step::Block(block, self.position)
    }

    /// Nobody has written for long enough: a last record without a delimiter is complete now.
    fn end(&mut self, shared: &Shared, report: &mut SourceReport) -> Step {
        let (block, carry) = self.finish_stream(shared, report);
        let tail = self.landmarks.tail.clone();
        self.set_position(shared, self.read_to, carry, &tail);
        self.ended = true;
        self.ready = false;
        Step::Block(block, self.position)
    }

    fn finish_stream(&mut self, shared: &Shared, report: &mut SourceReport) -> (CleanBlock, Carry) {
        let mut block = CleanBlock::new();
        let mut carry = self.position.carry;
        if let Some(stream) = &mut self.stream {
            if !self.abandoned
                && let Err(error) = stream.finish(&mut block)
            {
                tracing::warn!(source = shared.source, path = %self.path.display(), %error, "last record is not complete");
            }
            carry = stream.carry();
        }
        self.end_stream(report);
        (block, carry)
    }

    /// Drops the stream and keeps its counts; the next one starts at `read_to`.
    pub fn end_stream(&mut self, report: &mut SourceReport) {
        self.stream_start = self.read_to;
        if let Some(stream) = self.stream.take() {
            report.findings.add(stream.counts());
            report.stats.split_records += stream.stats().split_records;
            report.stats.not_json += stream.stats().not_json;
            report.stats.foreign_records += stream.stats().foreign_records;
        }
    }
}

/// Reads from `offset` until there is more than `enough`, or the file ends: short reads and signals are no end.
fn read_past(file: &File, buffer: &mut [u8], offset: u64, enough: usize) -> io::Result<usize> {
    let mut len = 0;
    while len <= enough {
        match file.read_at(&mut buffer[len..], offset + len as u64) {
            Ok(0) => break,
            Ok(read) => len += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}
