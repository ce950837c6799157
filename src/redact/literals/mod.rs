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
    /// The classes of each byte.
    classes: &'static [Beside; 256],
}

/// Classes of bytes before and behind a literal, a bit each: those that a byte is in, or those of which one has to stand
/// there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beside {
    pub before: u8,
    pub behind: u8,
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
    /// Its first bytes, and a mask for as many.
    word: u64,
    mask: u64,
    beside: Beside,
    value: T,
    /// One more than the index of the next entry with the same hash.
    next: u8,
}

const HASH_BITS: u32 = 10;
const WORD_LEN: usize = size_of::<u64>();

/// Of the first three bytes.
#[inline]
fn hash(word: u64) -> usize {
    // The golden ratio in 32 bits; three bytes in its upper end leave the upper bits of the product well mixed.
    (((word as u32) << 8).wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS)) as usize
}

/// As many bytes as there are, up to eight; zeros behind them.
#[inline]
fn word(bytes: &[u8]) -> u64 {
    match bytes.first_chunk() {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)),
    }
}

impl<T: Copy + 'static> Literals<T> {
    /// Literals are ASCII, have three bytes or more, are fewer than 256, and none begins with another. `beside` tells what
    /// has to stand beside one, in terms of `classes`.
    pub fn new(
        groups: [Group<T>; GROUPS],
        classes: &'static [Beside; 256],
        beside: impl Fn(T, &[u8]) -> Beside,
    ) -> Self {
        let mut entries = Vec::new();
        let mut buckets = Box::new([0; 1 << HASH_BITS]);
        for (value, literal) in each(groups) {
            let mask = u64::MAX >> (8 * WORD_LEN.saturating_sub(literal.len()));
            let (word, beside) = (word(literal), beside(value, literal));
            let bucket = &mut buckets[hash(word)];
            entries.push(Entry { literal, word, mask, beside, value, next: *bucket });
            *bucket = entries.len() as u8;
        }
        let tables = Tables::new(groups.map(|group| in_group(group).map(|(_, literal)| literal)));
        Self { entries, buckets, tables, classes }
    }

    /// The first literal from `from` on that is wanted where it stands: what is beside it allows it, and so do `may_be_wanted`,
    /// which sees what is behind it and has to be short, and `is_wanted`. `candidates` are those of a search before in the
    /// same text, if there was one.
    #[inline]
    pub fn find(
        &self,
        text: &[u8],
        from: usize,
        candidates: &mut Candidates,
        may_be_wanted: impl Fn(T, &[u8]) -> bool,
        is_wanted: impl Fn(&Range<usize>, T) -> bool,
    ) -> Option<(Range<usize>, T)> {
        let is_literal = |at: usize| self.allowed_at(text, at, &may_be_wanted).is_some();
        let confirm = |at: usize| {
            let entry = self.allowed_at(text, at, &may_be_wanted)?;
            let range = at..at + entry.literal.len();
            is_wanted(&range, entry.value).then_some((range, entry.value))
        };
        candidates.begin_at(from);
        loop {
            if let Some(found) = candidates.by_ref().find_map(confirm) {
                return Some(found);
            }
            match self.tables.next_block(text, candidates.end, is_literal) {
                Ok(block) => *candidates = block,
                Err(unsearched) => match self.in_short_rest(text, unsearched, is_literal) {
                    Ok(block) => *candidates = block,
                    Err(unsearched) => {
                        *candidates = Candidates::nowhere(unsearched);
                        return (unsearched..text.len()).find_map(confirm);
                    }
                },
            }
        }
    }

    /// The first literal from `from` on, whatever is beside it, at whatever speed.
    pub fn find_any(&self, text: &[u8], from: usize) -> Option<(Range<usize>, T)> {
        (from..text.len()).find_map(|at| self.at(text, at).map(|entry| (at..at + entry.literal.len(), entry.value)))
    }

    /// The same as `next_block` for what is too short for it, which is put into a block with nothing behind it. Records are
    /// short: this is a good part of each.
    #[inline]
    fn in_short_rest(&self, text: &[u8], from: usize, is_literal: impl Fn(usize) -> bool) -> Result<Candidates, usize> {
        let rest = &text[from..];
        let mut block = [0; vector::BLOCK_LEN_MAX];
        let Some(place) = block.get_mut(..rest.len()).filter(|place| !place.is_empty()) else { return Err(from) };
        place.copy_from_slice(rest);
        let found = self.tables.next_block(&block, 0, |at| at < rest.len() && is_literal(from + at));
        // Without vectors nothing was searched.
        let Candidates { start, end, bits, .. } =
            found.map_err(|searched| if searched > 0 { text.len() } else { from })?;
        Ok(Candidates { start: from + start, end: text.len().min(from + end), from: from + start, bits })
    }

    /// The literal that stands at `at`.
    #[inline(always)]
    fn at(&self, text: &[u8], at: usize) -> Option<&Entry<T>> {
        let rest = text.get(at..)?;
        let word = word(rest);
        let mut index = self.buckets[hash(word)];
        while index > 0 {
            let entry = &self.entries[usize::from(index - 1)];
            // Few are longer than a word, and too short for a call of a function that compares.
            if (word ^ entry.word) & entry.mask == 0
                && rest.len() >= entry.literal.len()
                && entry.literal.iter().zip(rest).skip(WORD_LEN).all(|(expected, byte)| expected == byte)
            {
                return Some(entry);
            }
            index = entry.next;
        }
        None
    }

    /// The same if what is beside it and behind it allows it.
    #[inline(always)]
    fn allowed_at(&self, text: &[u8], at: usize, may_be_wanted: &impl Fn(T, &[u8]) -> bool) -> Option<&Entry<T>> {
        let entry = self.at(text, at)?;
        let behind = &text[at + entry.literal.len()..];
        (self.is_beside(entry, text, at) && may_be_wanted(entry.value, behind)).then_some(entry)
    }

    /// Whether the bytes beside a literal at `at` are what has to stand there, as far as they are at hand.
    #[inline(always)]
    fn is_beside(&self, entry: &Entry<T>, text: &[u8], at: usize) -> bool {
        let classes = |byte: &u8| self.classes[usize::from(*byte)];
        let before = at.checked_sub(1).and_then(|at| text.get(at)).map_or(u8::MAX, |byte| classes(byte).before);
        let behind = text.get(at + entry.literal.len()).map_or(u8::MAX, |byte| classes(byte).behind);
        before & entry.beside.before != 0 && behind & entry.beside.behind != 0
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

    static ANYTHING: [Beside; 256] = [Beside { before: 1, behind: 1 }; 256];

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
            let mut one = Literals::new(LITERALS, &ANYTHING, |_, _| Beside { before: 1, behind: 1 });
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
                                search.find(&text, from, &mut candidates, |_, _| true, |_, _| true),
                                naive(&text, from),
                                "{:?} {from} {:?}",
                                text.escape_ascii().to_string(),
                                search.tables.kernel
                            );
                        }
                        let not_first = |range: &Range<usize>, _| range.start > at;
                        assert_eq!(
                            search.find(&text, 0, &mut Candidates::default(), |_, _| true, not_first),
                            naive(&text, at + 1),
                            "only behind {at}"
                        );
                    }
                }
            }
        }
    }
}
