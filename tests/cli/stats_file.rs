//! `--stats-file`: what node_exporter reads of a filter that runs, and of one that has ended.

use crate::support::{Home, PATIENCE, feed, kill, text, wait};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const TOKEN: &str = "7Fh2k9Qd3Xw8Zp1Lm6Rt";

/// The value of a sample whose name and labels begin so.
fn metric(file: &Path, name_and_labels: &str) -> Option<f64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name_and_labels))?;
    line.rsplit_once(' ')?.1.parse().ok()
}

fn assert_promtool_agrees(file: &Path) {
    let output = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(std::fs::File::open(file).unwrap())
        .output()
        .expect("promtool is in Debian's package prometheus");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}", text(&said));
}

#[test]
fn a_filter_tells_while_it_runs_and_at_the_end() {
    let home = Home::with_key();
    let file = home.path("nginx.prom");
    let mut command = home.beartrap(["--stats-file".as_ref(), file.as_os_str()]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let line = format!("GET /?access_token={TOKEN} 200\n");
    stdin.write_all(line.as_bytes()).unwrap();
    let (deadline, seen) =
        (Instant::now() + PATIENCE, "beartrap_component_received_bytes_total{component_id=\"nginx\"");
    while metric(&file, seen) != Some(line.len() as f64) {
        assert!(Instant::now() < deadline, "it does not tell while it runs");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(metric(&file, "beartrap_running"), Some(1.0));
    assert_promtool_agrees(&file);
    stdin.write_all(b"one more\n").unwrap();
    drop(stdin);
    assert!(wait(&mut child).success());
    assert_eq!(metric(&file, "beartrap_component_received_events_total"), Some(2.0));
    assert_eq!(metric(&file, "beartrap_running"), Some(0.0));
    let findings = r#"beartrap_findings_total{source="nginx",kind="token",carrier="query"}"#;
    assert_eq!(metric(&file, findings), Some(1.0));
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains(TOKEN) && !text.contains("redacted"), "{text}");
    assert_promtool_agrees(&file);
    let names: Vec<_> = std::fs::read_dir(home.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().contains(".tmp")), "{names:?}");
}

#[test]
fn a_signal_leaves_the_last_numbers() {
    let home = Home::with_key();
    let file = home.path("x.prom");
    let mut child = home.beartrap(["--stats-file".as_ref(), file.as_os_str()]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"one\n").unwrap();
    crate::support::read_exact(child.stdout.take().unwrap(), 4);
    kill("TERM", child.id());
    drop(stdin);
    wait(&mut child);
    assert_eq!(metric(&file, "beartrap_component_sent_bytes_total"), Some(4.0));
    assert_eq!(metric(&file, "beartrap_running"), Some(0.0));
}

#[test]
fn both_outputs_of_a_command_are_counted() {
    let home = Home::with_key();
    let file = home.path("job.prom");
    let script = format!("echo Authorization: Bearer {TOKEN}; echo Authorization: Bearer {TOKEN} >&2; exit 3");
    let arguments = ["exec", "--stats-file", file.to_str().unwrap(), "--", "sh", "-c", &script];
    let output = home.beartrap(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert_eq!(metric(&file, "beartrap_component_received_events_total"), Some(2.0));
    let findings = r#"beartrap_findings_total{source="job",kind="token",carrier="authorization"}"#;
    assert_eq!(metric(&file, findings), Some(2.0));
    assert!(std::fs::read_to_string(&file).unwrap().contains("component_type=\"exec\""));
    assert_promtool_agrees(&file);
}

#[test]
fn what_is_read_written_or_held_is_never_replaced() {
    let home = Home::with_key();
    let (input, key) = (home.file("in.log", ""), home.default_key());
    let before = std::fs::read(&key).unwrap();
    let input = input.to_str().unwrap();
    for (arguments, why) in [
        (vec!["--stats-file", input, input], "it is an input"),
        (vec!["--stats-file", key.to_str().unwrap()], "it holds something else"),
        (vec!["--stats-file", "/dev/null"], "it is no regular file"),
        (vec!["--stats-file", "/nonexistent/x.prom"], "No such file"),
        (vec!["--stats-file", input, "--output", input], "it is the output"),
    ] {
        let output = feed(home.beartrap(&arguments), b"one\n");
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(74), "{arguments:?}: {message}");
        assert!(message.contains(why) && output.stdout.is_empty(), "{arguments:?}: {message}");
    }
    assert_eq!(std::fs::read(&key).unwrap(), before);
}

#[test]
fn a_folder_that_goes_is_a_warning_and_the_data_goes_on() {
    let home = Home::with_key();
    let folder = home.path("textfile");
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("x.prom");
    let mut child = home.beartrap(["--stats-file".as_ref(), file.as_os_str()]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"one\n").unwrap();
    let deadline = Instant::now() + PATIENCE;
    while !file.exists() {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(5));
    }
    std::fs::remove_dir_all(&folder).unwrap();
    stdin.write_all(b"two\n").unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!((text(&output.stdout).as_str(), output.status.code()), ("one\ntwo\n", Some(0)));
    assert!(text(&output.stderr).contains("statistics can't be written"), "{}", text(&output.stderr));
}
