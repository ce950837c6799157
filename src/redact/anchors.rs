//! The anchor pass: rare literal fragments, at least one of which stands in every covered form.

use aho_corasick::{AhoCorasick, Input, packed};
use std::ops::Range;

/// What a fragment may be part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    /// The first characters of a JSON object in base64.
    Jose,
    /// `earer`: all of the scheme's name but its first letter.
    Scheme,
    /// `riz` of `authorization`, in whatever case.
    Authorization,
    /// The end of a parameter's or member's name.
    Name,
    /// `ookie` of `Cookie` and `Set-Cookie`.
    Cookie,
}

/// Every literal is short, so that few spellings cover all cases, and rare in clean logs.
const ANCHORS: [(&[u8], Anchor); 37] = [
    // `{"` and a letter, a digit or symbol, a non-ASCII character; `{` and a blank, LF, CR, tab.
    (b"eyJ", Anchor::Jose),
    (b"eyI", Anchor::Jose),
    (b"eyK", Anchor::Jose),
    (b"eyL", Anchor::Jose),
    (b"eyA", Anchor::Jose),
    (b"ewo", Anchor::Jose),
    (b"ew0", Anchor::Jose),
    (b"ewk", Anchor::Jose),
    (b"earer", Anchor::Scheme),
    (b"EARER", Anchor::Scheme),
    (b"riz", Anchor::Authorization),
    (b"riZ", Anchor::Authorization),
    (b"rIz", Anchor::Authorization),
    (b"rIZ", Anchor::Authorization),
    (b"Riz", Anchor::Authorization),
    (b"RiZ", Anchor::Authorization),
    (b"RIz", Anchor::Authorization),
    (b"RIZ", Anchor::Authorization),
    (b"oken", Anchor::Name),
    (b"OKEN", Anchor::Name),
    (b"ssertion", Anchor::Name),
    (b"jwt", Anchor::Name),
    (b"JWT", Anchor::Name),
    (b"Jwt", Anchor::Name),
    (b"SSERTION", Anchor::Name),
    (b"code", Anchor::Name),
    // `X-Api-Key` as it is written in headers, variables and maps.
    (b"pi-key", Anchor::Name),
    (b"pi-Key", Anchor::Name),
    (b"pi_key", Anchor::Name),
    (b"pi_Key", Anchor::Name),
    (b"PI_KEY", Anchor::Name),
    (b"PI-KEY", Anchor::Name),
    (b"PIKEY", Anchor::Name),
    (b"piKey", Anchor::Name),
    (b"pikey", Anchor::Name),
    (b"ookie", Anchor::Cookie),
    (b"OOKIE", Anchor::Cookie),
];

/// Finds anchors, leftmost first.
#[derive(Debug)]
pub(super) struct Anchors {
    searcher: Searcher,
    /// Names that the user added; a pass of its own, so that nobody else pays for it.
    extra: Option<AhoCorasick>,
}

#[derive(Debug)]
enum Searcher {
    Packed(packed::Searcher),
    /// For processors without the vector instructions that the packed searcher wants.
    Automaton(AhoCorasick),
}

impl Anchors {
    pub fn new(extra_fields: &[String]) -> Result<Self, String> {
        let literals = ANCHORS.iter().map(|(literal, _)| literal);
        let packed = packed::Config::new().builder().extend(literals.clone()).build();
        let searcher = match packed {
            Some(searcher) => Searcher::Packed(searcher),
            None => Searcher::Automaton(AhoCorasick::new(literals).map_err(|error| error.to_string())?),
        };
        let spellings: Vec<String> = extra_fields.iter().flat_map(|name| spellings(name)).collect();
        let extra = match spellings.is_empty() {
            true => None,
            false => Some(
                AhoCorasick::builder()
                    .ascii_case_insensitive(true)
                    .build(spellings)
                    .map_err(|error| format!("extra_fields: {error}"))?,
            ),
        };
        Ok(Self { searcher, extra })
    }

    /// The first anchor in `bytes[span]`.
    #[inline]
    pub fn find(&self, bytes: &[u8], span: Range<usize>) -> Option<(Range<usize>, Anchor)> {
        let mut span = span;
        let found = match &self.searcher {
            Searcher::Packed(searcher) => searcher.find_in(bytes, span.clone().into()),
            Searcher::Automaton(searcher) => searcher.find(Input::new(bytes).span(span.clone())),
        };
        let found = found.map(|found| (found.range(), ANCHORS[found.pattern().as_usize()].1));
        let Some(extra) = &self.extra else { return found };
        if let Some((range, _)) = &found {
            span.end = range.start;
        }
        let before = extra.find(Input::new(bytes).span(span)).map(|extra| (extra.range(), Anchor::Name));
        before.or(found)
    }

    /// How many of the last bytes could be the beginning of an anchor that goes on in the bytes to come.
    pub fn partial_len(&self, bytes: &[u8]) -> usize {
        let literals = ANCHORS.iter().map(|(literal, _)| *literal);
        literals.map(|literal| partial_len(bytes, literal)).max().unwrap_or(0)
    }
}

fn partial_len(bytes: &[u8], literal: &[u8]) -> usize {
    (1..literal.len()).rev().find(|&len| bytes.ends_with(&literal[..len])).unwrap_or(0)
}

/// A name as it may be written: words apart by `_`, by `-`, or by nothing.
fn spellings(name: &str) -> Vec<String> {
    let mut spellings = vec![name.replace('-', "_"), name.replace('_', "-"), name.replace(['-', '_'], "")];
    spellings.dedup();
    spellings
}
