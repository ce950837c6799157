//! What the filter has done, in a file for node_exporter's textfile collector: while it runs, and at the end.

use super::input::{Input, regular_identity};
use super::output::Output;
use super::relay::Totals;
use crate::metrics::Metrics;
use crate::redact::Redaction;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

/// How often it is written; Prometheus seldom asks more often.
const INTERVAL: Duration = Duration::from_secs(5);

/// How a file begins that may be replaced.
const BEGINNING: &[u8] = b"# HELP beartrap_";

/// Where one output's relay says how far it has come.
#[derive(Clone, Debug, Default)]
pub struct Live(Arc<Mutex<Totals>>);

impl Live {
    pub(super) fn tell(&self, totals: Totals) {
        *self.lock() = totals;
    }

    fn lock(&self) -> MutexGuard<'_, Totals> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file with numbers that is kept up to date until it is finished.
#[derive(Debug)]
pub struct StatsFile {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    path: PathBuf,
    component: String,
    of_type: &'static str,
    redaction: Redaction,
    started: SystemTime,
    lives: Mutex<Vec<Live>>,
    is_over: Mutex<bool>,
    over: Condvar,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("path", &self.path).finish_non_exhaustive()
    }
}

impl StatsFile {
    /// Writes it for the first time, and goes on every few seconds; `failed` is told when that fails, once until it does
    /// not. `of_type` is what counts: the filter, or `exec`.
    ///
    /// # Errors
    /// When it can't be written, is an input or output, or is a file that holds something else.
    pub fn start(
        path: &Path,
        of_type: &'static str,
        redaction: &Redaction,
        taken: &Taken<'_>,
        failed: impl Fn(&str) + Send + 'static,
    ) -> Result<Self, String> {
        check(path, taken).map_err(|why| format!("statistics can't be written to {}: {why}", path.display()))?;
        let shared = Arc::new(Shared {
            path: path.to_owned(),
            component: path.file_stem().map_or_else(String::new, |stem| stem.display().to_string()),
            of_type,
            redaction: redaction.clone(),
            started: SystemTime::now(),
            lives: Mutex::default(),
            is_over: Mutex::new(false),
            over: Condvar::new(),
        });
        shared.write(true)?;
        let writer = shared.clone();
        let thread = std::thread::Builder::new().name("stats".into()).spawn(move || writer.keep(failed));
        let thread = thread.map_err(|error| format!("can't start a thread: {error}"))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// For one output more.
    pub fn live(&self) -> Live {
        let live = Live::default();
        self.shared.lives.lock().unwrap_or_else(PoisonError::into_inner).push(live.clone());
        live
    }

    /// Writes it for the last time.
    ///
    /// # Errors
    /// When that fails.
    pub fn finish(mut self) -> Result<(), String> {
        self.stop();
        self.shared.write(false)
    }

    fn stop(&mut self) {
        *self.shared.is_over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.over.notify_all();
        if let Some(thread) = self.thread.take() {
            // It has nothing to say that was not said.
            let _ = thread.join();
        }
    }
}

impl Drop for StatsFile {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn keep(&self, failed: impl Fn(&str)) {
        let mut has_failed = false;
        let mut is_over = self.is_over.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let waited = self.over.wait_timeout_while(is_over, INTERVAL, |is_over| !*is_over);
            is_over = waited.unwrap_or_else(PoisonError::into_inner).0;
            if *is_over {
                return;
            }
            drop(is_over);
            match self.write(true) {
                Ok(()) => has_failed = false,
                Err(error) if !has_failed => {
                    has_failed = true;
                    failed(&error);
                }
                Err(_) => {}
            }
            is_over = self.is_over.lock().unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whoever reads it sees all of it or what was there before.
    fn write(&self, is_running: bool) -> Result<(), String> {
        let name = self.path.file_name().map_or_else(String::new, |name| name.display().to_string());
        // The collector reads what ends in `.prom`.
        let temporary = self.path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
        let written = write_new(&temporary, self.text(is_running).as_bytes())
            .and_then(|()| std::fs::rename(&temporary, &self.path))
            .inspect_err(|_| drop(std::fs::remove_file(&temporary)));
        written.map_err(|error| format!("statistics can't be written to {}: {error}", self.path.display()))
    }

    fn text(&self, is_running: bool) -> String {
        let mut totals = Totals::default();
        for live in self.lives.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            totals.add(&live.lock());
        }
        let labels = || {
            let of =
                [("component_id", &*self.component), ("component_kind", "transform"), ("component_type", self.of_type)];
            of.map(|(name, value)| (name, value.to_owned())).to_vec()
        };
        let mut metrics = Metrics::default();
        metrics.program(labels, self.started, self.redaction.key_id());
        let help = "1 while it runs; 0 when it has ended.";
        metrics.gauge("beartrap_running", help).sample(labels(), u64::from(is_running));
        let mut count = |name, help, value| metrics.counter(name, help).sample(labels(), value);
        count("beartrap_component_received_bytes", "Bytes that were read.", totals.bytes_read);
        count("beartrap_component_received_events", "Lines that were read.", totals.lines);
        count("beartrap_component_sent_bytes", "Bytes that were written.", totals.bytes_written);
        let (dropped, discarded) = (totals.dropped, totals.discarded);
        let help = "Lines that did not reach the output: it was full, or had failed.";
        count("beartrap_component_discarded_events", help, dropped.records + discarded.records);
        let help = "Bytes of these lines.";
        count("beartrap_component_discarded_bytes", help, dropped.bytes + discarded.bytes);
        metrics.findings([(self.component.as_str(), &totals.findings)]);
        metrics.text()
    }
}

fn write_new(path: &Path, text: &[u8]) -> io::Result<()> {
    let open = || File::options().write(true).create_new(true).mode(0o644).open(path);
    let mut file = match open() {
        // Of a process that had our number and is gone.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            std::fs::remove_file(path)?;
            open()?
        }
        opened => opened?,
    };
    file.write_all(text)
}

/// What the filter reads and writes, which the file must not be.
#[derive(Debug)]
pub struct Taken<'a> {
    /// Its inputs.
    pub inputs: &'a [Input],
    /// Its output; without one it is standard output and standard error.
    pub output: Option<&'a Output>,
}

fn check(path: &Path, taken: &Taken<'_>) -> Result<(), String> {
    if path.file_name().is_none() {
        return Err("it names no file".to_owned());
    }
    let file = match crate::key_file::open_without_waiting(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.to_string()),
    };
    let Some(mine) = regular_identity(file.as_fd()) else { return Err("it is no regular file".to_owned()) };
    if let Some(input) = taken.inputs.iter().find(|input| input.identity() == Some(mine)) {
        return Err(format!("it is an input: {}", input.name()));
    }
    let is_output = match taken.output {
        Some(output) => regular_identity(output.as_fd()) == Some(mine),
        None => {
            let outputs = [regular_identity(rustix::stdio::stdout()), regular_identity(rustix::stdio::stderr())];
            outputs.contains(&Some(mine))
        }
    };
    if is_output {
        return Err("it is the output".to_owned());
    }
    // A key, a log: whatever was named by mistake would be gone.
    let mut start = Vec::new();
    let read = file.take(BEGINNING.len() as u64).read_to_end(&mut start);
    read.map_err(|error| error.to_string())?;
    if start.is_empty() || start == BEGINNING { Ok(()) } else { Err("it holds something else".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::{Carrier, KeyRing, Kind, Options};
    use std::os::unix::fs::PermissionsExt;

    fn start(path: &Path, taken: &Taken<'_>) -> Result<StatsFile, String> {
        let redaction = Redaction::new(KeyRing::parse(&[b'a'; 64]).unwrap(), Options::default()).unwrap();
        StatsFile::start(path, "filter", &redaction, taken, |error| panic!("{error}"))
    }

    #[test]
    fn all_outputs_are_summed_and_nothing_is_left_beside_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web 1.prom");
        let none = Taken { inputs: &[], output: None };
        let stats = start(&path, &none).unwrap();
        let lives = [stats.live(), stats.live()];
        for (live, bytes_read) in lives.iter().zip([3, 4]) {
            let mut totals = Totals { bytes_read, lines: 1, ..Totals::default() };
            totals.findings.count(Kind::Jwt, Carrier::Query);
            live.tell(totals);
        }
        assert!(std::fs::read_to_string(&path).unwrap().contains("beartrap_running{component_id=\"web 1\""));
        stats.finish().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let labels = r#"{component_id="web 1",component_kind="transform",component_type="filter"}"#;
        for expected in [
            format!("beartrap_component_received_bytes_total{labels} 7\n"),
            format!("beartrap_component_received_events_total{labels} 2\n"),
            format!("beartrap_running{labels} 0\n"),
            "beartrap_findings_total{source=\"web 1\",kind=\"jwt\",carrier=\"query\"} 2\n".to_owned(),
        ] {
            assert!(text.contains(&expected), "{expected} {text}");
        }
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o133, 0);
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
        // Another run goes on with the same file.
        start(&path, &none).unwrap().finish().unwrap();
    }

    #[test]
    fn nothing_else_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let none = Taken { inputs: &[], output: None };
        let refused = |why: &str| {
            let error = start(&path, &none).unwrap_err();
            assert!(error.contains(why), "{error}");
        };
        std::fs::write(&path, "a log\n").unwrap();
        refused("it holds something else");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a log\n");
        std::fs::write(&path, "").unwrap();
        let inputs = [Input::File(path.clone())];
        let error = start(&path, &Taken { inputs: &inputs, output: None }).unwrap_err();
        assert!(error.contains("it is an input"), "{error}");
        let output = Output::create(&path, &[]).unwrap();
        let error = start(&path, &Taken { inputs: &[], output: Some(&output) }).unwrap_err();
        assert!(error.contains("it is the output"), "{error}");
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        refused("it is no regular file");
        assert!(start(&folder.path().join("missing/x"), &none).unwrap_err().contains("No such file"));
    }
}
