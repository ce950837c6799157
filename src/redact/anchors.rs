//! The anchor pass: rare literal fragments, at least one of which stands in every covered form.

use super::cursor::{Cursor, More};
use super::view::Encoding;
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
    /// Something of a credential in an encoding.
    Encoded(Encoding),
    /// `":"` or `":1` in base64, whose group of four characters begins so many characters before: it may be the rest of a
    /// token whose beginning is gone.
    Tail { back: usize },
    /// The end of a URL's scheme, whose delimiters may be encoded: a password may follow.
    Authority { encoded: bool },
    /// The name of a member of a JOSE object (RFC 7515 §7.2, RFC 7516 §7.2).
    Member,
    /// Version and purpose of a PASETO, without the version's `v` and digit.
    Paseto,
    /// A session of Flask or Django that is compressed: a dot stands before it.
    Compressed,
}

/// Every literal is short, so that few spellings cover all cases, and rare in clean logs.
const ANCHORS: [(&[u8], Anchor); 40] = [
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
    (b"ignature", Anchor::Name),
    (b"&sig=", Anchor::Name),
    (b"?sig=", Anchor::Name),
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

/// What credentials in encodings and in rarer forms hold. They are searched for in a pass of their own: one search for all would be slower
/// than two.
const ENCODED: [(&[u8], Anchor); 38] = [
    // base64 of `eyJ` and of `earer`, at each of the three places in a group.
    (b"ZXlK", Anchor::Encoded(Encoding::Base64 { back: 0 })),
    (b"V5S", Anchor::Encoded(Encoding::Base64 { back: 2 })),
    (b"leU", Anchor::Encoded(Encoding::Base64 { back: 3 })),
    (b"ZWFyZX", Anchor::Encoded(Encoding::Base64 { back: 0 })),
    (b"VhcmVy", Anchor::Encoded(Encoding::Base64 { back: 2 })),
    (b"lYXJlc", Anchor::Encoded(Encoding::Base64 { back: 3 })),
    // `[{"`
    (b"W3si", Anchor::Encoded(Encoding::Base64 { back: 0 })),
    // `eyJ` and `earer` in hexadecimal digits.
    (b"65794", Anchor::Encoded(Encoding::Hex)),
    (b"6561726", Anchor::Encoded(Encoding::Hex)),
    (b"65 79", Anchor::Encoded(Encoding::SpacedHex)),
    (b"65:79", Anchor::Encoded(Encoding::SpacedHex)),
    // The letter that every name, every scheme and every JOSE header has.
    (b"%65", Anchor::Encoded(Encoding::Escaped)),
    (b"%2565", Anchor::Encoded(Encoding::Escaped)),
    (b"\\u0065", Anchor::Encoded(Encoding::Escaped)),
    (b"\\x65", Anchor::Encoded(Encoding::Escaped)),
    (b"&#101;", Anchor::Encoded(Encoding::Escaped)),
    (b"&#x65;", Anchor::Encoded(Encoding::Escaped)),
    (b"&#X65;", Anchor::Encoded(Encoding::Escaped)),
    (b"e\0y\0", Anchor::Encoded(Encoding::Utf16)),
    (b"\0e\0", Anchor::Encoded(Encoding::Utf16)),
    (b"Ijo", Anchor::Tail { back: 0 }),
    (b"I6I", Anchor::Tail { back: 2 }),
    (b"I6M", Anchor::Tail { back: 2 }),
    (b"iOi", Anchor::Tail { back: 3 }),
    (b"iOj", Anchor::Tail { back: 3 }),
    (b"://", Anchor::Authority { encoded: false }),
    (b":\\/\\/", Anchor::Authority { encoded: false }),
    (b"%3A%2F%2F", Anchor::Authority { encoded: true }),
    (b"%3a%2f%2f", Anchor::Authority { encoded: true }),
    (b"\"ciphertext", Anchor::Member),
    (b"\"encrypted_key", Anchor::Member),
    (b"\"tag", Anchor::Member),
    (b".public.", Anchor::Paseto),
    (b".local.", Anchor::Paseto),
    (b"eJw", Anchor::Compressed),
    (b"eJx", Anchor::Compressed),
    (b"eJy", Anchor::Compressed),
    (b"eJz", Anchor::Compressed),
];
const ENCODED_LEN_MAX: usize = 14;

/// Finds anchors, leftmost first.
#[derive(Debug)]
pub(super) struct Anchors {
    plain: Searcher,
    encoded: Searcher,
    /// Names that the user added; a pass of its own, so that nobody else pays for it.
    extra: Option<AhoCorasick>,
}

#[derive(Debug)]
enum Searcher {
    Packed(packed::Searcher),
    /// For processors without the vector instructions that the packed searcher wants.
    Automaton(AhoCorasick),
}

impl Searcher {
    fn new(anchors: &[(&[u8], Anchor)]) -> Result<Self, String> {
        let literals = anchors.iter().map(|(literal, _)| literal);
        // The limits guess at when another search is faster; here they are measured.
        let packed = packed::Config::new().heuristic_pattern_limits(false).builder().extend(literals.clone()).build();
        Ok(match packed {
            Some(searcher) => Searcher::Packed(searcher),
            None => Searcher::Automaton(AhoCorasick::new(literals).map_err(|error| error.to_string())?),
        })
    }

    #[inline]
    fn find(&self, bytes: &[u8], span: Range<usize>) -> Option<(Range<usize>, usize)> {
        let found = match self {
            Searcher::Packed(searcher) => searcher.find_in(bytes, span.into()),
            Searcher::Automaton(searcher) => searcher.find(Input::new(bytes).span(span)),
        }?;
        Some((found.range(), found.pattern().as_usize()))
    }
}

/// The next anchor without an encoding, kept while those with one that come before it are looked at.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// What was searched, in the bytes at hand.
    searched: Range<usize>,
    found: Option<(Range<usize>, usize)>,
}

impl Ahead {
    /// Indexes are about to change.
    pub fn forget(&mut self) {
        self.searched = 0..0;
        self.found = None;
    }

    fn find(&mut self, searcher: &Searcher, bytes: &[u8], span: Range<usize>) -> Option<(Range<usize>, usize)> {
        let is_known = self.searched.start <= span.start
            && match &self.found {
                Some((range, _)) => span.start <= range.start,
                None => span.end <= self.searched.end,
            };
        if !is_known {
            self.found = searcher.find(bytes, span.clone());
            self.searched = span.clone();
        }
        self.found.clone().filter(|(range, _)| range.end <= span.end)
    }
}

impl Anchors {
    pub fn new(extra_fields: &[String]) -> Result<Self, String> {
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
        Ok(Self { plain: Searcher::new(&ANCHORS)?, encoded: Searcher::new(&ENCODED)?, extra })
    }

    /// The first anchor in `bytes[span]`. Where two begin at one place, one without an encoding comes first.
    #[inline]
    pub fn find(&self, bytes: &[u8], span: Range<usize>, ahead: &mut Ahead) -> Option<(Range<usize>, Anchor)> {
        let mut span = span;
        let mut found = ahead.find(&self.plain, bytes, span.clone()).map(|(range, index)| (range, ANCHORS[index].1));
        // Nothing behind what was found is looked for: it would be looked for again.
        if let Some((range, _)) = &found {
            span.end = span.end.min(range.start + ENCODED_LEN_MAX - 1);
        }
        if let Some((range, index)) = self.encoded.find(bytes, span.clone())
            && found.as_ref().is_none_or(|(plain, _)| range.start < plain.start)
        {
            found = Some((range, ENCODED[index].1));
        }
        let Some(extra) = &self.extra else { return found };
        if let Some((range, _)) = &found {
            span.end = range.start;
        }
        let before = extra.find(Input::new(bytes).span(span)).map(|extra| (extra.range(), Anchor::Name));
        before.or(found)
    }

    /// Whether there is any anchor in `bytes`.
    pub fn any(&self, bytes: &[u8]) -> bool {
        self.find(bytes, 0..bytes.len(), &mut Ahead::default()).is_some()
    }

    /// The encoding that gives itself away at the first byte: base64 of an object among them.
    pub fn encoding(&self, at: &Cursor<'_>) -> Result<Option<Encoding>, More> {
        // The first bytes of the literals that are meant: values are many, and encoded ones few.
        if !matches!(at.peek()?, Some(b'e' | b'Z' | b'W' | b'6' | b'%' | b'\\' | b'&')) {
            return Ok(None);
        }
        for (literal, anchor) in ANCHORS.iter().chain(&ENCODED) {
            let encoding = match anchor {
                Anchor::Jose => Encoding::Base64 { back: 0 },
                Anchor::Encoded(encoding @ Encoding::Base64 { back: 0 }) => *encoding,
                Anchor::Encoded(encoding @ (Encoding::Hex | Encoding::Escaped)) => *encoding,
                _ => continue,
            };
            if at.starts_with(literal)? {
                return Ok(Some(encoding));
            }
        }
        Ok(None)
    }

    /// How many of the last bytes could be the beginning of an anchor that goes on in the bytes to come.
    pub fn partial_len(&self, bytes: &[u8]) -> usize {
        let literals = ANCHORS.iter().chain(&ENCODED).map(|(literal, _)| *literal);
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
