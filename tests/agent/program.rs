//! The agent as a process of its own, for limits that are a process'.

use crate::harness::{Log, PATIENCE, until};
use std::io::Read;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

pub struct Program {
    child: Child,
    log: Log,
    _home: tempfile::TempDir,
}

impl Program {
    /// Starts it with this configuration and this many descriptors.
    pub fn start(config: &str, descriptors: usize) -> Self {
        let home = tempfile::tempdir().unwrap();
        let (key, config_path) = (home.path().join("key"), home.path().join("config.toml"));
        std::fs::write(&key, "11".repeat(32)).unwrap();
        std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
        std::fs::write(&config_path, format!("{config}\n[redact]\nkey_file = \"{}\"\n", key.display())).unwrap();
        let script = format!("ulimit -n {descriptors}; exec \"$0\" run --log-format json --config \"$1\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_beartrap")]).arg(&config_path);
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut stderr, log) = (child.stderr.take().unwrap(), Log::default());
        let mut writer = log.clone();
        std::thread::spawn(move || std::io::copy(&mut stderr.by_ref(), &mut writer));
        Self { child, log, _home: home }
    }

    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Where its source listens.
    pub fn address(&self) -> SocketAddr {
        until("the source has started", || self.log.field("source started", "address")?.as_str()?.parse().ok())
    }

    /// How much processor time it has used.
    pub fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let ticks: u64 = fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        // Linux counts a hundred a second for user space, whatever the hardware does.
        Duration::from_millis(ticks * 10)
    }

    /// The most memory that it has had.
    pub fn memory_max(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Stops it in order and waits for the end.
    pub fn stop(mut self) -> (ExitStatus, Log) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let deadline = Instant::now() + PATIENCE;
        let status = until("the program ends", || {
            assert!(Instant::now() < deadline);
            self.child.try_wait().unwrap()
        });
        (status, self.log.clone())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
