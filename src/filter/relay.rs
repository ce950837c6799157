//! The loop: wait, read, scan, write.

use super::engine::Engine;
use super::input::Source;
use super::outlet::Outlet;
use super::policy::{Failure, Loss, Notice, OnFailure, Policy};
use super::recording::Recording;
use super::stats_file::Live;
use super::stop::Stop;
use super::wait::{Ready, read, wait};
use crate::redact::{Clean, Counts};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

/// Drops go on for as long as the reader is stuck; they are told this often.
const TELL_INTERVAL: Duration = Duration::from_secs(10);

/// At the end, a reader that takes nothing for this long gets no more where drops are allowed.
const SILENCE: Duration = Duration::from_secs(10);

const DISCARD_BYTES: usize = 64 << 10;

/// What the filter did.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Newlines in the input, if they were counted.
    pub lines: u64,
    /// Bytes of input.
    pub bytes_read: u64,
    /// Bytes of output.
    pub bytes_written: u64,
    /// What was replaced.
    pub findings: Counts,
    /// Output that was dropped because its reader took no more.
    pub dropped: Loss,
    /// What came after nothing could be written any more, and what was on its way then.
    pub discarded: Loss,
}

impl Totals {
    /// Adds those of another output.
    pub(super) fn add(&mut self, other: &Self) {
        self.lines += other.lines;
        self.bytes_read += other.bytes_read;
        self.bytes_written += other.bytes_written;
        self.findings.add(&other.findings);
        self.dropped.add_unseen(other.dropped.records, other.dropped.bytes);
        self.discarded.add_unseen(other.discarded.records, other.discarded.bytes);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Eof,
    /// The stop's patience is over.
    Stopped,
    /// Nothing can be written any more, and nothing more is to be read then.
    Failed,
}

/// Why an input is not carried on.
#[derive(Debug)]
enum Broken {
    Read(io::Error),
    Write(io::Error),
    ReaderGone,
    Engine,
}

/// All that stands between inputs and one output.
pub(super) struct Relay<'a> {
    engine: Engine,
    outlet: Outlet,
    stop: Stop,
    policy: Policy,
    /// Whether lines are counted, which costs a pass over the input.
    count_lines: bool,
    recording: Option<Recording>,
    totals: &'a mut Totals,
    notify: &'a mut dyn FnMut(Notice),
    failure: Option<Failure>,
    /// Regular files are never dropped from: they can wait.
    has_read_file: bool,
    /// Dropped bytes that were told, and when.
    told_bytes: u64,
    told_at: Option<Instant>,
    /// Where it says how far it has come.
    live: Option<Live>,
}

impl<'a> Relay<'a> {
    pub fn new(
        engine: Engine,
        outlet: Outlet,
        stop: Stop,
        policy: Policy,
        totals: &'a mut Totals,
        notify: &'a mut dyn FnMut(Notice),
    ) -> Self {
        Self {
            engine,
            outlet,
            stop,
            policy,
            count_lines: false,
            recording: None,
            totals,
            notify,
            failure: None,
            has_read_file: false,
            told_bytes: 0,
            told_at: None,
            live: None,
        }
    }

    pub fn counting_lines(self, count_lines: bool) -> Self {
        Self { count_lines, ..self }
    }

    /// Says there how far it has come, and counts lines for that.
    pub fn telling(self, live: Option<Live>) -> Self {
        Self { count_lines: self.count_lines || live.is_some(), live, ..self }
    }

    pub fn recording(self, recording: Option<Recording>) -> Self {
        Self { recording, ..self }
    }

    /// What comes now is of another file, or of none.
    pub fn begin_input(&mut self, file: Option<&Path>) {
        if let Some(recording) = &mut self.recording {
            recording.begin(file, self.totals.bytes_read);
        }
    }

    /// Whether this input is to be read: after a failure only what others write is, so that they can go on.
    pub fn wants(&self, source: &Source) -> bool {
        self.failure.is_none() || !source.is_always_ready()
    }

    pub fn notify(&mut self, notice: Notice) {
        (self.notify)(notice);
    }

    /// Carries one input through the engine to its end, or to the end of patience. What is undecided then waits in the
    /// engine for more input or for [`finish`](Self::finish). Once nothing can be written any more, it is read to its end
    /// all the same if that was chosen.
    ///
    /// # Errors
    /// When the input can't be read.
    pub fn carry(&mut self, source: &Source, saw_input: impl Fn(u64)) -> io::Result<End> {
        if self.failure.is_none() {
            self.outlet.begin_input();
            self.has_read_file |= source.is_always_ready();
            match self.redact(source, &saw_input) {
                Ok(end) => return Ok(end),
                Err(Broken::Read(error)) => return Err(error),
                Err(broken) => self.fail(broken),
            }
        }
        match self.policy.on_failure {
            OnFailure::Exit => Ok(End::Failed),
            OnFailure::Drain => self.discard(source, &saw_input),
        }
    }

    fn redact(&mut self, source: &Source, saw_input: impl Fn(u64)) -> Result<End, Broken> {
        let drains = self.policy.on_failure == OnFailure::Drain;
        loop {
            match wait(source, Some(self.outlet.output()), &self.stop, self.tell_at()).map_err(Broken::Read)? {
                Ready::Input => {}
                Ready::ReaderGone => return Err(Broken::ReaderGone),
                Ready::Stopped => return Ok(End::Stopped),
                Ready::ToTell => {
                    self.tell_drops();
                    continue;
                }
            }
            let pending = self.engine.pending();
            let space = self.engine.space();
            let Some(len) = read(source, space).map_err(Broken::Read)? else { continue };
            if len == 0 {
                return Ok(End::Eof);
            }
            let lines =
                if self.count_lines || drains { memchr::memchr_iter(b'\n', &space[..len]).count() as u64 } else { 0 };
            self.saw_input(len as u64, lines, &saw_input);
            let Self { engine, outlet, totals, .. } = self;
            let clean = guarded(engine, drains, |engine| engine.filled(len));
            let put = match clean {
                Ok(clean) => put(outlet, clean, source.is_always_ready(), &mut totals.discarded),
                Err(Broken::Engine) => {
                    // It is not to be touched again: what was in it is gone.
                    totals.discarded.add_unseen(lines, pending + len as u64);
                    Err(Broken::Engine)
                }
                Err(broken) => Err(broken),
            };
            if !matches!(put, Err(Broken::Engine)) {
                self.note(len);
            }
            put?;
            self.stop.wrote_all_but(self.engine.pending() + self.outlet.held());
            self.tell_drops();
            self.tell_live();
        }
    }

    /// Records what was found in the last bytes of the input, whether they were delivered or not.
    fn note(&self, len: usize) {
        if let Some(recording) = &self.recording {
            recording.note(&self.engine, self.totals.bytes_read - len as u64, len);
        }
    }

    fn saw_input(&mut self, len: u64, lines: u64, saw_input: impl Fn(u64)) {
        self.totals.lines += if self.count_lines { lines } else { 0 };
        self.totals.bytes_read += len;
        self.stop.saw_input(len);
        saw_input(len);
    }

    /// Nothing can be written any more.
    fn fail(&mut self, broken: Broken) {
        let output = self.outlet.output().name().to_owned();
        let failure = match broken {
            Broken::Engine => Failure::Engine,
            Broken::ReaderGone => Failure::ReaderGone { output },
            Broken::Read(error) | Broken::Write(error) => Failure::Output(self.outlet.output().error(error)),
        };
        if self.policy.on_failure == OnFailure::Drain {
            if !matches!(failure, Failure::Engine) {
                self.outlet.abandon(&mut self.totals.discarded);
                // What is undecided is decided, to be counted as what it would have been.
                if let Ok(clean) = guarded(&mut self.engine, true, Engine::finish) {
                    self.totals.discarded.add(clean.as_bytes());
                }
            }
            let is_error = !matches!(failure, Failure::ReaderGone { .. });
            self.notify(Notice::Draining { reason: failure.to_string(), is_error });
        }
        self.failure = Some(failure);
    }

    /// Reads an input to its end, for its writer's sake.
    fn discard(&mut self, source: &Source, saw_input: impl Fn(u64)) -> io::Result<End> {
        let mut buffer = vec![0; DISCARD_BYTES];
        while self.wants(source) {
            match wait(source, None, &self.stop, None)? {
                Ready::Stopped => return Ok(End::Stopped),
                Ready::Input | Ready::ReaderGone | Ready::ToTell => {}
            }
            let Some(len) = read(source, &mut buffer)? else { continue };
            if len == 0 {
                break;
            }
            let lines = if self.count_lines { memchr::memchr_iter(b'\n', &buffer[..len]).count() as u64 } else { 0 };
            self.saw_input(len as u64, lines, &saw_input);
            self.totals.discarded.add(&buffer[..len]);
            self.tell_live();
            self.stop.wrote_all_but(self.outlet.held());
        }
        Ok(End::Eof)
    }

    /// Ends the stream: what is undecided is decided and goes out. Says why not all that was read has.
    pub fn finish(mut self) -> Option<Failure> {
        if self.failure.is_none() {
            let drains = self.policy.on_failure == OnFailure::Drain;
            let Self { engine, outlet, totals, has_read_file, .. } = &mut self;
            let pending = engine.pending();
            let ended = match guarded(engine, drains, Engine::finish) {
                Ok(clean) => put(outlet, clean, *has_read_file, &mut totals.discarded),
                Err(broken) => {
                    totals.discarded.add_unseen(0, pending);
                    Err(broken)
                }
            };
            if !matches!(ended, Err(Broken::Engine)) {
                self.note(0);
            }
            if let Err(broken) = ended {
                self.fail(broken);
            }
        }
        if matches!(self.failure, None | Some(Failure::Engine)) {
            let Self { outlet, stop, totals, has_read_file, .. } = &mut self;
            let silence = (!*has_read_file).then_some(SILENCE);
            if let Err(error) = outlet.close(silence, &mut totals.discarded, |held| stop.wrote_all_but(held)) {
                let broken = broken_by(error);
                // The engine's failure comes first.
                if self.failure.is_none() {
                    self.fail(broken);
                }
            }
        }
        self.stop.wrote_all_but(0);
        self.tell_live();
        let totals = &mut *self.totals;
        totals.findings = self.engine.counts().clone();
        totals.bytes_written = self.outlet.written_bytes();
        totals.dropped = self.outlet.dropped();
        let (dropped, discarded) = (totals.dropped, totals.discarded);
        let drained = self.policy.on_failure == OnFailure::Drain && self.failure.is_some();
        if drained || dropped.bytes > 0 {
            let output = self.outlet.output().name().to_owned();
            self.notify(Notice::Ended { output, dropped, discarded });
        }
        self.failure
    }

    fn tell_live(&self) {
        if let Some(live) = &self.live {
            let (findings, dropped) = (self.engine.counts().clone(), self.outlet.dropped());
            let bytes_written = self.outlet.written_bytes();
            live.tell(Totals { findings, dropped, bytes_written, ..self.totals.clone() });
        }
    }

    /// When drops that were not told yet are to be told.
    fn tell_at(&self) -> Option<Instant> {
        (self.outlet.dropped().bytes > self.told_bytes)
            .then(|| self.told_at.map_or_else(Instant::now, |at| at + TELL_INTERVAL))
    }

    fn tell_drops(&mut self) {
        if self.tell_at().is_some_and(|at| at <= Instant::now()) {
            let dropped = self.outlet.dropped();
            (self.told_bytes, self.told_at) = (dropped.bytes, Some(Instant::now()));
            let output = self.outlet.output().name().to_owned();
            self.notify(Notice::Dropping { output, dropped });
        }
    }
}

/// Asks the engine, and survives its defects if `catches`. The panic's payload may quote data: nobody looks at it.
fn guarded<'e>(
    engine: &'e mut Engine,
    catches: bool,
    ask: impl FnOnce(&'e mut Engine) -> io::Result<Clean<'e>>,
) -> Result<Clean<'e>, Broken> {
    if !catches {
        return ask(engine).map_err(Broken::Read);
    }
    match catch_unwind(AssertUnwindSafe(move || ask(engine))) {
        Ok(result) => result.map_err(Broken::Read),
        Err(_) => Err(Broken::Engine),
    }
}

fn put(outlet: &mut Outlet, clean: Clean<'_>, may_wait: bool, discarded: &mut Loss) -> Result<(), Broken> {
    outlet.put(clean, may_wait, discarded).map_err(broken_by)
}

fn broken_by(error: io::Error) -> Broken {
    if error.kind() == io::ErrorKind::BrokenPipe { Broken::ReaderGone } else { Broken::Write(error) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::{Input, Output, WhenFull};
    use crate::redact::{KeyRing, Options, Redaction, Redactor};
    use std::io::Write;

    /// Carries an input through an engine that fails at the word `panic`.
    fn carry(input: &'static [u8], policy: Policy) -> (Option<Failure>, Totals, Vec<u8>, Vec<String>) {
        let redaction = Redaction::new(KeyRing::parse(&[b'a'; 64]).unwrap(), Options::default()).unwrap();
        let engine = Engine::Failing(Box::new(Redactor::new(&redaction)), vec![0; 4096]);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let output = Output::create(&path, &[Input::Stdin]).unwrap();
        let outlet = Outlet::start(output, policy.when_full).unwrap();
        let (pipe, mut writer) = io::pipe().unwrap();
        let (wake, _open) = io::pipe().unwrap();
        let stop = Stop::at_close(wake.into(), Default::default(), Duration::from_secs(60));
        let service = std::thread::spawn(move || writer.write_all(input));
        let (mut totals, mut notices) = (Totals::default(), Vec::new());
        let mut notify = |notice: Notice| notices.push(notice.to_string());
        let mut relay = Relay::new(engine, outlet, stop, policy, &mut totals, &mut notify);
        assert_eq!(relay.carry(&Source::from_pipe(pipe), |_| {}).unwrap(), End::Eof);
        let failure = relay.finish();
        service.join().unwrap().expect("the service is not disturbed");
        (failure, totals, std::fs::read(path).unwrap(), notices)
    }

    #[test]
    fn after_a_defect_the_input_is_read_on_and_nothing_of_it_written() {
        let secret = b"Bearer mF_9.B5f-4.1JqM-and-more";
        let input =
            [&b"before\n".repeat(500)[..], b"panic ", secret, b"\n", &secret.repeat(20_000), b"\nlast\n"].concat();
        let input: &'static [u8] = input.leak();
        for when_full in [WhenFull::Block, WhenFull::DropNewest] {
            let policy = Policy { when_full, on_failure: OnFailure::Drain };
            let (failure, totals, written, notices) = carry(input, policy);
            assert!(matches!(failure, Some(Failure::Engine)), "{failure:?}");
            assert!(b"before\n".repeat(500).starts_with(&written), "something of what came with the defect is written");
            let lines = written.iter().filter(|&&byte| byte == b'\n').count() as u64;
            // What waited in the engine is gone with it, and was a part of a line.
            let discarded = totals.discarded;
            assert!((502..=503).contains(&(lines + discarded.records)), "{lines} written, {discarded} discarded");
            assert_eq!((totals.bytes_read, totals.dropped.bytes), (input.len() as u64, 0));
            assert_eq!(discarded.bytes + written.len() as u64, input.len() as u64);
            assert!(notices[0].starts_with("the engine failed; nothing unredacted was written; input is read on"));
            assert!(notices.iter().all(|notice| !notice.contains("Bearer")), "{notices:?}");
        }
    }

    #[test]
    #[should_panic(expected = "a defect")]
    fn without_that_choice_a_defect_goes_through() {
        carry(b"panic\n", Policy::default());
    }
}
