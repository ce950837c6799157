//! The program at its most talkative, over input full of credentials: nothing of any of them is in any byte that it
//! writes anywhere, and nothing of the key.

#![cfg(target_os = "linux")]

mod support;

use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);
/// As much of a credential is worth something to whoever finds it.
const PIECE_LEN: usize = 12;
/// The last line of every input: when it is out, all is.
const LAST: &str = "this is the last line";

/// A folder that goes with the test.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().expect("a folder"));
        std::fs::create_dir(place.path("home")).expect("home");
        let key = place.file("key", support::KEY);
        std::fs::set_permissions(key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("mode");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), contents).expect("a file is written");
        self.path(name)
    }

    /// The program as it tells most.
    fn beartrap(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_beartrap"));
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", self.path("home"));
        command.env("RUST_BACKTRACE", "1").env("RUST_LOG", "trace").env("BEARTRAP_KEY_FILE", self.path("key"));
        command.current_dir(self.0.path()).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// All files below, but for the input and the key.
    fn written(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let (mut files, mut folders) = (Vec::new(), vec![self.0.path().to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else if ![self.path("key"), self.path("input.log")].contains(&path) {
                    files.push((path.clone(), std::fs::read(&path).expect("a file")));
                }
            }
        }
        files
    }
}

/// Every credential of the table, in each of the forms that lead to one, and whole cases of the table.
fn input() -> (Vec<u8>, Vec<Vec<u8>>) {
    let (mut input, mut secrets) = (Vec::new(), Vec::new());
    for (name, token) in support::tokens() {
        // A lone header and a cursor are no secrets.
        if name == "header" || name == "cursor" {
            continue;
        }
        let line = format!(
            "{name} Authorization: Bearer {token}\n{{\"access_token\": \"{token}\", \"n\": 1}}\nGET /?access_token={token}&a=b\n"
        );
        input.extend_from_slice(line.as_bytes());
        secrets.push(token.into_bytes());
    }
    // The others say what must stay, hashes that look like a credential above among it.
    for case in support::corpus().iter().filter(|case| !case.secrets.is_empty()) {
        input.extend_from_slice(&[&case.input[..], b"\n\n"].concat());
    }
    input.extend_from_slice(format!("{LAST}\n").as_bytes());
    (input, secrets)
}

/// Nothing of a credential or the key is in these bytes.
fn assert_secret(what: &str, bytes: &[u8], secrets: &[Vec<u8>]) {
    for secret in secrets {
        let dot = secret.iter().position(|&byte| byte == b'.').map_or(0, |dot| dot + 1);
        let header = secret.starts_with(b"ey") || secret.starts_with(b"ew");
        let secret = if header { &secret[dot..] } else { secret };
        for piece in secret.windows(PIECE_LEN.min(secret.len())) {
            let found = memchr::memmem::find(bytes, piece);
            assert!(
                found.is_none(),
                "{what} holds {} near {}",
                piece.escape_ascii(),
                bytes[found.unwrap_or(0).saturating_sub(80)..][..120.min(bytes.len())].escape_ascii()
            );
        }
    }
    let lower = bytes.to_ascii_lowercase();
    for piece in support::KEY.as_bytes().windows(PIECE_LEN) {
        assert!(memchr::memmem::find(&lower, piece).is_none(), "{what} holds a piece of the key");
    }
}

fn assert_output(output: &Output, secrets: &[Vec<u8>]) {
    let stderr = output.stderr.escape_ascii();
    assert!(output.status.success(), "{}: {stderr}", output.status);
    assert_secret("standard output", &output.stdout, secrets);
    assert_secret("standard error", &output.stderr, secrets);
    assert!(!output.stderr.is_empty(), "at its most talkative it says something");
}

fn assert_last(bytes: &[u8]) {
    assert!(memchr::memmem::find(bytes, LAST.as_bytes()).is_some(), "the last line is missing");
    assert!(memchr::memmem::find(bytes, b"redacted-jwt-").is_some(), "nothing was redacted");
}

fn feed(mut command: Command, input: &[u8]) -> Output {
    let mut child = command.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).expect("the program reads"));
        child.wait_with_output().expect("the program ends")
    })
}

fn assert_written(place: &Place, secrets: &[Vec<u8>]) {
    for (path, contents) in place.written() {
        assert_secret(&path.display().to_string(), &contents, secrets);
    }
}

fn wait_for_last(path: &Path) {
    let deadline = Instant::now() + PATIENCE;
    while !std::fs::read(path).is_ok_and(|contents| memchr::memmem::find(&contents, LAST.as_bytes()).is_some()) {
        assert!(Instant::now() < deadline, "the last line never comes");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn stop(child: Child) -> Output {
    let status = Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status().expect("kill");
    assert!(status.success());
    child.wait_with_output().expect("the program ends")
}

#[test]
fn the_filter_tells_nothing() {
    for codec in ["text", "json"] {
        let (input, secrets) = input();
        let place = Place::new();
        let output = feed(place.beartrap(&["--log-level", "trace", "--stats", "--codec", codec]), &input);
        assert_output(&output, &secrets);
        assert_last(&output.stdout);
        let file = place.file("input.log", &input);
        let file = file.to_str().expect("text");
        let output = feed(place.beartrap(&["--log-level", "trace", "--stats", "--output", "clean", file]), b"");
        assert_output(&output, &secrets);
        assert_written(&place, &secrets);
    }
}

#[test]
fn exec_tells_nothing() {
    let (input, secrets) = input();
    let place = Place::new();
    place.file("input.log", &input);
    let arguments = ["--log-level", "trace", "exec", "--", "sh", "-c", "cat input.log; cat input.log >&2"];
    let output = place.beartrap(&arguments).output().expect("the program runs");
    assert_output(&output, &secrets);
    assert_last(&output.stdout);
    assert_last(&output.stderr);
    assert_written(&place, &secrets);
}

fn run(place: &Place, config: &str) -> Command {
    place.file("config.toml", config);
    place.beartrap(&["--log-level", "trace", "run", "--config", "config.toml"])
}

#[test]
fn the_agent_in_a_pipe_tells_nothing() {
    for codec in ["text", "json"] {
        let (input, secrets) = input();
        let place = Place::new();
        let config = format!(
            "data_dir = \"data\"\n[sources.in]\ntype = \"stdin\"\ndecoding.codec = \"{codec}\"\n\
             [sinks.out]\ntype = \"stdout\"\ninputs = [\"in\"]\n"
        );
        let output = feed(run(&place, &config), &input);
        assert_output(&output, &secrets);
        assert_last(&output.stdout);
        assert_written(&place, &secrets);
    }
}

#[test]
fn the_agent_that_follows_files_tells_nothing() {
    let (input, secrets) = input();
    let place = Place::new();
    place.file("input.log", &input);
    let config = "data_dir = \"data\"\n[sources.logs]\ntype = \"file\"\ninclude = [\"input.log\"]\nread_from = \"beginning\"\n\
                  poll_interval_secs = 0.05\ncheckpoint_interval_secs = 0.1\n\
                  [sinks.clean]\ntype = \"file\"\ninputs = [\"logs\"]\npath = \"clean.log\"\n";
    let child = run(&place, config).spawn().expect("the program starts");
    wait_for_last(&place.path("clean.log"));
    assert_output(&stop(child), &secrets);
    assert_written(&place, &secrets);
    assert!(place.written().iter().any(|(path, _)| path.starts_with(place.path("data"))), "no checkpoint was written");
}

#[test]
fn the_agent_behind_a_socket_tells_nothing() {
    let (input, secrets) = input();
    let place = Place::new();
    let address = "127.0.0.1:0";
    let config = format!(
        "[sources.net]\ntype = \"tcp\"\naddress = \"{address}\"\n\
         [sinks.clean]\ntype = \"file\"\ninputs = [\"net\"]\npath = \"clean.log\"\n"
    );
    let log = place.path("log");
    let mut command = run(&place, &config);
    command.stderr(std::fs::File::create(&log).expect("a log"));
    let child = command.spawn().expect("the program starts");
    let mut stream = TcpStream::connect(listening(&log)).expect("the agent listens");
    stream.write_all(&input).expect("the agent reads");
    drop(stream);
    wait_for_last(&place.path("clean.log"));
    let output = stop(child);
    assert!(output.status.success());
    assert_written(&place, &secrets);
    assert_last(&std::fs::read(place.path("clean.log")).expect("the output"));
}

/// The address that the agent says it listens on.
fn listening(log: &Path) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = std::fs::read_to_string(log).expect("a log");
        let address =
            text.split("127.0.0.1:").skip(1).map(|rest| rest.split(|byte: char| !byte.is_ascii_digit()).next());
        if let Some(port) = address.flatten().find(|port| !port.is_empty() && *port != "0") {
            return format!("127.0.0.1:{port}");
        }
        assert!(Instant::now() < deadline, "the agent never says where it listens:\n{text}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
