use crate::harness::*;
use beartrap::agent::{Agent, Outcome};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

fn holds(path: &Path, bytes: &[u8]) {
    until("the file holds the lines", || (fs::read(path).ok()? == bytes).then_some(()));
}

#[test]
fn a_renamed_file_is_left_and_the_path_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let (path, old) = (dir.path().join("out.log"), dir.path().join("out.log.1"));
    let agent = Running::start(config(vec![tcp_source(10)], vec![file_sink(&path)]));
    agent.send(b"one\n");
    holds(&path, b"one\n");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    fs::rename(&path, &old).unwrap();
    until("the path is opened again", || path.exists().then_some(()));
    agent.send(b"two\n");
    holds(&path, b"two\n");
    fs::remove_file(&path).unwrap();
    until("the path is opened again", || path.exists().then_some(()));
    agent.send(b"three\n");
    holds(&path, b"three\n");
    let (outcome, _) = agent.stop();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert_eq!(fs::read(&old).unwrap(), b"one\n");
}

#[test]
fn a_command_opens_the_path_again_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (path, old) = (dir.path().join("out.log"), dir.path().join("out.log.1"));
    let agent = Running::start(config(vec![tcp_source(10)], vec![file_sink(&path)]));
    for number in 0..5 {
        agent.send(lines("a", number..number + 1).as_bytes());
        holds(&path, lines("a", number..number + 1).as_bytes());
        fs::rename(&path, &old).unwrap();
        agent.controller.reopen();
        until("the path is opened again", || path.exists().then_some(()));
    }
    agent.stop();
}

#[test]
fn a_half_line_from_an_earlier_life_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.log");
    fs::write(&path, b"whole\nhalf a li").unwrap();
    let agent = Running::start(config(vec![tcp_source(10)], vec![file_sink(&path)]));
    agent.send(b"next\n");
    let (outcome, _) = agent.stop();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert_eq!(fs::read(&path).unwrap(), b"whole\nhalf a li\nnext\n");
}

#[test]
fn a_full_device_blocks_until_the_stop() {
    let mut config = config(vec![tcp_source(10)], vec![file_sink(Path::new("/dev/full"))]);
    config.shutdown_grace = Duration::from_millis(500);
    let agent = Running::start(config);
    agent.send(b"line\n");
    until("the agent says that it waits", || agent.log().text().contains("waiting for space").then_some(()));
    let (outcome, _) = agent.stop();
    assert!(matches!(outcome, Outcome::Undelivered { bytes: 5, blocks: 1 }), "{outcome:?}");
}

/// A small file system.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(dir.path()).output();
        assert!(mounted.is_ok_and(|output| output.status.success()), "this needs the right to mount");
        Self(dir)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_blocks_and_goes_on_where_it_stopped() {
    let disk = SmallDisk::mount();
    let (path, ballast) = (disk.0.path().join("out.log"), disk.0.path().join("ballast"));
    // An odd size, so that the disk fills up in the middle of a line.
    fs::write(&ballast, vec![0; 700_001]).unwrap();
    let agent = Running::start(config(vec![tcp_source(10)], vec![file_sink(&path)]));
    agent.send(lines("a", 0..12_000).as_bytes());
    until("the agent says that it waits", || agent.log().text().contains("waiting for space").then_some(()));
    let size = fs::metadata(&path).unwrap().size() as usize;
    assert!(size > 0 && size < lines("a", 0..12_000).len());
    fs::remove_file(&ballast).unwrap();
    let (outcome, log) = agent.stop();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert!(fs::read(&path).unwrap() == lines("a", 0..12_000).as_bytes());
    assert!(log.text().contains("there is space again"));
}

#[test]
fn a_full_disk_whose_file_is_deleted_goes_on_with_whole_lines_in_a_new_one() {
    let disk = SmallDisk::mount();
    let path = disk.0.path().join("out.log");
    let agent = Running::start(config(vec![tcp_source(10)], vec![file_sink(&path)]));
    let all = lines("a", 0..40_000);
    let mut sender = agent.connect();
    let sending = std::thread::spawn({
        let all = all.clone();
        move || std::io::Write::write_all(&mut sender, all.as_bytes()).unwrap()
    });
    until("the agent says that it waits", || agent.log().text().contains("waiting for space").then_some(()));
    let kept = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    sending.join().unwrap();
    let (outcome, _) = agent.stop();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    let rest = fs::read(&path).unwrap();
    assert!(rest.starts_with(b"a ") && all.as_bytes().ends_with(&rest));
    let counts = tally([&kept[..], &rest[..]]);
    assert!(all.split_inclusive('\n').all(|line| counts.contains_key(line.as_bytes())), "a line is lost");
}

#[test]
fn what_can_not_be_written_is_named_at_the_start() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (path, reason) in [("/nonexistent/out.log", "No such file"), ("/", "directory")] {
        let config = config(vec![tcp_source(10)], vec![file_sink(Path::new(path))]);
        let bound = runtime.block_on(Agent::bind(config, redaction()));
        let message = bound.expect_err("it can't be opened").to_string();
        assert!(message.starts_with(&format!("sink file ({path}): ")) && message.contains(reason), "{message}");
    }
}
