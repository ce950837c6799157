//! Which file is which: names move, inodes are reused, contents are replaced in place.

use crate::redact::Carry;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::UNIX_EPOCH;

/// How many bytes at the start of a file its head digest covers at most.
pub(super) const HEAD_LEN_MAX: usize = 1024;
/// How many bytes before an offset its tail digest covers at most.
pub(super) const TAIL_LEN_MAX: usize = 64;

/// A file, whatever it is called at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FileId {
    pub device: u64,
    pub inode: u64,
    /// When it was made, in nanoseconds since 1970; 0 where the file system does not say. File systems give a freed
    /// inode number to the next file at once, and a new log often begins like the old one: its birth tells them apart.
    pub born_ns: u64,
}

impl FileId {
    pub fn of(metadata: &Metadata) -> Self {
        let born = metadata.created().ok().and_then(|born| born.duration_since(UNIX_EPOCH).ok());
        let born_ns = born.and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or(0);
        Self { device: metadata.dev(), inode: metadata.ino(), born_ns }
    }
}

/// A keyed hash of a stretch of a file. Only its like can be compared with it; it tells nothing about the bytes.
pub(super) type Digest = [u8; 16];

/// Makes digests that only this installation can compare.
#[derive(Clone)]
pub(super) struct IdentityKey(Hmac<Sha256>);

impl IdentityKey {
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes keys of every length"))
    }

    fn digest(&self, label: &[u8], bytes: &[u8]) -> Digest {
        let mut hash = self.0.clone();
        hash.update(label);
        hash.update(bytes);
        let full = hash.finalize().into_bytes();
        let mut digest = Digest::default();
        digest.copy_from_slice(&full[..16]);
        digest
    }

    /// The digest of a file's first bytes, [`HEAD_LEN_MAX`] at most.
    pub fn head(&self, bytes: &[u8]) -> Digest {
        self.digest(b"head", bytes)
    }

    /// The digest of the bytes before an offset, [`TAIL_LEN_MAX`] at most.
    pub fn tail(&self, bytes: &[u8]) -> Digest {
        self.digest(b"tail", bytes)
    }
}

impl std::fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdentityKey")
    }
}

/// A place in a file at which reading may start, and what the file looked like up to there.
///
/// Only bytes before the offset count: what comes after is read anyway, whatever it is. So a file that was shorter
/// than [`HEAD_LEN_MAX`] when it was seen may grow and is still itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub offset: u64,
    /// What the record before left open.
    pub carry: Carry,
    /// Of the first `min(offset, HEAD_LEN_MAX)` bytes.
    pub head: Digest,
    /// Of the `min(offset, TAIL_LEN_MAX)` bytes before the offset.
    pub tail: Digest,
}

impl Position {
    /// The beginning of any file.
    pub fn start(key: &IdentityKey) -> Self {
        Self { offset: 0, carry: Carry::None, head: key.head(&[]), tail: key.tail(&[]) }
    }
}

/// The bytes of a file that tell whether it is still the one that was read up to an offset.
#[derive(Clone, Debug, Default)]
pub(super) struct Landmarks {
    /// The file's first bytes, up to the offset, [`HEAD_LEN_MAX`] at most.
    pub head: Vec<u8>,
    /// The bytes before the offset, [`TAIL_LEN_MAX`] at most.
    pub tail: Vec<u8>,
}

impl Landmarks {
    /// Reads them; `None` if the file ends before the offset.
    pub fn read(file: &File, offset: u64) -> io::Result<Option<Self>> {
        let mut head = vec![0; len_up_to(offset, HEAD_LEN_MAX)];
        let mut tail = vec![0; len_up_to(offset, TAIL_LEN_MAX)];
        let tail_start = offset - tail.len() as u64;
        let read = file.read_exact_at(&mut head, 0).and_then(|()| file.read_exact_at(&mut tail, tail_start));
        match read {
            Ok(()) => Ok(Some(Self { head, tail })),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether they are those of `position`.
    pub fn match_position(&self, position: &Position, key: &IdentityKey) -> bool {
        key.head(&self.head) == position.head && key.tail(&self.tail) == position.tail
    }

    /// The position at `offset`, which they have been read for.
    pub fn position(&self, offset: u64, carry: Carry, key: &IdentityKey) -> Position {
        Position { offset, carry, head: key.head(&self.head), tail: key.tail(&self.tail) }
    }
}

fn len_up_to(offset: u64, max: usize) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX).min(max)
}
