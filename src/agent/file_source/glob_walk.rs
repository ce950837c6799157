//! Expands globs: walks down their components, and never round in a circle of links.

use glob::{MatchOptions, Pattern};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::fs::{DirEntry, FileType};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// How two names are compared.
pub(super) const MATCH: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };
pub(super) const WILDCARDS: [char; 3] = ['*', '?', '['];
/// Links to and fro among a few directories make paths without number, of which so many are walked.
const LINKED_DIRECTORIES_MAX: usize = 10_000;

enum Component {
    Literal(String),
    Names(Pattern),
    AnyDirectories,
}

/// A directory on the way, and those that lead to it.
struct Within {
    id: (u64, u64),
    outer: Option<Rc<Within>>,
}

/// A directory to look into for what stands at some places of a pattern.
struct Visit {
    path: PathBuf,
    places: BTreeSet<usize>,
    within: Option<Rc<Within>>,
    is_linked: bool,
}

/// One expansion, over however many globs.
pub(super) struct Walk<'a> {
    pub follow_symlinks: bool,
    /// So many paths are looked for at most.
    pub max: usize,
    /// Which of them count.
    pub accept: &'a dyn Fn(&Path) -> bool,
    pub paths: BTreeSet<PathBuf>,
    /// What could not be looked at, with the reason.
    pub problems: Vec<(PathBuf, String)>,
    /// There are more than `max`.
    pub is_cut: bool,
    linked: usize,
}

impl<'a> Walk<'a> {
    pub fn new(follow_symlinks: bool, max: usize, accept: &'a dyn Fn(&Path) -> bool) -> Self {
        let (paths, problems) = (BTreeSet::new(), Vec::new());
        Self { follow_symlinks, max, accept, paths, problems, is_cut: false, linked: 0 }
    }

    /// Adds all that one glob names.
    pub fn expand(&mut self, pattern: &Pattern) {
        let pattern = pattern.as_str();
        let components = match parse(pattern) {
            Ok(components) => components,
            Err(error) => return self.problems.push((PathBuf::from(pattern), error.to_string())),
        };
        let root = PathBuf::from(if pattern.starts_with('/') { "/" } else { "" });
        // A list of what is left, and no recursion: whoever makes the directories decides how deep they are.
        let mut todo = vec![Visit { path: root, places: BTreeSet::from([0]), within: None, is_linked: false }];
        while let Some(visit) = todo.pop().filter(|_| !self.is_cut) {
            self.visit(visit, &components, &mut todo);
            if self.is_cut {
                let problem = format!("more than {} files are named, and no more are looked for", self.max);
                self.problems.push((PathBuf::from(pattern), problem));
            }
        }
    }

    fn visit(&mut self, mut visit: Visit, components: &[Component], todo: &mut Vec<Visit>) {
        // `**` may also stand for nothing.
        let mut place = visit.places.first().copied().unwrap_or_default();
        while place < components.len() {
            if visit.places.contains(&place) && matches!(components[place], Component::AnyDirectories) {
                visit.places.insert(place + 1);
            }
            place += 1;
        }
        if visit.places.remove(&components.len()) {
            self.found(visit.path.clone());
        }
        if let (Some(&place), 1) = (visit.places.first(), visit.places.len())
            && let Component::Literal(name) = &components[place]
        {
            return self.go_down(visit, place, name, components, todo);
        }
        if self.follow_symlinks {
            let Ok(metadata) = std::fs::metadata(readable(&visit.path)) else { return };
            let id = (metadata.dev(), metadata.ino());
            if visit.within.as_deref().is_some_and(|within| within.holds(id)) {
                visit.places.retain(|place| !matches!(components[*place], Component::AnyDirectories));
            }
            visit.within = Some(Rc::new(Within { id, outer: visit.within.take() }));
        }
        let mut entries = self.read(&visit.path);
        // The last on the list is the next.
        entries.sort_by_cached_key(|entry| std::cmp::Reverse(entry.file_name()));
        for entry in entries {
            let name = entry.file_name();
            let mut places = BTreeSet::new();
            for &place in &visit.places {
                // A name that is not UTF-8 is matched by `**` only.
                let matches = match &components[place] {
                    Component::AnyDirectories => {
                        places.insert(place);
                        false
                    }
                    Component::Literal(literal) => name == literal.as_str(),
                    Component::Names(pattern) => name.to_str().is_some_and(|name| pattern.matches_with(name, MATCH)),
                };
                if matches {
                    places.insert(place + 1);
                }
            }
            let path = visit.path.join(&name);
            if places.remove(&components.len()) {
                self.found(path.clone());
            }
            if let (false, Ok(kind)) = (places.is_empty(), entry.file_type()) {
                let (within, is_linked) = (visit.within.clone(), visit.is_linked);
                todo.extend(self.enter(Visit { path, places, within, is_linked }, kind));
            }
            if self.is_cut {
                return;
            }
        }
    }

    /// A name without wildcards needs no reading of its directory, which may be forbidden.
    fn go_down(&mut self, visit: Visit, place: usize, name: &str, components: &[Component], todo: &mut Vec<Visit>) {
        let path = visit.path.join(name);
        let is_last = place + 1 == components.len();
        let visit = Visit { path, places: BTreeSet::from([place + 1]), ..visit };
        if !is_last && components[..place].iter().all(|component| matches!(component, Component::Literal(_))) {
            // The user wrote it, be it a link or not.
            return todo.push(visit);
        }
        match std::fs::symlink_metadata(&visit.path) {
            Ok(_) if is_last => self.found(visit.path),
            Ok(metadata) => todo.extend(self.enter(visit, metadata.file_type())),
            Err(error) if is_absence(&error) => {}
            Err(error) => self.problems.push((visit.path, error.to_string())),
        }
    }

    /// The visit, if there is a directory that may be visited.
    fn enter(&mut self, mut visit: Visit, kind: FileType) -> Option<Visit> {
        if kind.is_symlink() && !std::fs::metadata(&visit.path).is_ok_and(|metadata| metadata.is_dir()) {
            return None;
        }
        if kind.is_symlink() && !self.follow_symlinks {
            let problem = "it is a symbolic link to a directory, which is not followed";
            self.problems.push((visit.path, problem.to_owned()));
            return None;
        }
        visit.is_linked |= kind.is_symlink();
        if visit.is_linked {
            self.linked += 1;
            if self.linked == LINKED_DIRECTORIES_MAX {
                let problem = format!("{LINKED_DIRECTORIES_MAX} directories behind links were entered already");
                self.problems.push((visit.path.clone(), problem));
            }
        }
        let is_allowed = !visit.is_linked || self.linked < LINKED_DIRECTORIES_MAX;
        (is_allowed && (kind.is_dir() || kind.is_symlink())).then_some(visit)
    }

    fn read(&mut self, directory: &Path) -> Vec<DirEntry> {
        let mut entries = Vec::new();
        match std::fs::read_dir(readable(directory)) {
            Ok(results) => {
                for result in results {
                    match result {
                        Ok(entry) => entries.push(entry),
                        Err(error) => self.problems.push((directory.to_owned(), error.to_string())),
                    }
                }
            }
            Err(error) if is_absence(&error) => {}
            Err(error) => self.problems.push((directory.to_owned(), error.to_string())),
        }
        entries
    }

    fn found(&mut self, path: PathBuf) {
        if !(self.accept)(&path) || self.paths.contains(&path) {
            return;
        }
        if self.paths.len() < self.max {
            self.paths.insert(path);
        } else {
            self.is_cut = true;
        }
    }
}

impl Within {
    fn holds(&self, id: (u64, u64)) -> bool {
        let mut next = Some(self);
        while let Some(within) = next {
            if within.id == id {
                return true;
            }
            next = within.outer.as_deref();
        }
        false
    }
}

fn parse(pattern: &str) -> Result<Vec<Component>, glob::PatternError> {
    let components = pattern.split('/').filter(|component| !component.is_empty());
    components
        .map(|component| {
            Ok(match component {
                "**" => Component::AnyDirectories,
                _ if component.contains(WILDCARDS) => Component::Names(Pattern::new(component)?),
                _ => Component::Literal(component.to_owned()),
            })
        })
        .collect()
}

/// Nothing there, which is no problem: it may still come.
fn is_absence(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::NOENT | Errno::NOTDIR))
}

fn readable(directory: &Path) -> &Path {
    if directory.as_os_str().is_empty() { Path::new(".") } else { directory }
}

#[cfg(test)]
#[path = "tests/glob_walk.rs"]
mod tests;
