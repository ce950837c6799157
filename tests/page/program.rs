//! The real program: an agent's ledger, and the report that is made of it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// A directory with a key, a configuration and a ledger.
pub struct Home(tempfile::TempDir);

/// A JWT with these claims, and its signature.
pub fn jwt(claims: &Value, number: usize) -> (String, String) {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT"}"#);
    let signature = URL_SAFE_NO_PAD.encode(super::rows::fingerprint(number).repeat(4));
    (format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(claims.to_string())), signature)
}

impl Home {
    /// With an agent from standard input to standard output, and these keys besides.
    pub fn new(config: &str) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        let path = home.path("data").display().to_string();
        let config = format!(
            "data_dir = {path:?}\n{config}\n[sources.web]\ntype = \"stdin\"\n[sinks.out]\ntype = \"stdout\"\ninputs = [\"web\"]\n\
             [ledger]\ninstance = \"test\"\n"
        );
        std::fs::write(home.path("config.toml"), config).unwrap();
        assert!(home.command(&["key", "new"]).output().unwrap().status.success());
        home
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file that nobody else may read.
    pub fn private(&self, name: &str, text: &str) {
        let file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(self.path(name));
        file.unwrap().write_all(text.as_bytes()).unwrap();
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_beartrap"));
        command.args(words).env_clear().env("HOME", self.0.path()).current_dir(self.0.path());
        command
    }

    /// Starts an agent, which ends with its input.
    pub fn agent(&self) -> Agent {
        let log = std::fs::File::create(self.path("agent.log")).unwrap();
        let mut agent = self.command(&["run", "--config", "config.toml"]);
        Agent(agent.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    /// Where the agent's API is.
    pub fn address(&self) -> String {
        let began = Instant::now();
        loop {
            let log = std::fs::read_to_string(self.path("agent.log")).unwrap();
            let found = log.split_once("address=\"127.0.0.1:").and_then(|(_, rest)| rest.split('"').next());
            if let Some(port) = found {
                return format!("http://127.0.0.1:{port}/");
            }
            assert!(began.elapsed() < PATIENCE, "it does not listen: {log}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Makes the page of the ledger.
    pub fn report(&self, path: &Path, filter: &[&str]) {
        let words = ["exposures", "report", "--format", "html", "--ledger", "data/ledger.db", "--output"];
        let output = self.command(&words).arg(path).args(filter).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// A running agent.
pub struct Agent(Child);

impl Agent {
    pub fn write(&mut self, input: &str) {
        self.0.stdin.as_mut().unwrap().write_all(input.as_bytes()).unwrap();
    }

    /// Ends the input, and with it the agent.
    pub fn end(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Three lines, two tokens of which one never expires and stood in a URL; and what nobody may ever see of them.
pub fn log(issuer: &str) -> (String, [String; 2]) {
    let (forever, first) = jwt(&json!({"iss": issuer, "sub": "alice", "aud": "orders"}), 1);
    let (over, second) = jwt(&json!({"iss": "https://login.example", "exp": 1_700_000_000}), 2);
    let log = format!(
        "GET /?access_token={forever} HTTP/1.1\nAuthorization: Bearer {forever}\nAuthorization: Bearer {over}\n"
    );
    (log, [first, second])
}
