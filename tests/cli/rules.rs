//! Rules on the command line: which are used, what is said of them, and what is never said.

use crate::support::{Home, feed, text};
use std::process::Output;

const SECRET: &str = "acme_0123456789abcdefghij";
const RULES: &str =
    "[[rules]]\nid = \"acme-key\"\ndescription = \"ACME\"\nregex = 'acme_[a-z0-9]{20}'\nkeywords = [\"acme_\"]\n";

fn run(home: &Home, arguments: &[&str], input: &str) -> Output {
    feed(home.beartrap(arguments), input.as_bytes())
}

fn with_rules(rules: &str) -> (Home, String) {
    let home = Home::with_key();
    let path = home.file("ours.toml", rules).display().to_string();
    (home, path)
}

#[test]
fn the_filter_uses_rules() {
    let (home, path) = with_rules(RULES);
    let input = format!("a {SECRET} b\n");
    assert_eq!(text(&run(&home, &[], &input).stdout), input);
    let output = run(&home, &["--rule-file", &path, "--stats"], &input);
    assert!(text(&output.stdout).starts_with("a redacted-acme_key-"), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("1 acme_key"), "{}", text(&output.stderr));
    let twice = run(&home, &["--rule-file", &path, "--rule-file", "builtin"], &text(&output.stdout));
    assert_eq!(text(&twice.stdout), text(&output.stdout));
}

#[test]
fn exec_uses_rules() {
    let (home, path) = with_rules(RULES);
    let output = run(&home, &["exec", "--rule-file", &path, "--", "echo", SECRET], "");
    assert!(text(&output.stdout).starts_with("redacted-acme_key-"), "{}", text(&output.stdout));
}

#[test]
fn a_fingerprint_has_the_rules_name_and_the_same_digest() {
    let (home, path) = with_rules(RULES);
    let plain = text(&run(&home, &["fingerprint"], SECRET).stdout);
    let named = text(&run(&home, &["fingerprint", "--rule-file", &path], SECRET).stdout);
    assert!(plain.contains(" token ") && named == plain.replace(" token ", " acme_key "), "{plain} {named}");
    let output = run(&home, &["--rule-file", &path], SECRET);
    assert!(text(&output.stdout).ends_with(plain.trim().rsplit(' ').next().unwrap()), "{}", text(&output.stdout));
}

#[test]
fn rules_are_listed() {
    let (home, path) = with_rules(RULES);
    let output = run(&home, &["rules", "list", "--rule-file", &path], "");
    assert_eq!(text(&output.stdout), "acme-key  ACME [acme_]\n");
    let output = run(&home, &["rules", "list", "--format", "json"], "");
    let rules: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(rules.as_array().unwrap().iter().any(|rule| rule["kind"] == "github_fine_grained_token"), "{rules}");
}

#[test]
fn rules_are_tried() {
    let (home, path) = with_rules(RULES);
    let output = run(&home, &["rules", "test", "--rule-file", &path], &format!("x\nab {SECRET} {SECRET}\n"));
    assert_eq!(output.status.code(), Some(0));
    let lines = text(&output.stdout);
    let starts: Vec<_> = lines.lines().map(|line| line.split(" redacted-acme_key-").next().unwrap()).collect();
    assert_eq!(starts, ["2:4 acme-key", "2:30 acme-key"]);
    let output = run(&home, &["rules", "test", "--rule-file", &path], "nothing\n");
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), String::new()));
}

#[test]
fn all_that_is_wrong_is_said_with_its_place_and_without_the_pattern() {
    let rules = "[extend]\nuseDefault = true\n\n[[rules]]\nid = \"bad\"\nregex = '(hunter2'\nkeywords = [\"x\"]\n\n\
        [[rules]]\nid = \"jwt\"\nregex = 'hunter2'\n\n[[rules]]\nid = \"empty\"\nregex = 'a*'\n\n\
        [[rules]]\nid = \"twice\"\nregex = 'a+'\nkeywords = [\"x\"]\n\n[[rules]]\nid = \"twice\"\nregex = 'b+'\nkeywords = [\"x\"]\n\n\
        [[rules]]\nid = \"back\"\nregex = '(a)\\1'\n\n[[rules]]\nid = \"group\"\nregex = '(a)'\nsecretGroup = 2\n\n\
        [[rules]]\nid = \"odd\"\nregex = 'a'\nhunter = 2\n\n[[rules]]\nregex = 'a'\n";
    let (home, path) = with_rules(rules);
    let output = run(&home, &["--rule-file", &path], "");
    assert_eq!(output.status.code(), Some(78));
    let message = text(&output.stderr).replace(&path, "ours.toml");
    assert!(!message.contains("hunter2"), "{message}");
    let expected = [
        "ours.toml:1:2: `extend` is not supported: name all rule files, one after the other",
        "ours.toml:6:1: rule `bad`: its `regex` is no regular expression: unclosed group",
        "ours.toml:11:1: rule `jwt`: its `id` is the name of a built-in kind",
        "ours.toml:15:1: rule `empty`: its `regex` matches an empty text",
        "ours.toml:22:1: rule `twice`: another rule has this name in ours.toml:17",
        "ours.toml:29:1: rule `back`: its `regex` holds a back reference, which no linear search has",
        "ours.toml:33:1: rule `group`: its `secretGroup` is 2, but its `regex` has 1 groups",
        "ours.toml:39:1: rule `odd`: its `hunter` is not supported",
        "ours.toml:41:1: a rule has no `id`",
    ];
    assert_eq!(message.lines().skip(1).collect::<Vec<_>>(), expected, "{message}");

    let output = run(&home, &["rules", "list", "--rule-file", &path, "--on-unsupported", "skip"], "");
    assert_eq!(output.status.code(), Some(78), "a name that is there twice, and one that is missing, stay errors");
    let output = run(&home, &["--rule-file", "/no/such/file"], "");
    assert_eq!(output.status.code(), Some(78));
    assert!(text(&output.stderr).contains("/no/such/file: can't read the rule file"), "{}", text(&output.stderr));
}

#[test]
fn rules_that_are_skipped_are_named() {
    let rules = format!(
        "{RULES}[[rules]]\nid = \"bad\"\nregex = '(a)\\1'\n[[rules]]\nid = \"all\"\nregex = 'zz[0-9]{{30}}'\npath = 'x'\n"
    );
    let (home, path) = with_rules(&rules);
    let output = run(&home, &["--rule-file", &path, "--on-unsupported", "skip"], SECRET);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).starts_with("redacted-acme_key-"));
    let message = text(&output.stderr).replace(&path, "ours.toml");
    let expected = [
        "beartrap: ours.toml:8:1: rule `bad`: its `regex` holds a back reference, which no linear search has; the rule is skipped",
        "beartrap: ours.toml:9:1: rule `all` has no `keywords`: it is tried on every line, which makes all slower",
        "beartrap: ours.toml:12:1: rule `all`: its `path` is ignored: a log has none",
    ];
    assert_eq!(message.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_configuration_names_rules_and_what_is_wrong_with_them() {
    let home = Home::with_key();
    home.file("ours.toml", format!("{RULES}[[rules]]\nid = \"all\"\nregex = 'zz[0-9]{{30}}'\n"));
    home.file("bad.toml", "[[rules]]\nid = \"bad\"\nregex = '(hunter2'\n");
    let validate = |file: &str| {
        let ends = "[sources.in]\ntype = \"stdin\"\n[sinks.out]\ntype = \"stdout\"\ninputs = [\"in\"]\n";
        let config = home.file("beartrap.toml", format!("[redact]\nrule_files = [\"builtin\", \"{file}\"]\n{ends}"));
        let mut command = home.beartrap(["validate", "--config"]);
        // Relative paths start at the working directory.
        command.arg(config).current_dir(home.path("."));
        feed(command, b"")
    };
    let output = validate("ours.toml");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("ours.toml:6:1: rule `all` has no `keywords`"), "{}", text(&output.stderr));
    let output = validate("bad.toml");
    assert_eq!(output.status.code(), Some(78));
    let message = text(&output.stderr);
    assert!(message.contains("bad.toml:3:1: rule `bad`: its `regex` is no regular expression"), "{message}");
    assert!(message.contains("beartrap.toml:2:26") && !message.contains("hunter2"), "{message}");
}
