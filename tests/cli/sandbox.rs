//! What a running agent may not do, seen from outside: each time the same is tried with the sandbox and without.
#![cfg(target_os = "linux")]

use crate::support::{Home, PATIENCE, kill, text, wait, wait_for};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Child;
use std::time::Instant;

/// An agent that follows `logs/*.log` and `logs/*/*.log` to `clean/clean.log`.
struct Agent {
    home: Home,
    child: Child,
}

impl Agent {
    fn start(mode: &str) -> Self {
        Self::start_in(Home::with_key(), mode)
    }

    fn start_in(home: Home, mode: &str) -> Self {
        for name in ["logs", "clean", "outside"] {
            let _ = std::fs::create_dir(home.path(name));
        }
        let key = home.path("secrets/key");
        let key = if key.exists() { format!("[redact]\nkey_file = {key:?}\n") } else { String::new() };
        let root = home.path("");
        let root = root.display();
        let config = format!(
            "sandbox = \"{mode}\"\ndata_dir = \"{root}/state\"\n{key}[sources.in]\ntype = \"file\"\n\
             include = [\"{root}/logs/*.log\", \"{root}/logs/*/*.log\"]\npoll_interval_secs = 0.05\n\
             glob_interval_secs = 0.1\n[sinks.out]\ntype = \"file\"\ninputs = [\"in\"]\npath = \"{root}/clean/clean.log\"\n"
        );
        let config = home.file("config.toml", config);
        let log = std::fs::File::create(home.path("log")).unwrap();
        let mut command = home.beartrap(["run", "--config", config.to_str().unwrap()]);
        let child = command.stderr(log).spawn().unwrap();
        let agent = Self { home, child };
        wait_for(&agent.log(), "source started");
        agent
    }

    fn log(&self) -> PathBuf {
        self.home.path("log")
    }

    fn append(&self, name: &str, line: &str) {
        use std::io::Write;
        let path = self.home.path(name);
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn clean(&self) -> PathBuf {
        self.home.path("clean/clean.log")
    }

    fn outside(&self) -> PathBuf {
        self.home.path("outside/clean.log")
    }

    fn hang_up(&self) {
        kill("HUP", self.child.id());
    }

    fn stop(mut self) -> i32 {
        kill("TERM", self.child.id());
        wait(&mut self.child).code().unwrap()
    }

    /// Puts a link to a file outside in the place of the output, and has it opened again.
    fn swap_output(&self) {
        self.append("logs/a.log", "one");
        wait_for(&self.clean(), "one\n");
        std::fs::rename(self.clean(), self.home.path("clean/clean.log.1")).unwrap();
        symlink(self.outside(), self.clean()).unwrap();
        self.hang_up();
    }
}

#[test]
fn an_output_that_is_swapped_for_a_link_is_not_written() {
    let agent = Agent::start("best_effort");
    agent.swap_output();
    wait_for(&agent.log(), "can't open the file again");
    agent.append("logs/a.log", "two");
    // It goes on where it should as soon as that is possible.
    std::fs::remove_file(agent.clean()).unwrap();
    wait_for(&agent.clean(), "two\n");
    assert!(!agent.outside().exists());
    assert_eq!(agent.stop(), 0);

    let agent = Agent::start("off");
    agent.swap_output();
    wait_for(&agent.log(), "file opened again");
    agent.append("logs/a.log", "two");
    wait_for(&agent.outside(), "two\n");
    assert_eq!(agent.stop(), 0);
}

#[test]
fn a_followed_directory_that_is_swapped_for_a_link_is_not_read() {
    let swap = |agent: &Agent| {
        agent.append("logs/a.log", "one");
        wait_for(&agent.clean(), "one\n");
        agent.append("outside/o.log", "from outside");
        std::fs::rename(agent.home.path("logs"), agent.home.path("moved")).unwrap();
        symlink(agent.home.path("outside"), agent.home.path("logs")).unwrap();
    };
    let agent = Agent::start("best_effort");
    swap(&agent);
    wait_for(&agent.log(), "ermission denied");
    // It goes on as soon as the directory is back.
    std::fs::remove_file(agent.home.path("logs")).unwrap();
    std::fs::rename(agent.home.path("moved"), agent.home.path("logs")).unwrap();
    agent.append("logs/a.log", "two");
    wait_for(&agent.clean(), "two\n");
    assert_eq!(std::fs::read_to_string(agent.clean()).unwrap(), "one\ntwo\n");
    assert_eq!(agent.stop(), 0);

    let agent = Agent::start("off");
    swap(&agent);
    wait_for(&agent.clean(), "from outside\n");
    assert_eq!(agent.stop(), 0);
}

#[test]
fn files_that_are_rotated_and_keys_that_are_replaced_are_opened_again() {
    let home = Home::with_key();
    // As Kubernetes mounts a secret.
    std::fs::create_dir_all(home.path("secrets/..1")).unwrap();
    std::fs::copy(home.default_key(), home.path("secrets/..1/key")).unwrap();
    symlink("..1", home.path("secrets/..data")).unwrap();
    symlink("..data/key", home.path("secrets/key")).unwrap();
    let agent = Agent::start_in(home, "best_effort");
    let home = &agent.home;
    for round in 0..3 {
        let line = format!("round {round}");
        agent.append("logs/a.log", &line);
        wait_for(&agent.clean(), &line);
        std::fs::rename(home.path("logs/a.log"), home.path(&format!("logs/a.log.{round}"))).unwrap();
        std::fs::rename(agent.clean(), home.path(&format!("clean/clean.log.{round}"))).unwrap();
        agent.hang_up();
        wait_for(&agent.clean(), "");
    }
    let made = home.beartrap(["key", "new", home.path("secrets/new").to_str().unwrap()]).output().unwrap();
    let id = text(&made.stdout).split(' ').next().unwrap().to_owned();
    std::fs::create_dir(home.path("secrets/..2")).unwrap();
    std::fs::rename(home.path("secrets/new"), home.path("secrets/..2/key")).unwrap();
    symlink("..2", home.path("secrets/..data_tmp")).unwrap();
    std::fs::rename(home.path("secrets/..data_tmp"), home.path("secrets/..data")).unwrap();
    std::fs::remove_dir_all(home.path("secrets/..1")).unwrap();
    agent.hang_up();
    wait_for(&agent.log(), "another key is active");
    agent.append("logs/a.log", "Authorization: Bearer 7Fh2k9Qd3Xw8Zp1Lm6Rt");
    wait_for(&agent.clean(), &format!("redacted-token-{id}-"));
    assert_eq!(agent.stop(), 0);
}

#[test]
fn privileges_are_given_up() {
    let status = |mode| {
        let agent = Agent::start(mode);
        let status = std::fs::read_to_string(format!("/proc/{}/status", agent.child.id())).unwrap();
        // Every thread has its own.
        let tasks = std::fs::read_dir(format!("/proc/{}/task", agent.child.id())).unwrap();
        let tasks: Vec<String> = tasks
            .filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("status")).ok())
            .chain([status])
            .collect();
        assert_eq!(agent.stop(), 0);
        let field = |text: &str, name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            u64::from_str_radix(line.trim_start_matches(':').trim(), 16).unwrap()
        };
        tasks
            .iter()
            .map(|text| [field(text, "NoNewPrivs"), field(text, "CapPrm"), field(text, "CapEff")])
            .collect::<Vec<_>>()
    };
    // CAP_DAC_READ_SEARCH, to follow the logs of others.
    const READ: u64 = 1 << 2;
    for [no_new, permitted, effective] in status("best_effort") {
        assert_eq!((no_new, permitted & !READ, effective & !READ), (1, 0, 0));
    }
    assert!(status("off").iter().all(|[no_new, ..]| *no_new == 0));
}

#[test]
fn validate_opens_what_will_be_opened_again() {
    let home = Home::with_key();
    let root = home.path("");
    let root = root.display();
    let config = format!(
        "data_dir = \"{root}/none/state\"\n[redact]\nkey_file = \"{root}/nokey\"\n[sources.in]\ntype = \"file\"\n\
         include = [\"{root}/logs/*.log\"]\n[sinks.out]\ntype = \"file\"\ninputs = [\"in\"]\npath = \"{root}/clean/clean.log\"\n"
    );
    let path = home.file("config.toml", config);
    let validate = || home.beartrap(["validate", "--config", path.to_str().unwrap()]).output().unwrap();
    let output = validate();
    let messages = text(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{messages}");
    assert!(messages.contains("nokey") && messages.contains("sink out"), "{messages}");
    std::fs::copy(home.default_key(), home.path("nokey")).unwrap();
    std::fs::create_dir(home.path("clean")).unwrap();
    let output = validate();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    assert!(!home.path("none").exists() && !home.path("clean/clean.log").exists(), "it made something");
}

#[test]
fn require_starts_only_where_all_can_be_restricted() {
    let home = Home::with_key();
    let config =
        "sandbox = \"require\"\n[sources.in]\ntype = \"stdin\"\n[sinks.out]\ntype = \"stdout\"\ninputs = [\"in\"]\n";
    let config = home.file("config.toml", config);
    let started = Instant::now();
    let output = home.beartrap(["run", "--config", config.to_str().unwrap()]).output().unwrap();
    let messages = text(&output.stderr);
    // Of a kernel without it the message is tested where it is made.
    match output.status.code() {
        Some(0) => assert!(messages.contains("files and ports are restricted"), "{messages}"),
        code => assert!(code == Some(78) && messages.contains("Landlock"), "{code:?} {messages}"),
    }
    assert!(started.elapsed() < PATIENCE);
}

/// Lines come by sockets of all kinds, and leave to a peer that has a name.
#[test]
fn sockets_of_the_configuration_work() {
    use std::io::{BufRead, BufReader, Write};
    let home = Home::with_key();
    let collector = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = collector.local_addr().unwrap().port();
    let path = home.path("run.sock");
    let config = home.file(
        "config.toml",
        format!(
            "sandbox = \"best_effort\"\n[sources.tcp]\ntype = \"tcp\"\naddress = \"127.0.0.1:0\"\n[sources.udp]\ntype = \"udp\"\n\
             address = \"127.0.0.1:0\"\n[sources.unix]\ntype = \"unix\"\npath = {path:?}\n[sinks.out]\ntype = \"tcp\"\n\
             inputs = [\"tcp\", \"udp\", \"unix\"]\naddress = \"localhost:{port}\"\n"
        ),
    );
    let log = home.path("log");
    let mut command = home.beartrap(["run", "--config", config.to_str().unwrap()]);
    let mut child = command.stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
    let (arrived, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(collector.accept().unwrap().0).lines() {
            let _ = arrived.send(line.unwrap());
        }
    });
    wait_for(&log, "source=\"unix\"");
    let mut socket = std::os::unix::net::UnixStream::connect(&path).unwrap();
    socket.write_all(b"by unix\n").unwrap();
    assert_eq!(lines.recv_timeout(PATIENCE).unwrap(), "by unix");
    drop(socket);
    kill("TERM", child.id());
    assert_eq!(wait(&mut child).code(), Some(0));
    assert!(!path.exists(), "the socket is left");
}
