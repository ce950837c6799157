//! Which files are read.

use super::source::{self, Opened};
use std::collections::HashSet;
use std::io;
use std::path::PathBuf;

/// The files of some paths, those of directories among them, each once. Symlinks are followed where the user named them,
/// and nowhere else. Directories called `.git` are passed over unless named: what is in them is packed, and scanning it
/// finds nothing.
#[derive(Debug)]
pub struct Walk {
    /// What is still to come, the next last.
    waiting: Vec<(PathBuf, bool)>,
    /// Device and inode of the files that were read.
    seen: HashSet<(u64, u64)>,
}

/// One file on the way, or why it is not read.
#[allow(missing_debug_implementations, reason = "a reader of whatever kind has nothing to show")]
pub struct Walked {
    /// The file.
    pub path: PathBuf,
    /// What there is to read.
    pub opened: io::Result<Opened>,
}

impl Walk {
    /// Begins with paths that the user named.
    pub fn new(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        let mut waiting: Vec<_> = paths.into_iter().map(|path| (path, true)).collect();
        waiting.reverse();
        Self { waiting, seen: HashSet::new() }
    }

    /// Puts the entries of a directory before all that waits, in the order of their names.
    fn enter(&mut self, directory: &PathBuf) -> io::Result<()> {
        let entries = std::fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()?;
        let mut paths: Vec<_> = entries.iter().map(std::fs::DirEntry::path).collect();
        paths.retain(|path| path.file_name().is_none_or(|name| name != ".git"));
        paths.sort_unstable();
        self.waiting.extend(paths.into_iter().rev().map(|path| (path, false)));
        Ok(())
    }
}

impl Iterator for Walk {
    type Item = Walked;

    fn next(&mut self) -> Option<Walked> {
        loop {
            let (path, is_named) = self.waiting.pop()?;
            let metadata = if is_named { std::fs::metadata(&path) } else { std::fs::symlink_metadata(&path) };
            let metadata = match metadata {
                Ok(metadata) => metadata,
                Err(error) => return Some(Walked { path, opened: Err(error) }),
            };
            if metadata.is_symlink() {
                continue;
            }
            if metadata.is_dir() {
                match self.enter(&path) {
                    Ok(()) => continue,
                    Err(error) => return Some(Walked { path, opened: Err(error) }),
                }
            }
            if !is_named && !metadata.is_file() {
                return Some(Walked { path, opened: Ok(Opened::Special) });
            }
            let opened = source::open(&path, is_named, |identity| self.seen.insert(identity));
            return Some(Walked { path, opened });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    fn walk(root: &Path, paths: &[&str]) -> Vec<(String, &'static str)> {
        let paths = paths.iter().map(|path| root.join(path));
        Walk::new(paths)
            .map(|Walked { path, opened }| {
                let what = match opened {
                    Ok(Opened::Reader(_)) => "file",
                    Ok(Opened::Again) => "again",
                    Ok(Opened::Special) => "special",
                    Err(_) => "error",
                };
                (path.strip_prefix(root).unwrap().display().to_string(), what)
            })
            .collect()
    }

    #[test]
    fn every_file_is_read_once_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir_all(root.join("logs/deep/.git")).unwrap();
        for name in ["logs/b", "logs/a", "logs/.hidden", "logs/deep/c", "logs/deep/.git/packed", "other"] {
            std::fs::write(root.join(name), name).unwrap();
        }
        symlink("../other", root.join("logs/link")).unwrap();
        symlink(".", root.join("logs/loop")).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(root.join("logs/pipe")).status().unwrap().success());
        let found = walk(root, &["logs", "logs/a", "logs/link", "none"]);
        let expected = [
            ("logs/.hidden", "file"),
            ("logs/a", "file"),
            ("logs/b", "file"),
            ("logs/deep/c", "file"),
            ("logs/pipe", "special"),
            ("logs/a", "again"),
            ("logs/link", "file"),
            ("none", "error"),
        ];
        assert_eq!(found, expected.map(|(path, what)| (path.to_owned(), what)));
        assert_eq!(walk(root, &["logs/deep/.git"]).len(), 1, "what is named is read");
    }
}
