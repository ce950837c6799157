//! That no way out of the process is missed by the redactor.

use crate::support::{Home, feed, text};
use std::process::Output;

// RFC 7515, appendix A.1, with a shorter payload: known to everybody.
const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";

/// The marker in the output is the one that `fingerprint` foretells, and the token is nowhere.
fn assert_redacted(home: &Home, output: &Output, streams: &[&[u8]]) {
    let foretold = text(&feed(home.beartrap(["fingerprint"]), JWT.as_bytes()).stdout);
    let [id, kind, digest] = foretold.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{foretold}") };
    let marker = format!("redacted-{kind}-{id}-{digest}");
    for stream in streams {
        assert!(text(stream).contains(&marker), "{}", text(stream));
    }
    for stream in [&output.stdout, &output.stderr] {
        assert!(JWT.split('.').all(|part| !text(stream).contains(part)), "{}", text(stream));
    }
}

#[test]
fn of_the_filter() {
    let home = Home::with_key();
    for codec in ["text", "json"] {
        let line = format!("{{\"authorization\":\"Bearer {JWT}\",\"user\":7}}\n");
        let output = feed(home.beartrap(["--codec", codec, "--stats"]), line.as_bytes());
        assert_redacted(&home, &output, &[&output.stdout]);
        let clean = text(&output.stdout);
        assert!(clean.starts_with("{\"authorization\":\"Bearer redacted-jwt-") && clean.ends_with("\",\"user\":7}\n"));
        assert!(text(&output.stderr).contains("1 findings (1 jwt, "));
    }
}

#[test]
fn of_an_escaped_credential_in_json() {
    let home = Home::with_key();
    let line = format!("{{\"message\":\"{}\"}}\n", JWT.replace('.', "\\u002e"));
    let output = feed(home.beartrap(["--codec", "json"]), line.as_bytes());
    assert_redacted(&home, &output, &[&output.stdout]);
}

#[test]
fn of_both_outputs_of_a_command() {
    let home = Home::with_key();
    let script = format!("echo 'out {JWT} end'; echo 'err {JWT} end' >&2");
    let output = home.beartrap(["exec", "--", "sh", "-c", &script]).output().unwrap();
    assert_redacted(&home, &output, &[&output.stdout, &output.stderr]);
    assert!(text(&output.stdout).ends_with(" end\n"));
}

#[test]
fn of_messages() {
    let home = Home::with_key();
    let path = format!("/nonexistent/{JWT}");
    for arguments in [&[path.as_str()][..], &["--log-format", "json", &path], &["exec", "--", &path]] {
        let output = home.beartrap(arguments).output().unwrap();
        assert_redacted(&home, &output, &[&output.stderr]);
    }
}

/// Before a key is known, messages are redacted under one that is thrown away.
#[test]
fn of_messages_without_a_key() {
    let home = Home::new();
    for arguments in [&["--key-file", JWT][..], &["key", JWT], &[&format!("--{JWT}")], &["validate", "--config", JWT]] {
        let output = home.beartrap(arguments).output().unwrap();
        assert!(matches!(output.status.code(), Some(2 | 78)));
        assert!(JWT.split('.').all(|part| !text(&output.stderr).contains(part)), "{}", text(&output.stderr));
    }
}

/// Whoever reads the output sees one stream, so nothing may become whole there that was cut between two files.
#[test]
fn across_files() {
    let home = Home::with_key();
    for (head, tail, clean) in [
        ("authorization: Bearer ", "mF_9.B5f-4.1JqM-and-some-more\n", "authorization: Bearer redacted-token-"),
        ("authorization: Bearer\n", " mF_9.B5f-4.1JqM-and-some-more\n", "authorization: Bearer\n redacted-token-"),
    ] {
        let output = home.beartrap([home.file("head", head), home.file("tail", tail)]).output().unwrap();
        assert!(text(&output.stdout).starts_with(clean), "{}", text(&output.stdout));
    }
    for cut in [1, 5, 12, 19, 20, 21, 40, 60, JWT.len() - 1] {
        let (head, tail) = (home.file("head", &JWT[..cut]), home.file("tail", &JWT[cut..]));
        let output = home.beartrap([head, home.path("none"), tail]).output().unwrap();
        assert_redacted(&home, &output, &[&output.stdout]);
    }
}

#[test]
fn whatever_stands_around_the_marker() {
    let home = Home::with_key();
    let output = feed(home.beartrap(["--replacement", "~{}~"]), format!("x {JWT} y").as_bytes());
    let clean = text(&output.stdout);
    assert!(clean.starts_with("x ~redacted-jwt-") && clean.ends_with("~ y"), "{clean}");
    let output = feed(home.beartrap(["--replacement", "no place"]), b"");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_guessable_credential_has_no_digest() {
    let home = Home::with_key();
    let output = feed(home.beartrap(["fingerprint"]), b"hunter2\n");
    assert!(text(&output.stdout).ends_with(&format!(" {}\n", "0".repeat(32))));
    assert!(text(&output.stderr).contains("line 1: "));
}

#[test]
fn a_line_for_each_key_the_active_ones_first() {
    let home = Home::with_key();
    let other = home.path("other");
    assert!(home.beartrap(["key".as_ref(), "new".as_ref(), other.as_os_str()]).output().unwrap().status.success());
    let both = [std::fs::read(&other).unwrap(), std::fs::read(home.default_key()).unwrap()].concat();
    std::fs::write(&other, both).unwrap();
    let with = |arguments: &[&str]| {
        let mut command = home.beartrap(arguments);
        text(
            &feed(
                {
                    command.env("BEARTRAP_KEY_FILE", &other);
                    command
                },
                JWT.as_bytes(),
            )
            .stdout,
        )
    };
    let lines = with(&["fingerprint"]);
    let alone = text(&feed(home.beartrap(["fingerprint"]), JWT.as_bytes()).stdout);
    assert_eq!(lines.lines().count(), 2);
    assert!(lines.starts_with(with(&["key", "id"]).trim_end()) && lines.ends_with(&alone), "{lines}");
}
