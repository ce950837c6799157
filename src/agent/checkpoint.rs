//! Where each file of a source goes on after a restart: two generations on disk, hashes and offsets, never content.
//!
//! A checkpoint that is lost or damaged costs duplicates, never records: the older generation is behind, and without
//! any the files are read from their beginning.

use super::data_dir::DataDir;
use super::identity::{Digest, FileId, Position};
use crate::redact::Carry;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"beartrap";
/// Raised by one when the layout or the meaning of a field changes.
const VERSION: u32 = 1;
const HEADER_LEN: usize = MAGIC.len() + 4 + 8;
const CRC_LEN: usize = 4;

/// What is known of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub id: FileId,
    /// Everything before it is delivered.
    pub position: Position,
    /// Its last known name: where to look for it and its neighbours, not what it is.
    pub path: PathBuf,
    /// Seconds since 1970.
    pub last_seen_secs: u64,
}

/// The checkpoint of one source.
#[derive(Debug)]
pub(super) struct Checkpoint {
    data_dir: DataDir,
    name: String,
    older_name: String,
    path: PathBuf,
    /// A damaged newest generation must not push out a good older one.
    newest_is_good: bool,
}

/// What was found at the start.
#[derive(Debug)]
pub(super) struct Loaded {
    pub entries: Vec<Entry>,
    /// There has never been a checkpoint: nothing was read before.
    pub is_first_start: bool,
}

impl Checkpoint {
    /// Finds the newest generation that can be read.
    pub fn load(data_dir: &DataDir, source: &str) -> (Self, Loaded) {
        let name = format!("{}.checkpoint", file_stem(source));
        let older_name = format!("{name}.1");
        let newest = read(data_dir, &name);
        let newest_is_good = matches!(newest, Ok(Some(_)));
        let older = if newest_is_good { Ok(None) } else { read(data_dir, &older_name) };
        let mut loaded = Loaded { entries: Vec::new(), is_first_start: true };
        let mut found = None;
        for (name, generation) in [(&name, newest), (&older_name, older)] {
            match generation {
                Ok(entries) => found = found.or(entries),
                Err(problem) => {
                    loaded.is_first_start = false;
                    let path = data_dir.path().join(name);
                    tracing::warn!(source, path = %path.display(), %problem, "checkpoint can't be used");
                }
            }
        }
        match found {
            Some(entries) => loaded = Loaded { entries, is_first_start: false },
            None if loaded.is_first_start => {}
            None => tracing::warn!(source, "no usable checkpoint: files are read from their beginning"),
        }
        let path = data_dir.path().join(&name);
        (Self { data_dir: data_dir.clone(), name, older_name, path, newest_is_good }, loaded)
    }

    /// Makes `entries` the newest generation; durable when it returns.
    pub fn store<'a>(&mut self, entries: impl Iterator<Item = &'a Entry>) -> io::Result<()> {
        let contents = encode(entries);
        self.data_dir.replace(&self.name, &contents, self.newest_is_good.then_some(&self.older_name))?;
        self.newest_is_good = true;
        Ok(())
    }

    /// Where it is stored.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A source's name as a file name; no two names share one.
pub(super) fn file_stem(source: &str) -> String {
    let mut stem = String::new();
    for byte in source.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' {
            stem.push(char::from(byte));
        } else {
            stem.push_str(&format!("%{byte:02x}"));
        }
    }
    stem
}

/// Why a generation can't be used.
#[derive(Debug)]
enum Problem {
    Io(io::Error),
    Damaged,
    NewerVersion(u32),
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Problem::Io(error) => error.fmt(f),
            Problem::Damaged => f.write_str("it is damaged"),
            Problem::NewerVersion(version) => write!(f, "it has format {version}, and this version knows {VERSION}"),
        }
    }
}

fn read(data_dir: &DataDir, name: &str) -> Result<Option<Vec<Entry>>, Problem> {
    match data_dir.read(name) {
        Ok(bytes) => bytes.map(|bytes| decode(&bytes)).transpose(),
        Err(error) => Err(Problem::Io(error)),
    }
}

// Layout, numbers little-endian: magic, version u32, length of the body u64, body, CRC-32 of all before it.

fn encode<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&[0; 8]);
    for entry in entries {
        for number in [entry.id.device, entry.id.inode, entry.id.born_ns, entry.position.offset, entry.last_seen_secs] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.push(entry.position.carry.code());
        bytes.extend_from_slice(&entry.position.head);
        bytes.extend_from_slice(&entry.position.tail);
        let path = entry.path.as_os_str().as_bytes();
        bytes.extend_from_slice(&(path.len() as u64).to_le_bytes());
        bytes.extend_from_slice(path);
    }
    let body_len = (bytes.len() - HEADER_LEN) as u64;
    bytes[HEADER_LEN - 8..HEADER_LEN].copy_from_slice(&body_len.to_le_bytes());
    let crc = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Result<Vec<Entry>, Problem> {
    let (covered, crc) = bytes.split_last_chunk::<CRC_LEN>().ok_or(Problem::Damaged)?;
    if crc32fast::hash(covered) != u32::from_le_bytes(*crc) {
        return Err(Problem::Damaged);
    }
    let mut reader = Reader(covered);
    if reader.array::<8>() != Some(*MAGIC) {
        return Err(Problem::Damaged);
    }
    match reader.array().map(u32::from_le_bytes).ok_or(Problem::Damaged)? {
        VERSION => {}
        version => return Err(Problem::NewerVersion(version)),
    }
    if reader.number() != Some(reader.0.len() as u64) {
        return Err(Problem::Damaged);
    }
    let mut entries = Vec::new();
    while !reader.0.is_empty() {
        entries.push(reader.entry().ok_or(Problem::Damaged)?);
    }
    Ok(entries)
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*array)
    }

    fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn entry(&mut self) -> Option<Entry> {
        let id = FileId { device: self.number()?, inode: self.number()?, born_ns: self.number()? };
        let offset = self.number()?;
        let last_seen_secs = self.number()?;
        let carry = Carry::from_code(self.array::<1>()?[0])?;
        let head: Digest = self.array()?;
        let tail: Digest = self.array()?;
        let path_len = usize::try_from(self.number()?).ok()?;
        let (path, rest) = self.0.split_at_checked(path_len)?;
        self.0 = rest;
        let path = PathBuf::from(OsString::from_vec(path.to_vec()));
        Some(Entry { id, position: Position { offset, carry, head, tail }, path, last_seen_secs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u64) -> Entry {
        Entry {
            id: FileId { device: 1, inode: number, born_ns: 3 },
            position: Position { offset: number * 100, carry: Carry::None, head: [1; 16], tail: [2; 16] },
            path: PathBuf::from(OsString::from_vec(b"/var/log/\xff.log".to_vec())),
            last_seen_secs: 5,
        }
    }

    fn older_path(checkpoint: &Checkpoint) -> PathBuf {
        checkpoint.path.with_added_extension("1")
    }

    fn load(data_dir: &DataDir) -> Loaded {
        Checkpoint::load(data_dir, "app").1
    }

    #[test]
    fn what_was_stored_is_loaded() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(&directory.path().join("state")).unwrap();
        let (mut checkpoint, loaded) = Checkpoint::load(&data_dir, "app");
        assert!(loaded.is_first_start && loaded.entries.is_empty());
        let entries = [entry(1), entry(2)];
        checkpoint.store(entries.iter()).unwrap();
        let loaded = load(&data_dir);
        assert_eq!(loaded.entries, entries);
        assert!(!loaded.is_first_start);
    }

    #[test]
    fn any_damage_gives_the_older_state_or_none() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(&directory.path().join("state")).unwrap();
        let (mut checkpoint, _) = Checkpoint::load(&data_dir, "app");
        checkpoint.store([entry(1)].iter()).unwrap();
        checkpoint.store([entry(2)].iter()).unwrap();
        let good = std::fs::read(&checkpoint.path).unwrap();

        let expect_older = |damaged: &[u8]| {
            std::fs::write(&checkpoint.path, damaged).unwrap();
            assert_eq!(load(&data_dir).entries, [entry(1)]);
        };
        for bit in 0..good.len() * 8 {
            let mut damaged = good.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            expect_older(&damaged);
        }
        for len in 0..good.len() {
            expect_older(&good[..len]);
        }
        std::fs::remove_file(&checkpoint.path).unwrap();
        assert_eq!(load(&data_dir).entries, [entry(1)]);

        std::fs::write(&checkpoint.path, b"").unwrap();
        std::fs::write(older_path(&checkpoint), b"").unwrap();
        let loaded = load(&data_dir);
        assert!(loaded.entries.is_empty() && !loaded.is_first_start);
    }

    #[test]
    fn a_newer_format_is_not_guessed_at() {
        let mut bytes = encode([entry(1)].iter());
        bytes.truncate(bytes.len() - CRC_LEN);
        bytes[8] = 2;
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        assert!(matches!(decode(&bytes), Err(Problem::NewerVersion(2))));
    }

    #[test]
    fn a_damaged_newest_generation_does_not_push_out_the_older() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(&directory.path().join("state")).unwrap();
        let (mut checkpoint, _) = Checkpoint::load(&data_dir, "app");
        checkpoint.store([entry(1)].iter()).unwrap();
        checkpoint.store([entry(2)].iter()).unwrap();
        std::fs::write(&checkpoint.path, b"damaged").unwrap();
        let (mut checkpoint, _) = Checkpoint::load(&data_dir, "app");
        checkpoint.store([entry(3)].iter()).unwrap();
        assert_eq!(load(&data_dir).entries, [entry(3)]);
        std::fs::remove_file(&checkpoint.path).unwrap();
        assert_eq!(load(&data_dir).entries, [entry(1)]);
    }

    #[test]
    fn names_of_sources_do_not_collide() {
        assert_eq!(file_stem("app-1_x"), "app-1_x");
        assert_ne!(file_stem("a.b"), file_stem("a_b"));
        assert!(!file_stem("../../etc/passwd").contains(['/', '.']));
    }
}
