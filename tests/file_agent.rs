//! The agent over files as a process of its own, with system calls that fail.

#[path = "cli/support.rs"]
#[allow(dead_code, reason = "each test file uses its own part")]
mod support;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::{Home, PATIENCE, kill, wait};

/// A home with logs, and an agent that copies them to `clean`.
struct Bench(Home);

impl Bench {
    fn new(source: &str) -> Self {
        let home = Home::with_key();
        std::fs::create_dir(home.path("raw")).unwrap();
        let path = |name: &str| home.path(name).display().to_string();
        let config = format!(
            "data_dir = \"{}\"\n[redact]\nkey_file = \"{}\"\n[sources.logs]\ntype = \"file\"\ninclude = [\"{}/*.log\"]\n{source}\n\
             [sinks.out]\ntype = \"file\"\npath = \"{}\"\ninputs = [\"logs\"]\nsync_interval_secs = 0.01\n",
            path("state"),
            home.default_key().display(),
            path("raw"),
            path("clean"),
        );
        home.file("beartrap.toml", config);
        Self(home)
    }

    fn raw(&self, name: &str) -> PathBuf {
        self.0.path("raw").join(name)
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(self.raw(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// Starts the agent behind a command such as `strace`.
    fn start(&self, wrapper: &[&str]) -> Agent {
        Agent(self.command(wrapper).spawn().unwrap())
    }

    fn command(&self, wrapper: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_beartrap");
        let mut words = wrapper.iter().copied().chain([program, "run", "--config"]);
        let mut command: Command = self.0.command(words.next().unwrap());
        let log = std::fs::OpenOptions::new().append(true).create(true).open(self.0.path("log")).unwrap();
        command.args(words).arg(self.0.path("beartrap.toml")).stderr(log).stdout(Stdio::null());
        command
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.0.path("log")).unwrap_or_default()
    }

    fn output(&self) -> String {
        std::fs::read_to_string(self.0.path("clean")).unwrap_or_default()
    }

    fn wait_for(&self, is_enough: impl Fn(&str) -> bool) {
        let start = Instant::now();
        while !is_enough(&self.output()) {
            assert!(start.elapsed() < PATIENCE, "got only {:?}\n{}", self.output(), self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Ends with the test.
struct Agent(Child);

impl Agent {
    fn stop(mut self) {
        kill("TERM", self.0.id());
        assert_eq!(wait(&mut self.0).code(), Some(0));
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // The errors are those of a process that has ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Calls fail as `inject` says. The agent is the test's child all the same (`-D`).
fn strace<'a>(trace: &'a str, inject: &'a str) -> Vec<&'a str> {
    vec!["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", trace, "-e", inject]
}

#[test]
fn without_watches_files_are_polled() {
    for inject in ["inject=inotify_add_watch:error=ENOSPC", "inject=inotify_init1:error=EMFILE"] {
        let bench = Bench::new("poll_interval_secs = 0.05\nglob_interval_secs = 0.1");
        bench.append("a.log", "one\n");
        let agent = bench.start(&strace("trace=inotify_add_watch,inotify_init1", inject));
        bench.wait_for(|output| output == "one\n");
        bench.append("a.log", "two\n");
        bench.append("b.log", "three\n");
        bench.wait_for(|output| output.lines().count() == 3);
        bench.append("a.log", "four\n");
        bench.wait_for(|output| output.lines().count() == 4);
        agent.stop();
        assert_eq!(bench.log().matches("files are polled").count(), 1, "{}", bench.log());
    }
}

#[test]
fn a_file_that_becomes_readable_is_read() {
    // As root nothing is unreadable.
    use std::os::unix::fs::{PermissionsExt, chown};
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65534;
    let bench = Bench::new("poll_interval_secs = 0.05\nglob_interval_secs = 0.1");
    bench.append("shut.log", "one\n");
    bench.append("open.log", "two\n");
    std::fs::set_permissions(bench.raw("shut.log"), std::fs::Permissions::from_mode(0o000)).unwrap();
    let is_root = rustix::process::geteuid().is_root();
    let mut command = bench.command(&[]);
    if is_root {
        for path in [bench.0.path(""), bench.0.default_key(), bench.0.default_key().parent().unwrap().to_owned()] {
            chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        for path in [".local", ".local/state", "raw", "beartrap.toml"] {
            chown(bench.0.path(path), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        command.uid(NOBODY).gid(NOBODY);
    }
    let agent = Agent(command.spawn().unwrap());
    bench.wait_for(|output| output == "two\n");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(bench.output(), "two\n");
    if is_root {
        chown(bench.raw("shut.log"), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    std::fs::set_permissions(bench.raw("shut.log"), std::fs::Permissions::from_mode(0o600)).unwrap();
    bench.wait_for(|output| output == "two\none\n");
    assert_eq!(bench.log().matches("path is not read").count(), 1, "{}", bench.log());
    agent.stop();
}

#[test]
fn two_agents_do_not_share_a_data_dir() {
    let bench = Bench::new("");
    bench.append("a.log", "one\n");
    let agent = bench.start(&[]);
    bench.wait_for(|output| output == "one\n");
    let mut second = bench.start(&[]);
    assert_eq!(wait(&mut second.0).code(), Some(74));
    assert!(bench.log().contains("is in use by another process"), "{}", bench.log());
    bench.append("a.log", "two\n");
    bench.wait_for(|output| output == "one\ntwo\n");
    agent.stop();
}

#[test]
fn followed_links_may_lead_anywhere() {
    let bench = Bench::new("follow_symlinks = true\npoll_interval_secs = 0.05\nglob_interval_secs = 0.1");
    std::fs::create_dir(bench.0.path("elsewhere")).unwrap();
    std::fs::write(bench.0.path("elsewhere/app"), "one\n").unwrap();
    std::os::unix::fs::symlink(bench.0.path("elsewhere/app"), bench.raw("a.log")).unwrap();
    let agent = bench.start(&[]);
    bench.wait_for(|output| output == "one\n");
    // A container that starts later.
    std::fs::create_dir(bench.0.path("later")).unwrap();
    std::fs::write(bench.0.path("later/app"), "two\n").unwrap();
    std::os::unix::fs::symlink(bench.0.path("later/app"), bench.raw("b.log")).unwrap();
    bench.wait_for(|output| output == "one\ntwo\n");
    agent.stop();
}
