//! Sends the ledger's rows to a sink whenever they have changed, so that they outlive the agent's disk.
//!
//! The ledger remembers up to which change the sink has taken them. After a crash at most the last block is sent twice,
//! which changes nothing where it is merged.

use super::config::Emit;
use super::outlet::{Closed, Outlet};
use crate::codec::{Codec, Decoding, Framing, RecordStream};
use crate::ledger::{Flusher, LedgerError, Store};
use crate::redact::{CleanBlock, Redaction};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Credentials in one block.
const ROWS_MAX: usize = 256;
/// How long the last rows may take into the ledger before what is in it is sent for the last time.
const FLUSH_MAX: Duration = Duration::from_secs(5);
/// A row with all that its limits allow: claims of 256 bytes, two paths, and a count for each source and carrier.
const ROW_BYTES: usize = 16 << 10;

/// The longest block that it makes of the rows of one ledger.
pub(super) const EMIT_BLOCK_BYTES: usize = ROWS_MAX * ROW_BYTES;
/// The most memory that emitting takes besides its block in the sink: rows, their lines, and the database's cache.
pub(super) const EMIT_BYTES_MAX: usize = 3 * EMIT_BLOCK_BYTES + (10 << 20);

/// What is noted as rows are sent.
#[derive(Debug)]
pub(super) struct EmitHealth {
    sink: String,
    rows: AtomicU64,
    error: Mutex<Option<String>>,
}

/// The emission of rows at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EmitStatus {
    /// Where they go.
    pub sink: String,
    /// Lines that the sink has taken since the start.
    pub emitted_rows: u64,
    /// Why the ledger can't be used for it now.
    pub error: Option<String>,
}

impl EmitHealth {
    pub fn new(sink: &str) -> Self {
        Self { sink: sink.to_owned(), rows: AtomicU64::new(0), error: Mutex::default() }
    }

    pub fn status(&self) -> EmitStatus {
        let error = self.error.lock().unwrap_or_else(PoisonError::into_inner).clone();
        EmitStatus { sink: self.sink.clone(), emitted_rows: self.rows.load(Relaxed), error }
    }

    fn set_error(&self, error: Option<String>) {
        let had = std::mem::replace(&mut *self.error.lock().unwrap_or_else(PoisonError::into_inner), error.clone());
        match (error, had) {
            (Some(error), None) => tracing::error!(sink = self.sink, error, "rows of the ledger can't be emitted"),
            (None, Some(_)) => tracing::info!(sink = self.sink, "rows of the ledger are emitted again"),
            _ => {}
        }
    }
}

/// What it works with.
pub(super) struct Emitter {
    path: PathBuf,
    interval: Duration,
    reader: String,
    outlet: Outlet,
    redaction: Redaction,
    flusher: Flusher,
    health: Arc<EmitHealth>,
    /// Opened when it is needed first, and anew after an error.
    reader_of: Option<Reader>,
}

/// The ledger, and how far it has been sent.
struct Reader {
    store: Store,
    position: u64,
}

/// Rows on their way.
struct Page {
    block: CleanBlock,
    rows: u64,
    until: u64,
}

/// Why it could not go on.
enum Problem {
    Ledger(LedgerError),
    /// The sink has ended.
    Closed,
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl From<Closed> for Problem {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

impl Emitter {
    pub fn new(
        emit: &Emit,
        path: PathBuf,
        outlet: Outlet,
        redaction: Redaction,
        flusher: Flusher,
        health: Arc<EmitHealth>,
    ) -> Self {
        let reader = format!("emit.{}", emit.sink);
        Self { path, interval: emit.interval, reader, outlet, redaction, flusher, health, reader_of: None }
    }

    /// Runs until it is told that nothing more will be found; then sends what is left.
    pub async fn run(mut self, mut finish: watch::Receiver<bool>) {
        loop {
            let is_last = *finish.borrow_and_update();
            if is_last {
                let flusher = self.flusher.clone();
                // What could not be written now is sent after the next start.
                let _ = tokio::task::spawn_blocking(move || flusher.flush(FLUSH_MAX)).await;
            }
            match self.emit().await {
                Ok(()) => self.health.set_error(None),
                Err(Problem::Ledger(error)) => self.health.set_error(Some(error.to_string())),
                Err(Problem::Closed) => return,
            }
            if is_last {
                return;
            }
            // Told or left alone, it is the last time.
            let _ = tokio::time::timeout(self.interval, finish.wait_for(|is_last| *is_last)).await;
        }
    }

    /// Sends all that has changed, one block after the other, each when the one before it is acknowledged.
    async fn emit(&mut self) -> Result<(), Problem> {
        loop {
            let (reader, redaction) = (self.reader().await?, self.redaction.clone());
            let (reader, page) = blocking(move || {
                let page = reader.page(&redaction)?;
                Ok((reader, page))
            })
            .await?;
            let Some(page) = page else {
                self.reader_of = Some(reader);
                return Ok(());
            };
            self.outlet.send(page.block).await?.acknowledged().await;
            self.health.rows.fetch_add(page.rows, Relaxed);
            let name = self.reader.clone();
            self.reader_of = Some(blocking(move || reader.advance(&name, page.until)).await?);
        }
    }

    async fn reader(&mut self) -> Result<Reader, Problem> {
        if let Some(reader) = self.reader_of.take() {
            return Ok(reader);
        }
        let (path, name) = (self.path.clone(), self.reader.clone());
        let open = move || {
            let store = Store::open(&path)?;
            let position = store.position(&name)?;
            Ok(Reader { store, position })
        };
        Ok(blocking(open).await?)
    }
}

impl Reader {
    fn page(&self, redaction: &Redaction) -> Result<Option<Page>, LedgerError> {
        let changed = self.store.changed_since(self.position, ROWS_MAX)?;
        if changed.until == self.position {
            return Ok(None);
        }
        let mut lines = Vec::new();
        for row in &changed.rows {
            // Nothing in a row can fail to be JSON.
            let _ = serde_json::to_writer(&mut lines, row);
            lines.push(b'\n');
        }
        Ok(Some(Page { block: clean(&lines, redaction), rows: changed.rows.len() as u64, until: changed.until }))
    }

    fn advance(mut self, name: &str, until: u64) -> Result<Self, LedgerError> {
        self.store.set_position(name, until)?;
        self.position = until;
        Ok(self)
    }
}

/// Rows as a sink may have them. They hold no credentials, so that nothing is replaced in them; this holds if some do.
fn clean(lines: &[u8], redaction: &Redaction) -> CleanBlock {
    let decoding = Decoding {
        framing: Framing::NewlineDelimited,
        // Each text by itself: in plain text the end of one and the start of the next could look like a credential.
        codec: Codec::Json,
        max_record_bytes: EMIT_BLOCK_BYTES,
        whole_records: true,
    };
    let mut stream = RecordStream::new(redaction, decoding);
    let mut block = CleanBlock::with_capacity(lines.len());
    let framed = stream.push(lines, &mut block).and_then(|()| stream.finish(&mut block));
    debug_assert!(framed.is_ok(), "lines can't be framed wrongly");
    block
}

/// SQLite waits for other processes and for the disk.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LedgerError> + Send + 'static,
) -> Result<T, LedgerError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime ends, and this task with it.
        Err(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Ledger, Portable, Settings, Text};
    use crate::redact::{KeyRing, Options, Redactor};
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use std::path::Path;

    fn redaction(options: Options) -> Redaction {
        let options = Options { claims: true, ..options };
        Redaction::new(KeyRing::parse(&[b'a'; 64]).unwrap(), options).unwrap()
    }

    fn token(header: &serde_json::Value, claims: &serde_json::Value) -> String {
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.{}", part(header), part(claims), "c2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF0dXJl".repeat(2))
    }

    /// What somebody may write into claims and names of files so that a row looks like something else.
    const HOSTILE: &[&str] = &[
        "password=",
        "Authorization: Bearer",
        "Bearer mF_9.B5f-4.1JqM-and-more-of-it",
        "\"password\":\"hunter2hunter2\"",
        "\\\",\\\"secret\\\":\\\"hunter2hunter2",
        "eyJhbGciOiJIUzI1NiJ9",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlc2lnbmF0dXJl",
        "https://user:hunter2@host.example/?token=tR7xK2mQ9vLp4ZsW8nBc",
        "redacted-jwt-00000000-00000000000000000000000000000000",
        "Set-Cookie: session=",
        "-----BEGIN PRIVATE KEY-----\nhunter2",
        "}\n{\"ledger\":{\"id\":\"0\"}}",
        "\u{1b}[31m\u{202e}",
        "%22%3A%22token%3D",
    ];

    /// The rows of a ledger that has seen a token with each of these texts all over its claims, and how they leave.
    fn rows_of(texts: &[String], redaction: &Redaction) -> (Vec<Portable>, CleanBlock) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.db");
        let ledger = Ledger::open(Settings::new(&path, "password="), redaction).unwrap();
        let recorder = ledger.recorder("authorization");
        for (index, text) in texts.iter().enumerate() {
            let next = &texts[(index + 1) % texts.len()];
            let header = serde_json::json!({"alg": "ES256", "kid": text, "typ": next});
            let claims = serde_json::json!({
                "iss": text, "aud": [next, text], "azp": text, "client_id": next, "scope": text,
                "sub": text, "jti": next, "exp": 4_000_000_000_u64, "iat": 1, "n": index,
            });
            let line = format!(
                "Authorization: Bearer {}\nGET /?access_token=tR7xK2mQ9vLp4ZsW8nBc{index}",
                token(&header, &claims)
            );
            let findings = Redactor::new(redaction).redact(line.as_bytes()).findings;
            assert_eq!(findings.len(), 2);
            let place = recorder.file(Path::new(&format!("/var/log/{text}/{next}.log")), 0);
            recorder.record(&findings, Text { bytes: line.as_bytes(), start: 0 }, &place);
        }
        ledger.close().unwrap();
        let store = Store::open(&path).unwrap();
        let rows = store.changed_since(0, 1000).unwrap().rows;
        assert_eq!(rows.len(), 2 * texts.len());
        let page = Reader { store, position: 0 }.page(&redaction.of_own_texts()).unwrap().unwrap();
        (rows, page.block)
    }

    fn assert_unchanged(texts: &[String], redaction: &Redaction) {
        let (rows, block) = rows_of(texts, redaction);
        let expected: String = rows.iter().map(|row| serde_json::to_string(row).unwrap() + "\n").collect();
        assert_eq!(String::from_utf8_lossy(block.as_bytes()), expected);
        // Each row is one line, and comes back as it was.
        let read = block.records().map(|line| serde_json::from_slice::<Portable>(line).unwrap());
        assert_eq!(read.collect::<Vec<_>>(), rows);
    }

    #[test]
    fn redaction_leaves_rows_as_they_are() {
        let texts: Vec<String> = HOSTILE.iter().map(|text| (*text).to_owned()).collect();
        assert_unchanged(&texts, &redaction(Options::default()));
    }

    #[test]
    fn the_users_rules_and_names_do_not_find_rows() {
        let spec =
            crate::redact::RuleSpec { id: "hex".to_owned(), regex: "[0-9a-f]{8,32}".to_owned(), ..Default::default() };
        let rules = crate::redact::Rules::new(vec![crate::redact::Rule::new(spec).unwrap()]).unwrap();
        let extra_fields = ["fingerprint", "key_id", "source", "client_id"].map(str::to_owned).to_vec();
        assert_unchanged(&["api".to_owned()], &redaction(Options { rules, extra_fields, ..Options::default() }));
    }

    #[test]
    fn a_text_that_was_cut_stays_a_text() {
        // At 256 bytes a claim ends, be it in the middle of a marker.
        let texts: Vec<String> = (180..257).map(|len| format!("{} {}", "x".repeat(len), HOSTILE[2])).collect();
        let (rows, block) = rows_of(&texts, &redaction(Options::default()));
        let read: Vec<Portable> = block.records().map(|line| serde_json::from_slice(line).unwrap()).collect();
        let counts = |rows: &[Portable]| -> Vec<_> {
            rows.iter().map(|row| (row.fingerprint.clone(), row.counts.clone(), row.first.at)).collect()
        };
        assert_eq!(counts(&read), counts(&rows));
    }

    #[test]
    fn a_credential_in_a_row_would_be_replaced() {
        let block =
            clean(b"{\"iss\":\"Bearer tR7xK2mQ9vLp4ZsW8nBc7dKq\"}\n", &redaction(Options::default()).of_own_texts());
        assert!(memchr::memmem::find(block.as_bytes(), b"redacted-token-").is_some());
    }
}
