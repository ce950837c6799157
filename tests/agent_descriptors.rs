//! Out of file descriptors. A test program of its own: the limit is the process'.

#[allow(dead_code, reason = "shared with the other tests of the agent")]
#[path = "agent/harness.rs"]
mod harness;

use harness::*;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{Read, Write};

#[test]
fn connections_wait_while_there_are_no_descriptors() {
    let collector = Collector::new();
    let agent = Running::start(config(vec![tcp_source(1000)], vec![tcp_sink(collector.address, 0)]));
    let mut output = collector.accept();
    let mut senders: Vec<_> = (0..30).map(|_| agent.connect()).collect();
    agent.send(b"warm\n");
    expect(&mut output, b"warm\n");

    // Room for a few more: whoever comes next is in the listen queue, and stays there.
    let open = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    let limit = Rlimit { current: Some(open + 20), ..getrlimit(Resource::Nofile) };
    setrlimit(Resource::Nofile, limit).unwrap();
    while let Ok(socket) = std::net::TcpStream::connect(agent.address) {
        senders.push(socket);
    }
    until("the agent says so", || agent.log().text().contains("can't accept connections").then_some(()));
    let count = senders.len();
    senders.iter_mut().for_each(|socket| socket.write_all(b"line\n").unwrap());
    // Each sender that goes makes room for two.
    drop(senders);
    let mut lines = vec![0; count * 5];
    output.read_exact(&mut lines).unwrap();
    assert!(lines == b"line\n".repeat(count));
    agent.stop();
}
