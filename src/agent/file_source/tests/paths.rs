//! What may lie where a log is expected.

use super::*;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

#[tokio::test(flavor = "multi_thread")]
async fn only_regular_files_are_read() {
    let bench = Bench::new(&["*.log"]);
    std::fs::write(bench.path("secret"), "not for us\n").unwrap();
    symlink(bench.path("secret"), bench.path("link.log")).unwrap();
    symlink(bench.path("nowhere"), bench.path("dangling.log")).unwrap();
    std::fs::create_dir(bench.path("directory.log")).unwrap();
    mknodat(CWD, bench.path("fifo.log"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let _socket = UnixListener::bind(bench.path("socket.log")).unwrap();
    bench.append("plain.log", "one\n");
    let running = bench.start();
    running.wait_for(b"one\n").await;
    running.settle().await;
    bench.append("plain.log", "two\n");
    running.wait_for(b"one\ntwo\n").await;
    assert_eq!(running.stop().await.streams, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_turns_into_a_link_is_read_no_further() {
    let bench = Bench::new(&["*.log"]);
    bench.append("a.log", "one\n");
    std::fs::write(bench.path("secret"), "not for us\n").unwrap();
    let running = bench.start();
    running.wait_for(b"one\n").await;
    std::fs::remove_file(bench.path("a.log")).unwrap();
    symlink(bench.path("secret"), bench.path("a.log")).unwrap();
    running.settle().await;
    assert_eq!(running.output(), b"one\n");
    std::fs::remove_file(bench.path("a.log")).unwrap();
    bench.append("a.log", "two\n");
    running.wait_for(b"one\ntwo\n").await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hard_links_are_one_file() {
    let bench = Bench::new(&["*.log"]);
    bench.append("a.log", "one\n");
    std::fs::hard_link(bench.path("a.log"), bench.path("b.log")).unwrap();
    let running = bench.start();
    running.wait_for(b"one\n").await;
    running.settle().await;
    assert_eq!(running.output(), b"one\n");
    // The other name is enough.
    std::fs::remove_file(bench.path("a.log")).unwrap();
    tokio::time::sleep(bench.file.rotate_wait * 2).await;
    bench.append("b.log", "two\n");
    running.wait_for(b"one\ntwo\n").await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn excluded_files_are_left_out() {
    let mut bench = Bench::new(&["*.log", "**/*.log"]);
    bench.file.exclude = vec![glob::Pattern::new(bench.path("debug*").to_str().unwrap()).unwrap()];
    std::fs::create_dir(bench.path("sub")).unwrap();
    bench.append("debug.log", "no\n");
    bench.append("sub/debug.log", "yes\n");
    bench.append("a.log", "one\n");
    let running = bench.start();
    running.wait_until(|output| count_lines(output).len() == 2).await;
    running.settle().await;
    assert_eq!(running.output().len(), "one\nyes\n".len());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_to_directories_are_followed_before_the_wildcards_only() {
    let mut bench = Bench::new(&["*/*.log"]);
    std::fs::create_dir(bench.path("real")).unwrap();
    bench.append("real/a.log", "one\n");
    std::fs::create_dir(bench.path("../elsewhere")).unwrap();
    append(&bench.path("../elsewhere/secret.log"), b"not for us\n");
    symlink(bench.path("../elsewhere"), bench.path("linked")).unwrap();
    let running = bench.start();
    running.wait_for(b"one\n").await;
    running.settle().await;
    // A directory that turns into a link is read no further.
    bench.rename("real", "was-real");
    symlink(bench.path("../elsewhere"), bench.path("real")).unwrap();
    running.settle().await;
    assert_eq!(running.output(), b"one\n");
    running.stop().await;

    symlink(bench.path(""), bench.path("../named")).unwrap();
    let pattern = bench.path("../named/was-real/*.log");
    bench.file.include = vec![glob::Pattern::new(pattern.to_str().unwrap()).unwrap()];
    bench.append("was-real/b.log", "two\n");
    let running = bench.start();
    running.wait_for(b"two\n").await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_that_lead_in_circles_stop_nothing() {
    for follow_symlinks in [false, true] {
        let mut bench = Bench::new(&["**/*.log"]);
        bench.file.follow_symlinks = follow_symlinks;
        bench.append("a.log", "one\n");
        let running = bench.start();
        running.wait_for(b"one\n").await;
        symlink(".", bench.path("l1")).unwrap();
        symlink(".", bench.path("l2")).unwrap();
        running.settle().await;
        bench.append("a.log", "two\n");
        running.wait_for(b"one\ntwo\n").await;
        assert_eq!(running.stop().await.streams, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn followed_links_lead_to_files_that_are_read_once() {
    let mut bench = Bench::new(&["*.log", "pods/*/*.log"]);
    bench.file.follow_symlinks = true;
    std::fs::create_dir_all(bench.path("pods/target")).unwrap();
    bench.append("pods/target/0.log", "one\n");
    symlink(bench.path("pods/target"), bench.path("pods/linked")).unwrap();
    symlink(bench.path("pods/target/0.log"), bench.path("a.log")).unwrap();
    symlink(bench.path("nowhere"), bench.path("dangling.log")).unwrap();
    mknodat(CWD, bench.path("fifo"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    symlink(bench.path("fifo"), bench.path("fifo.log")).unwrap();
    let running = bench.start();
    running.wait_for(b"one\n").await;
    running.settle().await;
    bench.append("pods/target/0.log", "two\n");
    running.wait_for(b"one\ntwo\n").await;
    assert_eq!(running.stop().await.streams, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_put_to_another_file_makes_a_new_one() {
    let mut bench = Bench::new(&["*.log"]);
    bench.file.follow_symlinks = true;
    bench.append("first", "one\n");
    bench.append("second", "one\ntwo\n");
    symlink(bench.path("first"), bench.path("a.log")).unwrap();
    let running = bench.start();
    running.wait_for(b"one\n").await;
    symlink(bench.path("second"), bench.path("new")).unwrap();
    bench.append("first", "last of the first\n");
    bench.rename("new", "a.log");
    running.wait_until(|output| count_lines(output).values().sum::<usize>() == 4).await;
    assert_eq!(count_lines(&running.output())[&b"one\n"[..]], 2);
    let report = running.stop().await;
    assert_eq!((report.streams, report.mismatched, report.truncated), (2, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_link_led_to_is_found_after_a_rotation_while_stopped() {
    let mut bench = Bench::new(&["*.log"]);
    bench.file.follow_symlinks = true;
    std::fs::create_dir(bench.path("containers")).unwrap();
    bench.append("containers/json", "one\n");
    symlink(bench.path("containers/json"), bench.path("a.log")).unwrap();
    bench.expect("one\n").await;
    bench.append("containers/json", "two\n");
    bench.rename("containers/json", "containers/json.1");
    bench.append("containers/json", "three\n");
    let running = bench.start();
    running.wait_until(|output| count_lines(output).len() == 2).await;
    running.settle().await;
    assert_eq!(running.output().len(), "two\nthree\n".len());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_files_are_read_from_their_end_on() {
    let mut bench = Bench::new(&["*.log"]);
    bench.file.ignore_older = Some(Duration::from_secs(3600));
    let age = |name: &str, hours: u64| {
        let file = std::fs::File::options().append(true).open(bench.path(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(hours * 3600)).unwrap();
    };
    bench.append("old.log", "old\nhal");
    age("old.log", 2);
    bench.append("new.log", "new\n");
    let running = bench.start();
    running.wait_for(b"new\n").await;
    running.settle().await;
    bench.append("old.log", "f\n");
    running.wait_for(b"new\nhalf\n").await;
    running.stop().await;
    // Old or not, what is known goes on.
    bench.append("new.log", "more\n");
    age("new.log", 2);
    bench.expect("more\n").await;
}
