//! What the filter reads.

use rustix::fs::FileType;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// An input as the user named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

/// An input that can't be read.
#[derive(Debug)]
pub struct InputError {
    /// What it is called.
    pub name: String,
    /// What the system said.
    pub error: io::Error,
}

impl std::fmt::Display for InputError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "can't read {}: {}", self.name, self.error)
    }
}

impl std::error::Error for InputError {}

impl Input {
    /// What messages call it.
    pub fn name(&self) -> String {
        match self {
            Self::Stdin => "standard input".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// The file that it is.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::Stdin => None,
            Self::File(path) => Some(path),
        }
    }

    /// Device and inode, if it is a regular file; what can't be looked at can't be read either, and is reported then.
    pub(super) fn identity(&self) -> Option<(u64, u64)> {
        match self {
            Self::Stdin => regular_identity(rustix::stdio::stdin()),
            Self::File(path) => std::fs::metadata(path).ok().filter(|m| m.is_file()).map(|m| (m.dev(), m.ino())),
        }
    }

    /// How long it is, if it is a regular file.
    pub fn file_len(&self) -> Option<u64> {
        match self {
            Self::Stdin => {
                let stat = rustix::fs::fstat(rustix::stdio::stdin()).ok()?;
                FileType::from_raw_mode(stat.st_mode).is_file().then(|| u64::try_from(stat.st_size).ok())?
            }
            Self::File(path) => std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|file| file.len()),
        }
    }

    pub(super) fn open(self) -> io::Result<Source> {
        match self {
            Self::Stdin => Source::new(Handle::Stdin),
            Self::File(path) => open_file(&path).and_then(|file| Source::new(Handle::File(file))),
        }
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    // Reading a directory fails too, but with a message that depends on the file system.
    if file.metadata()?.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(file) }
}

/// Device and inode of an open regular file.
pub(super) fn regular_identity(fd: impl AsFd) -> Option<(u64, u64)> {
    let stat = rustix::fs::fstat(fd).ok()?;
    #[allow(clippy::unnecessary_cast, reason = "the field types differ between systems")]
    FileType::from_raw_mode(stat.st_mode).is_file().then_some((stat.st_dev as u64, stat.st_ino as u64))
}

/// An open input.
#[derive(Debug)]
pub(super) struct Source {
    handle: Handle,
    file_type: FileType,
}

#[derive(Debug)]
enum Handle {
    Stdin,
    File(File),
    Pipe(io::PipeReader),
}

impl Source {
    fn new(handle: Handle) -> io::Result<Self> {
        let mut source = Self { handle, file_type: FileType::Unknown };
        source.file_type = FileType::from_raw_mode(rustix::fs::fstat(source.as_fd())?.st_mode);
        Ok(source)
    }

    pub fn from_pipe(pipe: io::PipeReader) -> Self {
        Self { handle: Handle::Pipe(pipe), file_type: FileType::Fifo }
    }

    /// Whether another program writes to it, whose last words are worth waiting for after a signal: Ctrl-C reaches
    /// the whole pipeline, and services log while they shut down.
    pub fn may_have_last_words(&self) -> bool {
        matches!(self.file_type, FileType::Fifo | FileType::Socket)
    }

    /// Whether a read returns without waiting for anybody.
    pub fn is_always_ready(&self) -> bool {
        self.file_type == FileType::RegularFile
    }

    pub fn widenable(&self) -> Option<BorrowedFd<'_>> {
        (self.file_type == FileType::Fifo).then(|| self.as_fd())
    }
}

impl AsFd for Source {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.handle {
            Handle::Stdin => rustix::stdio::stdin(),
            Handle::File(file) => file.as_fd(),
            Handle::Pipe(pipe) => pipe.as_fd(),
        }
    }
}
