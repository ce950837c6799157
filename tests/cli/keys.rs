//! Where the key comes from, and who may read it.

use crate::support::{Home, feed, text};
use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";

fn key_file(home: &Home, mode: u32) -> std::path::PathBuf {
    let path = home.file("key", KEY);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}

#[test]
fn the_first_use_makes_a_key_and_says_so_once() {
    let home = Home::new();
    let output = feed(home.beartrap::<&str>([]), b"text\n");
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(0), "text\n"));
    let notice = text(&output.stderr);
    let id = text(&home.beartrap(["key", "id"]).output().unwrap().stdout);
    assert!(notice.starts_with(&format!("beartrap: made key {} in ", id.trim_end())), "{notice}");
    assert_eq!(notice.lines().count(), 1);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&home.default_key()), 0o600);
    assert_eq!(mode(home.default_key().parent().unwrap()), 0o700);
    assert!(feed(home.beartrap::<&str>([]), b"text\n").stderr.is_empty());
}

#[test]
fn twenty_first_users_agree() {
    let home = Home::new();
    let children: Vec<_> = (0..20).map(|_| home.beartrap::<&str>([]).spawn().unwrap()).collect();
    let outputs: Vec<_> = children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    assert!(outputs.iter().all(|output| output.status.success()));
    assert_eq!(outputs.iter().filter(|output| !output.stderr.is_empty()).count(), 1, "one made it and says so");
    let names: Vec<_> = std::fs::read_dir(home.default_key().parent().unwrap()).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[test]
fn only_filter_and_exec_make_a_key() {
    let home = Home::new();
    let config =
        home.file("config.toml", "[sources.in]\ntype = \"stdin\"\n[sinks.out]\ntype = \"stdout\"\ninputs = [\"in\"]\n");
    let run = ["run".as_ref(), "--config".as_ref(), config.as_os_str()];
    for command in [home.beartrap(["fingerprint"]), home.beartrap(["key", "id"]), home.beartrap(run)] {
        let output = feed(command, b"");
        assert_eq!(output.status.code(), Some(78));
        let message = text(&output.stderr);
        assert!(message.contains("beartrap key new") && message.contains(".local/state/beartrap/key"), "{message}");
        assert!(!home.default_key().exists());
    }
    assert!(home.beartrap(["exec", "--", "true"]).output().unwrap().status.success());
    assert!(home.default_key().exists());
}

#[test]
fn a_named_key_must_exist() {
    let home = Home::new();
    let missing = home.path("missing");
    let mut by_option = home.beartrap(["--key-file".as_ref(), missing.as_os_str()]);
    let mut by_variable = home.beartrap::<&str>([]);
    by_variable.env("BEARTRAP_KEY_FILE", &missing);
    for command in [&mut by_option, &mut by_variable] {
        let output = command.output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(78), 0));
        assert!(text(&output.stderr).contains(missing.to_str().unwrap()));
        assert!(!missing.exists());
    }
}

#[test]
fn without_a_home_the_way_out_is_named() {
    let home = Home::new();
    let output = home.beartrap::<&str>([]).env_remove("HOME").output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    let message = text(&output.stderr);
    assert!(message.contains("--key-file") && message.contains("BEARTRAP_KEY_FILE"), "{message}");
}

#[test]
fn an_open_key_is_refused() {
    let home = Home::new();
    for (mode, code) in [(0o600, 0), (0o400, 0), (0o644, 78), (0o660, 78), (0o602, 78)] {
        let path = key_file(&home, mode);
        let output = feed(home.beartrap(["--key-file".as_ref(), path.as_os_str()]), b"text\n");
        assert_eq!(output.status.code(), Some(code), "{mode:o}");
        assert_eq!(output.stdout.is_empty(), code != 0, "{mode:o}");
        assert!(!text(&output.stderr).contains("00112233"));
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_link_to_a_key_is_followed_and_what_is_no_file_is_refused() {
    let home = Home::new();
    let (key, link, fifo) = (key_file(&home, 0o600), home.path("link"), home.path("fifo"));
    symlink(&key, &link).unwrap();
    assert!(Command::new("mkfifo").args(["-m", "600"]).arg(&fifo).status().unwrap().success());
    for (path, code) in [(&link, 0), (&fifo, 78), (&home.path("."), 78)] {
        let output = home.beartrap(["--key-file".as_ref(), path.as_os_str()]).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", path.display());
    }
}

#[test]
fn a_new_key_never_replaces_one() {
    let home = Home::new();
    let path = home.path("some/key");
    let new = || home.beartrap(["key".as_ref(), "new".as_ref(), path.as_os_str()]).output().unwrap();
    let first = new();
    assert_eq!(first.status.code(), Some(0));
    let made = std::fs::read(&path).unwrap();
    let second = new();
    assert_eq!(second.status.code(), Some(78));
    assert!(text(&second.stderr).ends_with("exists and stays as it is\n"));
    assert_eq!(std::fs::read(&path).unwrap(), made);
    let mut id = home.beartrap(["key", "id"]);
    let id = text(&id.env("BEARTRAP_KEY_FILE", &path).output().unwrap().stdout);
    assert_eq!(text(&first.stdout), format!("{} {}\n", id.trim_end(), path.display()));
}

#[test]
fn new_keys_differ() {
    let ids: BTreeSet<_> = (0..5).map(|_| Home::with_key().beartrap(["key", "id"]).output().unwrap().stdout).collect();
    assert_eq!(ids.len(), 5);
}

#[test]
fn a_credential_is_never_printed() {
    let home = Home::with_key();
    let output = feed(home.beartrap(["fingerprint"]), b"  credential-of-some-length  \r\n\nlast-one-without-newline");
    assert_eq!(output.status.code(), Some(0));
    for stream in [&output.stdout, &output.stderr] {
        assert!(!text(stream).contains("credential-of") && !text(stream).contains("last-one"));
    }
    let mut gone = home.beartrap(["fingerprint"]).stdin(Stdio::piped()).spawn().unwrap();
    drop((gone.stdout.take(), gone.stdin.take()));
    assert!(gone.wait().unwrap().success());
}
