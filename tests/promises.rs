//! Bounded and linear: memory stays flat and time proportional whatever comes, through the real program.
#![allow(clippy::disallowed_macros, reason = "a test prints for whoever runs it")]
#![cfg(target_os = "linux")]

mod support;

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// What input may add to the memory of a program that has read one short line. That is code mostly, 23 MiB where it is not
/// optimized.
const MEMORY_MAX: u64 = 8 << 20;
const MB: usize = 1_000_000;
/// Unoptimized code is an order of magnitude slower; what is linear at this length is linear beyond.
const CANDIDATES_LEN: usize = if cfg!(debug_assertions) { MB / 4 } else { 10 * MB };

/// What a run of the filter came to.
struct Run {
    output_len: usize,
    /// The first bytes of the output.
    output: Vec<u8>,
    /// Beyond what a short line takes.
    memory: u64,
    /// Time on a processor: what else the machine does is not the program's.
    time: Duration,
}

/// Runs the filter over `len` bytes of `piece`, over and over, between `head` and `tail`.
fn filter(head: &[u8], piece: &[u8], len: usize, tail: &[u8]) -> Run {
    static PROGRAM: OnceLock<u64> = OnceLock::new();
    let program = *PROGRAM.get_or_init(|| run(b"", b"x\n", 2, b"").memory);
    let run = run(head, piece, len, tail);
    Run { memory: run.memory.saturating_sub(program), ..run }
}

/// The same, with the program's own memory.
fn run(head: &[u8], piece: &[u8], len: usize, tail: &[u8]) -> Run {
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("key");
    std::fs::write(&key, support::KEY).expect("a key");
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("mode");
    let mut child = Command::new(env!("CARGO_BIN_EXE_beartrap"))
        .args(["--key-file".as_ref(), key.as_os_str()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdout = child.stdout.take().expect("a pipe");
    let reader = std::thread::spawn(move || {
        let (mut output, mut output_len, mut buffer) = (Vec::new(), 0, vec![0; 1 << 16]);
        loop {
            let len = stdout.read(&mut buffer).expect("the output is read");
            if len == 0 {
                return (output, output_len);
            }
            output_len += len;
            output.extend_from_slice(&buffer[..len.min((1 << 16) - output.len().min(1 << 16))]);
        }
    });
    let memory = write(&mut child, head, piece, len, tail);
    let (output, output_len) = reader.join().expect("the reader ends");
    // Until it is waited for, the system keeps its account.
    wait_until(|| state(&child).0 == "Z");
    let time = state(&child).1;
    assert!(child.wait().expect("the program ends").success());
    Run { output_len, output, memory, time }
}

/// Writes the input and says how much memory the program used at most while it came.
fn write(child: &mut Child, head: &[u8], piece: &[u8], len: usize, tail: &[u8]) -> u64 {
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(head).expect("the program reads");
    let block = piece.repeat((1 << 16) / piece.len() + 1);
    let block = &block[..block.len() / piece.len() * piece.len()];
    let mut left = len;
    while left > 0 {
        let part = &block[..left.min(block.len())];
        stdin.write_all(part).expect("the program reads");
        left -= part.len();
    }
    stdin.write_all(tail).expect("the program reads");
    // A pipe holds much that is not read yet: only when it is empty and the program waits for more, all has been seen.
    wait_until(|| rustix::io::ioctl_fionread(&stdin).expect("a pipe") == 0 && state(child).0 == "S");
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("the program still runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a high water mark");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

fn wait_until(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !condition() {
        assert!(Instant::now() < deadline, "the program does not get on");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Whether the program runs, sleeps or has ended, and its time on a processor (proc(5), `/proc/PID/stat`).
fn state(child: &Child) -> (String, Duration) {
    const TICKS_PER_SEC: u64 = 100;
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("it was not waited for");
    // The name before may hold blanks.
    let (_, fields) = stat.rsplit_once(") ").expect("the name is in brackets");
    let fields: Vec<&str> = fields.split(' ').collect();
    let ticks = |field: usize| fields[field].parse::<u64>().expect("a number");
    (fields[0].to_owned(), Duration::from_millis((ticks(11) + ticks(12)) * 1000 / TICKS_PER_SEC))
}

const JWT: &[u8] = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";

#[test]
fn a_line_of_100_mb_streams_in_flat_memory() {
    let tail = [b" token ", JWT, b" end"].concat();
    let run = filter(b"begin ", b"some words and 1234567890 digits, ", 100 * MB, &tail);
    assert!(run.memory < MEMORY_MAX, "{} bytes of memory", run.memory);
    let marker_len = "redacted-jwt-01234567-0123456789abcdef0123456789abcdef".len();
    assert_eq!(run.output_len, 100 * MB + "begin  token  end".len() + marker_len);
}

#[test]
fn a_token_of_10_mb_becomes_one_marker() {
    let signature = b".dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U end\n";
    for header in [&b"a eyJhbGciOiJIUzI1NiJ9."[..], b"a Bearer mF_9B5f41JqM"] {
        let signature = if header.starts_with(b"a e") { &signature[..] } else { b" end\n" };
        let run = filter(header, b"eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6", 10 * MB, signature);
        assert!(run.memory < MEMORY_MAX, "{} bytes of memory", run.memory);
        let shown = run.output.escape_ascii().to_string();
        let kind = if header.starts_with(b"a e") { "a redacted-jwt-*" } else { "a Bearer redacted-token-*" };
        let expected = format!("{kind} end\n");
        assert_eq!(support::mask_markers(&run.output), expected.as_bytes(), "{}", &shown[..shown.len().min(300)]);
    }
}

/// What looks like the beginning of a credential at every few bytes, and never is one, or is one without end.
#[test]
fn endless_candidates_cost_linear_time_and_flat_memory() {
    use base64::Engine;
    let nested = base64::prelude::BASE64_STANDARD.encode(b"{\"a\":".repeat(300));
    let header = base64::prelude::BASE64_URL_SAFE_NO_PAD.encode("{\"alg\":\"HS256\",\"kid\":[[[[");
    let pieces: [&[u8]; 9] = [
        b"eyJ",
        b"eyJhbGciOiJ",
        b"Bearer aaaa",
        nested.as_bytes(),
        header.as_bytes(),
        b"eyJhbGciOiJIUzI1NiJ9.",
        b"access_token=a1b2c3d4e5",
        b"Cookie: session=;",
        b"%2525%5C\\\\\\u00",
    ];
    let mut failures = Vec::new();
    for piece in pieces {
        let [short, long] = [1, 4].map(|times| filter(b"", piece, times * CANDIDATES_LEN, b""));
        // What is quick is mostly the program's start.
        let ratio = long.time.as_secs_f64() / short.time.as_secs_f64().max(0.1);
        let shown = piece[..piece.len().min(30)].escape_ascii();
        println!("{shown}: {:?} and {:?}, {} KiB", short.time, long.time, long.memory >> 10);
        if ratio >= 8.0 {
            failures.push(format!("{shown}: four times the input takes {ratio:.1} times the time"));
        }
        // Clean text of this size takes a fraction of a second.
        if long.time > Duration::from_secs(20) {
            failures.push(format!("{shown}: {} bytes take {:?}", 4 * CANDIDATES_LEN, long.time));
        }
        if long.memory >= MEMORY_MAX {
            failures.push(format!("{shown}: {} bytes of memory", long.memory));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
