//! Whether what is opened while the agent runs can be opened now, by this process as it is.

use super::super::config::{Config, SinkKind};
use crate::key_file;
use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags, accessat, open};
use std::io;
use std::path::Path;

/// Opens the files that are read again, and says which can't be. `outputs` too, if nothing else will open them; none is
/// made or changed.
pub fn reload_problems(config: &Config, key_file: &Path, outputs: bool) -> Vec<String> {
    let mut problems: Vec<String> = key_file::load(key_file).err().iter().map(ToString::to_string).collect();
    problems.extend(config.file_problems());
    if !outputs {
        return problems;
    }
    for sink in &config.sinks {
        if let SinkKind::File(file) = &sink.kind
            && let Err(error) = try_output(&file.path)
        {
            problems.push(format!("sink {} (file {}): {error}", sink.name, file.path.display()));
        }
    }
    if let Some(Err(error)) = config.data_dir.as_deref().map(try_data_dir) {
        problems.push(format!("data_dir: {error}"));
    }
    problems
}

fn try_output(path: &Path) -> io::Result<()> {
    // Opening a FIFO would wait for its reader.
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match open(path, flags, Mode::empty()) {
        Ok(_) => Ok(()),
        Err(rustix::io::Errno::NOENT) => try_directory(path.parent().unwrap_or(Path::new("/"))),
        Err(error) => Err(error.into()),
    }
}

/// It will be made if it is missing.
fn try_data_dir(path: &Path) -> io::Result<()> {
    match path.ancestors().find(|ancestor| ancestor.exists()) {
        Some(existing) if existing == path => try_directory(path),
        Some(existing) => Ok(accessat(CWD, existing, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)?),
        None => Err(io::ErrorKind::NotFound.into()),
    }
}

/// Whether files can be made in it. Landlock asks when it is opened, and permissions otherwise.
fn try_directory(path: &Path) -> io::Result<()> {
    open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    Ok(accessat(CWD, path, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)?)
}
