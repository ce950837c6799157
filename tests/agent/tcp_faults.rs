//! A collector that resets, closes halfway, restarts, never reads, or is cut off.

use crate::harness::*;
use crate::process::Home;
use beartrap::agent::Outcome;
use rustix::net::sockopt;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

/// More than a collector's kernel holds unread.
const RESEND_BYTES: usize = 300_000;

/// A collector whose kernel holds little, so that little can die with it.
fn listen(address: impl Into<SocketAddr>) -> TcpListener {
    let address = address.into();
    until("the port is free", || {
        let listener = TcpListener::bind(address).ok()?;
        sockopt::set_socket_recv_buffer_size(&listener, 32 << 10).expect("a small buffer");
        Some(listener)
    })
}

fn accept(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).expect("non-blocking");
    let (socket, _) = until("the sink connects", || listener.accept().ok());
    socket.set_nonblocking(false).expect("blocking");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    socket
}

fn send(agent: &Running, count: usize) -> std::thread::JoinHandle<()> {
    let mut sender = agent.connect();
    std::thread::spawn(move || sender.write_all(lines("a", 0..count).as_bytes()).expect("the agent reads"))
}

fn read_some(socket: &mut TcpStream, len: usize) -> Vec<u8> {
    let mut read = vec![0; len];
    socket.read_exact(&mut read).expect("the bytes arrive");
    read
}

/// Every line has arrived; each connection began with a whole one.
fn assert_complete(streams: &[Vec<u8>], count: usize) {
    let counts = tally(streams.iter().map(|stream| &stream[..]));
    let all = lines("a", 0..count);
    let lost = all.split_inclusive('\n').filter(|line| !counts.contains_key(line.as_bytes())).count();
    assert_eq!(lost, 0, "lines are lost");
    assert!(streams.iter().all(|stream| stream.starts_with(b"a ")), "a connection begins within a line");
}

#[test]
fn thirty_resets_lose_nothing() {
    const LINES: usize = 150_000;
    let listener = listen(([127, 0, 0, 1], 0));
    let sink = tcp_sink(listener.local_addr().unwrap(), RESEND_BYTES);
    let agent = Running::start(config(vec![tcp_source(10)], vec![sink]));
    let sending = send(&agent, LINES);
    let mut streams = Vec::new();
    for _ in 0..30 {
        let mut socket = accept(&listener);
        streams.push(read_some(&mut socket, RESEND_BYTES + 100_000));
        reset(socket);
    }
    let socket = accept(&listener);
    let last = std::thread::spawn(move || read_all(socket));
    sending.join().unwrap();
    let (outcome, log) = agent.stop();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    streams.push(last.join().unwrap());
    assert_complete(&streams, LINES);
    assert_eq!(log.text().matches("\"connection lost\"").count(), 30);
}

#[test]
fn a_collector_that_restarts_thirty_times_misses_nothing() {
    const LINES: usize = 150_000;
    let mut listener = listen(([127, 0, 0, 1], 0));
    let address = listener.local_addr().unwrap();
    let mut sink = tcp_sink(address, RESEND_BYTES);
    let beartrap::agent::config::SinkKind::Tcp(tcp) = &mut sink.kind else { unreachable!() };
    tcp.reconnect_max = Duration::from_millis(100);
    let agent = Running::start(config(vec![tcp_source(10)], vec![sink]));
    let sending = send(&agent, LINES);
    let mut streams = Vec::new();
    for _ in 0..30 {
        let mut socket = accept(&listener);
        // In this order, as when a process dies: nobody listens any more when the agent hears of it.
        drop(listener);
        streams.push(read_some(&mut socket, RESEND_BYTES + 100_000));
        drop(socket);
        listener = listen(address);
    }
    let socket = accept(&listener);
    let last = std::thread::spawn(move || read_all(socket));
    sending.join().unwrap();
    let (outcome, _) = agent.stop();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    streams.push(last.join().unwrap());
    assert_complete(&streams, LINES);
}

#[test]
fn a_collector_that_closes_halfway_is_connected_to_again() {
    const LINES: usize = 50_000;
    let listener = listen(([127, 0, 0, 1], 0));
    let sink = tcp_sink(listener.local_addr().unwrap(), RESEND_BYTES);
    let agent = Running::start(config(vec![tcp_source(10)], vec![sink]));
    let sending = send(&agent, LINES);
    let mut streams = Vec::new();
    for _ in 0..5 {
        let mut socket = accept(&listener);
        let mut stream = read_some(&mut socket, 100_000);
        socket.shutdown(Shutdown::Write).unwrap();
        // It says that it will send nothing, and reads on: to the end of what the agent sends on this connection.
        match socket.read_to_end(&mut stream) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
        streams.push(stream);
    }
    let socket = accept(&listener);
    let last = std::thread::spawn(move || read_all(socket));
    sending.join().unwrap();
    let (outcome, _) = agent.stop();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    streams.push(last.join().unwrap());
    assert_complete(&streams, LINES);
}

#[test]
fn a_collector_that_never_reads_is_left_for_its_successor() {
    const LINES: usize = 50_000;
    let listener = listen(([127, 0, 0, 1], 0));
    let mut sink = tcp_sink(listener.local_addr().unwrap(), RESEND_BYTES);
    let beartrap::agent::config::SinkKind::Tcp(tcp) = &mut sink.kind else { unreachable!() };
    tcp.ack_timeout = Duration::from_secs(1);
    let agent = Running::start(config(vec![tcp_source(10)], vec![sink]));
    let _never_read = accept(&listener);
    let sending = send(&agent, LINES);
    let socket = accept(&listener);
    assert!(agent.log().text().contains("connection lost"), "{}", agent.log().text());
    let last = std::thread::spawn(move || read_all(socket));
    sending.join().unwrap();
    let (outcome, _) = agent.stop();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert_complete(&[last.join().unwrap()], LINES);
}

const IN_OWN_NETWORK: &str = "BEARTRAP_TEST_NETWORK";

/// Runs a test again in a network of its own, which no other test shares. True in the process that is to do the work.
fn in_own_network(test: &str) -> bool {
    if std::env::var_os(IN_OWN_NETWORK).is_some() {
        return true;
    }
    let mut command = Command::new("unshare");
    command.arg("--net").arg(std::env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]);
    let output = command.env(IN_OWN_NETWORK, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    false
}

fn set_loopback(state: &str) {
    assert!(Command::new("ip").args(["link", "set", "lo", state]).status().unwrap().success());
}

#[test]
fn a_network_that_goes_dark_is_noticed_and_waited_for() {
    if !in_own_network("tcp_faults::a_network_that_goes_dark_is_noticed_and_waited_for") {
        return;
    }
    set_loopback("up");
    let listener = TcpListener::bind("127.0.0.1:5171").unwrap();
    let home = Home::new();
    home.follow_into("type = \"tcp\"\naddress = \"127.0.0.1:5171\"\nreconnect_max_secs = 0.2\nack_timeout_secs = 1");
    home.append(&lines("a", 0..100));
    let agent = home.agent(&[]);
    let mut socket = accept(&listener);
    expect(&mut socket, lines("a", 0..100).as_bytes());
    set_loopback("down");
    // Sent into the dark: no reset, no answer.
    home.append(&lines("a", 100..200));
    agent.until_logged("connection lost");
    assert!(agent.log().contains("timed out"), "{}", agent.log());
    home.append(&lines("a", 200..300));
    set_loopback("up");
    let mut socket = accept(&listener);
    // What the first connection had is sent again, since nobody knows whether it was read.
    expect(&mut socket, lines("a", 0..300).as_bytes());
    assert_eq!(agent.stop().0, Some(0));
}
