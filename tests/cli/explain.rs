//! Why something was found, and why not.

use crate::support::{Home, feed, text};

const TOKEN: &str = "mF_9.B5f-4.1JqMxyz";

#[test]
fn decisions_come_with_reasons_and_without_credentials() {
    let home = Home::with_key();
    let input = format!("the token was lost\nAuthorization: Bearer {TOKEN}\n");
    let output = feed(home.beartrap(["explain"]), input.as_bytes());
    let out = text(&output.stdout);
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], "1:6: rejected `oken`: nothing separates the name from a value");
    assert!(lines[1].starts_with("2:23-40: token redacted-token-") && lines[1].ends_with(" authorization"), "{out}");
    assert!(lines[2].starts_with("    behind the header name Authorization and the scheme Bearer; "), "{out}");
    assert!(!out.contains(TOKEN), "{out}");
}

#[test]
fn json_is_one_object_a_decision() {
    let home = Home::with_key();
    let output = feed(home.beartrap(["explain", "--format", "json"]), format!("Bearer {TOKEN}").as_bytes());
    let object: serde_json::Value = serde_json::from_str(&text(&output.stdout)).unwrap();
    assert_eq!((&object["verdict"], &object["carrier"]), (&"found".into(), &"scheme".into()));
}

#[test]
fn what_is_too_much_to_explain_is_an_error() {
    let home = Home::with_key();
    let output = feed(home.beartrap(["explain"]), &vec![b'x'; (16 << 20) + 1]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert!(text(&output.stderr).contains("16 MiB"));
}

#[test]
fn what_rules_find_is_explained_too() {
    let home = Home::with_key();
    let arguments = ["explain", "--rule-file", "builtin"];
    let output = feed(home.beartrap(arguments), b"and glpat-x7Kq2mZp9LwVt4RsYbNc\n");
    let out = text(&output.stdout);
    assert!(out.starts_with("1:5-30: gitlab_token redacted-gitlab_token-"), "{out}");
    assert!(out.contains("\n    the rule gitlab_token matches; 26 bytes, complete\n"), "{out}");
}
