//! Signals to the filter: a service's last words count.

use crate::support::{Home, kill, read_exact, text, wait, wait_for};
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Stdio;

#[test]
fn ctrl_c_keeps_the_last_words_and_the_exit_code() {
    let home = Home::with_key();
    let out = home.path("out");
    let service = "trap 'echo last words; exit 3' INT; echo ready; while :; do sleep 0.05; done";
    let pipeline = format!("set -o pipefail; sh -c \"{service}\" | \"$0\" > \"$1\"");
    let mut shell = home.command("bash");
    let shell = shell.args(["-c", &pipeline, env!("CARGO_BIN_EXE_beartrap")]).arg(&out).process_group(0);
    let mut child = shell.spawn().unwrap();
    wait_for(&out, "ready\n");
    kill("INT", format!("-{}", child.id()));
    assert_eq!(wait(&mut child).code(), Some(3));
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "ready\nlast words\n");
}

#[test]
fn after_a_signal_the_input_is_read_to_its_end() {
    let home = Home::with_key();
    for signal in ["INT", "TERM"] {
        let mut child = home.beartrap::<&str>([]).stdin(Stdio::piped()).spawn().unwrap();
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        stdin.write_all(b"ready\n").unwrap();
        stdout.read_exact(&mut [0; 6]).unwrap();
        kill(signal, child.id());
        stdin.write_all(b"last words\n").unwrap();
        assert_eq!(read_exact(stdout, 11), b"last words\n");
        drop(stdin);
        assert_eq!(wait(&mut child).code(), Some(0));
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let home = Home::with_key();
    for (signal, number) in [("INT", 2), ("TERM", 15)] {
        let mut child = home.beartrap::<&str>([]).stdin(Stdio::piped()).spawn().unwrap();
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        stdin.write_all(b"\n").unwrap();
        stdout.read_exact(&mut [0; 1]).unwrap();
        kill(signal, child.id());
        // The answer shows that the first signal is behind it: two at once would be one.
        stdin.write_all(b"\n").unwrap();
        stdout.read_exact(&mut [0; 1]).unwrap();
        kill(signal, child.id());
        assert_eq!(wait(&mut child).signal(), Some(number));
        drop(stdin);
    }
}

#[test]
fn reading_a_file_ends_at_the_first_signal() {
    let home = Home::with_key();
    let log: Vec<u8> = (0..=255).cycle().take(16 << 20).collect();
    let path = home.file("log", &log);
    let mut child = home.beartrap([path]).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut start = [0; 1];
    stdout.read_exact(&mut start).unwrap();
    kill("INT", child.id());
    let mut written = start.to_vec();
    stdout.read_to_end(&mut written).unwrap();
    assert_eq!(wait(&mut child).signal(), Some(2));
    assert!(written.len() < log.len() && log.starts_with(&written));
}

#[test]
fn an_ignored_signal_stays_ignored() {
    let home = Home::with_key();
    let mut shell = home.command("sh");
    shell.args(["-c", "trap '' INT; exec \"$0\"", env!("CARGO_BIN_EXE_beartrap")]).stdin(Stdio::piped());
    let mut child = shell.spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    stdin.write_all(b"\n").unwrap();
    stdout.read_exact(&mut [0; 1]).unwrap();
    for _ in 0..3 {
        kill("INT", child.id());
        stdin.write_all(b"\n").unwrap();
        stdout.read_exact(&mut [0; 1]).unwrap();
    }
    drop(stdin);
    assert_eq!(wait(&mut child).code(), Some(0));
}

#[test]
fn a_signal_between_files_and_a_pipe_waits_for_the_pipe() {
    let home = Home::with_key();
    let (first, messages) = (home.file("first", "first\n"), home.path("messages"));
    let mut command = home.beartrap([first.as_os_str(), "-".as_ref(), first.as_os_str()]);
    let mut child = command.stdin(Stdio::piped()).stderr(File::create(&messages).unwrap()).spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    // When this comes out, the first file is behind it.
    stdin.write_all(b"from stdin\n").unwrap();
    stdout.read_exact(&mut [0; b"first\nfrom stdin\n".len()]).unwrap();
    kill("TERM", child.id());
    stdin.write_all(b"last words\n").unwrap();
    drop(stdin);
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).unwrap();
    // The second file is not started any more, and that is no success.
    assert_eq!(text(&rest), "last words\n");
    assert_eq!(wait(&mut child).signal(), Some(15));
}
