//! Checksums that some vendors put into their tokens: a text whose checksum is wrong is no token.

/// How a token's last characters follow from the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// The last six characters are the CRC-32 of what stands behind the first `_`, in base 62 (GitHub, npm).
    Crc32Base62,
}

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CHECKSUM_LEN: usize = 6;

impl Checksum {
    /// Whether the checksum of `token` is right.
    pub(super) fn holds(self, token: &[u8]) -> bool {
        let Checksum::Crc32Base62 = self;
        let Some(prefix_len) = memchr::memchr(b'_', token).map(|at| at + 1) else { return false };
        let Some(body_len) = token.len().checked_sub(prefix_len + CHECKSUM_LEN) else { return false };
        let (body, checksum) = token[prefix_len..].split_at(body_len);
        let mut number = crc32fast::hash(body);
        let mut expected = [0; CHECKSUM_LEN];
        for digit in expected.iter_mut().rev() {
            *digit = BASE62[(number % 62) as usize];
            number /= 62;
        }
        checksum == expected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_six_characters_follow_from_the_others() {
        // The CRC-32 of `123456789` is the check value that the CRC catalogue prints: 0xcbf43926.
        let token = b"ghp_1234567893jZPj4";
        let mut number = 0xcbf4_3926_u32;
        let mut digits = Vec::new();
        while digits.len() < CHECKSUM_LEN {
            digits.insert(0, BASE62[(number % 62) as usize]);
            number /= 62;
        }
        let right = [&token[..13], &digits].concat();
        assert!(Checksum::Crc32Base62.holds(&right), "{}", right.escape_ascii());
        let mut wrong = right.clone();
        wrong[5] = b'9';
        assert!(!Checksum::Crc32Base62.holds(&wrong));
        for short in [&b""[..], b"ghp_", b"ghp_12345", b"ghp"] {
            assert!(!Checksum::Crc32Base62.holds(short));
        }
    }
}
