//! The marker that stands for a credential: `redacted-<kind>-<key id>-<digest>`.

use super::Kind;
use super::finding::KIND_LEN_MAX;
use super::key::{Key, KeyedHash};
use hmac::Mac;

/// How every marker begins.
pub(super) const MARKER_PREFIX: &[u8] = b"redacted-";

/// The longest marker, in bytes.
pub const MARKER_LEN_MAX: usize = "redacted-".len() + KIND_LEN_MAX + 1 + 8 + 1 + 32;

/// Credentials under this many bytes could be guessed by whoever can inject lines and read the clean side.
const GUESSABLE_LEN_MAX: u64 = 15;

/// What a credential is called in the output. Two with the same key id and digest are the same credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    /// What the credential is.
    pub kind: Kind,
    /// Names the key that made the digest.
    pub key_id: [u8; 4],
    /// The leftmost 128 bits of HMAC-SHA-256 over the canonical credential; zeros if that could be guessed.
    pub digest: [u8; 16],
}

impl Fingerprint {
    /// Appends the marker, `[a-z0-9_-]` only.
    pub fn write_marker(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(MARKER_PREFIX);
        out.extend_from_slice(self.kind.name().as_bytes());
        out.push(b'-');
        push_hex(&self.key_id, out);
        out.push(b'-');
        push_hex(&self.digest, out);
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut marker = Vec::with_capacity(MARKER_LEN_MAX);
        self.write_marker(&mut marker);
        f.write_str(std::str::from_utf8(&marker).map_err(|_| std::fmt::Error)?)
    }
}

fn push_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend(bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]));
}

/// A digest in the making: the canonical credential goes through it in pieces and is kept nowhere.
#[derive(Clone)]
pub(super) struct Digester {
    hash: KeyedHash,
    key_id: [u8; 4],
    len: u64,
    weak_allowed: bool,
}

impl Digester {
    pub fn new(key: &Key, weak_allowed: bool) -> Self {
        Self { hash: key.marker_hash(), key_id: key.id(), len: 0, weak_allowed }
    }

    pub fn update(&mut self, canonical: &[u8]) {
        self.hash.update(canonical);
        self.len += canonical.len() as u64;
    }

    pub fn finish(self, kind: Kind) -> Fingerprint {
        let mut digest = [0; 16];
        let guessable = kind == Kind::Basic || self.len <= GUESSABLE_LEN_MAX;
        if self.weak_allowed || !guessable {
            digest.copy_from_slice(&self.hash.finalize().into_bytes()[..16]);
        }
        Fingerprint { kind, key_id: self.key_id, digest }
    }
}
