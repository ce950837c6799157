use crate::harness::*;
use beartrap::agent::config::{Source, SourceKind, UnixSource};
use beartrap::agent::{Agent, Outcome};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

fn unix_source(path: &Path) -> Source {
    let limits = connection_limits();
    Source {
        kind: SourceKind::Unix(UnixSource { path: path.into(), socket_file_mode: 0o600, limits }),
        ..tcp_source(1)
    }
}

#[test]
fn lines_come_through_and_the_file_goes_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.sock");
    // What a dead process has left.
    drop(UnixListener::bind(&path).unwrap());
    let collector = Collector::new();
    let agent = Running::start(config(vec![unix_source(&path)], vec![tcp_sink(collector.address, 0)]));
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    let collected = collector.collect();
    let senders = ["a", "b"].map(|name| {
        let mut socket = UnixStream::connect(&path).unwrap();
        std::thread::spawn(move || socket.write_all(lines(name, 0..20_000).as_bytes()).unwrap())
    });
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    let mut open = UnixStream::connect(&path).unwrap();
    open.write_all(b"Bearer mF_9.B5f-4.1JqM").unwrap();
    agent.controller.stop();
    until("nobody finds it any more", || (!path.exists()).then_some(()));
    open.write_all(b" last words").unwrap();
    drop(open);
    let (outcome, log) = agent.end();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert!(!path.exists());
    let collected = collected.join().unwrap();
    for name in ["a", "b"] {
        let own = collected.split_inclusive(|&byte| byte == b'\n').filter(|line| line.starts_with(name.as_bytes()));
        assert!(own.collect::<Vec<_>>().concat() == lines(name, 0..20_000).as_bytes(), "lines of {name} differ");
    }
    let text = String::from_utf8(collected).unwrap();
    assert!(
        text.contains("\nBearer redacted-token-") && text.contains(" last words\n"),
        "{}",
        &text[text.len() - 200..]
    );
    assert!(!text.contains("mF_9") && !log.text().contains("mF_9"));
    assert_eq!(log.number("source ended", "streams"), 3);
}

#[test]
fn a_socket_that_somebody_listens_on_stays_and_nothing_starts() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.sock");
    let _other = UnixListener::bind(&path).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = config(vec![unix_source(&path)], vec![file_sink(&dir.path().join("out.log"))]);
    let bound = runtime.block_on(Agent::bind(config, redaction()));
    let message = bound.expect_err("it is refused").to_string();
    assert_eq!(message, format!("source app ({}): another process listens there", path.display()));
    UnixStream::connect(&path).unwrap();
}

#[test]
fn limits_hold_for_local_connections_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.sock");
    let collector = Collector::new();
    let mut source = unix_source(&path);
    let SourceKind::Unix(unix) = &mut source.kind else { unreachable!() };
    unix.limits.max_connections = 1;
    unix.limits.idle_timeout = Duration::from_millis(200);
    unix.limits.record_timeout = Duration::from_millis(200);
    let agent = Running::start(config(vec![source], vec![tcp_sink(collector.address, 0)]));
    let mut output = collector.accept();
    let mut idle = UnixStream::connect(&path).unwrap();
    idle.write_all(b"1 ####").unwrap();
    expect(&mut output, b"1 ####\n");
    let mut waiting = UnixStream::connect(&path).unwrap();
    waiting.write_all(b"2.\n").unwrap();
    expect(&mut output, b"2.\n");
    drop(waiting);
    let (_, log) = agent.stop();
    assert_eq!((log.number("source ended", "closed_idle"), log.number("source ended", "timed_out_records")), (1, 1));
}
