//! Costs stay linear in the worst case: each haystack is made to set off as many beginnings of a decision as possible, and
//! eight times as much of it must take eight times as long.
//!
//! `cargo bench --bench linear` measures; with `--test`, as the checks run it, the build may be slow and the machine busy:
//! only the ratio is held, with slack. Time is what the thread spent on a processor, so that other programs don't count.
#![allow(clippy::disallowed_macros, reason = "a bench prints for whoever runs it")]

use beartrap::codec::{Codec, Decoding, Framing, RecordStream};
use beartrap::redact::{CleanBlock, KeyRing, Options, Redaction, Redactor};
use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const SHORT_LEN: usize = 1 << 20;
const LONG_LEN: usize = 8 << 20;
/// What the filter reads at once.
const FILL_LEN: usize = 256 << 10;
const RUNS: usize = 5;
/// Speed at the long length, as a part of that at the short one.
const RATIO_MIN: f64 = 0.8;
/// The same for a record, which is held as a whole: the long one does not fit into the caches that the short one fits into.
const RATIO_MIN_RECORD: f64 = 0.5;
/// Where a text only looks like the beginning of something.
const SPEED_MIN: f64 = 50e6;
/// Where each unit is a place at which a credential may stand, or one does, and where JSON is read and written around it.
const SPEED_MIN_PLACES: f64 = 5e6;
/// What is as fast as this is limited by caches, of which the long text is larger than some.
const FAST: f64 = 200e6;
/// A record may be longer than its text: characters are escaped.
const RECORD_LEN_MAX: usize = 8 * LONG_LEN;
/// Where nothing is measured but the shape: quadratic cost would give an eighth.
const RATIO_MIN_UNMEASURED: f64 = 0.4;

/// How many credentials are in a haystack.
#[derive(Clone, Copy)]
enum Found {
    Nothing,
    /// One, to the end.
    One,
    /// One in each unit.
    Each,
    /// As many as the bounds on decisions make of it.
    Some,
}

struct Haystack {
    name: &'static str,
    /// Once at the beginning.
    head: &'static str,
    unit: &'static str,
    found: Found,
    speed_min: f64,
}

const fn haystack(name: &'static str, head: &'static str, unit: &'static str, found: Found) -> Haystack {
    Haystack { name, head, unit, found, speed_min: SPEED_MIN }
}

const fn places(name: &'static str, head: &'static str, unit: &'static str, found: Found) -> Haystack {
    Haystack { name, head, unit, found, speed_min: SPEED_MIN_PLACES }
}

#[rustfmt::skip] // a table is read by lines
const HAYSTACKS: &[Haystack] = &[
    haystack("header starts", "", "eyJ", Found::Nothing),
    places("header starts with a name", "", "eyJhbGciOiJ", Found::Some),
    haystack("headers and dots", "", "eyJ.", Found::Nothing),
    places("headers alone", "", "eyJhbGciOiJIUzI1NiJ9 ", Found::Nothing),
    places("header after header", "", "eyJhbGciOiJIUzI1NiJ9.", Found::Some),
    haystack("one long token", "eyJhbGciOiJIUzI1NiJ9.", "c2lnbmF0dXJl", Found::One),
    places("spaced headers", "", "eyAi", Found::Nothing),
    haystack("spread headers", "", "ewogICJ", Found::Nothing),
    haystack("nested objects", "eyJ", "Ijp7", Found::Some),
    haystack("schemes", "", "Bearer ", Found::Nothing),
    places("schemes of words", "", "Bearer of ", Found::Nothing),
    places("authorization", "", "Authorization: ", Found::Some),
    places("names", "", "access_token=", Found::Some),
    haystack("names and blanks", "", "access_token= ", Found::Nothing),
    places("cookies", "", "Cookie: a=b; ", Found::Nothing),
    places("one long cookie", "Cookie: ", "a=b; ", Found::Nothing),
    haystack("three parts", "", "a.b.c ", Found::Nothing),
    haystack("parts without end", "", "a.b.c.", Found::Nothing),
    haystack("base64", "", "QUJDRGFiY2QwMTIz", Found::Nothing),
    places("base64 of base64 of a header", "", "ZXlK", Found::Nothing),
    haystack("base64 of braces", "", "e3t7", Found::Nothing),
    places("base64 of a name", "", "Ijoi", Found::Nothing),
    haystack("percent signs", "", "%25", Found::Nothing),
    haystack("percent dots", "", "%2E", Found::Nothing),
    places("percent headers", "", "%65%79%4A", Found::Nothing),
    places("headers and percent dots", "", "eyJ%2E", Found::Nothing),
    haystack("backslashes", "", "\\", Found::Nothing),
    haystack("escaped quotes", "", "\\\"", Found::Nothing),
    places("escaped letters", "", "\\u0065", Found::Nothing),
    places("escaped line ends", "", "eyJ\\n", Found::Nothing),
    haystack("nested strings", "", "{\"a\":\"{\\\"a\\\":\\\"", Found::Nothing),
    haystack("objects", "", "{\"a\":", Found::Nothing),
    haystack("quotes", "", "\"", Found::Nothing),
    haystack("references", "", "&#46;", Found::Nothing),
    places("references to letters", "", "&#101;", Found::Nothing),
    haystack("ampersands", "", "&amp;", Found::Nothing),
    places("hex", "", "65794a", Found::Nothing),
    places("spaced hex", "", "65 79 4a ", Found::Nothing),
    haystack("user parts", "", "://", Found::Nothing),
    haystack("user parts without host", "", "://a:b", Found::Nothing),
    haystack("soft line breaks", "", "=\n", Found::Nothing),
    places("headers and soft line breaks", "", "eyJ=\n", Found::Nothing),
    places("headers by lines", "", "eyJ\n", Found::Nothing),
    places("headers by folded lines", "", "eyJ\n  ", Found::Nothing),
    haystack("colours", "", "\u{1b}[32m", Found::Nothing),
    places("coloured headers", "", "eyJ\u{1b}[32m", Found::Nothing),
    places("zeros", "", "e\0y\0J\0", Found::Nothing),
    places("disclosures", "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl", "~WyJh", Found::Some),
    places("paseto", "", "v4.local.", Found::Nothing),
    places("sessions", "", "eyJpdiI6", Found::Some),
    places("json serialization", "", "\"protected\":\"eyJ\",", Found::Nothing),
    places("parameters", "", "Digest response=", Found::Some),
    places("two lines", "", "key: \"authorization\"\n", Found::Nothing),
    places("options", "", "--token ", Found::Nothing),
    haystack("marks", "", "redacted-jwt-", Found::Nothing),
    places("credentials", "", "Authorization: Bearer 9f86d081884c7d659a2feaa0 \n", Found::Each),
];

impl Haystack {
    fn text(&self, len: usize) -> Vec<u8> {
        let mut text = self.head.as_bytes().to_vec();
        text.extend(self.unit.bytes().cycle().take(len.saturating_sub(text.len()) / self.unit.len() * self.unit.len()));
        text
    }

    /// What is wrong with the number of credentials found.
    fn misjudged(&self, text: &[u8], found: u64) -> Option<String> {
        let expected = match self.found {
            Found::Nothing => 0,
            Found::One => 1,
            Found::Each => (text.len() / self.unit.len()) as u64,
            Found::Some => return None,
        };
        (found != expected).then(|| format!("{found} credentials, not {expected}"))
    }
}

/// One way through the engine; the number of credentials.
type Path = fn(&Redaction, &[u8]) -> u64;

const PATHS: &[(&str, Path)] = &[("text", text), ("json", json)];

fn text(redaction: &Redaction, text: &[u8]) -> u64 {
    let mut redactor = Redactor::new(redaction);
    for piece in text.chunks(FILL_LEN) {
        redactor.space()[..piece.len()].copy_from_slice(piece);
        black_box(redactor.filled(piece.len()).as_bytes());
    }
    black_box(redactor.finish().as_bytes());
    redactor.counts().total()
}

/// The text as it is, in one record.
fn json(redaction: &Redaction, text: &[u8]) -> u64 {
    let framing = Framing::NewlineDelimited;
    let decoding = Decoding { framing, codec: Codec::Json, max_record_bytes: RECORD_LEN_MAX, whole_records: false };
    let mut stream = RecordStream::new(redaction, decoding);
    let mut block = CleanBlock::new();
    for piece in text.chunks(FILL_LEN) {
        block.clear();
        stream.push(piece, &mut block).expect("newlines frame everything");
        black_box(block.as_bytes());
    }
    block.clear();
    stream.finish(&mut block).expect("newlines frame everything");
    stream.counts().total()
}

/// A string member that holds the text.
fn in_record(text: &[u8]) -> Vec<u8> {
    let mut record = b"{\"message\":\"".to_vec();
    for &byte in text {
        match byte {
            b'"' | b'\\' => record.extend([b'\\', byte]),
            b'\n' => record.extend(b"\\n"),
            0..b' ' => record.extend(format!("\\u{byte:04x}").bytes()),
            _ => record.push(byte),
        }
    }
    record.extend(b"\"}\n");
    record
}

/// Time on a processor, where the kernel says it.
struct Clock {
    start: Instant,
    on_processor: Option<Duration>,
}

impl Clock {
    fn start() -> Self {
        Self { start: Instant::now(), on_processor: Self::on_processor() }
    }

    fn on_processor() -> Option<Duration> {
        let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        stat.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    }

    fn elapsed(&self) -> f64 {
        let on_processor = self.on_processor.zip(Self::on_processor()).map(|(start, end)| end - start);
        on_processor.filter(|time| !time.is_zero()).unwrap_or_else(|| self.start.elapsed()).as_secs_f64()
    }
}

/// The kernel counts a thread's time by its ticks: what is shorter than many of them can't be measured.
const MEASURED_MIN: Duration = Duration::from_millis(100);

/// Bytes in a second, the median of some runs, and the credentials found.
fn speed(redaction: &Redaction, path: Path, text: &[u8], runs: usize) -> (f64, u64) {
    let mut found = 0;
    let mut speeds: Vec<f64> = (0..runs)
        .map(|_| {
            let clock = Clock::start();
            let mut bytes = 0;
            while bytes == 0 || clock.start.elapsed() < MEASURED_MIN {
                found = path(redaction, black_box(text));
                bytes += text.len();
            }
            bytes as f64 / clock.elapsed()
        })
        .collect();
    speeds.sort_by(f64::total_cmp);
    (speeds[runs / 2], found)
}

fn main() -> ExitCode {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let runs = if is_test { 3 } else { RUNS };
    let keys = KeyRing::parse(&[b'5'; 64]).expect("64 digits are a key");
    let redaction = Redaction::new(keys, Options::default()).expect("the default options are valid");
    let mut problems = Vec::new();
    for haystack in HAYSTACKS.iter().filter(|haystack| haystack.name.contains(&filter)) {
        for (path_name, path) in PATHS {
            let name = format!("{}/{path_name}", haystack.name);
            let [short, long] = [SHORT_LEN, LONG_LEN].map(|len| {
                let text = haystack.text(len);
                if *path_name == "json" { in_record(&text) } else { text }
            });
            let (short_speed, _) = speed(&redaction, *path, &short, runs);
            let (long_speed, found) = speed(&redaction, *path, &long, runs);
            let ratio = long_speed / short_speed;
            let (short_mb, long_mb) = (short_speed / 1e6, long_speed / 1e6);
            println!("{name:44} {short_mb:8.1} MB/s {long_mb:8.1} MB/s  ratio {ratio:4.2}  found {found}");
            if *path_name == "text" {
                problems.extend(haystack.misjudged(&long, found).map(|problem| format!("{name}: {problem}")));
            }
            let ratio_min = match *path_name {
                _ if is_test => RATIO_MIN_UNMEASURED,
                "json" => RATIO_MIN_RECORD,
                _ => RATIO_MIN,
            };
            if ratio < ratio_min && long_speed < FAST {
                problems.push(format!("{name}: {ratio:.2} of the speed at the eighth of the length"));
            }
            let speed_min = if *path_name == "json" { SPEED_MIN_PLACES } else { haystack.speed_min };
            if !is_test && long_speed < speed_min {
                problems.push(format!("{name}: {long_mb:.1} MB/s"));
            }
        }
    }
    for problem in &problems {
        println!("FAILED {problem}");
    }
    if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
