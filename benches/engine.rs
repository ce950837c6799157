//! The engine's speed in memory, by what it finds on its way. Each measure asserts how many credentials it found.
//!
//! | haystack | credentials |
//! |---|---|
//! | `never` | none, but much that resembles one |
//! | `rare` | in one line of 1000 |
//! | `common` | in one line of 10 |
//! | `dense` | in every line |
//! | `header-starts`, `nested-objects`, `schemes`, `cookies` | none, and made to cost as much as possible |
//!
//! `copy` is the floor: the same bytes copied in the same blocks. `rules` has 200 rules on top, of which none finds
//! anything; `regex-a-line` is what a single one of their patterns costs if it is tried on every line.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use beartrap::codec::{Codec, Decoding, Framing, RecordStream};
use beartrap::redact::{CleanBlock, KeyRing, Options, Redaction, Redactor};
use beartrap::rule_file::OnUnsupported;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Duration;

const HAYSTACK_LEN: usize = 4 << 20;
/// What the filter reads at once.
const FILL_LEN: usize = 256 << 10;
/// What the agent reads at once.
const PUSH_LEN: usize = 64 << 10;

/// A text and how many credentials are in it.
struct Haystack {
    name: &'static str,
    text: Vec<u8>,
    credentials: u64,
}

fn engine(criterion: &mut Criterion) {
    let redaction = redaction();
    let ruled = with_rules(200);
    let pattern = regex::bytes::RegexBuilder::new(&pattern(0)).unicode(false).build().expect("a pattern");
    let mixed = [("never", 0), ("rare", 1000), ("common", 10), ("dense", 1)];
    for (name, period) in mixed {
        let haystack = mixed_lines(name, period, |line| line.to_owned());
        measure(criterion, &haystack, "copy", copied, None);
        measure(criterion, &haystack, "filled", |text| filled(&redaction, text), Some(haystack.credentials));
        measure(criterion, &haystack, "pushed", |text| pushed(&redaction, text), Some(haystack.credentials));
        measure(criterion, &haystack, "rules", |text| filled(&ruled, text), Some(haystack.credentials));
        if period == 0 {
            measure(criterion, &haystack, "regex-a-line", |text| matching_lines(&pattern, text), Some(0));
        }
        let haystack = mixed_lines(name, period, in_json);
        measure(criterion, &haystack, "json", |text| json(&redaction, text), Some(haystack.credentials));
    }
    for haystack in adversarial() {
        measure(criterion, &haystack, "filled", |text| filled(&redaction, text), Some(haystack.credentials));
        measure(criterion, &haystack, "pushed", |text| pushed(&redaction, text), Some(haystack.credentials));
    }
}

fn measure(
    criterion: &mut Criterion,
    haystack: &Haystack,
    path: &str,
    run: impl Fn(&[u8]) -> u64,
    expected: Option<u64>,
) {
    let mut group = criterion.benchmark_group(haystack.name);
    group.throughput(Throughput::Bytes(haystack.text.len() as u64));
    group.bench_function(path, |bencher| {
        bencher.iter(|| {
            let found = run(black_box(&haystack.text));
            if let Some(expected) = expected {
                assert_eq!(found, expected, "{}/{path}: credentials", haystack.name);
            }
        });
    });
    group.finish();
}

fn copied(text: &[u8]) -> u64 {
    let mut block = vec![0; FILL_LEN];
    for piece in text.chunks(FILL_LEN) {
        block[..piece.len()].copy_from_slice(piece);
        black_box(&block);
    }
    0
}

fn filled(redaction: &Redaction, text: &[u8]) -> u64 {
    let mut redactor = Redactor::new(redaction);
    for piece in text.chunks(FILL_LEN) {
        redactor.space()[..piece.len()].copy_from_slice(piece);
        black_box(redactor.filled(piece.len()).as_bytes());
    }
    black_box(redactor.finish().as_bytes());
    redactor.counts().total()
}

fn pushed(redaction: &Redaction, text: &[u8]) -> u64 {
    let mut redactor = Redactor::new(redaction);
    let mut block = CleanBlock::new();
    for piece in text.chunks(PUSH_LEN) {
        block.clear();
        redactor.push(piece, &mut block);
        black_box(block.as_bytes());
    }
    block.clear();
    redactor.end_record(&mut block);
    black_box(block.as_bytes());
    redactor.counts().total()
}

fn json(redaction: &Redaction, text: &[u8]) -> u64 {
    let decoding = Decoding {
        framing: Framing::NewlineDelimited,
        codec: Codec::Json,
        max_record_bytes: 1 << 20,
        whole_records: true,
    };
    let mut stream = RecordStream::new(redaction, decoding);
    let mut block = CleanBlock::new();
    for piece in text.chunks(PUSH_LEN) {
        block.clear();
        stream.push(piece, &mut block).expect("newlines frame everything");
        black_box(block.as_bytes());
    }
    block.clear();
    stream.finish(&mut block).expect("newlines frame everything");
    assert_eq!(stream.stats().not_json, 0, "records that are not JSON");
    stream.counts().total()
}

fn redaction() -> Redaction {
    let keys = KeyRing::parse(&[b'7'; 64]).expect("64 digits are a key");
    Redaction::new(keys, Options::default()).expect("the default options are valid")
}

/// A vendor's key behind the vendor's name, as rule files look for it.
fn pattern(vendor: usize) -> String {
    let value = r#"[ \t\w.-]{0,20}['"\s]{0,3}(?:=|:)['"\s]{0,5}([a-z0-9]{32})(?:['"\s;]|$)"#;
    format!(r"(?i)[\w.-]{{0,50}}?(?:vendor{vendor}){value}")
}

fn with_rules(count: usize) -> Redaction {
    let rule = |vendor| {
        let pattern = pattern(vendor);
        format!("[[rules]]\nid = 'vendor-{vendor}'\nregex = '''{pattern}'''\nkeywords = ['vendor{vendor}']\n")
    };
    let text: String = (0..count).map(rule).collect();
    let loaded = beartrap::rule_file::parse("bench.toml", &text, OnUnsupported::Error).expect("valid rules");
    let keys = KeyRing::parse(&[b'7'; 64]).expect("64 digits are a key");
    Redaction::new(keys, Options { rules: loaded.rules, ..Options::default() }).expect("the options are valid")
}

fn matching_lines(pattern: &regex::bytes::Regex, text: &[u8]) -> u64 {
    text.split(|&byte| byte == b'\n').filter(|line| pattern.is_match(line)).count() as u64
}

/// Lines as services write them; every `period`th holds a credential of 200 to 900 bytes.
fn mixed_lines(name: &'static str, period: u64, form: impl Fn(&str) -> String) -> Haystack {
    let mut random = Random(42);
    let (mut text, mut credentials) = (Vec::with_capacity(HAYSTACK_LEN + 2000), 0);
    for number in 1.. {
        let holds_one = period > 0 && number % period == 0;
        let line = if holds_one { line_with_credential(&mut random) } else { clean_line(&mut random) };
        credentials += u64::from(holds_one);
        text.extend_from_slice(form(&line).as_bytes());
        text.push(b'\n');
        if text.len() >= HAYSTACK_LEN {
            break;
        }
    }
    Haystack { name, text, credentials }
}

fn in_json(line: &str) -> String {
    let message = serde_json::to_string(line).expect("a string is JSON");
    format!(
        r#"{{"time":"2026-03-12T10:00:01.123Z","level":"info","message":{message},"span":{{"id":7,"parent":null}}}}"#
    )
}

/// A line without a credential; most hold what an anchor or a name fires at.
fn clean_line(random: &mut Random) -> String {
    let (number, id) = (random.below(100_000), random.hex(32));
    match random.below(8) {
        0 => format!(
            r#"10.0.{}.7 - - [12/Mar/2026:10:00:01 +0000] "GET /api/orders/{number}?page=2 HTTP/1.1" 200 {} "-" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36""#,
            number % 256,
            number * 3
        ),
        1 => format!(
            r#"10.0.0.9 - - [12/Mar/2026:10:00:02 +0000] "GET /api/orders?cursor=eyJwYWdlIjozLCJhZnRlciI6IjIwMjQtMDEtMDEifQ HTTP/2.0" 200 {number} "-" "curl/8.5.0""#
        ),
        2 => format!(r#"ts=2026-03-12T10:00:01Z level=info msg="handled request" trace={id} took={number}us token_type=Bearer"#),
        3 => format!(r#"{{"level":"info","msg":"token issued","token_type":"Bearer","expires_in":{number},"trace":"{id}"}}"#),
        4 => format!(
            "2026-03-12 10:00:01.123 DEBUG 1 --- [nio-8080-exec-{}] o.s.s.oauth2.server.resource.BearerTokenAuthenticationFilter : Set SecurityContextHolder",
            number % 64
        ),
        5 => r#"< www-authenticate: Bearer realm="orders", error="invalid_token", error_description="The access token expired""#
            .to_owned(),
        6 => format!("sha256:{}{id} pulled, layer {number} of the image is complete", random.hex(32)),
        _ => format!("\tat com.example.orders.OrderService.handle(OrderService.java:{})", number % 900),
    }
}

fn line_with_credential(random: &mut Random) -> String {
    let jwt = jwt(random);
    match random.below(6) {
        0 => format!(
            r#"10.0.0.7 - - [12/Mar/2026:10:00:01 +0000] "GET /api/orders?access_token={jwt}&page=2 HTTP/1.1" 200 512"#
        ),
        1 => format!(r#"ts=2026-03-12T10:00:01Z level=debug msg="request" authorization="Bearer {jwt}" took=7us"#),
        2 => format!(r#"{{"level":"debug","msg":"token issued","access_token":"{jwt}","token_type":"Bearer"}}"#),
        3 => format!("> Authorization: Bearer {jwt}"),
        4 => format!("Cookie: theme=dark; session={jwt}; lang=en"),
        _ => format!("2026-03-12 10:00:01.123 DEBUG 1 --- [exec-1] c.e.orders.Auth : token {jwt} is valid"),
    }
}

fn jwt(random: &mut Random) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let payload_len = 120 + random.below(700);
    format!("{header}.{}.{}", random.base64url(payload_len), random.base64url(43))
}

/// Texts that keep every kind of decision busy for nothing, each one line.
fn adversarial() -> Vec<Haystack> {
    let repeated = |unit: &[u8]| unit.iter().copied().cycle().take(HAYSTACK_LEN).collect::<Vec<u8>>();
    let objects = URL_SAFE_NO_PAD.encode(repeated(br#"{"a":"#)).into_bytes();
    [
        ("header-starts", repeated(b"eyJ")),
        ("nested-objects", objects),
        ("schemes", repeated(b"Bearer ")),
        ("cookies", [b"Cookie: ".to_vec(), repeated(b"a=eyJ; Bearer=x; ")].concat()),
    ]
    .map(|(name, text)| Haystack { name, text, credentials: 0 })
    .into()
}

/// The same numbers in every run (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn hex(&mut self, len: u64) -> String {
        (0..len).map(|_| char::from(b"0123456789abcdef"[self.below(16) as usize])).collect()
    }

    fn base64url(&mut self, len: u64) -> String {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        (0..len).map(|_| char::from(alphabet[self.below(64) as usize])).collect()
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .without_plots();
    targets = engine
}
criterion_main!(benches);
