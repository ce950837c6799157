//! Which files there are: globs, refusals, files that were renamed, and what the checkpoint says of each.

use super::super::checkpoint::{Entry, Loaded};
use super::super::config;
use super::super::identity::{FileId, Landmarks, Position};
use super::follower::Follower;
use super::globs::{Expansion, Globs, has_compressed_name};
use super::opener::{Opener, Refusal};
use super::{Task, now_secs};
use crate::codec::{Codec, Decoding, Framing, last_whole_record};
use crate::redact::Carry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::{DirEntryExt, FileExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a file that can't be found is remembered: a disk may be mounted late, a directory be moved back.
const REMEMBER_SECS: u64 = 7 * 24 * 3600;
/// How many such files are remembered; the ones that were seen last stay.
const REMEMBERED_MAX: usize = 10_000;
/// How many files one source follows; what is kept of an idle one is about a KiB.
const FOLLOWED_MAX: usize = 100_000;
/// A pass over many files takes long; between two there is this many times as much time for reading them.
const PASS_SHARE: u32 = 10;

/// What a source knows of files that it does not follow at the moment.
pub(super) struct Discovery {
    pub globs: Globs,
    read_from_end: bool,
    ignore_older: Option<Duration>,
    max_open_files: usize,
    interval: Duration,
    next: Instant,
    /// Passes don't follow each other sooner, whatever happens.
    not_before: Instant,
    /// Nothing has been looked for yet.
    is_first: bool,
    /// Nothing had ever been read before this process.
    is_first_start: bool,
    remembered: HashMap<FileId, Entry>,
    /// What was warned of, so that it is done once: the paths of the last pass and of this one.
    warned: HashSet<PathBuf>,
    warned_now: HashSet<PathBuf>,
}

impl Discovery {
    pub fn new(file: &config::FileSource, loaded: Loaded) -> Self {
        Self {
            globs: Globs::new(file),
            read_from_end: file.read_from_end,
            ignore_older: file.ignore_older,
            max_open_files: file.max_open_files.max(1),
            interval: file.glob_interval,
            next: Instant::now(),
            not_before: Instant::now(),
            is_first: true,
            is_first_start: loaded.is_first_start,
            remembered: loaded.entries.into_iter().map(|entry| (entry.id, entry)).collect(),
            warned: HashSet::new(),
            warned_now: HashSet::new(),
        }
    }

    /// When the next pass is due.
    pub fn due(&self) -> Instant {
        self.next
    }

    pub fn is_due(&self) -> bool {
        Instant::now() >= self.next
    }

    /// A name has gone to another file: look at once.
    pub fn hurry(&mut self) {
        self.next = self.next.min(Instant::now().max(self.not_before));
    }

    pub fn remember(&mut self, entry: Entry) {
        self.remembered.insert(entry.id, entry);
        if self.remembered.len() > REMEMBERED_MAX
            && let Some(oldest) =
                self.remembered.values().min_by_key(|entry| entry.last_seen_secs).map(|entry| entry.id)
        {
            self.remembered.remove(&oldest);
        }
    }

    pub fn remembered(&self) -> impl Iterator<Item = &Entry> {
        self.remembered.values()
    }

    /// Warns of a path, once as long as it lasts.
    pub fn warn(&mut self, source: &str, path: &Path, problem: &str) {
        if self.warned_now.insert(path.to_owned()) && !self.warned.contains(path) {
            tracing::warn!(source, path = %path.display(), problem, "path is not read");
        }
    }

    /// What the checkpoint says of a file.
    ///
    /// Device numbers may change with a reboot, so another device is fine where name, inode and birth agree; the
    /// digests decide in any case.
    fn recall(&self, id: FileId, path: &Path) -> Option<&Entry> {
        self.remembered.get(&id).or_else(|| {
            let same =
                |entry: &&Entry| entry.id.inode == id.inode && entry.id.born_ns == id.born_ns && entry.path == path;
            self.remembered.values().find(same)
        })
    }

    /// All paths that the globs name, and whether there are more.
    fn expand(&mut self, source: &str) -> (BTreeSet<PathBuf>, bool) {
        let Expansion { paths, problems, is_cut } = self.globs.expand(FOLLOWED_MAX);
        for (path, problem) in problems {
            self.warn(source, &path, &problem);
        }
        (paths, is_cut)
    }
}

impl Task {
    /// Expands the globs, takes up new files, and finds those again that have lost their name.
    pub(super) fn discover(&mut self) {
        let started = Instant::now();
        let mut unseen: HashMap<FileId, usize> =
            self.files.iter().enumerate().map(|(index, file)| (file.id, index)).collect();
        let mut seen: HashSet<FileId> = HashSet::new();
        let (paths, is_cut) = self.discovery.expand(&self.shared.source);
        for path in paths {
            let id = match self.opener().identify(&path) {
                Ok(id) => id,
                Err(refusal) => {
                    self.report(&path, refusal);
                    continue;
                }
            };
            if !seen.insert(id) {
                // A second hard link.
                continue;
            }
            match unseen.remove(&id) {
                Some(index) => self.saving.note(self.files[index].listed(&path)),
                None => self.admit(&path, None),
            }
        }
        if is_cut {
            // New files in great number don't push out those that are followed.
            unseen.retain(|id, index| self.opener().identify(&self.files[*index].path).ok() != Some(*id));
        }
        self.search_renamed(unseen.into_values());
        if self.discovery.is_first {
            self.search_rotated_while_stopped();
            self.discovery.is_first = false;
        }
        // Neighbours mostly lie in one directory.
        let mut directories: Vec<&Path> = self.files.iter().filter_map(|file| file.path.parent()).collect();
        directories.dedup();
        let directories = directories.into_iter().chain(self.discovery.globs.bases()).collect();
        self.watch.watch(&self.shared.source, &directories);
        self.discovery.end_pass(started);
        self.outlet.health().set_unread_paths(self.discovery.warned.len());
    }

    fn opener(&self) -> Opener<'_> {
        Opener { globs: &self.discovery.globs, follow_symlinks: self.shared.follow_symlinks }
    }

    /// Looks for followed files that no glob names in the directories where they were.
    fn search_renamed(&mut self, unseen: impl Iterator<Item = usize>) {
        let mut directories = Directories::new(self.shared.follow_symlinks);
        for index in unseen {
            let file = &self.files[index];
            let path = directories.find(&file.path, file.id);
            self.files[index].unlisted(path);
        }
    }

    /// A file that was rotated while nobody looked may have a name that no glob knows: its end is still to be read.
    fn search_rotated_while_stopped(&mut self) {
        let mut directories = Directories::new(self.shared.follow_symlinks);
        // A file that is in its old place, but which the globs no longer name, is the user's choice.
        let rotated = self.discovery.remembered.values().filter(|entry| self.discovery.globs.name(&entry.path));
        let rotated: Vec<(FileId, PathBuf)> = rotated.map(|entry| (entry.id, entry.path.clone())).collect();
        for (id, listed_path) in rotated {
            if let Some(path) = directories.find(&listed_path, id).filter(|path| !has_compressed_name(path)) {
                self.admit(&path, Some(listed_path));
            }
        }
    }

    /// Takes up a file that is not followed yet.
    pub(super) fn admit(&mut self, path: &Path, rotated_from: Option<PathBuf>) {
        let opened = if self.files.len() >= FOLLOWED_MAX {
            Err(Refusal::Refused(format!("{FOLLOWED_MAX} files are followed already")))
        } else if self.make_room(None) {
            self.open_new(path)
        } else {
            Err(Refusal::NoRoom)
        };
        match opened {
            Ok(mut follower) => {
                if let Some(suspicion) = self.attempts.suspicion(follower.id) {
                    follower.beware(suspicion, &self.shared);
                }
                if let Some(listed_path) = rotated_from {
                    follower.rotated_from(listed_path);
                }
                self.files.push(follower);
                self.report.streams += 1;
                self.saving.note(true);
            }
            Err(refusal) => self.report(path, refusal),
        }
    }

    fn report(&mut self, path: &Path, refusal: Refusal) {
        let problem = match &refusal {
            Refusal::Gone => return,
            Refusal::NoRoom => "all max_open_files descriptors are held by files that were removed",
            Refusal::Refused(problem) => problem,
        };
        self.discovery.warn(&self.shared.source, path, problem);
    }

    fn open_new(&mut self, path: &Path) -> Result<Follower, Refusal> {
        let (file, id) = self.opener().open(path)?;
        if self.files.iter().any(|file| file.id == id) {
            // It was renamed a moment ago; the next pass sees it under its new name.
            return Err(Refusal::Gone);
        }
        let key = &self.shared.key;
        let Some(entry) = self.discovery.recall(id, path) else {
            let from_end = self.discovery.read_from_end && self.discovery.is_first && self.discovery.is_first_start;
            let is_old = match (self.discovery.ignore_older, file.metadata()?.modified()?.elapsed()) {
                (Some(limit), Ok(age)) => age > limit,
                _ => false,
            };
            let offset = if from_end || is_old { start_at_end(&file, &self.shared.decoding)? } else { 0 };
            // A file that is truncated at this very moment is read from its beginning.
            let landmarks = Landmarks::read(&file, offset)?;
            let offset = if landmarks.is_some() { offset } else { 0 };
            let landmarks = landmarks.unwrap_or_default();
            let position = landmarks.position(offset, Carry::None, key);
            return Ok(Follower::new(file, id, path.to_owned(), position, landmarks, false));
        };
        let (remembered_id, position) = (entry.id, entry.position);
        let landmarks = Landmarks::read(&file, position.offset)?.filter(|found| found.match_position(&position, key));
        self.discovery.remembered.remove(&remembered_id);
        if let Some(landmarks) = landmarks {
            return Ok(Follower::new(file, id, path.to_owned(), position, landmarks, false));
        }
        self.report.mismatched += 1;
        tracing::info!(
            source = self.shared.source, path = %path.display(),
            "file is not what the checkpoint says and is read from its beginning"
        );
        let start = Position::start(key);
        Ok(Follower::new(file, id, path.to_owned(), start, Landmarks::default(), true))
    }

    /// Opens a file again that was closed for others; false if that is not possible now.
    pub(super) fn ensure_open(&mut self, index: usize) -> bool {
        if self.files[index].is_open() {
            return true;
        }
        let opened = if self.make_room(Some(index)) {
            self.opener().open(&self.files[index].path)
        } else {
            Err(Refusal::NoRoom)
        };
        let file = &mut self.files[index];
        match opened {
            Ok((opened, id)) if id == file.id => {
                file.reopened(opened);
                return true;
            }
            Ok(_) | Err(Refusal::Gone) => self.discovery.hurry(),
            Err(refusal) => {
                let path = file.path.clone();
                self.report(&path, refusal);
            }
        }
        self.files[index].delay(&self.shared);
        false
    }

    /// Closes files until one more may be opened.
    fn make_room(&mut self, except: Option<usize>) -> bool {
        loop {
            let open = self.files.iter().filter(|file| file.is_open()).count();
            if open < self.discovery.max_open_files {
                return true;
            }
            let candidates = self.files.iter().enumerate().filter(|(index, _)| Some(*index) != except);
            let victim = candidates.filter_map(|(index, file)| Some((file.closing_order()?, index))).min();
            let Some((_, index)) = victim else { return false };
            self.files[index].close(&mut self.report);
        }
    }
}

impl Discovery {
    fn end_pass(&mut self, started: Instant) {
        let now = now_secs();
        self.remembered.retain(|_, entry| entry.last_seen_secs.saturating_add(REMEMBER_SECS) >= now);
        self.warned = std::mem::take(&mut self.warned_now);
        self.next = Instant::now() + self.interval;
        self.not_before = Instant::now() + PASS_SHARE * started.elapsed();
    }
}

/// Where `read_from = "end"` starts: at the start of the last record that is not complete.
fn start_at_end(file: &File, decoding: &Decoding) -> io::Result<u64> {
    let end = last_record_start(file, decoding.framing)?;
    if !matches!(decoding.codec, Codec::Cri | Codec::Docker) {
        return Ok(end);
    }
    // The last lines may be parts of a record, which is not to be met in its middle.
    let start = end.saturating_sub(decoding.max_record_bytes as u64);
    let mut lines = vec![0; usize::try_from(end - start).unwrap_or_default()];
    match file.read_exact_at(&mut lines, start) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
        Err(error) => return Err(error),
    }
    let first = if start == 0 { Some(0) } else { memchr::memchr(b'\n', &lines).map(|at| at + 1) };
    let whole = first.and_then(|first| Some(first + last_whole_record(decoding.codec, &lines[first..])?));
    Ok(whole.map_or(end, |whole| start + whole as u64))
}

/// After the last delimiter. Other framings have none to look for, and there the end of the file is taken for the end of
/// a record.
fn last_record_start(file: &File, framing: Framing) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let delimiter = match framing {
        Framing::NewlineDelimited => b'\n',
        Framing::CharacterDelimited(delimiter) => delimiter,
        Framing::LengthDelimited | Framing::OctetCounting | Framing::Bytes => return Ok(end),
    };
    let mut buffer = vec![0; 64 << 10];
    while end > 0 {
        let len = usize::try_from(end).unwrap_or(usize::MAX).min(buffer.len());
        let start = end - len as u64;
        match file.read_exact_at(&mut buffer[..len], start) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
            Err(error) => return Err(error),
        }
        if let Some(at) = memchr::memrchr(delimiter, &buffer[..len]) {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// Directory listings of one pass, each read once.
struct Directories {
    follow_symlinks: bool,
    names: HashMap<PathBuf, HashMap<u64, PathBuf>>,
}

impl Directories {
    fn new(follow_symlinks: bool) -> Self {
        Self { follow_symlinks, names: HashMap::new() }
    }

    /// The name that a file has now in the directory where it once was, or where a link led to it.
    fn find(&mut self, once: &Path, id: FileId) -> Option<PathBuf> {
        let directory = once.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        self.find_in(directory, id).or_else(|| {
            let target = if self.follow_symlinks { std::fs::canonicalize(once).ok() } else { None }?;
            self.find_in(target.parent().filter(|parent| *parent != directory)?, id)
        })
    }

    fn find_in(&mut self, directory: &Path, id: FileId) -> Option<PathBuf> {
        let names = self.names.entry(directory.to_owned()).or_insert_with(|| {
            let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
            entries.map(|entry| (entry.ino(), entry.path())).collect()
        });
        let path = names.get(&id.inode)?;
        let metadata = std::fs::symlink_metadata(path).ok().filter(std::fs::Metadata::is_file)?;
        (FileId::of(&metadata) == id).then(|| path.clone())
    }
}
