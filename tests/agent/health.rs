//! What an agent says of itself is true.

use crate::harness::*;
use beartrap::agent::config::WhenFull;
use beartrap::agent::{Health, SinkState, SinkStatus};
use rustix::net::sockopt;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

fn sink_of(health: &Health) -> SinkStatus {
    health.status().sinks.remove(0)
}

fn until_state(health: &Health, state: SinkState) -> SinkStatus {
    until(state.name(), || Some(sink_of(health)).filter(|sink| sink.state == state))
}

#[test]
fn a_sink_that_stalls_is_told_until_it_delivers_again_and_idleness_is_not() {
    let unreachable = Collector::new();
    let idle = Running::start(config(vec![tcp_source(10)], vec![tcp_sink(unreachable.address, 0)]));
    drop(unreachable);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // Little fits into the kernel.
    sockopt::set_socket_recv_buffer_size(&listener, 32 << 10).unwrap();
    let agent = Running::start(config(vec![tcp_source(10)], vec![tcp_sink(listener.local_addr().unwrap(), 0)]));
    listener.set_nonblocking(true).unwrap();
    let (mut output, _) = until("the sink connects", || listener.accept().ok());
    output.set_nonblocking(false).unwrap();
    until_state(&agent.health, SinkState::Ready);
    agent.send(&lines("a", 0..1).into_bytes());
    expect(&mut output, lines("a", 0..1).as_bytes());
    let healthy =
        until("all is delivered", || Some(sink_of(&agent.health)).filter(|sink| sink.undelivered_blocks == 0));
    assert_eq!((healthy.oldest_undelivered, healthy.delivered_bytes), (None, lines("a", 0..1).len() as u64));

    let mut sender = agent.connect();
    let all = lines("a", 1..300_000);
    let sent = all.clone();
    let sending = std::thread::spawn(move || sender.write_all(sent.as_bytes()).unwrap());
    let stalled = until_state(&agent.health, SinkState::Stalled);
    let age = stalled.oldest_undelivered.unwrap();
    assert!(age >= Duration::from_secs(5) && stalled.undelivered_bytes > 0, "{stalled:?}");
    let status = agent.health.status();
    assert!(status.is_degraded() && status.sources[0].held_up.is_some_and(|held_up| held_up > Duration::from_secs(1)));
    until("the age grows", || {
        (sink_of(&agent.health).oldest_undelivered? > age + Duration::from_secs(1)).then_some(())
    });
    until("the log says so", || agent.log().text().contains("\"sink does not deliver\"").then_some(()));
    assert!(agent.log().number("sink does not deliver", "oldest_undelivered_secs") >= 5);

    // Nothing to deliver is no reason to be ill, not even without a connection.
    assert_eq!(sink_of(&idle.health).state, SinkState::Connecting);
    assert!(sink_of(&idle.health).since >= Duration::from_secs(5));
    assert!(!idle.health.status().is_degraded());
    assert!(!idle.log().text().contains("sink does not deliver"));

    let collected = std::thread::spawn(move || read_all(output));
    sending.join().unwrap();
    until("it delivers", || (!agent.health.status().is_degraded()).then_some(()));
    until("the log says so", || agent.log().text().contains("\"sink delivers again\"").then_some(()));
    assert_eq!(agent.log().text().matches("\"sink does not deliver\"").count(), 1, "told more than once");
    let health = agent.health.clone();
    agent.stop();
    assert!(collected.join().unwrap() == all.as_bytes());
    let end = health.status();
    assert_eq!((end.sinks[0].state, end.sinks[0].undelivered_bytes), (SinkState::Ended, 0));
    assert!(end.sources[0].has_ended && !end.is_degraded());
    assert_eq!(end.sources[0].sent_bytes, end.sinks[0].delivered_bytes);
    idle.stop();
}

#[test]
fn a_full_disk_and_what_was_dropped_for_it_can_be_seen() {
    let mut sink = file_sink(Path::new("/dev/full"));
    (sink.when_full, sink.buffer_bytes) = (WhenFull::DropNewest, 100_000);
    let mut config = config(vec![tcp_source(10)], vec![sink]);
    config.shutdown_grace = Duration::from_millis(100);
    let agent = Running::start(config);
    agent.send(lines("a", 0..1).as_bytes());
    let waiting = until_state(&agent.health, SinkState::WaitingForSpace);
    assert!(waiting.oldest_undelivered.is_some() && waiting.last_delivery.is_none(), "{waiting:?}");
    let began = Instant::now();
    agent.send(lines("a", 1..100_000).as_bytes());
    until("records are dropped", || (sink_of(&agent.health).dropped_records > 0).then_some(()));
    let sink = sink_of(&agent.health);
    assert!(
        sink.dropped_bytes > 0 && sink.since <= began.elapsed() + waiting.since + Duration::from_secs(1),
        "{sink:?}"
    );
    agent.stop();
}

#[test]
fn a_lost_connection_can_be_seen() {
    let collector = Collector::new();
    let agent = Running::start(config(vec![tcp_source(10)], vec![tcp_sink(collector.address, 0)]));
    let mut output = collector.accept();
    agent.send(b"one\n");
    expect(&mut output, b"one\n");
    until_state(&agent.health, SinkState::Ready);
    drop(collector);
    drop(output);
    let lost = until_state(&agent.health, SinkState::Connecting);
    agent.send(b"two\n");
    let waiting = until("it has something", || Some(sink_of(&agent.health)).filter(|sink| sink.undelivered_bytes > 0));
    assert!(waiting.since >= lost.since && waiting.undelivered_bytes == 4, "{waiting:?}");
    agent.controller.stop();
    agent.stop();
}
