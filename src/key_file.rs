//! Where the key is kept, who may read it, and how it is made.

use crate::redact::{Key, KeyError, KeyRing};
use rustix::fs::{Mode, OFlags};
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A thousand keys fit; what is longer is some other file.
const KEY_FILE_BYTES_MAX: usize = 64 << 10;

/// The variable that holds the path of the key file, never a key.
pub const KEY_FILE_VARIABLE: &str = "BEARTRAP_KEY_FILE";

/// The path of the key file, and who chose it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    /// The user named it: it must exist.
    Given(PathBuf),
    /// The default place: the filter may make it on first use.
    Default(PathBuf),
}

impl KeyPlace {
    /// The file that was named, else `$BEARTRAP_KEY_FILE`, else the default place of this user.
    ///
    /// # Errors
    /// When there is no home to keep a key in.
    pub fn find(named: Option<&Path>) -> Result<Self, KeyFileError> {
        Self::find_in(named, |name| std::env::var_os(name))
    }

    fn find_in(named: Option<&Path>, variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, KeyFileError> {
        let path_in = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(path) = named {
            return Ok(Self::Given(path.to_owned()));
        }
        if let Some(path) = path_in(KEY_FILE_VARIABLE) {
            return Ok(Self::Given(path));
        }
        // The XDG base directory specification: a path that is not absolute is to be ignored.
        let state = path_in("XDG_STATE_HOME").filter(|path| path.is_absolute());
        let state = state.or_else(|| path_in("HOME").filter(|path| path.is_absolute()).map(|h| h.join(".local/state")));
        state.map(|state| Self::Default(state.join("beartrap/key"))).ok_or(KeyFileError::NoHome)
    }

    /// The path itself.
    pub fn path(&self) -> &Path {
        match self {
            Self::Given(path) | Self::Default(path) => path,
        }
    }

    /// Reads the keys of a file that must exist.
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    pub fn load(&self) -> Result<KeyRing, KeyFileError> {
        load(self.path())
    }

    /// Reads the keys, making a first one in the default place. Says whether it made one.
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    pub fn load_or_create(&self) -> Result<(KeyRing, bool), KeyFileError> {
        match (self, self.load()) {
            (Self::Default(path), Err(KeyFileError::Missing(_))) => match create(path) {
                Ok(()) => Ok((load(path)?, true)),
                // Another first user was faster: both must go on with the same key.
                Err(KeyFileError::Exists(_)) => Ok((load(path)?, false)),
                Err(error) => Err(error),
            },
            (_, loaded) => Ok((loaded?, false)),
        }
    }
}

/// Reads a key file. The path may be a symlink; what counts is the file that was opened.
///
/// # Errors
/// Names the file and what is wrong with it.
pub fn load(path: &Path) -> Result<KeyRing, KeyFileError> {
    let text = read_private(path, KEY_FILE_BYTES_MAX).map_err(|unreadable| match unreadable {
        Unreadable::Missing => KeyFileError::Missing(path.to_owned()),
        Unreadable::Refused(reason) => KeyFileError::Refused { path: path.to_owned(), reason },
        Unreadable::TooLong => KeyFileError::Refused { path: path.to_owned(), reason: "it is over 64 KiB" },
        Unreadable::Io(error) => KeyFileError::Io { doing: "read", path: path.to_owned(), error },
    })?;
    KeyRing::parse(&text).map_err(|error| KeyFileError::Text { path: path.to_owned(), error })
}

/// Why a secret can't be read from a file.
#[derive(Debug)]
pub(crate) enum Unreadable {
    Missing,
    /// The file is not as one with a secret must be.
    Refused(&'static str),
    TooLong,
    Io(io::Error),
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound { Self::Missing } else { Self::Io(error) }
    }
}

/// Reads a file that holds a secret: regular, closed to others, not writable by the group, readable by the group only if
/// root owns it (as Kubernetes mounts secrets).
pub(crate) fn read_private(path: &Path, bytes_max: usize) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
    let mut file = open_without_waiting(path)?;
    let metadata = file.metadata()?;
    if let Some(reason) = refusal(metadata.is_file(), metadata.mode(), metadata.uid()) {
        return Err(Unreadable::Refused(reason));
    }
    // Allocated once at its full size: growing would leave copies of the key in freed memory.
    let mut text = Zeroizing::new(vec![0; bytes_max + 1]);
    let mut len = 0;
    loop {
        match file.read(&mut text[len..]) {
            Ok(0) => break,
            Ok(n) => len += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    if len > bytes_max {
        return Err(Unreadable::TooLong);
    }
    text.truncate(len);
    Ok(text)
}

/// Opens a file to read it. A FIFO would otherwise wait for its writer.
pub(crate) fn open_without_waiting(path: &Path) -> io::Result<std::fs::File> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32;
    std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path)
}

fn refusal(is_file: bool, mode: u32, owner: u32) -> Option<&'static str> {
    let mode = Mode::from_raw_mode(mode);
    if !is_file {
        Some("it is no regular file")
    } else if mode.intersects(Mode::RWXO) {
        Some("others have access to it; take that away with chmod o=")
    } else if mode.contains(Mode::WGRP) {
        Some("its group may write to it; take that away with chmod g=")
    } else if mode.contains(Mode::RGRP) && owner != 0 {
        Some("its group may read it and root does not own it; take that away with chmod g=")
    } else {
        None
    }
}

/// Makes a key file with one new key, mode 0600, and the directories above it, mode 0700. An existing file stays.
///
/// # Errors
/// When the file exists, or names what could not be written.
pub fn create(path: &Path) -> Result<(), KeyFileError> {
    let at = |error| KeyFileError::Io { doing: "make", path: path.to_owned(), error };
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(at)?;

    let mut random = Zeroizing::new([0; 32 + 8]);
    getrandom::fill(&mut *random).map_err(|error| at(error.into()))?;
    let (secret, unique) = random.split_at(32);
    let unique: String = unique.iter().map(|byte| format!("{byte:02x}")).collect();
    let temporary = Temporary(directory.join(format!(".key-{unique}")));

    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary.0).map_err(at)?;
    file.write_all(&key_line(secret)).and_then(|()| file.sync_all()).map_err(at)?;
    // A link, not a rename: it fails where a key already is, so that of two first users one wins and both agree.
    match std::fs::hard_link(&temporary.0, path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(KeyFileError::Exists(path.to_owned()));
        }
        Err(error) => return Err(at(error)),
    }
    drop(temporary);
    std::fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(at)
}

fn key_line(secret: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut line = Zeroizing::new(Vec::with_capacity(2 * secret.len() + 1));
    for byte in secret {
        line.push(b"0123456789abcdef"[usize::from(byte >> 4)]);
        line.push(b"0123456789abcdef"[usize::from(byte & 15)]);
    }
    line.push(b'\n');
    line
}

/// A file that goes when the making of the key ends, well or not.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // It may not be there yet, and a file that can't be removed is as closed to others as the key itself.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The public name of a key, as markers show it.
pub fn display_id(key: &Key) -> String {
    key.id().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Why there is no key.
#[derive(Debug)]
pub enum KeyFileError {
    /// Neither a path nor a home was given.
    NoHome,
    /// No file there.
    Missing(PathBuf),
    /// A file is there, and a new key may not replace it.
    Exists(PathBuf),
    /// The file is not as a key file must be.
    Refused {
        /// The key file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The text in it is not as it must be.
    Text {
        /// The key file.
        path: PathBuf,
        /// What is wrong with it.
        error: KeyError,
    },
    /// The system said no.
    Io {
        /// What was tried.
        doing: &'static str,
        /// The key file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl std::fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoHome => {
                write!(f, "no home directory to keep a key in; name a key file with --key-file or {KEY_FILE_VARIABLE}")
            }
            Self::Missing(path) => write!(
                f,
                "no key file {}; make one with `beartrap key new`, or name another with --key-file or \
                 {KEY_FILE_VARIABLE}",
                path.display()
            ),
            Self::Exists(path) => write!(f, "key file {} exists and stays as it is", path.display()),
            Self::Refused { path, reason } => write!(f, "key file {} is refused: {reason}", path.display()),
            Self::Text { path, error } => write!(f, "key file {}: {error}", path.display()),
            Self::Io { doing, path, error } => write!(f, "can't {doing} key file {}: {error}", path.display()),
        }
    }
}

impl std::error::Error for KeyFileError {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn find(named: Option<&str>, variables: &[(&str, &str)]) -> Result<KeyPlace, KeyFileError> {
        KeyPlace::find_in(named.map(Path::new), |name| {
            variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| value.into())
        })
    }

    #[test]
    fn places_are_tried_in_order() {
        let all = [("BEARTRAP_KEY_FILE", "/v/key"), ("XDG_STATE_HOME", "/x"), ("HOME", "/h")];
        assert_eq!(find(Some("k"), &all).unwrap(), KeyPlace::Given("k".into()));
        assert_eq!(find(None, &all).unwrap(), KeyPlace::Given("/v/key".into()));
        assert_eq!(find(None, &all[1..]).unwrap(), KeyPlace::Default("/x/beartrap/key".into()));
        assert_eq!(find(None, &all[2..]).unwrap(), KeyPlace::Default("/h/.local/state/beartrap/key".into()));
        assert!(matches!(find(None, &[]), Err(KeyFileError::NoHome)));
    }

    #[test]
    fn empty_and_relative_places_are_passed_over() {
        let found = find(None, &[("BEARTRAP_KEY_FILE", ""), ("XDG_STATE_HOME", "x"), ("HOME", "/h")]).unwrap();
        assert_eq!(found, KeyPlace::Default("/h/.local/state/beartrap/key".into()));
        assert!(matches!(find(None, &[("HOME", "")]), Err(KeyFileError::NoHome)));
    }

    #[test]
    fn modes_that_open_the_key_are_refused() {
        for (mode, owner, fine) in [
            (0o600, 1000, true),
            (0o400, 1000, true),
            (0o640, 0, true),
            (0o640, 1000, false),
            (0o660, 0, false),
            (0o620, 1000, false),
            (0o604, 0, false),
            (0o602, 1000, false),
            (0o601, 1000, false),
        ] {
            assert_eq!(refusal(true, mode, owner).is_none(), fine, "{mode:o} of {owner}");
        }
        assert!(refusal(false, 0o600, 0).is_some());
    }

    #[test]
    fn a_new_key_is_private_and_is_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/key");
        create(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(std::fs::metadata(dir.path().join("a")).unwrap().permissions().mode() & 0o7777, 0o700);
        let id = display_id(load(&path).unwrap().active());
        assert!(matches!(create(&path), Err(KeyFileError::Exists(_))));
        assert_eq!(display_id(load(&path).unwrap().active()), id);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn a_symlink_is_followed_and_a_fifo_does_not_block() {
        let dir = tempfile::tempdir().unwrap();
        let (key, link, fifo) = (dir.path().join("key"), dir.path().join("link"), dir.path().join("fifo"));
        create(&key).unwrap();
        std::os::unix::fs::symlink(&key, &link).unwrap();
        assert!(load(&link).is_ok());
        let status = std::process::Command::new("mkfifo").args(["-m", "600"]).arg(&fifo).status().unwrap();
        assert!(status.success());
        assert!(load(&fifo).unwrap_err().to_string().ends_with("is refused: it is no regular file"));
    }

    #[test]
    fn an_error_names_the_file_and_never_its_contents() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let write = |text: &[u8]| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            load(&path).unwrap_err().to_string()
        };
        let error = write(b"not-a-key-but-secret\n");
        assert!(error.contains(path.to_str().unwrap()) && !error.contains("secret"), "{error}");
        assert!(write(b"\n").contains("holds no key"));
        assert!(write(&vec![b'\n'; KEY_FILE_BYTES_MAX + 1]).contains("over 64 KiB"));
        assert!(load(&dir.path().join("none")).unwrap_err().to_string().contains("beartrap key new"));
    }
}
