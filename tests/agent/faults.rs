//! Faults of outputs that only the system can make, over the real program.

use crate::harness::*;
use crate::process::Home;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::process::Command;
use std::time::{Duration, Instant};

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
}

fn holds_all(path: &std::path::Path, all: &str) {
    until("all lines have arrived", || (fs::metadata(path).ok()?.len() >= all.len() as u64).then_some(()));
}

/// What was traced, once it ends so: the tracer is behind the program.
fn until_traced(path: &std::path::Path, end: &str) -> String {
    until(end, || fs::read_to_string(path).ok().filter(|trace| trace.contains(end)))
}

#[test]
fn a_full_disk_is_waited_for_and_the_half_line_completed() {
    let home = Home::new();
    let disk = home.path("disk");
    fs::create_dir(&disk).unwrap();
    home.follow_into(&format!("type = \"file\"\npath = \"{}/out.log\"", disk.display()));
    let all = lines("a", 0..40_000);
    home.append(&all);
    // The file system belongs to the agent's process and goes with it.
    let mount = format!("mount -t tmpfs -o size=1m tmpfs '{}' && exec \"$0\" \"$@\"", disk.display());
    let agent = home.agent(&["unshare", "--mount", "sh", "-c", &mount]);
    agent.until_logged("waiting for space");
    let out = agent.sees(&disk.join("out.log"));
    let full = fs::read(&out).unwrap();
    assert_eq!(full.len(), 1 << 20, "the disk is full to its last byte");
    assert!(!full.ends_with(b"\n"), "the last line is not cut: the test does not bite");
    let pid = agent.child.id().to_string();
    run("nsenter", &["-t", &pid, "-m", "mount", "-o", "remount,size=16m", disk.to_str().unwrap()]);
    holds_all(&out, &all);
    assert!(fs::read(&out).unwrap() == all.as_bytes(), "every line, whole and once");
    agent.until_logged("there is space again");
    let (code, log) = agent.stop();
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn a_full_disk_with_a_half_line_of_an_earlier_life_is_no_reason_not_to_start() {
    let home = Home::new();
    let disk = home.path("disk");
    fs::create_dir(&disk).unwrap();
    home.follow_into(&format!("type = \"file\"\npath = \"{}/out.log\"", disk.display()));
    home.append(&lines("a", 0..10));
    let mount = format!(
        "mount -t tmpfs -o size=64k tmpfs '{0}' && head -c 65536 /dev/zero | tr '\\0' x > '{0}/out.log' && exec \"$0\" \"$@\"",
        disk.display()
    );
    let agent = home.agent(&["unshare", "--mount", "sh", "-c", &mount]);
    agent.until_logged("waiting for space");
    let pid = agent.child.id().to_string();
    run("nsenter", &["-t", &pid, "-m", "mount", "-o", "remount,size=1m", disk.to_str().unwrap()]);
    let out = agent.sees(&disk.join("out.log"));
    let all = [&"x".repeat(65536), "\n", &lines("a", 0..10)].concat();
    holds_all(&out, &all);
    assert!(fs::read_to_string(&out).unwrap() == all);
    assert_eq!(agent.stop().0, Some(0));
}

#[test]
fn a_failed_sync_ends_it_and_nothing_counts_as_delivered() {
    let home = Home::new();
    let (out, trace) = (home.path("out/clean.log"), home.path("trace"));
    fs::create_dir(out.parent().unwrap()).unwrap();
    home.follow_into(&format!("type = \"file\"\npath = \"{}\"", out.display()));
    let (first, second) = (lines("a", 0..1000), lines("a", 1000..2000));
    home.append(&first);
    let names = ["strace", "-D", "-f", "-y", "-o", trace.to_str().unwrap(), "-e", "trace=fsync,fdatasync"];
    let agent = home.agent(&names);
    holds_all(&out, &first);
    assert_eq!(agent.stop().0, Some(0));
    // A new file's name is durable before anything in it counts as delivered.
    let named = format!("<{}>)", out.parent().unwrap().display());
    let synced = until_traced(&trace, "+++ exited with 0");
    assert!(synced.find(&named).is_some_and(|at| Some(at) < synced.find("fdatasync(")), "{synced}");

    home.append(&second);
    let inject = ["strace", "-D", "-f", "-o", trace.to_str().unwrap(), "-e", "trace=fdatasync"];
    let inject = [&inject[..], &["-e", "inject=fdatasync:error=EIO:when=1"]].concat();
    let mut agent = home.agent(&inject);
    assert_eq!(agent.wait().code(), Some(74), "{}", agent.log());
    assert!(agent.log().contains("Input/output error"), "{}", agent.log());
    let trace = until_traced(&trace, "+++ exited with 74");
    assert_eq!(trace.matches("fdatasync(").count(), 1, "it was tried again: {trace}");

    let agent = home.agent(&[]);
    let mut duplicated = [&first[..], &second, &second].concat();
    holds_all(&out, &duplicated);
    assert_eq!(agent.stop().0, Some(0));
    // What was written before the failure is there, and came once more: no checkpoint had counted it.
    assert!(fs::read_to_string(&out).unwrap() == std::mem::take(&mut duplicated));
}

#[test]
fn a_slow_reader_costs_no_memory_and_gets_everything() {
    let home = Home::new();
    let pipe = "[sources.app]\ntype = \"stdin\"\n[sinks.out]\ntype = \"stdout\"\ninputs = [\"app\"]\n";
    fs::write(home.path("config.toml"), pipe).unwrap();
    let mut agent = home.agent(&[]);
    let all = lines("a", 0..1_000_000);
    let mut stdin = agent.child.stdin.take().unwrap();
    let input = all.clone();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let mut stdout = agent.child.stdout.take().unwrap();
    let mut collected = vec![0; 1000];
    stdout.read_exact(&mut collected).unwrap();
    let before = agent.peak_memory();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(2) {
        let mut piece = [0; 1000];
        stdout.read_exact(&mut piece).unwrap();
        collected.extend(piece);
        std::thread::sleep(Duration::from_millis(50));
    }
    let grown = agent.peak_memory().saturating_sub(before);
    // The queue holds 4 MiB, and what is read and written at the moment comes on top. The input is 42 MB.
    assert!(grown < 10 << 20, "{grown} bytes more");
    assert!(!writer.is_finished(), "the input is not held up: the test does not bite");
    stdout.read_to_end(&mut collected).unwrap();
    writer.join().unwrap().unwrap();
    assert!(collected == all.as_bytes());
    assert_eq!(agent.wait().code(), Some(0));
}

#[test]
fn a_reader_that_takes_one_line_is_no_failure() {
    let home = Home::new();
    let pipe = "[sources.app]\ntype = \"stdin\"\n[sinks.out]\ntype = \"stdout\"\ninputs = [\"app\"]\n";
    fs::write(home.path("config.toml"), pipe).unwrap();
    let mut agent = home.agent(&[]);
    let mut stdin = agent.child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || while stdin.write_all(lines("a", 0..1000).as_bytes()).is_ok() {});
    let head = Command::new("head").arg("-1").stdin(agent.child.stdout.take().unwrap()).output().unwrap();
    assert_eq!(head.stdout, lines("a", 0..1).as_bytes());
    assert_eq!(agent.wait().code(), Some(0), "{}", agent.log());
    writer.join().unwrap();
    assert!(!agent.log().contains("internal error") && !agent.log().contains("ERROR"), "{}", agent.log());
}

#[test]
fn an_output_is_rotated_by_another_program() {
    let home = Home::new();
    let (out, old) = (home.path("out.log"), home.path("out.log.1"));
    home.follow_into(&format!("type = \"file\"\npath = \"{}\"", out.display()));
    let agent = home.agent(&[]);
    let mut number = 0;
    let mut next = || {
        number += 100;
        let fresh = lines("a", number - 100..number);
        home.append(&fresh);
        fresh
    };
    holds_all(&out, &next());
    // As logrotate does it: rename, signal.
    fs::rename(&out, &old).unwrap();
    agent.signal("HUP");
    until("the path is opened again", || out.exists().then_some(()));
    let fresh = next();
    holds_all(&out, &fresh);
    // With `copytruncate`: the next line stands at the beginning, not behind a hole.
    File::options().write(true).open(&out).unwrap().set_len(0).unwrap();
    let fresh = next();
    holds_all(&out, &fresh);
    assert!(fs::read(&out).unwrap() == fresh.as_bytes());
    // Deleted, without a signal.
    fs::remove_file(&out).unwrap();
    until("the path is opened again", || out.exists().then_some(()));
    let fresh = next();
    holds_all(&out, &fresh);
    assert_eq!(agent.stop().0, Some(0));
    assert!(fs::read(&out).unwrap() == fresh.as_bytes() && fs::read(&old).unwrap() == lines("a", 0..100).as_bytes());
}
