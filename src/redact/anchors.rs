//! The anchor pass: rare literal fragments, at least one of which stands in every covered form.

use super::cursor::{Cursor, More};
use super::paseto;
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
    /// A line of a file of cookies: the last letter of `TRUE` or `FALSE`, and the path behind it.
    CookieJar,
    /// The slashes before a URL's authority, in percent encoding or not.
    Authority { encoded: bool },
    /// `signature` or `sig`, whose name has so many of the characters: a parameter, or a member of a JOSE object.
    Signature { len: usize },
    /// Another member of a JOSE object.
    Member,
    /// What a PASETO token is for. The version before it is part of what was found.
    Paseto,
    /// An option of curl that user and password follow.
    User,
    /// Something of a credential in an encoding.
    Encoded(Encoding),
    /// `":"` or `":1` in base64, whose group of four characters begins so many characters before: it may be the rest of a
    /// token whose beginning is gone.
    Tail { back: usize },
    /// A session of Flask or Django that is compressed: a dot stands before it.
    Compressed,
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

/// What credentials in encodings and in rarer forms hold. They are searched for in a pass of their own: one search for all
/// would be slower than two.
const RARE: [(&[u8], Anchor); 71] = [
    // base64 of `eyJ`, `ewo`, `ew0`, `ewk`, `earer`, `EARER` and `oken`, at each of the three places in a group.
    (b"ZXdv", Anchor::Encoded(Encoding::Base64 { back: 0 })),
    (b"ZXcw", Anchor::Encoded(Encoding::Base64 { back: 0 })),
    (b"ZXdr", Anchor::Encoded(Encoding::Base64 { back: 0 })),
    (b"ZXlB", Anchor::Encoded(Encoding::Base64 { back: 0 })),
    (b"V5Q", Anchor::Encoded(Encoding::Base64 { back: 2 })),
    (b"V3b", Anchor::Encoded(Encoding::Base64 { back: 2 })),
    (b"V3M", Anchor::Encoded(Encoding::Base64 { back: 2 })),
    (b"V3a", Anchor::Encoded(Encoding::Base64 { back: 2 })),
    (b"ldz", Anchor::Encoded(Encoding::Base64 { back: 3 })),
    (b"ld2", Anchor::Encoded(Encoding::Base64 { back: 3 })),
    (b"RUFSRV", Anchor::Encoded(Encoding::Base64 { back: 0 })),
    (b"VBUkVS", Anchor::Encoded(Encoding::Base64 { back: 2 })),
    (b"FQVJFU", Anchor::Encoded(Encoding::Base64 { back: 3 })),
    (b"b2tlb", Anchor::Encoded(Encoding::Base64 { back: 0 })),
    (b"9rZW", Anchor::Encoded(Encoding::Base64 { back: 2 })),
    (b"va2Vu", Anchor::Encoded(Encoding::Base64 { back: 3 })),
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
    (b"65776", Anchor::Encoded(Encoding::Hex)),
    (b"657730", Anchor::Encoded(Encoding::Hex)),
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
    (b"E\t/", Anchor::CookieJar),
    (b"://", Anchor::Authority { encoded: false }),
    // As PHP writes it in JSON.
    (b":\\/\\/", Anchor::Authority { encoded: false }),
    (b"%2F%2F", Anchor::Authority { encoded: true }),
    (b"%2f%2f", Anchor::Authority { encoded: true }),
    (b"-u ", Anchor::User),
    (b"\"-u\"", Anchor::User),
    (b"'-u'", Anchor::User),
    (b"-user", Anchor::User),
    (b"ignature", Anchor::Signature { len: 8 }),
    (b"sig=", Anchor::Signature { len: 3 }),
    (b"sig%3D", Anchor::Signature { len: 3 }),
    (b"payload", Anchor::Member),
    (b"iphertext", Anchor::Member),
    (b"ncrypted_key", Anchor::Member),
    (b".public.", Anchor::Paseto),
    (b".local.", Anchor::Paseto),
    (b".secret.", Anchor::Paseto),
    (b"nt_secret", Anchor::Name),
    (b"ntSecret", Anchor::Name),
    (b"NT_SECRET", Anchor::Name),
    (b"uthkey", Anchor::Name),
    (b"uth_key", Anchor::Name),
    (b"uthKey", Anchor::Name),
    (b"eJw", Anchor::Compressed),
    (b"eJx", Anchor::Compressed),
    (b"eJy", Anchor::Compressed),
    (b"eJz", Anchor::Compressed),
];

/// Finds anchors, leftmost first.
#[derive(Debug)]
pub(super) struct Anchors {
    plain: Searcher,
    rare: Searcher,
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

/// The next anchor of each search, kept while those of the other that come before it are looked at.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    plain: Next,
    rare: Next,
}

#[derive(Debug, Default)]
struct Next {
    /// What was searched, in the bytes at hand.
    searched: Range<usize>,
    found: Option<(Range<usize>, usize)>,
}

impl Ahead {
    /// Indexes are about to change.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

impl Next {
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
        Ok(Self { plain: Searcher::new(&ANCHORS)?, rare: Searcher::new(&RARE)?, extra })
    }

    /// The first anchor in `bytes[span]`. Where two begin at one place, one without an encoding comes first.
    #[inline]
    pub fn find(&self, bytes: &[u8], span: Range<usize>, ahead: &mut Ahead) -> Option<(Range<usize>, Anchor)> {
        let mut span = span;
        let span_start = span.start;
        let plain = ahead.plain.find(&self.plain, bytes, span.clone());
        let mut found = plain.map(|(range, index)| (range, ANCHORS[index].1));
        if let Some((range, index)) = ahead.rare.find(&self.rare, bytes, span.clone())
            && found.as_ref().is_none_or(|(plain, _)| range.start < plain.start)
        {
            found = Some((range, RARE[index].1));
        }
        if let Some((range, Anchor::Paseto)) = &mut found
            && paseto::ends_with_version(&bytes[span_start..range.start])
        {
            range.start -= 2;
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
        for (literal, anchor) in ANCHORS.iter().chain(&RARE) {
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
        let literals = ANCHORS.iter().chain(&RARE).map(|(literal, _)| *literal);
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
