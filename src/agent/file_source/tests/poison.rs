//! Records that the engine can't survive must not stop a file for ever.

use super::kill;
use super::*;
use crate::codec::fault::{ABORT, PANIC, PANIC_AT_END};

const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlLXNpZ25hdHVyZS1zaWduYXR1cmU";

fn marker() -> String {
    let key_id: String = redaction().key_id().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("redacted-record-{key_id}-{}", "0".repeat(32))
}

/// Lets the source fail twice, and gives what it delivers then.
async fn third_start(bench: &Bench, is_enough: impl Fn(&[u8]) -> bool) -> (Vec<u8>, SourceReport) {
    for _ in 0..2 {
        bench.start().wait_for_panic().await;
    }
    let running = bench.start();
    running.wait_until(is_enough).await;
    let output = running.output();
    (output, running.stop().await)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_marker_takes_the_place_of_a_record_that_failed_twice() {
    let bench = Bench::new(&["*.log"]);
    bench.append("a.log", format!("one\ntwo {TOKEN} {PANIC} {TOKEN}\nthree {TOKEN}\n"));
    let (output, report) = third_start(&bench, |output| output.ends_with(b"\n")).await;
    let jwt = redaction().fingerprints(TOKEN.as_bytes())[0].to_string();
    assert_eq!(String::from_utf8(output).unwrap(), format!("one\n{}\nthree {jwt}\n", marker()));
    assert_eq!((report.poison_records, report.unacknowledged_blocks), (1, 0));
    // It is behind it for good, and nothing is held against the file.
    bench.append("a.log", "four\n");
    assert_eq!(bench.expect("four\n").await.poison_records, 0);
    assert!(!Attempts::open(&bench.data_dir, "app").knows_failures());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_the_block_leaves_before_that() {
    let bench = Bench::new(&["*.log"]);
    bench.append("a.log", format!("{TOKEN} {PANIC}\n"));
    for _ in 0..2 {
        let running = bench.start();
        let output = running.output.clone();
        running.wait_for_panic().await;
        assert!(output.lock().unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_records_that_fail_are_replaced() {
    let bench = Bench::new(&["*.log"]);
    // In several blocks, so that what lies before the first failure, and behind the last, is not suspect.
    let line = |number: usize| match number % 5000 {
        4321 => format!("line {number} {PANIC}\n"),
        _ => format!("line {number}\n"),
    };
    let count = 60_000;
    bench.append("a.log", (0..count).map(line).collect::<String>());
    let expected = (0..count).map(line).map(|line| match line.find(PANIC) {
        Some(_) => marker() + "\n",
        None => line,
    });
    let expected: String = expected.collect();
    // Each block with such a record costs two failures; what the sink had before is read once more.
    let mut delivered = Vec::new();
    let mut failures = 0;
    loop {
        let mut running = bench.start();
        let output = running.output.clone();
        let is_whole = tokio::select! {
            ended = &mut running.task => { assert!(ended.unwrap_err().is_panic()); false }
            () = async {
                let last = format!("line {}\n", count - 1);
                while !output.lock().unwrap().ends_with(last.as_bytes()) {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            } => true,
        };
        delivered.extend_from_slice(&output.lock().unwrap());
        if is_whole {
            running.stop().await;
            break;
        }
        failures += 1;
        assert!(failures < 20, "it goes on and on");
    }
    let unique = |bytes: &[u8]| count_lines(bytes).into_keys().collect::<std::collections::BTreeSet<_>>();
    assert!(unique(&delivered) == unique(expected.as_bytes()));
    assert!(failures >= 4, "{failures}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_longer_than_a_read_is_replaced_too() {
    let bench = Bench::new(&["*.log"]);
    let long = "x ".repeat(READ_BYTES);
    bench.append("a.log", format!("one\n{long}{PANIC}{long}\ntwo\n"));
    let (output, _) = third_start(&bench, |output| output.ends_with(b"two\n")).await;
    // The first record may have been delivered before the first failure.
    let output = String::from_utf8(output).unwrap();
    assert_eq!(output.strip_prefix("one\n").unwrap_or(&output), format!("{}\ntwo\n", marker()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_record_is_replaced_when_it_ends() {
    let bench = Bench::new(&["*.log"]);
    bench.append("a.log", format!("one\ntwo {PANIC}"));
    let running = {
        for _ in 0..2 {
            bench.start().wait_for_panic().await;
        }
        bench.start()
    };
    running.wait_for(b"one\n").await;
    running.settle().await;
    bench.append("a.log", " of two\nthree\n");
    running.wait_for(format!("one\n{}\nthree\n", marker()).as_bytes()).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_at_the_end_of_a_file_is_one_too() {
    let bench = Bench::new(&["*.log"]);
    bench.append("a.log", "one\n");
    bench.append("a.log", format!("two {PANIC_AT_END}"));
    bench.expect("one\n").await;
    for round in 0..3 {
        let running = bench.start();
        running.settle().await;
        if round == 0 {
            bench.rename("a.log", "a.old");
        }
        if round == 2 {
            running.wait_for(format!("{}\n", marker()).as_bytes()).await;
            assert_eq!(running.stop().await.poison_records, 1);
        } else {
            running.wait_for_panic().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_stays_json_and_frames_stay_frames() {
    let mut bench = Bench::new(&["*.log"]);
    bench.config.codec = Codec::Json;
    bench.append("a.log", format!("{{\"a\":1}}\n{{\"b\":\"{PANIC}\"}}\n{{\"c\":3}}\n"));
    let (output, _) = third_start(&bench, |output| output.ends_with(b"}\n") && output.len() > 9).await;
    assert_eq!(String::from_utf8(output).unwrap(), format!("{{\"a\":1}}\n\"{}\"\n{{\"c\":3}}\n", marker()));

    let mut bench = Bench::new(&["*.log"]);
    bench.config.framing = Framing::OctetCounting;
    bench.append("a.log", format!("3 one{} {PANIC}5 three", PANIC.len()));
    let (output, _) = third_start(&bench, |output| output.ends_with(b"three")).await;
    assert_eq!(String::from_utf8(output).unwrap(), format!("one{}three", marker()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rest_of_a_text_in_parts_goes_with_it() {
    let mut bench = Bench::new(&["*.log"]);
    bench.config.codec = Codec::Cri;
    let line = |rest: &str| format!("2016-10-06T00:17:09.669794202Z {rest}\n");
    let (head, tail) = TOKEN.split_at(60);
    let lines = [
        line("stdout F one"),
        line(&format!("stdout P {PANIC} {head}")),
        line("stderr F between"),
        line(&format!("stdout F {tail}")),
        line("stdout F two"),
    ];
    bench.append("a.log", lines.concat());
    let (output, report) = third_start(&bench, |output| output.ends_with(b"two\n")).await;
    let expected = [lines[0].clone(), (marker() + "\n").repeat(3), lines[4].clone()].concat();
    assert_eq!(String::from_utf8(output).unwrap(), expected);
    assert_eq!(report.poison_records, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_replaced_record_may_have_left_open_is_closed() {
    let bench = Bench::new(&["*.log"]);
    let secret = "correct-horse-battery-staple-42";
    bench.append("a.log", format!("Authorization: {PANIC}\n  Bearer {secret}\nlast line\n  a stack\n  trace\n"));
    let (output, report) = third_start(&bench, |output| output.ends_with(b"trace\n")).await;
    let expected = format!("{0}\n{0}\nlast line\n  a stack\n  trace\n", marker());
    assert_eq!((String::from_utf8(output).unwrap(), report.poison_records), (expected, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_files_with_such_records_both_go_on() {
    let bench = Bench::new(&["*.log"]);
    bench.append("a.log", format!("a {PANIC}\na\n"));
    bench.append("b.log", format!("b {PANIC}\nb\n"));
    for _ in 0..4 {
        bench.start().wait_for_panic().await;
    }
    let running = bench.start();
    running.wait_until(|output| count_lines(output).len() == 3).await;
    running.wait_until(|output| output.len() == 2 * (marker().len() + 3)).await;
    assert_eq!(running.stop().await.poison_records, 2);
}

#[test]
fn a_record_that_ends_the_process_at_once_is_passed_too() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("logs")).unwrap();
    append(&root.path().join("logs/app.log"), format!("one\ntwo {ABORT}\nthree\n").as_bytes());
    let output = || std::fs::read_to_string(root.path().join("output")).unwrap_or_default();
    // Twice somewhere in the block, and twice in this very record.
    for _ in 0..4 {
        let status = kill::start(root.path()).0.wait().unwrap();
        assert!(!status.success() && !output().contains("three"));
    }
    let _child = kill::start(root.path());
    let start = Instant::now();
    while !output().contains("three\n") {
        assert!(start.elapsed() < DEADLINE, "{}", output());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(output().ends_with(&format!("{}\nthree\n", marker())), "{}", output());
    assert_eq!(output().matches("three").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_with_a_survivor_is_a_failure_of_the_engine_at_it() {
    let token = "7Fh2k9Qd3Xw8Zp1Lm6Rt";
    let digest = redaction().fingerprints(token.as_bytes())[0].to_string().rsplit('-').next().unwrap().to_owned();
    let mut bench = Bench::new(&["*.log"]);
    // The engine lets the token pass and the second look is not told so: a defect.
    let options = Options { allow_fingerprints: vec![digest], ..Options::default() };
    bench.redaction = Redaction::new(KeyRing::parse("07".repeat(32).as_bytes()).unwrap(), options).unwrap();
    bench.sampler = Sampler::new("app", 0.001, &redaction());
    bench.append("a.log", format!("one\ntwo Authorization: Bearer {token}\nthree\n"));
    for _ in 0..2 {
        let running = bench.start();
        let output = running.output.clone();
        running.wait_for_panic().await;
        assert!(output.lock().unwrap().is_empty());
    }
    let running = bench.start();
    running.wait_for(format!("one\n{}\nthree\n", marker()).as_bytes()).await;
    assert_eq!(running.stop().await.poison_records, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_between_two_blocks_has_not_failed() {
    let bench = Bench::new(&["*.log"]);
    bench.append("a.log", "one\n");
    let running = bench.start();
    running.wait_for(b"one\n").await;
    running.settle().await;
    // As a process finds it that starts after this one was killed.
    assert!(!Attempts::open(&bench.data_dir, "app").knows_failures());
    running.stop().await;
}
