//! What the engine was given when the process ended: after a restart the records of which it died can be told.
//!
//! Before the engine takes bytes of a file, their place is written to a small file in `data_dir`. It is not synced: what
//! was written outlives the process, and after a loss of power there is nothing to find out. A place that is still there
//! at the next start counts as a failure there. Two failures make it suspect, and then its records are taken one by one.

use super::checkpoint::file_stem;
use super::data_dir::DataDir;
use super::identity::FileId;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

const MAGIC: &[u8; 8] = b"beartrap";
/// Raised by one when the layout changes; of another version nothing is known.
const VERSION: u32 = 1;
/// How often the engine fails at a place before its records are taken one by one, and at a record before it is given up.
const FAILURES: u32 = 2;
/// The oldest place is forgotten for another.
const PLACES_MAX: usize = 16;

/// Bytes of a file that the engine was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub id: FileId,
    pub range: Range<u64>,
    /// They are one record, and no other bytes than its can be the reason.
    pub is_record: bool,
}

/// What is known of a file that the engine has failed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Suspicion {
    /// Records in here are taken one by one.
    pub range: Range<u64>,
    /// Records that end the process in a way that can't be caught: they are not tried again.
    pub fatal: Vec<Range<u64>>,
}

/// The attempts of one source.
#[derive(Debug)]
pub(super) struct Attempts {
    source: String,
    path: PathBuf,
    file: Option<File>,
    /// An attempt is noted in it.
    is_open: bool,
    /// Places of earlier failures and how many there were.
    failed: Vec<(Place, u32)>,
}

impl Attempts {
    /// Reads what the last process left, and starts anew. Without the file a record may stop the source for good, which
    /// is no reason not to start.
    pub fn open(data_dir: &DataDir, source: &str) -> Self {
        let name = format!("{}.attempts", file_stem(source));
        let path = data_dir.path().join(&name);
        let mut attempts = Self { source: source.to_owned(), path, file: None, is_open: false, failed: Vec::new() };
        match data_dir.open_file(&name) {
            Ok(file) => {
                let (attempt, failed) = read(&file);
                attempts.file = Some(file);
                attempts.failed = failed;
                if let Some(place) = attempt {
                    attempts.count(place);
                }
                attempts.write(|attempts, file| file.write_all_at(&attempts.encode(None), 0));
            }
            Err(error) => attempts.give_up(&error),
        }
        attempts
    }

    fn count(&mut self, place: Place) {
        let same = |known: &Place| {
            known.id == place.id
                && known.is_record == place.is_record
                && if place.is_record {
                    known.range.start == place.range.start
                } else {
                    known.range.start < place.range.end && place.range.start < known.range.end
                }
        };
        let before = self.failed.iter().position(|(known, _)| same(known)).map_or(0, |at| self.failed.remove(at).1);
        tracing::warn!(
            source = self.source,
            offset = place.range.start,
            failures = before + 1,
            "the last run ended while the engine worked at this offset of a file"
        );
        self.failed.push((place, before.saturating_add(1)));
        if self.failed.len() > PLACES_MAX {
            self.failed.remove(0);
        }
    }

    /// What to beware of in a file.
    pub fn suspicion(&self, id: FileId) -> Option<Suspicion> {
        let suspect = |is_record| {
            let of_file = self.failed.iter().filter(move |(place, failures)| {
                place.id == id && place.is_record == is_record && *failures >= FAILURES
            });
            of_file.map(|(place, _)| place.range.clone())
        };
        let range = suspect(false).reduce(|all, next| all.start.min(next.start)..all.end.max(next.end))?;
        Some(Suspicion { range, fatal: suspect(true).collect() })
    }

    /// The engine is about to take these bytes.
    pub fn begin(&mut self, place: &Place) {
        self.is_open = true;
        self.write(|_, file| file.write_all_at(&encode_attempt(Some(place)), ATTEMPT_AT));
    }

    /// It has taken them, or nothing is to be said of them.
    pub fn end(&mut self) {
        if !std::mem::take(&mut self.is_open) {
            return;
        }
        self.write(|_, file| file.write_all_at(&encode_attempt(None), ATTEMPT_AT));
    }

    /// Forgets a file's failures before an offset, up to which all is delivered.
    pub fn forget(&mut self, id: FileId, delivered_to: u64) {
        let before = self.failed.len();
        self.failed.retain(|(place, _)| place.id != id || place.range.end > delivered_to);
        if self.failed.len() != before {
            self.write(|attempts, file| file.write_all_at(&attempts.encode(None), 0));
        }
    }

    /// Whether there is something to forget.
    pub fn knows_failures(&self) -> bool {
        !self.failed.is_empty()
    }

    fn write(&mut self, write: impl FnOnce(&Self, &File) -> io::Result<()>) {
        if let Some(file) = &self.file
            && let Err(error) = write(self, file)
        {
            self.give_up(&error);
        }
    }

    fn give_up(&mut self, error: &io::Error) {
        self.file = None;
        tracing::error!(
            source = self.source, path = %self.path.display(), %error,
            "attempts can't be noted: a record that the engine fails at would stop the source again and again"
        );
    }

    fn encode(&self, attempt: Option<&Place>) -> Vec<u8> {
        let mut bytes = [MAGIC, &VERSION.to_le_bytes()[..]].concat();
        bytes.extend_from_slice(&encode_attempt(attempt));
        let mut failed = vec![self.failed.len() as u8];
        for (place, failures) in &self.failed {
            encode_place(place, &mut failed);
            failed.extend_from_slice(&failures.to_le_bytes());
        }
        with_crc(&mut failed);
        bytes.extend_from_slice(&failed);
        bytes
    }
}

// Layout, numbers little-endian: magic, version u32; attempt: 0 or 1, its place, CRC-32; failed: how many, of each its
// place and failures u32, CRC-32. All of it lies in one page, and a write of it is whole or not there.

const ATTEMPT_AT: u64 = (MAGIC.len() + 4) as u64;
const PLACE_LEN: usize = 5 * 8 + 1;
const ATTEMPT_LEN: usize = 1 + PLACE_LEN + 4;
const FILE_LEN_MAX: usize = ATTEMPT_AT as usize + ATTEMPT_LEN + 1 + PLACES_MAX * (PLACE_LEN + 4) + 4;

fn encode_attempt(place: Option<&Place>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ATTEMPT_LEN);
    bytes.push(u8::from(place.is_some()));
    match place {
        Some(place) => encode_place(place, &mut bytes),
        None => bytes.extend_from_slice(&[0; PLACE_LEN]),
    }
    with_crc(&mut bytes);
    bytes
}

fn encode_place(place: &Place, bytes: &mut Vec<u8>) {
    for number in [place.id.device, place.id.inode, place.id.born_ns, place.range.start, place.range.end] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.push(u8::from(place.is_record));
}

fn with_crc(bytes: &mut Vec<u8>) {
    let crc = crc32fast::hash(bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
}

/// Damage means that nothing is known.
fn read(file: &File) -> (Option<Place>, Vec<(Place, u32)>) {
    let mut bytes = vec![0; FILE_LEN_MAX];
    let mut len = 0;
    while let Ok(read @ 1..) = file.read_at(&mut bytes[len..], len as u64) {
        len += read;
    }
    let header = [MAGIC, &VERSION.to_le_bytes()[..]].concat();
    let Some(rest) = bytes[..len].strip_prefix(&header[..]) else { return Default::default() };
    let Some((attempt, failed)) = rest.split_at_checked(ATTEMPT_LEN) else { return Default::default() };
    let attempt =
        without_crc(attempt).filter(|attempt| attempt[0] == 1).and_then(|attempt| decode_place(&attempt[1..]));
    // A longer list may have been there before.
    let len = failed.first().map_or(0, |&count| 1 + usize::from(count) * (PLACE_LEN + 4) + 4);
    let failed = failed.get(..len).and_then(without_crc).map_or(&[][..], |failed| &failed[1..]);
    let failed = failed.chunks_exact(PLACE_LEN + 4).filter_map(|entry| {
        let (place, failures) = entry.split_last_chunk::<4>()?;
        Some((decode_place(place)?, u32::from_le_bytes(*failures)))
    });
    (attempt, failed.collect())
}

fn without_crc(bytes: &[u8]) -> Option<&[u8]> {
    let (covered, crc) = bytes.split_last_chunk::<4>()?;
    (!covered.is_empty() && crc32fast::hash(covered) == u32::from_le_bytes(*crc)).then_some(covered)
}

fn decode_place(bytes: &[u8]) -> Option<Place> {
    let mut numbers = bytes.chunks_exact(8).filter_map(|number| number.try_into().ok()).map(u64::from_le_bytes);
    let mut number = || numbers.next();
    let id = FileId { device: number()?, inode: number()?, born_ns: number()? };
    Some(Place { id, range: number()?..number()?, is_record: *bytes.get(PLACE_LEN - 1)? == 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(inode: u64, range: Range<u64>, is_record: bool) -> Place {
        Place { id: FileId { device: 1, inode, born_ns: 3 }, range, is_record }
    }

    struct Directory {
        _root: tempfile::TempDir,
        data_dir: DataDir,
    }

    impl Directory {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            let data_dir = DataDir::open(&root.path().join("state")).unwrap();
            Self { _root: root, data_dir }
        }

        /// A process that dies in an attempt.
        fn die_at(&self, place: &Place) {
            Attempts::open(&self.data_dir, "app").begin(place);
        }

        fn open(&self) -> Attempts {
            Attempts::open(&self.data_dir, "app")
        }
    }

    #[test]
    fn two_failures_at_overlapping_places_are_suspect() {
        let directory = Directory::new();
        let id = place(7, 0..1, false).id;
        directory.die_at(&place(7, 100..300, false));
        assert_eq!(directory.open().suspicion(id), None);
        directory.die_at(&place(7, 200..400, false));
        assert_eq!(directory.open().suspicion(id), Some(Suspicion { range: 200..400, fatal: Vec::new() }));
        // It stays so at each start, and is about that file only.
        let mut attempts = directory.open();
        assert!(attempts.suspicion(id).is_some() && attempts.suspicion(place(8, 0..1, false).id).is_none());
        attempts.forget(id, 399);
        assert!(attempts.suspicion(id).is_some());
        attempts.forget(id, 400);
        assert!(attempts.suspicion(id).is_none() && directory.open().suspicion(id).is_none());
    }

    #[test]
    fn failures_at_different_places_are_not_added_up() {
        let directory = Directory::new();
        for start in 0..5 {
            directory.die_at(&place(7, start * 100..start * 100 + 100, false));
        }
        assert_eq!(directory.open().suspicion(place(7, 0..1, false).id), None);
    }

    #[test]
    fn an_attempt_that_ended_is_no_failure() {
        let directory = Directory::new();
        for _ in 0..3 {
            let mut attempts = directory.open();
            attempts.begin(&place(7, 100..300, false));
            attempts.end();
        }
        assert!(!directory.open().knows_failures());
    }

    #[test]
    fn a_record_that_ends_the_process_twice_is_fatal() {
        let directory = Directory::new();
        let id = place(7, 0..1, false).id;
        for end in [300, 310] {
            directory.die_at(&place(7, 100..300, false));
            directory.die_at(&place(7, 200..end, true));
        }
        assert_eq!(
            directory.open().suspicion(id),
            Some(Suspicion { range: 100..300, fatal: std::iter::once(200..310).collect() })
        );
    }

    #[test]
    fn the_oldest_places_are_forgotten() {
        let directory = Directory::new();
        for inode in 0..40 {
            directory.die_at(&place(inode, 0..100, false));
        }
        let attempts = directory.open();
        assert_eq!(attempts.failed.len(), PLACES_MAX);
        assert!(attempts.encode(Some(&place(1, 0..1, true))).len() <= FILE_LEN_MAX);
        assert_eq!(attempts.failed.last().map(|(place, _)| place.id.inode), Some(39));
    }

    #[test]
    fn damage_means_that_nothing_is_known() {
        let directory = Directory::new();
        directory.die_at(&place(7, 100..300, false));
        directory.die_at(&place(7, 100..300, false));
        let path = directory.data_dir.path().join("app.attempts");
        let good = std::fs::read(&path).unwrap();
        for bit in 0..good.len() * 8 {
            let mut damaged = good.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, damaged).unwrap();
            let suspicion = directory.open().suspicion(place(7, 0..1, false).id);
            assert!(suspicion.is_none_or(|suspicion| suspicion.range == (100..300)), "bit {bit}");
        }
        for len in 0..good.len() {
            std::fs::write(&path, &good[..len]).unwrap();
            directory.open();
        }
    }
}
