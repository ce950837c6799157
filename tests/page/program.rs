//! The real program: an agent's ledger, and the report that is made of it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_beartrap"));
        command.args(words).env_clear().env("HOME", self.0.path()).current_dir(self.0.path());
        command
    }

    /// Runs an agent over an input.
    pub fn redact(&self, input: &str) {
        let mut agent = self.command(&["run", "--config", "config.toml"]);
        let mut agent = agent.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        agent.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = agent.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Makes the page of the ledger.
    pub fn report(&self, path: &Path, filter: &[&str]) {
        let words = ["exposures", "report", "--format", "html", "--ledger", "data/ledger.db", "--output"];
        let output = self.command(&words).arg(path).args(filter).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
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
