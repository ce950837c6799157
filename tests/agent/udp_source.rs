use crate::harness::*;
use beartrap::agent::Outcome;
use beartrap::agent::config::{Origins, Source, SourceKind, UdpSource};
use beartrap::codec::{Codec, Framing};
use std::io::Read;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

fn udp_source(receive_buffer_bytes: usize) -> Source {
    let address = ([127, 0, 0, 1], 0).into();
    let kind = SourceKind::Udp(UdpSource { address, permit_origin: Origins::all(), receive_buffer_bytes });
    Source { kind, ..tcp_source(1) }
}

fn sender(from: [u8; 4]) -> UdpSocket {
    UdpSocket::bind((std::net::Ipv4Addr::from(from), 0)).unwrap()
}

#[test]
fn each_datagram_is_complete_by_itself() {
    let collector = Collector::new();
    let agent = Running::start(config(vec![udp_source(1 << 20)], vec![tcp_sink(collector.address, 0)]));
    let mut output = collector.accept();
    let (one, other) = (sender([127, 0, 0, 1]), sender([127, 0, 0, 1]));
    let send = |socket: &UdpSocket, datagram: &[u8]| {
        assert_eq!(socket.send_to(datagram, agent.address).unwrap(), datagram.len())
    };
    send(&one, b"no newline");
    expect(&mut output, b"no newline\n");
    send(&one, b"newline\n");
    expect(&mut output, b"newline\n");
    send(&one, b"");
    send(&one, b"two\nlines");
    expect(&mut output, b"two\nlines\n");
    // What one leaves open is not the other's.
    send(&one, b"Authorization: Bearer");
    send(&other, b"mF_9.B5f-4.1JqM stays a word");
    send(&one, b"Authorization: Bearer mF_9.B5f-4.1JqM");
    expect(&mut output, b"Authorization: Bearer\nmF_9.B5f-4.1JqM stays a word\nAuthorization: Bearer redacted-token-");
    let long = vec![b'.'; 65_507];
    send(&one, &long);
    let mut rest = vec![0; "00000000-00000000000000000000000000000000\n".len() + long.len() + 1];
    output.read_exact(&mut rest).unwrap();
    assert!(rest.ends_with(b"....\n"));
    let (outcome, log) = agent.stop();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert_eq!(read_all(output), b"");
    assert_eq!((log.number("datagrams ended", "datagrams"), log.number("datagrams ended", "dropped")), (8, 0));
    assert_eq!(log.number("source ended", "findings"), 1);
}

#[test]
fn a_datagram_can_be_one_json_record_of_several_lines() {
    let collector = Collector::new();
    let source = Source { framing: Framing::Bytes, codec: Codec::Json, ..udp_source(1 << 20) };
    let agent = Running::start(config(vec![source], vec![tcp_sink(collector.address, 0)]));
    let mut output = collector.accept();
    sender([127, 0, 0, 1]).send_to(b"{\n\"access_token\": \"mF_9.B5f-4.1JqM\"\n}", agent.address).unwrap();
    expect(&mut output, b"{\n\"access_token\": \"redacted-token-");
    let (_, log) = agent.stop();
    assert_eq!(log.number("source ended", "not_json"), 0);
    assert!(read_all(output).ends_with(b"\"\n}\n"));
}

#[test]
fn what_the_kernel_drops_while_the_sink_is_full_is_counted() {
    const SENT: u64 = 40_000;
    let collector = Collector::new();
    let mut sink = tcp_sink(collector.address, 0);
    sink.buffer_bytes = 64 << 10;
    let agent = Running::start(config(vec![udp_source(64 << 10)], vec![sink]));
    let mut output = collector.accept();
    let socket = sender([127, 0, 0, 1]);
    let line = |number| format!("{}{}\n", lines("u", number..number + 1).trim_end(), " ".repeat(700));
    for number in 0..SENT as usize {
        socket.send_to(line(number).as_bytes(), agent.address).unwrap();
    }
    until("it says so", || (agent.log().count("datagrams dropped by the kernel") > 0).then_some(()));
    let collected = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        output.read_to_end(&mut bytes).unwrap();
        bytes
    });
    let (outcome, log) = agent.stop();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    let collected = collected.join().unwrap();
    let came = collected.split_inclusive(|&byte| byte == b'\n').count() as u64;
    let (taken, dropped) = (log.number("datagrams ended", "datagrams"), log.number("datagrams ended", "dropped"));
    assert_eq!((came, taken + dropped), (taken, SENT), "every datagram is delivered or counted");
    assert!(dropped > 0);
    let mut last = None;
    for record in collected.split_inclusive(|&byte| byte == b'\n') {
        let text = std::str::from_utf8(record).unwrap();
        let number: usize = text[2..9].parse().unwrap();
        assert!(last < Some(number) && text == line(number), "torn or out of order: {text}");
        last = Some(number);
    }
    assert!(log.count("datagrams dropped by the kernel") < 10, "logged at a bounded rate");
}

#[test]
fn only_permitted_addresses_are_taken() {
    let collector = Collector::new();
    let mut source = udp_source(1 << 20);
    let SourceKind::Udp(udp) = &mut source.kind else { unreachable!() };
    udp.permit_origin = Origins::of(vec!["127.0.0.2/32".parse().expect("a block")]);
    let agent = Running::start(config(vec![source], vec![tcp_sink(collector.address, 0)]));
    let mut output = collector.accept();
    for number in 0..50 {
        sender([127, 0, 0, 1]).send_to(b"refused", agent.address).unwrap();
        sender([127, 0, 0, 2]).send_to(lines("b", number..number + 1).as_bytes(), agent.address).unwrap();
        expect(&mut output, lines("b", number..number + 1).as_bytes());
    }
    let (_, log) = agent.stop();
    assert_eq!(read_all(output), b"");
    assert_eq!((log.number("source ended", "refused_origins"), log.count("datagrams refused")), (50, 1));
}

#[test]
fn what_has_come_before_the_stop_is_delivered() {
    let collector = Collector::new();
    let mut sink = tcp_sink(collector.address, 0);
    sink.buffer_bytes = 64 << 10;
    let agent = Running::start(config(vec![udp_source(1 << 20)], vec![sink]));
    let output = collector.accept();
    let socket = sender([127, 0, 0, 1]);
    let all = lines("u", 0..500);
    for line in all.split_inclusive('\n') {
        socket.send_to(line.as_bytes(), agent.address).unwrap();
    }
    let address = agent.address;
    let stopped = Instant::now();
    agent.controller.stop();
    // A sender that does not end must not keep the agent from ending.
    let flood = std::thread::spawn(move || {
        while stopped.elapsed() < Duration::from_secs(20) && socket.send_to(b"later", address).is_ok() {}
    });
    let collected = std::thread::spawn(move || read_all(output));
    let (outcome, _) = agent.end();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert!(stopped.elapsed() < Duration::from_secs(15), "it goes on for as long as somebody sends");
    flood.join().unwrap();
    assert!(collected.join().unwrap().starts_with(all.as_bytes()));
}
