//! Questions to a ledger, and changes of it.

use crate::support::{Home, feed, text};
use beartrap::ledger::{Batch, BatchEntry, Claims, Location, Seen, Store};
use jiff::Timestamp;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const HOSTILE: &str = "<img src=x onerror=alert(1)>|`\u{1b}[31m\u{202e}\"";

fn digest(number: u8) -> [u8; 16] {
    let mut digest = [number; 16];
    digest[0] = 0xa0;
    digest
}

fn hex(number: u8) -> String {
    digest(number).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn seen(at: &str, source: &str, offset: u64) -> Seen {
    let location = Location {
        source: source.to_owned(),
        file: Some(format!("/var/log/{source}.log")),
        offset: Some(offset),
        ..Location::default()
    };
    Seen { at: time(at), location }
}

fn entry(number: u8, source: &str, claims: Option<Claims>) -> BatchEntry {
    BatchEntry {
        digest: digest(number),
        key_id: [1, 2, 3, 4],
        kind: if claims.is_some() { "jwt" } else { "token" },
        complete: true,
        claims,
        first: seen("2026-03-01T10:00:00Z", source, 5),
        last: seen("2026-03-01T12:00:00Z", source, 99),
        counts: vec![("authorization", 2), ("query", 1)],
    }
}

fn claims(iss: &str, exp: Option<&str>) -> Option<Claims> {
    Some(Claims { iss: Some(iss.to_owned()), exp: exp.map(time), has_payload: true, ..Claims::default() })
}

/// A ledger of four rows.
fn ledger(home: &Home, name: &str, instance: &str) -> PathBuf {
    let path = home.path(name);
    let mut store = Store::create(&path, instance).unwrap();
    let entries = vec![
        entry(1, "web", claims("https://idp.example", Some("2999-01-01T00:00:00Z"))),
        entry(1, "app", None),
        entry(2, "web", claims(HOSTILE, Some("2026-03-01T11:00:00Z"))),
        entry(3, "app", None),
        entry(4, "app", claims("=cmd|' /C calc'!A0", None)),
    ];
    let entries = entries.into_iter().map(|mut entry| {
        entry.kind = if entry.digest == digest(3) { "token" } else { "jwt" };
        entry
    });
    let batch = Batch { id: "1".to_owned(), observed_at: Timestamp::now(), entries: entries.collect(), skipped: 7 };
    store.add(&batch).unwrap();
    path
}

fn exposures(home: &Home, command: &[&str], ledger: &Path) -> Command {
    let mut typed = home.beartrap(["exposures"]);
    typed.args(command).arg("--ledger").arg(ledger);
    typed
}

fn ended(output: &Output) -> (Option<i32>, String, String) {
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn ask(home: &Home, command: &[&str], ledger: &Path) -> (Option<i32>, String, String) {
    ended(&exposures(home, command, ledger).output().unwrap())
}

fn json(home: &Home, command: &[&str], ledger: &Path) -> Value {
    let (code, out, err) = ask(home, command, ledger);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{command:?}");
    serde_json::from_str(&out).unwrap()
}

fn listed(home: &Home, filter: &[&str], ledger: &Path) -> Vec<String> {
    let rows = json(home, &[&["list", "--format", "json"], filter].concat(), ledger);
    rows.as_array().unwrap().iter().map(|row| row["fingerprint"].as_str().unwrap().to_owned()).collect()
}

fn merge(home: &Home, into: &Path, sources: &[&Path]) -> (Option<i32>, String, String) {
    let mut command = home.beartrap(["exposures", "merge", "--into"]);
    ended(&command.arg(into).args(sources).output().unwrap())
}

#[test]
fn the_filters_choose_rows() {
    let home = Home::new();
    let ledger = ledger(&home, "ledger", "one");
    for (filter, numbers) in [
        (&[][..], &[4, 3, 2, 1][..]),
        (&["--status", "unexpired"], &[4, 1]),
        (&["--status", "expired,unknown"], &[3, 2]),
        (&["--status", "revoked"], &[]),
        (&["--since", "2026-03-01T12:00:00Z"], &[4, 3, 2, 1]),
        (&["--since", "2026-03-01T12:00:01Z"], &[]),
        (&["--since", "1s"], &[]),
        (&["--since", "9999w"], &[4, 3, 2, 1]),
        (&["--source", "web"], &[2, 1]),
        (&["--source", "elsewhere"], &[]),
        (&["--issuer", "https://idp.example"], &[1]),
        (&["--issuer", HOSTILE], &[2]),
        (&["--kind", "token"], &[3]),
        (&["--policy", "no_expiry"], &[4]),
        (&["--policy", "seen_after_expiry"], &[2]),
        (&["--severity", "high"], &[4, 3, 1]),
        (&["--severity", "critical"], &[]),
        (&["--sort", "expires_at"], &[2, 1, 3, 4]),
        (&["--sort", "severity", "--limit", "3"], &[4, 3, 1]),
        (&["--sort", "occurrences", "--limit", "1"], &[1]),
        (&["--limit", "0"], &[]),
    ] {
        let numbers: Vec<String> = numbers.iter().map(|&number| hex(number)).collect();
        assert_eq!(listed(&home, filter, &ledger), numbers, "{filter:?}");
    }
    for (wrong, message) in [
        (&["list", "--since", "hunter2"][..], "beartrap: --since must be a time such as"),
        (
            &["list", "--policy", "hunter2"],
            "beartrap: invalid value for --policy; possible values: seen_after_revocation",
        ),
        (&["list", "--status", "hunter2"], "beartrap: invalid value for --status; possible values: unexpired"),
        (&["show", "hunter2"], "beartrap: a DIGEST is 32 hexadecimal digits"),
    ] {
        let (code, out, err) = ask(&home, wrong, &ledger);
        assert_eq!((code, out.as_str()), (Some(2), ""));
        assert!(err.starts_with(message) && !err.contains("hunter2"), "{err}");
    }
}

#[test]
fn every_format_says_the_same_and_nothing_to_obey() {
    let home = Home::new();
    let ledger = ledger(&home, "ledger", "one");
    let rows = json(&home, &["list", "--format", "json"], &ledger);
    let row = &rows[2];
    assert_eq!((row["fingerprint"].as_str(), row["occurrences"].as_u64()), (Some(hex(2).as_str()), Some(3)));
    assert_eq!(row["claims"]["iss"], HOSTILE, "JSON keeps what it was");
    assert_eq!(row["claims"]["verified"], false);
    assert_eq!(rows[3]["sources"], serde_json::json!({ "app": 3, "web": 3 }));

    let (_, lines, _) = ask(&home, &["list", "--format", "ndjson"], &ledger);
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(Value::Array(lines), rows);

    let (_, table, _) = ask(&home, &["list"], &ledger);
    assert_eq!(table.lines().count(), 5);
    let (_, shown, _) = ask(&home, &["show", &hex(2)], &ledger);
    let (_, csv, _) = ask(&home, &["list", "--format", "csv"], &ledger);
    let (_, markdown, _) = ask(&home, &["report", "--format", "markdown"], &ledger);
    for out in [&table, &shown, &csv, &markdown] {
        assert!(out.contains("<img src=x onerror=alert(1)>"), "{out}");
        assert!(!out.contains('\u{1b}') && !out.contains('\u{202e}') && out.contains("\\u{1b}[31m\\u{202e}"), "{out}");
    }
    assert!(csv.contains(",\"'=cmd|' /C calc'!A0\","), "{csv}");
    assert!(csv.contains(",\"<img src=x onerror=alert(1)>|`\\u{1b}[31m\\u{202e}\"\"\","), "{csv}");
    assert!(csv.split("\r\n").filter(|line| !line.is_empty()).count() == 5, "{csv}");
    assert!(markdown.contains("| `<img src=x onerror=alert(1)>\\x7c\\x60\\u{1b}[31m\\u{202e}\"` |"), "{markdown}");

    let none = home.path("none");
    drop(Store::create(&none, "none").unwrap());
    assert_eq!(ask(&home, &["list", "--format", "json"], &none).1, "[]\n");
    assert_eq!(ask(&home, &["list"], &none).1, "");
}

#[test]
fn a_digest_a_prefix_and_a_marker_show_a_row() {
    let home = Home::new();
    let ledger = ledger(&home, "ledger", "one");
    let marker = format!("redacted-jwt-01020304-{}", hex(1));
    for typed in [hex(1), hex(1).to_uppercase(), hex(1)[..8].to_owned(), marker.clone()] {
        let (code, out, err) = ask(&home, &["show", &typed], &ledger);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{typed}");
        assert!(out.starts_with(&format!("marker        {marker}\nstatus        unexpired\n")), "{out}");
        assert!(out.contains("first seen    2026-03-01T10:00:00Z in "), "{out}");
        assert_eq!(json(&home, &["show", &typed, "--format", "json"], &ledger)[0]["fingerprint"], hex(1));
    }
    for typed in [hex(9), format!("redacted-jwe-01020304-{}", hex(1)), format!("redacted-jwt-01020305-{}", hex(1))] {
        let (code, out, err) = ask(&home, &["show", &typed], &ledger);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{typed}");
        assert!(err.contains("was never seen"), "{err}");
    }
    let mut store = Store::open(&ledger).unwrap();
    let mut other = entry(1, "web", None);
    other.digest[15] = 0xff;
    store.add(&Batch { id: "2".to_owned(), observed_at: Timestamp::now(), entries: vec![other], skipped: 0 }).unwrap();
    let (code, _, err) = ask(&home, &["show", &hex(1)[..8]], &ledger);
    assert_eq!(code, Some(2));
    assert!(err.contains("several digests begin with a0010101"), "{err}");
}

#[test]
fn a_mark_makes_it_revoked_and_can_be_taken_back() {
    let home = Home::new();
    let ledger = ledger(&home, "ledger", "one");
    let one = hex(1);
    let status = |typed: &str| json(&home, &["show", typed, "--format", "json"], &ledger)[0]["status"].clone();
    let (code, out, err) = ask(&home, &["mark", &one, "revoked", "--at", "2026-03-01T11:00:00Z"], &ledger);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(
        out,
        format!("{one} is marked as revoked since 2026-03-01T11:00:00Z; seen last at 2026-03-01T12:00:00Z\n")
    );
    assert_eq!(status(&one), "revoked");
    assert_eq!(listed(&home, &["--policy", "seen_after_revocation"], &ledger), [one.as_str()]);
    assert_eq!(listed(&home, &["--severity", "critical"], &ledger), [one.as_str()]);
    assert_eq!(ask(&home, &["unmark", &one], &ledger).0, Some(0));
    assert_eq!(status(&one), "unexpired");
    let (code, _, err) = ask(&home, &["unmark", &one], &ledger);
    assert_eq!((code, err), (Some(1), format!("beartrap: {one} was not marked\n")));
    // What was never seen can be marked, if all of its digest is known.
    let (code, out, _) = ask(&home, &["mark", &hex(9), "revoked"], &ledger);
    assert!(code == Some(0) && out.ends_with("; it was never seen here so far\n"), "{out}");
    assert_eq!(ask(&home, &["mark", "0badc0de", "revoked"], &ledger).0, Some(1));
    assert_eq!(ask(&home, &["mark", &"0".repeat(32), "revoked"], &ledger).0, Some(2));
}

#[test]
fn forgetting_says_what_went() {
    let home = Home::new();
    let ledger = ledger(&home, "ledger", "one");
    let (one, two, nine) = (hex(1), hex(2), hex(9));
    assert_eq!(ask(&home, &["mark", &two, "revoked"], &ledger).0, Some(0));
    let (code, out, err) = ask(&home, &["forget", &one[..8], &nine, &two], &ledger);
    assert_eq!(code, Some(1));
    assert_eq!(out, format!("{one} is forgotten: 1 row deleted\n{two} is forgotten: 1 row and a mark deleted\n"));
    assert_eq!(err, format!("beartrap: {nine} was never seen: the ledger has no row with this digest\n"));
    assert_eq!(listed(&home, &[], &ledger), [hex(4), hex(3)]);
    let report = json(&home, &["report", "--format", "json"], &ledger);
    assert_eq!(report["summary"]["forgotten"], 2);
}

#[test]
fn two_hosts_merged_twice_give_the_sum() {
    let home = Home::new();
    let (one, two, all) = (ledger(&home, "one", "host1"), ledger(&home, "two", "host2"), home.path("all"));
    for round in 0..2 {
        let (code, out, err) = merge(&home, &all, &[&one, &two]);
        assert_eq!((code, err.as_str()), (Some(0), ""));
        let changed = if round == 0 { 4 } else { 0 };
        assert_eq!(
            out,
            [&one, &two].map(|path| format!("{}: 4 rows, {changed} of them new or changed\n", path.display())).concat()
        );
        let rows = json(&home, &["list", "--format", "json"], &all);
        assert_eq!(rows.as_array().unwrap().len(), 4);
        assert_eq!(rows[3]["occurrences"], 12);
        let sources = serde_json::json!({ "host1/app": 3, "host1/web": 3, "host2/app": 3, "host2/web": 3 });
        assert_eq!(rows[3]["sources"], sources);
    }
    assert_eq!(listed(&home, &["--source", "web"], &all).len(), 2);
    assert_eq!(listed(&home, &["--source", "host2/web"], &all).len(), 2);
    assert_eq!(listed(&home, &["--source", "host3/web"], &all).len(), 0);
    assert_eq!(std::fs::metadata(&all).unwrap().permissions().mode() & 0o777, 0o600);
    let manifest = &json(&home, &["report", "--format", "json"], &all)["manifest"];
    let told: Vec<_> =
        manifest["ledgers"].as_array().unwrap().iter().map(|one| one["skipped"].as_u64().unwrap()).collect();
    assert_eq!(told, [0, 7, 7], "what the others left out is known");
    let (code, _, err) = merge(&home, &all, &[&all]);
    assert_eq!(code, Some(2), "{err}");
}

#[test]
fn an_export_is_merged_whole_or_not_at_all() {
    let home = Home::new();
    let one = ledger(&home, "one", "host1");
    let (export, all) = (home.path("export"), home.path("all"));
    let (code, out, err) = ask(&home, &["export", "--output", export.to_str().unwrap()], &one);
    assert_eq!((code, out.as_str(), err.as_str()), (Some(0), "", ""));
    assert_eq!(std::fs::metadata(&export).unwrap().permissions().mode() & 0o777, 0o600);
    let lines = std::fs::read_to_string(&export).unwrap();
    assert_eq!(
        ask(&home, &["export"], &one).1.lines().skip(1).collect::<Vec<_>>(),
        lines.lines().skip(1).collect::<Vec<_>>()
    );
    let manifest: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(manifest["manifest"]["rows"], 4);
    assert_eq!(manifest["manifest"]["ledgers"][0]["skipped"], 7);
    assert_eq!(manifest["manifest"]["key_ids"], serde_json::json!(["01020304"]));
    let cut = home.file("cut", &lines[..lines.trim_end().rfind('\n').unwrap() + 1]);
    let changed = home.file("changed", lines.replace("\"count\":2", "\"count\":3"));
    let later = home.file("later", lines.replace("\"format\":1", "\"format\":2"));
    for (bad, why) in [(&cut, "the export ends after 3 of 4 rows"), (&changed, "SHA-256"), (&later, "version 2")] {
        let (code, out, err) = merge(&home, &all, &[bad]);
        assert_eq!((code, out.as_str()), (Some(74), ""));
        assert!(err.contains(why) && err.ends_with(&format!("nothing of {} was merged\n", bad.display())), "{err}");
        assert_eq!(listed(&home, &[], &all).len(), 0);
    }
    assert_eq!(merge(&home, &all, &[&export]).0, Some(0));
    // The same rows from standard input, and out of the ledger itself.
    let mut command = home.beartrap(["exposures", "merge", "--into"]);
    command.arg(&all).arg("-").arg(&one);
    let (code, out, err) = ended(&feed(command, lines.as_bytes()));
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.lines().all(|line| line.ends_with(": 4 rows, 0 of them new or changed")), "{out}");
    assert_eq!(ask(&home, &["export", "--output", one.to_str().unwrap()], &one).0, Some(2), "not over itself");
}

#[test]
fn bad_lines_are_named_and_the_others_merged() {
    let home = Home::new();
    let (one, all) = (ledger(&home, "one", "host1"), home.path("all"));
    let export = ask(&home, &["export"], &one).1;
    let rows: Vec<&str> = export.lines().skip(1).collect();
    let listed_row = ask(&home, &["list", "--format", "ndjson", "--limit", "1"], &one).1;
    let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.eUeApzM_gcYBF0PRFiRmlgpkBUxNoTsVlfWH2sAnqOQ";
    let lines = [
        rows[0],
        "{\"message\":\"started\"}",
        &rows[1].replace("https://idp.example", token).replace("<img", token),
        "not JSON",
        &rows[2].replace("\"count\":2", "\"count\":99999999999999999"),
        "",
        listed_row.trim_end(),
        &format!("\"{}\"", "x".repeat(2 << 20)),
        rows[3],
    ];
    let mut command = home.beartrap(["exposures", "merge", "-", "--into"]);
    command.arg(&all);
    let (code, out, err) = ended(&feed(command, lines.join("\n").as_bytes()));
    assert_eq!(code, Some(74));
    let merged = listed(&home, &[], &all).len();
    assert_eq!(out, format!("<stdin>: {merged} rows, {merged} of them new or changed\n"));
    for named in [
        "line 2 is no row of a ledger",
        "line 3 holds a credential that was not redacted",
        "line 4 is no JSON",
        "line 5 has too many counts",
        "line 7 is a row as `list` prints it",
        "line 8 is longer than 1 MiB",
    ] {
        assert!(err.contains(named), "{named}: {err}");
    }
    assert!(!err.contains("eyJ"), "{err}");
    let database = std::fs::read(&all).unwrap();
    assert!(memchr::memmem::find(&database, b"eUeApzM").is_none());
}

#[test]
fn ledgers_of_different_keys_are_told_apart() {
    let home = Home::new();
    let (one, two, all) = (ledger(&home, "one", "host1"), home.path("two"), home.path("all"));
    let other = BatchEntry { key_id: [9; 4], ..entry(1, "web", None) };
    let mut store = Store::create(&two, "host2").unwrap();
    store.add(&Batch { id: "1".to_owned(), observed_at: Timestamp::now(), entries: vec![other], skipped: 0 }).unwrap();
    let (code, _, err) = merge(&home, &all, &[&one, &two]);
    assert_eq!(code, Some(0));
    assert!(err.contains("has digests of key 09090909, the ledger those of 01020304"), "{err}");
}

#[test]
fn what_is_no_ledger_is_said_to_be_none() {
    let home = Home::new();
    let empty = home.file("empty", "");
    let text_file =
        home.file("text", "a text that is longer than the hundred bytes which the header of a database has".repeat(20));
    let open = home.path("open");
    drop(Store::create(&open, "one").unwrap());
    for path in [&empty, &text_file] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
    for (path, why) in [
        (&home.path("none"), "No such file"),
        (&empty, "it is empty, and no ledger yet"),
        (&text_file, "file is not a database"),
        (&open, "others can access it"),
        (&home.path("."), "it is no regular file"),
    ] {
        let (code, out, err) = ask(&home, &["list"], path);
        assert_eq!((code, out.as_str()), (Some(74), ""), "{err}");
        assert!(err.starts_with("beartrap: ledger ") && err.contains(why), "{err}");
        assert_eq!(ask(&home, &["mark", &hex(1), "revoked"], path).0, Some(74));
    }
    assert_eq!(std::fs::read(&empty).unwrap(), b"", "questions make no ledger");
}

#[test]
fn a_sarif_report_is_what_the_standard_wants() {
    let home = Home::new();
    let ledger = ledger(&home, "ledger", "one");
    let report = json(&home, &["report", "--format", "sarif"], &ledger);
    assert_eq!(report["version"], "2.1.0");
    let run = &report["runs"][0];
    let rules: Vec<&str> =
        run["tool"]["driver"]["rules"].as_array().unwrap().iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 4);
    for result in results {
        assert!(rules.contains(&result["ruleId"].as_str().unwrap()), "{result}");
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()));
        assert!(result["partialFingerprints"]["digest/v1"].as_str().unwrap().starts_with("01020304-a0"));
        let location = &result["locations"][0]["physicalLocation"];
        assert!(location["artifactLocation"]["uri"].as_str().unwrap().starts_with("file:///var/log/"), "{result}");
        assert_eq!(location["region"]["byteOffset"], 99);
        assert!(!result["message"]["text"].as_str().unwrap().contains('<'), "{result}");
    }
}

#[test]
fn a_reader_that_goes_is_no_failure() {
    let home = Home::new();
    let ledger = ledger(&home, "ledger", "one");
    for command in [&["list"][..], &["list", "--format", "json"], &["export"], &["report", "--format", "markdown"]] {
        let mut child = exposures(&home, command, &ledger).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""), "{command:?}");
    }
}

/// An export of so many rows, without a manifest.
fn many_rows(home: &Home, name: &str, ledger_id: char, rows: u32) -> PathBuf {
    let mut lines = String::new();
    for number in 0..rows {
        let seen =
            serde_json::json!({ "at": "2026-03-01T10:00:00Z", "location": { "source": "web", "time": "observed" } });
        let row = serde_json::json!({
            "ledger": { "id": ledger_id.to_string().repeat(32), "instance": format!("host-{ledger_id}") },
            "fingerprint": format!("{:032x}", u128::from(number) + (1 << 100)),
            "key_id": "01020304",
            "kind": "jwt",
            "complete": true,
            "claims": { "iss": "https://idp.example", "has_payload": true },
            "observed_at": "2026-03-01T10:00:00Z",
            "first": seen,
            "last": seen,
            "counts": [{ "source": "web", "carrier": "query", "count": 1 + number % 3 }],
        });
        lines += &format!("{row}\n");
    }
    home.file(name, lines)
}

/// Rows, and how often all were seen.
fn totals(home: &Home, ledger: &Path) -> (u64, u64) {
    let summary = json(home, &["report", "--format", "json", "--limit", "0"], ledger)["summary"].clone();
    (summary["exposures"].as_u64().unwrap(), summary["occurrences"].as_u64().unwrap())
}

#[test]
fn a_merge_that_is_killed_has_changed_nothing_or_all() {
    const ROWS: u32 = 3000;
    let home = Home::new();
    let (rows, all) = (many_rows(&home, "rows", 'a', ROWS), home.path("all"));
    drop(Store::create(&all, "all").unwrap());
    let mut changed = 0;
    for round in 0..12_u64 {
        let mut command = home.beartrap(["exposures", "merge", "--into"]);
        let mut child = command.arg(&all).arg(&rows).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(30 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        let (count, occurrences) = totals(&home, &all);
        assert!([0, u64::from(ROWS)].contains(&count), "{count}");
        assert_eq!(occurrences, 2 * count);
        changed += u32::from(count > 0);
    }
    assert_eq!(merge(&home, &all, &[&rows]).0, Some(0));
    assert_eq!(totals(&home, &all), (u64::from(ROWS), 2 * u64::from(ROWS)), "{changed} rounds had all");
}

#[test]
fn merges_and_marks_at_once_wait_for_one_another() {
    let home = Home::new();
    let all = home.path("all");
    let sources: Vec<PathBuf> = ('a'..='f').map(|id| many_rows(&home, &format!("rows-{id}"), id, 300)).collect();
    let mut children: Vec<_> = sources
        .iter()
        .map(|source| home.beartrap(["exposures", "merge", "--into"]).arg(&all).arg(source).spawn().unwrap())
        .collect();
    drop(Store::create(&all, "all").unwrap());
    for number in 0..5 {
        let digest = format!("{:032x}", u128::from(number as u32) + (1 << 100));
        children.push(exposures(&home, &["mark", &digest, "revoked"], &all).spawn().unwrap());
    }
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
    }
    assert_eq!(totals(&home, &all), (300, 6 * 600));
    assert_eq!(listed(&home, &["--status", "revoked"], &all).len(), 5);
}

#[test]
fn a_merge_without_space_changes_nothing() {
    let home = Home::new();
    let (rows, all) = (many_rows(&home, "rows", 'a', 3000), home.path("all"));
    let first = many_rows(&home, "first", 'a', 10);
    assert_eq!(merge(&home, &all, &[&first]).0, Some(0));
    // No file may get larger than 256 KiB; the shell has that be an error of the write.
    let mut command = home.command("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 256; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_beartrap")]);
    command.args(["exposures", "merge", "--into"]).arg(&all).arg(&rows);
    let (code, out, err) = ended(&command.output().unwrap());
    assert_eq!((code, out.as_str()), (Some(74), ""));
    assert!(err.contains("nothing of") && (err.contains("disk is full") || err.contains("I/O error")), "{err}");
    assert_eq!(totals(&home, &all).0, 10);
    assert_eq!(merge(&home, &all, &[&rows]).0, Some(0));
    assert_eq!(totals(&home, &all).0, 3000);
}
