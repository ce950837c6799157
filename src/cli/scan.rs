//! `beartrap scan [PATH]...`

use super::args::{Global, ScanArgs};
use super::exit::{Exit, Failure};
use super::ledger::Record;
use super::progress::Progress;
use super::{key, stderr};
use crate::ledger::{Place, Recorder};
use crate::redact::Redaction;
use crate::scan::{Name, Names, Opened, Report, Scanner, StreamError, Walk, Walked, open_stdin};
use std::io::{self, BufWriter, IsTerminal, Read, StdoutLock};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tracing::Level;

/// Finds without rewriting.
pub(super) fn run(args: &ScanArgs, global: &Global) -> Result<ExitCode, Failure> {
    // Here 2 means every error.
    scan(args, global).map_err(|failure| Failure { exit: Exit::Usage, ..failure })
}

fn scan(args: &ScanArgs, global: &Global) -> Result<ExitCode, Failure> {
    let redaction = key::redaction(&args.key, &args.rules, None, &args.record)?;
    let record = Record::open(&args.record, &redaction, true)?;
    let mut run = Run::begin(args, global, &redaction, &record).map_err(unwritten)?;
    let ended = run.all(&args.paths).and_then(|()| run.end());
    run.progress.clear();
    match ended {
        // What was found was found, though nobody wants to know all of it.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        ended => ended.map_err(unwritten)?,
    }
    let (failed, found) = (run.failed, run.report.found());
    drop(run);
    record.close()?;
    Ok(match (failed, found) {
        (true, _) => Exit::Usage,
        (false, 0) => Exit::Done,
        (false, _) => Exit::Found,
    }
    .into())
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn unwritten(error: io::Error) -> Failure {
    Failure::new(Exit::Io, format_args!("can't write to standard output: {error}"))
}

struct Run<'a> {
    scanner: Scanner<'a>,
    report: Report<BufWriter<StdoutLock<'static>>>,
    names: Names,
    progress: Progress,
    /// Files and standard input have one each.
    recorders: [Option<Recorder>; 2],
    files: u64,
    /// Something could not be read.
    failed: bool,
}

impl<'a> Run<'a> {
    fn begin(args: &ScanArgs, global: &Global, redaction: &'a Redaction, record: &Record) -> io::Result<Self> {
        Ok(Self {
            scanner: Scanner::new(redaction, args.codec.into(), args.verify),
            report: Report::begin(BufWriter::new(io::stdout().lock()), args.format.into())?,
            names: Names::new(redaction),
            progress: Progress::new(global),
            recorders: ["files", "stdin"].map(|name| record.recorder(name)),
            files: 0,
            failed: false,
        })
    }

    /// Scans all that the user named; the error is that of the report.
    fn all(&mut self, paths: &[PathBuf]) -> io::Result<()> {
        let is_stdin = |path: &Path| path == Path::new("-");
        if paths.is_empty() || paths.iter().any(|path| is_stdin(path)) {
            let name = Names::stdin();
            match open_stdin() {
                Ok(mut input) => self.one(&name, None, &mut *input)?,
                Err(error) => self.fail(&name, &error),
            }
        }
        for Walked { path, opened } in Walk::new(paths.iter().filter(|path| !is_stdin(path)).cloned()) {
            let name = self.names.file(&path);
            match opened {
                Ok(Opened::Reader(mut input)) => self.one(&name, Some(&path), &mut *input)?,
                Ok(Opened::Again) => {}
                Ok(Opened::Special) => {
                    self.say(Level::WARN, &format!("{} is no regular file and was not read", name.text));
                }
                Err(error) => self.fail(&name, &error),
            }
        }
        Ok(())
    }

    fn one(&mut self, name: &Name, file: Option<&Path>, input: &mut dyn Read) -> io::Result<()> {
        self.files += 1;
        let Self { scanner, report, progress, files, recorders: [of_files, of_stdin], .. } = self;
        let recorder = if file.is_some() { of_files } else { of_stdin }.as_ref();
        let place = recorder.zip(file).map_or(Place::Source, |(recorder, path)| recorder.file(path, 0));
        let shares_terminal = io::stdout().is_terminal();
        let scanned = scanner.scan(
            input,
            &mut |item| {
                if shares_terminal {
                    progress.clear();
                }
                report.item(name, item)
            },
            &mut |len| progress.add(len, || format!(" so far, in file {files}")),
            recorder.map(|recorder| (recorder, &place)),
        );
        match scanned {
            Ok(()) => {}
            Err(StreamError::Read(error)) => self.fail(name, &error),
            Err(StreamError::Report(error)) => return Err(error),
        }
        self.report.flush()
    }

    fn fail(&mut self, name: &Name, error: &io::Error) {
        self.failed = true;
        self.say(Level::ERROR, &format!("can't read {}: {error}", name.text));
    }

    fn say(&self, level: Level, message: &str) {
        self.progress.clear();
        stderr::report(level, message);
    }

    fn end(&mut self) -> io::Result<()> {
        self.progress.clear();
        if let Some(markers) = self.scanner.markers() {
            let kinds: Vec<_> = markers.by_kind().map(|(kind, count)| format!("{count} {kind}")).collect();
            let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
            let found = match self.report.found() {
                0 => "nothing else was found".to_owned(),
                found => format!("{found} credentials or suspects were found"),
            };
            stderr::print(&format!("beartrap: {} markers{kinds}, {found}\n", markers.total()));
        }
        self.report.end(self.scanner.markers(), !self.failed)
    }
}
