//! The commands that reach a running agent from outside: stop, stop at once, open output files again.

use super::status::KeyHealth;
use super::stop::Stop;
use std::io;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Commands a running agent. Without one (it was dropped) the agent runs until its sources end.
#[derive(Debug)]
pub struct Controller {
    stop: watch::Sender<Stop>,
    reopen: watch::Sender<u64>,
}

/// The agent's end of a [`Controller`].
#[derive(Debug)]
pub struct Control {
    stop: watch::Receiver<Stop>,
    pub(super) reopen: watch::Receiver<u64>,
    pub(super) keys: Arc<KeyHealth>,
}

impl Controller {
    /// Both ends.
    pub fn channel() -> (Controller, Control) {
        let (stop, stopped) = watch::channel(Stop::Running);
        let (reopen, reopened) = watch::channel(0);
        (Controller { stop, reopen }, Control { stop: stopped, reopen: reopened, keys: Arc::default() })
    }

    /// Stops the agent in order; when that has begun already, ends it at once.
    pub fn stop(&self) {
        self.stop.send_modify(|stop| {
            *stop = match *stop {
                Stop::Running => Stop::Draining,
                Stop::Draining | Stop::Now => Stop::Now,
            }
        });
    }

    /// Has output files opened again, as after a rotation.
    pub fn reopen(&self) {
        self.reopen.send_modify(|times| *times += 1);
    }

    /// Lets signals give the commands from now on: `SIGTERM` and `SIGINT` stop, `SIGHUP` opens files again.
    ///
    /// # Errors
    /// When a handler can't be installed.
    pub fn follow_signals(self) -> io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    Some(()) = terminate.recv() => self.stop(),
                    Some(()) = interrupt.recv() => self.stop(),
                    Some(()) = hangup.recv() => self.reopen(),
                    else => return,
                }
            }
        });
        Ok(())
    }
}

impl Control {
    /// Reads the key file again every 30 s and whenever files are opened again, while the runtime lives.
    pub fn reload_keys(&self, path: std::path::PathBuf, redaction: crate::redact::Redaction) {
        tokio::spawn(super::key_reload::run(path, redaction, self.reopen.clone(), self.keys.clone()));
    }

    /// Waits until the agent is to stop further than `seen`, and says how far.
    pub(super) async fn beyond(&mut self, seen: Stop) -> Stop {
        match self.stop.wait_for(|stop| *stop != seen).await {
            Ok(stop) => *stop,
            Err(_) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_second_stop_means_now() {
        let (controller, mut control) = Controller::channel();
        controller.stop();
        assert_eq!(control.beyond(Stop::Running).await, Stop::Draining);
        controller.stop();
        assert_eq!(control.beyond(Stop::Draining).await, Stop::Now);
    }
}
