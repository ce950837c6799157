//! Tells a receiver over HTTPS of credentials that were seen for the first time and can still be replayed.
//!
//! ```text
//! ledger ── rows of which nobody was told ──▶ Delivery ── POST ──▶ receiver
//!    ▲                                                                │
//!    └──────────────────────── alerted_at ◀────────── 2xx ────────────┘
//! ```
//!
//! The ledger itself is the queue: what is not delivered is found in it again, after a restart too. A thread of its own
//! waits for the receiver, so that nobody else does.

mod delivery;
mod health;
mod post;
mod signature;

pub(super) use health::AlertHealth;
pub use health::AlertStatus;

use super::backoff::Backoff;
use super::config::Alert;
use crate::ledger::{AlertKey, LedgerError, Store};
use crate::redact::Redaction;
use delivery::{BODY_BYTES_MAX, Delivery, Next, Wanted};
use jiff::Timestamp;
use post::{Answer, Sender};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// The most memory that alerts take: the rows of a body in each form that they pass through, and the database's cache.
pub(super) const ALERT_BYTES_MAX: usize = 8 * BODY_BYTES_MAX + (10 << 20);

/// How often the ledger is asked for rows.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How long to leave a ledger alone that can't be used.
const LEDGER_PAUSE: Duration = Duration::from_secs(5);
/// When rows are tried again that the receiver did not want.
const GIVEN_UP_PAUSE: Duration = Duration::from_secs(600);
/// How long the end waits for the last alert.
const LAST_MAX: Duration = Duration::from_secs(2);

/// Reads the files that an alert needs, and says what is wrong with them.
pub(super) fn problem(alert: &Alert) -> Option<String> {
    Some(format!("[ledger.alert]: {}", Sender::new(alert).err()?))
}

/// The alerts of a running agent.
#[derive(Debug)]
pub(super) struct Alerter {
    health: Arc<AlertHealth>,
    watch: health::Watch,
    desk: Arc<Desk>,
    thread: JoinHandle<()>,
    ended: oneshot::Receiver<()>,
}

impl Alerter {
    /// Starts the thread, for a ledger that is there.
    pub fn start(alert: &Alert, ledger: &Path, redaction: &Redaction) -> io::Result<Self> {
        let sender = Sender::new(alert).map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?;
        let (health, desk) = (Arc::<AlertHealth>::default(), Arc::<Desk>::default());
        let (ending, ended) = oneshot::channel();
        let work = Work {
            alert: alert.clone(),
            path: ledger.to_owned(),
            redaction: redaction.of_own_texts(),
            health: health.clone(),
            desk: desk.clone(),
            sender,
            store: None,
            backoff: Backoff::new(alert.retry_max),
            since: 0,
            given_up_at: None,
            next_at: Instant::now(),
            delivery: None,
            is_failing: false,
            told: Vec::new(),
            _ending: ending,
        };
        let thread = std::thread::Builder::new().name("alert".to_owned()).spawn(move || work.run())?;
        Ok(Self { health, watch: health::Watch::default(), desk, thread, ended })
    }

    pub fn health(&self) -> Arc<AlertHealth> {
        self.health.clone()
    }

    /// Says what has changed since it looked last.
    pub fn look(&mut self) {
        if self.thread.is_finished() {
            self.health.ended();
        }
        self.watch.look(&self.health);
    }

    /// Sends what is new in the ledger if the receiver takes it at once. What is not sent is sent after the next start.
    pub async fn close(mut self, left: Duration) {
        let wait = left.min(LAST_MAX);
        self.desk.stop(Instant::now() + wait);
        let _ = tokio::time::timeout(wait, &mut self.ended).await;
        self.watch.look(&self.health);
    }
}

impl Drop for Alerter {
    fn drop(&mut self) {
        self.desk.stop(Instant::now());
    }
}

/// What the thread and those who end it share.
#[derive(Debug, Default)]
struct Desk {
    /// When all must be over, once that is known.
    stop: Mutex<Option<Instant>>,
    called: Condvar,
}

impl Desk {
    fn stop(&self, deadline: Instant) {
        self.state().get_or_insert(deadline);
        self.called.notify_one();
    }

    /// Waits so long, or until it is to stop.
    fn wait(&self, pause: Duration) -> Option<Instant> {
        let is_on = |stop: &mut Option<Instant>| stop.is_none();
        *self.called.wait_timeout_while(self.state(), pause, is_on).unwrap_or_else(PoisonError::into_inner).0
    }

    fn state(&self) -> MutexGuard<'_, Option<Instant>> {
        self.stop.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the thread works with.
struct Work {
    alert: Alert,
    path: PathBuf,
    redaction: Redaction,
    health: Arc<AlertHealth>,
    desk: Arc<Desk>,
    /// Of files that were good.
    sender: Sender,
    store: Option<Store>,
    backoff: Backoff,
    /// All rows of changes up to this one are delivered, not wanted, or given up.
    since: u64,
    given_up_at: Option<Instant>,
    /// No attempt is made earlier.
    next_at: Instant,
    delivery: Option<Box<Delivery>>,
    /// The last attempt failed.
    is_failing: bool,
    /// Delivered, and not yet noted in the ledger.
    told: Vec<AlertKey>,
    /// Says by going away that the thread ends.
    _ending: oneshot::Sender<()>,
}

impl Work {
    fn run(mut self) {
        let mut pause = Duration::ZERO;
        loop {
            if let Some(deadline) = self.desk.wait(pause) {
                return self.finish(deadline);
            }
            pause = self.step(self.alert.timeout);
        }
    }

    /// One more attempt, if the last one went well; it is not counted against the rate.
    fn finish(&mut self, deadline: Instant) {
        let time = self.alert.timeout;
        let left = || deadline.saturating_duration_since(Instant::now()).min(time);
        if !self.is_failing {
            self.next_at = Instant::now();
            // Rows that are not wanted are passed on the way.
            while !left().is_zero() && matches!(self.prepare(), Ok(Some(Duration::ZERO))) {}
            if let Some(delivery) = self.delivery.take()
                && !left().is_zero()
            {
                self.attempt(delivery, left());
            }
        }
        // Else the next start tells of it again.
        if let Err(error) = self.note_told() {
            self.health.ledger(Some(error.to_string()));
        }
    }

    /// Does the next thing, and says how long to wait for the one after it.
    fn step(&mut self, timeout: Duration) -> Duration {
        match self.prepare() {
            Ok(None) => {}
            Ok(Some(pause)) => return pause,
            Err(error) => {
                // It is opened anew: its file may be another one by then.
                self.store = None;
                self.health.ledger(Some(error.to_string()));
                return LEDGER_PAUSE;
            }
        }
        if let Some(delivery) = self.delivery.take() {
            self.attempt(delivery, timeout);
        }
        Duration::ZERO
    }

    /// Brings things so far that there is something to send, or says how long there will be nothing.
    fn prepare(&mut self) -> Result<Option<Duration>, LedgerError> {
        self.note_told()?;
        let left = self.next_at.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            return Ok(Some(left));
        }
        if self.delivery.is_some() {
            return Ok(None);
        }
        if self.given_up_at.is_some_and(|at| at.elapsed() >= GIVEN_UP_PAUSE) {
            (self.since, self.given_up_at) = (0, None);
        }
        let wanted = Wanted { severity: self.alert.min_severity, rows_max: self.alert.max_batch };
        let (since, redaction) = (self.since, self.redaction.clone());
        let next = Delivery::next(self.store()?, since, wanted, &redaction)?;
        self.health.ledger(None);
        Ok(match next {
            Next::Deliver(delivery) => {
                self.delivery = Some(delivery);
                None
            }
            Next::Skip(until) => {
                self.since = until;
                Some(Duration::ZERO)
            }
            Next::Nothing => Some(LOOK_INTERVAL),
        })
    }

    fn attempt(&mut self, mut delivery: Box<Delivery>, timeout: Duration) {
        // Files are read again for each attempt.
        match Sender::new(&self.alert) {
            Ok(sender) => {
                self.sender = sender;
                self.health.files(None);
            }
            Err(error) => self.health.files(Some(error)),
        }
        let started = Instant::now();
        let answer = self.sender.post(&delivery.id, &delivery.body, timeout);
        self.next_at = started + Duration::from_secs(60) / u32::try_from(self.alert.max_per_minute).unwrap_or(1).max(1);
        delivery.attempts += 1;
        let rows = delivery.rows.len() as u64;
        self.is_failing = answer != Answer::Delivered;
        match answer {
            Answer::Delivered => {
                self.health.delivered(rows);
                self.backoff.reset();
                self.since = delivery.until;
                self.told = delivery.rows;
            }
            Answer::Failed { why, is_refused, retry_after } => {
                self.health.failed(why);
                let pause = self.backoff.pause().max(retry_after.unwrap_or_default());
                self.next_at = self.next_at.max(Instant::now() + pause);
                if delivery.attempts < self.alert.max_attempts {
                    self.delivery = Some(delivery);
                } else if is_refused {
                    self.health.gave_up(rows);
                    self.since = delivery.until;
                    self.given_up_at.get_or_insert_with(Instant::now);
                }
                // Else nobody could be reached: the ledger is asked again, since some of it may have expired meanwhile.
            }
        }
    }

    fn note_told(&mut self) -> Result<(), LedgerError> {
        if !self.told.is_empty() {
            let told = self.told.clone();
            self.store()?.set_alerted(&told, Timestamp::now())?;
            self.told.clear();
        }
        Ok(())
    }

    fn store(&mut self) -> Result<&mut Store, LedgerError> {
        match &mut self.store {
            Some(store) => Ok(store),
            store => Ok(store.insert(Store::open(&self.path)?)),
        }
    }
}
