//! An output file, written at its end only.

use crate::codec::Framing;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(super) struct AppendFile {
    file: File,
    path: PathBuf,
    dev: u64,
    ino: u64,
    regular: bool,
}

impl AppendFile {
    /// Opens the file; makes it where it is missing, for its owner only. A half line at its end, left by a process that
    /// died while it wrote, is closed: the next record must not be glued to it.
    pub fn open(path: &Path, framing: Framing) -> io::Result<Self> {
        let (file, readable) = open_for_append(path)?;
        let metadata = file.metadata()?;
        let regular = metadata.is_file();
        if !regular && !metadata.file_type().is_char_device() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let opened = Self { file, path: path.to_owned(), dev: metadata.dev(), ino: metadata.ino(), regular };
        if let Some(delimiter) = framing.delimiter()
            && regular
            && readable
            && metadata.len() > 0
        {
            let mut last = [delimiter];
            opened.file.read_at(&mut last, metadata.len() - 1)?;
            if last != [delimiter] {
                (&opened.file).write_all(&[delimiter])?;
            }
        }
        Ok(opened)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes as much as goes, from `written` on, and moves it along: after an error too.
    pub fn write(&self, bytes: &[u8], written: &mut usize) -> io::Result<()> {
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
