//! An output file, written at its end only.

use crate::codec::Framing;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub(super) struct AppendFile {
    file: File,
    path: PathBuf,
    dev: u64,
    ino: u64,
    regular: bool,
    /// What a half line at the end is to be closed with before anything else is written.
    unclosed: Mutex<Option<u8>>,
}

impl AppendFile {
    /// Opens the file; makes it where it is missing, for its owner only. A half line at its end, left by a process that
    /// died while it wrote, is closed: the next record must not be glued to it. On a full disk that has time until the
    /// next write.
    pub fn open(path: &Path, framing: Framing) -> io::Result<Self> {
        let (file, readable) = open_for_append(path)?;
        let metadata = file.metadata()?;
        let regular = metadata.is_file();
        if !regular && !metadata.file_type().is_char_device() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let (dev, ino, unclosed) = (metadata.dev(), metadata.ino(), Mutex::default());
        let opened = Self { file, path: path.to_owned(), dev, ino, regular, unclosed };
        if regular && metadata.len() == 0 {
            sync_directory_of(path)?;
        }
        if let Some(delimiter) = framing.delimiter()
            && regular
            && readable
            && metadata.len() > 0
        {
            let mut last = [delimiter];
            opened.file.read_at(&mut last, metadata.len() - 1)?;
            if last != [delimiter] {
                *opened.unclosed() = Some(delimiter);
                match opened.close_line() {
                    Err(error) if !is_full(&error) => return Err(error),
                    Ok(()) | Err(_) => {}
                }
            }
        }
        Ok(opened)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes as much as goes, from `written` on, and moves it along: after an error too.
    pub fn write(&self, bytes: &[u8], written: &mut usize) -> io::Result<()> {
        self.close_line()?;
        while *written < bytes.len() {
            match (&self.file).write(&bytes[*written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(len) => *written += len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn close_line(&self) -> io::Result<()> {
        let mut unclosed = self.unclosed();
        if let Some(delimiter) = *unclosed {
            (&self.file).write_all(&[delimiter])?;
            *unclosed = None;
        }
        Ok(())
    }

    fn unclosed(&self) -> MutexGuard<'_, Option<u8>> {
        self.unclosed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes what is written durable. After a failure the kernel may have dropped the pages and called them clean:
    /// trying again would prove nothing.
    pub fn sync(&self) -> io::Result<()> {
        if self.regular { self.file.sync_data() } else { Ok(()) }
    }

    /// Whether the path leads to another file by now, or to none.
    pub fn is_moved(&self) -> bool {
        match std::fs::metadata(&self.path) {
            Ok(now) => (now.dev(), now.ino()) != (self.dev, self.ino),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }
}

/// Whether an error means that there is no space at the moment.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// What is in a new file is of no use if a crash takes the file's name. Where the directory can't be read, or its file
/// system knows no such call, that is left to the system.
fn sync_directory_of(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match File::open(directory).and_then(|directory| directory.sync_all()) {
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Also says whether the file can be read. `O_NONBLOCK` because opening a FIFO waits for its reader.
fn open_for_append(path: &Path) -> io::Result<(File, bool)> {
    let flags = OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let mode = Mode::RUSR | Mode::WUSR;
    match rustix::fs::open(path, flags | OFlags::RDWR, mode) {
        Ok(file) => Ok((file.into(), true)),
        Err(rustix::io::Errno::ACCESS) => Ok((rustix::fs::open(path, flags | OFlags::WRONLY, mode)?.into(), false)),
        Err(error) => Err(error.into()),
    }
}
