//! The ledger of a running agent has the counts that the input has, whatever ends the agent in between, and no credential.

use crate::harness::until;
use crate::process::{Agent, Home};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use beartrap::ledger::{Exposure, Filter, Store};
use beartrap::redact::{KeyRing, Options, Redaction};
use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;

/// As much of a signature is worth something to whoever finds it.
const PIECE_LEN: usize = 12;

struct Tokens(Vec<String>);

impl Tokens {
    fn mint(count: usize) -> Self {
        let mint = |number: usize| {
            let mut signature = [0; 64];
            getrandom::fill(&mut signature).unwrap();
            let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","typ":"JWT"}"#);
            let claims = format!(r#"{{"iss":"https://login.example/","sub":"user{number}","exp":4000000000}}"#);
            format!("{header}.{}.{}", URL_SAFE_NO_PAD.encode(claims), URL_SAFE_NO_PAD.encode(signature))
        };
        Self((0..count).map(mint).collect())
    }

    /// Line `number`: one token, by one of three carriers, sometimes two.
    fn line(&self, number: usize) -> (String, Vec<usize>) {
        let first = number * number % self.0.len();
        let token = &self.0[first];
        match number % 4 {
            0 => (format!("2026-11-28T10:00:00Z GET /?access_token={token} 200\n"), vec![first]),
            1 => (format!("Authorization: Bearer {token}\n"), vec![first]),
            2 => (format!("{{\"id_token\":\"{token}\",\"n\":{number}}}\n"), vec![first]),
            _ => {
                let second = (first + 1) % self.0.len();
                (format!("exchanged {token} for {} today\n", self.0[second]), vec![first, second])
            }
        }
    }

    fn assert_absent(&self, place: &str, bytes: &[u8]) {
        for token in &self.0 {
            let (_, signature) = token.rsplit_once('.').unwrap();
            for piece in signature.as_bytes().windows(PIECE_LEN) {
                assert!(memchr::memmem::find(bytes, piece).is_none(), "a piece of a signature is in {place}");
            }
        }
    }
}

/// How often each token was in each source.
type Counts = BTreeMap<(usize, &'static str), u64>;

fn configure(home: &Home) {
    home.follow_into(&format!("type = \"file\"\npath = \"{}\"\n", home.path("out.log").display()));
    let config = std::fs::read_to_string(home.path("config.toml")).unwrap();
    let config = config.replace("inputs = [\"app\"]", "inputs = [\"app\", \"net\"]")
        + "[sources.net]\ntype = \"tcp\"\naddress = \"127.0.0.1:0\"\n[ledger]\ninstance = \"host\"\n";
    std::fs::write(home.path("config.toml"), config).unwrap();
}

fn address(agent: &Agent) -> String {
    until("it listens", || {
        let log = agent.log();
        let (_, address) = log.split_once("address=127.0.0.1:")?;
        Some(format!("127.0.0.1:{}", address.split_whitespace().next()?))
    })
}

fn exposures(home: &Home) -> Vec<Exposure> {
    let store = Store::open_read_only(&home.path("data/ledger.db")).unwrap();
    store.list(&Filter::default(), jiff::Timestamp::now()).unwrap().exposures
}

/// The rows' counts, by token and source.
fn counted(home: &Home, tokens: &Tokens) -> Counts {
    let key = std::fs::read(home.path(".local/state/beartrap/key")).unwrap();
    let redaction = Redaction::new(KeyRing::parse(&key).unwrap(), Options::default()).unwrap();
    let digest =
        |token: &String| redaction.fingerprints(token.as_bytes())[0].to_string().rsplit_once('-').unwrap().1.to_owned();
    let digests: Vec<String> = tokens.0.iter().map(digest).collect();
    let mut counts = Counts::new();
    for row in exposures(home) {
        let token = digests.iter().position(|digest| *digest == row.fingerprint).expect("a row is of a token");
        for (source, count) in &row.sources {
            counts.insert((token, if source == "app" { "app" } else { "net" }), *count);
        }
        assert_eq!(row.occurrences, row.sources.values().sum::<u64>());
        assert_eq!(row.occurrences, row.carriers.values().sum::<u64>());
    }
    counts
}

fn count(counts: &mut Counts, tokens: &[usize], source: &'static str) {
    tokens.iter().for_each(|token| *counts.entry((*token, source)).or_default() += 1);
}

/// Nothing that the agent has written may hold a piece of a signature.
fn assert_clean(home: &Home, tokens: &Tokens) {
    let mut files = 0;
    let mut look = |path: &Path| {
        tokens.assert_absent(&path.display().to_string(), &std::fs::read(path).unwrap());
        files += 1;
    };
    look(&home.path("log"));
    look(&home.path("out.log"));
    for entry in std::fs::read_dir(home.path("data")).unwrap() {
        look(&entry.unwrap().path());
    }
    assert!(files > 5, "only {files} files");
}

#[test]
fn the_counts_are_those_of_the_input_through_clean_restarts() {
    let (home, tokens) = (Home::new(), Tokens::mint(50));
    configure(&home);
    let mut expected = Counts::new();
    let (mut number, mut lines) = (0, 0);
    let until_out = |lines: usize| {
        until("all of it is out", || {
            let out = std::fs::read(home.path("out.log")).unwrap();
            (out.iter().filter(|byte| **byte == b'\n').count() == lines).then_some(())
        });
    };
    for _ in 0..3 {
        let agent = home.agent(&[]);
        let mut connection = TcpStream::connect(address(&agent)).unwrap();
        for _ in 0..400 {
            let (line, found) = tokens.line(number);
            // The last line of a round is in the file by half when the agent stops.
            home.append(&line);
            count(&mut expected, &found, "app");
            lines += 1;
            if number.is_multiple_of(3) {
                connection.write_all(line.as_bytes()).unwrap();
                count(&mut expected, &found, "net");
                lines += 1;
            }
            number += 1;
        }
        let (line, found) = tokens.line(number);
        let half = line.len() - 20;
        home.append(&line[..half]);
        count(&mut expected, &found, "app");
        number += 1;
        drop(connection);
        until_out(lines);
        assert_clean(&home, &tokens);
        let (code, log) = agent.stop();
        assert_eq!(code, Some(0), "{log}");
        home.append(&line[half..]);
        lines += 1;
    }
    let agent = home.agent(&[]);
    until_out(lines);
    assert_eq!(agent.stop().0, Some(0));
    assert_eq!(counted(&home, &tokens), expected);
    assert_clean(&home, &tokens);
    let row = &exposures(&home)[0];
    assert_eq!(row.claims.as_ref().unwrap().iss.as_deref(), Some("https://login.example/"));
}

#[test]
fn a_kill_leaves_nothing_out_and_counts_at_most_what_is_read_again() {
    let (home, tokens) = (Home::new(), Tokens::mint(20));
    configure(&home);
    let mut expected = Counts::new();
    let mut number = 0;
    let mut append = |lines: usize, expected: &mut Counts| {
        for _ in 0..lines {
            let (line, found) = tokens.line(number);
            home.append(&line);
            count(expected, &found, "app");
            number += 1;
        }
    };
    for round in 0..6 {
        let agent = home.agent(&[]);
        agent.until_logged("source started");
        for _ in 0..10 {
            append(20, &mut expected);
            std::thread::sleep(std::time::Duration::from_millis(20 * round));
        }
        // Dropped, it is killed.
        drop(agent);
    }
    append(1, &mut expected);
    let agent = home.agent(&[]);
    let last = tokens.line(number - 1).1[0];
    until("the last line is counted", || {
        (counted(&home, &tokens).get(&(last, "app")) >= expected.get(&(last, "app"))).then_some(())
    });
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(agent.stop().0, Some(0));
    let (mut sum, mut all) = (0, 0);
    let counted = counted(&home, &tokens);
    for (key, count) in &expected {
        assert!(counted[key] >= *count, "{key:?}: {} of {count}", counted[key]);
        (sum, all) = (sum + counted[key], all + count);
    }
    // What was written out twice was counted twice, and hardly anything else.
    let out = std::fs::read(home.path("out.log")).unwrap();
    let markers = memchr::memmem::find_iter(&out, b"redacted-jwt-").count() as u64;
    assert!(sum <= 2 * markers && all <= markers, "{sum} counted, {markers} written, {all} minted");
    assert_clean(&home, &tokens);
}
