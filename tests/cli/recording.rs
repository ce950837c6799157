//! Recording what is found in a ledger, without the agent.

use crate::support::{Home, feed, kill, text, wait, wait_for};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

/// A token of its own, whose signature is like no other's.
fn token(number: u32, exp: i64) -> String {
    let part = |text: String| URL_SAFE_NO_PAD.encode(text);
    let payload = format!(r#"{{"iss":"https://idp.example","sub":"user{number}","aud":"api","exp":{exp}}}"#);
    let signature: Vec<u8> = (0..32).map(|n| (number * 31 + n * 7 + 13) as u8).collect();
    let header = part(r#"{"alg":"HS256","kid":"k1"}"#.to_owned());
    format!("{header}.{}.{}", part(payload), URL_SAFE_NO_PAD.encode(signature))
}

fn rows(home: &Home, ledger: &Path) -> Vec<Value> {
    let mut command = home.beartrap(["exposures", "list", "--format", "json", "--ledger"]);
    let output = command.arg(ledger).output().unwrap();
    assert_eq!(text(&output.stderr), "");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The row of a token.
fn row(home: &Home, ledger: &Path, token: &str) -> Value {
    let line = text(&feed(home.beartrap(["fingerprint"]), token.as_bytes()).stdout);
    let digest = line.trim_end().rsplit(' ').next().unwrap().to_owned();
    rows(home, ledger).into_iter().find(|row| row["fingerprint"] == digest).unwrap_or_else(|| panic!("no {digest}"))
}

/// No piece of a signature may be in any file of a ledger.
fn assert_secret(home: &Home, tokens: &[String]) {
    for file in std::fs::read_dir(home.path(".")).unwrap() {
        let path = file.unwrap().path();
        if !path.file_name().unwrap().to_str().unwrap().starts_with("ledger") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        for token in tokens {
            let signature = token.rsplit('.').next().unwrap();
            for piece in signature.as_bytes().windows(8) {
                assert!(memchr::memmem::find(&bytes, piece).is_none(), "{}", path.display());
            }
        }
    }
}

#[test]
fn the_filter_records_what_it_redacts() {
    let home = Home::with_key();
    let ledger = home.path("ledger");
    let tokens = [token(1, 4_000_000_000), token(2, 1_000_000_000)];
    let line = |token: &str| format!("2026-03-01T10:00:00Z GET / Authorization: Bearer {token}\n");
    let input =
        [line(&tokens[0]), "nothing\n".repeat(10_000), line(&tokens[1]), format!("?t={}\n", tokens[0])].concat();
    let mut command = home.beartrap(["--ledger"]);
    command.arg(&ledger);
    let output = feed(command, input.as_bytes());
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
    assert!(!text(&output.stdout).contains("eyJ"));
    let one = row(&home, &ledger, &tokens[0]);
    assert_eq!((one["occurrences"].as_u64(), one["status"].as_str()), (Some(2), Some("unexpired")));
    assert_eq!(one["sources"], serde_json::json!({ "stdin": 2 }));
    assert_eq!(one["carriers"], serde_json::json!({ "authorization": 1, "query": 1 }));
    assert_eq!(one["claims"]["iss"], "https://idp.example");
    assert_eq!(one["first_seen"], "2026-03-01T10:00:00Z");
    assert_eq!(one["first_location"], serde_json::json!({ "source": "stdin", "offset": 49, "time": "record" }));
    assert_eq!(row(&home, &ledger, &tokens[1])["status"], "expired");
    // Once more, under a name.
    let mut command = home.beartrap(["--source", "payments", "--ledger"]);
    command.arg(&ledger);
    assert_eq!(feed(command, input.as_bytes()).status.code(), Some(0));
    let one = row(&home, &ledger, &tokens[0]);
    assert_eq!(one["sources"], serde_json::json!({ "stdin": 2, "payments": 2 }));
    assert_secret(&home, &tokens);
}

#[test]
fn files_and_offsets_are_those_of_the_input() {
    let home = Home::with_key();
    let (ledger, of_scan) = (home.path("ledger"), home.path("ledger2"));
    let tokens = [token(1, 1), token(2, 1), token(3, 1)];
    // The second is cut between two files.
    let one = home.file("one.log", format!("x {} y\nBearer {}", tokens[0], &tokens[1][..60]));
    let two = home.file("two.log", format!("{} y\n{}\n", &tokens[1][60..], tokens[2]));
    let mut command = home.beartrap(["--ledger".as_ref(), ledger.as_os_str(), one.as_os_str(), two.as_os_str()]);
    assert!(command.output().unwrap().status.success());
    let place = |ledger: &Path, token: &str| {
        let location = row(&home, ledger, token)["first_location"].clone();
        (location["file"].as_str().unwrap().to_owned(), location["offset"].as_u64().unwrap())
    };
    let paths = [&one, &two].map(|path| path.to_str().unwrap().to_owned());
    let second_at = tokens[0].len() as u64 + 5 + 7;
    assert_eq!(place(&ledger, &tokens[0]), (paths[0].clone(), 2));
    assert_eq!(place(&ledger, &tokens[1]), (paths[0].clone(), second_at));
    let third_at = (tokens[1].len() - 60 + 3) as u64;
    assert_eq!(place(&ledger, &tokens[2]), (paths[1].clone(), third_at));
    let mut command = home.beartrap(["scan", "--ledger"]);
    command.args([&of_scan, &one, &two]);
    assert_eq!(command.output().unwrap().status.code(), Some(1));
    assert_eq!(place(&of_scan, &tokens[0]), (paths[0].clone(), 2));
    assert_eq!(place(&of_scan, &tokens[2]), (paths[1].clone(), third_at));
    assert_eq!(row(&home, &of_scan, &tokens[2])["sources"], serde_json::json!({ "files": 1 }));
    assert_secret(&home, &tokens);
}

#[test]
fn records_of_json_and_the_outputs_of_a_command_are_recorded() {
    let home = Home::with_key();
    let ledger = home.path("ledger");
    let token = token(1, 1);
    let mut command = home.beartrap(["--codec", "json", "--ledger"]);
    command.arg(&ledger);
    let record = format!("{{\"time\":\"2026-03-01T10:00:00Z\",\"a\":\"{}\"}}\n", token.replace('.', "\\u002e"));
    assert!(feed(command, record.as_bytes()).status.success());
    let script = format!("echo {token}; echo {token} >&2; exit 7");
    let mut command = home.beartrap(["exec", "--ledger"]);
    command.arg(&ledger).args(["--", "sh", "-c", &script]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(7));
    let row = row(&home, &ledger, &token);
    assert_eq!(row["sources"], serde_json::json!({ "stdin": 1, "stdout": 1, "stderr": 1 }));
    assert_eq!(
        (row["first_seen"].as_str(), row["first_location"]["time"].as_str()),
        (Some("2026-03-01T10:00:00Z"), Some("record"))
    );
    assert_secret(&home, &[token]);
}

#[test]
fn a_ledger_that_can_not_be_used_is_told_before_anything_is_read() {
    let home = Home::with_key();
    let bad = home.file("bad", "no ledger ".repeat(100));
    let mut chmod = home.command("chmod");
    assert!(chmod.arg("600").arg(&bad).status().unwrap().success());
    for (arguments, code) in [(&["--ledger"][..], 74), (&["exec", "--ledger"], 74), (&["scan", "--ledger"], 2)] {
        let mut command = home.beartrap(arguments);
        command.arg(&bad);
        if arguments[0] == "exec" {
            command.args(["--", "touch"]).arg(home.path("touched"));
        }
        let output = feed(command, b"text\n");
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(code), ""), "{arguments:?}");
        assert!(text(&output.stderr).contains("file is not a database"));
    }
    assert!(!home.path("touched").exists());
    let output = home.beartrap(["--source", "x"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn what_was_found_before_a_signal_is_in_the_ledger() {
    let home = Home::with_key();
    let (ledger, out) = (home.path("ledger"), home.path("out"));
    let token = token(1, 1);
    let mut command = home.beartrap(["--ledger"]);
    command.arg(&ledger).arg("--output").arg(&out).stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(format!("{token}\n").as_bytes()).unwrap();
    wait_for(&out, "redacted-jwt-");
    kill("TERM", child.id());
    drop(stdin);
    assert_eq!(wait(&mut child).code(), Some(0));
    assert_eq!(row(&home, &ledger, &token)["occurrences"], 1);
}

#[test]
fn twenty_at_once_record_all() {
    let home = Home::with_key();
    let ledger = home.path("ledger");
    let tokens: Vec<String> = (0..20).map(|number| token(number, 1)).collect();
    let shared = token(99, 1);
    let children: Vec<_> = tokens
        .iter()
        .map(|token| {
            let mut command = home.beartrap(["--ledger"]);
            let mut child = command.arg(&ledger).stdin(Stdio::piped()).spawn().unwrap();
            let input = format!("{token}\n{shared}\n");
            child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
            child
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
    }
    assert_eq!(rows(&home, &ledger).len(), 21);
    assert_eq!(row(&home, &ledger, &shared)["occurrences"], 20);
}

/// Standard output of `fingerprint` for one line.
fn fingerprint(home: &Home, arguments: &[&str], line: &str) -> String {
    let mut command = home.beartrap(["fingerprint", "--ledger"]);
    command.arg(home.path("ledger")).args(arguments);
    let output = feed(command, line.as_bytes());
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""), "{arguments:?}");
    text(&output.stdout)
}

#[test]
fn a_credential_is_known_to_the_ledger_or_not() {
    let home = Home::with_key();
    let tokens = [token(1, 4_000_000_000), token(2, 1)];
    let log = home.file("a.log", format!("2026-03-01T10:00:00Z x\n2026-03-01T10:00:01Z Bearer {}\n", tokens[0]));
    let mut command = home.beartrap(["scan", "--ledger"]);
    assert_eq!(command.arg(home.path("ledger")).arg(&log).output().unwrap().status.code(), Some(1));
    let plain = text(&feed(home.beartrap(["fingerprint"]), tokens[0].as_bytes()).stdout);
    let out = fingerprint(&home, &[], &tokens.join("\n"));
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 4, "{out}");
    assert_eq!(format!("{}\n", lines[0]), plain, "the line stays as it is without a ledger");
    let path = log.to_str().unwrap();
    let seen = format!(
        "  seen once, first 2026-03-01T10:00:01Z (the record's time) in files, {path}, byte 51; unexpired until "
    );
    assert!(lines[1].starts_with(&seen) && lines[1].ends_with("; low: not_sender_constrained"), "{out}");
    assert_eq!(lines[3], "  never seen");
    let out = fingerprint(&home, &["--format", "json"], &tokens.join("\n"));
    let answers: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers[0]["exposures"][0], row(&home, &home.path("ledger"), &tokens[0]));
    assert_eq!(answers[1]["exposures"], serde_json::json!([]));
    // Of a password nothing can be told: all have one digest.
    let mut command = home.beartrap(["fingerprint", "--ledger"]);
    command.arg(home.path("ledger"));
    let output = feed(command, b"Basic YTpi\n");
    assert_eq!(text(&output.stdout).lines().count(), 1, "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("could be guessed"));
    // Without a ledger nothing else can be asked.
    assert_eq!(home.beartrap(["fingerprint", "--parts"]).output().unwrap().status.code(), Some(2));
    let missing = home.beartrap(["fingerprint", "--ledger", "none"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(74));
}

#[test]
fn cut_copies_are_found_by_the_whole() {
    let home = Home::with_key();
    let (token, other) = (token(1, 4_000_000_000), token(2, 1));
    let unsigned = &token[..=token.rfind('.').unwrap()];
    let log = format!("got {}...\n{{\"a\":\"{}\"}}\nBearer {unsigned}\n{}\n", &token[..60], &token[..90], &other[..80]);
    let mut command = home.beartrap(["--ledger"]);
    command.arg(home.path("ledger"));
    assert!(feed(command, log.as_bytes()).status.success());
    assert_eq!(rows(&home, &home.path("ledger")).len(), 4);
    // The fourth is the beginning of both.
    let out = fingerprint(&home, &["--parts"], &token);
    assert_eq!(out.lines().nth(1), Some("  never seen"), "{out}");
    let which: Vec<&str> = out.lines().skip(2).map(|line| line.split(" redacted-jwt-").next().unwrap()).collect();
    let of = token.len();
    let unsigned_len = unsigned.len() - 1;
    assert_eq!(which, [unsigned_len, 90, 80, 60].map(|len| format!("  its first {len} of {of} bytes:")), "{out}");
    let answer: Value = serde_json::from_str(&fingerprint(&home, &["--parts", "--format", "json"], &token)).unwrap();
    let parts = answer["parts"].as_array().unwrap();
    assert!(parts.len() == 4 && parts.iter().all(|part| part["exposure"]["complete"] == false), "{answer}");
    let out = fingerprint(&home, &["--parts"], &other);
    assert_eq!(out.lines().count(), 5, "they begin alike for 90 bytes: {out}");
}

#[test]
fn an_issuers_list_is_joined_by_claim() {
    let home = Home::with_key();
    let tokens = [token(1, 4_000_000_000), token(1, 4_000_000_001), token(2, 1)];
    let mut command = home.beartrap(["--ledger"]);
    command.arg(home.path("ledger"));
    assert!(feed(command, tokens.join("\n").as_bytes()).status.success());
    let out = fingerprint(&home, &["--claim", "sub"], "user1\r\nuser2\nuser3\n");
    let heads: Vec<&str> = out.lines().filter(|line| !line.starts_with(' ')).collect();
    assert!(heads.len() == 3 && heads.iter().all(|head| head.split(' ').nth(1) == Some("sub")), "{out}");
    let seen = |line: &&str| line.starts_with("  redacted-jwt-") && line.contains(" seen once, ");
    assert_eq!(out.lines().filter(seen).count(), 3, "{out}");
    assert!(out.ends_with("  never seen\n"), "{out}");
    assert!(!fingerprint(&home, &["--claim", "jti"], "user1").contains("seen once"));
    // The digest is that of the row.
    let row = row(&home, &home.path("ledger"), &tokens[0]);
    assert!(heads[0].ends_with(row["claims"]["sub_fingerprint"].as_str().unwrap()), "{row}");
}

#[test]
fn an_agents_configuration_says_where_its_ledger_is() {
    let home = Home::with_key();
    let token = token(1, 1);
    let mut command = home.beartrap(["--ledger"]);
    command.arg(home.path("ledger"));
    assert!(feed(command, token.as_bytes()).status.success());
    let sections = "[sources.in]\ntype = \"stdin\"\n[sinks.out]\ntype = \"stdout\"\ninputs = [\"in\"]\n";
    let head = format!("data_dir = {:?}\n", home.path("data"));
    let with = home.file("with.toml", format!("{head}[ledger]\npath = {:?}\n{sections}", home.path("ledger")));
    let without = home.file("without.toml", format!("{head}{sections}"));
    let list = |config: &Path| {
        let mut command = home.beartrap(["exposures", "list", "--format", "ndjson", "--config"]);
        command.arg(config).output().unwrap()
    };
    let output = list(&with);
    assert_eq!((output.status.code(), text(&output.stdout).lines().count()), (Some(0), 1), "{}", text(&output.stderr));
    let output = list(&without);
    assert_eq!(
        (output.status.code(), text(&output.stderr).as_str()),
        (Some(78), "beartrap: the configuration has no [ledger]\n")
    );
    let output = home.beartrap(["exposures", "list"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--ledger <FILE>"), "{}", text(&output.stderr));
}
