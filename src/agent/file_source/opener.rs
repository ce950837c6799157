//! Opens what a glob has named: regular files, and links only where they are wanted.

use super::globs::Globs;
use crate::agent::identity::FileId;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::fs::{File, FileType, Metadata};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// Why a path is not taken up.
pub(super) enum Refusal {
    /// It has vanished: nothing to say.
    Gone,
    /// Too many files are open that can't be closed.
    NoRoom,
    Refused(String),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound { Refusal::Gone } else { Refusal::Refused(error.to_string()) }
    }
}

/// How files are opened.
pub(super) struct Opener<'a> {
    pub globs: &'a Globs,
    pub follow_symlinks: bool,
}

impl Opener<'_> {
    /// Looks at a path without opening it: opening a device can do something, opening a FIFO wakes its writer.
    pub fn identify(&self, path: &Path) -> Result<FileId, Refusal> {
        if !self.follow_symlinks {
            self.refuse_linked_directories(path)?;
        }
        let metadata = metadata(path, self.follow_symlinks)?;
        refuse_irregular(metadata.file_type())?;
        Ok(FileId::of(&metadata))
    }

    /// Opens a regular file, and nothing else, even if the path is swapped at this very moment.
    pub fn open(&self, path: &Path) -> Result<(File, FileId), Refusal> {
        self.identify(path)?;
        let file = File::from(self.open_descriptor(path).map_err(io::Error::from)?);
        let metadata = file.metadata()?;
        refuse_irregular(metadata.file_type())?;
        Ok((file, FileId::of(&metadata)))
    }

    fn open_descriptor(&self, path: &Path) -> rustix::io::Result<std::os::fd::OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        if self.follow_symlinks {
            return rustix::fs::open(path, flags, Mode::empty());
        }
        let base = self.globs.base_of(path);
        if let Ok(below) = path.strip_prefix(base) {
            let directory = rustix::fs::open(base, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
            match rustix::fs::openat2(&directory, below, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
                // Not before Linux 5.6, and not under every filter of system calls.
                Err(Errno::NOSYS | Errno::PERM) => {}
                opened => return opened,
            }
        }
        // The directories have been looked at a moment ago.
        rustix::fs::open(path, flags | OFlags::NOFOLLOW, Mode::empty())
    }

    fn refuse_linked_directories(&self, path: &Path) -> Result<(), Refusal> {
        let base = self.globs.base_of(path);
        let below = path.ancestors().skip(1).take_while(|directory| *directory != base && directory.starts_with(base));
        for directory in below {
            if std::fs::symlink_metadata(directory)?.is_symlink() {
                return Err(Refusal::Refused("it lies behind a symbolic link, which is not followed".to_owned()));
            }
        }
        Ok(())
    }
}

/// What is at a path, or where its link leads.
pub(super) fn metadata(path: &Path, follow_symlinks: bool) -> io::Result<Metadata> {
    if follow_symlinks { std::fs::metadata(path) } else { std::fs::symlink_metadata(path) }
}

fn refuse_irregular(kind: FileType) -> Result<(), Refusal> {
    if kind.is_file() {
        return Ok(());
    }
    let name = match () {
        () if kind.is_symlink() => "a symbolic link, which is not followed",
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_socket() => "a socket",
        () => "a device",
    };
    Err(Refusal::Refused(format!("it is {name}")))
}
