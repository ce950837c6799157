//! `beartrap [FILE]...`

use crate::support::{Home, feed, read_exact, text, wait};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

#[test]
fn bytes_without_credentials_stay_as_they_are() {
    let home = Home::with_key();
    let mut input: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    input.extend_from_slice(b"\r\n\n\rno last newline");
    let codecs = ["text", "json", "cri", "docker"].map(|codec| ["--codec", codec]);
    for arguments in codecs.iter().map(|codec| &codec[..]).chain([&[][..], &["-"], &["--stats"]]) {
        let output = feed(home.beartrap(arguments), &input);
        assert!(output.status.success());
        assert!(output.stdout == input, "{arguments:?}");
    }
    assert!(home.beartrap::<&str>([]).output().unwrap().stdout.is_empty());
}

#[test]
fn parts_of_a_line_are_joined_over_the_rotation_of_their_file() {
    let home = Home::with_key();
    let line = |rest: &str| format!("2016-10-06T00:17:09.669794202Z {rest}\n");
    let old = [line("stdout P Authorization: Bearer 0123456789abcdef"), line("stderr F between")].concat();
    let (old, new) = (home.file("0.log.1", &old), home.file("0.log", line("stdout F 0123456789abcdef more")));
    let output =
        home.beartrap(["--codec".as_ref(), "cri".as_ref(), old.as_os_str(), new.as_os_str()]).output().unwrap();
    assert!(output.status.success());
    let clean = text(&output.stdout);
    let lines: Vec<_> = clean.lines().collect();
    assert!(lines[0].starts_with(line("stdout P Authorization: Bearer redacted-token-").trim_end()), "{clean}");
    assert_eq!(lines[1..], [line("stderr F between").trim_end(), line("stdout F  more").trim_end()]);
}

#[test]
fn inputs_are_read_in_order() {
    let home = Home::with_key();
    let (a, b) = (home.file("a", "first"), home.file("b", "third\n"));
    let output = feed(home.beartrap([a.as_os_str(), "-".as_ref(), b.as_os_str()]), b"second");
    assert_eq!((text(&output.stdout).as_str(), output.status.code()), ("firstsecondthird\n", Some(0)));
}

#[test]
fn an_unreadable_input_does_not_stop_the_others() {
    let home = Home::with_key();
    let (a, b, none) = (home.file("a", "first\n"), home.file("b", "last\n"), home.path("none"));
    let output = home.beartrap([&a, &none, &home.path("."), &b]).output().unwrap();
    assert_eq!((text(&output.stdout).as_str(), output.status.code()), ("first\nlast\n", Some(74)));
    let messages = text(&output.stderr);
    assert_eq!(messages.lines().count(), 2, "{messages}");
    assert!(messages.starts_with(&format!("beartrap: can't read {}: ", none.display())), "{messages}");
}

#[test]
fn a_mistyped_subcommand_is_pointed_out() {
    let output = Home::with_key().beartrap(["validat"]).output().unwrap();
    assert_eq!(output.status.code(), Some(74));
    assert!(text(&output.stderr).trim_end().ends_with("; there is a subcommand validate"));
}

#[test]
fn a_file_named_like_a_subcommand_is_read() {
    let home = Home::with_key();
    let run = home.file("run", "in run\n");
    for name in [&["./run"][..], &["--", "run"]] {
        let output = home.beartrap(name).current_dir(run.parent().unwrap()).output().unwrap();
        assert_eq!(text(&output.stdout), "in run\n");
    }
}

#[test]
fn a_prompt_leaves_at_once() {
    let home = Home::with_key();
    let mut child = home.beartrap::<&str>([]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"continue? ").unwrap();
    assert_eq!(read_exact(child.stdout.take().unwrap(), 10), b"continue? ");
    drop(stdin);
    assert!(wait(&mut child).success());
}

#[test]
fn a_reader_that_goes_is_no_failure() {
    let home = Home::with_key();
    let big = home.file("big", vec![b'\n'; 4 << 20]);
    let mut child = home.beartrap([&big]).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 1]).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
}

#[test]
fn a_reader_that_goes_is_noticed_while_nothing_is_read() {
    let home = Home::with_key();
    let mut child = home.beartrap::<&str>([]).stdin(Stdio::piped()).spawn().unwrap();
    let stdin = child.stdin.take();
    drop(child.stdout.take());
    assert_eq!(wait(&mut child).code(), Some(0));
    drop(stdin);
}

#[test]
fn an_output_file_is_private_and_emptied() {
    let home = Home::with_key();
    let (input, output) = (home.file("in", "short\n"), home.path("out"));
    let filter = || home.beartrap(["--output".as_ref(), output.as_os_str(), input.as_os_str()]).output().unwrap();
    assert_eq!((filter().status.code(), std::fs::read(&output).unwrap()), (Some(0), b"short\n".to_vec()));
    assert_eq!(std::fs::metadata(&output).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::write(&output, "something that is longer\n").unwrap();
    std::fs::set_permissions(&output, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!((filter().status.code(), std::fs::read(&output).unwrap()), (Some(0), b"short\n".to_vec()));
    assert_eq!(std::fs::metadata(&output).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn an_input_is_never_the_output() {
    let home = Home::with_key();
    let (log, hard, soft) = (home.file("log", "precious\n"), home.path("hard"), home.path("soft"));
    std::fs::hard_link(&log, &hard).unwrap();
    std::os::unix::fs::symlink(&log, &soft).unwrap();
    let append = || File::options().append(true).open(&log).unwrap();
    let mut same = home.beartrap(["--output".as_ref(), log.as_os_str(), log.as_os_str()]);
    let mut linked = home.beartrap(["--output".as_ref(), hard.as_os_str(), soft.as_os_str()]);
    let mut from_stdin = home.beartrap(["--output".as_ref(), log.as_os_str()]);
    from_stdin.stdin(File::open(&log).unwrap());
    let mut to_stdout = home.beartrap([&log]);
    to_stdout.stdout(append());
    let mut both = home.beartrap::<&str>([]);
    both.stdin(File::open(&log).unwrap()).stdout(append());
    for command in [&mut same, &mut linked, &mut from_stdin, &mut to_stdout, &mut both] {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).ends_with(" is both input and output\n"));
        assert_eq!(std::fs::read(&log).unwrap(), b"precious\n");
    }
}

#[test]
fn one_device_may_be_both() {
    let home = Home::with_key();
    let output = home.beartrap(["--output", "/dev/null", "/dev/null"]).output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_output_is_named() {
    let home = Home::with_key();
    let output = feed(home.beartrap(["--output", "/dev/full"]), b"text\n");
    assert_eq!(output.status.code(), Some(74));
    assert!(text(&output.stderr).starts_with("beartrap: can't write to /dev/full: No space left"));
    let mut command = home.beartrap::<&str>([]);
    command.stdout(File::options().write(true).open("/dev/full").unwrap());
    let output = feed(command, b"text\n");
    assert_eq!(output.status.code(), Some(74));
    assert!(text(&output.stderr).starts_with("beartrap: can't write to standard output: No space left"));
}

#[test]
fn inputs_and_outputs_may_be_non_blocking() {
    let home = Home::with_key();
    let (mut input, stdin) = UnixStream::pair().unwrap();
    let (mut output, stdout) = UnixStream::pair().unwrap();
    stdin.set_nonblocking(true).unwrap();
    stdout.set_nonblocking(true).unwrap();
    let mut command = home.beartrap::<&str>([]);
    let mut child = command.stdin(OwnedFd::from(stdin)).stdout(OwnedFd::from(stdout)).spawn().unwrap();
    drop(command);
    input.write_all(b"now\n").unwrap();
    let mut now = [0; 4];
    output.read_exact(&mut now).unwrap();
    // More than the sockets hold, while nobody reads yet.
    let text: Vec<u8> = (0..=255).cycle().take(3 << 20).collect();
    let sent = text.clone();
    let writer = std::thread::spawn(move || input.write_all(&sent));
    let mut received = Vec::new();
    output.read_to_end(&mut received).unwrap();
    writer.join().unwrap().unwrap();
    assert!(received == text);
    assert!(wait(&mut child).success());
}

#[test]
fn stats_say_what_was_done() {
    let output = feed(Home::with_key().beartrap(["--stats", "--log-level", "error"]), b"a\nb\nc");
    let stats = text(&output.stderr);
    let counted = "beartrap: 2 lines, 5 bytes read, 5 bytes written, 0 findings (0 jwt, 0 jwe, 0 basic, 0 token), ";
    assert!(stats.starts_with(counted) && stats.ends_with(" GB/s\n"), "{stats}");
}

#[test]
fn stats_can_be_json() {
    let output = feed(Home::with_key().beartrap(["--stats", "--log-format", "json"]), b"a\nb\nc");
    let stats: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((stats["lines"].as_u64(), stats["findings"][0]["count"].as_u64()), (Some(2), Some(0)));
}

#[test]
fn messages_can_be_json() {
    let output = Home::with_key().beartrap(["--log-format", "json", "/nonexistent/log"]).output().unwrap();
    let message: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((message["level"].as_str(), message["target"].as_str()), (Some("ERROR"), Some("beartrap")));
    assert!(message["fields"]["message"].as_str().unwrap().starts_with("can't read /nonexistent/log: "));
}

#[test]
fn a_usage_error_quotes_no_value() {
    let output = Home::new().beartrap(["--bearer=hunter2"]).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert!(text(&output.stderr).starts_with("beartrap: unknown option --bearer\n"));
    let output = Home::new().beartrap(["--stats", "key", "id"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).starts_with("beartrap: --stats is for the filter"));
}

#[cfg(target_os = "linux")]
#[test]
fn no_core_is_dumped() {
    let home = Home::with_key();
    let mut child = home.beartrap::<&str>([]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"\n").unwrap();
    read_exact(child.stdout.take().unwrap(), 1);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    drop(stdin);
    wait(&mut child);
}
