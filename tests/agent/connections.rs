use crate::harness::*;
use beartrap::agent::Outcome;
use beartrap::agent::config::{Origins, Source, SourceKind, TcpSource};
use std::io::{Read, Write};
use std::time::Duration;

fn limited(limit: impl FnOnce(&mut TcpSource)) -> Source {
    let mut source = tcp_source(1000);
    let SourceKind::Tcp(tcp) = &mut source.kind else { unreachable!() };
    limit(tcp);
    source
}

#[test]
fn an_address_with_enough_connections_gets_no_more_and_others_do() {
    let collector = Collector::new();
    let source = limited(|tcp| tcp.max_connections_per_peer = 2);
    let agent = Running::start(config(vec![source], vec![tcp_sink(collector.address, 0)]));
    let mut output = collector.accept();
    let mut open = [agent.connect(), agent.connect()];
    open[0].write_all(b"first\n").unwrap();
    expect(&mut output, b"first\n");
    for _ in 0..20 {
        let mut refused = agent.connect();
        let _ = refused.write_all(b"refused\n");
        until("it is closed", || is_closed(&refused).then_some(()));
    }
    connect_from([127, 0, 0, 2], agent.address).write_all(b"other\n").unwrap();
    expect(&mut output, b"other\n");
    let [first, second] = open;
    drop(first);
    // Until the end of the first is noticed, another one is one too many.
    until("the next one is taken", || {
        let mut next = agent.connect();
        std::thread::sleep(Duration::from_millis(20));
        (!is_closed(&next)).then(|| next.write_all(b"next\n").unwrap())
    });
    expect(&mut output, b"next\n");
    drop(second);
    let (outcome, log) = agent.stop();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert_eq!(read_all(output), b"");
    assert!(log.number("source ended", "refused_per_peer") >= 20);
    assert_eq!(log.count("connections refused"), 1, "logged at a bounded rate");
}

#[test]
fn only_permitted_addresses_are_read() {
    let collector = Collector::new();
    let block = "127.0.0.2/31".parse().expect("a block");
    let source = limited(|tcp| tcp.permit_origin = Origins::of(vec![block]));
    let agent = Running::start(config(vec![source], vec![tcp_sink(collector.address, 0)]));
    let mut output = collector.accept();
    for last in [1, 4, 1] {
        let mut refused = connect_from([127, 0, 0, last], agent.address);
        let _ = refused.write_all(b"refused\n");
        until("it is closed", || is_closed(&refused).then_some(()));
    }
    for last in [2, 3] {
        connect_from([127, 0, 0, last], agent.address).write_all(b"permitted\n").unwrap();
        expect(&mut output, b"permitted\n");
    }
    let (_, log) = agent.stop();
    assert_eq!(read_all(output), b"");
    assert_eq!(log.number("source ended", "refused_origins"), 3);
    assert_eq!((log.number("source ended", "streams"), log.count("connections refused")), (2, 1));
}

#[test]
fn an_idle_connection_makes_room_when_another_one_waits_and_not_before() {
    let collector = Collector::new();
    let source = limited(|tcp| {
        tcp.limits.max_connections = 2;
        tcp.limits.idle_timeout = Duration::from_millis(300);
    });
    let agent = Running::start(config(vec![source], vec![tcp_sink(collector.address, 0)]));
    let mut output = collector.accept();
    let (mut idle, mut busy) = (agent.connect(), agent.connect());
    idle.write_all(b"idle\nhalf").unwrap();
    expect(&mut output, b"idle\n");
    busy.write_all(b"busy\n").unwrap();
    expect(&mut output, b"busy\n");
    std::thread::sleep(Duration::from_millis(600));
    assert!(!is_closed(&idle) && !is_closed(&busy), "nobody waited");
    // Now it is the younger of the two.
    busy.write_all(b"busy\n").unwrap();
    expect(&mut output, b"busy\n");

    let mut waiting = agent.connect();
    waiting.write_all(b"waited\n").unwrap();
    expect(&mut output, b"half\nwaited\n");
    until("the idle one is closed", || is_closed(&idle).then_some(()));
    assert!(!is_closed(&busy));
    busy.write_all(b"still here\n").unwrap();
    expect(&mut output, b"still here\n");
    drop((busy, waiting));
    let (outcome, log) = agent.stop();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert_eq!(log.number("source ended", "closed_idle"), 1);
}

#[test]
fn a_busy_connection_is_not_closed_however_many_wait() {
    let collector = Collector::new();
    let source = limited(|tcp| {
        tcp.limits.max_connections = 1;
        tcp.limits.idle_timeout = Duration::from_secs(3);
    });
    let agent = Running::start(config(vec![source], vec![tcp_sink(collector.address, 0)]));
    let mut output = collector.accept();
    let mut busy = agent.connect();
    busy.write_all(b"line\n").unwrap();
    expect(&mut output, b"line\n");
    let waiting: Vec<_> = (0..5).map(|_| agent.connect()).collect();
    for _ in 0..60 {
        std::thread::sleep(Duration::from_millis(100));
        busy.write_all(b"line\n").unwrap();
        expect(&mut output, b"line\n");
    }
    assert!(!is_closed(&busy));
    drop((busy, waiting));
    let (_, log) = agent.stop();
    assert_eq!(log.number("source ended", "closed_idle"), 0);
}

#[test]
fn a_sender_that_waits_for_a_full_sink_is_not_idle() {
    let collector = Collector::new();
    let source = limited(|tcp| {
        tcp.limits.max_connections = 1;
        tcp.limits.idle_timeout = Duration::from_secs(1);
        tcp.limits.record_timeout = Duration::from_secs(1);
    });
    let agent = Running::start(config(vec![source], vec![tcp_sink(collector.address, 0)]));
    let mut output = collector.accept();
    let all = lines("a", 0..400_000);
    let (mut sender, sent) = (agent.connect(), all.clone());
    let sending = std::thread::spawn(move || sender.write_all(sent.as_bytes()));
    let mut waiting = agent.connect();
    waiting.write_all(b"b\n").unwrap();
    // Nobody reads, so that all is full; the sender is in the middle of a line.
    std::thread::sleep(Duration::from_millis(2500));
    let mut collected = vec![0; all.len()];
    output.read_exact(&mut collected).unwrap();
    assert!(collected == all.as_bytes());
    sending.join().unwrap().unwrap();
    expect(&mut output, b"b\n");
    drop(waiting);
    let (_, log) = agent.stop();
    assert_eq!(log.number("source ended", "timed_out_records"), 0);
}
