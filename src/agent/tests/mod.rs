//! The agent with an engine that fails, which only tests of the library can have.

use super::config::{Config, FileSink, Redact, Sink, SinkKind, WhenFull};
use super::{Agent, Controller, Outcome};
use crate::codec::fault::{LEAK, PANIC};
use crate::redact::{KeyRing, Options, Redaction};
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

const TOKEN: &str = "7Fh2k9Qd3Xw8Zp1Lm6Rt";
const PATIENCE: Duration = Duration::from_secs(20);

fn redaction(options: Options) -> Redaction {
    Redaction::new(KeyRing::parse("42".repeat(32).as_bytes()).unwrap(), options).unwrap()
}

/// From a TCP source to a file.
fn config(output: &Path, verify_sample: f64) -> Config {
    let text = "[sources.app]\ntype = \"tcp\"\naddress = \"127.0.0.1:0\"\n[sinks.out]\ntype = \"stdout\"\ninputs = [\"app\"]\n";
    let parsed = Config::parse(text, Path::new("beartrap.toml"), Path::new("/")).expect("it is valid");
    let kind = SinkKind::File(FileSink { path: output.to_owned(), sync_interval: Duration::ZERO });
    let sink = Sink { kind, when_full: WhenFull::Block, ..parsed.sinks[0].clone() };
    Config { sinks: vec![sink], redact: Redact { verify_sample, ..Redact::default() }, ..parsed }
}

/// Sends a line that arrives, and one that ends the agent; gives the outcome and the file.
fn outcome(config: Config, redaction: Redaction, output: &Path, last: &str) -> (Outcome, String) {
    let (ready, bound) = std::sync::mpsc::channel();
    let (ended, end) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let outcome = runtime.block_on(async {
            let (_controller, control) = Controller::channel();
            let agent = Agent::bind(config, redaction).await.unwrap();
            ready.send(agent.local_addr("app").unwrap()).unwrap();
            agent.run(control).await
        });
        // Nobody waits if it comes too late.
        let _ = ended.send(outcome);
    });
    let mut socket = TcpStream::connect(bound.recv_timeout(PATIENCE).unwrap()).unwrap();
    socket.write_all(b"before\n").unwrap();
    let deadline = Instant::now() + PATIENCE;
    while std::fs::read(output).unwrap() != b"before\n" {
        assert!(Instant::now() < deadline, "the first line never comes");
        std::thread::sleep(Duration::from_millis(5));
    }
    socket.write_all(last.as_bytes()).unwrap();
    let outcome = end.recv_timeout(PATIENCE).expect("the agent goes on");
    (outcome, std::fs::read_to_string(output).unwrap())
}

#[test]
fn a_panic_in_the_engine_ends_the_agent_with_nothing_of_its_block_written() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("clean.log");
    let last = format!("after Bearer {TOKEN}\n{PANIC} Bearer {TOKEN}\n");
    let (outcome, written) = outcome(config(&output, 0.0), redaction(Options::default()), &output, &last);
    assert!(matches!(outcome, Outcome::Engine), "{outcome:?}");
    assert_eq!(written, "before\n");
}

#[test]
fn a_survivor_ends_the_agent_with_nothing_of_its_block_written() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("clean.log");
    let last = format!("after\n{LEAK} Authorization: Bearer {TOKEN}\n");
    let (ended, written) = outcome(config(&output, 1.0), redaction(Options::default()), &output, &last);
    assert!(matches!(ended, Outcome::Engine), "{ended:?}");
    assert_eq!(written, "before\n");
}
