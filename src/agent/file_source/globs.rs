//! The globs of a source: which paths they name, and where to look for them.

use super::glob_walk::{MATCH, WILDCARDS, Walk};
use crate::agent::config;
use glob::Pattern;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Names of files that hold no lines.
const COMPRESSED_EXTENSIONS: [&str; 6] = ["gz", "zst", "xz", "bz2", "lz4", "zip"];

/// What a source includes and excludes.
#[derive(Clone, Debug)]
pub(super) struct Globs {
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
    /// The directories in which the components with wildcards begin.
    bases: Vec<PathBuf>,
    /// What is included, cut behind each component but the last.
    prefixes: Vec<Pattern>,
    follow_symlinks: bool,
}

/// What globs name.
pub(super) struct Expansion {
    pub paths: BTreeSet<PathBuf>,
    pub problems: Vec<(PathBuf, String)>,
    /// There is more.
    pub is_cut: bool,
}

impl Globs {
    pub fn new(file: &config::FileSource) -> Self {
        let include = file.include.clone();
        let patterns = || include.iter().map(|pattern| Path::new(pattern.as_str()));
        let bases = patterns().map(|pattern| base(pattern).to_owned()).collect();
        let prefixes = patterns().flat_map(|pattern| pattern.ancestors().skip(1).filter_map(Path::to_str));
        let prefixes = prefixes.filter_map(|prefix| Pattern::new(prefix).ok()).collect();
        Self { bases, prefixes, exclude: file.exclude.clone(), include, follow_symlinks: file.follow_symlinks }
    }

    /// The paths that they name, each once and at most `max`; and what could not be looked at, with the reason.
    pub fn expand(&self, max: usize) -> Expansion {
        let accept = |path: &Path| !matches(&self.exclude, path) && !has_compressed_name(path);
        let mut walk = Walk::new(self.follow_symlinks, max, &accept);
        self.include.iter().for_each(|pattern| walk.expand(pattern));
        Expansion { paths: walk.paths, problems: walk.problems, is_cut: walk.is_cut }
    }

    /// Whether they name a path, be it there or not.
    pub fn name(&self, path: &Path) -> bool {
        matches(&self.include, path) && !matches(&self.exclude, path)
    }

    /// Whether what they name may lie in a directory.
    pub fn may_lead_to(&self, directory: &Path) -> bool {
        matches(&self.prefixes, directory)
    }

    /// The part of a path that the user wrote without wildcards, as far as is known.
    pub fn base_of<'a>(&'a self, path: &'a Path) -> &'a Path {
        let known = self.bases().filter(|base| path.starts_with(base)).max_by_key(|base| base.as_os_str().len());
        known.or(path.parent()).unwrap_or(path)
    }

    /// Where new files and directories may appear.
    pub fn bases(&self) -> impl Iterator<Item = &Path> {
        self.bases.iter().map(PathBuf::as_path)
    }
}

fn matches(patterns: &[Pattern], path: &Path) -> bool {
    patterns.iter().any(|pattern| pattern.matches_path_with(path, MATCH))
}

pub(super) fn has_compressed_name(path: &Path) -> bool {
    path.extension().is_some_and(|extension| COMPRESSED_EXTENSIONS.iter().any(|compressed| extension == *compressed))
}

/// What stands before the first component with a wildcard; the directory, if there is none.
fn base(pattern: &Path) -> &Path {
    let is_literal = |path: &&Path| !path.to_string_lossy().contains(WILDCARDS);
    let base = pattern.ancestors().skip(1).find(is_literal).unwrap_or(Path::new("."));
    if base.as_os_str().is_empty() { Path::new(".") } else { base }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_are_what_has_no_wildcards() {
        for (pattern, expected) in [
            ("/var/log/app.log", "/var/log"),
            ("/var/log/*.log", "/var/log"),
            ("/var/log/pods/*/*/*.log", "/var/log/pods"),
            ("/var/log/[ab]/x/*.log", "/var/log"),
            ("/**/x.log", "/"),
            ("*.log", "."),
        ] {
            assert_eq!(base(Path::new(pattern)), Path::new(expected), "{pattern}");
        }
    }
}
