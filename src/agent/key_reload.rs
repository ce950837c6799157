//! The key file is read again while the agent runs, so that a rotated key needs no restart.

use super::status::KeyHealth;
use crate::key_file::{self, display_id};
use crate::redact::Redaction;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A key that was put in place without a signal is in force after this time at most.
const INTERVAL: Duration = Duration::from_secs(30);

/// Reads the file every 30 s and whenever `reopen` changes, for as long as the agent runs. A file that can't be read or
/// holds no key changes nothing: the old keys stay in force.
pub(super) async fn run(path: PathBuf, redaction: Redaction, mut reopen: watch::Receiver<u64>, health: Arc<KeyHealth>) {
    let mut broken = false;
    loop {
        if let Ok(Err(_)) = tokio::time::timeout(INTERVAL, reopen.changed()).await {
            return;
        }
        let loaded = key_file::load(&path);
        health.reloaded(loaded.is_ok());
        match loaded {
            Ok(keys) => {
                if keys.active().id() != redaction.key_id() {
                    tracing::info!(key_id = display_id(keys.active()), "another key is active");
                } else if broken {
                    tracing::info!("the key file is good again");
                }
                broken = false;
                redaction.replace_keys(keys);
            }
            Err(error) => {
                if !broken {
                    tracing::error!(%error, "the key file is not good, the old key stays in force");
                }
                broken = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::{Options, Redactor};
    use std::os::unix::fs::OpenOptionsExt;

    fn write_keys(path: &std::path::Path, keys: &[u8]) {
        use std::io::Write;
        let _ = std::fs::remove_file(path);
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
        file.write_all(keys).unwrap();
    }

    #[tokio::test]
    async fn a_rotated_key_is_in_force_after_a_signal_and_a_broken_file_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let (old, new) = ("11".repeat(32), "22".repeat(32));
        write_keys(&path, old.as_bytes());
        let redaction = Redaction::new(key_file::load(&path).unwrap(), Options::default()).unwrap();
        let mut running = Redactor::new(&redaction);
        let before = redaction.key_id();
        let (reopen, reopened) = watch::channel(0);
        let health = Arc::new(KeyHealth::default());
        tokio::spawn(run(path.clone(), redaction.clone(), reopened, health.clone()));
        assert_eq!(health.status(), None, "not tried yet");

        write_keys(&path, b"no key");
        reopen.send_modify(|times| *times += 1);
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(redaction.key_id(), before);
        assert!(health.status().is_some_and(|status| !status.is_good));

        write_keys(&path, format!("{new}\n{old}\n").as_bytes());
        reopen.send_modify(|times| *times += 1);
        for _ in 0..500 {
            if redaction.key_id() != before {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_ne!(redaction.key_id(), before);
        assert!(health.status().is_some_and(|status| status.is_good));
        // A redactor that is at work uses it too, and the old key still answers look-ups.
        let secret = b"mF_9.B5f-4.1JqM-and-more";
        let marker = running.redact(&[b"Bearer ", &secret[..]].concat());
        assert_eq!(marker.findings[0].fingerprint.key_id, redaction.key_id());
        let ids: Vec<_> = redaction.fingerprints(secret).iter().map(|fingerprint| fingerprint.key_id).collect();
        assert_eq!(ids, [redaction.key_id(), before]);
    }
}
