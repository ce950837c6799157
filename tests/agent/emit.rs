//! Rows on their way from an agent's ledger through one of its sinks into another ledger.

use crate::harness::{PATIENCE, until};
use crate::process::{Agent, Home};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use beartrap::ledger::{Exposure, Filter, Portable, Store};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Takes lines from everybody who connects.
struct Collector {
    address: SocketAddr,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Collector {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, lines) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<String>>>::default());
        let collected = lines.clone();
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let collected = collected.clone();
                std::thread::spawn(move || {
                    // A line that is cut off by the end of a connection is none.
                    let mut reader = BufReader::new(socket);
                    let mut line = String::new();
                    while reader.read_line(&mut line).is_ok_and(|len| len > 0) {
                        if line.ends_with('\n') {
                            collected.lock().unwrap().push(std::mem::take(&mut line));
                        }
                    }
                });
            }
        });
        Self { address, lines }
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

fn token(number: usize) -> String {
    let mut signature = [0; 64];
    getrandom::fill(&mut signature).unwrap();
    let claims = format!(r#"{{"iss":"https://login.example/","sub":"user{number}","exp":4000000000}}"#);
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    format!("{}.{}.{}", part(br#"{"alg":"ES256"}"#), part(claims.as_bytes()), part(&signature))
}

fn configure(home: &Home, sink: &str) {
    home.follow_into(&format!("type = \"file\"\npath = \"{}\"\n", home.path("out.log").display()));
    let config = std::fs::read_to_string(home.path("config.toml")).unwrap();
    let ledger = "[ledger]\ninstance = \"pod\"\nemit_to = \"rows\"\nemit_interval_secs = 0.1\n";
    std::fs::write(home.path("config.toml"), format!("{config}{ledger}[sinks.rows]\n{sink}\n")).unwrap();
}

fn to_collector(home: &Home, address: SocketAddr) {
    configure(home, &format!("type = \"tcp\"\naddress = \"{address}\"\nreconnect_max_secs = 0.2\nresend_bytes = 0"));
}

fn rows(path: &Path) -> Vec<Exposure> {
    let store = Store::open_read_only(path).unwrap();
    store.list(&Filter::default(), jiff::Timestamp::now()).unwrap().exposures
}

/// What was counted of each credential.
fn counts(path: &Path) -> BTreeMap<String, u64> {
    rows(path).into_iter().map(|row| (row.fingerprint, row.occurrences)).collect()
}

fn merge(home: &Home, from: &Path) {
    let merged = Command::new(env!("CARGO_BIN_EXE_beartrap"))
        .args(["exposures", "merge", "--into"])
        .args([&home.path("central.db"), from])
        .env("HOME", home.path("."))
        .output()
        .unwrap();
    assert!(merged.status.success(), "{merged:?}");
}

fn until_counted(home: &Home, sum: u64) {
    until("the ledger has counted all", || {
        // It is there before there is anything in it.
        let store = Store::open_read_only(&home.path("data/ledger.db")).ok()?;
        let rows = store.list(&Filter::default(), jiff::Timestamp::now()).ok()?.exposures;
        (rows.iter().map(|row| row.occurrences).sum::<u64>() >= sum).then_some(())
    });
}

/// Waits until the last that was sent of all credentials adds up to this.
fn until_emitted(collector: &Collector, sum: u64) {
    until("all rows are emitted", || {
        let mut last = BTreeMap::new();
        for line in collector.lines() {
            let row: Portable = serde_json::from_str(&line).unwrap();
            last.insert(row.fingerprint, row.counts.iter().map(|one| one.count).sum::<u64>());
        }
        (last.values().sum::<u64>() >= sum).then_some(())
    });
}

fn stop(agent: Agent) -> String {
    let (code, log) = agent.stop();
    assert_eq!(code, Some(0), "{log}");
    log
}

#[test]
fn rows_that_are_sent_on_and_merged_twice_count_what_the_ledger_counts() {
    let (home, collector) = (Home::new(), Collector::new());
    to_collector(&home, collector.address);
    let tokens: Vec<String> = (0..30).map(token).collect();
    let mut sum = 0;
    for round in 0..4 {
        let agent = home.agent(&[]);
        for number in 0..40 {
            home.append(&format!("Authorization: Bearer {}\n", tokens[(round * 7 + number) % tokens.len()]));
            sum += 1;
        }
        until_counted(&home, sum);
        match round % 2 {
            // What is not sent yet is sent at the end.
            0 => drop(stop(agent)),
            // Dropped, it is killed.
            _ => drop(agent),
        }
    }
    let agent = home.agent(&[]);
    agent.until_logged("source started");
    stop(agent);
    // The peer's kernel has them, which is not yet the collector.
    until_emitted(&collector, counts(&home.path("data/ledger.db")).values().sum());
    let lines = collector.lines();
    let received = home.path("rows.ndjson");
    std::fs::write(&received, lines.concat()).unwrap();
    let own = counts(&home.path("data/ledger.db"));
    assert_eq!(own.len(), tokens.len());
    for _ in 0..2 {
        merge(&home, &received);
        assert_eq!(counts(&home.path("central.db")), own);
    }
    let merged = &rows(&home.path("central.db"))[0];
    assert_eq!(merged.sources.keys().collect::<Vec<_>>(), ["pod/app"]);
    // Of the signatures nothing went along.
    let sent = lines.concat();
    for token in &tokens {
        let signature = token.rsplit_once('.').unwrap().1;
        let found = signature.as_bytes().windows(12).find(|piece| sent.contains(std::str::from_utf8(piece).unwrap()));
        assert!(found.is_none(), "a piece of a signature was sent");
    }
}

#[test]
fn what_was_acknowledged_is_not_sent_again_until_it_changes() {
    let (home, collector) = (Home::new(), Collector::new());
    to_collector(&home, collector.address);
    let (one, two) = (token(1), token(2));
    let agent = home.agent(&[]);
    home.append(&format!("Authorization: Bearer {one}\nAuthorization: Bearer {two}\n"));
    until_emitted(&collector, 2);
    stop(agent);
    let sent = collector.lines().len();
    let agent = home.agent(&[]);
    home.append(&format!("Authorization: Bearer {one}\n"));
    until_emitted(&collector, 3);
    stop(agent);
    let lines = collector.lines();
    assert_eq!(lines.len(), sent + 1, "{lines:?}");
}

#[test]
fn a_sink_that_takes_nothing_delays_rows_and_nothing_else() {
    let home = Home::new();
    // Nobody listens there.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    to_collector(&home, address);
    let config = std::fs::read_to_string(home.path("config.toml")).unwrap();
    std::fs::write(home.path("config.toml"), format!("shutdown_grace_secs = 2\n{config}")).unwrap();
    let agent = home.agent(&[]);
    let lines = 200;
    for number in 0..lines {
        home.append(&format!("Authorization: Bearer {}\n", token(number)));
    }
    until("all of it is out", || {
        let out = std::fs::read(home.path("out.log")).unwrap_or_default();
        (out.iter().filter(|byte| **byte == b'\n').count() == lines).then_some(())
    });
    until_counted(&home, lines as u64);
    let started = Instant::now();
    let (code, log) = agent.stop();
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    // Rows wait for a sink that has not taken them.
    assert_eq!(code, Some(75), "{log}");
    // They are still in the ledger, and go out once somebody listens.
    let listener = TcpListener::bind(address).unwrap();
    let agent = home.agent(&[]);
    let socket = listener.accept().unwrap().0;
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let sent: Vec<String> = BufReader::new(socket).lines().take(lines).map(Result::unwrap).collect();
    assert_eq!(sent.len(), lines);
    drop(agent);
}

#[test]
fn rows_can_go_to_a_file_too() {
    let home = Home::new();
    configure(&home, &format!("type = \"file\"\npath = \"{}\"", home.path("rows.ndjson").display()));
    let agent = home.agent(&[]);
    home.append(&(0..1000).map(|number| format!("Authorization: Bearer {}\n", token(number))).collect::<String>());
    until_counted(&home, 1000);
    let log = stop(agent);
    assert!(log.contains("rows of the ledger are emitted"), "{log}");
    merge(&home, &home.path("rows.ndjson"));
    assert_eq!(counts(&home.path("central.db")), counts(&home.path("data/ledger.db")));
}
