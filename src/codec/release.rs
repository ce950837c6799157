//! What may leave of the clean bytes: everything at once, or records only as a whole.

use crate::redact::{CleanBlock, MARKER_LEN_MAX};
use memchr::{memchr, memrchr};
use std::ops::Range;

/// A waiting record that grew past this size gives its memory back when it leaves: thousands of connections may each
/// have seen one long record.
pub(super) const KEPT_BYTES_MAX: usize = 16 << 10;

/// Holds the unfinished record back where records leave as a whole, and cuts the ones that are too long for that.
///
/// Cuts are made by the clean bytes alone, so they don't depend on how the input came or when the engine released it.
pub(super) struct Release {
    delimiter: Option<u8>,
    /// `None`: everything leaves at once.
    record_bytes_max: Option<usize>,
    /// The clean bytes of the unfinished record since its start or its last cut.
    waiting: CleanBlock,
    /// The unfinished record has been cut.
    is_cut: bool,
    /// All that was there of the unfinished record has left: at its end there may be nothing more.
    is_emptied: bool,
    split_records: u64,
}

impl Release {
    pub fn at_once(delimiter: Option<u8>) -> Self {
        let waiting = CleanBlock::new();
        Self { delimiter, record_bytes_max: None, waiting, is_cut: false, is_emptied: false, split_records: 0 }
    }

    pub fn whole_records(delimiter: Option<u8>, record_bytes_max: usize) -> Self {
        // The upper end keeps sums with it from overflowing.
        Self { record_bytes_max: Some(record_bytes_max.clamp(1, usize::MAX / 2)), ..Self::at_once(delimiter) }
    }

    pub fn holds_records_back(&self) -> bool {
        self.record_bytes_max.is_some()
    }

    /// Clean bytes that wait for the end of their record.
    pub fn pending(&self) -> usize {
        self.waiting.len()
    }

    /// Records that went out in several pieces.
    pub fn split_records(&self) -> u64 {
        self.split_records
    }

    /// Takes what `write` appends as more of the unfinished record.
    pub fn content(&mut self, out: &mut CleanBlock, write: impl FnOnce(&mut CleanBlock)) {
        let Some(max) = self.record_bytes_max else { return write(out) };
        write(&mut self.waiting);
        if self.waiting.len() < max + MARKER_LEN_MAX {
            // It grows by doubling, and waits for as long as its sender likes.
            return self.waiting.shrink_to(max + MARKER_LEN_MAX);
        }
        let waiting = std::mem::take(&mut self.waiting);
        let rest = self.cut(&waiting, 0..waiting.len(), false, out);
        self.waiting.append_bytes(&waiting, rest..waiting.len());
    }

    /// Lets all that waits of the unfinished record leave as a record of its own.
    pub fn cut_now(&mut self, out: &mut CleanBlock) {
        if self.waiting.is_empty() {
            return;
        }
        let waiting = self.take_waiting();
        out.append_bytes(&waiting, 0..waiting.len());
        self.terminate(out);
        self.count_cut();
        self.is_emptied = true;
    }

    /// Ends the unfinished record; it gets its delimiter or mark if it is `terminated` or leaves as a whole.
    pub fn end(&mut self, out: &mut CleanBlock, terminated: bool) {
        if self.holds_records_back() {
            let waiting = self.take_waiting();
            let rest = self.cut(&waiting, 0..waiting.len(), true, out);
            out.append_bytes(&waiting, rest..waiting.len());
            let is_empty_rest = waiting.is_empty() && self.is_emptied;
            self.keep_memory_of(waiting);
            self.begin_record();
            if is_empty_rest {
                return;
            }
        }
        if terminated || self.holds_records_back() {
            self.terminate(out);
        }
    }

    /// Takes what `write` appends as the rest of the unfinished record and further whole ones, each with its delimiter.
    /// This is the path of most bytes: they are written where they leave.
    pub fn delimited_records(&mut self, out: &mut CleanBlock, write: impl FnOnce(&mut CleanBlock)) {
        let Some(max) = self.record_bytes_max else { return write(out) };
        let start = out.len();
        let waiting = self.take_waiting();
        out.append(&waiting);
        let may_be_empty_rest = waiting.is_empty() && self.is_emptied;
        self.keep_memory_of(waiting);
        write(out);
        if out.len() == start {
            return;
        }
        if may_be_empty_rest && out.as_bytes().get(start).copied() == self.delimiter {
            let records = out.split_off(start);
            out.append_bytes(&records, 1..records.len());
        }
        if out.len() - start > max {
            let records = out.split_off(start);
            self.cut_delimited(&records, max, out);
        }
        self.begin_record();
    }

    /// Appends what ends a record.
    pub fn terminate(&self, out: &mut CleanBlock) {
        match self.delimiter {
            Some(delimiter) => out.push_delimiter(delimiter),
            None => out.end_record(),
        }
    }

    /// Copies whole records and cuts the ones that are too long. It goes in strides of `max`, not record by record.
    fn cut_delimited(&mut self, records: &CleanBlock, max: usize, out: &mut CleanBlock) {
        let Some(delimiter) = self.delimiter else { return out.append(records) };
        let bytes = records.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let stride = &bytes[at..bytes.len().min(at + max + 1)];
            let mut end = at + stride.len();
            if let Some(last) = memrchr(delimiter, stride) {
                end = at + last + 1;
            } else if let Some(len) = memchr(delimiter, &bytes[end..]) {
                let content_end = end + len;
                at = self.cut(records, at..content_end, true, out);
                end = content_end + 1;
            }
            out.append_bytes(records, at..end);
            at = end;
            self.begin_record();
        }
    }

    /// Lets pieces of the record in `range` leave as records of their own, and says where the rest of it starts.
    fn cut(&mut self, block: &CleanBlock, mut range: Range<usize>, ended: bool, out: &mut CleanBlock) -> usize {
        let Some(max) = self.record_bytes_max else { return range.start };
        while let Some(len) = piece_len(&block.as_bytes()[range.clone()], max, ended) {
            out.append_bytes(block, range.start..range.start + len);
            self.terminate(out);
            range.start += len;
            self.count_cut();
        }
        range.start
    }

    fn count_cut(&mut self) {
        self.split_records += u64::from(!self.is_cut);
        self.is_cut = true;
    }

    fn begin_record(&mut self) {
        self.is_cut = false;
        self.is_emptied = false;
    }

    fn take_waiting(&mut self) -> CleanBlock {
        std::mem::take(&mut self.waiting)
    }

    fn keep_memory_of(&mut self, mut block: CleanBlock) {
        if block.len() <= KEPT_BYTES_MAX {
            block.clear();
            self.waiting = block;
        }
    }
}

/// Where to cut a record that is too long: after `max` bytes, but not inside a marker. `None` if it need not be cut, or
/// if too little of it is known to tell.
fn piece_len(record: &[u8], max: usize, ended: bool) -> Option<usize> {
    if record.len() <= max || (!ended && record.len() < max + MARKER_LEN_MAX) {
        return None;
    }
    let around = (max + 1).saturating_sub(MARKER_LEN_MAX)..max;
    let marker = around.filter_map(|start| Some(start..start + marker_len(&record[start..])?)).find(|m| m.end > max);
    let len = match marker {
        // The piece would be empty: a marker longer than `max` leaves whole.
        Some(marker) if marker.start == 0 => marker.end,
        Some(marker) => marker.start,
        None => max,
    };
    (len < record.len()).then_some(len)
}

/// The length of the marker `redacted-<kind>-<8 hex>-<32 hex>` that the text starts with.
fn marker_len(text: &[u8]) -> Option<usize> {
    let after_word = text.strip_prefix(b"redacted-")?;
    let kind_len = memchr(b'-', &after_word[..after_word.len().min(MARKER_LEN_MAX)])?;
    let (kind, rest) = after_word.split_at(kind_len);
    let fingerprint = rest.get(..1 + 8 + 1 + 32)?;
    let lower_hex = |bytes: &[u8]| bytes.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let is_marker = !kind.is_empty()
        && kind.iter().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'))
        && lower_hex(&fingerprint[1..9])
        && fingerprint[9] == b'-'
        && lower_hex(&fingerprint[10..]);
    let len = text.len() - rest.len() + fingerprint.len();
    (is_marker && len <= MARKER_LEN_MAX).then_some(len)
}
