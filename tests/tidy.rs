//! Promises about the source that can be read off it: layers, limits, and absences.

use std::path::{Path, PathBuf};

const LINES_MAX: usize = 500;

/// What a folder must not know: all that is left of it among the layers, and the worlds that are not its own.
const LAYERS: &[(&str, &[&str])] = &[
    (
        "src/redact",
        &[
            "crate::codec",
            "crate::filter",
            "crate::scan",
            "crate::agent",
            "crate::cli",
            "crate::ledger",
            "crate::key_file",
            "crate::rule_file",
            "crate::writer",
            "crate::second_look",
        ],
    ),
    ("src/redact", &["tokio", "tracing", "clap", "rustix", "libc", "std::fs", "std::env", "std::time", "std::net"]),
    (
        "src/codec",
        &[
            "crate::filter",
            "crate::scan",
            "crate::agent",
            "crate::cli",
            "crate::ledger",
            "crate::key_file",
            "crate::rule_file",
            "crate::writer",
            "crate::second_look",
        ],
    ),
    ("src/codec", &["tokio", "tracing", "clap", "rustix", "libc", "std::fs", "std::env", "std::time", "std::net"]),
    (
        "src/ledger",
        &[
            "crate::codec",
            "crate::filter",
            "crate::scan",
            "crate::agent",
            "crate::cli",
            "crate::key_file",
            "crate::rule_file",
            "crate::writer",
            "crate::second_look",
        ],
    ),
    ("src/ledger", &["tokio", "tracing", "clap", "std::env", "std::net"]),
    (
        "src/scan",
        &["crate::filter", "crate::agent", "crate::cli", "crate::key_file", "tokio", "clap", "tracing", "std::env"],
    ),
    ("src/filter", &["crate::scan", "crate::agent", "crate::cli", "tokio", "clap", "tracing"]),
    ("src/agent", &["crate::filter", "crate::scan", "crate::cli", "clap"]),
];

/// Found nowhere in the product. Standard output and standard error have one owner each, in `src/cli`.
const ABSENT: &[&str] = &["println!", "print!", "dbg!", "todo!", "unimplemented!", "from_utf8_lossy"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// One source file: its path from the root, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// What is built into the product: no comments, and nothing of the tests at the end of the file.
    fn code(&self) -> String {
        let product = self.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        product.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
    }

    fn is_test(&self) -> bool {
        self.path.contains("/tests/")
    }
}

fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    walk(&root().join("src"), &mut |path| {
        if path.extension().is_none_or(|extension| extension != "rs") {
            return;
        }
        let text = std::fs::read_to_string(path).expect("a source file is text");
        let path = path.strip_prefix(root()).expect("it is below the root").display().to_string();
        sources.push(Source { path, text });
    });
    assert!(sources.len() > 50, "only {} source files were found", sources.len());
    sources
}

fn walk(folder: &Path, visit: &mut dyn FnMut(&Path)) {
    let mut paths: Vec<PathBuf> =
        folder.read_dir().expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() { walk(&path, visit) } else { visit(&path) }
    }
}

/// Whether `name` stands in `code` as a path or macro of its own: `print!` is not in `eprint!`, nor `tokio` in `tokio_util`.
fn names(code: &str, name: &str) -> bool {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    code.match_indices(name).any(|(at, _)| {
        !code[..at].ends_with(is_word) && (name.ends_with('!') || !code[at + name.len()..].starts_with(is_word))
    })
}

fn assert_none(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn names_are_found_as_words() {
    assert!(names("use tokio::fs;", "tokio") && names("println!()", "println!"));
    assert!(!names("eprintln!()", "println!") && !names("use tokio_util::codec;", "tokio"));
}

#[test]
fn layers_look_in_one_direction() {
    let mut problems = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        let code = source.code();
        for (folder, forbidden) in LAYERS.iter().filter(|(folder, _)| source.path.starts_with(&format!("{folder}/"))) {
            let found = forbidden.iter().filter(|name| names(&code, name));
            problems.extend(found.map(|name| format!("{}: {folder} must not know {name}", source.path)));
        }
    }
    assert_none(&problems);
}

#[test]
fn files_fit_in_the_head() {
    let too_long = sources().into_iter().filter(|source| source.text.lines().count() > LINES_MAX);
    assert_none(&too_long.map(|source| format!("{}: over {LINES_MAX} lines", source.path)).collect::<Vec<_>>());
}

#[test]
fn every_file_says_what_it_is() {
    let silent = sources().into_iter().filter(|source| !source.text.starts_with("//! "));
    assert_none(&silent.map(|source| format!("{}: begins without `//!`", source.path)).collect::<Vec<_>>());
}

#[test]
fn unsafe_code_is_in_three_files() {
    const FILES: [&str; 3] = ["src/agent/sys.rs", "src/redact/literals/vector.rs", "src/redact/ranges.rs"];
    let elsewhere = sources().into_iter().filter(|source| !FILES.contains(&source.path.as_str()));
    let problems = elsewhere.filter(|source| names(&source.code(), "unsafe"));
    assert_none(&problems.map(|source| format!("{}: unsafe", source.path)).collect::<Vec<_>>());
}

#[test]
fn what_must_be_absent_is_absent() {
    let mut problems = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        let code = source.code();
        // `eprintln!` and `eprint!` are no words of the list, but hold them.
        let found = ABSENT.iter().filter(|name| names(&code, name) || names(&code, &format!("e{name}")));
        problems.extend(found.map(|name| format!("{}: {name}", source.path)));
    }
    assert_none(&problems);
}

#[test]
fn every_configuration_is_documented() {
    let mut docs = String::new();
    walk(&root().join("docs"), &mut |path| docs += &std::fs::read_to_string(path).expect("documents are text"));
    let mut problems = Vec::new();
    walk(&root().join("config"), &mut |path| {
        let name = path.file_name().expect("a file has a name").to_string_lossy();
        if !docs.contains(&*name) {
            problems.push(format!("config/{name}: docs/ does not name it"));
        }
    });
    assert_none(&problems);
}
