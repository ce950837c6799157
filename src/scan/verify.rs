//! A second opinion on what should be clean: nothing of the engine is used here, so that a mistake there does not vouch
//! for itself. It is cruder: it knows tokens with a readable header, and what follows `Bearer` and `access_token=`.

use crate::redact::Finding;
use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
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

const LINE_BYTES_MAX: usize = 256 << 10;
const OVERLAP_BYTES: usize = 32 << 10;
/// As much of a header is decoded.
const HEADER_BYTES_MAX: usize = 8 << 10;
/// Shorter ones are too often something else.
const TOKEN_LEN_MIN: usize = 16;
/// What is longer is reported up to here.
const TOKEN_LEN_MAX: usize = 4 << 10;

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
        let mut ranges = [jose(&self.buffer, end), after_names(&self.buffer, end)].concat();
        ranges.sort_by_key(|(range, _)| range.start);
        let mut suspects: Vec<Suspect> = Vec::new();
        for (range, like) in ranges {
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

/// A header that decodes to an object with `alg` or `enc`, and a dot and more behind it.
fn jose(text: &[u8], end: usize) -> Vec<(Range<usize>, &'static str)> {
    const LEN_MIN: usize = 12;
    /// So many beginnings are tried in one run of base64, so that a hostile one costs linear time.
    const TRIES_MAX: usize = 16;
    let mut found = Vec::new();
    let (mut run_end, mut tries) = (0, 0);
    for at in memchr::memchr_iter(b'e', text).take_while(|&at| at < end) {
        if !matches!(text.get(at + 1), Some(b'y' | b'w')) {
            continue;
        }
        if at >= run_end {
            (run_end, tries) = (at + run_len(&text[at..], is_base64url), 0);
        }
        let header = &text[at..run_end.min(at + HEADER_BYTES_MAX)];
        if header.len() < LEN_MIN || tries == TRIES_MAX {
            continue;
        }
        let Some(dot_len) = dot_len(&text[run_end..]) else { continue };
        let payload_len = run_len(&text[run_end + dot_len..], is_base64url);
        tries += 1;
        if payload_len > 0 && is_header(header) {
            found.push((at..run_end + dot_len + payload_len, "a token with a JOSE header"));
            tries = TRIES_MAX;
        }
    }
    found
}

fn is_header(characters: &[u8]) -> bool {
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone);
    let whole = if characters.len() % 4 == 1 { &characters[..characters.len() - 1] } else { characters };
    let Ok(decoded) = GeneralPurpose::new(&URL_SAFE, config).decode(whole) else { return false };
    let holds = |name: &[u8]| memmem::find(&decoded, name).is_some();
    decoded.starts_with(b"{") && (holds(b"\"alg\"") || holds(b"\"enc\""))
}

fn dot_len(text: &[u8]) -> Option<usize> {
    [&b"."[..], b"%2E", b"%2e", b"%252E", b"\\u002e", b"\\u002E", b"&#46;"]
        .into_iter()
        .find(|dot| text.starts_with(dot))
        .map(<[u8]>::len)
}

/// What follows `Bearer` or `access_token=` and mixes letters and digits.
fn after_names(text: &[u8], end: usize) -> Vec<(Range<usize>, &'static str)> {
    let mut found = Vec::new();
    for (name, like) in [
        (&b"earer"[..], "a token after Bearer"),
        (b"EARER", "a token after Bearer"),
        (b"access_token=", "a value of access_token"),
    ] {
        for at in memmem::find_iter(text, name).take_while(|&at| at < end) {
            let mut start = at + name.len();
            if !name.ends_with(b"=") {
                let blanks = run_len(&text[start..], |byte| matches!(byte, b' ' | b'\t' | b'+'));
                let encoded = text[start..].starts_with(b"%20");
                let before = text[..at].strip_suffix(b"b").or(text[..at].strip_suffix(b"B"));
                if before.is_none_or(names_a_type) || blanks == 0 && !encoded {
                    continue;
                }
                start += if encoded { 3 } else { blanks };
            }
            let len = run_len(&text[start..text.len().min(start + TOKEN_LEN_MAX)], is_token);
            if looks_random(&text[start..start + len]) {
                found.push((start..start + len, like));
            }
        }
    }
    found
}

/// `token_type=`, `"tokenType": "`: the word is the value of a field, and what follows is another one.
fn names_a_type(before: &[u8]) -> bool {
    const BETWEEN_LEN_MAX: usize = 8;
    let between = before.iter().rev().take(BETWEEN_LEN_MAX).take_while(|&&byte| b"\\\"'=: ".contains(&byte)).count();
    between > 0 && before[..before.len() - between].ends_with(b"ype")
}

fn looks_random(token: &[u8]) -> bool {
    let count = |is: fn(&u8) -> bool| token.iter().filter(|&byte| is(byte)).count();
    let is_long = token.len() >= TOKEN_LEN_MIN;
    // Padding ends a token; elsewhere `=` stands between a field of the log and its value.
    let padding = token.iter().position(|&byte| byte == b'=').unwrap_or(token.len());
    let is_field = token[padding..].iter().any(|&byte| byte != b'=');
    is_long
        && !is_field
        && count(u8::is_ascii_digit) >= 2
        && count(u8::is_ascii_alphabetic) >= 2
        && memmem::find(token, b"redacted-").is_none()
}

fn run_len(text: &[u8], is: impl Fn(u8) -> bool) -> usize {
    text.iter().take(LINE_BYTES_MAX).position(|&byte| !is(byte)).unwrap_or(text.len().min(LINE_BYTES_MAX))
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// RFC 6750 §2.1.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
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
