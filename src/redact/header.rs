//! Reading a JOSE header: base64, JSON, and the members that prove it.

use super::characters::{Characters, is_base64, sextet};
use super::cursor::More;
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// What a header says about the parts behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// `enc` is there: five parts (RFC 7516 §4.1.2), else three.
    pub encrypted: bool,
    /// `alg` is `none` (RFC 7518 §3.6).
    pub unsecured: bool,
    /// Lengths in characters that the signature or authentication tag can have, ascending; empty if unknown.
    pub last_part_lens: &'static [u64],
}

/// Decodes and parses a header part. `cut` says that `text` is only the beginning of one.
///
/// `alg` or `enc` at the top level decides; `typ` alone is no proof. A header that is cut or broken behind them is parsed
/// as far as it goes.
pub(super) fn read_header(text: Text<'_>, cut: bool) -> Result<Option<Header>, More> {
    let object = read_object(text)?;
    if object.whole {
        return Ok(object.seen.header());
    }
    if object.is_glued {
        // Something behind the object: this is no header but a longer blob that begins with an object.
        return Ok(None);
    }
    // A blob of tens of kilobytes that so far has no registered member is a source map or its like (RFC 7515 §4.1).
    let undecided = cut && object.seen.registered && object.is_open;
    let unknown = Header { encrypted: false, unsecured: false, last_part_lens: &[] };
    Ok(object.seen.header().or(undecided.then_some(unknown)))
}

/// What a base64 text that begins like a JSON object says.
pub(super) struct Object {
    pub seen: Seen,
    /// The text is the object and nothing else.
    pub whole: bool,
    /// The object is at its end, the text is not.
    is_glued: bool,
    /// The text ends inside the object.
    pub is_open: bool,
}

/// Reads the members of the object that a base64 text begins with.
pub(super) fn read_object(text: Text<'_>) -> Result<Object, More> {
    /// Many headers are shorter; of a longer text more is decoded when that is seen to be needed.
    const FIRST_LEN: usize = 128;
    let mut object = Object { seen: Seen::default(), whole: false, is_glued: false, is_open: false };
    if !begins_object(text)? {
        return Ok(object);
    }
    let (mut text, mut limit, mut characters) = (text, FIRST_LEN, Vec::new());
    loop {
        let goes_on = text.read(&mut characters, limit)?;
        // A lone last character holds only six bits of a byte.
        let whole = if characters.len() % 4 == 1 { characters.len() - 1 } else { characters.len() };
        let decoded = ENGINE.decode(&characters[..whole]).unwrap_or_default();
        let mut json = serde_json::Deserializer::from_slice(&decoded);
        object.seen = Seen::default();
        match Members(&mut object.seen).deserialize(&mut json) {
            Err(error) if error.is_eof() && goes_on => {}
            Err(error) => {
                object.is_open = error.is_eof();
                return Ok(object);
            }
            Ok(()) => {
                object.whole = !goes_on && json.end().is_ok();
                object.is_glued = !object.whole;
                return Ok(object);
            }
        }
        limit *= 8;
    }
}

/// `{"alg":1}`
pub(super) const CHARACTERS_MIN: usize = 12;

/// Whether the first characters decode to the beginning of a JSON object. Nearly all candidates end here, so it is cheap.
pub(super) fn begins_object(text: Text<'_>) -> Result<bool, More> {
    const CHARACTERS: usize = 16;
    match text {
        Text::Plain(text) => Ok(is_beginning(&text[..text.len().min(CHARACTERS)])),
        Text::Encoded { .. } => {
            let mut characters = Vec::new();
            { text }.read(&mut characters, CHARACTERS)?;
            Ok(is_beginning(&characters))
        }
    }
}

/// Whether the characters are base64 of what a JSON object in UTF-8 can begin with; what is no base64 ends them.
fn is_beginning(characters: &[u8]) -> bool {
    let (groups, _) = characters.as_chunks::<4>();
    // Bytes that are still to come of a character in UTF-8 (RFC 3629 §4).
    let mut rest = 0;
    let mut decoded = 0;
    for group in groups {
        let [a, b, c, d] = group.map(sextet);
        if (a | b | c | d) & 0x80 != 0 {
            break;
        }
        let bytes = [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d];
        if decoded == 0 && !matches!(bytes, [b'{', b'"' | b' ' | b'\t' | b'\r' | b'\n' | b'}', _]) {
            return false;
        }
        for byte in bytes {
            rest = match (rest, byte) {
                (0, b' '..=0x7f | b'\t' | b'\r' | b'\n' | 0x0c) => 0,
                (0, 0xc2..=0xdf) => 1,
                (0, 0xe0..=0xef) => 2,
                (0, 0xf0..=0xf4) => 3,
                (1.., 0x80..=0xbf) => rest - 1,
                _ => return false,
            };
        }
        decoded += group.len();
    }
    decoded >= CHARACTERS_MIN
}

/// Characters of base64, in either alphabet.
#[derive(Clone, Copy)]
pub(super) enum Text<'a> {
    /// As they stand.
    Plain(&'a [u8]),
    /// As a token's characters, encoded and wrapped ones too, up to an end that is known.
    Encoded { characters: Characters<'a>, end: usize },
}

impl Text<'_> {
    /// Appends characters in the alphabet with `-` and `_` up to a length, and says whether the text goes on.
    fn read(&mut self, out: &mut Vec<u8>, limit: usize) -> Result<bool, More> {
        match self {
            Text::Plain(text) => {
                let len = text.len().min(limit.saturating_sub(out.len()));
                out.extend(text[..len].iter().map(|&byte| to_url_alphabet(byte)));
                *text = &text[len..];
                Ok(!text.is_empty())
            }
            Text::Encoded { characters, end } => {
                while out.len() < limit {
                    if characters.at() >= *end {
                        return Ok(false);
                    }
                    match characters.next()? {
                        Some(byte) if is_base64(byte) => out.push(to_url_alphabet(byte)),
                        _ => return Ok(false),
                    }
                }
                Ok(characters.at() < *end)
            }
        }
    }
}

fn to_url_alphabet(byte: u8) -> u8 {
    match byte {
        b'+' => b'-',
        b'/' => b'_',
        byte => byte,
    }
}

/// What of the members matters.
#[derive(Default)]
pub(super) struct Seen {
    alg: Option<Algorithm>,
    enc: Option<&'static [u64]>,
    /// Whether a registered header parameter was there.
    registered: bool,
    /// The members of sessions that were there, a bit each.
    session: u16,
}

impl Seen {
    pub fn header(&self) -> Option<Header> {
        match (&self.alg, self.enc) {
            (_, Some(tag_lens)) => Some(Header { encrypted: true, unsecured: false, last_part_lens: tag_lens }),
            (Some(alg), None) => {
                Some(Header { encrypted: false, unsecured: alg.none, last_part_lens: alg.signature_lens })
            }
            (None, None) => None,
        }
    }

    /// Whether the members are those of a session or of an account that a service hands out in base64.
    pub fn is_session(&self) -> bool {
        let has = |members: &[Member]| members.iter().all(|&member| self.session & 1 << member as u16 != 0);
        // Laravel; a registry's `X-Registry-Auth`; Grafana's API keys.
        has(&[Member::Iv, Member::Value, Member::Mac])
            || has(&[Member::Username, Member::Password])
            || has(&[Member::IdentityToken])
            || has(&[Member::RegistryToken])
            || has(&[Member::K, Member::N, Member::Id])
    }
}

/// Whether a JSON text may have the members of a session, by a look for those that none is without.
pub(super) fn may_be_session(text: &[u8]) -> bool {
    const NAMES: [&[u8]; 5] = [b"mac\"", b"password\"", b"identitytoken\"", b"registrytoken\"", b"n\""];
    // A name can be written in escapes.
    memchr::memchr(b'\\', text).is_some()
        || memchr::memchr_iter(b'"', text).any(|at| NAMES.iter().any(|name| text[at + 1..].starts_with(name)))
}

/// A member that tells a session, see [`Seen::is_session`].
#[derive(Clone, Copy)]
enum Member {
    Iv,
    Value,
    Mac,
    Username,
    Password,
    IdentityToken,
    RegistryToken,
    K,
    N,
    Id,
}

struct Algorithm {
    none: bool,
    signature_lens: &'static [u64],
}

impl Algorithm {
    /// Signature lengths of RFC 7518 §3, RFC 8037 §3.1 and RFC 8812 §3.1, in base64 characters.
    fn of(name: &str) -> Self {
        let signature_lens: &[u64] = match name {
            "HS256" => &[43],
            "HS384" => &[64],
            "HS512" | "ES256" | "ES256K" | "Ed25519" => &[86],
            "ES384" => &[128],
            "ES512" => &[176],
            "EdDSA" => &[86, 152],
            // Keys of 1024, 2048, 3072, 4096 and 8192 bits.
            "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" => &[171, 342, 512, 683, 1366],
            _ => &[],
        };
        Self { none: name.eq_ignore_ascii_case("none"), signature_lens }
    }
}

/// Tag lengths of RFC 7518 §5, in base64 characters.
fn tag_lens(enc: &str) -> &'static [u64] {
    match enc {
        "A128GCM" | "A192GCM" | "A256GCM" | "A128CBC-HS256" => &[22],
        "A192CBC-HS384" => &[32],
        "A256CBC-HS512" => &[43],
        _ => &[],
    }
}

/// Reads the members of the top level into [`Seen`]; keeps what it saw when the text breaks off.
struct Members<'a>(&'a mut Seen);

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JOSE header")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(Str(name_of))? {
            match name {
                Some(Name::Alg) => {
                    if let Some(alg) = map.next_value_seed(Str(Algorithm::of))? {
                        self.0.alg = Some(alg);
                    }
                }
                Some(Name::Enc) => {
                    if let Some(lens) = map.next_value_seed(Str(tag_lens))? {
                        self.0.enc = Some(lens);
                    }
                }
                Some(Name::Registered) => {
                    self.0.registered = true;
                    map.next_value_seed(Skip(DEPTH_MAX))?;
                }
                Some(Name::Session(member)) => {
                    self.0.session |= 1 << member as u16;
                    map.next_value_seed(Skip(DEPTH_MAX))?;
                }
                Some(Name::Other) | None => map.next_value_seed(Skip(DEPTH_MAX))?,
            }
        }
        Ok(())
    }
}

enum Name {
    Alg,
    Enc,
    Registered,
    Session(Member),
    Other,
}

fn name_of(name: &str) -> Name {
    match name {
        "alg" => Name::Alg,
        "enc" => Name::Enc,
        "iv" => Name::Session(Member::Iv),
        "value" => Name::Session(Member::Value),
        "mac" => Name::Session(Member::Mac),
        "username" => Name::Session(Member::Username),
        "password" => Name::Session(Member::Password),
        "identitytoken" => Name::Session(Member::IdentityToken),
        "registrytoken" => Name::Session(Member::RegistryToken),
        "k" => Name::Session(Member::K),
        "n" => Name::Session(Member::N),
        "id" => Name::Session(Member::Id),
        "jku" | "jwk" | "kid" | "x5u" | "x5c" | "x5t" | "x5t#S256" | "typ" | "cty" | "crit" | "epk" | "apu" | "apv"
        | "zip" | "b64" => Name::Registered,
        _ => Name::Other,
    }
}

/// Hands a string to a function; anything else is skipped and gives `None`.
struct Str<T>(fn(&str) -> T);

impl<'de, T> DeserializeSeed<'de> for Str<T> {
    type Value = Option<T>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T> Visitor<'de> for Str<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Option<T>, E> {
        Ok(Some((self.0)(text)))
    }
    fn visit_unit<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }
    fn visit_bool<E>(self, _: bool) -> Result<Option<T>, E> {
        Ok(None)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Option<T>, E> {
        Ok(None)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Option<T>, E> {
        Ok(None)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Option<T>, E> {
        Ok(None)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Option<T>, A::Error> {
        Skip(DEPTH_MAX).visit_seq(seq).map(|()| None)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<T>, A::Error> {
        Skip(DEPTH_MAX).visit_map(map).map(|()| None)
    }
}

/// Headers nest three deep (`jwk`, `x5c`). The limit bounds how many candidates one character can belong to, so that
/// `{"a":{"a":{"a":…` costs linear time.
const DEPTH_MAX: u8 = 8;

/// Skips a value of limited depth.
struct Skip(u8);

impl Skip {
    fn inner<E: serde::de::Error>(&self) -> Result<Skip, E> {
        self.0.checked_sub(1).map(Skip).ok_or_else(|| E::custom("nested too deeply"))
    }
}

impl<'de> DeserializeSeed<'de> for Skip {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Skip {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(self.inner()?)?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_key::<IgnoredAny>()?.is_some() {
            map.next_value_seed(self.inner()?)?;
        }
        Ok(())
    }
}

/// Decodes characters of base64url without padding, and says how many bytes came of them.
pub(super) fn decode_into(characters: &[u8], out: &mut [u8]) -> Option<usize> {
    ENGINE.decode_slice(characters, out).ok()
}

const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);
