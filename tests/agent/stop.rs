use crate::harness::*;
use beartrap::agent::Outcome;
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

#[test]
fn open_connections_are_read_to_their_end_and_no_more_are_taken() {
    let collector = Collector::new();
    let agent = Running::start(config(vec![tcp_source(10)], vec![tcp_sink(collector.address, 0)]));
    let mut output = collector.accept();
    let mut sender = agent.connect();
    sender.write_all(b"before\n").unwrap();
    expect(&mut output, b"before\n");
    agent.controller.stop();
    until("the agent stops listening", || TcpStream::connect(agent.address).is_err().then_some(()));
    sender.write_all(b"last words\nand half a ").unwrap();
    expect(&mut output, b"last words\n");
    drop(sender);
    expect(&mut output, b"and half a \n");
    let (outcome, _) = agent.end();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert_eq!(read_all(output), b"");
}

#[test]
fn a_connection_that_stays_open_is_cut_within_the_grace_time_and_its_half_record_delivered() {
    let collector = Collector::new();
    let mut config = config(vec![tcp_source(10)], vec![tcp_sink(collector.address, 0)]);
    config.shutdown_grace = Duration::from_secs(1);
    let agent = Running::start(config);
    let mut output = collector.accept();
    let mut sender = agent.connect();
    sender.write_all(b"whole\nhalf").unwrap();
    expect(&mut output, b"whole\n");
    let stopped = Instant::now();
    // Reads on until the agent has closed, as a collector does.
    let rest = std::thread::spawn(move || read_all(output));
    let (outcome, _) = agent.stop();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert!(stopped.elapsed() >= Duration::from_millis(700), "no grace");
    assert_eq!(rest.join().unwrap(), b"half\n");
}

#[test]
fn the_second_stop_ends_at_once_and_counts_what_is_left() {
    let collector = Collector::new();
    let agent = Running::start(config(vec![tcp_source(10)], vec![tcp_sink(collector.address, 0)]));
    let address = collector.address;
    drop(collector.accept());
    drop(collector);
    until("the collector is gone", || TcpStream::connect(address).is_err().then_some(()));
    let mut sender = agent.connect();
    sender.write_all(b"whole\nhalf").unwrap();
    until("the agent notices", || agent.log().text().contains("can't connect").then_some(()));
    let stopped = Instant::now();
    agent.controller.stop();
    until("the agent begins to stop", || agent.log().text().contains("\"stopping\"").then_some(()));
    let (outcome, _) = agent.stop();
    assert!(stopped.elapsed() < Duration::from_secs(10), "it waited");
    assert!(matches!(outcome, Outcome::Undelivered { bytes: 11, blocks: 2 }), "{outcome:?}");
}

#[test]
fn limits_are_told_at_the_start() {
    let collector = Collector::new();
    let config = config(vec![tcp_source(100)], vec![tcp_sink(collector.address, 1 << 20)]);
    let total = beartrap::agent::Limits::of(&config).total_bytes();
    let (_, log) = Running::start(config).stop();
    assert_eq!(log.number("memory limit of all parts", "bytes"), total as u64);
    assert!(total > 100 << 20, "a hundred connections of a MiB each");
}
