//! A process that is really killed.

use super::*;
use std::process::{Child, Command, Stdio};

const ROOT: &str = "BEARTRAP_TEST_ROOT";
const KILLS: u64 = 40;

/// The process that is killed: the source, and a sink that acknowledges what is durable.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "is run by kills_cost_duplicates_only"]
async fn child() {
    let root = PathBuf::from(std::env::var_os(ROOT).expect("the parent says where"));
    let (config, file) = configuration(&root, &["app.log*"]);
    let data_dir = DataDir::open(&root.join("state")).unwrap();
    let (outlet, mut deliveries) = sink();
    let mut output = std::fs::OpenOptions::new().append(true).create(true).open(root.join("output")).unwrap();
    // What a killed process wrote last may be half a line.
    output.write_all(b"\n").unwrap();
    let (_stop, stopped) = watch::channel(Stop::Running);
    tokio::spawn(async move { run(&config, &file, &data_dir, &redaction(), outlet, stopped).await });
    while let Some(delivery) = deliveries.recv().await {
        output.write_all(delivery.block.as_bytes()).unwrap();
        output.sync_data().unwrap();
        delivery.acknowledge();
    }
}

/// Ends with the test, also with one that fails.
pub(super) struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        // SIGKILL; the errors are those of a process that has ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(super) fn start(root: &Path) -> Process {
    let name = "agent::file_source::tests::kill::child";
    let child = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--ignored"])
        .env(ROOT, root)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    Process(child)
}

#[test]
fn kills_cost_duplicates_only() {
    let root = tempfile::tempdir().unwrap();
    let logs = root.path().join("logs");
    std::fs::create_dir(&logs).unwrap();
    let writer = std::thread::spawn(move || {
        for generation in 0..200 {
            let name = logs.join("app.log");
            let renamed = logs.join(format!("app.log.{generation}"));
            append(&name, &lines(generation * 100..generation * 100 + 99));
            std::fs::rename(&name, &renamed).unwrap();
            append(&renamed, &lines(generation * 100 + 99..generation * 100 + 100));
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    for kill in 0..KILLS {
        let child = start(root.path());
        std::thread::sleep(Duration::from_millis(10 + kill * 7 % 40));
        drop(child);
    }
    writer.join().unwrap();
    let _child = start(root.path());
    let start = Instant::now();
    let counts = loop {
        let output = std::fs::read(root.path().join("output")).unwrap_or_default();
        let counts = count_lines(&output);
        let is_there = |number: usize| counts.contains_key(format!("line {number}\n").as_bytes());
        if (0..20_000).all(is_there) {
            break counts;
        }
        assert!(start.elapsed() < DEADLINE, "lines are missing");
        std::thread::sleep(Duration::from_millis(10));
    };
    // Without any, no kill fell between an acknowledgement and its checkpoint, and the test shows nothing.
    assert!(counts.iter().any(|(line, count)| line.starts_with(b"line") && *count > 1));
}
