//! From offsets in a stream to lines and columns.

use memchr::memchr_iter;
use std::collections::VecDeque;

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Counted from 1.
    pub line: u64,
    /// In bytes, counted from 1.
    pub column: u64,
}

/// Where the last lines of a stream began. What is asked for lies behind what was fed: a finding is known at its end.
///
/// Only so many lines are remembered; of a credential that is wrapped over more of them the line is not known exactly.
#[derive(Debug)]
pub(super) struct Lines {
    /// Where the remembered lines begin, in order.
    starts: VecDeque<u64>,
    /// How many lines came before them.
    before: u64,
    position: u64,
}

const LINES_MAX: usize = 1 << 16;

impl Lines {
    pub fn new() -> Self {
        Self { starts: VecDeque::from([0]), before: 0, position: 0 }
    }

    /// The lines of a text that is at hand as a whole: all of them.
    pub fn of(text: &[u8]) -> Self {
        let starts = std::iter::once(0).chain(memchr_iter(b'\n', text).map(|newline| newline as u64 + 1)).collect();
        Self { starts, before: 0, position: text.len() as u64 }
    }

    /// Takes the next bytes of the stream.
    pub fn feed(&mut self, bytes: &[u8]) {
        for newline in memchr_iter(b'\n', bytes) {
            if self.starts.len() == LINES_MAX {
                self.starts.pop_front();
                self.before += 1;
            }
            self.starts.push_back(self.position + newline as u64 + 1);
        }
        self.position += bytes.len() as u64;
    }

    /// The place of an offset that is not beyond what was fed.
    pub fn place(&self, offset: u64) -> Place {
        let index = self.starts.partition_point(|&start| start <= offset).saturating_sub(1);
        let start = self.starts.get(index).copied().unwrap_or_default();
        Place { line: self.before + index as u64 + 1, column: offset.saturating_sub(start) + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_an_editor() {
        for piece_len in [1, 2, 100] {
            let mut lines = Lines::new();
            b"ab\n\ncd".chunks(piece_len).for_each(|piece| lines.feed(piece));
            let places: Vec<_> = (0..=6).map(|offset| lines.place(offset)).map(|at| (at.line, at.column)).collect();
            assert_eq!(places, [(1, 1), (1, 2), (1, 3), (2, 1), (3, 1), (3, 2), (3, 3)]);
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut lines = Lines::new();
        let newlines = vec![b'\n'; 1 << 20];
        lines.feed(&newlines);
        assert!(lines.starts.len() <= LINES_MAX);
        assert_eq!(lines.place(1 << 20), Place { line: (1 << 20) + 1, column: 1 });
        assert_eq!(lines.place((1 << 20) - 1000).line, (1 << 20) - 999);
    }
}
