//! The token that callers must know: from a file that is read again, and compared so that the time tells nothing of it.

use super::super::config;
use crate::key_file::{self, Unreadable};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use subtle::ConstantTimeEq;
use tokio::sync::watch;

/// A token that was put in place without a signal is in force after this time at most.
const INTERVAL: Duration = Duration::from_secs(30);
/// What is shorter could be guessed.
const LEN_MIN: usize = 16;
/// What is longer fits into no header.
const FILE_BYTES_MAX: usize = 4 << 10;

type Sha256Digest = [u8; 32];

/// Only its digest is kept.
#[derive(Debug)]
pub(super) struct Token {
    path: PathBuf,
    digest: Mutex<Sha256Digest>,
}

/// Says what is wrong with the file of the token, if it is needed.
pub(in super::super) fn problem(api: &config::Api) -> Option<String> {
    let path = api.token_file.as_deref()?;
    Some(format!("api: {}", digest_of(path).err()?))
}

impl Token {
    /// Reads it for the first time.
    pub fn read(path: &Path) -> Result<Self, String> {
        Ok(Self { path: path.to_owned(), digest: Mutex::new(digest_of(path)?) })
    }

    /// Whether this is it.
    pub fn is(&self, presented: &[u8]) -> bool {
        let digest = *self.digest.lock().unwrap_or_else(PoisonError::into_inner);
        Sha256Digest::from(Sha256::digest(presented)).ct_eq(&digest).into()
    }

    /// Reads the file every 30 s and whenever `reopen` changes. One that is not good changes nothing.
    pub async fn keep_fresh(self: Arc<Self>, mut reopen: watch::Receiver<u64>) {
        let mut is_broken = false;
        loop {
            if let Ok(Err(_)) = tokio::time::timeout(INTERVAL, reopen.changed()).await {
                return;
            }
            let token = self.clone();
            // It may lie on a slow disk.
            let Ok(read) = tokio::task::spawn_blocking(move || digest_of(&token.path)).await else { return };
            match read {
                Ok(digest) => {
                    let before =
                        std::mem::replace(&mut *self.digest.lock().unwrap_or_else(PoisonError::into_inner), digest);
                    if before != digest {
                        tracing::info!("another API token is in force");
                    } else if is_broken {
                        tracing::info!("the API token is good again");
                    }
                    is_broken = false;
                }
                Err(error) => {
                    if !is_broken {
                        tracing::error!(error, "the API token is not good, the old one stays in force");
                    }
                    is_broken = true;
                }
            }
        }
    }
}

fn digest_of(path: &Path) -> Result<Sha256Digest, String> {
    let wrong = |why: &str| format!("token_file {}: {why}", path.display());
    let text = key_file::read_private(path, FILE_BYTES_MAX).map_err(|unreadable| match unreadable {
        Unreadable::Missing => wrong("it is missing"),
        Unreadable::Refused(reason) => wrong(reason),
        Unreadable::TooLong => wrong("it is over 4 KiB"),
        Unreadable::Io(error) => wrong(&error.to_string()),
    })?;
    let token = text.trim_ascii_end();
    if token.len() < LEN_MIN {
        return Err(wrong("its token has less than 16 characters"));
    }
    if !token.iter().all(|byte| byte.is_ascii_graphic()) {
        return Err(wrong("it must hold one line without blanks, of printable ASCII"));
    }
    Ok(Sha256::digest(token).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_token_is_long_printable_and_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let read = |text: &str, mode: u32| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            Token::read(&path)
        };
        for (text, mode, why) in [
            ("0123456789abcde\n", 0o600, "less than 16"),
            ("0123456789abcdef x", 0o600, "without blanks"),
            ("0123456789abcdef\n0123456789abcdef\n", 0o600, "one line"),
            ("0123456789abcdefü", 0o600, "printable"),
            ("0123456789abcdef", 0o644, "others have access"),
            (&"x".repeat(4097), 0o600, "over 4 KiB"),
        ] {
            assert!(read(text, mode).unwrap_err().contains(why), "{text} {mode:o}");
        }
        let token = read("0123456789abcdef\n", 0o600).unwrap();
        assert!(token.is(b"0123456789abcdef"));
        for other in ["", "0123456789abcde", "0123456789abcdef\n", "0123456789abcdeg"] {
            assert!(!token.is(other.as_bytes()), "{other}");
        }
        assert!(!format!("{token:?}").contains("0123456789abcdef"));
        std::fs::remove_file(&path).unwrap();
        assert!(Token::read(&path).unwrap_err().contains("it is missing"));
        assert!(Token::read(folder.path()).unwrap_err().contains("no regular file"));
    }
}
