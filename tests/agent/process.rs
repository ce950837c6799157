//! The program itself as an agent, in a process of its own: for faults that only the system can make.

use crate::harness::{PATIENCE, until};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

/// A directory with a key, a configuration, a followed file `in.log`, and what the agent logs.
pub struct Home(tempfile::TempDir);

impl Home {
    pub fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        let made = home.command(env!("CARGO_BIN_EXE_beartrap")).args(["key", "new"]).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        home
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// From `in.log` to a file sink with these keys.
    pub fn follow_into(&self, sink: &str) {
        let dir = self.0.path().display();
        let config = format!(
            "data_dir = \"{dir}/data\"\n[sources.app]\ntype = \"file\"\ninclude = [\"{dir}/in.log\"]\n\
             poll_interval_secs = 0.02\ncheckpoint_interval_secs = 0.1\n[sinks.out]\ninputs = [\"app\"]\n{sink}\n"
        );
        fs::write(self.path("config.toml"), config).unwrap();
    }

    pub fn append(&self, lines: &str) {
        use std::io::Write;
        let mut file = File::options().create(true).append(true).open(self.path("in.log")).unwrap();
        file.write_all(lines.as_bytes()).unwrap();
    }

    /// The agent, behind what the words of `wrapper` put before it.
    pub fn agent(&self, wrapper: &[&str]) -> Agent {
        let program = [wrapper, &[env!("CARGO_BIN_EXE_beartrap")]].concat();
        let mut command = self.command(program[0]);
        command.args(&program[1..]).args(["run", "--config"]).arg(self.path("config.toml"));
        command.stderr(File::create(self.path("log")).unwrap());
        Agent { child: command.spawn().unwrap(), log: self.path("log") }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.0.path()).env("PATH", "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command
    }
}

pub struct Agent {
    pub child: Child,
    log: PathBuf,
}

impl Agent {
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    pub fn until_logged(&self, text: &str) {
        until(text, || self.log().contains(text).then_some(()));
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end: {}", self.log());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// Stops it in order.
    pub fn stop(mut self) -> (Option<i32>, String) {
        self.signal("TERM");
        let code = self.wait().code();
        (code, self.log())
    }

    /// The most memory that it has had at once, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }

    /// A path as this process sees it: it may have mounted something there.
    pub fn sees(&self, path: &Path) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{}", self.child.id(), path.display()))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
