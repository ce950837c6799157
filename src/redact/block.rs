//! Clean bytes: the only thing that a sink can be handed, and only this module's parents can make them.

use super::Redaction;

/// A borrowed stretch of output that the engine has released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clean<'a>(&'a [u8]);

impl<'a> Clean<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes to write.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// The bytes before `at` and those from there on.
    pub fn split_at(self, at: usize) -> (Clean<'a>, Clean<'a>) {
        let (before, after) = self.0.split_at(at);
        (Clean(before), Clean(after))
    }
}

/// Owned output: clean records, in order.
///
/// In a *delimited* block each record ends with the delimiter, as in the stream (the last one may be unfinished);
/// otherwise the ends of the records are kept beside the bytes. Blocks of differently framed sources meet in one sink,
/// so a block itself says which of the two it is. Sinks turn it into wire bytes with
/// [`Encoder`](crate::codec::Encoder).
#[derive(Clone, Default)]
pub struct CleanBlock {
    bytes: Vec<u8>,
    /// The byte that ends each record, if records carry one.
    delimiter: Option<u8>,
    /// Offsets in `bytes` at which a record ends; only for records that carry no delimiter.
    ends: Vec<usize>,
}

impl CleanBlock {
    /// An empty block.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty block with room for so many bytes.
    pub fn with_capacity(len: usize) -> Self {
        Self { bytes: Vec::with_capacity(len), ..Self::default() }
    }

    /// The clean bytes of all records, in order.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same, as a stretch that can be cut further.
    pub fn as_clean(&self) -> Clean<'_> {
        Clean(&self.bytes)
    }

    /// The byte that ends each record; `None` if the ends are kept beside the bytes.
    pub fn delimiter(&self) -> Option<u8> {
        self.delimiter
    }

    /// Says which byte ends each record. All records of one block are told apart in the same way.
    pub fn set_delimiter(&mut self, delimiter: Option<u8>) {
        debug_assert!(self.is_empty() || self.delimiter == delimiter, "one block, two framings");
        self.delimiter = delimiter;
    }

    /// The records without their delimiters; a last one that is not finished is among them.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        let mut ends = self.ends.iter();
        std::iter::from_fn(move || {
            let rest = &self.bytes[start..];
            let (len, skip) = match self.delimiter {
                Some(delimiter) => memchr::memchr(delimiter, rest).map(|len| (len, 1)),
                None => ends.next().map(|end| (end - start, 0)),
            }
            .or((!rest.is_empty()).then_some((rest.len(), 0)))?;
            start += len + skip;
            Some(&rest[..len])
        })
    }

    /// How many records have their end in it.
    pub fn whole_records(&self) -> usize {
        match self.delimiter {
            Some(delimiter) => memchr::memchr_iter(delimiter, &self.bytes).count(),
            None => self.ends.len(),
        }
    }

    /// Where each record that carries no delimiter ends, in bytes from the start of the block.
    pub fn record_ends(&self) -> &[usize] {
        &self.ends
    }

    /// The size in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.ends.is_empty()
    }

    /// Forgets the contents and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Gives memory back that it does not need while it waits, if it has more than so many bytes.
    pub(crate) fn shrink_to(&mut self, len: usize) {
        self.bytes.shrink_to(len);
    }

    /// Marks the end of a record that carries no delimiter.
    pub fn end_record(&mut self) {
        self.ends.push(self.bytes.len());
    }

    /// Appends one delimiter. A single byte can carry no credential.
    pub fn push_delimiter(&mut self, delimiter: u8) {
        self.bytes.push(delimiter);
    }

    /// Moves the bytes from `at` on into a new block: what is left is complete, what is returned is not yet.
    pub fn split_off(&mut self, at: usize) -> CleanBlock {
        let keep = self.ends.partition_point(|&end| end <= at);
        let ends = self.ends.split_off(keep).into_iter().map(|end| end - at).collect();
        CleanBlock { bytes: self.bytes.split_off(at), delimiter: self.delimiter, ends }
    }

    /// Appends some bytes of another block, without ends.
    pub fn append_bytes(&mut self, other: &CleanBlock, range: std::ops::Range<usize>) {
        self.bytes.extend_from_slice(&other.bytes[range]);
    }

    /// Appends another block's contents.
    pub fn append(&mut self, other: &CleanBlock) {
        let base = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        self.ends.extend(other.ends.iter().map(|end| base + end));
    }

    /// Appends another block's bytes as the content of a JSON string, as Docker writes it.
    pub(crate) fn append_escaped(&mut self, other: &CleanBlock) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut rest = &other.bytes[..];
        while let Some((&byte, after)) = rest.split_first() {
            match rest {
                [b'"' | b'\\', ..] => self.bytes.extend_from_slice(&[b'\\', byte]),
                [b'\n', ..] => self.bytes.extend_from_slice(b"\\n"),
                [b'\r', ..] => self.bytes.extend_from_slice(b"\\r"),
                [0..0x20 | b'<' | b'>' | b'&', ..] => {
                    let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
                    self.bytes.extend_from_slice(&[b"\\u00", &digits[..]].concat());
                }
                // Line and paragraph separators, which JavaScript takes for newlines.
                [0xe2, 0x80, last @ (0xa8 | 0xa9), ..] => {
                    self.bytes.extend_from_slice(&[b"\\u202", &[last - 0xa8 + b'8'][..]].concat());
                    rest = &rest[3..];
                    continue;
                }
                _ => self.bytes.push(byte),
            }
            rest = after;
        }
    }

    /// Appends the marker that stands for a whole record, of which nothing is told; quoted it is JSON.
    pub(crate) fn push_record_marker(&mut self, redaction: &Redaction, quoted: bool) {
        let quote: &[u8] = if quoted { b"\"" } else { b"" };
        self.bytes.extend_from_slice(quote);
        redaction.write_record_marker(&mut self.bytes);
        self.bytes.extend_from_slice(quote);
    }

    /// What no engine may do.
    #[cfg(test)]
    pub(crate) fn leak(&mut self, input: &[u8]) {
        self.bytes.extend_from_slice(input);
    }

    /// Appends what the engine has released.
    pub fn push(&mut self, clean: Clean<'_>) {
        self.bytes.extend_from_slice(clean.0);
    }
}

impl std::fmt::Debug for CleanBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CleanBlock({} bytes, {} ends)", self.bytes.len(), self.ends.len())
    }
}
