//! The files in `config/` by which beartrap is deployed: that what they say to it holds.

use beartrap::agent::Limits;
use beartrap::agent::config::{Config, SourceKind};
use std::path::Path;
use std::process::Command;

const UNIT: &str = include_str!("../config/beartrap.service");
const MANIFEST: &str = include_str!("../config/kubernetes-sidecar.yaml");
const DOCKERFILE: &str = include_str!("../config/Dockerfile");

/// The lines of a block scalar (`name: |`) of a YAML file, without their indentation.
fn block(yaml: &str, name: &str) -> String {
    let head = format!("{name}: |\n");
    let at = yaml.find(&head).expect("the block is there") + head.len();
    let indent = yaml[at..].len() - yaml[at..].trim_start().len();
    let inside = |line: &&str| line.trim().is_empty() || line.starts_with(&" ".repeat(indent));
    yaml[at..].lines().take_while(inside).map(|line| line.get(indent..).unwrap_or("").to_owned() + "\n").collect()
}

/// The value of a `key=` line of a unit.
fn setting<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

fn manifest_config() -> Config {
    let text = block(MANIFEST, "beartrap.toml");
    Config::parse(&text, Path::new("beartrap.toml"), Path::new("/")).unwrap_or_else(|errors| panic!("{errors}"))
}

fn seconds(text: &str) -> u64 {
    text.trim().parse().expect("whole seconds")
}

/// The program takes these words: with a file that is missing it fails for that alone.
fn assert_taken(words: &[&str]) {
    let words = words.iter().map(|word| if word.starts_with("/etc/") { "/nonexistent/agent.toml" } else { word });
    let output = Command::new(env!("CARGO_BIN_EXE_beartrap")).args(words).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("/nonexistent/agent.toml"), "{said}");
}

#[test]
fn the_units_commands_are_taken() {
    for key in ["ExecStartPre", "ExecStart"] {
        let [command] = setting(UNIT, key)[..] else { panic!("one {key}") };
        let words: Vec<&str> = command.split_whitespace().collect();
        assert_eq!(words[0], "/usr/local/bin/beartrap");
        assert_taken(&words[1..]);
    }
    assert_eq!(setting(UNIT, "RestartPreventExitStatus"), ["78"]);
}

#[test]
fn a_manager_waits_longer_than_the_agent() {
    let config = manifest_config();
    let grace = config.shutdown_grace.as_secs();
    let manifest = MANIFEST.lines().find_map(|line| line.trim().strip_prefix("terminationGracePeriodSeconds:"));
    assert!(seconds(manifest.expect("it is set")) > grace);
    assert!(seconds(setting(UNIT, "TimeoutStopSec")[0]) > grace, "10 s is the default");
}

#[test]
fn the_manifests_limits_fit_its_memory() {
    let config = manifest_config();
    let memory = MANIFEST.lines().find_map(|line| line.trim().strip_prefix("limits: {memory: ")).expect("a limit");
    let mib: usize = memory.trim_end_matches("Mi}").parse().expect("in MiB");
    let total = Limits::of(&config).total_bytes();
    assert!(total < (mib - 16) << 20, "{total} bytes of {mib} MiB");
}

#[test]
fn the_manifest_keeps_raw_lines_in_the_pod() {
    let config = manifest_config();
    let SourceKind::Tcp(tcp) = &config.sources[0].kind else { panic!("no tcp source") };
    assert!(tcp.address.ip().is_loopback());
    assert!(MANIFEST.contains(&format!("LOG_ADDRESS, value: \"{}\"", tcp.address)));
    let arguments = MANIFEST.lines().find_map(|line| line.trim().strip_prefix("args: [")).expect("arguments");
    let words: Vec<&str> = arguments.trim_end_matches(']').split(", ").map(|word| word.trim_matches('"')).collect();
    assert_taken(&words);
}

#[test]
fn the_image_copies_what_the_build_needs() {
    let manifest: toml::Table = include_str!("../Cargo.toml").parse().expect("TOML");
    let rust = manifest["package"]["rust-version"].as_str().expect("a version");
    assert!(DOCKERFILE.contains(&format!("FROM rust:{rust}-")));
    let copied = |name: &str| DOCKERFILE.lines().any(|line| line.starts_with("COPY ") && line.contains(name));
    for name in ["Cargo.toml", "Cargo.lock", "src", "benches"] {
        assert!(copied(name), "{name}");
    }
}
