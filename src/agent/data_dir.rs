//! The directory that holds the agent's state, for one process at a time.

use super::identity::IdentityKey;
use rustix::fs::{FlockOperation, flock};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
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

        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io(path.to_owned()))?;
        let metadata = std::fs::metadata(path).map_err(io(path.to_owned()))?;
        if metadata.mode() & 0o077 != 0 {
            return Err(fail(path, Problem::Shared { mode: metadata.mode() & 0o7777 }));
        }
        if metadata.uid() != rustix::process::geteuid().as_raw() && metadata.uid() != 0 {
            return Err(fail(path, Problem::Foreign { uid: metadata.uid() }));
        }

        let lock_path = path.join(LOCK_NAME);
        let lock =
            private(OpenOptions::new().write(true).create(true)).open(&lock_path).map_err(io(lock_path.clone()))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(fail(path, Problem::Locked)),
            Err(errno) => return Err(fail(&lock_path, Problem::Io(errno.into()))),
        }

        let key_path = path.join(IDENTITY_KEY_NAME);
        let identity_key = load_identity_key(path, &key_path).map_err(io(key_path))?;
        Ok(Self(Arc::new(Inner { path: path.to_owned(), identity_key, _lock: lock })))
    }

    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The key of all file identities in this directory.
    pub fn identity_key(&self) -> &IdentityKey {
        &self.0.identity_key
    }
}

/// Writes a file so that, whatever happens, its path names either what was there before or all of `contents`.
/// `before_rename` runs when the new contents are durable under another name.
pub(super) fn replace_file(
    path: &Path,
    contents: &[u8],
    before_rename: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    let temporary = path.with_added_extension("tmp");
    let mut file = private(OpenOptions::new().write(true).create(true).truncate(true)).open(&temporary)?;
    file.write_all(contents)?;
    file.sync_all()?;
    before_rename()?;
    std::fs::rename(&temporary, path)?;
    // A rename is only durable after its directory is.
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
}

/// The key is never rotated: with another one no file would be recognised, and all would be read from their beginning.
fn load_identity_key(directory: &Path, path: &Path) -> io::Result<IdentityKey> {
    match std::fs::read(path).map(Zeroizing::new) {
        Ok(bytes) => match <&[u8; 32]>::try_from(bytes.as_slice()) {
            Ok(secret) => return Ok(IdentityKey::new(secret)),
            // Starting over costs duplicates, refusing to start costs records.
            Err(_) => tracing::warn!(
                directory = %directory.display(),
                "identity.key is damaged and made anew: files are read from their beginning"
            ),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(secret.as_mut()).map_err(io::Error::other)?;
    replace_file(path, secret.as_ref(), || Ok(()))?;
    Ok(IdentityKey::new(&secret))
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
    Shared { mode: u32 },
    Foreign { uid: u32 },
    Locked,
}

impl std::fmt::Display for DataDirError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.path.display();
        match &self.problem {
            Problem::Io(error) => write!(f, "data_dir: {path}: {error}"),
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
    use std::os::unix::fs::PermissionsExt;

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
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o750)).unwrap();
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
}
