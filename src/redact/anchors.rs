//! The anchor pass: rare literal fragments, at least one of which stands in every covered form.

use super::cursor::{Cursor, More};
use super::literals::{self, Candidates, Group, Literals};
use super::paseto;
use super::view::Encoding;
use super::wanted::{self, is_wanted, may_be_wanted};
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
    /// The end of a member's name `value`, whose own name may stand behind it.
    Value,
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

/// Base64 whose group of four characters begins so many characters before the fragment.
const fn base64(back: usize) -> Anchor {
    Anchor::Encoded(Encoding::Base64 { back })
}

const ESCAPED: Anchor = Anchor::Encoded(Encoding::Escaped);
const HEX: Anchor = Anchor::Encoded(Encoding::Hex);

/// All literals, in groups of which few other texts of logs pass for one: see [`literals`](super::literals).
/// Every literal is short, so that few spellings cover all cases, and rare in clean logs. None begins with another.
#[rustfmt::skip] // a literal in each line would be a long list
const GROUPS: [Group<Anchor>; literals::GROUPS] = [
    &[
        // base64 of `{"` and a letter, a digit or symbol, a non-ASCII character; of `{` and a blank, LF, CR, tab.
        (Anchor::Jose, &[b"eyJ", b"eyI", b"eyK", b"eyL", b"eyA", b"ewo", b"ew0", b"ewk"]),
        (Anchor::Compressed, &[b"eJw", b"eJx", b"eJy", b"eJz"]),
    ],
    &[
        // The version of a PASETO token and a dot, and the purpose's first letter.
        (base64(2), &[b"YxLm", b"YyLm", b"YzLm", b"Y0Lm", b"YxLn", b"YyLn", b"YzLn", b"Y0Ln"]),
        // `ewo`, `ew0`, `ewk`, `eyA`, `eyJ`, `earer`, `EARER`, `RIZA`
        (base64(0), &[b"ZXdv", b"ZXcw", b"ZXdr", b"ZXlB", b"ZXlK", b"ZWFyZX", b"RUFSRV", b"UklaQ"]),
    ],
    &[
        (Anchor::Authorization, &[b"riz", b"riZ", b"rIz", b"rIZ", b"Riz", b"RiZ", b"RIz", b"RIZ"]),
        // `eyA` and `eyJ`, `earer`
        (base64(3), &[b"leU", b"lYXJlc"]),
    ],
    &[
        (Anchor::Name, &[b"oken", b"OKEN"]),
        (Anchor::Name, &[b"pi_key", b"pi_Key", b"PI_KEY"]),
        (Anchor::Cookie, &[b"ookie", b"OOKIE"]),
        // `ZXlK`
        (base64(2), &[b"pYbE"]),
        (Anchor::Signature { len: 8 }, &[b"ignature"]),
        // `X-Api-Key` as it is written in headers, variables and maps.
        (Anchor::Name, &[b"pi-key", b"pi-Key", b"PI-KEY", b"PIKEY", b"piKey", b"pikey"]),
    ],
    &[
        (Anchor::Scheme, &[b"earer", b"EARER"]),
        (Anchor::Member, &[b"payload"]),
        (Anchor::Encoded(Encoding::Utf16), &[b"e\0y\0"]),
        // The version of a PASETO token and a dot; `iza`
        (base64(0), &[b"djEu", b"djIu", b"djMu", b"djQu", b"aXphd"]),
        // `ZXlK`
        (base64(3), &[b"aWGxL"]),
    ],
    &[
        (Anchor::Authority { encoded: false }, &[b"://"]),
        // As PHP writes slashes in JSON.
        (Anchor::Authority { encoded: false }, &[b":\\/\\/"]),
        (Anchor::Name, &[b"jwt", b"Jwt"]),
        // `ew0`, `ewo` and `ewk`
        (base64(3), &[b"ldz", b"ld2"]),
    ],
    &[
        (Anchor::Value, &[b"lue\"", b"lue'", b"lue\\\""]),
        (Anchor::Member, &[b"iphertext"]),
        (Anchor::Tail { back: 3 }, &[b"iOi", b"iOj"]),
        (Anchor::Tail { back: 0 }, &[b"Ijo"]),
        (Anchor::Encoded(Encoding::Utf16), &[b"\0e\0"]),
    ],
    &[
        // `oken`
        (base64(2), &[b"9rZW"]),
        // `eyJ` and `earer`
        (HEX, &[b"65794", b"6561726", b"65776", b"657730"]),
        (Anchor::Encoded(Encoding::SpacedHex), &[b"65 79", b"65:79"]),
    ],
    &[
        (Anchor::User, &[b"-user"]),
        (Anchor::User, &[b"-u "]),
        // Letters in escapes, as in percent encoding, and `e` in others and in character references.
        (ESCAPED, &[b"\\u006", b"\\u004", b"\\u0076\\u003", b"\\x65", b"&#101;", b"&#x65;", b"&#X65;"]),
        (Anchor::CookieJar, &[b"E\t/"]),
    ],
    &[
        (Anchor::Signature { len: 3 }, &[b"sig=", b"sig%3D"]),
        (Anchor::Name, &[b"ssertion"]),
        // `riza`
        (base64(0), &[b"cml6Y"]),
        (Anchor::Name, &[b"code"]),
    ],
    &[
        // The version of a PASETO token and a dot.
        (HEX, &[b"76312e", b"76322e", b"76332e", b"76342e", b"76312E", b"76322E", b"76332E", b"76342E"]),
        (Anchor::Name, &[b"nt_secret", b"ntSecret", b"NT_SECRET"]),
    ],
    &[
        // The version of a PASETO token in percent encoding.
        (ESCAPED, &[b"%76%3"]),
        (Anchor::Authority { encoded: true }, &[b"%2F%2F", b"%2f%2f"]),
        // Letters in percent encoding, encoded twice.
        (ESCAPED, &[b"%256", b"%254"]),
        // Letters in percent encoding, which no honest encoder needs: what is encoded has one from `a` to `o`, or, in capitals, from `A` to `O`.
        (ESCAPED, &[
            b"%61", b"%62", b"%63", b"%64", b"%65", b"%66", b"%67", b"%68", b"%69", b"%6A", b"%6B", b"%6C", b"%6D",
            b"%6E", b"%6F", b"%6a", b"%6b", b"%6c", b"%6d", b"%6e", b"%6f", b"%41", b"%42", b"%43", b"%44", b"%45",
            b"%46", b"%47", b"%48", b"%49", b"%4A", b"%4B", b"%4C", b"%4D", b"%4E", b"%4F", b"%4a", b"%4b", b"%4c",
            b"%4d", b"%4e", b"%4f",
        ]),
        // `eyJ`, `eyA`, `ewk`, `EARER`
        (base64(2), &[b"V5S", b"V5Q", b"V3a", b"VBUkVS"]),
        // `WlhsS`
        (base64(0), &[b"V2xoc1"]),
        // `ewo`, `ew0`, `earer`
        (base64(2), &[b"V3b", b"V3M", b"VhcmVy"]),
    ],
    &[
        // `oken`
        (base64(3), &[b"va2Vu"]),
        // `RIZA`
        (base64(2), &[b"JJWkF"]),
        // `riza`
        (base64(2), &[b"JpemF"]),
        (Anchor::Name, &[b"uthkey", b"uth_key", b"uthKey"]),
    ],
    &[
        // The version of a PASETO token, and the beginning of an encoded dot.
        (ESCAPED, &[b"v1\\u", b"v2\\u", b"v3\\u", b"v4\\u"]),
        // The same, and percent encoding.
        (ESCAPED, &[b"v1%2", b"v2%2", b"v3%2", b"v4%2"]),
        // The same, and a character reference.
        (ESCAPED, &[b"v1&#", b"v2&#", b"v3&#", b"v4&#", b"v1&per", b"v2&per", b"v3&per", b"v4&per"]),
        (Anchor::Name, &[b"SSERTION", b"JWT"]),
        // `EARER`, `RIZA`
        (base64(3), &[b"FQVJFU", b"SSVpB"]),
        (Anchor::Tail { back: 2 }, &[b"I6I", b"I6M"]),
    ],
    &[
        // The version of a PASETO token and a dot, and the purpose's first bits.
        (base64(3), &[b"2MS5", b"2Mi5", b"2My5", b"2NC5"]),
        (Anchor::Paseto, &[b".public.", b".secret."]),
        (Anchor::User, &[b"\"-u\"", b"'-u'"]),
    ],
    &[
        (Anchor::Member, &[b"ncrypted_key"]),
        // `oken`, `[{"`, `ZXlK`, `ZXd`
        (base64(0), &[b"b2tlb", b"W3si", b"WlhsS", b"Wlhkd"]),
        (Anchor::Paseto, &[b".local."]),
    ],
];

/// Finds anchors, leftmost first.
#[derive(Debug)]
pub(super) struct Anchors {
    literals: Literals<Anchor>,
    /// Those that begin with what they give away.
    encodings: Vec<(&'static [u8], Encoding)>,
    /// Names that the user added; a pass of its own, so that nobody else pays for it.
    extra: Option<AhoCorasick>,
}

/// The next anchor, kept while events that come before it are looked at.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// From where on it is the first, if the bytes at hand were searched.
    searched_from: Option<usize>,
    found: Option<(Range<usize>, Anchor)>,
    candidates: Candidates,
    /// None is passed over.
    all: bool,
}

impl Ahead {
    /// Indexes are about to change. `all` says that somebody asks about anchors of which nothing comes, too.
    pub fn forget(&mut self, all: bool) {
        *self = Self { all, ..Self::default() };
    }

    fn find(
        &mut self,
        literals: &Literals<Anchor>,
        bytes: &[u8],
        floor: usize,
        span: Range<usize>,
    ) -> Option<(Range<usize>, Anchor)> {
        let is_known = self.searched_from.is_some_and(|from| from <= span.start)
            && self.found.as_ref().is_none_or(|(range, _)| span.start <= range.start);
        if !is_known {
            let Self { candidates, all, .. } = self;
            self.found = match *all {
                false => literals.find(bytes, span.start, candidates, may_be_wanted, |range, anchor| {
                    is_wanted(anchor, bytes, floor, range)
                }),
                true => literals.find_any(bytes, span.start),
            };
            self.searched_from = Some(span.start);
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
        let encodings = literals::each(GROUPS).filter_map(|(anchor, literal)| match anchor {
            Anchor::Jose => Some((literal, Encoding::Base64 { back: 0 })),
            Anchor::Encoded(encoding @ (Encoding::Base64 { back: 0 } | Encoding::Hex | Encoding::Escaped)) => {
                Some((literal, encoding))
            }
            _ => None,
        });
        Ok(Self {
            literals: Literals::new(GROUPS, &wanted::CLASSES, wanted::beside),
            encodings: encodings.collect(),
            extra,
        })
    }

    /// The first anchor in `bytes[span]`. What is before `floor` may be anything.
    #[inline]
    pub fn find(
        &self,
        bytes: &[u8],
        floor: usize,
        mut span: Range<usize>,
        ahead: &mut Ahead,
    ) -> Option<(Range<usize>, Anchor)> {
        let mut found = ahead.find(&self.literals, bytes, floor, span.clone());
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
        self.first(bytes).is_some()
    }

    /// Where the first anchor in `bytes` begins.
    pub fn first(&self, bytes: &[u8]) -> Option<usize> {
        Some(self.find(bytes, 0, 0..bytes.len(), &mut Ahead::default())?.0.start)
    }

    /// The encoding that gives itself away at the first byte: base64 of an object among them.
    pub fn encoding(&self, at: &Cursor<'_>) -> Result<Option<Encoding>, More> {
        // The first bytes of the literals that are meant: values are many, and encoded ones few.
        if !matches!(at.peek()?, Some(b'e' | b'Z' | b'W' | b'6' | b'%' | b'\\' | b'&')) {
            return Ok(None);
        }
        for &(literal, encoding) in &self.encodings {
            if at.starts_with(literal)? {
                return Ok(Some(encoding));
            }
        }
        Ok(None)
    }

    /// How many of the last bytes could be the beginning of an anchor that goes on in the bytes to come.
    pub fn partial_len(&self, bytes: &[u8]) -> usize {
        literals::each(GROUPS).map(|(_, literal)| partial_len(bytes, literal)).max().unwrap_or(0)
    }
}

fn partial_len(bytes: &[u8], literal: &[u8]) -> usize {
    let Some(last) = bytes.last() else { return 0 };
    // Nearly all differ there.
    (1..literal.len()).rev().find(|&len| literal[len - 1] == *last && bytes.ends_with(&literal[..len])).unwrap_or(0)
}

/// A name as it may be written: as the user has it, or its words apart by `_`, by `-`, or by nothing.
fn spellings(name: &str) -> Vec<String> {
    let mut spellings =
        vec![name.to_owned(), name.replace('-', "_"), name.replace('_', "-"), name.replace(['-', '_'], "")];
    spellings.sort_unstable();
    spellings.dedup();
    spellings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_as_the_search_wants_them() {
        let literals: Vec<&[u8]> = literals::each(GROUPS).map(|(_, literal)| literal).collect();
        assert!((37..256).contains(&literals.len()));
        for (index, literal) in literals.iter().enumerate() {
            assert!(literal.len() >= 3 && literal.is_ascii(), "{}", literal.escape_ascii());
            for (other_index, other) in literals.iter().enumerate() {
                assert!(index == other_index || !literal.starts_with(other), "{}", literal.escape_ascii());
            }
        }
    }
}
