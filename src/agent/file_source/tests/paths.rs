//! What may lie where a log is expected.

use super::*;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::os::unix::fs::{PermissionsExt, symlink};
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
async fn a_file_that_becomes_readable_is_read() {
    if rustix::process::geteuid().is_root() {
        // Nothing is unreadable for root.
        return;
    }
    let bench = Bench::new(&["*.log"]);
    bench.append("a.log", "one\n");
    std::fs::set_permissions(bench.path("a.log"), std::fs::Permissions::from_mode(0o000)).unwrap();
    let running = bench.start();
    running.settle().await;
    assert_eq!(running.output(), b"");
    std::fs::set_permissions(bench.path("a.log"), std::fs::Permissions::from_mode(0o600)).unwrap();
    running.wait_for(b"one\n").await;
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
