//! News of directories from the kernel: a file that grew is looked at now, and not only when its time has come.
//!
//! Nothing depends on them: not every file system sends them, they overflow, and watches run out. Files are polled all the
//! same, and news only bring a look forward.

use super::globs::{Globs, has_compressed_name};
use crate::agent::identity::FileId;
use notify::event::{Event, EventKind, ModifyKind, RenameMode};
use notify::{ErrorKind, INotifyWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// With more of them every file is looked at.
const CHANGED_MAX: usize = 1024;
/// With more new names at once a pass over the globs is cheaper.
const NEW_MAX: usize = 64;
/// How many directories are watched; what lies in others is found by looking.
const DIRECTORIES_MAX: usize = 8192;
/// After the limit of watches was reached, how soon it is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(60);

/// What happened since somebody asked.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Files that grew, or whatever else was done to them.
    pub paths: HashSet<PathBuf>,
    /// Too many did.
    pub all: bool,
    /// Names have come, or gone to other files.
    pub names: bool,
    /// Some of those that came, to be looked at before they go again.
    pub new: HashSet<PathBuf>,
}

#[derive(Debug, Default)]
struct News {
    changes: Mutex<Changes>,
    came: Notify,
}

impl News {
    fn change(&self, change: impl FnOnce(&mut Changes)) {
        change(&mut self.changes.lock().unwrap_or_else(PoisonError::into_inner));
        // One that is not waited for is kept; more than one are one.
        self.came.notify_one();
    }
}

/// Watches the directories of one source.
#[derive(Debug)]
pub(super) struct Watch {
    /// Missing where the kernel has none for us.
    watcher: Option<INotifyWatcher>,
    news: Arc<News>,
    /// The directory that a path led to when its watch was added.
    directories: HashMap<PathBuf, FileId>,
    has_warned: bool,
    not_before: Instant,
}

impl Watch {
    /// Looks out for the files that `globs` name.
    pub fn new(source: &str, globs: Globs) -> Self {
        let news = Arc::new(News::default());
        let heard = news.clone();
        let watcher = INotifyWatcher::new(move |event| hear(&heard, &globs, event), notify::Config::default());
        let mut watch =
            Self { watcher: None, news, directories: HashMap::new(), has_warned: false, not_before: Instant::now() };
        match watcher {
            Ok(watcher) => watch.watcher = Some(watcher),
            Err(error) => watch.warn(source, &error),
        }
        watch
    }

    /// Waits until there is news.
    pub async fn came(&self) {
        self.news.came.notified().await;
    }

    /// What has happened since the last time.
    pub fn take(&self) -> Changes {
        std::mem::take(&mut *self.news.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Watches these directories, and no others.
    pub fn watch(&mut self, source: &str, wanted: &BTreeSet<&Path>) {
        let Some(watcher) = &mut self.watcher else { return };
        self.directories.retain(|path, directory| {
            let stays = wanted.contains(path.as_path()) && identify(path) == Some(*directory);
            if !stays {
                // It fails for one that has gone.
                let _ = watcher.unwatch(path);
            }
            stays
        });
        if self.directories.len() >= wanted.len().min(DIRECTORIES_MAX) || Instant::now() < self.not_before {
            return;
        }
        for path in wanted {
            if self.directories.len() >= DIRECTORIES_MAX {
                break;
            }
            if self.directories.contains_key(*path) {
                continue;
            }
            let Some(directory) = identify(path) else { continue };
            match watcher.watch(path, RecursiveMode::NonRecursive) {
                Ok(()) => drop(self.directories.insert(path.to_path_buf(), directory)),
                Err(error) if matches!(error.kind, ErrorKind::MaxFilesWatch) => {
                    self.not_before = Instant::now() + RETRY_INTERVAL;
                    return self.warn(source, &error);
                }
                // It has gone, or is not ours to watch.
                Err(_) => {}
            }
        }
    }

    fn warn(&mut self, source: &str, error: &notify::Error) {
        if !std::mem::replace(&mut self.has_warned, true) {
            tracing::warn!(
                source, %error,
                "the kernel has no more watches for us (fs.inotify.max_user_watches, max_user_instances): files are polled"
            );
        }
    }
}

fn identify(path: &Path) -> Option<FileId> {
    std::fs::metadata(path).ok().filter(std::fs::Metadata::is_dir).as_ref().map(FileId::of)
}

/// Runs on the watcher's thread.
fn hear(news: &News, globs: &Globs, event: notify::Result<Event>) {
    let event = match event {
        Ok(event) if event.need_rescan() => return news.change(|changes| (changes.all, changes.names) = (true, true)),
        Ok(event) => event,
        Err(_) => return,
    };
    match event.kind {
        EventKind::Modify(ModifyKind::Data(_)) => {
            // What nobody follows is no news: our own output may lie beside.
            let mut paths = event.paths.into_iter().filter(|path| globs.name(path)).peekable();
            if paths.peek().is_some() {
                news.change(|changes| {
                    changes.paths.extend(paths);
                    if changes.paths.len() > CHANGED_MAX {
                        changes.paths.clear();
                        changes.all = true;
                    }
                });
            }
        }
        EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))
            if event.paths.iter().any(|path| globs.name(path) || globs.may_lead_to(path)) =>
        {
            let is_new =
                !matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From)));
            let new = event.paths.into_iter().filter(|path| is_new && globs.name(path) && !has_compressed_name(path));
            news.change(|changes| {
                changes.names = true;
                changes.new.extend(new.take(NEW_MAX.saturating_sub(changes.new.len())));
            });
        }
        _ => {}
    }
}
