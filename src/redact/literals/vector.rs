//! Candidates, many bytes at a time.
#![expect(unsafe_code, reason = "vector instructions, which are chosen at run time")]

use super::{Candidates, GROUPS};

/// So many groups have their bits in one byte.
const BITS: usize = 8;
const SETS: usize = GROUPS / BITS;
/// So many of a literal's first bytes are looked at.
const PLACES: usize = 4;
/// A block of the longest vectors, with what is behind its last byte.
pub(super) const BLOCK_LEN_MAX: usize = 64 + PLACES - 1;

/// For each place in a literal, the groups that have one with a certain byte there.
#[derive(Debug)]
pub(super) struct Tables {
    pub kernel: Kernel,
    /// By the byte.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(dead_code, reason = "instructions of x86-64 alone look up so much")
    )]
    bytes: [[[u8; 128]; PLACES]; SETS],
    /// By the lower four bits of the byte, and by the upper four.
    nibbles: [[[[u8; 16]; 2]; PLACES]; SETS],
}

/// How candidates are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kernel {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// Every place is one.
    Plain,
}

/// Those that the processor is capable of, fastest first.
pub(super) fn kernels() -> Vec<Kernel> {
    let mut kernels = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512vbmi") && is_x86_feature_detected!("avx512bw") {
            kernels.push(Kernel::Avx512);
        }
        if is_x86_feature_detected!("avx2") {
            kernels.push(Kernel::Avx2);
        }
    }
    #[cfg(target_arch = "aarch64")]
    if std::arch::is_aarch64_feature_detected!("neon") {
        kernels.push(Kernel::Neon);
    }
    kernels.push(Kernel::Plain);
    kernels
}

impl Tables {
    pub fn new(groups: [impl Iterator<Item = &'static [u8]>; GROUPS]) -> Self {
        let mut bytes = [[[0; 128]; PLACES]; SETS];
        let mut nibbles = [[[[0; 16]; 2]; PLACES]; SETS];
        for (group, literals) in groups.into_iter().enumerate() {
            let (set, bit) = (group / BITS, 1 << (group % BITS));
            for literal in literals {
                for place in 0..PLACES {
                    match literal.get(place) {
                        Some(&byte) => {
                            bytes[set][place][usize::from(byte)] |= bit;
                            nibbles[set][place][0][usize::from(byte & 15)] |= bit;
                            nibbles[set][place][1][usize::from(byte >> 4)] |= bit;
                        }
                        // Whatever comes behind a short literal.
                        None => {
                            bytes[set][place].iter_mut().for_each(|groups| *groups |= bit);
                            nibbles[set][place].as_flattened_mut().iter_mut().for_each(|groups| *groups |= bit);
                        }
                    }
                }
            }
        }
        Self { kernel: kernels()[0], bytes, nibbles }
    }

    /// The first block of `text[from..]` with a literal in it, and the candidates from there on. Without one: where the rest
    /// begins, which is too short for the vectors.
    #[inline]
    pub fn next_block(
        &self,
        text: &[u8],
        from: usize,
        is_literal: impl Fn(usize) -> bool,
    ) -> Result<Candidates, usize> {
        match self.kernel {
            // SAFETY: the processor has these instructions: the kernel is one of `kernels()`.
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512 => unsafe { x86::avx512(&self.bytes, text, from, is_literal) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => unsafe { x86::avx2(&self.nibbles, text, from, is_literal) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Kernel::Neon => unsafe { arm::neon(&self.nibbles, text, from, is_literal) },
            Kernel::Plain => Err(from),
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Candidates, PLACES, SETS};
    use std::arch::x86_64::*;

    /// A table of 128 bytes is looked up by seven bits at once.
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    pub fn avx512(
        tables: &[[[u8; 128]; PLACES]; SETS],
        text: &[u8],
        from: usize,
        is_literal: impl Fn(usize) -> bool,
    ) -> Result<Candidates, usize> {
        const LEN: usize = 64;
        let mut at = from;
        while let Some(block) = text[at..].first_chunk::<{ LEN + PLACES - 1 }>() {
            let mut groups = [_mm512_set1_epi8(-1); SETS];
            for place in 0..PLACES {
                let bytes = load512(block, place);
                for (groups, tables) in groups.iter_mut().zip(tables) {
                    let (lower, upper) = (load512(&tables[place], 0), load512(&tables[place], LEN));
                    *groups = _mm512_and_si512(*groups, _mm512_permutex2var_epi8(lower, bytes, upper));
                }
            }
            let any = groups.into_iter().fold(_mm512_setzero_si512(), |any, groups| _mm512_or_si512(any, groups));
            // Bytes that are not ASCII were looked up as if they were; no literal begins with one.
            let ascii = !_mm512_movepi8_mask(load512(block, 0));
            let bits = _mm512_test_epi8_mask(any, any) & ascii;
            if let Some(block) = Candidates::of_block(at..at + LEN, bits, &is_literal) {
                return Ok(block);
            }
            at += LEN;
        }
        Err(at)
    }

    /// Tables of 16 bytes are looked up by four bits at once, in either half of a vector.
    #[target_feature(enable = "avx2")]
    pub fn avx2(
        tables: &[[[[u8; 16]; 2]; PLACES]; SETS],
        text: &[u8],
        from: usize,
        is_literal: impl Fn(usize) -> bool,
    ) -> Result<Candidates, usize> {
        const LEN: usize = 32;
        let four_bits = _mm256_set1_epi8(15);
        let mut at = from;
        while let Some(block) = text[at..].first_chunk::<{ LEN + PLACES - 1 }>() {
            let mut groups = [_mm256_set1_epi8(-1); SETS];
            for place in 0..PLACES {
                let bytes = load256(block, place);
                let lower = _mm256_and_si256(bytes, four_bits);
                let upper = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), four_bits);
                for (groups, tables) in groups.iter_mut().zip(tables) {
                    let [lower_table, upper_table] = &tables[place];
                    let lower = _mm256_shuffle_epi8(broadcast256(lower_table), lower);
                    let upper = _mm256_shuffle_epi8(broadcast256(upper_table), upper);
                    *groups = _mm256_and_si256(*groups, _mm256_and_si256(lower, upper));
                }
            }
            let any = groups.into_iter().fold(_mm256_setzero_si256(), |any, groups| _mm256_or_si256(any, groups));
            let none = _mm256_cmpeq_epi8(any, _mm256_setzero_si256());
            let bits = !(_mm256_movemask_epi8(none) as u32);
            if let Some(block) = Candidates::of_block(at..at + LEN, bits.into(), &is_literal) {
                return Ok(block);
            }
            at += LEN;
        }
        Err(at)
    }

    /// The vector that begins at `place`.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load512<const LEN: usize>(bytes: &[u8; LEN], place: usize) -> __m512i {
        let vector = bytes[place..].first_chunk::<64>().expect("a block is longer than a vector by all places");
        // SAFETY: 64 bytes can be read, at whatever address.
        unsafe { _mm512_loadu_si512(vector.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn load256<const LEN: usize>(bytes: &[u8; LEN], place: usize) -> __m256i {
        let vector = bytes[place..].first_chunk::<32>().expect("a block is longer than a vector by all places");
        // SAFETY: 32 bytes can be read, at whatever address.
        unsafe { _mm256_loadu_si256(vector.as_ptr().cast()) }
    }

    /// A table in both halves.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn broadcast256(table: &[u8; 16]) -> __m256i {
        // SAFETY: 16 bytes can be read, at whatever address.
        let table = unsafe { _mm_loadu_si128(table.as_ptr().cast()) };
        _mm256_broadcastsi128_si256(table)
    }
}

#[cfg(target_arch = "aarch64")]
mod arm {
    use super::{Candidates, PLACES, SETS};
    use std::arch::aarch64::*;

    /// Tables of 16 bytes are looked up by four bits at once.
    #[target_feature(enable = "neon")]
    pub fn neon(
        tables: &[[[[u8; 16]; 2]; PLACES]; SETS],
        text: &[u8],
        from: usize,
        is_literal: impl Fn(usize) -> bool,
    ) -> Result<Candidates, usize> {
        const LEN: usize = 16;
        let mut at = from;
        while let Some(block) = text[at..].first_chunk::<{ LEN + PLACES - 1 }>() {
            let mut groups = [vdupq_n_u8(0xff); SETS];
            for place in 0..PLACES {
                let bytes = load128(block, place);
                let lower = vandq_u8(bytes, vdupq_n_u8(15));
                let upper = vshrq_n_u8::<4>(bytes);
                for (groups, tables) in groups.iter_mut().zip(tables) {
                    let [lower_table, upper_table] = &tables[place];
                    let lower = vqtbl1q_u8(load128(lower_table, 0), lower);
                    let upper = vqtbl1q_u8(load128(upper_table, 0), upper);
                    *groups = vandq_u8(*groups, vandq_u8(lower, upper));
                }
            }
            let any = groups.into_iter().fold(vdupq_n_u8(0), |any, groups| vorrq_u8(any, groups));
            // Four bits for each byte.
            let nibbles = vshrn_n_u16::<4>(vreinterpretq_u16_u8(vtstq_u8(any, any)));
            let nibbles = vget_lane_u64::<0>(vreinterpret_u64_u8(nibbles));
            if nibbles != 0 {
                let bits = (0..LEN).fold(0, |bits, byte| bits | (nibbles >> (4 * byte) & 1) << byte);
                if let Some(block) = Candidates::of_block(at..at + LEN, bits, &is_literal) {
                    return Ok(block);
                }
            }
            at += LEN;
        }
        Err(at)
    }

    /// The vector that begins at `place`.
    #[inline]
    #[target_feature(enable = "neon")]
    fn load128<const LEN: usize>(bytes: &[u8; LEN], place: usize) -> uint8x16_t {
        let vector = bytes[place..].first_chunk::<16>().expect("a block is longer than a vector by all places");
        // SAFETY: 16 bytes can be read, at whatever address.
        unsafe { vld1q_u8(vector.as_ptr()) }
    }
}
