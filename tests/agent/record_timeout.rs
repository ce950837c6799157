use crate::harness::*;
use beartrap::agent::Outcome;
use beartrap::agent::config::{Source, SourceKind};
use beartrap::codec::Codec;
use std::io::{BufRead, BufReader, Read, Write};
use std::time::Duration;

/// {"alg":"HS256"} and {"sub":"1"}, with a made-up signature.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLXRoYXQtaXMtbm90LW9uZQ";

fn source(record_timeout: Duration) -> Source {
    let mut source = tcp_source(100);
    let SourceKind::Tcp(tcp) = &mut source.kind else { unreachable!() };
    tcp.limits.record_timeout = record_timeout;
    source
}

fn assert_no_leak(text: &str) {
    for piece in TOKEN.as_bytes().windows(6) {
        let piece = std::str::from_utf8(piece).expect("text");
        assert!(!text.contains(piece), "{piece} in {text}");
    }
}

#[test]
fn a_half_line_that_waits_too_long_is_forwarded_and_a_token_that_it_cuts_does_not_leak() {
    let collector = Collector::new();
    let agent = Running::start(config(vec![source(Duration::from_millis(200))], vec![tcp_sink(collector.address, 0)]));
    let mut output = BufReader::new(collector.accept());
    let mut line = String::new();
    agent.send(format!("Bearer {TOKEN}\n").as_bytes());
    output.read_line(&mut line).unwrap();
    let marker = line.trim_end().strip_prefix("Bearer ").expect("a bearer token").to_owned();

    for cut in [1, 10, 20, 21, 30, TOKEN.len() - 1] {
        let mut sender = agent.connect();
        sender.write_all(format!("0. GET / authorization: Bearer {}", &TOKEN[..cut]).as_bytes()).unwrap();
        let mut first = String::new();
        output.read_line(&mut first).unwrap();
        assert!(first.starts_with("0. GET /"), "{first}");
        sender.write_all(format!("{} 1.\n2.\n", &TOKEN[cut..]).as_bytes()).unwrap();
        let (mut rest, mut next) = (String::new(), String::new());
        output.read_line(&mut rest).unwrap();
        output.read_line(&mut next).unwrap();
        let text = first.trim_end_matches('\n').to_owned() + &rest;
        assert_no_leak(&text);
        assert_eq!(text, format!("0. GET / authorization: Bearer {marker} 1.\n"), "cut at {cut}");
        assert_eq!(next, "2.\n");
    }
    let (outcome, log) = agent.stop();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert_eq!(log.number("source ended", "timed_out_records"), 6);
    assert_eq!(log.number("source ended", "split_records"), 6);
    assert!(log.text().matches("waited too long").count() == 1, "logged at a bounded rate");
    assert_no_leak(&log.text());
}

#[test]
fn a_record_that_comes_byte_by_byte_leaves_in_pieces() {
    let collector = Collector::new();
    let agent = Running::start(config(vec![source(Duration::from_millis(200))], vec![tcp_sink(collector.address, 0)]));
    let mut output = collector.accept();
    let mut sender = agent.connect();
    sender.set_nodelay(true).unwrap();
    let trickle = std::thread::spawn(move || {
        for byte in b".,;!".repeat(25) {
            sender.write_all(&[byte]).unwrap();
            std::thread::sleep(Duration::from_millis(10));
        }
        // It stays open: a record that may wait for ever would not leave.
        sender
    });
    let mut pieces = Vec::new();
    while pieces.iter().filter(|byte| **byte != b'\n').count() < 100 {
        let mut byte = [0];
        output.read_exact(&mut byte).unwrap();
        pieces.push(byte[0]);
    }
    let sender = trickle.join().unwrap();
    let ends = pieces.iter().filter(|byte| **byte == b'\n').count();
    assert!((2..=20).contains(&ends), "{ends} pieces");
    pieces.retain(|byte| *byte != b'\n');
    assert_eq!(pieces, b".,;!".repeat(25));
    drop(sender);
    agent.stop();
}

#[test]
fn a_json_record_that_waits_too_long_does_not_leak() {
    let collector = Collector::new();
    let mut source = source(Duration::from_millis(200));
    source.codec = Codec::Json;
    let agent = Running::start(config(vec![source], vec![tcp_sink(collector.address, 0)]));
    let mut output = BufReader::new(collector.accept());
    let record = format!(r#"{{"a":1,"access_token":"{TOKEN}","b":2}}"#);
    let mut sender = agent.connect();
    sender.write_all(&record.as_bytes()[..50]).unwrap();
    let mut first = String::new();
    output.read_line(&mut first).unwrap();
    assert!(first.starts_with("{\"a\":1"), "{first}");
    sender.write_all(&record.as_bytes()[50..]).unwrap();
    sender.write_all(b"\n{\"next\":0}\n").unwrap();
    let (mut rest, mut next) = (String::new(), String::new());
    output.read_line(&mut rest).unwrap();
    output.read_line(&mut next).unwrap();
    let text = first.trim_end_matches('\n').to_owned() + &rest;
    assert_no_leak(&text);
    assert!(text.contains("redacted-jwt-") && text.ends_with("\"b\":2}\n"), "{text}");
    assert_eq!(next, "{\"next\":0}\n");
    drop(sender);
    agent.stop();
}
