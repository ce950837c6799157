//! The memory that `run` prints as its most is not exceeded by senders who mean it.

use crate::support::{Home, PATIENCE, wait_for};
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Child;
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 60;

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Memory in bytes that is no page of a file.
fn anonymous_bytes(id: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

/// The most that is taken while all connections send credentials without an end of a record to a collector that does not
/// read, and the sum that was printed.
fn peak_and_sum(codec: &str, start: &str) -> (usize, usize) {
    let home = Home::with_key();
    let collector = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let config = home.file(
        "config.toml",
        format!(
            "[sources.in]\ntype = \"tcp\"\naddress = \"{address}\"\ndecoding.codec = \"{codec}\"\nmax_connections = 64\n\
             max_record_bytes = 262_144\n[sinks.out]\ntype = \"tcp\"\naddress = \"{}\"\ninputs = [\"in\"]\n",
            collector.local_addr().unwrap()
        ),
    );
    let log = home.path("log");
    let mut run = home.beartrap(["run".as_ref(), "--config".as_ref(), config.as_os_str()]);
    let agent = Killed(run.stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap());
    wait_for(&log, "source started");
    let unit = "\\u0041x Bearer eyJhbGciOiJIUzI1NiJ9.".repeat(2000);
    let senders = std::iter::repeat_with(|| {
        let mut sender = TcpStream::connect(address).unwrap();
        sender.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
        let input = format!("{start}{unit}");
        std::thread::spawn(move || {
            while sender.write_all(input.as_bytes()).is_ok() {}
            sender
        })
    });
    let senders: Vec<_> = senders.take(CONNECTIONS).collect();
    let (mut peak, deadline) = (0, Instant::now() + 3 * PATIENCE);
    while senders.iter().any(|sender| !sender.is_finished()) {
        assert!(Instant::now() < deadline, "they are never held back");
        peak = peak.max(anonymous_bytes(agent.0.id()));
        std::thread::sleep(Duration::from_millis(5));
    }
    let log = std::fs::read_to_string(&log).unwrap();
    let sum = log.lines().find(|line| line.contains("memory limit of all parts")).unwrap();
    let digits = sum.rsplit('=').next().unwrap().trim_matches(|c: char| !c.is_ascii_digit());
    (peak, digits.parse().unwrap_or_else(|_| panic!("{sum}")))
}

#[test]
fn the_printed_sum_holds_for_text_and_json() {
    for (codec, start) in [("text", ""), ("json", "{\"a\":\"")] {
        let (peak, sum) = peak_and_sum(codec, start);
        assert!(peak < sum, "{codec}: {peak} of {sum}");
        // Streams that wait have given back what they grew to: over 125 MB would be taken otherwise.
        assert!(peak < 110_000_000, "{codec}: {peak}");
        assert!(peak > 20_000_000, "{codec}: {peak}, so nothing waited");
    }
}
