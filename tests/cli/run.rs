//! `beartrap run` and `beartrap validate`.

use crate::support::{Home, feed, text};

const CONFIG: &str = "[sources.in]\ntype = \"stdin\"\n[sinks.out]\ntype = \"stdout\"\ninputs = [\"in\"]\n";

#[test]
fn a_valid_configuration_runs() {
    let home = Home::with_key();
    let config = home.file("config.toml", CONFIG);
    let with = |command: &'static str| home.beartrap([command.as_ref(), "--config".as_ref(), config.as_os_str()]);
    let validated = with("validate").output().unwrap();
    assert_eq!((validated.status.code(), validated.stderr.len(), validated.stdout.len()), (Some(0), 0, 0));
    let output = feed(with("run"), b"one\ntwo");
    assert_eq!((text(&output.stdout).as_str(), output.status.code()), ("one\ntwo", Some(0)));
    assert!(text(&output.stderr).contains(" INFO beartrap::"));
    let output = feed(
        {
            let mut run = with("run");
            run.args(["--log-level", "error"]);
            run
        },
        b"one\n",
    );
    assert_eq!((text(&output.stdout).as_str(), text(&output.stderr).as_str()), ("one\n", ""));
    let output = feed(
        {
            let mut run = with("run");
            run.args(["--log-format", "json"]);
            run
        },
        b"one\n",
    );
    assert!(text(&output.stderr).lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
}

#[test]
fn an_invalid_configuration_does_not() {
    let home = Home::with_key();
    let config = home.file("config.toml", CONFIG.replace("stdin", "hunter2"));
    for command in ["run", "validate"] {
        let output = home.beartrap([command.as_ref(), "--config".as_ref(), config.as_os_str()]).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(78), 0));
        let messages = text(&output.stderr);
        assert!(messages.contains(&format!("{}:2:", config.display())), "{messages}");
        let output = home.beartrap([command, "--config", "/nonexistent/config.toml"]).output().unwrap();
        assert_eq!(output.status.code(), Some(78));
        assert!(text(&output.stderr).contains("/nonexistent/config.toml"));
    }
}

#[test]
fn files_for_tls_are_checked_and_all_that_is_wrong_is_said_at_once() {
    let home = Home::with_key();
    let secret = home.file("tls.key", "hunter2");
    let tls =
        format!("tls = {{ enabled = true, crt_file = \"/nonexistent/tls.crt\", key_file = \"{}\" }}", secret.display());
    let config = home.file(
        "config.toml",
        format!(
            "[sources.in]\ntype = \"tcp\"\naddress = \"127.0.0.1:0\"\n{tls}\n\
             [sinks.out]\ntype = \"tcp\"\naddress = \"collector.example:6514\"\ninputs = [\"in\"]\n\
             tls = {{ enabled = true, ca_file = \"{}\" }}\n",
            secret.display()
        ),
    );
    for command in ["run", "validate"] {
        let output = home.beartrap([command.as_ref(), "--config".as_ref(), config.as_os_str()]).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(78), 0));
        let messages = text(&output.stderr);
        assert!(
            messages.contains("source `in`: `tls.crt_file` /nonexistent/tls.crt: there is no such file"),
            "{messages}"
        );
        assert!(messages.contains("sink `out`: `tls.ca_file`"), "{messages}");
        assert!(!messages.contains("hunter2"), "{messages}");
    }
}
