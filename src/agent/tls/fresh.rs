//! What new connections use is made again when its files have changed.

use super::{Loaded, TlsError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A certificate that was put in place without a signal is in force after this time at most.
const INTERVAL: Duration = Duration::from_secs(30);

type Load<C> = Arc<dyn Fn() -> Result<Loaded<C>, TlsError> + Send + Sync>;

/// A configuration of rustls that is read again.
pub(in super::super) struct Fresh<C> {
    load: Load<C>,
    digest: [u8; 32],
    current: watch::Sender<Arc<C>>,
}

impl<C: Send + Sync + 'static> Fresh<C> {
    /// Loads it for the first time.
    pub fn new(load: impl Fn() -> Result<Loaded<C>, TlsError> + Send + Sync + 'static) -> Result<Self, TlsError> {
        let Loaded { config, digest } = load()?;
        Ok(Self { load: Arc::new(load), digest, current: watch::Sender::new(config) })
    }

    /// Reads the files every 30 s and whenever `reopen` changes, for as long as there is a receiver of what is in force.
    pub fn keep(self, part: String, reopen: watch::Receiver<u64>) -> watch::Receiver<Arc<C>> {
        let current = self.current.subscribe();
        tokio::spawn(self.run(part, reopen));
        current
    }

    /// Files that are not good change nothing: what was in force stays.
    async fn run(mut self, part: String, mut reopen: watch::Receiver<u64>) {
        let mut reported = None;
        loop {
            let asked = tokio::select! {
                () = self.current.closed() => return,
                changed = tokio::time::timeout(INTERVAL, reopen.changed()) => match changed {
                    Ok(Err(_)) => return,
                    Ok(Ok(())) => true,
                    Err(_) => false,
                },
            };
            let load = self.load.clone();
            // Files may lie on a slow disk.
            let Ok(loaded) = tokio::task::spawn_blocking(move || load()).await else { return };
            match loaded {
                Ok(Loaded { config, digest }) => {
                    if digest != self.digest {
                        tracing::info!(part, "new certificates are in force for new connections");
                        self.digest = digest;
                        self.current.send_replace(config);
                    } else if reported.is_some() {
                        tracing::info!(part, "the certificates are good again");
                    }
                    reported = None;
                }
                Err(error) => {
                    let error = error.to_string();
                    // Whoever asked wants to know, each time.
                    if asked || reported.as_ref() != Some(&error) {
                        tracing::error!(part, error, "the certificates are not good, the old ones stay in force");
                        reported = Some(error);
                    }
                }
            }
        }
    }
}
