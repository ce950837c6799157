//! What was seen since the writer came by: bounded, and as cheap as a table can be.

use super::exposure::{Location, TimeOf};
use super::store::{BatchEntry, Seen};
use crate::redact::{Carrier, Claims, Finding, Kind, Redaction, UnreadClaims};
use jiff::Timestamp;
use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// How much all tallies of a ledger hold at most.
pub(super) const WAITING_BYTES_MAX: usize = 32 << 20;
/// Of a line so much is looked at for its time, and so far back for its start.
const LINE_BYTES_MAX: usize = 4 << 10;
/// A record's time that lies further ahead is made up.
const CLOCK_SKEW_MS: i64 = 24 * 60 * 60 * 1000;

/// Where a stream is from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// Its source says all.
    #[default]
    Source,
    /// A file, and where the stream begins in it; below zero, wrapped, where the file begins amid the stream.
    File(Arc<str>, u64),
    /// A sender.
    Peer(Arc<str>),
}

/// The bytes that findings are in, where they are at hand: the record's own time is looked for in them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Text<'a> {
    /// As they were read.
    pub bytes: &'a [u8],
    /// The offset of the first of them, as findings count.
    pub start: u64,
}

/// What all tallies of a ledger share.
#[derive(Debug)]
pub(super) struct Room {
    pub redaction: Redaction,
    pub waiting_bytes: AtomicUsize,
    pub skipped: AtomicU64,
}

/// The sights of one source.
#[derive(Debug)]
pub(super) struct Tally {
    source: Arc<str>,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    table: HashMap<Key, Entry, BuildHasherDefault<DigestHasher>>,
    /// Numbers the calls.
    block: u64,
}

/// What was taken out of a tally: for a batch it is written out, which makes it several times as large.
pub(super) struct Waiting {
    key: Key,
    entry: Entry,
    source: Arc<str>,
}

impl Waiting {
    /// As the database takes it.
    pub fn into_batch(self, redaction: &Redaction) -> BatchEntry {
        self.entry.into_batch(self.key, &self.source, redaction)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    digest: [u8; 16],
    key_id: [u8; 4],
    kind: Kind,
}

/// A digest is keyed, so that nobody can choose its bits: it is a hash already. Those of zeros are few.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.digest[..8]);
    }
}

#[derive(Debug, Default)]
struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.try_into().map_or(self.0, u64::from_ne_bytes);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[derive(Debug)]
struct Entry {
    complete: bool,
    /// The writer reads them.
    claims: Option<Box<UnreadClaims>>,
    first: Sight,
    last: Sight,
    carrier: Carrier,
    count: u64,
    /// Other carriers; most have none.
    others: Vec<(Carrier, u64)>,
    /// The block in which it was new since the writer came by, and the last one that it was in.
    new_in: u64,
    seen_in: u64,
}

#[derive(Clone, Debug)]
struct Sight {
    at: i64,
    time: TimeOf,
    place: Place,
    offset: u64,
}

impl Tally {
    pub fn new(source: &str) -> Self {
        Self { source: source.into(), entries: Mutex::default() }
    }

    /// Counts findings; gives how many were left out.
    pub fn record(&self, room: &Room, findings: &[Finding], text: Text<'_>, place: &Place) -> u64 {
        let now = Timestamp::now().as_millisecond();
        let mut clock = Clock { text, now, line: None };
        let mut skipped = 0;
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.block += 1;
        let block = entries.block;
        // From the last to the first: of those of one credential only the last tells when it was seen last, and to find a
        // record's time costs more than all else here.
        for finding in findings.iter().rev() {
            let fingerprint = &finding.fingerprint;
            let key = Key { digest: fingerprint.digest, key_id: fingerprint.key_id, kind: fingerprint.kind };
            let mut sight = || {
                let (at, time) = clock.time(finding.offset);
                Sight { at, time, place: place.clone(), offset: finding.offset }
            };
            match entries.table.entry(key) {
                Slot::Occupied(mut known) => {
                    let known = known.get_mut();
                    known.count(finding);
                    if known.new_in == block {
                        known.see(sight());
                    } else if known.seen_in != block {
                        known.seen_in = block;
                        known.see(sight());
                    }
                }
                Slot::Vacant(_) if room.waiting_bytes.load(Relaxed) >= WAITING_BYTES_MAX => skipped += 1,
                Slot::Vacant(vacant) => {
                    let claims = room.redaction.take_claims(fingerprint);
                    let entry = vacant.insert(Entry::new(finding, sight(), claims, block));
                    room.waiting_bytes.fetch_add(entry.bytes(), Relaxed);
                }
            }
        }
        skipped
    }

    /// Moves all entries out.
    pub fn take(&self, room: &Room, out: &mut Vec<Waiting>) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        // The next will be as many, and a table that grows is filled again and again.
        let empty = HashMap::with_capacity_and_hasher(entries.table.len(), BuildHasherDefault::default());
        let table = std::mem::replace(&mut entries.table, empty);
        drop(entries);
        for (key, entry) in table {
            room.waiting_bytes.fetch_sub(entry.bytes(), Relaxed);
            out.push(Waiting { key, entry, source: self.source.clone() });
        }
    }

    pub fn is_empty(&self) -> bool {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).table.is_empty()
    }
}

impl Entry {
    fn new(finding: &Finding, sight: Sight, claims: Option<Box<UnreadClaims>>, block: u64) -> Self {
        Self {
            complete: finding.complete,
            claims,
            first: sight.clone(),
            last: sight,
            carrier: finding.carrier,
            count: 1,
            others: Vec::new(),
            new_in: block,
            seen_in: block,
        }
    }

    fn count(&mut self, finding: &Finding) {
        self.complete |= finding.complete;
        if finding.carrier == self.carrier {
            self.count += 1;
        } else {
            match self.others.iter_mut().find(|(carrier, _)| *carrier == finding.carrier) {
                Some((_, count)) => *count += 1,
                None => self.others.push((finding.carrier, 1)),
            }
        }
    }

    /// Within a block the last sight comes first.
    fn see(&mut self, sight: Sight) {
        if sight.at > self.last.at || self.seen_in != self.new_in && sight.at == self.last.at {
            self.last = sight;
        } else if sight.at <= self.first.at && self.seen_in == self.new_in || sight.at < self.first.at {
            self.first = sight;
        }
    }

    /// What it takes while it waits, the table's spare room and later forms of it included.
    fn bytes(&self) -> usize {
        let claims = self.claims.as_ref().map_or(0, |claims| size_of::<Claims>() + claims.bytes());
        2 * (size_of::<Key>() + size_of::<Self>()) + claims
    }

    fn into_batch(self, key: Key, source: &str, redaction: &Redaction) -> BatchEntry {
        let mut counts = vec![(self.carrier.name(), self.count)];
        counts.extend(self.others.iter().map(|(carrier, count)| (carrier.name(), *count)));
        BatchEntry {
            digest: key.digest,
            key_id: key.key_id,
            kind: key.kind.name(),
            complete: self.complete,
            claims: self.claims.map(|unread| redaction.read_claims(&unread).into()),
            first: self.first.into_seen(source),
            last: self.last.into_seen(source),
            counts,
        }
    }
}

impl Sight {
    fn into_seen(self, source: &str) -> Seen {
        let (file, peer, start) = match &self.place {
            Place::Source => (None, None, 0),
            Place::File(path, start) => (Some(path.to_string()), None, *start),
            Place::Peer(address) => (None, Some(address.to_string()), 0),
        };
        let offset = Some(start.wrapping_add(self.offset));
        let location = Location { source: source.to_owned(), file, peer, offset, time: self.time };
        Seen { at: Timestamp::from_millisecond(self.at).unwrap_or_default(), location }
    }
}

/// Tells when a finding was, and asks each line only once.
struct Clock<'a> {
    text: Text<'a>,
    now: i64,
    /// Where the last line that was asked begins and ends in the text, and what it said.
    line: Option<(usize, usize, Option<i64>)>,
}

impl Clock<'_> {
    fn time(&mut self, offset: u64) -> (i64, TimeOf) {
        let at = offset.checked_sub(self.text.start).and_then(|at| usize::try_from(at).ok());
        let Some(at) = at.filter(|at| *at < self.text.bytes.len()) else { return (self.now, TimeOf::Observed) };
        let told = match self.line {
            Some((start, end, told)) if (start..end).contains(&at) => told,
            _ => self.ask(at),
        };
        told.map_or((self.now, TimeOf::Observed), |told| (told, TimeOf::Record))
    }

    fn ask(&mut self, at: usize) -> Option<i64> {
        let bytes = self.text.bytes;
        let from = at.saturating_sub(LINE_BYTES_MAX);
        let start = match memchr::memrchr(b'\n', &bytes[from..at]) {
            Some(newline) => from + newline + 1,
            // It has begun before what is at hand, or too far away.
            None if from > 0 || self.text.start > 0 => return None,
            None => 0,
        };
        let until = bytes.len().min(at + LINE_BYTES_MAX);
        let end = memchr::memchr(b'\n', &bytes[at..until]).map_or(until, |len| at + len);
        let told = super::record_time::record_time(&bytes[start..end]).map(|time| time.as_millisecond());
        let told = told.filter(|told| *told <= self.now + CLOCK_SKEW_MS);
        self.line = Some((start, end, told));
        told
    }
}

/// A path or an address as the ledger may hold it: whoever names a file may put a token into the name.
pub(super) fn clean_name(redaction: &Redaction, name: &str) -> Arc<str> {
    let redacted = crate::redact::Redactor::new(redaction).redact(name.as_bytes());
    let clean = String::from_utf8(redacted.clean).unwrap_or_else(|_| "?".to_owned());
    let mut end = clean.len().min(NAME_BYTES_MAX);
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    clean[..end].into()
}

const NAME_BYTES_MAX: usize = 4096;

pub(super) fn file(redaction: &Redaction, path: &Path, start: u64) -> Place {
    Place::File(clean_name(redaction, &path.display().to_string()), start)
}
