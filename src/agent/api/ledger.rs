//! The ledger, read beside its writer: one query at a time, ended when nobody waits for it any more, and its answers within
//! limits.

use super::MADE_ROWS_BYTES;
use crate::ledger::{Filter, Flusher, Interrupter, LedgerError, Store, Summary};
use axum::body::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many answers with rows wait to be read by their callers.
pub(super) const ANSWERS_MAX: usize = 4;
/// A summary looks at every row: it is made anew after this time, or after this many times as long as it took.
const SUMMARY_AGE_MIN: Duration = Duration::from_secs(1);
const SUMMARY_REST: u32 = 20;
/// Whoever asks for a summary gets the last one if a new one takes longer.
const SUMMARY_WAIT: Duration = Duration::from_secs(1);

/// Asks a ledger.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    path: PathBuf,
    /// Who writes to it.
    flusher: Flusher,
    /// Opened when it is needed, and anew after an error.
    store: Arc<Mutex<Option<Store>>>,
    /// One query at a time: each may take a thread, and the memory that the database keeps.
    turn: Arc<Semaphore>,
    answers: Arc<Semaphore>,
    running: Arc<Mutex<Running>>,
    summary: Arc<Mutex<Option<Kept>>>,
    /// One summary is made at a time.
    maker: Arc<Semaphore>,
}

/// The query that runs now.
#[derive(Debug, Default)]
struct Running {
    number: u64,
    interrupter: Option<Interrupter>,
}

#[derive(Clone, Debug)]
struct Kept {
    summary: Arc<Summary>,
    good_until: Instant,
}

impl Reader {
    pub fn new(path: &Path, flusher: Flusher) -> Self {
        Self {
            path: path.to_owned(),
            flusher,
            store: Arc::default(),
            turn: Arc::new(Semaphore::new(1)),
            answers: Arc::new(Semaphore::new(ANSWERS_MAX)),
            running: Arc::default(),
            summary: Arc::default(),
            maker: Arc::new(Semaphore::new(1)),
        }
    }

    pub fn flusher(&self) -> &Flusher {
        &self.flusher
    }

    /// Rows as JSON: as many as the filter wants, or fewer if they are long.
    pub async fn rows(&self, filter: Filter) -> Result<Bytes, LedgerError> {
        let answer = self.answer().await;
        let written = self.ask(move |store| page(store, &filter, Timestamp::now())).await?;
        Ok(answer.holding(written))
    }

    /// The rows with a digest, each as JSON.
    pub async fn show(&self, digest: [u8; 16], kind: Option<String>) -> Result<Vec<Bytes>, LedgerError> {
        let rows = self.ask(move |store| store.show(&digest, Timestamp::now())).await?;
        let wanted = rows.iter().filter(|row| kind.as_ref().is_none_or(|kind| row.kind == *kind));
        Ok(wanted.map(|row| Bytes::from(json(row))).collect())
    }

    /// The ledger in numbers, as of a moment ago. One that takes long is made to its end, for whoever asks next.
    pub async fn summary(&self) -> Result<Arc<Summary>, LedgerError> {
        let kept = self.kept().clone();
        if let Some(kept) = kept.as_ref().filter(|kept| Instant::now() < kept.good_until) {
            return Ok(kept.summary.clone());
        }
        let maker = match (self.maker.clone().try_acquire_owned(), &kept) {
            (Ok(maker), _) => Some(maker),
            // It is being made.
            (Err(_), Some(kept)) => return Ok(kept.summary.clone()),
            (Err(_), None) => self.maker.clone().acquire_owned().await.ok(),
        };
        let reader = self.clone();
        let made = tokio::spawn(async move {
            let _maker = maker;
            reader.make_summary().await
        });
        let made = match kept {
            None => made.await,
            Some(kept) => match tokio::time::timeout(SUMMARY_WAIT, made).await {
                Ok(made) => made,
                Err(_) => return Ok(kept.summary),
            },
        };
        // The runtime is going down, or a defect was told.
        made.unwrap_or_else(|_| Err(gone(&self.path)))
    }

    async fn make_summary(&self) -> Result<Arc<Summary>, LedgerError> {
        // Whoever was the maker before may have made one.
        if let Some(kept) = self.kept().clone().filter(|kept| Instant::now() < kept.good_until) {
            return Ok(kept.summary);
        }
        let turn = self.turn.clone().acquire_owned().await.ok();
        let began = Instant::now();
        let summary = Arc::new(self.ask_in_turn(turn, |store| store.summary(Timestamp::now())).await?);
        let good_until = Instant::now() + SUMMARY_AGE_MIN.max(began.elapsed() * SUMMARY_REST);
        *self.kept() = Some(Kept { summary: summary.clone(), good_until });
        Ok(summary)
    }

    fn kept(&self) -> MutexGuard<'_, Option<Kept>> {
        self.summary.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self) -> Answer {
        Answer(self.answers.clone().acquire_owned().await.ok())
    }

    /// Runs a query where it may take its time. When the caller goes, it ends.
    async fn ask<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Store) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let turn = self.turn.clone().acquire_owned().await.ok();
        self.ask_in_turn(turn, query).await
    }

    async fn ask_in_turn<T: Send + 'static>(
        &self,
        turn: Option<OwnedSemaphorePermit>,
        query: impl FnOnce(&Store) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (path, store, running) = (self.path.clone(), self.store.clone(), self.running.clone());
        let number = {
            let mut running = lock(&running);
            running.number += 1;
            running.number
        };
        let _caller = Caller { number, running: running.clone() };
        let asked = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let mut store = lock(&store);
            let answer = open(&mut store, &path).and_then(|store| {
                if !running_is(&running, number, Some(store.interrupter())) {
                    return Err(gone(&path));
                }
                query(store)
            });
            running_is(&running, number, None);
            if answer.is_err() {
                // It may have been replaced.
                *store = None;
            }
            answer
        });
        // The runtime is going down, or a defect was told.
        asked.await.unwrap_or_else(|_| Err(gone(&self.path)))
    }
}

fn gone(path: &Path) -> LedgerError {
    LedgerError::other(path, "nobody waits for the answer any more")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open<'s>(store: &'s mut Option<Store>, path: &Path) -> Result<&'s Store, LedgerError> {
    if store.is_none() {
        *store = Some(Store::open_read_only(path)?);
    }
    Ok(store.as_ref().expect("it was opened"))
}

/// Notes how the query is interrupted; false if its caller has gone.
fn running_is(running: &Mutex<Running>, number: u64, interrupter: Option<Interrupter>) -> bool {
    let mut running = lock(running);
    let is_waited_for = running.number == number;
    running.interrupter = interrupter.filter(|_| is_waited_for);
    is_waited_for
}

/// Whoever waits for an answer: dropped, it ends the query.
struct Caller {
    number: u64,
    running: Arc<Mutex<Running>>,
}

impl Drop for Caller {
    fn drop(&mut self) {
        let mut running = lock(&self.running);
        if running.number == self.number {
            // It may not have begun.
            running.number += 1;
            running.interrupter.take().iter().for_each(Interrupter::interrupt);
        }
    }
}

/// The right to have an answer in memory until it is sent.
struct Answer(#[expect(dead_code, reason = "dropping it is its use")] Option<OwnedSemaphorePermit>);

impl Answer {
    fn holding(self, bytes: Vec<u8>) -> Bytes {
        struct Held(Vec<u8>, #[expect(dead_code, reason = "dropping it is its use")] Answer);
        impl AsRef<[u8]> for Held {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
        Bytes::from_owner(Held(bytes, self))
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // Nothing in a row can fail to be written.
    serde_json::to_vec(value).unwrap_or_default()
}

/// `{"exposures": […], "next": …}`
fn page(store: &Store, filter: &Filter, now: Timestamp) -> Result<Vec<u8>, LedgerError> {
    let mut out = br#"{"exposures":["#.to_vec();
    let (mut rows, mut next) = (0, None);
    let limit = filter.limit.unwrap_or(usize::MAX);
    let has_more = store.visit(filter, now, |row, cursor| {
        if rows == limit || out.len() >= MADE_ROWS_BYTES {
            return ControlFlow::Break(());
        }
        if rows > 0 {
            out.push(b',');
        }
        out.extend_from_slice(&json(&row));
        (rows, next) = (rows + 1, Some(cursor));
        ControlFlow::Continue(())
    })?;
    out.extend_from_slice(br#"],"next":"#);
    out.extend_from_slice(&json(&next.filter(|_| has_more)));
    let _ = out.write_all(b"}");
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Batch, BatchEntry, Ledger, Location, Seen, Settings};
    use crate::redact::{KeyRing, Options, Redaction};

    /// A ledger with so many rows, and who reads it.
    fn reader(folder: &Path, rows: u64) -> (Reader, Ledger) {
        let path = folder.join("ledger.db");
        let mut store = Store::create(&path, "host").unwrap();
        let seen = Seen { at: Timestamp::now(), location: Location { source: "app".into(), ..Location::default() } };
        let entry = |number: u64| {
            let mut digest = [7; 16];
            digest[..8].copy_from_slice(&number.to_be_bytes());
            let (first, last) = (seen.clone(), seen.clone());
            let counts = vec![("query", 1)];
            BatchEntry { digest, key_id: [1; 4], kind: "jwt", complete: true, claims: None, first, last, counts }
        };
        let entries = (0..rows).map(entry).collect();
        store.add(&Batch { id: "1".into(), observed_at: Timestamp::now(), entries, skipped: 0 }).unwrap();
        let redaction = Redaction::new(KeyRing::parse(&[b'a'; 64]).unwrap(), Options::default()).unwrap();
        let ledger = Ledger::open(Settings::new(&path, "host"), &redaction).unwrap();
        (Reader::new(&path, ledger.flusher()), ledger)
    }

    fn no_row() -> Filter {
        Filter { policy: Some("none such".into()), ..Filter::default() }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_query_that_nobody_waits_for_any_more_ends() {
        let folder = tempfile::tempdir().unwrap();
        let (reader, _ledger) = reader(folder.path(), 20_000);
        let began = Instant::now();
        assert_eq!(reader.rows(no_row()).await.unwrap(), &br#"{"exposures":[],"next":null}"#[..]);
        let whole = began.elapsed();
        let began = Instant::now();
        let given_up = tokio::time::timeout(whole / 20, reader.rows(no_row())).await;
        assert!(given_up.is_err(), "it takes {whole:?}");
        // The next one does not wait for the rest of that.
        let rows = reader.show([9; 16], None).await.unwrap();
        assert!(rows.is_empty() && began.elapsed() < whole / 2, "{:?} of {whole:?}", began.elapsed());
        assert_eq!(reader.summary().await.unwrap().exposures, 20_000);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn answers_end_where_they_are_large_enough_and_wait_where_they_are_too_many() {
        let folder = tempfile::tempdir().unwrap();
        let (reader, _ledger) = reader(folder.path(), 4000);
        let all = Filter { limit: Some(4000), ..Filter::default() };
        let first = reader.rows(all.clone()).await.unwrap();
        assert!((MADE_ROWS_BYTES..MADE_ROWS_BYTES + 4096).contains(&first.len()), "{}", first.len());
        let page: serde_json::Value = serde_json::from_slice(&first).unwrap();
        let cursor = page["next"].as_str().map(ToOwned::to_owned);
        assert!(cursor.is_some());
        let (mut seen, mut cursor) = (page["exposures"].as_array().unwrap().len(), cursor);
        while cursor.is_some() {
            let rows = reader.rows(Filter { cursor, ..all.clone() }).await.unwrap();
            let page: serde_json::Value = serde_json::from_slice(&rows).unwrap();
            seen += page["exposures"].as_array().unwrap().len();
            cursor = page["next"].as_str().map(ToOwned::to_owned);
        }
        assert_eq!(seen, 4000);

        let mut unread = vec![first];
        for _ in 1..ANSWERS_MAX {
            unread.push(reader.rows(no_row()).await.unwrap());
        }
        let mut next = Box::pin(reader.rows(no_row()));
        assert!(tokio::time::timeout(Duration::from_millis(100), &mut next).await.is_err());
        unread.pop();
        next.await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn numbers_do_not_wait_for_a_query_that_takes_long() {
        let folder = tempfile::tempdir().unwrap();
        let (reader, _ledger) = reader(folder.path(), 3);
        assert_eq!(reader.summary().await.unwrap().exposures, 3);
        let turn = reader.turn.clone().acquire_owned().await.unwrap();
        tokio::time::sleep(2 * SUMMARY_AGE_MIN).await;
        let began = Instant::now();
        assert_eq!(reader.summary().await.unwrap().exposures, 3, "the last one");
        assert!(began.elapsed() >= SUMMARY_WAIT);
        assert_eq!(reader.summary().await.unwrap().exposures, 3, "and others get it at once");
        assert!(began.elapsed() < 2 * SUMMARY_WAIT);
        drop(turn);
        let good_until = |reader: &Reader| reader.kept().as_ref().unwrap().good_until;
        let before = good_until(&reader);
        while good_until(&reader) == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
            assert!(began.elapsed() < Duration::from_secs(20), "nobody made a new one");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_ledger_that_is_gone_is_an_error_and_one_that_is_back_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let (reader, ledger) = reader(folder.path(), 3);
        drop(ledger);
        let away = folder.path().join("away.db");
        std::fs::rename(&reader.path, &away).unwrap();
        let error = reader.show([0; 16], None).await.unwrap_err();
        assert!(error.to_string().contains("No such file"), "{error}");
        std::fs::rename(&away, &reader.path).unwrap();
        assert_eq!(reader.summary().await.unwrap().exposures, 3);
    }
}
