//! Where the filter writes.

use super::input::{Input, regular_identity};
use crate::redact::Clean;
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// An open output that is none of the inputs.
#[derive(Debug)]
pub struct Output {
    name: String,
    handle: Handle,
    is_pipe: bool,
}

#[derive(Debug)]
enum Handle {
    Stdout,
    Stderr,
    File(File),
}

/// Why there is no output, or no more.
#[derive(Debug)]
pub enum OutputError {
    /// Writing to it would overwrite what is still to be read.
    IsInput {
        /// The input's name.
        input: String,
    },
    /// The system said no.
    Io {
        /// What was tried.
        doing: &'static str,
        /// The output's name.
        name: String,
        /// What the system said.
        error: io::Error,
    },
}

impl std::fmt::Display for OutputError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::IsInput { input } => write!(f, "{input} is both input and output"),
            Self::Io { doing, name, error } => write!(f, "can't {doing} {name}: {error}"),
        }
    }
}

impl std::error::Error for OutputError {}

impl Output {
    /// Standard output, unless it goes into one of the inputs.
    ///
    /// # Errors
    /// Names the input.
    pub fn stdout(inputs: &[Input]) -> Result<Self, OutputError> {
        let output = Self::new("standard output".to_owned(), Handle::Stdout);
        output.refuse(inputs)?;
        Ok(output)
    }

    /// A file, made with mode 0600 where it is missing and emptied where it is not, unless it is one of the inputs.
    ///
    /// # Errors
    /// Names the input, or the file and why it can't be opened.
    pub fn create(path: &Path, inputs: &[Input]) -> Result<Self, OutputError> {
        let name = path.display().to_string();
        let at = |error| OutputError::Io { doing: "open", name: name.clone(), error };
        // Emptied only after it is known to be none of the inputs.
        let options = File::options().write(true).create(true).truncate(false).mode(0o600).open(path);
        let file = options.map_err(at)?;
        let is_file = file.metadata().map_err(at)?.is_file();
        let output = Self::new(name.clone(), Handle::File(file));
        output.refuse(inputs)?;
        if let (true, Handle::File(file)) = (is_file, &output.handle) {
            file.set_len(0).map_err(at)?;
        }
        Ok(output)
    }

    /// Standard error, as the second output of a command.
    pub(super) fn stderr() -> Self {
        Self::new("standard error".to_owned(), Handle::Stderr)
    }

    pub(super) fn stdout_of_command() -> Self {
        Self::new("standard output".to_owned(), Handle::Stdout)
    }

    fn new(name: String, handle: Handle) -> Self {
        let mut output = Self { name, handle, is_pipe: false };
        output.is_pipe = rustix::fs::fstat(output.as_fd())
            .is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_fifo());
        output
    }

    /// Reading and writing the same regular file never ends, or ends with the loss of its contents. Terminals and
    /// pipes may be the same on both sides.
    fn refuse(&self, inputs: &[Input]) -> Result<(), OutputError> {
        let Some(mine) = regular_identity(self.as_fd()) else { return Ok(()) };
        match inputs.iter().find(|input| input.identity() == Some(mine)) {
            Some(input) => Err(OutputError::IsInput { input: input.name() }),
            None => Ok(()),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is a pipe: only those tell when their reader goes.
    pub(super) fn is_pipe(&self) -> bool {
        self.is_pipe
    }

    pub(super) fn error(&self, error: io::Error) -> OutputError {
        OutputError::Io { doing: "write to", name: self.name.clone(), error }
    }

    /// Writes all of it, however often the system takes only a part; moves `written` along, before an error too.
    pub(super) fn write(&self, clean: Clean<'_>, written: &mut usize) -> io::Result<()> {
        while *written < clean.as_bytes().len() {
            *written += self.write_some(clean.split_at(*written).1)?;
        }
        Ok(())
    }

    /// Writes as much as the system takes at once, and that is something.
    pub(super) fn write_some(&self, clean: Clean<'_>) -> io::Result<usize> {
        loop {
            match rustix::io::write(self, clean.as_bytes()) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(len) => return Ok(len),
                Err(Errno::INTR) => {}
                // Whoever shares the open file may have made it non-blocking.
                Err(Errno::AGAIN) => wait_writable(self.as_fd())?,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn wait_writable(fd: BorrowedFd<'_>) -> io::Result<()> {
    match rustix::event::poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::OUT)], None) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

impl AsFd for Output {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.handle {
            Handle::Stdout => rustix::stdio::stdout(),
            Handle::Stderr => rustix::stdio::stderr(),
            Handle::File(file) => file.as_fd(),
        }
    }
}
