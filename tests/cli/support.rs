//! Processes with a home of their own, and patience with a limit.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

pub const PATIENCE: Duration = Duration::from_secs(20);

/// A home directory that goes with the test.
pub struct Home(tempfile::TempDir);

impl Home {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A home in which a key has been made, so that no notice stands in the way.
    pub fn with_key() -> Self {
        let home = Self::new();
        assert!(home.beartrap(["key", "new"]).output().unwrap().status.success());
        home
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn file(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, contents).unwrap();
        path
    }

    pub fn default_key(&self) -> PathBuf {
        self.path(".local/state/beartrap/key")
    }

    /// The program with this home and nothing else from the environment of the tests.
    pub fn beartrap<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_beartrap"));
        command.args(arguments);
        command
    }

    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.0.path()).env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Runs to the end with this input.
pub fn feed(mut command: Command, input: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // The program may end before it has read everything.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

/// Waits for the end, and kills what does not end in time.
pub fn wait(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Reads this many bytes, in another thread so that waiting has a limit.
pub fn read_exact(mut from: impl Read + Send + 'static, len: usize) -> Vec<u8> {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = vec![0; len];
        let _ = sender.send(from.read_exact(&mut bytes).map(|()| bytes));
    });
    receiver.recv_timeout(PATIENCE).expect("nothing arrives").unwrap()
}

/// Waits until a file holds a text.
pub fn wait_for(path: &Path, needle: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !std::fs::read_to_string(path).is_ok_and(|contents| contents.contains(needle)) {
        assert!(Instant::now() < deadline, "{} never holds {needle}", path.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn kill(signal: &str, id: impl std::fmt::Display) {
    let status = Command::new("kill").args(["-s", signal, "--", &id.to_string()]).status().unwrap();
    assert!(status.success());
}
