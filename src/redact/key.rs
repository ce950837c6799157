//! The secret key and what is derived from it.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

pub(super) type KeyedHash = Hmac<Sha256>;

/// Raised by one when the canonical form of a credential changes: digests then differ, and so must the key id.
const MARKER_LABEL: &[u8] = b"beartrap marker v1";
const CLAIM_LABEL: &[u8] = b"beartrap claim v1";
const KEY_ID_LABEL: &[u8] = b"beartrap key id v1";

/// One key: 32 secret bytes, of which only derived states are kept. All memory is cleared on drop.
#[derive(Clone)]
pub struct Key {
    id: [u8; 4],
    /// Keyed and ready: a clone costs two compressions less than a new one.
    marker_hash: KeyedHash,
    claim_hash: KeyedHash,
}

impl Key {
    /// Derives the states from 32 secret bytes.
    pub fn new(secret: &[u8; 32]) -> Self {
        let derive = |label: &[u8]| -> Zeroizing<[u8; 32]> {
            let mut hash = keyed(secret);
            hash.update(label);
            Zeroizing::new(hash.finalize().into_bytes().into())
        };
        let id = derive(KEY_ID_LABEL);
        let [marker_hash, claim_hash] = [MARKER_LABEL, CLAIM_LABEL].map(|label| keyed(&derive(label)));
        Self { id: [id[0], id[1], id[2], id[3]], marker_hash, claim_hash }
    }

    /// The public name of the key: it tells keys apart and helps in nothing else.
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    pub(super) fn marker_hash(&self) -> KeyedHash {
        self.marker_hash.clone()
    }

    /// What the value of a claim is called: it tells equal ones, and nothing else of them.
    pub(super) fn claim_digest(&self, name: &str, value: &[u8]) -> [u8; 16] {
        let mut hash = self.claim_hash.clone();
        hash.update(name.as_bytes());
        hash.update(&[0]);
        hash.update(value);
        let mut digest = [0; 16];
        digest.copy_from_slice(&hash.finalize().into_bytes()[..16]);
        digest
    }
}

fn keyed(secret: &[u8; 32]) -> KeyedHash {
    KeyedHash::new_from_slice(secret).expect("HMAC takes keys of every length")
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

/// The keys of a key file: the first one is active, later ones only serve look-ups.
#[derive(Clone, Debug)]
pub struct KeyRing(Vec<Key>);

impl KeyRing {
    /// Reads the text of a key file: one key a line, 64 hexadecimal digits each; blank lines, CRLF and a missing last
    /// newline are fine.
    ///
    /// # Errors
    /// Names the line at fault, never its contents.
    pub fn parse(text: &[u8]) -> Result<Self, KeyError> {
        let mut keys = Vec::new();
        for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            let secret = decode_hex(line).ok_or(KeyError::Line { line: index + 1, len: line.len() })?;
            keys.push(Key::new(&secret));
        }
        if keys.is_empty() { Err(KeyError::Empty) } else { Ok(Self(keys)) }
    }

    /// The key that makes markers.
    pub fn active(&self) -> &Key {
        &self.0[0]
    }

    /// All keys, the active one first.
    pub fn keys(&self) -> &[Key] {
        &self.0
    }
}

fn decode_hex(digits: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    if digits.len() != 64 {
        return None;
    }
    let mut secret = Zeroizing::new([0; 32]);
    for (byte, pair) in secret.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = (high * 16 + low) as u8;
    }
    Some(secret)
}

/// Why a key file's text is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// No key in it.
    Empty,
    /// A line (counted from 1) that is not 64 hexadecimal digits but something of this many bytes.
    Line {
        /// The line's number, counted from 1.
        line: usize,
        /// How many bytes it has without surrounding blanks.
        len: usize,
    },
}

impl std::fmt::Display for KeyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            KeyError::Empty => f.write_str("the key file holds no key; a key is a line of 64 hexadecimal digits"),
            KeyError::Line { line, len: 64 } => {
                write!(f, "line {line} of the key file has a character that is no hexadecimal digit")
            }
            KeyError::Line { line, len } => {
                write!(f, "line {line} of the key file has {len} characters; a key is 64 hexadecimal digits")
            }
        }
    }
}

impl std::error::Error for KeyError {}
