//! One followed file: where it is read, whether it is still what it was, and how much of it has been delivered.

mod reading;

use super::SourceReport;
use super::opener::metadata;
use super::poison::Careful;
use crate::agent::attempts::Suspicion;
use crate::agent::checkpoint::Entry;
use crate::agent::identity::{FileId, HEAD_LEN_MAX, IdentityKey, Landmarks, Position, TAIL_LEN_MAX};
use crate::agent::outlet::Receipt;
use crate::agent::recording::Recording;
use crate::agent::sampled::{SampledStream, Sampler};
use crate::agent::status::Meter;
use crate::codec::Decoding;
use crate::ledger::Recorder;
use crate::redact::{Carry, CleanBlock, Redaction};
use std::collections::VecDeque;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// How much is read at a time; it makes at most one block. Each block wakes threads, which costs more than to redact 64 KiB.
pub(in crate::agent) const READ_BYTES: usize = 256 << 10;
/// A turn reads the bytes before the offset once more, to see that they are still there.
pub(super) const BUFFER_LEN: usize = TAIL_LEN_MAX + READ_BYTES;
/// A file with this many blocks on their way waits for its sinks.
const UNACKNOWLEDGED_MAX: usize = 16;

/// What all followers of a source have in common.
pub(super) struct Shared {
    pub source: String,
    pub decoding: Decoding,
    pub redaction: Redaction,
    pub sampler: Sampler,
    pub recorder: Option<Recorder>,
    pub meter: Arc<Meter>,
    pub key: IdentityKey,
    pub poll_interval: Duration,
    pub rotate_wait: Duration,
    pub follow_symlinks: bool,
}

impl Shared {
    /// A stream from the start of a record on, which is at `offset` in the file.
    pub fn stream(&self, carry: Carry, path: &Path, offset: u64) -> SampledStream {
        let recording = Recording::new(self.recorder.as_ref(), |recorder| recorder.file(path, offset));
        let (decoding, sampler, meter) = (self.decoding.clone(), self.sampler.clone(), self.meter.clone());
        let mut stream = SampledStream::new(&self.redaction, decoding, sampler, recording, meter);
        stream.resume(carry);
        stream
    }
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
    stream: Option<SampledStream>,
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
    /// The engine has failed at something in it.
    careful: Option<Careful>,
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
            careful: None,
            abandoned: false,
            ended: false,
        }
    }

    /// The engine has failed at something in it.
    pub fn beware(&mut self, suspicion: Suspicion, shared: &Shared) {
        let Position { offset, carry, .. } = self.position;
        self.careful = Some(Careful::new(self.id, suspicion, offset, carry, shared));
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

    /// Bytes that are in it and not delivered; the system is asked how many there are, as long as there are `asks` left.
    pub fn lag_bytes(&self, asks: &mut usize) -> u64 {
        if self.abandoned {
            return 0;
        }
        let asked = self.file.as_ref().filter(|_| *asks > 0).and_then(|file| {
            *asks -= 1;
            file.metadata().ok()
        });
        let len = asked.map(|metadata| metadata.len()).or(self.seen.map(|(len, _)| len)).unwrap_or(self.read_to);
        len.saturating_sub(self.frontier.offset)
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
            self.look(shared, displaced);
        }
        self.ready || self.is_expired(now, shared)
    }

    fn look(&mut self, shared: &Shared, displaced: &mut bool) {
        let metadata = match metadata(&self.path, shared.follow_symlinks) {
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

    /// Something has happened to it: it is looked at now.
    pub fn look_at(&mut self, now: Instant) {
        self.next_look = self.next_look.min(now);
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
}
