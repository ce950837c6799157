//! Callers that mean harm, or don't know what they do: neither the agent nor other callers notice.

use crate::harness::*;
use crate::http::{answer, get, request};
use beartrap::agent::config::{Api, Config};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// An agent whose output is read.
fn start(api: Api) -> (Running, SocketAddr, std::thread::JoinHandle<Vec<u8>>) {
    let collector = Collector::new();
    let sinks = vec![tcp_sink(collector.address, 0)];
    let output = collector.collect();
    let agent = Running::start(Config { api: Some(api), ..config(vec![tcp_source(10)], sinks) });
    let address = agent.api[0].expect("there is an API");
    (agent, address, output)
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn a_thousand_silent_connections_keep_nobody_out() {
    let (agent, api, output) = start(api());
    let before = resident_bytes();
    let silent: Vec<TcpStream> = (0..1000)
        .map(|number| {
            let mut socket = TcpStream::connect(api).unwrap();
            // Half a request each, such as slow clients send.
            let begin = if number % 2 == 0 { "GET /livez HT" } else { "GET /livez HTTP/1.1\r\nHost: localhost\r\nX: " };
            // It may have made room for another already.
            let _ = socket.write_all(begin.as_bytes());
            socket
        })
        .collect();
    let began = Instant::now();
    for _ in 0..20 {
        assert_eq!(get(api, "/livez").status, 200);
    }
    assert!(began.elapsed() < Duration::from_secs(10), "20 probes took {:?}", began.elapsed());
    // Only as many are open as there may be.
    until("the others are closed", || (silent.iter().filter(|socket| !is_closed(socket)).count() <= 64).then_some(()));
    assert!(resident_bytes() < before + (32 << 20), "{} bytes more", resident_bytes() - before);
    let text = lines("a", 0..20_000);
    agent.send(text.as_bytes());
    until("records pass", || (agent.health.status().sinks[0].delivered_bytes == text.len() as u64).then_some(()));
    drop(silent);
    agent.stop();
    assert!(output.join().unwrap() == text.as_bytes());
}

#[test]
fn a_request_has_a_deadline_however_it_is_sent() {
    let (agent, api, _) = start(Api { request_timeout: Duration::from_secs(1), ..api() });
    let began = Instant::now();
    let mut slow = TcpStream::connect(api).unwrap();
    let silent = TcpStream::connect(api).unwrap();
    slow.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n").unwrap();
    let closed = until("the slow one is closed", || {
        std::thread::sleep(Duration::from_millis(50));
        // A byte now and then does not help.
        let _ = slow.write_all(b"X");
        is_closed(&slow).then(|| began.elapsed())
    });
    assert!(closed >= Duration::from_millis(900), "{closed:?}");
    until("the silent one is closed", || is_closed(&silent).then_some(()));
    agent.stop();
}

#[test]
fn what_is_too_large_is_refused() {
    let (agent, api, _) = start(api());
    let head = |headers: &str| format!("GET /livez HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
    assert_eq!(request(api, &head(&format!("X: {}\r\n", "x".repeat(8000)))).status, 200);
    assert_eq!(request(api, &head(&"X: y\r\n".repeat(200))).status, 431);
    for large in
        [head(&format!("X: {}\r\n", "x".repeat(1 << 20))), format!("GET /{} HTTP/1.1\r\n", "x".repeat(1 << 20))]
    {
        let mut socket = TcpStream::connect(api).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        // It hangs up long before the end.
        let _ = socket.write_all(large.as_bytes());
        let mut bytes = Vec::new();
        match socket.read_to_end(&mut bytes) {
            Ok(_) => assert!(bytes.starts_with(b"HTTP/1.1 4"), "{:?}", String::from_utf8_lossy(&bytes)),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
    // A body that is announced is not waited for.
    let answered = request(api, &head("Content-Length: 99999999999\r\n"));
    assert_eq!(answered.status, 200);
    agent.stop();
}

#[test]
fn callers_that_do_not_read_hold_nothing_up() {
    let (agent, api, _) = start(Api { max_connections: 16, ..api() });
    let mut deaf = Vec::new();
    for _ in 0..200 {
        let mut socket = TcpStream::connect(api).unwrap();
        let _ = socket.write_all(format!("GET /metrics HTTP/1.1\r\nHost: {api}\r\n\r\n").as_bytes());
        deaf.push(socket);
    }
    assert_eq!(get(api, "/readyz").status, 200);
    // What they were told waits for them.
    let last = answer(deaf.pop().unwrap());
    assert!(last.status == 200 && last.body.contains("beartrap_build_info"), "{last:?}");
    agent.stop();
}

#[test]
fn a_port_that_is_taken_ends_the_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = config(vec![tcp_source(10)], vec![tcp_sink(taken.local_addr().unwrap(), 0)]);
    config.api = Some(Api { address: taken.local_addr().unwrap(), ..api() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let failure = runtime.block_on(beartrap::agent::Agent::bind(config, redaction())).expect_err("it is taken");
    assert!(failure.to_string().starts_with(&format!("api ({}): ", taken.local_addr().unwrap())), "{failure}");
}
