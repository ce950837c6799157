//! Choices made by a fuzzer's bytes, and by a generator of random numbers once they are used up.

#[derive(Debug)]
pub struct Entropy<'a> {
    bytes: &'a [u8],
    /// xorshift64*.
    state: u64,
}

impl<'a> Entropy<'a> {
    /// The bytes decide, also what comes after them.
    pub fn new(bytes: &'a [u8]) -> Self {
        let mix = |state: u64, byte: &u8| state.wrapping_mul(0x0000_0100_0000_01b3) ^ u64::from(*byte);
        Self { bytes, state: bytes.iter().fold(0xcbf2_9ce4_8422_2325, mix) | 1 }
    }

    fn random(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn byte(&mut self) -> u8 {
        match self.bytes.split_first() {
            Some((byte, rest)) => {
                self.bytes = rest;
                *byte
            }
            None => (self.random() >> 40) as u8,
        }
    }

    /// A choice takes one byte: a fuzzer that changes it changes that choice alone.
    pub fn below(&mut self, limit: usize) -> usize {
        debug_assert!(0 < limit && limit <= 256, "a byte decides");
        usize::from(self.byte()) % limit
    }

    pub fn pick<'b, T: ?Sized>(&mut self, choices: &[&'b T]) -> &'b T {
        choices[self.below(choices.len())]
    }

    /// What need not be chosen: the bytes of keys and signatures.
    pub fn noise(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| (self.random() >> 40) as u8).collect()
    }

    /// Cuts a text into pieces.
    pub fn cut<'b>(&mut self, text: &'b [u8]) -> Vec<&'b [u8]> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at((1 + self.below(80)).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces
    }
}
