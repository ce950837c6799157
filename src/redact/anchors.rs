//! The anchor pass: rare literal fragments, at least one of which stands in every covered form.

use super::cursor::{Cursor, More};
use super::literals::{self, Literal, Literals};
use super::paseto;
use super::userinfo;
use super::view::Encoding;
use aho_corasick::{AhoCorasick, Input};
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

/// All literals, in groups of those that have letters in common at the same places: see [`literals`](super::literals).
/// Every literal is short, so that few spellings cover all cases, and rare in clean logs. None begins with another.
const GROUPS: [&[Literal<Anchor>]; literals::GROUPS] = [
    // base64 of `{"` and a letter, a digit or symbol, a non-ASCII character; of `{` and a blank, LF, CR, tab.
    &[
        (b"eyJ", Anchor::Jose),
        (b"eyI", Anchor::Jose),
        (b"eyK", Anchor::Jose),
        (b"eyL", Anchor::Jose),
        (b"eyA", Anchor::Jose),
        (b"ewo", Anchor::Jose),
        (b"ew0", Anchor::Jose),
        (b"ewk", Anchor::Jose),
        (b"eJw", Anchor::Compressed),
        (b"eJx", Anchor::Compressed),
        (b"eJy", Anchor::Compressed),
        (b"eJz", Anchor::Compressed),
    ],
    &[
        (b"riz", Anchor::Authorization),
        (b"riZ", Anchor::Authorization),
        (b"rIz", Anchor::Authorization),
        (b"rIZ", Anchor::Authorization),
        (b"Riz", Anchor::Authorization),
        (b"RiZ", Anchor::Authorization),
        (b"RIz", Anchor::Authorization),
        (b"RIZ", Anchor::Authorization),
        (b"9rZW", Anchor::Encoded(Encoding::Base64 { back: 2 })), // `oken`
        // The version of a PASETO token, and the beginning of an encoded dot.
        (b"v1\\u", Anchor::Encoded(Encoding::Escaped)),
        (b"v2\\u", Anchor::Encoded(Encoding::Escaped)),
        (b"v3\\u", Anchor::Encoded(Encoding::Escaped)),
        (b"v4\\u", Anchor::Encoded(Encoding::Escaped)),
    ],
    &[(b"oken", Anchor::Name), (b"OKEN", Anchor::Name), (b"\"-u\"", Anchor::User), (b"'-u'", Anchor::User)],
    &[(b"-u ", Anchor::User), (b"-user", Anchor::User), (b"://", Anchor::Authority { encoded: false })],
    &[
        (b"earer", Anchor::Scheme),
        (b"EARER", Anchor::Scheme),
        (b"pi_key", Anchor::Name),
        (b"pi_Key", Anchor::Name),
        (b"PI_KEY", Anchor::Name),
        (b"payload", Anchor::Member),
        (b"va2Vu", Anchor::Encoded(Encoding::Base64 { back: 3 })), // `oken`
        (b"e\0y\0", Anchor::Encoded(Encoding::Utf16)),
    ],
    // `X-Api-Key` as it is written in headers, variables and maps.
    &[
        (b"pi-key", Anchor::Name),
        (b"pi-Key", Anchor::Name),
        (b"PI-KEY", Anchor::Name),
        (b"PIKEY", Anchor::Name),
        (b"piKey", Anchor::Name),
        (b"pikey", Anchor::Name),
        (b"code", Anchor::Name),
        (b"sig=", Anchor::Signature { len: 3 }),
        (b"sig%3D", Anchor::Signature { len: 3 }),
        (b"ookie", Anchor::Cookie),
        (b"OOKIE", Anchor::Cookie),
    ],
    &[
        (b"ssertion", Anchor::Name),
        (b"uthkey", Anchor::Name),
        (b"uth_key", Anchor::Name),
        (b"uthKey", Anchor::Name),
        (b".public.", Anchor::Paseto),
        (b".secret.", Anchor::Paseto),
        // The version of a PASETO token, and the beginning of an encoded dot.
        (b"v1%2", Anchor::Encoded(Encoding::Escaped)),
        (b"v2%2", Anchor::Encoded(Encoding::Escaped)),
        (b"v3%2", Anchor::Encoded(Encoding::Escaped)),
        (b"v4%2", Anchor::Encoded(Encoding::Escaped)),
    ],
    &[(b"ignature", Anchor::Signature { len: 8 }), (b"iphertext", Anchor::Member), (b".local.", Anchor::Paseto)],
    &[
        (b"jwt", Anchor::Name),
        (b"Jwt", Anchor::Name),
        (b"iOi", Anchor::Tail { back: 3 }),
        (b"iOj", Anchor::Tail { back: 3 }),
        // base64 of the version of a PASETO token and a dot, and of the purpose's first bits.
        (b"2MS5", Anchor::Encoded(Encoding::Base64 { back: 3 })),
        (b"2Mi5", Anchor::Encoded(Encoding::Base64 { back: 3 })),
        (b"2My5", Anchor::Encoded(Encoding::Base64 { back: 3 })),
        (b"2NC5", Anchor::Encoded(Encoding::Base64 { back: 3 })),
    ],
    // base64 in capitals, of `ewo`, `ew0`, `ewk`, `eyA`, `eyJ`, `earer` and `EARER`.
    &[
        (b"ZXdv", Anchor::Encoded(Encoding::Base64 { back: 0 })),
        (b"ZXcw", Anchor::Encoded(Encoding::Base64 { back: 0 })),
        (b"ZXdr", Anchor::Encoded(Encoding::Base64 { back: 0 })),
        (b"ZXlB", Anchor::Encoded(Encoding::Base64 { back: 0 })),
        (b"ZXlK", Anchor::Encoded(Encoding::Base64 { back: 0 })),
        (b"ZWFyZX", Anchor::Encoded(Encoding::Base64 { back: 0 })),
        (b"RUFSRV", Anchor::Encoded(Encoding::Base64 { back: 0 })),
        (b"FQVJFU", Anchor::Encoded(Encoding::Base64 { back: 3 })),
        (b"SSERTION", Anchor::Name),
        (b"JWT", Anchor::Name),
        (b"E\t/", Anchor::CookieJar),
    ],
    // The same behind two characters of a group; `e`, the letter that every name, every scheme and every JOSE header has,
    // in percent encoding and as an entity.
    &[
        (b"V5S", Anchor::Encoded(Encoding::Base64 { back: 2 })),
        (b"V5Q", Anchor::Encoded(Encoding::Base64 { back: 2 })),
        (b"V3a", Anchor::Encoded(Encoding::Base64 { back: 2 })),
        (b"VBUkVS", Anchor::Encoded(Encoding::Base64 { back: 2 })),
        (b"%65", Anchor::Encoded(Encoding::Escaped)),
        (b"%2565", Anchor::Encoded(Encoding::Escaped)),
        (b"&#101;", Anchor::Encoded(Encoding::Escaped)),
        (b"&#x65;", Anchor::Encoded(Encoding::Escaped)),
        (b"&#X65;", Anchor::Encoded(Encoding::Escaped)),
        (b"%2F%2F", Anchor::Authority { encoded: true }),
        (b"%2f%2f", Anchor::Authority { encoded: true }),
    ],
    &[
        (b"V3b", Anchor::Encoded(Encoding::Base64 { back: 2 })),
        (b"V3M", Anchor::Encoded(Encoding::Base64 { back: 2 })),
        (b"VhcmVy", Anchor::Encoded(Encoding::Base64 { back: 2 })),
        (b"Ijo", Anchor::Tail { back: 0 }),
        (b"I6I", Anchor::Tail { back: 2 }),
        (b"I6M", Anchor::Tail { back: 2 }),
        // base64 of the version of a PASETO token and a dot, and of the purpose's first letter.
        (b"YxLm", Anchor::Encoded(Encoding::Base64 { back: 2 })),
        (b"YyLm", Anchor::Encoded(Encoding::Base64 { back: 2 })),
        (b"YzLm", Anchor::Encoded(Encoding::Base64 { back: 2 })),
        (b"Y0Lm", Anchor::Encoded(Encoding::Base64 { back: 2 })),
        (b"YxLn", Anchor::Encoded(Encoding::Base64 { back: 2 })),
        (b"YyLn", Anchor::Encoded(Encoding::Base64 { back: 2 })),
        (b"YzLn", Anchor::Encoded(Encoding::Base64 { back: 2 })),
        (b"Y0Ln", Anchor::Encoded(Encoding::Base64 { back: 2 })),
    ],
    // The same behind one character of a group.
    &[
        (b"leU", Anchor::Encoded(Encoding::Base64 { back: 3 })),
        (b"lYXJlc", Anchor::Encoded(Encoding::Base64 { back: 3 })),
        (b"\0e\0", Anchor::Encoded(Encoding::Utf16)),
        (b"nt_secret", Anchor::Name),
        (b"ntSecret", Anchor::Name),
        (b"NT_SECRET", Anchor::Name),
    ],
    &[
        (b"ldz", Anchor::Encoded(Encoding::Base64 { back: 3 })),
        (b"ld2", Anchor::Encoded(Encoding::Base64 { back: 3 })),
        // base64 of the version of a PASETO token and a dot.
        (b"djEu", Anchor::Encoded(Encoding::Base64 { back: 0 })),
        (b"djIu", Anchor::Encoded(Encoding::Base64 { back: 0 })),
        (b"djMu", Anchor::Encoded(Encoding::Base64 { back: 0 })),
        (b"djQu", Anchor::Encoded(Encoding::Base64 { back: 0 })),
    ],
    // base64 of `oken` and of `[{"`.
    &[
        (b"b2tlb", Anchor::Encoded(Encoding::Base64 { back: 0 })),
        (b"W3si", Anchor::Encoded(Encoding::Base64 { back: 0 })),
        (b"ncrypted_key", Anchor::Member),
        // The version of a PASETO token, and the beginning of an encoded dot.
        (b"v1&#", Anchor::Encoded(Encoding::Escaped)),
        (b"v2&#", Anchor::Encoded(Encoding::Escaped)),
        (b"v3&#", Anchor::Encoded(Encoding::Escaped)),
        (b"v4&#", Anchor::Encoded(Encoding::Escaped)),
    ],
    // `eyJ` and `earer` in hexadecimal digits; `e` in escapes; slashes as PHP writes them in JSON.
    &[
        (b"65794", Anchor::Encoded(Encoding::Hex)),
        (b"6561726", Anchor::Encoded(Encoding::Hex)),
        (b"65776", Anchor::Encoded(Encoding::Hex)),
        (b"657730", Anchor::Encoded(Encoding::Hex)),
        (b"65 79", Anchor::Encoded(Encoding::SpacedHex)),
        (b"65:79", Anchor::Encoded(Encoding::SpacedHex)),
        (b"\\u0065", Anchor::Encoded(Encoding::Escaped)),
        (b"\\x65", Anchor::Encoded(Encoding::Escaped)),
        (b":\\/\\/", Anchor::Authority { encoded: false }),
    ],
];

/// Finds anchors, leftmost first.
#[derive(Debug)]
pub(super) struct Anchors {
    literals: Literals<Anchor>,
    /// Names that the user added; a pass of its own, so that nobody else pays for it.
    extra: Option<AhoCorasick>,
}

/// The next anchor, kept while events that come before it are looked at.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// What was searched, in the bytes at hand.
    searched: Range<usize>,
    found: Option<(Range<usize>, Anchor)>,
}

impl Ahead {
    /// Indexes are about to change.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    fn find(
        &mut self,
        literals: &Literals<Anchor>,
        bytes: &[u8],
        span: Range<usize>,
    ) -> Option<(Range<usize>, Anchor)> {
        let is_known = self.searched.start <= span.start
            && match &self.found {
                Some((range, _)) => span.start <= range.start,
                None => span.end <= self.searched.end,
            };
        if !is_known {
            let mut rest = span.clone();
            self.found = loop {
                match literals.find(bytes, rest.clone()) {
                    Some((range, anchor)) if !is_wanted(anchor, &bytes[range.end..span.end]) => {
                        rest.start = range.start + 1;
                    }
                    found => break found,
                }
            };
            self.searched = span.clone();
        }
        self.found.clone().filter(|(range, _)| range.end <= span.end)
    }
}

/// Nearly all URLs have no user part: they are passed over at once.
fn is_wanted(anchor: Anchor, behind: &[u8]) -> bool {
    anchor != Anchor::Authority { encoded: false } || userinfo::may_begin(behind) != Some(false)
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
        Ok(Self { literals: Literals::new(GROUPS), extra })
    }

    /// The first anchor in `bytes[span]`.
    #[inline]
    pub fn find(&self, bytes: &[u8], span: Range<usize>, ahead: &mut Ahead) -> Option<(Range<usize>, Anchor)> {
        let mut span = span;
        let mut found = ahead.find(&self.literals, bytes, span.clone());
        if let Some((range, Anchor::Paseto)) = &mut found
            && paseto::ends_with_version(&bytes[span.start..range.start])
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
        for (literal, anchor) in GROUPS.into_iter().flatten() {
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
        let literals = GROUPS.into_iter().flatten();
        literals.map(|(literal, _)| partial_len(bytes, literal)).max().unwrap_or(0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_as_the_search_wants_them() {
        let literals: Vec<&[u8]> = GROUPS.into_iter().flatten().map(|(literal, _)| *literal).collect();
        assert!((37..256).contains(&literals.len()));
        for (index, literal) in literals.iter().enumerate() {
            assert!(literal.len() >= 3 && literal.is_ascii(), "{}", literal.escape_ascii());
            for (other_index, other) in literals.iter().enumerate() {
                assert!(index == other_index || !literal.starts_with(other), "{}", literal.escape_ascii());
            }
        }
    }
}
