//! Where bytes of a class stand, sixteen at a time.

/// A vector of every processor.
pub(super) const LEN: usize = 16;

/// Classes are inclusive ranges.
pub(super) type Ranges<const COUNT: usize> = [(u8, u8); COUNT];

/// A bit for each byte, the lowest for the first, that says whether it is in one of the ranges.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[expect(unsafe_code, reason = "vector instructions, which compilers don't find for this")]
pub(super) fn bits<const COUNT: usize>(bytes: &[u8; LEN], ranges: Ranges<COUNT>) -> u32 {
    // SAFETY: every processor of this architecture has these instructions.
    unsafe { sse2(bytes, ranges) }
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "sse2")]
fn sse2<const COUNT: usize>(bytes: &[u8; LEN], ranges: Ranges<COUNT>) -> u32 {
    use std::arch::x86_64::*;
    let [lower, upper] = [0, 8].map(|at| i64::from_le_bytes(std::array::from_fn(|index| bytes[at + index])));
    let bytes = _mm_set_epi64x(upper, lower);
    let mut any = _mm_setzero_si128();
    for (first, last) in ranges {
        let above = _mm_sub_epi8(bytes, _mm_set1_epi8(first as i8));
        let is_in = _mm_cmpeq_epi8(_mm_min_epu8(above, _mm_set1_epi8((last - first) as i8)), above);
        any = _mm_or_si128(any, is_in);
    }
    _mm_movemask_epi8(any) as u32
}

/// The same, byte by byte.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub(super) fn bits<const COUNT: usize>(bytes: &[u8; LEN], ranges: Ranges<COUNT>) -> u32 {
    let bit = |index: usize| u32::from(is_in(bytes[index], ranges)) << index;
    (0..LEN).fold(0, |bits, index| bits | bit(index))
}

#[inline]
pub(super) fn is_in<const COUNT: usize>(byte: u8, ranges: Ranges<COUNT>) -> bool {
    ranges.into_iter().any(|(first, last)| (first..=last).contains(&byte))
}

/// The first byte that is in one of the ranges.
#[inline]
pub(super) fn position<const COUNT: usize>(bytes: &[u8], ranges: Ranges<COUNT>) -> Option<usize> {
    let (blocks, rest) = bytes.as_chunks();
    for (index, block) in blocks.iter().enumerate() {
        let bits = bits(block, ranges);
        if bits != 0 {
            return Some(index * LEN + bits.trailing_zeros() as usize);
        }
    }
    Some(blocks.len() * LEN + rest.iter().position(|&byte| is_in(byte, ranges))?)
}

/// How many bytes come before the first that is in none of the ranges.
#[inline]
pub(super) fn run_len<const COUNT: usize>(bytes: &[u8], ranges: Ranges<COUNT>) -> usize {
    let (blocks, rest) = bytes.as_chunks();
    for (index, block) in blocks.iter().enumerate() {
        let len = bits(block, ranges).trailing_ones() as usize;
        if len < LEN {
            return index * LEN + len;
        }
    }
    blocks.len() * LEN + rest.iter().position(|&byte| !is_in(byte, ranges)).unwrap_or(rest.len())
}

/// Where a byte stands that is followed by one in the ranges. At the last byte the one behind it is not known, which counts
/// too.
#[inline]
pub(super) fn pair_position<const COUNT: usize>(bytes: &[u8], first: u8, second: Ranges<COUNT>) -> Option<usize> {
    let mut at = 0;
    while let Some(pairs) = bytes[at..].first_chunk::<{ LEN + 1 }>() {
        let [block, behind] = [0, 1].map(|ahead| std::array::from_fn(|index| pairs[ahead + index]));
        let found = bits(&block, [(first, first)]) & bits(&behind, second);
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize);
        }
        at += LEN;
    }
    let is_pair = |at: &usize| bytes[*at] == first && bytes.get(at + 1).is_none_or(|&byte| is_in(byte, second));
    (at..bytes.len()).find(is_pair)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_found_wherever_it_stands() {
        for len in 0..100 {
            let text = vec![b'e'; len];
            let last = len.checked_sub(1);
            assert_eq!(pair_position(&text, b'e', [(b'y', b'y')]), last, "only at the end of {len}");
            for at in 0..len {
                let mut text = text.clone();
                text[at] = b'y';
                let expected = if at > 0 { Some(at - 1) } else { last.filter(|&last| last > 0) };
                assert_eq!(pair_position(&text, b'e', [(b'y', b'y')]), expected, "{at} of {len}");
            }
        }
    }

    #[test]
    fn every_byte_is_told_at_every_place() {
        const RANGES: Ranges<4> = [(0, 3), (b'-', b'-'), (b'/', b'9'), (0xf0, 0xff)];
        for (byte, place) in (0..=255).flat_map(|byte| (0..40).map(move |place| (byte, place))) {
            let is_member = matches!(byte, 0..=3 | b'-' | b'/'..=b'9' | 0xf0..);
            let mut text = [b'a'; 40];
            text[place] = byte;
            assert_eq!(position(&text, RANGES), is_member.then_some(place), "{byte} at {place}");
            let mut text = [b'5'; 40];
            text[place] = byte;
            assert_eq!(run_len(&text, RANGES), if is_member { 40 } else { place }, "{byte} at {place}");
        }
    }
}
