//! The characters of a token's header and payload: while it is consumed, and until somebody reads them.

use zeroize::Zeroize;

/// Of a longer header the beginning is read.
const HEADER_LEN_MAX: usize = 8 << 10;
/// A longer payload is not read.
const PAYLOAD_LEN_MAX: usize = 16 << 10;

/// Characters of base64url without padding, of a token in progress. Their memory is used again for the next one, and cleared
/// before.
pub(in crate::redact) struct Parts {
    characters: Vec<u8>,
    header_len: usize,
    payload_too_long: bool,
}

impl Parts {
    pub fn new() -> Self {
        /// Few tokens need more.
        const LEN: usize = 1024;
        Self { characters: Vec::with_capacity(LEN), header_len: 0, payload_too_long: false }
    }

    /// Takes more of a part: 0 is the header, 1 the payload.
    pub fn push(&mut self, part: usize, characters: &[u8]) {
        match part {
            0 => {
                let len = characters.len().min(HEADER_LEN_MAX - self.header_len);
                self.append(&characters[..len]);
                self.header_len += len;
            }
            1 if self.payload_len() + characters.len() <= PAYLOAD_LEN_MAX && !self.payload_too_long => {
                self.append(characters);
            }
            1 => self.payload_too_long = true,
            _ => {}
        }
    }

    /// The same for the next token, without what a long one took.
    pub fn clear(&mut self) {
        const KEPT_LEN_MAX: usize = 4 << 10;
        self.characters.as_mut_slice().zeroize();
        self.characters.clear();
        if self.characters.capacity() > KEPT_LEN_MAX {
            self.characters = Vec::new();
        }
        self.header_len = 0;
        self.payload_too_long = false;
    }

    fn payload_len(&self) -> usize {
        self.characters.len() - self.header_len
    }

    /// Grows without leaving a copy behind.
    fn append(&mut self, characters: &[u8]) {
        let len = self.characters.len() + characters.len();
        if len > self.characters.capacity() {
            let mut longer = Vec::with_capacity(len.next_power_of_two());
            longer.extend_from_slice(&self.characters);
            self.characters.as_mut_slice().zeroize();
            self.characters = longer;
        }
        self.characters.extend_from_slice(characters);
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        // Nothing was ever written behind them.
        self.characters.as_mut_slice().zeroize();
    }
}

/// What a token says of itself, not read yet: the characters of its header and payload. Its memory is cleared on drop.
pub struct UnreadClaims {
    characters: Box<[u8]>,
    header_len: u32,
    /// The key that made the token's digest.
    pub(super) key_id: [u8; 4],
}

impl UnreadClaims {
    pub(super) fn new(parts: &Parts, key_id: [u8; 4]) -> Self {
        let len = if parts.payload_too_long { parts.header_len } else { parts.characters.len() };
        Self { characters: parts.characters[..len].into(), header_len: parts.header_len as u32, key_id }
    }

    pub(super) fn header(&self) -> &[u8] {
        &self.characters[..self.header_len as usize]
    }

    /// Nothing where no payload came, or too much.
    pub(super) fn payload(&self) -> &[u8] {
        &self.characters[self.header_len as usize..]
    }

    /// What it takes in memory.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.characters.len()
    }
}

impl Drop for UnreadClaims {
    fn drop(&mut self) {
        self.characters.zeroize();
    }
}

impl std::fmt::Debug for UnreadClaims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UnreadClaims")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lens(parts: &Parts) -> (usize, usize) {
        let unread = UnreadClaims::new(parts, [0; 4]);
        assert!(unread.header().iter().all(|byte| *byte == b'h') && unread.payload().iter().all(|byte| *byte == b'p'));
        (unread.header().len(), unread.payload().len())
    }

    #[test]
    fn only_so_much_is_kept_of_a_header_and_a_payload_and_nothing_else() {
        let mut parts = Parts::new();
        parts.push(0, &[b'h'; 5000]);
        parts.push(0, &[b'h'; 5000]);
        parts.push(1, &[b'p'; 16 << 10]);
        parts.push(2, b"s");
        assert_eq!(lens(&parts), (8 << 10, 16 << 10));
        parts.push(1, b"p");
        parts.push(1, &[b'p'; 1 << 20]);
        parts.push(1, b"p");
        parts.push(2, &[b's'; 1 << 20]);
        assert_eq!(lens(&parts), (8 << 10, 0));
        assert!(parts.characters.capacity() <= 32 << 10);
        parts.clear();
        assert_eq!(lens(&parts), (0, 0));
        parts.push(0, b"hh");
        parts.push(1, b"ppp");
        assert_eq!(lens(&parts), (2, 3));
    }
}
