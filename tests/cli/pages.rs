//! Help, completions and manual pages.

use crate::support::{Home, text};

/// Regenerate with `TRYCMD=overwrite`.
#[test]
fn help_pages() {
    trycmd::TestCases::new().case("tests/cli/help/*.trycmd").env("NO_COLOR", "1").run();
}

#[test]
fn completions_of_every_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = Home::new().beartrap(["completions", shell]).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout).contains("fingerprint"), "{shell}");
    }
}

#[test]
fn manual_pages() {
    let home = Home::new();
    for (arguments, title) in [(&["man"][..], ".TH beartrap 1"), (&["man", "exec"], ".TH beartrap-exec 1")] {
        let output = home.beartrap(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout).contains(title), "{}", text(&output.stdout));
    }
    let output = home.beartrap(["man", "hunter2"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(!text(&output.stderr).contains("hunter2"));
}

#[test]
fn help_survives_a_reader_that_goes() {
    for arguments in [&["--help"][..], &["--version"], &["completions", "bash"], &["man"]] {
        let mut child = Home::new().beartrap(arguments).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""), "{arguments:?}");
    }
}
