use crate::harness::*;
use beartrap::agent::Outcome;
use beartrap::codec::Framing;
use std::io::{Read, Write};

#[test]
fn two_senders_get_every_line_through_once_whole_and_in_order() {
    const LINES: usize = 100_000;
    let collector = Collector::new();
    let agent = Running::start(config(vec![tcp_source(10)], vec![tcp_sink(collector.address, 0)]));
    let collected = collector.collect();
    let senders = ["a", "b"].map(|name| {
        let mut socket = agent.connect();
        std::thread::spawn(move || socket.write_all(lines(name, 0..LINES).as_bytes()).unwrap())
    });
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    let (outcome, log) = agent.stop();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    let collected = collected.join().unwrap();
    for name in ["a", "b"] {
        let own = collected.split_inclusive(|&byte| byte == b'\n').filter(|line| line.starts_with(name.as_bytes()));
        assert!(own.collect::<Vec<_>>().concat() == lines(name, 0..LINES).as_bytes(), "lines of {name} differ");
    }
    assert_eq!(collected.len(), lines("a", 0..LINES).len() * 2);
    assert_eq!(log.number("source ended", "bytes"), collected.len() as u64);
    assert_eq!(log.number("sink ended", "delivered_bytes"), collected.len() as u64);
    assert!(!log.text().contains("index.html"), "the log holds data");
}

#[test]
fn two_hundred_connections() {
    let collector = Collector::new();
    let agent = Running::start(config(vec![tcp_source(50)], vec![tcp_sink(collector.address, 0)]));
    let mut output = collector.accept();
    let mut sockets: Vec<_> = (0..200).map(|_| agent.connect()).collect();
    for turn in 0..20 {
        // Those over the limit wait in the listen queue: what they send fits the kernel's buffers.
        for (number, socket) in sockets.iter_mut().enumerate() {
            socket.write_all(lines(&format!("s{number}"), turn..turn + 1).as_bytes()).unwrap();
        }
    }
    drop(sockets);
    let expected: String = (0..200).map(|number| lines(&format!("s{number}"), 0..20)).collect();
    let mut collected = vec![0; expected.len()];
    output.read_exact(&mut collected).unwrap();
    let tally = tally([&collected[..]]);
    assert_eq!(tally.len(), 200 * 20);
    assert!(tally.values().all(|&times| times == 1));
    let (outcome, _) = agent.stop();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert_eq!(read_all(output), b"");
}

#[test]
fn connections_over_the_limit_wait() {
    let collector = Collector::new();
    let agent = Running::start(config(vec![tcp_source(1)], vec![tcp_sink(collector.address, 0)]));
    let mut output = collector.accept();
    let mut first = agent.connect();
    first.write_all(b"first\n").unwrap();
    expect(&mut output, b"first\n");
    agent.send(b"second\n");
    output.set_read_timeout(Some(std::time::Duration::from_millis(100))).unwrap();
    assert!(output.read(&mut [0]).is_err(), "the second connection was read");
    output.set_read_timeout(Some(PATIENCE)).unwrap();
    drop(first);
    expect(&mut output, b"second\n");
    agent.stop();
}

#[test]
fn a_half_record_at_the_end_is_ended() {
    let collector = Collector::new();
    let agent = Running::start(config(vec![tcp_source(10)], vec![tcp_sink(collector.address, 0)]));
    let mut output = collector.accept();
    agent.send(b"whole\nhalf");
    expect(&mut output, b"whole\nhalf\n");
    agent.send(b"next\n");
    expect(&mut output, b"next\n");
    agent.stop();
}

#[test]
fn what_came_before_a_reset_is_forwarded() {
    let collector = Collector::new();
    let agent = Running::start(config(vec![tcp_source(10)], vec![tcp_sink(collector.address, 0)]));
    let mut output = collector.accept();
    let mut sender = agent.connect();
    sender.write_all(b"whole\nhalf").unwrap();
    expect(&mut output, b"whole\n");
    reset(sender);
    expect(&mut output, b"half\n");
    agent.stop();
}

#[test]
fn two_sinks_get_the_same() {
    let collector = Collector::new();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.log");
    let sinks = vec![tcp_sink(collector.address, 0), file_sink(&path)];
    let agent = Running::start(config(vec![tcp_source(10)], sinks));
    let collected = collector.collect();
    agent.send(lines("a", 0..20_000).as_bytes());
    let (outcome, _) = agent.stop();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert!(collected.join().unwrap() == lines("a", 0..20_000).as_bytes());
    assert!(std::fs::read(&path).unwrap() == lines("a", 0..20_000).as_bytes());
}

#[test]
fn broken_framing_ends_only_its_connection() {
    let collector = Collector::new();
    let mut source = tcp_source(10);
    source.framing = Framing::OctetCounting;
    let agent = Running::start(config(vec![source], vec![tcp_sink(collector.address, 0)]));
    let mut output = collector.accept();
    let mut good = agent.connect();
    good.write_all(b"5 ab").unwrap();
    agent.send(b"5 first nonsense");
    expect(&mut output, b"first\n");
    until("the agent names the fault", || agent.log().text().contains("no decimal length").then_some(()));
    good.write_all(b"cde3 fgh").unwrap();
    expect(&mut output, b"abcde\nfgh\n");
    drop(good);
    let (outcome, log) = agent.stop();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert_eq!(log.number("source ended", "broken_streams"), 1);
    assert!(!log.text().contains("nonsense"), "the log holds data");
}

#[test]
fn idle_connections_with_half_lines_do_not_disturb() {
    let collector = Collector::new();
    let agent = Running::start(config(vec![tcp_source(2000)], vec![tcp_sink(collector.address, 0)]));
    let mut output = collector.accept();
    let mut idle: Vec<_> = (0..400).map(|_| agent.connect()).collect();
    for socket in &mut idle {
        socket.write_all(b"half a li").unwrap();
    }
    agent.send(b"fresh\n");
    expect(&mut output, b"fresh\n");
    drop(idle);
    let mut rest = vec![0; 400 * b"half a li\n".len()];
    output.read_exact(&mut rest).unwrap();
    assert!(rest == b"half a li\n".repeat(400));
    agent.stop();
}

#[test]
fn a_credential_leaves_as_the_same_marker_however_it_is_cut() {
    // {"alg":"HS256"} and {"sub":"1"}, with a made-up signature.
    const TOKEN: &[u8] = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLXRoYXQtaXMtbm90LW9uZQ";
    let collector = Collector::new();
    let agent = Running::start(config(vec![tcp_source(10)], vec![tcp_sink(collector.address, 0)]));
    let mut output = std::io::BufReader::new(collector.accept());
    let mut clean = std::collections::BTreeSet::new();
    for cut in 0..TOKEN.len() {
        let mut sender = agent.connect();
        sender.set_nodelay(true).unwrap();
        sender.write_all(&[b"authorization: Bearer ", &TOKEN[..cut]].concat()).unwrap();
        sender.write_all(&[&TOKEN[cut..], b" end"].concat()).unwrap();
        drop(sender);
        let mut line = String::new();
        std::io::BufRead::read_line(&mut output, &mut line).unwrap();
        clean.insert(line);
    }
    let (_, log) = agent.stop();
    assert_eq!(clean.len(), 1, "{clean:?}");
    let line = clean.first().unwrap();
    assert!(line.starts_with("authorization: Bearer redacted-jwt-") && line.ends_with(" end\n"), "{line}");
    assert_eq!(log.number("source ended", "findings"), TOKEN.len() as u64);
    assert!(!log.text().contains("eyJ"), "the log holds data");
}
