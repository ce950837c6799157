//! A search for many short literals at once.
//!
//! Each literal is in one of sixteen groups. For each of the first four places in a literal a table says which groups have
//! one with a certain byte there. Where all four agree on a group is a candidate, which vector instructions find many
//! bytes at a time; a candidate is looked up by its first three bytes. The fewer texts pass for a literal of a group the
//! faster the search is, so literals with letters in common at the same places belong together.

mod vector;

use std::ops::Range;
use vector::Tables;

pub(super) const GROUPS: usize = 16;

/// What literals stand for, and the literals.
pub(super) type Group<T> = &'static [(T, &'static [&'static [u8]])];

/// Each literal, and what it stands for.
pub(super) fn each<T: Copy>(groups: [Group<T>; GROUPS]) -> impl Iterator<Item = (T, &'static [u8])> {
    groups.into_iter().flat_map(in_group)
}

fn in_group<T: Copy>(group: Group<T>) -> impl Iterator<Item = (T, &'static [u8])> {
    group.iter().flat_map(|&(value, literals)| literals.iter().map(move |&literal| (value, literal)))
}

#[derive(Debug)]
pub(super) struct Literals<T> {
    entries: Vec<Entry<T>>,
    /// By the hash of three bytes: one more than the index of the first entry that begins so.
    buckets: Box<[u8; 1 << HASH_BITS]>,
    tables: Tables,
}

/// Where literals may stand in a block of text.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Candidates {
    start: usize,
    end: usize,
    /// What is before this place was looked at.
    from: usize,
    /// Those that were not: a bit for each byte of the block.
    bits: u64,
}

impl Candidates {
    /// Those from the first literal on, if there is one. Most candidates are none, and to leave the loop for each costs more
    /// than to look here.
    #[inline(always)]
    fn of_block(block: Range<usize>, mut bits: u64, is_literal: &impl Fn(usize) -> bool) -> Option<Self> {
        while bits != 0 {
            if is_literal(block.start + bits.trailing_zeros() as usize) {
                return Some(Self { start: block.start, end: block.end, from: block.start, bits });
            }
            bits &= bits - 1;
        }
        None
    }

    /// None before `end`, where the search goes on.
    fn nowhere(end: usize) -> Self {
        Self { start: end, end, from: end, bits: 0 }
    }

    /// Passes over what is before `from`.
    fn begin_at(&mut self, from: usize) {
        if !(self.from..=self.end).contains(&from) {
            *self = Self::nowhere(from);
        }
        self.bits &= u64::MAX.checked_shl((from - self.start) as u32).unwrap_or(0);
    }
}

impl Iterator for Candidates {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.bits == 0 {
            return None;
        }
        let at = self.start + self.bits.trailing_zeros() as usize;
        self.bits &= self.bits - 1;
        self.from = at + 1;
        Some(at)
    }
}

#[derive(Debug)]
struct Entry<T> {
    literal: &'static [u8],
    value: T,
    /// One more than the index of the next entry with the same hash.
    next: u8,
}

const HASH_BITS: u32 = 10;

#[inline]
fn hash(first: [u8; 3]) -> usize {
    let [a, b, c] = first;
    // The golden ratio in 32 bits; three bytes in its upper end leave the upper bits of the product well mixed.
    (u32::from_le_bytes([0, a, b, c]).wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS)) as usize
}

impl<T: Copy + 'static> Literals<T> {
    /// Literals are ASCII, have three bytes or more, are fewer than 256, and none begins with another.
    pub fn new(groups: [Group<T>; GROUPS]) -> Self {
        let mut entries = Vec::new();
        let mut buckets = Box::new([0; 1 << HASH_BITS]);
        for (value, literal) in each(groups) {
            let bucket = &mut buckets[hash([literal[0], literal[1], literal[2]])];
            entries.push(Entry { literal, value, next: *bucket });
            *bucket = entries.len() as u8;
        }
        let tables = Tables::new(groups.map(|group| in_group(group).map(|(_, literal)| literal)));
        Self { entries, buckets, tables }
    }

    /// The first literal from `from` on that is wanted where it stands. `candidates` are those of a search before in the same
    /// text, if there was one.
    #[inline]
    pub fn find(
        &self,
        text: &[u8],
        from: usize,
        candidates: &mut Candidates,
        is_wanted: impl Fn(&Range<usize>, T) -> bool,
    ) -> Option<(Range<usize>, T)> {
        let confirm = |at: usize| {
            let entry = self.at(text, at)?;
            let range = at..at + entry.literal.len();
            is_wanted(&range, entry.value).then_some((range, entry.value))
        };
        candidates.begin_at(from);
        loop {
            if let Some(found) = candidates.by_ref().find_map(confirm) {
                return Some(found);
            }
            match self.tables.next_block(text, candidates.end, |at| self.at(text, at).is_some()) {
                Ok(block) => *candidates = block,
                Err(unsearched) => match self.in_short_rest(text, unsearched) {
                    Ok(block) => *candidates = block,
                    Err(unsearched) => {
                        *candidates = Candidates::nowhere(unsearched);
                        return (unsearched..text.len()).find_map(confirm);
                    }
                },
            }
        }
    }

    /// The same as `next_block` for what is too short for it, which is put into a block with nothing behind it. Records are
    /// short: this is a good part of each.
    #[inline]
    fn in_short_rest(&self, text: &[u8], from: usize) -> Result<Candidates, usize> {
        let rest = &text[from..];
        let mut block = [0; vector::BLOCK_LEN_MAX];
        let Some(place) = block.get_mut(..rest.len()).filter(|place| !place.is_empty()) else { return Err(from) };
        place.copy_from_slice(rest);
        let is_literal = |at: usize| at < rest.len() && self.at(rest, at).is_some();
        let found = self.tables.next_block(&block, 0, is_literal);
        // Without vectors nothing was searched.
        let Candidates { start, end, bits, .. } =
            found.map_err(|searched| if searched > 0 { text.len() } else { from })?;
        Ok(Candidates { start: from + start, end: text.len().min(from + end), from: from + start, bits })
    }

    /// The literal that stands at `at`.
    #[inline]
    fn at(&self, text: &[u8], at: usize) -> Option<&Entry<T>> {
        let rest = text.get(at..)?;
        let mut index = self.buckets[hash(*rest.first_chunk()?)];
        while index > 0 {
            let entry = &self.entries[usize::from(index - 1)];
            // Too short for a call of a function that compares.
            if rest.len() >= entry.literal.len()
                && entry.literal.iter().zip(rest).all(|(expected, byte)| expected == byte)
            {
                return Some(entry);
            }
            index = entry.next;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LITERALS: [Group<u8>; GROUPS] = {
        let mut groups: [Group<u8>; GROUPS] = [&[]; GROUPS];
        groups[0] = &[(0, &[b"abc"]), (1, &[b"abde"])];
        groups[7] = &[(2, &[b"ABDEFGH"])];
        groups[8] = &[(3, &[b"://", b"\0e\0"])];
        groups[15] = &[(4, &[b"bcd"])];
        groups
    };

    /// What a search without any thought of speed finds.
    fn naive(text: &[u8], from: usize) -> Option<(Range<usize>, u8)> {
        (from..text.len()).find_map(|at| {
            let (value, literal) = each(LITERALS).find(|(_, literal)| text[at..].starts_with(literal))?;
            Some((at..at + literal.len(), value))
        })
    }

    /// Every way of searching that this processor has.
    fn searches() -> Vec<Literals<u8>> {
        let mut searches = Vec::new();
        for kernel in vector::kernels() {
            let mut one = Literals::new(LITERALS);
            one.tables.kernel = kernel;
            searches.push(one);
        }
        searches
    }

    #[test]
    fn each_search_finds_what_a_naive_one_finds() {
        for length in [0, 2, 3, 34, 35, 36, 66, 67, 68, 150] {
            // Letters that the literals have, and bytes that differ from them in the upper bit.
            let filling: Vec<u8> = (0..length).map(|at: usize| b"ab\xe1c:x\xba/A"[at * at % 9]).collect();
            for (_, literal) in each(LITERALS) {
                for at in 0..=length {
                    let mut text = filling.clone();
                    text.splice(at..at, literal.iter().copied());
                    for search in searches() {
                        let mut candidates = Candidates::default();
                        // One after the other, and back again.
                        for from in [0, at.min(1), at, at + 1, at + literal.len(), at / 2, text.len()] {
                            assert_eq!(
                                search.find(&text, from, &mut candidates, |_, _| true),
                                naive(&text, from),
                                "{:?} {from} {:?}",
                                text.escape_ascii().to_string(),
                                search.tables.kernel
                            );
                        }
                        let not_first = |range: &Range<usize>, _| range.start > at;
                        assert_eq!(
                            search.find(&text, 0, &mut Candidates::default(), not_first),
                            naive(&text, at + 1),
                            "only behind {at}"
                        );
                    }
                }
            }
        }
    }
}
