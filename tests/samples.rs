//! The logs of real programs: nothing of a credential survives, and nothing else changes.
//!
//! Forms that this version does not cover are listed in `samples/later.toml`. A survivor that is not listed fails, and so
//! does a listed one that no longer survives, so that the list only shrinks. With `BEARTRAP_WRITE_LATER=1` the list is
//! written instead.
#![allow(clippy::disallowed_macros, reason = "a test prints for whoever runs it")]

#[path = "support/rest.rs"]
mod rest;
mod support;

use beartrap::codec::{Codec, Decoding, Framing, RecordStream};
use beartrap::redact::{CleanBlock, Redaction, Redactor};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;
use std::path::PathBuf;

#[derive(serde::Deserialize)]
struct Index {
    sample: Vec<Sample>,
}

#[derive(serde::Deserialize)]
struct Sample {
    name: String,
    log: String,
    secrets: Option<String>,
    beyond: Option<String>,
    clean: bool,
}

#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Later {
    #[serde(default)]
    later: Vec<Entry>,
}

/// Credentials that survive in one form of one sample.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    sample: String,
    codec: String,
    form: String,
    places: usize,
    reason: String,
}

/// Sample, codec, form.
type Survivor = (String, String, &'static str);

fn folder() -> PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples")
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn samples() -> Vec<Sample> {
    toml::from_str::<Index>(&String::from_utf8(read("index.toml")).expect("text")).expect("index.toml").sample
}

fn json_records(redaction: &Redaction, input: &[u8]) -> Vec<u8> {
    let decoding = Decoding {
        framing: Framing::NewlineDelimited,
        codec: Codec::Json,
        max_record_bytes: 1 << 20,
        whole_records: false,
    };
    let mut stream = RecordStream::new(redaction, decoding);
    let mut out = CleanBlock::new();
    stream.push(input, &mut out).expect("newlines frame everything");
    stream.finish(&mut out).expect("newlines frame everything");
    out.as_bytes().to_vec()
}

fn is_json_lines(log: &[u8]) -> bool {
    let mut lines = log.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    lines.all(|line| serde_json::from_slice::<HashMap<String, serde_json::Value>>(line).is_ok())
}

/// As much of a credential is worth something to whoever finds it.
const PIECE_LEN: usize = 12;

/// How a piece is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Plain,
    Base64,
    Hex,
}

/// All pieces of the credentials that must not survive. A JOSE header is no secret.
fn pieces(secrets: &[u8], beyond: &[u8]) -> HashMap<Vec<u8>, Encoding> {
    let mut pieces = HashMap::new();
    for secret in credentials(secrets) {
        for_each_piece(secret, |piece, encoding| {
            pieces.entry(piece.to_vec()).or_insert(encoding);
        });
    }
    // Payloads begin alike: what a credential shares with one that is not promised says nothing.
    let mut shared = HashSet::new();
    for secret in credentials(beyond) {
        for_each_piece(secret, |piece, _| {
            shared.insert(piece.to_vec());
        });
    }
    pieces.retain(|piece, _| !shared.contains(piece));
    pieces
}

fn credentials(lines: &[u8]) -> impl Iterator<Item = &[u8]> {
    lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).map(|credential| {
        let header_len = credential.iter().position(|&byte| byte == b'.').map_or(0, |dot| dot + 1);
        let has_header = credential.starts_with(b"ey") || credential.starts_with(b"ew");
        if has_header { &credential[header_len..] } else { credential }
    })
}

fn for_each_piece(secret: &[u8], mut each: impl FnMut(&[u8], Encoding)) {
    use base64::Engine;
    let mut all = |text: &[u8], encoding| {
        // What is shorter is a piece itself.
        text.windows(PIECE_LEN.min(text.len().max(1))).for_each(|piece| each(piece, encoding));
    };
    all(secret, Encoding::Plain);
    let hex: String = secret.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    all(hex.as_bytes(), Encoding::Hex);
    // At each of the three alignments, without the characters that what stands around takes part in.
    for before in 0..3 {
        let shifted = [&[0; 3][..before], secret].concat();
        for engine in [&base64::prelude::BASE64_STANDARD_NO_PAD, &base64::prelude::BASE64_URL_SAFE_NO_PAD] {
            let encoded = engine.encode(&shifted);
            all(&encoded.as_bytes()[4..encoded.len() - 2], Encoding::Base64);
        }
    }
}

/// Where pieces survive, each place once: its range and how it is written.
fn places(output: &[u8], pieces: &HashMap<Vec<u8>, Encoding>) -> Vec<(std::ops::Range<usize>, Encoding)> {
    let lens: HashSet<usize> = pieces.keys().map(Vec::len).collect();
    let mut places: Vec<(std::ops::Range<usize>, Encoding)> = Vec::new();
    for at in 0..output.len() {
        for &len in &lens {
            let Some(&encoding) = output.get(at..at + len).and_then(|piece| pieces.get(piece)) else { continue };
            match places.last_mut() {
                Some((place, last)) if at <= place.end && *last == encoding => place.end = place.end.max(at + len),
                _ => places.push((at..at + len, encoding)),
            }
        }
    }
    places
}

/// Forms that may survive, told apart by what stands in the same line before the credential, and why each does.
const FORMS: [(&str, &str); 14] = [
    ("base64", "the credential is inside base64, which is not decoded yet"),
    ("hex", "the credential is a dump of bytes, which is not decoded yet"),
    ("api key", "X-Api-Key and its like are no names of credentials yet"),
    ("digest", "the parameters of Digest authentication are not read yet"),
    ("aws signature", "the parameters of AWS4-HMAC-SHA256 are not read yet"),
    ("userinfo", "user and password of a URL are not looked at yet"),
    ("cookie jar", "a cookie's name and value in columns are not looked at yet"),
    ("command line", "options of programs whose value is a credential are not known yet"),
    ("disclosure", "the disclosures of an SD-JWT are not part of the token yet"),
    ("field name", "the log's format gives a header another name than it has"),
    ("nonce", "a server's nonce is no secret; this one begins with the same time as the payloads"),
    ("next line", "name or scheme and credential stand on two lines"),
    ("cut", "the program cut the credential where nothing of its form is left"),
    ("other", "nothing near it says what it is"),
];

fn form(output: &[u8], place: &std::ops::Range<usize>, encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Base64 => return "base64",
        Encoding::Hex => return "hex",
        Encoding::Plain => {}
    }
    let line_start = memchr::memrchr(b'\n', &output[..place.start]).map_or(0, |newline| newline + 1);
    let line_end = memchr::memchr(b'\n', &output[place.end..]).map_or(output.len(), |len| place.end + len);
    let line = String::from_utf8_lossy(&output[line_start..place.start]).to_ascii_lowercase();
    let before = &line[line.char_indices().rev().nth(79).map_or(0, |(at, _)| at)..];
    let after = String::from_utf8_lossy(&output[place.end..line_end]);
    let near = |words: &[&str]| words.iter().any(|word| before.contains(word));
    let word_start = before.rfind(|byte: char| byte.is_whitespace() || "\"'".contains(byte)).map_or(0, |at| at + 1);
    let word = &before[word_start..];
    let in_url = word.rfind("://").is_some_and(|scheme| !word[scheme + 3..].contains(['/', '?']));
    match () {
        () if near(&["stored cookie"]) => "cookie jar",
        () if output[place.start] == b'~' || before.ends_with('~') => "disclosure",
        () if in_url && after.contains('@') => "userinfo",
        () if near(&["oauth2-bearer", "--password", "--user "]) => "command line",
        () if before.ends_with("nonce=\"") => "nonce",
        () if before.ends_with("set=\"session=") => "field name",
        () if near(&["api-key", "api_key", "apikey"]) => "api key",
        () if near(&["signature="]) => "aws signature",
        () if near(&["response="]) => "digest",
        () if near(&["auth=\"", "auth=dpop", "auth=basic", "auth=token"]) => "field name",
        () if before.trim_matches(|byte: char| byte.is_whitespace() || "\"'[(b".contains(byte)).is_empty() => {
            "next line"
        }
        () if after.starts_with("\"...") => "cut",
        () => "other",
    }
}

fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// All survivors of all samples, and a line of each for who has to look.
fn survivors() -> (BTreeMap<Survivor, usize>, String) {
    let redaction = support::redaction();
    let (mut found, mut excerpts) = (BTreeMap::new(), String::new());
    for sample in samples().iter().filter(|sample| !sample.clean) {
        let log = read(&sample.log);
        let beyond = sample.beyond.as_ref().map_or(Vec::new(), |name| read(name));
        let pieces = pieces(&read(sample.secrets.as_ref().expect("secrets")), &beyond);
        let mut outputs = vec![("text", Redactor::new(&redaction).redact(&log).clean)];
        if is_json_lines(&log) {
            outputs.push(("json", json_records(&redaction, &log)));
        }
        for (codec, output) in outputs {
            for (place, encoding) in places(&output, &pieces) {
                let form = form(&output, &place, encoding);
                *found.entry((sample.name.clone(), codec.to_owned(), form)).or_default() += 1;
                let excerpt = &output[place.start.saturating_sub(60)..(place.end + 20).min(output.len())];
                let _ = writeln!(excerpts, "{} ({codec}, {form}): {}", sample.name, show(excerpt));
            }
        }
    }
    (found, excerpts)
}

#[test]
fn no_credential_survives_but_in_forms_of_a_later_version() {
    let (found, excerpts) = survivors();
    if std::env::var_os("BEARTRAP_WRITE_LATER").is_some() {
        write_later(&found);
        eprintln!("{excerpts}");
    }
    let text = String::from_utf8(read("later.toml")).expect("text");
    let later: Later = toml::from_str(&text).expect("later.toml");
    let mut listed = BTreeMap::new();
    for entry in later.later {
        let form = FORMS.iter().find(|(name, _)| *name == entry.form);
        let (form, _) = form.unwrap_or_else(|| panic!("later.toml: no form is called {}", entry.form));
        assert!(!entry.reason.is_empty(), "later.toml: {} of {} needs a reason", entry.form, entry.sample);
        assert!(listed.insert((entry.sample, entry.codec, *form), entry.places).is_none(), "later.toml: twice {form}");
    }
    let unlisted: Vec<_> = found.iter().filter(|(survivor, places)| listed.get(survivor) < Some(places)).collect();
    assert!(unlisted.is_empty(), "these survive and are not listed: {unlisted:?}\n{excerpts}");
    let gone: Vec<_> = listed.iter().filter(|(survivor, places)| found.get(survivor) < Some(places)).collect();
    assert!(gone.is_empty(), "these no longer survive: take them off later.toml: {gone:?}");
}

fn write_later(found: &BTreeMap<Survivor, usize>) {
    let mut text = String::from(
        "# Forms of credentials in these logs that this version does not cover: how many places of each survive, and why.\n\
         # tests/samples.rs holds the engine to it. BEARTRAP_WRITE_LATER=1 makes it afresh.\n",
    );
    for ((sample, codec, form), places) in found {
        let (_, reason) = FORMS.iter().find(|(name, _)| name == form).expect("every form has its reason");
        let _ = write!(
            text,
            "\n[[later]]\nsample = {sample:?}\ncodec = {codec:?}\nform = {form:?}\nplaces = {places}\nreason = {reason:?}\n"
        );
    }
    std::fs::write(folder().join("later.toml"), text).expect("later.toml");
}

#[test]
fn everything_around_the_credentials_stays() {
    let redaction = support::redaction();
    for sample in samples() {
        let log = read(&sample.log);
        let redacted = Redactor::new(&redaction).redact(&log);
        rest::check_rest(&log, &redacted).unwrap_or_else(|error| panic!("{}: {error}", sample.name));
        assert!(redacted.findings.is_empty() || !sample.clean, "{}: {:?}", sample.name, redacted.findings.first());
    }
}

#[test]
fn redacting_twice_changes_nothing() {
    let redaction = support::redaction();
    for sample in samples() {
        let log = read(&sample.log);
        let once = Redactor::new(&redaction).redact(&log).clean;
        assert_eq!(show(&Redactor::new(&redaction).redact(&once).clean), show(&once), "{}", sample.name);
        if is_json_lines(&log) {
            let once = json_records(&redaction, &log);
            assert!(is_json_lines(&once), "{} is not JSON any more", sample.name);
            assert_eq!(show(&json_records(&redaction, &once)), show(&once), "{}", sample.name);
        }
    }
}

#[test]
fn clean_logs_come_out_byte_for_byte() {
    let redaction = support::redaction();
    for sample in samples().iter().filter(|sample| sample.clean) {
        let log = read(&sample.log);
        let mut redactor = Redactor::new(&redaction);
        let mut out = CleanBlock::new();
        log.chunks(1000).for_each(|piece| redactor.push(piece, &mut out));
        redactor.end_record(&mut out);
        assert_eq!(show(out.as_bytes()), show(&log), "{}", sample.name);
        if is_json_lines(&log) {
            assert_eq!(show(&json_records(&redaction, &log)), show(&log), "{}", sample.name);
        }
    }
}
