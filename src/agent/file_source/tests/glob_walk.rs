//! What the walk over a glob finds, and that it ends.

use super::*;
use std::os::unix::fs::{PermissionsExt, symlink};
use tempfile::TempDir;

fn tree(files: &[&str]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for file in files {
        let path = root.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "line\n").unwrap();
    }
    root
}

fn walk<'a>(root: &TempDir, pattern: &str, follow_symlinks: bool, max: usize) -> Walk<'a> {
    let pattern = format!("{}/{pattern}", root.path().display());
    let mut walk = Walk::new(follow_symlinks, max, &|_| true);
    walk.expand(&Pattern::new(&pattern).unwrap());
    walk
}

fn names(root: &TempDir, pattern: &str, follow_symlinks: bool) -> Vec<String> {
    let walk = walk(root, pattern, follow_symlinks, 1000);
    let below = |path: &PathBuf| path.strip_prefix(root.path()).unwrap().to_str().unwrap().to_owned();
    walk.paths.iter().map(below).collect()
}

#[test]
fn names_are_what_the_pattern_says() {
    let root = tree(&["a.log", "b.log", "c.txt", ".h.log", "x/a.log", "x/y/a.log", ".z/a.log", "y/b.log"]);
    for (pattern, expected) in [
        ("*.log", &[".h.log", "a.log", "b.log"][..]),
        ("[ab].log", &["a.log", "b.log"]),
        ("?.txt", &["c.txt"]),
        ("a.log", &["a.log"]),
        ("missing.log", &[]),
        ("missing/*.log", &[]),
        ("a.log/*.log", &[]),
        ("*/a.log", &[".z/a.log", "x/a.log"]),
        ("x/../y/*", &["x/../y/b.log"]),
        ("[xy]/*.log", &["x/a.log", "y/b.log"]),
        ("**/a.log", &[".z/a.log", "a.log", "x/a.log", "x/y/a.log"]),
        ("**/**/b.log", &["b.log", "y/b.log"]),
        ("x/**/*.log", &["x/a.log", "x/y/a.log"]),
        ("**/y/*.log", &["x/y/a.log", "y/b.log"]),
        ("**/x/**/y/*.log", &["x/y/a.log"]),
    ] {
        for follow_symlinks in [false, true] {
            assert_eq!(names(&root, pattern, follow_symlinks), expected, "{pattern}");
        }
    }
}

#[test]
fn every_name_is_one_that_the_pattern_matches() {
    let root = tree(&["a.log", "x/a.log", "x/y/a.log", "x/y/z/b.log", ".h/c.log"]);
    for pattern in ["*", "**/*", "*/*.log", "**/y/**/*.log", "x/**/b.log", "**/[abc].log"] {
        let whole = format!("{}/{pattern}", root.path().display());
        let expected: BTreeSet<_> = glob::glob_with(&whole, MATCH).unwrap().map(Result::unwrap).collect();
        assert_eq!(walk(&root, pattern, false, 1000).paths, expected, "{pattern}");
    }
}

#[test]
fn links_behind_the_first_wildcard_are_entered_if_wanted() {
    let root = tree(&["real/a.log", "real/in/b.log", "logs/c.log"]);
    symlink("../real", root.path().join("logs/link")).unwrap();
    for (pattern, unlinked, linked) in [
        ("logs/*/*.log", &[][..], &["logs/link/a.log"][..]),
        ("logs/**/*.log", &["logs/c.log"], &["logs/c.log", "logs/link/a.log", "logs/link/in/b.log"]),
        ("*/link/*.log", &[], &["logs/link/a.log"]),
        ("*/link/in/b.log", &[], &["logs/link/in/b.log"]),
        ("logs/link/*.log", &["logs/link/a.log"], &["logs/link/a.log"]),
        ("logs/link/a.log", &["logs/link/a.log"], &["logs/link/a.log"]),
    ] {
        assert_eq!(names(&root, pattern, false), unlinked, "{pattern}");
        assert_eq!(names(&root, pattern, true), linked, "{pattern}");
    }
    assert_eq!(walk(&root, "logs/*/*.log", false, 1000).problems[0].0, root.path().join("logs/link"));
}

#[test]
fn two_loops_are_walked_once() {
    let root = tree(&["in/a.log", "in/x/b.log"]);
    for link in ["in/l1", "in/l2", "in/x/l3"] {
        symlink(root.path().join("in"), root.path().join(link)).unwrap();
    }
    assert_eq!(names(&root, "in/**/*.log", false), ["in/a.log", "in/x/b.log"]);
    let followed = walk(&root, "in/**/*.log", true, 1000);
    assert!(followed.paths.contains(&root.path().join("in/x/b.log")) && !followed.is_cut);
    assert!(followed.paths.len() < 10, "{:?}", followed.paths);
}

#[test]
fn links_to_and_fro_are_walked_so_often_and_no_more() {
    let root = tree(&[]);
    let directory = |index: usize| root.path().join(format!("d{index:02}"));
    (0..30).for_each(|index| std::fs::create_dir(directory(index)).unwrap());
    for from in 0..30 {
        (0..30).for_each(|to| symlink(directory(to), directory(from).join(format!("l{to}"))).unwrap());
    }
    std::fs::write(root.path().join("a.log"), "").unwrap();
    let walk = walk(&root, "**/*.log", true, 1000);
    assert_eq!(walk.paths.len(), 1);
    // The kernel may find so many links too many as well.
    let limits = walk.problems.iter().filter(|(_, problem)| problem.contains("were entered already"));
    assert_eq!(limits.count(), 1, "{:?}", walk.problems);
}

#[test]
fn a_directory_that_is_forbidden_is_told_of_and_the_rest_is_read() {
    let root = tree(&["a/x.log", "b/x.log"]);
    let forbidden = root.path().join("a");
    // A superuser may read it all the same, but nobody can read a name that is too long.
    std::fs::set_permissions(&forbidden, PermissionsExt::from_mode(0o000)).unwrap();
    let is_superuser = std::fs::read_dir(&forbidden).is_ok();
    let walked = walk(&root, "*/*.log", false, 1000);
    std::fs::set_permissions(&forbidden, PermissionsExt::from_mode(0o700)).unwrap();
    assert!(walked.paths.contains(&root.path().join("b/x.log")));
    assert_eq!(walked.problems.len(), usize::from(!is_superuser));
    let long = walk(&root, &format!("{}/*.log", "n".repeat(300)), false, 1000);
    assert_eq!((long.paths.len(), long.problems.len()), (0, 1), "{:?}", long.problems);
}

#[test]
fn no_more_files_are_looked_for_than_wanted() {
    let root = tree(&["a.log", "b.log", "c.log", "d/e.log"]);
    let cut = walk(&root, "**/*.log", false, 2);
    assert!(cut.is_cut);
    assert_eq!((cut.paths.len(), cut.problems.len()), (2, 1), "{:?}", cut.problems);
    let cut = walk(&root, "*.log", false, 2);
    assert_eq!((cut.paths.len(), cut.problems.len()), (2, 1), "{:?}", cut.problems);
    let whole = walk(&root, "**/*.log", false, 4);
    assert!(!whole.is_cut);
    assert_eq!((whole.paths.len(), whole.problems.len()), (4, 0));
}
