//! The characters of a token's header and payload, while it is consumed.

use zeroize::Zeroize;

/// Of a longer header the beginning is read.
const HEADER_LEN_MAX: usize = 8 << 10;
/// A longer payload is not read.
const PAYLOAD_LEN_MAX: usize = 16 << 10;

/// Characters of base64url without padding. Their memory is cleared on drop.
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

    pub fn header(&self) -> &[u8] {
        &self.characters[..self.header_len]
    }

    /// What came of the payload; `None` if that is nothing, or too much.
    pub fn payload(&self) -> Option<&[u8]> {
        (self.payload_len() > 0 && !self.payload_too_long).then(|| &self.characters[self.header_len..])
    }

    fn payload_len(&self) -> usize {
        self.characters.len() - self.header_len
    }

    #[cfg(test)]
    pub fn memory(&self) -> usize {
        self.characters.capacity()
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
