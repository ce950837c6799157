//! A check of the engine before it is trusted: minted credentials go through it as the real ones will.

use super::{Codec, Decoding, Framing, RecordStream};
use crate::redact::{CleanBlock, Counts, Kind, MARKER_LEN_MAX, Redaction};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use memchr::memmem;

/// What canaries are minted from: random, so that no list of allowed credentials can hold one.
pub type CanarySeed = [u8; 64];

/// So many bytes of a credential in the output are a survivor.
const PIECE_LEN: usize = 8;
/// The longest text that a user can put around a marker.
const TEMPLATE_LEN_MAX: usize = 64;

/// What an engine made of a text.
struct CanaryOutput {
    bytes: Vec<u8>,
    /// What it says that it found.
    counts: Counts,
}

/// Why the engine is not to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CanaryError {
    form: &'static str,
    problem: &'static str,
}

impl std::fmt::Display for CanaryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.form, self.problem)
    }
}

impl std::error::Error for CanaryError {}

/// Sends credentials in every basic form, and in each of `extra_fields`, through streams of records, cut and uncut.
///
/// # Errors
/// When one of them survives, is called otherwise than look-ups will call it, or took its neighbours with it.
pub fn check_stream(
    redaction: &Redaction,
    extra_fields: &[String],
    decoding: &Decoding,
    seed: &CanarySeed,
) -> Result<(), CanaryError> {
    let fields = extra_fields.iter().map(|field| Canary::field(field, seed));
    for canary in Canary::basic(seed).into_iter().chain(fields) {
        for is_cut in [true, false] {
            let engine = |pieces: &[&[u8]]| redact(redaction, decoding, pieces);
            check(redaction, !extra_fields.is_empty(), decoding, &canary, is_cut, engine)?;
        }
    }
    Ok(())
}

/// Sends a JWT and a bearer token through a stream of records, for programs that must start fast.
///
/// # Errors
/// As of [`check_stream`].
pub fn check_stream_once(redaction: &Redaction, decoding: &Decoding, seed: &CanarySeed) -> Result<(), CanaryError> {
    let engine = |pieces: &[&[u8]]| redact(redaction, decoding, pieces);
    Canary::basic(seed)[..2].iter().try_for_each(|canary| check(redaction, false, decoding, canary, false, engine))
}

fn redact(redaction: &Redaction, decoding: &Decoding, pieces: &[&[u8]]) -> Option<CanaryOutput> {
    let mut stream = RecordStream::new(redaction, decoding.clone());
    let mut out = CleanBlock::new();
    for piece in pieces {
        stream.push(piece, &mut out).ok()?;
    }
    stream.finish(&mut out).ok()?;
    Some(CanaryOutput { bytes: out.as_bytes().to_vec(), counts: stream.counts().clone() })
}

/// A credential in a text that has no words of its own: a name or a rule of the user's could mean them.
struct Canary {
    form: &'static str,
    before: String,
    credential: String,
    /// Where it is cut, and where the part of it begins that is secret.
    cut: usize,
    secret: usize,
    after: &'static str,
}

impl Canary {
    fn basic(seed: &CanarySeed) -> [Self; 5] {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let header = encode(br#"{"alg":"HS256","typ":"JWT"}"#);
        let subject = format!(r#"{{"sub":"{}"}}"#, encode(&seed[32..40]));
        let jwt = format!("{header}.{}.{}", encode(subject.as_bytes()), encode(&seed[..32]));
        let (cut, secret) = (header.len() / 2, header.len());
        let jwt = Self { form: "a JWT", before: "1 ".into(), credential: jwt, cut, secret, after: " 2" };
        let opaque = |form, before: &str, after| Self::opaque(form, before.into(), after, seed);
        [
            jwt,
            opaque("a bearer token", "1 Bearer ", " 2"),
            opaque("a header", "Authorization: Bearer ", ""),
            opaque("a URL parameter", "1 /2?access_token=", "&3=4"),
            opaque("a JSON member", r#"{"access_token":""#, r#"","1":2}"#),
        ]
    }

    fn field(name: &str, seed: &CanarySeed) -> Self {
        Self::opaque("a member of extra_fields", format!(r#"{{"{name}":""#), r#"","1":2}"#, seed)
    }

    fn opaque(form: &'static str, before: String, after: &'static str, seed: &CanarySeed) -> Self {
        // Letters and digits in any case, and nothing that is a character of another encoding.
        let credential = format!("c4N{}", URL_SAFE_NO_PAD.encode(&seed[40..64]).replace(['-', '_'], "7"));
        Self { form, before, cut: credential.len() / 2, secret: 0, credential, after }
    }
}

fn check(
    redaction: &Redaction,
    has_names: bool,
    decoding: &Decoding,
    canary: &Canary,
    is_cut: bool,
    mut engine: impl FnMut(&[&[u8]]) -> Option<CanaryOutput>,
) -> Result<(), CanaryError> {
    let Some(text) = Text::of(canary, decoding) else { return Ok(()) };
    let fail = |problem| Err(CanaryError { form: canary.form, problem });
    let pieces = [&text.wire[..text.cut], &text.wire[text.cut..]];
    let output = if is_cut { engine(&pieces) } else { engine(&[&text.wire]) };
    let Some(CanaryOutput { bytes, counts }) = output else { return fail("could not be read") };
    let secret = &canary.credential.as_bytes()[canary.secret..];
    if secret.windows(PIECE_LEN).any(|piece| memmem::find(&bytes, piece).is_some()) {
        return fail("was not redacted");
    }
    // What the user's names and rules found besides is theirs to change.
    let by_rule = counts.by_kind().any(|(kind, count)| count > 0 && matches!(kind, Kind::Rule(_)));
    if by_rule || has_names && counts.total() > 1 {
        return Ok(());
    }
    let replaced = bytes.strip_prefix(&text.before[..]).and_then(|rest| rest.strip_suffix(&text.after[..]));
    let Some(replaced) = replaced.filter(|text| counts.total() == 1 && text.len() <= MARKER_LEN_MAX + TEMPLATE_LEN_MAX)
    else {
        return fail("was redacted, and bytes beside it were changed");
    };
    let named = redaction.fingerprints(canary.credential.as_bytes()).into_iter().next();
    match named.map(|fingerprint| fingerprint.to_string()) {
        Some(marker) if memmem::find(replaced, marker.as_bytes()).is_some() => Ok(()),
        _ => fail("was redacted, and has another digest than a look-up gives it"),
    }
}

/// A canary as its source would send it.
struct Text {
    wire: Vec<u8>,
    /// Where the credential can be cut in `wire`.
    cut: usize,
    /// What must stand in the output before the marker, and behind it.
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Text {
    /// `None` if the framing can't carry it: its delimiter is in it.
    fn of(canary: &Canary, decoding: &Decoding) -> Option<Self> {
        let (head, tail) = canary.credential.split_at(canary.cut);
        let (before, between, after) = match decoding.codec {
            Codec::Text | Codec::Json => (canary.before.clone(), String::new(), canary.after.to_owned()),
            Codec::Cri => {
                let line = |tag: char| format!("2016-10-06T00:17:09.669794202Z stdout {tag} ");
                (line('P') + &canary.before, format!("\n{}", line('F')), canary.after.to_owned())
            }
            Codec::Docker => {
                let escape = |text: &str| text.replace('"', r#"\""#);
                let end = r#"","stream":"stdout","time":"2016-10-06T00:17:09.669794202Z"}"#;
                let start = r#"{"log":""#;
                let after = format!("{}\\n{end}", escape(canary.after));
                (format!("{start}{}", escape(&canary.before)), format!("{end}\n{start}"), after)
            }
        };
        let (mut before, mut after) = (before.into_bytes(), after.into_bytes());
        let delimiter = decoding.framing.delimiter();
        if let Some(delimiter) = delimiter.filter(|byte| *byte != b'\n')
            && (before.contains(&delimiter) || after.contains(&delimiter))
        {
            if canary.secret == 0 {
                return None;
            }
            // This one needs no context.
            (before, after) = (Vec::new(), Vec::new());
        }
        after.extend(delimiter);
        let record = [&before[..], head.as_bytes(), between.as_bytes(), tail.as_bytes(), &after[..]].concat();
        let announced = match decoding.framing {
            Framing::LengthDelimited => (record.len() as u32).to_be_bytes().to_vec(),
            Framing::OctetCounting => format!("{} ", record.len()).into_bytes(),
            Framing::NewlineDelimited | Framing::CharacterDelimited(_) | Framing::Bytes => Vec::new(),
        };
        let cut = announced.len() + before.len() + head.len();
        let after = [between.as_bytes(), &after[..]].concat();
        Some(Self { wire: [announced, record].concat(), cut, before, after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::{KeyRing, Options};
    use crate::rule_file::{self, OnUnsupported, RuleSource};

    const FRAMINGS: [Framing; 6] = [
        Framing::NewlineDelimited,
        Framing::CharacterDelimited(0),
        Framing::CharacterDelimited(b' '),
        Framing::LengthDelimited,
        Framing::OctetCounting,
        Framing::Bytes,
    ];

    fn redaction(options: Options) -> Redaction {
        Redaction::new(KeyRing::parse("42".repeat(32).as_bytes()).unwrap(), options).unwrap()
    }

    fn decodings() -> Vec<Decoding> {
        let mut decodings = Vec::new();
        for codec in [Codec::Text, Codec::Json, Codec::Cri, Codec::Docker] {
            for framing in FRAMINGS {
                for whole_records in [false, true] {
                    if matches!(codec, Codec::Text | Codec::Json) || framing == Framing::NewlineDelimited {
                        decodings.push(Decoding { framing, codec, max_record_bytes: 1 << 20, whole_records });
                    }
                }
            }
        }
        decodings
    }

    fn seeds() -> impl Iterator<Item = CanarySeed> {
        (0..5).map(|_| {
            let mut seed = [0; 64];
            getrandom::fill(&mut seed).unwrap();
            seed
        })
    }

    #[test]
    fn the_engine_passes_with_every_codec_framing_and_option() {
        let extra_fields = ["next_token", "size", "stream", "x.y-z_1"].map(str::to_owned).to_vec();
        let builtin = rule_file::load(&[RuleSource::Builtin], OnUnsupported::Error).unwrap();
        let options = [
            Options::default(),
            Options { replacement: Some("hidden:{}~".into()), weak_fingerprints: true, ..Options::default() },
            Options { allow_fingerprints: vec!["5".repeat(32)], ..Options::default() },
            Options { extra_fields: extra_fields.clone(), ..Options::default() },
            Options { rules: builtin.rules, ..Options::default() },
        ];
        for options in options {
            let redaction = redaction(options.clone());
            for decoding in decodings() {
                for seed in seeds() {
                    let checked = check_stream(&redaction, &options.extra_fields, &decoding, &seed);
                    assert_eq!(checked, Ok(()), "{decoding:?} {options:?}");
                }
            }
        }
    }

    #[test]
    fn an_engine_with_a_defect_does_not() {
        let redaction = redaction(Options::default());
        let seed = [7; 64];
        let decoding = decodings()[0].clone();
        let checked = |engine: &dyn Fn(CanaryOutput, &[u8]) -> CanaryOutput| {
            let engine =
                |pieces: &[&[u8]]| redact(&redaction, &decoding, pieces).map(|output| engine(output, pieces[0]));
            let [jwt, ..] = Canary::basic(&seed);
            check(&redaction, false, &decoding, &jwt, false, engine).map_err(|error| error.to_string())
        };
        assert_eq!(checked(&|output, _| output), Ok(()));
        let passing = |_, input: &[u8]| CanaryOutput { bytes: input.to_vec(), counts: Counts::default() };
        assert_eq!(checked(&passing), Err("a JWT was not redacted".into()));
        // The signature stays.
        let partial = |output: CanaryOutput, input: &[u8]| CanaryOutput {
            bytes: [&output.bytes[..], &input[input.len() / 2..]].concat(),
            ..output
        };
        assert_eq!(checked(&partial), Err("a JWT was not redacted".into()));
        let greedy = |output: CanaryOutput, _: &[u8]| CanaryOutput { bytes: output.bytes[1..].to_vec(), ..output };
        assert_eq!(checked(&greedy), Err("a JWT was redacted, and bytes beside it were changed".into()));
        let masking = |output: CanaryOutput, _: &[u8]| CanaryOutput { bytes: b"1 *** 2\n".to_vec(), ..output };
        assert_eq!(checked(&masking), Err("a JWT was redacted, and has another digest than a look-up gives it".into()));
    }
}
