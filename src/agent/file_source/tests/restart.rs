//! Stops, crashes, and what a checkpoint is worth.

use super::*;
use std::os::unix::fs::MetadataExt;

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_on_where_it_was() {
    let bench = Bench::new(&["*.log"]);
    bench.append("a.log", lines(0..1000));
    bench.expect(lines(0..1000)).await;
    bench.append("a.log", lines(1000..1010));
    let report = bench.expect(lines(1000..1010)).await;
    assert_eq!(report.mismatched, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_line_is_one_line_once_after_a_restart() {
    let bench = Bench::new(&["*.log"]);
    bench.append("a.log", "one\ntw");
    let running = bench.start();
    running.wait_for(b"one\n").await;
    running.settle().await;
    running.stop().await;
    bench.append("a.log", "o\n");
    bench.expect("two\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn growth_byte_by_byte_with_a_restart_after_each() {
    let bench = Bench::new(&["*.log"]);
    let content = b"a\nbc\r\n\n\0\xff long line\nlast\n";
    let mut output = Vec::new();
    for byte in content {
        bench.append("a.log", [*byte]);
        let running = bench.start();
        let expected: &[u8] = if *byte == b'\n' { &content[output.len()..] } else { b"" };
        let len = expected.iter().position(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        running.wait_for(&expected[..len]).await;
        output.extend_from_slice(&expected[..len]);
        running.stop().await;
    }
    assert_eq!(output, content);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_costs_duplicates_only() {
    let bench = Bench::new(&["*.log"]);
    let mut written = 0;
    let mut acknowledged = 0;
    for round in 0..12 {
        bench.append("a.log", lines(written..written + 60_000));
        written += 60_000;
        // The sink gets everything, acknowledges a few blocks and then none: as if it was killed before its sync.
        let running = bench.start_with(move |number| number < round % 4);
        running.wait_until(|output| output.len() > 200_000).await;
        running.settle().await;
        let left = bench.snapshot();
        running.stop_now().await;
        bench.restore(left);
        acknowledged += round % 4;
    }
    let running = bench.start();
    running.wait_until(|output| output.ends_with(format!("line {}\n", written - 1).as_bytes())).await;
    let rest = running.output();
    running.stop().await;
    // It starts within what was ever acknowledged, and has no gap.
    let first_line = rest.split(|&byte| byte == b'\n').next().unwrap();
    let first: usize = std::str::from_utf8(first_line).unwrap().strip_prefix("line ").unwrap().parse().unwrap();
    assert!(rest == lines(first..written));
    assert!(lines(0..first).len() <= acknowledged * READ_BYTES);
    assert!(first > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_acknowledged_is_read_again() {
    let bench = Bench::new(&["*.log"]);
    bench.append("a.log", "one\n");
    let running = bench.start_with(|number| number != 1);
    running.wait_for(b"one\n").await;
    bench.append("a.log", "two\n");
    running.wait_for(b"one\ntwo\n").await;
    // A later block that is acknowledged does not carry the frontier over one that is not.
    bench.append("a.log", "three\n");
    running.wait_for(b"one\ntwo\nthree\n").await;
    running.settle().await;
    let report = running.stop_now().await;
    assert_eq!(report.unacknowledged_blocks, 2);
    bench.expect("two\nthree\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_waits_for_the_sink() {
    let bench = Bench::new(&["*.log"]);
    bench.append("a.log", "one\n");
    let running = bench.start_with(|_| false);
    running.wait_for(b"one\n").await;
    running.stop.send(Stop::Draining).unwrap();
    running.settle().await;
    assert!(!running.task.is_finished());
    assert_eq!(running.stop_now().await.unacknowledged_blocks, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_replaced_is_read_from_its_beginning() {
    let bench = Bench::new(&["*.log"]);
    // Other bytes in the same inode, past the offset, with the same first KiB.
    let head = "the same head\n".repeat(100);
    bench.append("a.log", format!("{head}old line\n"));
    bench.expect(format!("{head}old line\n")).await;
    let new = format!("{head}new line\nand more\n");
    std::fs::write(bench.path("a.log"), &new).unwrap();
    assert_eq!(bench.expect(&new).await.mismatched, 1);
    // And shorter.
    std::fs::write(bench.path("a.log"), "short\n").unwrap();
    assert_eq!(bench.expect("short\n").await.mismatched, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inode_that_is_reused_at_once_is_another_file() {
    let bench = Bench::new(&["*.log"]);
    for _ in 0..5 {
        // Each generation begins with the same line, so that no hash could tell them apart.
        bench.append("a.log", "started\n");
        bench.expect("started\n").await;
        let inode = std::fs::metadata(bench.path("a.log")).unwrap().ino();
        std::fs::remove_file(bench.path("a.log")).unwrap();
        bench.append("a.log", "started\nnext\n");
        let is_reused = std::fs::metadata(bench.path("a.log")).unwrap().ino() == inode;
        let running = bench.start();
        running.wait_until(|output| output.ends_with(b"next\n")).await;
        assert_eq!(running.output(), b"started\nnext\n", "reused: {is_reused}");
        running.stop().await;
        std::fs::remove_file(bench.path("a.log")).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_with_the_same_head_are_not_confused() {
    let bench = Bench::new(&["*.log"]);
    let head = "x".repeat(2000) + "\n";
    bench.append("a.log", format!("{head}a\n"));
    bench.append("b.log", format!("{head}b\n"));
    let running = bench.start();
    running.wait_until(|output| output.len() == 2 * head.len() + 4).await;
    running.stop().await;
    bench.rename("a.log", "c.log");
    bench.rename("b.log", "a.log");
    bench.rename("c.log", "b.log");
    bench.append("a.log", "more b\n");
    bench.append("b.log", "more a\n");
    let running = bench.start();
    running.wait_until(|output| count_lines(output).len() == 2).await;
    assert_eq!(running.output().len(), "more a\nmore b\n".len());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_checkpoint_never_skips_a_line() {
    let bench = Bench::new(&["*.log"]);
    bench.append("a.log", "one\n");
    bench.expect("one\n").await;
    bench.append("a.log", "two\n");
    bench.expect("two\n").await;
    let good = std::fs::read(bench.checkpoint_path()).unwrap();
    let older_path = bench.older_checkpoint_path();
    let older = std::fs::read(&older_path).unwrap();
    bench.append("a.log", "three\n");
    let flips = (0..good.len()).map(|at| {
        let mut damaged = good.clone();
        damaged[at] ^= 0x55;
        damaged
    });
    for damaged in flips.chain((0..good.len()).map(|len| good[..len].to_vec())) {
        for older in [&older[..], b"damaged too"] {
            std::fs::write(bench.checkpoint_path(), &damaged).unwrap();
            std::fs::write(&older_path, older).unwrap();
            let running = bench.start();
            running.wait_until(|output| output.ends_with(b"three\n")).await;
            assert!([&b"one\ntwo\nthree\n"[..], b"two\nthree\n", b"three\n"].contains(&&running.output()[..]));
            running.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_from_the_end_is_for_the_first_start_only() {
    let mut bench = Bench::new(&["*.log"]);
    bench.file.read_from_end = true;
    bench.append("a.log", "old\nhal");
    let running = bench.start();
    running.wait_until(|_| bench.checkpoint_path().exists()).await;
    bench.append("a.log", "f\n");
    running.wait_for(b"half\n").await;
    bench.append("b.log", "b from its beginning\n");
    running.wait_for(b"half\nb from its beginning\n").await;
    running.stop().await;
    bench.append("c.log", "c too\n");
    bench.expect("c too\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_away_for_a_run_are_remembered() {
    let bench = Bench::new(&["*.log"]);
    bench.append("a.log", "one\n");
    bench.expect("one\n").await;
    let logs = bench.path("");
    let away = logs.with_file_name("away");
    std::fs::rename(&logs, &away).unwrap();
    bench.expect("").await;
    std::fs::rename(&away, &logs).unwrap();
    bench.append("a.log", "two\n");
    bench.expect("two\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_gone_for_a_week_are_forgotten() {
    let bench = Bench::new(&["*.log"]);
    bench.append("a.log", "one\n");
    bench.append("b.log", "two\n");
    let running = bench.start();
    running.wait_until(|output| output.len() == 8).await;
    running.stop().await;
    let entries = || {
        let entries = Checkpoint::load(&bench.data_dir, "app").1.entries;
        entries.into_iter().map(|entry| (entry.path.clone(), entry)).collect::<HashMap<_, _>>()
    };
    std::fs::remove_file(bench.path("a.log")).unwrap();
    std::fs::remove_file(bench.path("b.log")).unwrap();
    let mut known = entries();
    assert_eq!(known.len(), 2);
    let day = 24 * 3600;
    known.get_mut(&bench.path("a.log")).unwrap().last_seen_secs -= 8 * day;
    known.get_mut(&bench.path("b.log")).unwrap().last_seen_secs -= 6 * day;
    Checkpoint::load(&bench.data_dir, "app").0.store(known.values()).unwrap();
    bench.expect("").await;
    assert_eq!(entries().into_keys().collect::<Vec<_>>(), [bench.path("b.log")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn crashes_amid_rotations_lose_nothing() {
    let bench = Bench::new(&["app.log*"]);
    let directory = bench.path("");
    let writer = std::thread::spawn(move || {
        for generation in 0..100 {
            let path = directory.join("app.log");
            append(&path, &lines(generation * 100..generation * 100 + 99));
            std::fs::rename(&path, directory.join(format!("app.log.{generation}"))).unwrap();
            append(
                &directory.join(format!("app.log.{generation}")),
                &lines(generation * 100 + 99..generation * 100 + 100),
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    });
    let mut delivered = Vec::new();
    for round in 0..30 {
        // A sink that stops to acknowledge after some blocks, as if each later one was lost in the crash.
        let running = bench.start_with(move |number| number < 1 + round % 5);
        tokio::time::sleep(Duration::from_millis(3 + round as u64 % 7)).await;
        let left = bench.snapshot();
        delivered.extend_from_slice(&running.delivered());
        running.stop_now().await;
        bench.restore(left);
    }
    tokio::task::spawn_blocking(|| writer.join().unwrap()).await.unwrap();
    let running = bench.start();
    let all = |output: &[u8]| count_lines(&[&delivered[..], output].concat()).len() == 10_000;
    running.wait_until(all).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_longer_configured_is_left_alone() {
    let mut bench = Bench::new(&["*.log"]);
    bench.append("a.log", "one\n");
    bench.expect("one\n").await;
    bench.file.include = Bench::new(&["*.other"]).file.include;
    bench.append("a.log", "two\n");
    let running = bench.start();
    running.settle().await;
    assert_eq!(running.output(), b"");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_token_across_a_restart_does_not_leak() {
    let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ0ZXN0LXVzZXIifQ.c2lnbmF0dXJlLW9mLWEtdGVzdC10b2tlbg";
    let line = format!("GET /?a={token} 200\n");
    for cut in 0..line.len() {
        let bench = Bench::new(&["*.log"]);
        bench.append("a.log", "one\n");
        bench.append("a.log", &line[..cut]);
        bench.expect("one\n").await;
        bench.append("a.log", &line[cut..]);
        let running = bench.start();
        running.wait_until(|output| output.ends_with(b" 200\n")).await;
        let output = String::from_utf8(running.output()).unwrap();
        assert!(output.starts_with("GET /?a=redacted-jwt-") && output.lines().count() == 1, "cut at {cut}");
        assert_eq!(running.stop().await.findings.total(), 1);
    }
}

const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlLXNpZ25hdHVyZS1zaWduYXR1cmU";

/// Lines of a container runtime: a token in two parts, with a line of the other stream between them.
fn parts(cut: usize) -> [String; 4] {
    let (head, tail) = TOKEN.split_at(cut);
    let line = |rest: &str| format!("2016-10-06T00:17:09.669794202Z {rest}\n");
    [
        line("stdout F start"),
        line(&format!("stdout P GET /?jwt={head}")),
        line("stderr F between"),
        line(&format!("stdout F {tail}&x=1")),
    ]
}

fn clean(parts: &[String], cut: usize) -> String {
    let marker = redaction().fingerprints(TOKEN.as_bytes())[0].to_string();
    let (head, tail) = TOKEN.split_at(cut);
    parts.concat().replace(&format!("={head}\n"), &format!("={marker}\n")).replace(&format!("F {tail}"), "F ")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_parts_is_one_after_restarts_between_them() {
    for cut in [3, 30, TOKEN.len() - 1] {
        let mut bench = Bench::new(&["*.log"]);
        bench.config.codec = Codec::Cri;
        let parts = parts(cut);
        bench.append("a.log", &parts[0]);
        bench.expect(&parts[0]).await;
        for part in &parts[1..3] {
            bench.append("a.log", part);
            let running = bench.start();
            running.settle().await;
            running.wait_for(b"").await;
            running.stop().await;
        }
        bench.append("a.log", &parts[3]);
        bench.expect(clean(&parts[1..], cut)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_file_is_not_between_two_parts() {
    let cut = 70;
    let mut bench = Bench::new(&["*.log"]);
    bench.config.codec = Codec::Cri;
    bench.file.read_from_end = true;
    let parts = parts(cut);
    bench.append("a.log", parts[..3].concat());
    let running = bench.start();
    running.settle().await;
    running.wait_for(b"").await;
    bench.append("a.log", &parts[3]);
    running.wait_for(clean(&parts[1..], cut).as_bytes()).await;
    running.stop().await;
}
