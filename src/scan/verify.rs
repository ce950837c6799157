//! A second opinion on a stream that should be clean: what the second look sees and the engine does not, and which markers
//! there are.

use crate::redact::Finding;
use crate::second_look::{self, LINE_BYTES_MAX};
use memchr::memmem;
use std::collections::BTreeMap;
use std::ops::Range;

/// What looks like a credential to the second look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspect {
    /// Offset of its first byte in the stream.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u64,
    /// What it looks like.
    pub like: &'static str,
}

/// How many markers of each kind there were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MarkerCounts(BTreeMap<String, u64>);

impl MarkerCounts {
    /// The kinds that there were, in alphabetical order, with their counts.
    pub fn by_kind(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(kind, &count)| (kind.as_str(), count))
    }

    /// All markers.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    pub(super) fn add(&mut self, other: Self) {
        for (kind, count) in other.0 {
            *self.0.entry(kind).or_default() += count;
        }
    }

    /// Who can write into the log can make up kinds; those beyond a limit are counted together.
    fn count(&mut self, kind: &str) {
        const KINDS_MAX: usize = 1000;
        let is_room = self.0.len() < KINDS_MAX || self.0.contains_key(kind);
        *self.0.entry(if is_room { kind } else { "other" }.to_owned()).or_default() += 1;
    }
}

/// Looks at lines; of a longer one at pieces that overlap.
#[derive(Debug)]
pub(super) struct Verifier {
    buffer: Vec<u8>,
    /// Where the buffer begins in the stream.
    base: u64,
    /// What the engine found in the buffer.
    found: Vec<Range<u64>>,
    counts: MarkerCounts,
}

const OVERLAP_BYTES: usize = 32 << 10;

impl Verifier {
    pub fn new() -> Self {
        Self { buffer: Vec::new(), base: 0, found: Vec::new(), counts: MarkerCounts::default() }
    }

    pub fn take(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    pub fn into_counts(self) -> MarkerCounts {
        self.counts
    }

    /// What is suspect in the whole lines at hand and not among the engine's findings, which are given as they come.
    pub fn look(&mut self, findings: &[Finding], ended: bool) -> Vec<Suspect> {
        self.found.extend(findings.iter().map(|finding| finding.offset..finding.offset + finding.len));
        let end = match memchr::memrchr(b'\n', &self.buffer) {
            _ if ended => self.buffer.len(),
            Some(newline) => newline + 1,
            None if self.buffer.len() > LINE_BYTES_MAX => self.buffer.len() - OVERLAP_BYTES,
            None => return Vec::new(),
        };
        count_markers(&self.buffer, end, &mut self.counts);
        let mut suspects: Vec<Suspect> = Vec::new();
        for (range, like) in second_look::suspects(&self.buffer, end) {
            let range = self.base + range.start as u64..self.base + range.end as u64;
            // The engine's findings are in order and apart.
            let next = self.found.partition_point(|found| found.end <= range.start);
            let is_found = self.found.get(next).is_some_and(|found| found.start < range.end);
            let is_reported = suspects.last().is_some_and(|last| range.start < last.offset + last.len);
            if !is_found && !is_reported {
                suspects.push(Suspect { offset: range.start, len: range.end - range.start, like });
            }
        }
        self.buffer.drain(..end);
        self.base += end as u64;
        self.found.retain(|found| found.end > self.base);
        suspects
    }
}

fn count_markers(text: &[u8], end: usize, counts: &mut MarkerCounts) {
    for at in memmem::find_iter(text, b"redacted-").take_while(|&at| at < end) {
        if let Some((_, kind)) = marker(&text[at..]) {
            counts.count(kind);
        }
    }
}

/// The length and kind of the marker that the text begins with.
fn marker(text: &[u8]) -> Option<(usize, &str)> {
    const KIND_LEN_MAX: usize = 128;
    let rest = text.strip_prefix(b"redacted-")?;
    let kind_len = rest.iter().take(KIND_LEN_MAX + 1).position(|&byte| byte == b'-')?;
    let (kind, rest) = rest.split_at(kind_len);
    let is_kind = kind.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    let digits = rest.get(..1 + 8 + 1 + 32)?;
    let are_hex = |digits: &[u8]| digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let fits = digits[9] == b'-' && are_hex(&digits[1..9]) && are_hex(&digits[10..]);
    let kind = std::str::from_utf8(kind).ok().filter(|kind| is_kind && fits && !kind.is_empty())?;
    Some((b"redacted-".len() + kind_len + digits.len(), kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.eUeApzM_gcYBF0PRFiRmlgpkBUxNoTsVlfWH2sAnqOQ";
    const MARKER: &str = "redacted-jwt-48e18db9-2a10c1893ac7040fe2f4fee71ddcdbdb";

    fn suspects(text: &str, piece_len: usize) -> (Vec<(u64, &'static str)>, MarkerCounts) {
        let mut verifier = Verifier::new();
        let mut all = Vec::new();
        for piece in text.as_bytes().chunks(piece_len) {
            verifier.take(piece);
            all.extend(verifier.look(&[], false));
        }
        all.extend(verifier.look(&[], true));
        (all.iter().map(|suspect| (suspect.offset, suspect.like)).collect(), verifier.into_counts())
    }

    #[test]
    fn what_is_left_is_seen_however_it_is_cut() {
        let text =
            format!("x\n{JWT}\nBearer mF_9.B5f-4.1JqMxyz\n?access_token=mF_9.B5f-4.1JqMxyz&a Bearer {MARKER} {MARKER}");
        for piece_len in [1, 10, 1000] {
            let (found, counts) = suspects(&text, piece_len);
            let likes: Vec<_> = found.iter().map(|(_, like)| *like).collect();
            let expected = ["a token with a JOSE header", "a token after Bearer", "a value of access_token"];
            assert_eq!(likes, expected);
            assert_eq!(found[0].0, 2);
            assert_eq!(counts.by_kind().collect::<Vec<_>>(), [("jwt", 2)]);
        }
    }

    #[test]
    fn what_is_clean_is_clean() {
        for text in [
            "the bearer of this letter, Bearer authentication",
            "token_type=Bearer 4bf92f3577b34da6a3ce929d0e0e4736",
            "WWW-Authenticate: Bearer realm=\"a1b2c3d4e5f6a7b8\"",
            "eyJhbGciOiJIUzI1NiJ9 eyJhIjoxfQ.eyJiIjoyfQ",
            "access_token=, access_token=null, access_token=${ACCESS_TOKEN_2024_01}",
        ] {
            assert_eq!(suspects(text, 1000).0, [], "{text}");
        }
    }

    #[test]
    fn an_endless_line_is_seen_whole_in_bounded_memory() {
        let text = "x".repeat(3 * LINE_BYTES_MAX) + " Bearer mF_9.B5f-4.1JqMxyz " + &"y".repeat(3 * LINE_BYTES_MAX);
        let mut verifier = Verifier::new();
        let mut found = Vec::new();
        for piece in text.as_bytes().chunks(64 << 10) {
            verifier.take(piece);
            found.extend(verifier.look(&[], false));
            assert!(verifier.buffer.len() <= LINE_BYTES_MAX + (64 << 10));
        }
        found.extend(verifier.look(&[], true));
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn hostile_runs_cost_linear_time() {
        let text = "eyJ".repeat(1 << 20) + ".eyJ";
        let started = std::time::Instant::now();
        suspects(&text, 64 << 10);
        suspects(&"Bearer ".repeat(1 << 18), 64 << 10);
        assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    }
}
