//! Watched directories: nothing but news is to wake the source.

use super::*;
use crate::agent::file_source::globs::Globs;
use crate::agent::file_source::watch::Watch;
use std::collections::{BTreeSet, HashSet};

const NEVER: Duration = Duration::from_secs(3600);

fn woken_by_news(globs: &[&str]) -> Bench {
    let mut bench = Bench::new(globs);
    bench.file.poll_interval = NEVER;
    bench.file.glob_interval = NEVER;
    bench
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_line_and_a_new_file_are_read_at_once() {
    let bench = woken_by_news(&["*.log"]);
    bench.append("a.log", "one\n");
    let running = bench.start();
    running.wait_for(b"one\n").await;
    running.settle().await;
    bench.append("a.log", "two\n");
    running.wait_for(b"one\ntwo\n").await;
    bench.append("b.log", "three\n");
    running.wait_for(b"one\ntwo\nthree\n").await;
    // A rotation: the name has gone to another file.
    bench.rename("a.log", "a.old");
    bench.append("a.log", "four\n");
    running.wait_for(b"one\ntwo\nthree\nfour\n").await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_was_swapped_is_watched_again() {
    let mut bench = woken_by_news(&["pod/*.log"]);
    bench.file.glob_interval = Duration::from_millis(20);
    std::fs::create_dir(bench.path("pod")).unwrap();
    bench.append("pod/a.log", "one\n");
    let running = bench.start();
    running.wait_for(b"one\n").await;
    for (round, expected) in [&b"one\ntwo\nthree\n"[..], b"one\ntwo\nthree\ntwo\nthree\n"].into_iter().enumerate() {
        bench.rename("pod", &format!("away-{round}"));
        std::fs::create_dir(bench.path("pod")).unwrap();
        bench.append("pod/a.log", "two\n");
        running.wait_for(&expected[..expected.len() - 6]).await;
        running.settle().await;
        bench.append("pod/a.log", "three\n");
        running.wait_for(expected).await;
    }
    running.stop().await;
}

/// Waits for news and gives them; panics if there are none.
async fn news(watch: &Watch) -> crate::agent::file_source::watch::Changes {
    tokio::time::timeout(DEADLINE, watch.came()).await.expect("there is news");
    watch.take()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_follows_is_no_news_and_too_much_is_all() {
    let bench = Bench::new(&["*.log"]);
    let logs = bench.path("");
    let directory = logs.parent().unwrap().join("logs");
    let mut watch = Watch::new("app", Globs::new(&bench.file));
    watch.watch("app", &BTreeSet::from([directory.as_path()]));
    // Our own output, for example.
    for _ in 0..100 {
        bench.append("clean.out", "line\n");
    }
    bench.append("a.log", "line\n");
    let mut changes = news(&watch).await;
    while !changes.paths.contains(&bench.path("a.log")) {
        assert!(changes.paths.is_empty() && !changes.all);
        changes = news(&watch).await;
    }
    assert_eq!(changes.paths.len(), 1);
    for number in 0..1500 {
        bench.append(&format!("{number}.log"), "line\n");
    }
    let start = Instant::now();
    let mut all = false;
    while !all {
        assert!(start.elapsed() < DEADLINE);
        tokio::time::sleep(Duration::from_millis(200)).await;
        let changes = watch.take();
        assert!(changes.paths.len() <= 1024);
        all = changes.all;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_name_is_told_of_and_one_that_went_is_not() {
    let bench = Bench::new(&["*.log"]);
    let mut watch = Watch::new("logs", Globs::new(&bench.file));
    let directory = bench.path("");
    watch.watch("logs", &BTreeSet::from([directory.as_path()]));
    for name in ["a.txt", "b.log", "c.log"] {
        bench.append(name, "one\n");
    }
    bench.rename("b.log", "b.txt");
    bench.rename("a.txt", "a.log");
    // A rename may be told twice; after the last name nothing of it is still to come.
    bench.append("last.log", "one\n");
    let mut new = HashSet::new();
    while !new.contains(&bench.path("last.log")) {
        new.extend(news(&watch).await.new);
    }
    // What has gone again is found out by looking.
    assert_eq!(new, ["a.log", "b.log", "c.log", "last.log"].map(|name| bench.path(name)).into());
    std::fs::remove_file(bench.path("c.log")).unwrap();
    let mut gone = news(&watch).await;
    while !gone.names {
        gone = news(&watch).await;
    }
    assert!(gone.new.is_empty());
}
