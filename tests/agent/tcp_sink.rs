use crate::harness::*;
use beartrap::agent::Outcome;
use beartrap::agent::config::WhenFull;
use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

#[test]
fn a_collector_that_dies_with_unread_data_loses_nothing_within_resend_bytes() {
    const LINES: usize = 100_000;
    let collector = Collector::new();
    let agent = Running::start(config(vec![tcp_source(10)], vec![tcp_sink(collector.address, 16 << 20)]));
    let mut sender = agent.connect();
    let sending = std::thread::spawn(move || sender.write_all(lines("a", 0..LINES).as_bytes()).unwrap());

    let mut streams = Vec::new();
    for deaths in 1..=3 {
        let mut socket = collector.accept();
        let mut read = vec![0; 300_000 * deaths];
        socket.read_exact(&mut read).unwrap();
        // To drop it with unread data is what a crash looks like: the kernel has acknowledged, and resets.
        drop(socket);
        streams.push(read);
    }
    let last = collector.collect();
    sending.join().unwrap();
    let (outcome, log) = agent.stop();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    streams.push(last.join().unwrap());

    let counts = tally(streams.iter().map(|stream| &stream[..]));
    for line in lines("a", 0..LINES).split_inclusive('\n') {
        assert!(counts.contains_key(line.as_bytes()), "lost: {line}");
    }
    for stream in &streams {
        // Each connection begins with a record; only the bytes that a dead peer never read are missing at the end.
        let whole = stream.iter().rposition(|&byte| byte == b'\n').unwrap() + 1;
        assert!(
            stream[..whole].split_inclusive(|&byte| byte == b'\n').all(|line| line.len() == lines("a", 0..1).len()),
            "a torn line"
        );
    }
    assert!(counts.values().any(|&times| times > 1), "no duplicates: the test does not bite");
    assert!(log.number("sink ended", "resent_bytes") > 0);
    assert_eq!(log.number("sink ended", "delivered_bytes"), lines("a", 0..LINES).len() as u64);
}

#[test]
fn a_collector_that_reads_all_before_it_closes_gets_nothing_twice_without_resend() {
    let collector = Collector::new();
    let agent = Running::start(config(vec![tcp_source(10)], vec![tcp_sink(collector.address, 0)]));
    for round in 0..20 {
        let mut output = collector.accept();
        agent.send(lines("a", round..round + 1).as_bytes());
        expect(&mut output, lines("a", round..round + 1).as_bytes());
        // The connection is idle now: the sink must notice by itself, and come back at once.
    }
    let (_, log) = agent.stop();
    assert_eq!(log.number("sink ended", "delivered_bytes"), lines("a", 0..20).len() as u64);
    assert_eq!(log.number("sink ended", "resent_bytes"), 0);
}

#[test]
fn a_collector_that_never_reads_blocks_its_senders_and_memory_stays_flat() {
    let collector = Collector::new();
    let mut config = config(vec![tcp_source(10)], vec![tcp_sink(collector.address, 0)]);
    config.shutdown_grace = Duration::from_millis(300);
    let agent = Running::start(config);
    let output = collector.accept();
    let mut sender = agent.connect();
    sender.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let line = lines("a", 0..1).into_bytes().repeat(1000);
    let mut accepted = 0;
    let blocked = loop {
        match sender.write(&line) {
            Ok(len) => accepted += len,
            Err(error) => break error,
        }
    };
    assert!(matches!(blocked.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{blocked}");
    // The queue and one block, and the kernel's buffers on both connections.
    assert!(accepted < 40 << 20, "{accepted} bytes were accepted");
    let (outcome, log) = agent.stop();
    let Outcome::Undelivered { bytes, blocks } = outcome else { panic!("{outcome:?}") };
    assert!(blocks > 0 && bytes > 0 && bytes < 4 << 20, "{bytes} bytes in {blocks} blocks");
    assert_eq!(log.number("sink ended", "undelivered_bytes"), bytes);
    drop(output);
}

#[test]
fn a_slow_collector_gets_everything() {
    let collector = Collector::new();
    let agent = Running::start(config(vec![tcp_source(10)], vec![tcp_sink(collector.address, 1 << 20)]));
    let mut output = collector.accept();
    let mut sender = agent.connect();
    let sending = std::thread::spawn(move || sender.write_all(lines("a", 0..300_000).as_bytes()).unwrap());
    let mut collected = vec![0; 100];
    output.read_exact(&mut collected).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let rest = std::thread::spawn(move || read_all(output));
    sending.join().unwrap();
    let (outcome, _) = agent.stop();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    collected.extend(rest.join().unwrap());
    assert!(collected == lines("a", 0..300_000).as_bytes());
}

#[test]
fn a_collector_that_is_late_gets_everything() {
    let late = Collector::new();
    let address = late.address;
    drop(late);
    let agent = Running::start(config(vec![tcp_source(10)], vec![tcp_sink(address, 1 << 20)]));
    agent.send(lines("a", 0..1000).as_bytes());
    until("the sink tries to connect", || agent.log().text().contains("can't connect").then_some(()));
    let listener = std::net::TcpListener::bind(address).unwrap();
    let collected = std::thread::spawn(move || read_all(listener.accept().unwrap().0));
    let (outcome, _) = agent.stop();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert!(collected.join().unwrap() == lines("a", 0..1000).as_bytes());
}

#[test]
fn what_the_collector_says_is_read_and_ignored() {
    let collector = Collector::new();
    let agent = Running::start(config(vec![tcp_source(10)], vec![tcp_sink(collector.address, 0)]));
    let mut output = collector.accept();
    output.write_all(&vec![b'x'; 8 << 20]).unwrap();
    agent.send(b"line\n");
    expect(&mut output, b"line\n");
    agent.stop();
}

#[test]
fn a_full_sink_that_may_drop_never_blocks_its_senders() {
    let collector = Collector::new();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.log");
    let mut droppy = tcp_sink(collector.address, 0);
    droppy.when_full = WhenFull::DropNewest;
    droppy.buffer_bytes = 100_000;
    let agent = Running::start(config(vec![tcp_source(10)], vec![droppy, file_sink(&path)]));
    let output = collector.accept();
    let all = lines("a", 0..500_000);
    // Nothing is read at the collector until all is sent.
    agent.send(all.as_bytes());
    until("the file has all", || (std::fs::metadata(&path).ok()?.len() == all.len() as u64).then_some(()));
    let collected = std::thread::spawn(move || read_all(output));
    let (outcome, log) = agent.stop();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert!(std::fs::read(&path).unwrap() == all.as_bytes());
    let collected = collected.join().unwrap();
    let counts = tally([&collected[..]]);
    let missing = all.split_inclusive('\n').filter(|line| !counts.contains_key(line.as_bytes())).count();
    assert!(missing > 0, "nothing was dropped: the test does not bite");
    let drops = log
        .text()
        .lines()
        .filter(|line| line.contains("\"sink ended\"") && line.contains("collector"))
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["fields"]["dropped_records"].as_u64().unwrap()
        })
        .next()
        .unwrap();
    assert_eq!(drops, missing as u64);
    assert!(log.text().contains("the sink is full, records are dropped"));
}

#[test]
fn an_idle_connection_that_is_closed_is_made_again_and_the_last_bytes_sent_again() {
    let collector = Collector::new();
    let agent = Running::start(config(vec![tcp_source(10)], vec![tcp_sink(collector.address, 50)]));
    let mut output = collector.accept();
    agent.send(lines("a", 0..1).as_bytes());
    expect(&mut output, lines("a", 0..1).as_bytes());
    agent.send(lines("a", 1..2).as_bytes());
    expect(&mut output, lines("a", 1..2).as_bytes());
    agent.send(lines("a", 2..3).as_bytes());
    expect(&mut output, lines("a", 2..3).as_bytes());
    drop(output);
    let mut output = collector.accept();
    // The fewest whole blocks that make 50 bytes.
    expect(&mut output, lines("a", 1..3).as_bytes());
    let (outcome, log) = agent.stop();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert_eq!(log.number("sink ended", "resent_blocks"), 2);
}
