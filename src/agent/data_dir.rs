//! The directory that holds the agent's state, for one process at a time.

use super::identity::IdentityKey;
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

const LOCK_NAME: &str = "beartrap.lock";
const IDENTITY_KEY_NAME: &str = "identity.key";

/// An opened `data_dir`: private, and locked for as long as one clone of this lives.
#[derive(Clone, Debug)]
pub(super) struct DataDir(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    /// All files are opened in here, whatever its path leads to by then.
    directory: File,
    identity_key: IdentityKey,
    /// The lock goes with this descriptor, so it also ends with a process that is killed.
    _lock: File,
}

impl DataDir {
    /// Makes the directory where it is missing, checks that it is private, locks it, and makes the key for file
    /// identities on first use.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        let fail = |path: &Path, problem| DataDirError { path: path.to_owned(), problem };
        let io = |path: PathBuf| move |error| DataDirError { path, problem: Problem::Io(error) };

        make(path).map_err(io(path.to_owned()))?;
        if std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()) {
            return Err(fail(path, Problem::Link));
        }
        // Even if a link takes its place at this very moment.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::open(path, flags, Mode::empty()).map_err(io::Error::from);
        let directory = File::from(opened.map_err(io(path.to_owned()))?);
        let metadata = directory.metadata().map_err(io(path.to_owned()))?;
        if metadata.mode() & 0o077 != 0 {
            return Err(fail(path, Problem::Shared { mode: metadata.mode() & 0o7777 }));
        }
        if !is_ours(metadata.uid()) {
            return Err(fail(path, Problem::Foreign { uid: metadata.uid() }));
        }

        let lock_path = path.join(LOCK_NAME);
        let flags = OFlags::RDWR | OFlags::CREATE;
        let lock = open_private(&directory, LOCK_NAME, flags).map_err(io(lock_path.clone()))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(fail(path, Problem::Locked)),
            Err(errno) => return Err(fail(&lock_path, Problem::Io(errno.into()))),
        }

        let identity_key = load_identity_key(path, &directory).map_err(io(path.join(IDENTITY_KEY_NAME)))?;
        Ok(Self(Arc::new(Inner { path: path.to_owned(), directory, identity_key, _lock: lock })))
    }

    /// For messages; files in it are opened by name.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The key of all file identities in this directory.
    pub fn identity_key(&self) -> &IdentityKey {
        &self.0.identity_key
    }

    /// Opens a file for reading and writing; makes it where it is missing.
    pub fn open_file(&self, name: &str) -> io::Result<File> {
        open_private(&self.0.directory, name, OFlags::RDWR | OFlags::CREATE)
    }

    /// Reads a file; `None` if it is not there.
    pub fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        read(&self.0.directory, name)
    }

    /// Writes a file so that, whatever happens, its name stands for either what was there before or all of `contents`.
    /// What was there before gets the name `keep_as`, if there is one: in between `name` is missing.
    pub fn replace(&self, name: &str, contents: &[u8], keep_as: Option<&str>) -> io::Result<()> {
        replace(&self.0.directory, name, contents, keep_as)
    }
}

/// Root's files are as good as our own.
fn is_ours(uid: u32) -> bool {
    uid == rustix::process::geteuid().as_raw() || uid == 0
}

/// Opens a regular file of ours and nothing else: no link, and no FIFO that would be waited for.
fn open_private(directory: &File, name: &str, flags: OFlags) -> io::Result<File> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(directory, name, flags, Mode::RUSR | Mode::WUSR)?);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    if !is_ours(metadata.uid()) {
        return Err(io::Error::other(format!("it belongs to another user (uid {})", metadata.uid())));
    }
    if metadata.mode() & 0o077 != 0 {
        tracing::warn!(
            name,
            mode = format_args!("{:04o}", metadata.mode() & 0o7777),
            "file in data_dir was open to others and is made private"
        );
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

fn read(directory: &File, name: &str) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    match open_private(directory, name, OFlags::RDONLY) {
        Ok(mut file) => file.read_to_end(&mut bytes).map(|_| Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn replace(directory: &File, name: &str, contents: &[u8], keep_as: Option<&str>) -> io::Result<()> {
    let temporary = format!("{name}.tmp");
    let mut file = open_private(directory, &temporary, OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC)?;
    file.write_all(contents)?;
    file.sync_all()?;
    if let Some(older) = keep_as {
        rustix::fs::renameat(directory, name, directory, older)?;
    }
    rustix::fs::renameat(directory, &temporary, directory, name)?;
    // A rename is only durable after its directory is.
    directory.sync_all()
}

/// The key is never rotated: with another one no file would be recognised, and all would be read from their beginning.
fn load_identity_key(path: &Path, directory: &File) -> io::Result<IdentityKey> {
    if let Some(bytes) = read(directory, IDENTITY_KEY_NAME)?.map(Zeroizing::new) {
        match <&[u8; 32]>::try_from(bytes.as_slice()) {
            Ok(secret) => return Ok(IdentityKey::new(secret)),
            // Starting over costs duplicates, refusing to start costs records.
            Err(_) => tracing::warn!(
                directory = %path.display(),
                "identity.key is damaged and made anew: files are read from their beginning"
            ),
        }
    }
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(secret.as_mut()).map_err(io::Error::other)?;
    replace(directory, IDENTITY_KEY_NAME, secret.as_ref(), None)?;
    Ok(IdentityKey::new(&secret))
}

/// Makes the directory, and those above it, for this user only.
pub(super) fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Why `data_dir` can't be used.
#[derive(Debug)]
pub(super) struct DataDirError {
    path: PathBuf,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    Io(io::Error),
    Link,
    Shared { mode: u32 },
    Foreign { uid: u32 },
    Locked,
}

impl std::fmt::Display for DataDirError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.path.display();
        match &self.problem {
            Problem::Io(error) => write!(f, "data_dir: {path}: {error}"),
            Problem::Link => {
                write!(f, "data_dir: {path} is a symbolic link, which is not followed; name the directory itself")
            }
            Problem::Shared { mode } => {
                write!(f, "data_dir: {path} is open to others (mode {mode:04o}); make it private with chmod 700")
            }
            Problem::Foreign { uid } => write!(f, "data_dir: {path} belongs to another user (uid {uid})"),
            Problem::Locked => write!(f, "data_dir: {path} is in use by another process"),
        }
    }
}

impl std::error::Error for DataDirError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.problem {
            Problem::Io(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_missing_directory_is_made_private() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let _data_dir = DataDir::open(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        assert_eq!(std::fs::metadata(path.join(IDENTITY_KEY_NAME)).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn only_one_process_may_use_it() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("state");
        let first = DataDir::open(&path).unwrap();
        let message = DataDir::open(&path).unwrap_err().to_string();
        assert!(message.contains("in use") && message.contains(path.to_str().unwrap()), "{message}");
        drop(first);
        DataDir::open(&path).unwrap();
    }

    #[test]
    fn a_shared_directory_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::set_permissions(directory.path(), Permissions::from_mode(0o750)).unwrap();
        let message = DataDir::open(directory.path()).unwrap_err().to_string();
        assert!(message.contains("0750") && message.contains("chmod 700"), "{message}");
    }

    #[test]
    fn the_identity_key_stays_and_a_damaged_one_is_replaced() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("state");
        let digest = || DataDir::open(&path).unwrap().identity_key().head(b"x");
        let first = digest();
        assert_eq!(first, digest());
        std::fs::write(path.join(IDENTITY_KEY_NAME), b"short").unwrap();
        let second = digest();
        assert_ne!(first, second);
        assert_eq!(second, digest());
    }

    #[test]
    fn links_are_not_followed() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("state");
        let link = parent.path().join("link");
        drop(DataDir::open(&path).unwrap());
        symlink(&path, &link).unwrap();
        let message = DataDir::open(&link).unwrap_err().to_string();
        assert!(message.contains("symbolic link"), "{message}");

        // Nor in it: what a link leads to is neither read, written nor made.
        let victim = parent.path().join("victim");
        std::fs::write(&victim, "of someone else").unwrap();
        for name in [IDENTITY_KEY_NAME, LOCK_NAME] {
            std::fs::remove_file(path.join(name)).unwrap();
            symlink(&victim, path.join(name)).unwrap();
            let message = DataDir::open(&path).unwrap_err().to_string();
            assert!(message.contains(name), "{message}");
            std::fs::remove_file(path.join(name)).unwrap();
            drop(DataDir::open(&path).unwrap());
        }
        let data_dir = DataDir::open(&path).unwrap();
        symlink(&victim, path.join("app.checkpoint")).unwrap();
        symlink(&victim, path.join("app.checkpoint.tmp")).unwrap();
        data_dir.read("app.checkpoint").unwrap_err();
        data_dir.open_file("app.checkpoint").unwrap_err();
        data_dir.replace("app.checkpoint", b"ours", None).unwrap_err();
        assert_eq!(std::fs::read(&victim).unwrap(), b"of someone else");
    }

    #[test]
    fn a_directory_that_is_swapped_is_still_the_one_that_was_opened() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("state");
        let data_dir = DataDir::open(&path).unwrap();
        let moved = parent.path().join("moved");
        std::fs::rename(&path, &moved).unwrap();
        std::fs::create_dir(&path).unwrap();
        data_dir.replace("app.checkpoint", b"ours", None).unwrap();
        assert_eq!(std::fs::read(moved.join("app.checkpoint")).unwrap(), b"ours");
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0);
    }

    #[test]
    fn files_that_others_may_read_are_made_private_and_fifos_are_refused() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("state");
        let data_dir = DataDir::open(&path).unwrap();
        data_dir.replace("a", b"1", None).unwrap();
        std::fs::set_permissions(path.join("a"), Permissions::from_mode(0o644)).unwrap();
        assert_eq!(data_dir.read("a").unwrap(), Some(b"1".to_vec()));
        assert_eq!(std::fs::metadata(path.join("a")).unwrap().mode() & 0o777, 0o600);
        rustix::fs::mknodat(rustix::fs::CWD, path.join("fifo"), rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
        data_dir.read("fifo").unwrap_err();
    }
}
