//! Files that change their names.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn no_line_is_lost_or_doubled_by_200_rotations() {
    let bench = Bench::new(&["app.log*"]);
    let running = bench.start();
    let directory = bench.path("");
    let writer = std::thread::spawn(move || {
        let mut number = 0;
        for generation in 0..200 {
            let path = directory.join("app.log");
            let mut file = std::fs::File::create_new(&path).unwrap();
            for _ in 0..50 {
                // In two writes, so that lines are seen half.
                file.write_all(b"line ").unwrap();
                file.write_all(format!("{number}\n").as_bytes()).unwrap();
                number += 1;
            }
            std::fs::rename(&path, directory.join(format!("app.log.{generation}"))).unwrap();
            // The writer goes on in the renamed file, as one does that has not been told yet.
            file.write_all(format!("line {number}\n").as_bytes()).unwrap();
            number += 1;
        }
        number
    });
    let written = tokio::task::spawn_blocking(|| writer.join().unwrap()).await.unwrap();
    running.wait_until(|output| count_lines(output).len() >= written).await;
    assert_each_once(&running.output(), 0..written);
    let report = running.stop().await;
    assert_eq!((report.truncated, report.mismatched, report.lost_files), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_file_is_read_on_though_no_glob_knows_its_name() {
    let mut bench = Bench::new(&["app.log"]);
    bench.file.rotate_wait = Duration::from_secs(60);
    bench.append("app.log", "one\n");
    let running = bench.start();
    running.wait_for(b"one\n").await;
    bench.rename("app.log", "app.log.1");
    bench.append("app.log", "two\n");
    running.wait_for(b"one\ntwo\n").await;
    bench.append("app.log.1", "three\n");
    running.wait_for(b"one\ntwo\nthree\n").await;
    bench.rename("app.log.1", "app.log.2");
    bench.append("app.log.2", "four\n");
    running.wait_for(b"one\ntwo\nthree\nfour\n").await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_file_gets_its_time_after_a_rotation() {
    let bench = Bench::new(&["app.log"]);
    bench.append("app.log", "one\n");
    let running = bench.start();
    running.wait_for(b"one\n").await;
    tokio::time::sleep(bench.file.rotate_wait * 2).await;
    bench.rename("app.log", "app.log.1");
    running.settle().await;
    bench.append("app.log.1", "two\n");
    running.wait_for(b"one\ntwo\n").await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_line_of_a_rotated_file_goes_out_without_its_newline() {
    let bench = Bench::new(&["app.log"]);
    bench.append("app.log", "one\ntwo");
    let running = bench.start();
    running.wait_for(b"one\n").await;
    running.settle().await;
    assert_eq!(running.output(), b"one\n");
    bench.rename("app.log", "app.log.1");
    running.wait_for(b"one\ntwo\n").await;
    running.stop().await;
    // And not once more.
    let running = bench.start();
    running.settle().await;
    assert_eq!(running.output(), b"");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_file_is_read_to_its_end() {
    let bench = Bench::new(&["app.log"]);
    bench.append("app.log", "one\n");
    let running = bench.start();
    running.wait_for(b"one\n").await;
    let mut file = std::fs::OpenOptions::new().append(true).open(bench.path("app.log")).unwrap();
    std::fs::remove_file(bench.path("app.log")).unwrap();
    running.settle().await;
    file.write_all(b"two\nthree").unwrap();
    running.wait_for(b"one\ntwo\nthree\n").await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rotations_while_stopped_are_found_by_identity() {
    let bench = Bench::new(&["app.log"]);
    bench.append("app.log", "one\n");
    bench.expect("one\n").await;
    bench.append("app.log", "two\n");
    bench.rename("app.log", "app.log.1");
    bench.append("app.log", "three\n");
    bench.rename("app.log.1", "app.log.2");
    bench.rename("app.log", "app.log.1");
    bench.append("app.log", "four\n");
    let running = bench.start();
    // `app.log.1` came and went unseen, and no glob names it.
    running.wait_until(|output| count_lines(output).len() == 2).await;
    let counts = count_lines(&running.output());
    assert!(counts.contains_key(&b"two\n"[..]) && counts.contains_key(&b"four\n"[..]));
    let report = running.stop().await;
    assert_eq!(report.mismatched, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_rotations_are_not_read() {
    let bench = Bench::new(&["app.log*"]);
    bench.append("app.log.2.gz", "by name\n");
    bench.append("app.log.3", b"\x1f\x8b\x08by magic\n");
    bench.append("app.log", "one\n");
    let running = bench.start();
    running.wait_for(b"one\n").await;
    running.settle().await;
    assert_eq!(running.output(), b"one\n");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_may_move_away_and_come_back() {
    let bench = Bench::new(&["pod/*.log"]);
    std::fs::create_dir(bench.path("pod")).unwrap();
    bench.append("pod/a.log", "one\n");
    let running = bench.start();
    running.wait_for(b"one\n").await;
    bench.rename("pod", "away");
    running.settle().await;
    bench.append("away/a.log", "two\n");
    bench.rename("away", "pod");
    running.wait_for(b"one\ntwo\n").await;
    bench.append("pod/a.log", "three\n");
    running.wait_for(b"one\ntwo\nthree\n").await;
    running.stop().await;
}

/// What `gzip` does to a rotated file.
fn compress(bench: &Bench, from: &str, to: &str) {
    use std::io::Read;
    let mut compressed = Vec::new();
    let contents = std::fs::File::open(bench.path(from)).unwrap();
    flate2::read::GzEncoder::new(contents, flate2::Compression::default()).read_to_end(&mut compressed).unwrap();
    // Byte by byte: the first ones say too little to tell.
    for byte in compressed.iter().take(20) {
        bench.append(to, [*byte]);
        std::thread::sleep(bench.file.poll_interval);
    }
    bench.append(to, &compressed[20..]);
    std::fs::remove_file(bench.path(from)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_is_compressed_is_not_read_twice() {
    // All names are matched, and the last one says nothing.
    let bench = Bench::new(&["*"]);
    bench.append("app.log", "one\n");
    let running = bench.start();
    running.wait_for(b"one\n").await;
    for (number, name) in ["app.log.1.gz", "app.log.2.zip~", "rotated"].into_iter().enumerate() {
        bench.append("app.log", format!("{number}\n"));
        bench.rename("app.log", "app.log.1");
        compress(&bench, "app.log.1", name);
        bench.append("app.log", format!("next {number}\n"));
    }
    let expected = "one\n0\nnext 0\n1\nnext 1\n2\nnext 2\n";
    running.wait_until(|output| output.len() >= expected.len()).await;
    running.settle().await;
    let report = running.stop().await;
    assert_eq!((report.bytes, report.lost_files), (expected.len() as u64, 0));
    // And while nobody looks: what had been read before is not read again.
    bench.rename("app.log", "app.log.1");
    compress(&bench, "app.log.1", "another");
    bench.append("app.log", "last\n");
    bench.expect("last\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_file_that_begins_like_a_compressed_one_is_read_at_its_end() {
    let bench = Bench::new(&["*.log"]);
    bench.append("a.log", b"\x1f\x8b");
    let running = bench.start();
    running.settle().await;
    assert_eq!(running.output(), b"");
    bench.rename("a.log", "a.old");
    running.wait_for(b"\x1f\x8b\n").await;
    running.stop().await;
}
