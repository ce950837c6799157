//! The file source over real files, with a sink that remembers what it got.

mod follow;
mod kill;
mod news;
mod paths;
mod poison;
mod restart;
mod rotate;

use super::super::outlet::{Delivery, Outlet};
use super::super::sampled::Sampler;
use super::*;
use crate::codec::{Codec, Framing};
use crate::redact::{KeyRing, Options};
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

const DEADLINE: Duration = Duration::from_secs(20);

/// A directory of logs and one of state; the source over them can be started again and again.
pub(super) struct Bench {
    root: tempfile::TempDir,
    data_dir: DataDir,
    pub config: config::Source,
    pub file: config::FileSource,
    pub redaction: Redaction,
    pub sampler: Sampler,
}

impl Bench {
    pub fn new(globs: &[&str]) -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("logs")).unwrap();
        let data_dir = DataDir::open(&root.path().join("state")).unwrap();
        let (config, file) = configuration(root.path(), globs);
        Self { root, data_dir, config, file, redaction: redaction(), sampler: Sampler::default() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("logs").join(name)
    }

    pub fn checkpoint_path(&self) -> PathBuf {
        self.data_dir.path().join("app.checkpoint")
    }

    pub fn older_checkpoint_path(&self) -> PathBuf {
        self.checkpoint_path().with_added_extension("1")
    }

    /// The checkpoints as a process that is killed at this moment leaves them.
    pub fn snapshot(&self) -> [Option<Vec<u8>>; 2] {
        [self.checkpoint_path(), self.older_checkpoint_path()].map(|path| std::fs::read(path).ok())
    }

    pub fn restore(&self, snapshot: [Option<Vec<u8>>; 2]) {
        for (path, contents) in [self.checkpoint_path(), self.older_checkpoint_path()].into_iter().zip(snapshot) {
            match contents {
                Some(contents) => std::fs::write(path, contents).unwrap(),
                None => drop(std::fs::remove_file(path)),
            }
        }
    }

    pub fn append(&self, name: &str, bytes: impl AsRef<[u8]>) {
        append(&self.path(name), bytes.as_ref());
    }

    pub fn rename(&self, from: &str, to: &str) {
        std::fs::rename(self.path(from), self.path(to)).unwrap();
    }

    pub fn start(&self) -> Running {
        self.start_with(|_| true)
    }

    /// `acknowledges` says of each block, counted from 0, whether the sink acknowledges it.
    pub fn start_with(&self, acknowledges: impl Fn(usize) -> bool + Send + 'static) -> Running {
        let (outlet, mut deliveries) = sink();
        let output = Arc::new(Mutex::new(Vec::new()));
        let delivered = Arc::new(Mutex::new(Vec::new()));
        let (received, acknowledged) = (output.clone(), delivered.clone());
        tokio::spawn(async move {
            let mut number = 0;
            while let Some(delivery) = deliveries.recv().await {
                received.lock().unwrap().extend_from_slice(delivery.block.as_bytes());
                if acknowledges(number) {
                    acknowledged.lock().unwrap().extend_from_slice(delivery.block.as_bytes());
                    delivery.acknowledge();
                }
                number += 1;
            }
        });
        let (stop, stopped) = watch::channel(Stop::Running);
        let (config, file, data_dir) = (self.config.clone(), self.file.clone(), self.data_dir.clone());
        let (redaction, outlet) = (self.redaction.clone(), outlet.sampled(self.sampler.clone()));
        let task =
            tokio::spawn(async move { run(&config, &file, &data_dir, &redaction, outlet, stopped).await.unwrap() });
        Running { output, delivered, stop, task }
    }

    /// Runs the source until it has delivered `expected` and stops it.
    pub async fn expect(&self, expected: impl AsRef<[u8]>) -> SourceReport {
        let running = self.start();
        running.wait_for(expected.as_ref()).await;
        running.stop().await
    }
}

/// A source over `logs` in `root`, quick enough for tests.
pub(super) fn configuration(root: &Path, globs: &[&str]) -> (config::Source, config::FileSource) {
    let pattern = |glob: &&str| glob::Pattern::new(root.join("logs").join(glob).to_str().unwrap()).unwrap();
    let file = config::FileSource {
        include: globs.iter().map(pattern).collect(),
        exclude: Vec::new(),
        read_from_end: false,
        ignore_older: None,
        follow_symlinks: false,
        glob_interval: Duration::from_millis(5),
        poll_interval: Duration::from_millis(2),
        rotate_wait: Duration::from_millis(150),
        checkpoint_interval: Duration::from_millis(5),
        max_open_files: 64,
    };
    let config = config::Source {
        name: "app".into(),
        framing: Framing::NewlineDelimited,
        codec: Codec::Text,
        max_record_bytes: 1 << 20,
        kind: config::SourceKind::File(file.clone()),
    };
    (config, file)
}

pub(super) fn redaction() -> Redaction {
    let keys = KeyRing::parse("07".repeat(32).as_bytes()).unwrap();
    Redaction::new(keys, Options::default()).unwrap()
}

/// A way into a sink with room for a few blocks.
fn sink() -> (Outlet, mpsc::Receiver<Delivery>) {
    let (sender, receiver) = mpsc::channel(4);
    (Outlet::new(vec![sender]), receiver)
}

pub(super) struct Running {
    /// What the sink got, and what of it it has acknowledged.
    output: Arc<Mutex<Vec<u8>>>,
    delivered: Arc<Mutex<Vec<u8>>>,
    stop: watch::Sender<Stop>,
    task: JoinHandle<SourceReport>,
}

impl Running {
    pub fn output(&self) -> Vec<u8> {
        self.output.lock().unwrap().clone()
    }

    pub fn delivered(&self) -> Vec<u8> {
        self.delivered.lock().unwrap().clone()
    }

    /// Waits until exactly `expected` has been delivered.
    pub async fn wait_for(&self, expected: &[u8]) {
        self.wait_until(|output| output == expected).await;
    }

    pub async fn wait_until(&self, is_enough: impl Fn(&[u8]) -> bool) {
        let start = Instant::now();
        while !is_enough(&self.output()) {
            assert!(start.elapsed() < DEADLINE, "got only {:?}", String::from_utf8_lossy(&self.output()));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Gives the source time to do something that it ought not to do.
    pub async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(40)).await;
    }

    pub async fn stop(self) -> SourceReport {
        self.stop.send(Stop::Draining).unwrap();
        tokio::time::timeout(DEADLINE, self.task).await.unwrap().unwrap()
    }

    /// Waits until the source has panicked, as a process does that ends with 70.
    pub async fn wait_for_panic(self) {
        let ended = tokio::time::timeout(DEADLINE, self.task).await.expect("it ends");
        assert!(ended.unwrap_err().is_panic());
    }

    pub async fn stop_now(self) -> SourceReport {
        self.stop.send(Stop::Now).unwrap();
        tokio::time::timeout(DEADLINE, self.task).await.unwrap().unwrap()
    }
}

pub(super) fn append(path: &Path, bytes: &[u8]) {
    std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(bytes).unwrap();
}

pub(super) fn lines(numbers: std::ops::Range<usize>) -> Vec<u8> {
    numbers.flat_map(|number| format!("line {number}\n").into_bytes()).collect()
}

/// How often each line is there.
pub(super) fn count_lines(output: &[u8]) -> HashMap<Vec<u8>, usize> {
    let mut counts = HashMap::new();
    for line in output.split_inclusive(|&byte| byte == b'\n') {
        *counts.entry(line.to_vec()).or_insert(0) += 1;
    }
    counts
}

/// Fails unless `output` is the lines of `numbers`, in any order, each once.
pub(super) fn assert_each_once(output: &[u8], numbers: std::ops::Range<usize>) {
    let counts = count_lines(output);
    for line in numbers.clone() {
        let count = counts.get(format!("line {line}\n").as_bytes());
        assert_eq!(count, Some(&1), "line {line}");
    }
    assert_eq!(counts.len(), numbers.len());
}
