//! Finding without rewriting.

use crate::support::{Home, feed, text};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::process::{Command, Output};

const TOKEN: &str = "mF_9.B5f-4.1JqMxyz";
const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.eUeApzM_gcYBF0PRFiRmlgpkBUxNoTsVlfWH2sAnqOQ";

fn run(mut command: Command) -> (Option<i32>, String, String) {
    ended(&command.output().unwrap())
}

fn ended(output: &Output) -> (Option<i32>, String, String) {
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn in_home(home: &Home, arguments: &[&str]) -> Command {
    let mut command = home.beartrap(arguments);
    command.current_dir(home.path("."));
    command
}

#[test]
fn findings_are_places_and_markers_and_never_credentials() {
    let home = Home::with_key();
    home.file("a.log", format!("one\nAuthorization: Bearer {TOKEN}\n?access_token={TOKEN} got {JWT}\n"));
    home.file("b.log", "nothing\n");
    let (code, out, err) = run(in_home(&home, &["scan", "a.log", "b.log"]));
    assert_eq!((code, err.as_str()), (Some(1), ""));
    assert!(!out.contains(TOKEN) && !out.contains(JWT));
    let fields: Vec<Vec<&str>> = out.lines().map(|line| line.split(' ').collect()).collect();
    assert_eq!(fields.len(), 3, "{out}");
    assert_eq!(fields[0][..2], ["a.log:2:23:", "token"]);
    assert_eq!(fields[0][3], "authorization");
    assert_eq!(fields[1][0], "a.log:3:15:");
    assert_eq!(fields[1][2], fields[0][2], "the same credential, the same marker");
    assert_eq!((fields[2][1], fields[2][3]), ("jwt", "none"));
    // The marker is that of the filter.
    let clean = text(&feed(home.beartrap::<&str>([]), format!("Bearer {TOKEN}").as_bytes()).stdout);
    assert_eq!(clean, format!("Bearer {}", fields[0][2]));
}

#[test]
fn the_exit_code_is_a_gate() {
    let home = Home::with_key();
    home.file("clean.log", "nothing\n");
    home.file("dirty.log", format!("Bearer {TOKEN}\n"));
    assert_eq!(run(in_home(&home, &["scan", "clean.log"])), (Some(0), String::new(), String::new()));
    let (code, out, err) = run(in_home(&home, &["scan", "none.log", "dirty.log"]));
    assert_eq!((code, out.lines().count()), (Some(2), 1), "the rest is scanned all the same");
    assert!(err.starts_with("beartrap: can't read none.log: "), "{err}");
    assert_eq!(run(in_home(&home, &["scan", "--hunter2"])).0, Some(2));
    assert_eq!(run(in_home(&home, &["scan", "--key-file", "none"])).0, Some(2));
}

#[test]
fn standard_input_has_a_name() {
    let home = Home::with_key();
    for arguments in [&["scan"][..], &["scan", "-"]] {
        let (code, out, _) = ended(&feed(home.beartrap(arguments), format!("x {JWT}").as_bytes()));
        assert_eq!(code, Some(1));
        assert!(out.starts_with("<stdin>:1:3: jwt redacted-jwt-"), "{out}");
    }
}

#[test]
fn directories_are_read_without_symlinks_devices_and_git() {
    let home = Home::with_key();
    std::fs::create_dir_all(home.path("logs/deep/.git")).unwrap();
    for name in ["logs/.hidden", "logs/deep/a", "logs/deep/.git/packed", "outside"] {
        home.file(name, format!("Bearer {TOKEN}"));
    }
    symlink("../outside", home.path("logs/link")).unwrap();
    symlink("..", home.path("logs/deep/loop")).unwrap();
    assert!(Command::new("mkfifo").arg(home.path("logs/pipe")).status().unwrap().success());
    let (code, out, err) = run(in_home(&home, &["scan", "logs", "logs/deep", "logs/deep/a"]));
    let paths: Vec<_> = out.lines().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!((code, paths), (Some(1), vec!["logs/.hidden", "logs/deep/a"]));
    assert_eq!(err, "beartrap: logs/pipe is no regular file and was not read\n");
    assert_eq!(run(in_home(&home, &["scan", "logs/link", "logs/deep/.git"])).1.lines().count(), 2);
}

#[test]
fn what_is_compressed_is_read_and_what_is_broken_is_an_error() {
    let home = Home::with_key();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(format!("one\nBearer {TOKEN}\n{}", "clean line\n".repeat(1000)).as_bytes()).unwrap();
    let packed = encoder.finish().unwrap();
    home.file("a.gz", [&packed[..], &packed[..]].concat());
    home.file("b.gz", &packed[..packed.len() - 9]);
    let (code, out, err) = run(in_home(&home, &["scan", "a.gz", "b.gz"]));
    let places: Vec<_> = out.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(places, ["a.gz:2:8:", "a.gz:1004:8:", "b.gz:2:8:"]);
    assert_eq!(code, Some(2));
    assert!(err.starts_with("beartrap: can't read b.gz: "), "{err}");
}

#[test]
fn json_records_are_decoded_and_json_reports_are_lines() {
    let home = Home::with_key();
    home.file("a.json", format!("{{}}\n{{\"to\\u006ben\": \"Bearer\\u0020{TOKEN}\"}}\n"));
    let (code, out, _) = run(in_home(&home, &["scan", "--codec", "json", "--format", "json", "a.json"]));
    assert_eq!(code, Some(1));
    let finding: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&finding["path"], &finding["line"]), (&"a.json".into(), &2.into()));
    assert_eq!((&finding["kind"], &finding["complete"]), (&"token".into(), &true.into()));
    let marker =
        format!("redacted-token-{}-{}", finding["key_id"].as_str().unwrap(), finding["digest"].as_str().unwrap());
    assert_eq!(finding["marker"], marker.as_str());
    let (offset, len) = (finding["offset"].as_u64().unwrap() as usize, finding["len"].as_u64().unwrap() as usize);
    let raw = std::fs::read(home.path("a.json")).unwrap();
    assert!(text(&raw[offset..offset + len]).ends_with(TOKEN));
}

#[test]
fn sarif_has_what_its_schema_requires() {
    let home = Home::with_key();
    home.file("a b.log", format!("Bearer {TOKEN}\nAuthorization: Basic dXNlcjpwYXNz\n"));
    for (arguments, results) in [(&["a b.log"][..], 2), (&["none"], 0), (&[], 0)] {
        let (_, out, _) = run(in_home(&home, &[&["scan", "--format", "sarif"], arguments].concat()));
        let log: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(log["version"], "2.1.0");
        assert!(log["$schema"].as_str().unwrap().ends_with("sarif-schema-2.1.0.json"));
        let run = &log["runs"][0];
        assert_eq!(run["tool"]["driver"]["name"], "beartrap");
        assert_eq!(run["invocations"][0]["executionSuccessful"], arguments != ["none"]);
        assert_eq!(run["results"].as_array().unwrap().len(), results);
        if results == 0 {
            continue;
        }
        let rules: Vec<_> = run["tool"]["driver"]["rules"].as_array().unwrap().iter().map(|rule| &rule["id"]).collect();
        assert_eq!(rules, ["basic", "token"]);
        let result = &run["results"][0];
        assert_eq!((&result["ruleId"], &result["level"]), (&"token".into(), &"error".into()));
        assert!(result["message"]["text"].as_str().unwrap().starts_with("redacted-token-"));
        assert!(result["partialFingerprints"]["digest/v1"].is_string());
        let location = &result["locations"][0]["physicalLocation"];
        assert_eq!(location["artifactLocation"]["uri"], "a%20b.log");
        let numbers =
            ["startLine", "startColumn", "endLine", "endColumn"].map(|name| location["region"][name].as_u64());
        assert_eq!(numbers, [Some(1), Some(8), Some(1), Some(8 + TOKEN.len() as u64)]);
        assert_eq!(run["results"][1].get("partialFingerprints"), None, "what could be guessed has no fingerprint");
    }
}

#[test]
fn the_own_output_is_clean_and_says_what_is_in_it() {
    let home = Home::with_key();
    let raw = format!("Bearer {TOKEN}\n?access_token={TOKEN} {JWT}\n");
    let clean = feed(home.beartrap::<&str>([]), raw.as_bytes()).stdout;
    let (code, out, err) = ended(&feed(home.beartrap(["scan", "--verify"]), &clean));
    assert_eq!((code, out.as_str()), (Some(0), ""));
    assert_eq!(err, "beartrap: 3 markers (1 jwt, 2 token), nothing else was found\n");
    // Both looks see what is left; it is reported once.
    let (code, out, _) = ended(&feed(home.beartrap(["scan", "--verify"]), raw.as_bytes()));
    assert_eq!((code, out.lines().count()), (Some(1), 3), "{out}");
}

#[test]
fn a_path_can_be_no_trick() {
    let home = Home::with_key();
    home.file(&format!("access_token={TOKEN}\u{1b}[2J.log"), format!("{JWT}\n"));
    for format in ["text", "json", "sarif"] {
        let (code, out, _) = run(in_home(&home, &["scan", "--format", format, "."]));
        assert_eq!(code, Some(1), "the key is a secret of another kind");
        assert!(!out.contains(TOKEN) && !out.contains('\u{1b}'), "{out}");
    }
}

#[test]
fn a_reader_that_goes_does_not_open_the_gate() {
    let home = Home::with_key();
    home.file("a.log", format!("Bearer {TOKEN}\n").repeat(100_000));
    let mut child = in_home(&home, &["scan", "a.log"]).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(1), ""));
}

#[test]
fn rules_find_what_they_find_in_the_filter() {
    let home = Home::with_key();
    home.file("a.log", "one\nand glpat-x7Kq2mZp9LwVt4RsYbNc\n");
    for codec in ["text", "json"] {
        let (code, out, _) = run(in_home(&home, &["scan", "--rule-file", "builtin", "--codec", codec, "a.log"]));
        assert_eq!(code, Some(1));
        assert!(out.starts_with("a.log:2:5: gitlab_token redacted-gitlab_token-") && out.ends_with(" rule\n"), "{out}");
    }
    assert_eq!(run(in_home(&home, &["scan", "--rule-file", "none", "a.log"])).0, Some(2));
}
