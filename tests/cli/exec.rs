//! `beartrap exec -- COMMAND …`

use crate::support::{Home, feed, kill, text, wait};
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn shell(home: &Home, script: &str) -> Command {
    home.beartrap(["exec", "--", "sh", "-c", script])
}

#[test]
fn outputs_stay_apart_and_the_code_is_the_commands() {
    let home = Home::with_key();
    let output = shell(&home, "echo out; printf err >&2; exit 5").output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    assert_eq!((text(&output.stdout).as_str(), text(&output.stderr).as_str()), ("out\n", "err"));
}

#[test]
fn it_reads_what_the_command_would_read() {
    let home = Home::with_key();
    let output = feed(home.beartrap(["exec", "--", "cat"]), b"through");
    assert_eq!((text(&output.stdout).as_str(), output.status.code()), ("through", Some(0)));
}

#[test]
fn a_command_that_does_not_start_is_reported_as_by_a_shell() {
    let home = Home::with_key();
    let plain = home.file("plain", "text");
    std::fs::set_permissions(&plain, std::fs::Permissions::from_mode(0o644)).unwrap();
    for (program, code, reason) in
        [("/nonexistent/program", 127, "command not found"), (plain.to_str().unwrap(), 126, "can't execute")]
    {
        let output = home.beartrap(["exec", "--", program, "hunter2"]).output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        let message = text(&output.stderr);
        assert!(message.starts_with(&format!("beartrap: {program}: {reason}")), "{message}");
        assert!(!message.contains("hunter2"));
    }
}

#[test]
fn a_commands_death_by_a_signal_shows_in_the_code() {
    let home = Home::with_key();
    for (signal, code) in [("KILL", 137), ("TERM", 143)] {
        assert_eq!(shell(&home, &format!("kill -s {signal} $$")).output().unwrap().status.code(), Some(code));
    }
}

#[test]
fn signals_are_passed_on() {
    let home = Home::with_key();
    for signal in ["HUP", "INT", "QUIT", "TERM", "USR1", "USR2"] {
        let script = format!("trap 'echo got {signal}; exit 4' {signal}; echo ready; while :; do sleep 0.05; done");
        let mut child = shell(&home, &script).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut [0; 6]).unwrap();
        kill(signal, child.id());
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        assert_eq!((rest, wait(&mut child).code()), (format!("got {signal}\n"), Some(4)));
    }
}

#[test]
fn what_was_ignored_is_ignored_by_the_command_too() {
    let home = Home::with_key();
    let mut outer = home.command("sh");
    let script = "trap '' HUP; exec \"$0\" exec -- sh -c 'kill -s HUP $$; echo still here'";
    let output = outer.args(["-c", script, env!("CARGO_BIN_EXE_beartrap")]).output().unwrap();
    assert_eq!((text(&output.stdout).as_str(), output.status.code()), ("still here\n", Some(0)));
}

#[test]
fn a_process_left_behind_holds_nobody_up() {
    let home = Home::with_key();
    let started = Instant::now();
    let output = shell(&home, "sleep 60 & echo $!; exit 6").output().unwrap();
    assert_eq!(output.status.code(), Some(6));
    assert!(started.elapsed() < Duration::from_secs(30));
    kill("KILL", text(&output.stdout).trim_end());
}

#[test]
fn what_a_process_left_behind_says_soon_is_heard() {
    let home = Home::with_key();
    let output = shell(&home, "(sleep 0.3; echo late) & echo early").output().unwrap();
    assert_eq!(text(&output.stdout), "early\nlate\n");
}

#[test]
fn a_reader_that_goes_ends_the_command_as_in_any_pipe() {
    let home = Home::with_key();
    let mut child = home.beartrap(["exec", "--", "yes"]).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(wait(&mut child).code(), Some(128 + 13));
}

#[cfg(target_os = "linux")]
#[test]
fn lost_output_is_a_failure() {
    let home = Home::with_key();
    for (script, code) in [("echo text", 74), ("echo text; exit 5", 5)] {
        let mut command = shell(&home, script);
        let output = command.stdout(File::options().write(true).open("/dev/full").unwrap()).output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        assert!(text(&output.stderr).starts_with("beartrap: can't write to standard output: No space left"));
    }
}

#[test]
fn the_commands_core_limit_is_the_users() {
    let home = Home::with_key();
    let mut direct = home.command("sh");
    let direct = direct.args(["-c", "ulimit -c"]).output().unwrap().stdout;
    assert_eq!(text(&shell(&home, "ulimit -c").output().unwrap().stdout), text(&direct));
}

#[test]
fn a_prompt_leaves_at_once() {
    let home = Home::with_key();
    let mut child = shell(&home, "printf 'name? '; read name; echo $name").stdin(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 6]).unwrap();
    child.stdin.take().unwrap().write_all(b"bear\n").unwrap();
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "bear\n");
    assert!(wait(&mut child).success());
}
