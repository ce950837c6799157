//! Growth, truncation, and many files.

use super::*;
use std::os::unix::fs::FileExt;

#[tokio::test(flavor = "multi_thread")]
async fn growth_and_new_files_are_followed() {
    let bench = Bench::new(&["*.log"]);
    bench.append("a.log", "one\n");
    let running = bench.start();
    running.wait_for(b"one\n").await;
    bench.append("a.log", "two\nthr");
    running.wait_for(b"one\ntwo\n").await;
    bench.append("a.log", "ee\n");
    running.wait_for(b"one\ntwo\nthree\n").await;
    bench.append("b.log", "four\n");
    running.wait_for(b"one\ntwo\nthree\nfour\n").await;
    let report = running.stop().await;
    assert_eq!((report.bytes, report.streams, report.unacknowledged_blocks), (19, 2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_larger_than_a_read_arrive_whole() {
    let bench = Bench::new(&["*.log"]);
    let content = lines(0..100_000);
    bench.append("a.log", &content);
    bench.expect(&content).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_file_is_read_from_its_beginning() {
    let bench = Bench::new(&["*.log"]);
    bench.append("a.log", "old one\nold two\n");
    let running = bench.start();
    running.wait_for(b"old one\nold two\n").await;
    std::fs::write(bench.path("a.log"), "new\n").unwrap();
    running.wait_for(b"old one\nold two\nnew\n").await;
    assert_eq!(running.stop().await.truncated, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_regrew_to_the_same_size_or_more_is_read_from_its_beginning() {
    for new in ["new line\nnew line\n", "new line\nnew line\nand more\n"] {
        let mut bench = Bench::new(&["*.log"]);
        bench.file.poll_interval = Duration::from_millis(60);
        bench.append("a.log", "old line\nold line\n");
        let running = bench.start();
        running.wait_for(b"old line\nold line\n").await;
        // Within one poll interval, so that the source can't see the file short.
        std::fs::write(bench.path("a.log"), new).unwrap();
        running.wait_for(format!("old line\nold line\n{new}").as_bytes()).await;
        assert_eq!(running.stop().await.truncated, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hole_that_copytruncate_leaves_is_skipped() {
    let bench = Bench::new(&["*.log"]);
    let old = lines(0..20_000);
    bench.append("a.log", &old);
    let running = bench.start();
    running.wait_for(&old).await;
    // The writer did not open the file for appending and goes on at its old offset.
    let file = std::fs::OpenOptions::new().write(true).open(bench.path("a.log")).unwrap();
    file.set_len(0).unwrap();
    file.write_all_at(b"new\n", old.len() as u64).unwrap();
    running.wait_for(&[&old[..], b"new\n"].concat()).await;
    let report = running.stop().await;
    assert_eq!((report.truncated, report.hole_bytes), (1, old.len() as u64));
    // What follows the hole is at its right offset.
    bench.append("a.log", "newer\n");
    assert_eq!(bench.expect("newer\n").await.mismatched, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nul_bytes_of_the_content_stay() {
    let bench = Bench::new(&["*.log"]);
    bench.append("a.log", "\0\0one\n\0\0\n");
    bench.expect("\0\0one\n\0\0\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_line_before_a_truncation_goes_out() {
    let bench = Bench::new(&["*.log"]);
    bench.append("a.log", "one\nhal");
    let running = bench.start();
    running.wait_for(b"one\n").await;
    running.settle().await;
    std::fs::write(bench.path("a.log"), "new\n").unwrap();
    running.wait_for(b"one\nhal\nnew\n").await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_files_than_descriptors() {
    let mut bench = Bench::new(&["*.log"]);
    bench.file.max_open_files = 16;
    let content = |round: usize, file: usize| format!("round {round} of file {file}\n");
    let mut expected = HashMap::new();
    for file in 0..300 {
        bench.append(&format!("{file}.log"), content(0, file) + "half ");
        expected.insert(content(0, file).into_bytes(), 1);
    }
    let running = bench.start();
    running.wait_until(|output| count_lines(output).len() == 300).await;
    let logs = bench.path("").canonicalize().unwrap();
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let open_files = descriptors.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    let open = open_files.filter(|path| path.parent() == Some(&logs)).count();
    assert!(open <= 16, "{open} files are open");
    for file in 0..300 {
        bench.append(&format!("{file}.log"), content(1, file));
        expected.insert(format!("half {}", content(1, file)).into_bytes(), 1);
    }
    running.wait_until(|output| count_lines(output).len() == 600).await;
    assert_eq!(count_lines(&running.output()), expected);
    let report = running.stop().await;
    assert_eq!((report.lost_files, report.truncated), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_does_not_acknowledge_holds_the_source_up() {
    let bench = Bench::new(&["*.log"]);
    let content = lines(0..1_500_000);
    bench.append("a.log", &content);
    let running = bench.start_with(|_| false);
    running.wait_until(|output| output.len() > 3 << 20).await;
    running.settle().await;
    assert!(running.output().len() <= 65 * (64 << 10));
    let report = running.stop_now().await;
    assert!(report.unacknowledged_blocks > 0);
    let again = bench.start();
    again.wait_until(|output| output.len() >= content.len()).await;
    assert!(again.output() == content);
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_its_sink_lets_go_is_read_on_at_once() {
    let mut bench = Bench::new(&["*.log"]);
    // Nothing but acknowledgements is to wake it.
    bench.file.poll_interval = 10 * DEADLINE;
    let content = lines(0..2_000_000);
    bench.append("a.log", &content);
    let (outlet, mut deliveries) = sink();
    let (stop, stopped) = watch::channel(Stop::Running);
    let task = tokio::spawn(async move {
        run(&bench.config, &bench.file, &bench.data_dir, &redaction(), outlet, stopped).await.unwrap()
    });
    let mut len = 0;
    let mut waiting = Vec::new();
    while len < content.len() {
        let delivery = tokio::time::timeout(DEADLINE, deliveries.recv()).await.expect("it goes on").unwrap();
        len += delivery.block.len();
        waiting.push(delivery);
        // As many as may be on their way.
        if waiting.len() == 16 || len == content.len() {
            waiting.drain(..).for_each(Delivery::acknowledge);
        }
    }
    stop.send(Stop::Draining).unwrap();
    assert_eq!(task.await.unwrap().unacknowledged_blocks, 0);
}
