//! An output that can't keep up or fails: `--when-full` and `--on-failure`.

use crate::support::{Home, PATIENCE, feed, kill, text, wait, wait_for};
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// 9 MB: more than all pipes and buffers hold.
const LINES: usize = 200_000;

/// Numbered lines, some with a token.
fn log(lines: usize) -> Vec<u8> {
    let mut log = Vec::with_capacity(60 * lines);
    for number in 0..lines {
        let rest =
            if number % 1000 == 0 { "Authorization: Bearer mF_9.B5f-4.1JqM" } else { "GET /index.html HTTP/1.1 200 " };
        writeln!(log, "{number:09} {rest:>37}").unwrap();
    }
    log
}

/// A service that writes as fast as it can; it can be seen how far it is.
struct Service {
    written: Arc<AtomicUsize>,
    thread: JoinHandle<std::io::Result<ChildStdin>>,
}

impl Service {
    fn start(child: &mut Child, log: Vec<u8>) -> Self {
        let mut stdin = child.stdin.take().unwrap();
        let written = Arc::new(AtomicUsize::new(0));
        let so_far = written.clone();
        let thread = std::thread::spawn(move || {
            for piece in log.chunks(10_000) {
                stdin.write_all(piece)?;
                so_far.fetch_add(piece.len(), Ordering::Relaxed);
            }
            Ok(stdin)
        });
        Self { written, thread }
    }

    fn written(&self) -> usize {
        self.written.load(Ordering::Relaxed)
    }

    /// Waits until it has written all; it ends when what this returns is dropped.
    fn end(self) -> ChildStdin {
        let deadline = Instant::now() + PATIENCE;
        while !self.thread.is_finished() {
            assert!(Instant::now() < deadline, "the service is frozen after {} bytes", self.written());
            std::thread::sleep(Duration::from_millis(5));
        }
        self.thread.join().unwrap().expect("its writes succeed")
    }
}

fn spawn(mut command: Command) -> Child {
    command.stdin(Stdio::piped()).spawn().unwrap()
}

/// Asserts that there are whole lines only, in order, and counts them.
fn count_whole_lines(output: &[u8]) -> usize {
    assert!(output.ends_with(b"\n") || output.is_empty(), "the last line is cut");
    let mut last = None;
    for line in output.split_inclusive(|&byte| byte == b'\n') {
        let number = std::str::from_utf8(&line[..9]).ok().and_then(|number| number.parse::<usize>().ok());
        assert!(number.is_some() && number > last, "out of order, or glued: {:?}", text(line));
        let rest = &line[9..];
        let is_whole =
            rest.ends_with(b" GET /index.html HTTP/1.1 200 \n") || rest.len() > 70 && rest[..70].ends_with(b"-");
        let has_marker = rest.windows(30).any(|part| part.starts_with(b"Bearer redacted-token-"));
        assert!(is_whole || has_marker, "no whole line: {:?}", text(line));
        last = number;
    }
    output.iter().filter(|&&byte| byte == b'\n').count()
}

/// The numbers of `--stats --log-format json`.
fn stats(stderr: &[u8]) -> serde_json::Value {
    let line = text(stderr).lines().last().expect("there are stats").to_owned();
    serde_json::from_str(&line).expect("JSON")
}

fn read_all(from: &mut Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.take().unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_stalled_reader_blocks_the_service_and_loses_nothing() {
    let home = Home::with_key();
    let mut child = spawn(home.beartrap(["--when-full", "block"]));
    let log = log(LINES);
    let service = Service::start(&mut child, log.clone());
    let mut written = 0;
    // It has stopped when it has come no further for a while.
    let mut since = Instant::now();
    while since.elapsed() < Duration::from_millis(500) {
        if service.written() != written {
            (written, since) = (service.written(), Instant::now());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(written < 4 << 20, "{written} bytes are somewhere");
    let mut stdout = child.stdout.take();
    let reader = std::thread::spawn(move || read_all(&mut stdout));
    service.end();
    assert_eq!(count_whole_lines(&reader.join().unwrap()), LINES);
    assert_eq!(wait(&mut child).code(), Some(0));
}

#[test]
fn a_stalled_reader_costs_whole_lines_if_that_was_chosen() {
    /// 48 MB.
    const MANY: usize = 1_000_000;
    let home = Home::with_key();
    let mut child = spawn(home.beartrap(["--when-full", "drop_newest", "--stats", "--log-format", "json"]));
    Service::start(&mut child, log(MANY)).end();
    let output = read_all(&mut child.stdout);
    let stderr = read_all(&mut child.stderr);
    assert_eq!(wait(&mut child).code(), Some(0));
    let (lines, stats) = (count_whole_lines(&output), stats(&stderr));
    assert!((1..MANY).contains(&lines), "{lines} lines");
    assert_eq!(lines as u64 + stats["dropped_records"].as_u64().unwrap(), MANY as u64);
    assert_eq!(stats["bytes_written"].as_u64(), Some(output.len() as u64));
    assert_eq!((stats["lines"].as_u64(), stats["discarded_records"].as_u64()), (Some(MANY as u64), Some(0)));
    let messages = text(&stderr);
    assert!(messages.contains("standard output is full, ") && messages.contains(" dropped up to now"), "{messages}");
    // Told once at its beginning, and now and then, however many there are.
    assert!(messages.lines().count() < 10, "{messages}");
}

#[test]
fn a_reader_that_is_stopped_goes_on_with_whole_lines() {
    let home = Home::with_key();
    let (out, messages) = (home.path("out"), home.path("messages"));
    let mut command = home.beartrap(["--when-full", "drop_newest"]);
    command.stderr(File::create(&messages).unwrap());
    let mut child = spawn(command);
    let mut reader = home.command("cat");
    let reader = reader.stdin(child.stdout.take().unwrap()).stdout(File::create(&out).unwrap());
    let mut reader = reader.spawn().unwrap();
    kill("STOP", reader.id());
    let mut stdin = Service::start(&mut child, log(LINES)).end();
    kill("CONT", reader.id());
    // What comes now passes, and stands behind a whole line.
    let deadline = Instant::now() + PATIENCE;
    let mut number = LINES;
    while !std::fs::read(&out).unwrap().windows(5).any(|line| line == b"\n0002") {
        assert!(Instant::now() < deadline, "nothing passes any more");
        writeln!(stdin, "{number:09} {:>37}", "GET /index.html HTTP/1.1 200 ").unwrap();
        number += 1;
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(stdin);
    assert_eq!(wait(&mut child).code(), Some(0));
    assert!(wait(&mut reader).success());
    let lines = count_whole_lines(&std::fs::read(&out).unwrap());
    let messages = std::fs::read_to_string(&messages).unwrap();
    let last = messages.lines().last().unwrap();
    let dropped = last.strip_prefix("beartrap: standard output did not get everything: ").expect(last);
    assert_eq!(dropped.split(' ').next().unwrap().parse::<usize>().unwrap() + lines, number, "{last}");
}

#[test]
fn messages_in_the_same_stuck_pipe_freeze_nobody() {
    let home = Home::with_key();
    let mut shell = home.command("sh");
    let script = "exec \"$0\" --when-full drop_newest --stats 2>&1";
    shell.args(["-c", script, env!("CARGO_BIN_EXE_beartrap")]);
    let mut child = spawn(shell);
    Service::start(&mut child, log(LINES)).end();
    drop(child.stdout.take());
    assert_eq!(wait(&mut child).code(), Some(0));
}

#[test]
fn files_are_never_dropped_from() {
    let home = Home::with_key();
    let log = log(LINES);
    let path = home.file("log", &log);
    let mut child = home.beartrap(["--when-full".as_ref(), "drop_newest".as_ref(), path.as_os_str()]).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let output = read_all(&mut child.stdout);
    assert_eq!(count_whole_lines(&output), LINES);
    let messages = read_all(&mut child.stderr);
    assert_eq!((wait(&mut child).code(), text(&messages).as_str()), (Some(0), ""));
}

#[test]
fn a_service_outlives_the_reader_of_its_log() {
    let home = Home::with_key();
    for when_full in ["block", "drop_newest"] {
        let arguments = ["--on-failure", "drain", "--when-full", when_full, "--stats", "--log-format", "json"];
        let mut child = spawn(home.beartrap(arguments));
        let mut stdout = child.stdout.take().unwrap();
        let service = Service::start(&mut child, log(LINES));
        stdout.read_exact(&mut [0; 1000]).unwrap();
        drop(stdout);
        service.end();
        let stderr = read_all(&mut child.stderr);
        assert_eq!(wait(&mut child).code(), Some(0));
        let messages = text(&stderr);
        let told = "the reader of standard output has gone; input is read on and discarded";
        assert_eq!(messages.matches(told).count(), 1, "{messages}");
        let stats = stats(&stderr);
        let lost = |what: &str| stats[what].as_u64().unwrap();
        let (read, written) = (lost("bytes_read"), lost("bytes_written"));
        assert_eq!(lost("lines"), LINES as u64);
        assert!(lost("discarded_records") > 0 && read > written, "{stats}");
    }
}

#[test]
fn without_that_choice_the_service_is_told_by_its_next_write() {
    let home = Home::with_key();
    let mut child = spawn(home.beartrap::<&str>([]));
    let service = Service::start(&mut child, log(LINES));
    child.stdout.take().unwrap().read_exact(&mut [0; 1000]).unwrap();
    assert_eq!(wait(&mut child).code(), Some(0));
    assert_eq!(service.thread.join().unwrap().unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
}

#[cfg(target_os = "linux")]
#[test]
fn a_service_outlives_a_full_output() {
    let home = Home::with_key();
    for when_full in ["block", "drop_newest"] {
        let arguments = ["--on-failure", "drain", "--when-full", when_full, "--output", "/dev/full"];
        let mut child = spawn(home.beartrap(arguments));
        Service::start(&mut child, log(LINES)).end();
        let messages = text(&read_all(&mut child.stderr));
        assert_eq!(wait(&mut child).code(), Some(74));
        let lines: Vec<_> = messages.lines().collect();
        assert!(lines[0].starts_with("beartrap: can't write to /dev/full: No space left on device"), "{messages}");
        assert!(lines[0].ends_with("; input is read on and discarded"), "{messages}");
        let last = lines.last().unwrap();
        assert!(last.starts_with("beartrap: /dev/full did not get everything: "), "{messages}");
        let numbers: Vec<usize> = last.split(' ').filter_map(|word| word.parse().ok()).collect();
        assert_eq!(numbers[0] + numbers[1], LINES, "{messages}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_service_outlives_a_full_disk_and_what_was_written_stays() {
    let home = Home::with_key();
    let (disk, kept) = (home.path("disk"), home.path("kept"));
    std::fs::create_dir(&disk).unwrap();
    // The file system is this process's and goes with it.
    let script = "mount -t tmpfs -o size=1m tmpfs \"$1\" || exit 99
        \"$0\" --on-failure drain --output \"$1/out\" --stats --log-format json; code=$?
        cat \"$1/out\" > \"$2\"; exit $code";
    let mut command = home.command("unshare");
    command.args(["--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_beartrap")]).args([&disk, &kept]);
    let mut child = spawn(command);
    Service::start(&mut child, log(LINES)).end();
    let stderr = read_all(&mut child.stderr);
    assert_eq!(wait(&mut child).code(), Some(74), "{}", text(&stderr));
    let (output, stats) = (std::fs::read(&kept).unwrap(), stats(&stderr));
    assert_eq!(output.len(), 1 << 20, "the disk is full to its last byte");
    let whole = output.iter().rposition(|&byte| byte == b'\n').unwrap() + 1;
    let lines = count_whole_lines(&output[..whole]) as u64;
    assert_eq!(lines + stats["discarded_records"].as_u64().unwrap(), LINES as u64);
}

#[test]
fn a_stalled_reader_does_not_freeze_the_command() {
    let home = Home::with_key();
    let (done, log) = (home.path("done"), home.file("log", log(LINES)));
    let script = "cat \"$0\"; echo done > \"$1\"; kill -s TERM $$";
    let mut command = home.beartrap(["exec", "--when-full", "drop_newest", "--", "sh", "-c", script]);
    let mut child = command.args([&log, &done]).spawn().unwrap();
    wait_for(&done, "done\n");
    let output = read_all(&mut child.stdout);
    let messages = text(&read_all(&mut child.stderr));
    assert_eq!(wait(&mut child).code(), Some(128 + 15));
    let lines = count_whole_lines(&output);
    let last = messages.lines().last().unwrap();
    let dropped = last.strip_prefix("beartrap: standard output did not get everything: ").expect(last);
    assert_eq!(dropped.split(' ').next().unwrap().parse::<usize>().unwrap() + lines, LINES, "{last}");
}

#[test]
fn a_command_outlives_the_readers_of_its_outputs() {
    let home = Home::with_key();
    for (end, code) in [("exit 3", 3), ("kill -s TERM $$", 128 + 15), ("exit 0", 0)] {
        let done = home.path("done");
        let script = format!("cat \"$0\"; cat \"$0\" >&2; echo $? > \"$1\"; {end}");
        let log = home.file("log", log(LINES));
        let mut command = home.beartrap(["exec", "--on-failure", "drain", "--", "sh", "-c", &script]);
        let mut child = command.args([&log, &done]).spawn().unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        assert_eq!(wait(&mut child).code(), Some(code));
        assert_eq!(std::fs::read_to_string(&done).unwrap(), "0\n");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_command_outlives_a_full_disk() {
    let home = Home::with_key();
    for (script, code) in [("yes | head -c 1000000", 74), ("yes | head -c 1000000; exit 5", 5)] {
        let mut command = home.beartrap(["exec", "--on-failure", "drain", "--", "sh", "-c", script]);
        let output = command.stdout(File::options().write(true).open("/dev/full").unwrap()).output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        let messages = text(&output.stderr);
        assert!(messages.starts_with("beartrap: can't write to standard output: No space left"), "{messages}");
        assert!(messages.contains(", 500000 records (1000000 bytes) discarded"), "{messages}");
        assert_eq!(messages.lines().count(), 2, "{messages}");
    }
}

#[test]
fn an_output_that_keeps_up_gets_everything() {
    let home = Home::with_key();
    for arguments in [
        &["--when-full", "drop_newest", "--on-failure", "drain"][..],
        &["exec", "--when-full", "drop_newest", "--", "cat"],
    ] {
        let output = feed(home.beartrap(arguments), b"one\nno newline");
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(0), "one\nno newline"));
        assert_eq!(text(&output.stderr), "");
    }
}

#[test]
fn the_options_belong_to_the_filter_and_exec() {
    let home = Home::new();
    for option in ["--when-full=block", "--on-failure=drain"] {
        assert_eq!(home.beartrap([option, "key", "id"]).output().unwrap().status.code(), Some(2));
        assert_eq!(home.beartrap(["scan", option]).output().unwrap().status.code(), Some(2));
    }
}
