//! Streams of records whose output is looked at a second time, now and then, before it can reach a sink.

use super::recording::Recording;
use super::status::{Incident, Meter};
use crate::codec::{Decoding, FramingError, RecordStream, StreamStats};
use crate::redact::{Carry, CleanBlock, Redaction};
use crate::second_look;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A share of one.
const WHOLE: u64 = 1 << 32;

/// Chooses blocks of one source for a second look.
#[derive(Clone, Debug, Default)]
pub(super) struct Sampler(Option<Arc<Sample>>);

#[derive(Debug)]
struct Sample {
    source: String,
    redaction: Redaction,
    /// The share of blocks, in parts of [`WHOLE`], and the parts that have gathered since the start.
    share: u64,
    gathered: AtomicU64,
}

impl Sampler {
    /// `share` is between 0 (none) and 1 (all blocks).
    pub fn new(source: &str, share: f64, redaction: &Redaction) -> Self {
        let share = (share * WHOLE as f64) as u64;
        // The first block is looked at: some streams never have a hundred.
        let gathered = AtomicU64::new(WHOLE - share.min(WHOLE));
        let sample = Sample { source: source.to_owned(), redaction: redaction.clone(), share, gathered };
        Self((share > 0).then(|| Arc::new(sample)))
    }

    /// Looks at all blocks from now on, if at any.
    pub fn all(&self) -> Self {
        let all = |sample: &Arc<Sample>| Self::new(&sample.source, 1.0, &sample.redaction);
        self.0.as_ref().map_or_else(Self::default, all)
    }

    /// Ends what is going on as a defect of the engine does if there is a credential in `clean`.
    fn look(&self, clean: &[u8]) {
        let Some(sample) = &self.0 else { return };
        let before = sample.gathered.fetch_add(sample.share, Ordering::Relaxed);
        if before / WHOLE == before.wrapping_add(sample.share) / WHOLE {
            return;
        }
        if let Some(like) = second_look::survivor(clean, |credential| sample.redaction.allows(credential)) {
            tracing::error!(
                source = sample.source,
                like,
                "verify_sample: the second look found a credential that the engine had left; the block with it is not written"
            );
            // Not `panic!`: it is told already, and there is no place in the code to be told.
            std::panic::resume_unwind(Box::new(Survivor));
        }
    }
}

/// The payload of the unwinding.
struct Survivor;

/// A stream of records with a second look at what it releases. What it does is counted for its source.
#[derive(Debug)]
pub(super) struct SampledStream {
    records: RecordStream,
    sampler: Sampler,
    recording: Recording,
    meter: Arc<Meter>,
    counted: StreamStats,
}

impl SampledStream {
    pub fn new(
        redaction: &Redaction,
        decoding: Decoding,
        sampler: Sampler,
        recording: Recording,
        meter: Arc<Meter>,
    ) -> Self {
        let records = RecordStream::new(redaction, decoding);
        Self { records, sampler, recording, meter, counted: StreamStats::default() }
    }

    /// As of [`RecordStream`].
    pub fn push(&mut self, input: &[u8], out: &mut CleanBlock) -> Result<(), FramingError> {
        let start = self.records.position();
        self.meter.received(input.len());
        let pushed = self.look_at(out, |records, out| records.push(input, out));
        self.recording.note(&self.records, input, start);
        self.note_broken(pushed)
    }

    /// As of [`RecordStream`].
    pub fn finish(&mut self, out: &mut CleanBlock) -> Result<(), FramingError> {
        let finished = self.look_at(out, RecordStream::finish);
        self.end_records();
        self.note_broken(finished)
    }

    /// As of [`RecordStream`].
    pub fn end_input(&mut self, out: &mut CleanBlock) -> Result<(), FramingError> {
        let ended = self.look_at(out, RecordStream::end_input);
        self.end_records();
        self.note_broken(ended)
    }

    fn end_records(&mut self) {
        self.recording.note(&self.records, &[], self.records.position());
        self.recording.end();
    }

    /// As of [`Recording`].
    pub fn recording(&mut self) -> &mut Recording {
        &mut self.recording
    }

    /// As of [`RecordStream`].
    pub fn cut_record(&mut self, out: &mut CleanBlock) {
        self.look_at(out, RecordStream::cut_record);
        self.end_records();
    }

    fn look_at<T>(&mut self, out: &mut CleanBlock, redact: impl FnOnce(&mut RecordStream, &mut CleanBlock) -> T) -> T {
        let start = out.len();
        let result = redact(&mut self.records, out);
        self.sampler.look(&out.as_bytes()[start..]);
        self.count();
        result
    }

    fn count(&mut self) {
        self.meter.found(self.records.findings());
        let (now, before) = (self.records.stats(), self.counted);
        if now != before {
            self.meter.note_times(Incident::SplitRecord, now.split_records.saturating_sub(before.split_records));
            self.meter.note_times(Incident::NotJson, now.not_json.saturating_sub(before.not_json));
            self.meter.note_times(Incident::ForeignRecord, now.foreign_records.saturating_sub(before.foreign_records));
            self.counted = now;
        }
    }

    fn note_broken(&self, result: Result<(), FramingError>) -> Result<(), FramingError> {
        result.inspect_err(|_| self.meter.note(Incident::BrokenFraming))
    }

    /// As of [`RecordStream`].
    pub fn rest(&mut self) {
        self.records.rest();
    }

    /// As of [`RecordStream`].
    pub fn resume(&mut self, carry: Carry) {
        self.records.resume(carry);
    }
}

/// To ask; what takes input is above.
impl Deref for SampledStream {
    type Target = RecordStream;

    fn deref(&self) -> &RecordStream {
        &self.records
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Codec, Framing};
    use crate::redact::{KeyRing, Options};
    use std::panic::{AssertUnwindSafe, catch_unwind};

    const TOKEN: &str = "7Fh2k9Qd3Xw8Zp1Lm6Rt";

    /// An engine that lets the token pass, and one that does not.
    fn redactions() -> [Redaction; 2] {
        let keys = || KeyRing::parse("42".repeat(32).as_bytes()).unwrap();
        let strict = Redaction::new(keys(), Options::default()).unwrap();
        let digest = strict.fingerprints(TOKEN.as_bytes())[0].to_string().rsplit('-').next().unwrap().to_owned();
        let allow = Options { allow_fingerprints: vec![digest], ..Options::default() };
        [Redaction::new(keys(), allow).unwrap(), strict]
    }

    fn stream(redaction: &Redaction, sampler: &Sampler) -> SampledStream {
        let (framing, codec) = (Framing::NewlineDelimited, Codec::Text);
        let decoding = Decoding { framing, codec, max_record_bytes: 1 << 20, whole_records: true };
        SampledStream::new(
            redaction,
            decoding,
            sampler.clone(),
            Recording::default(),
            Arc::new(Meter::new("tcp", false)),
        )
    }

    /// Which of 100 blocks end it.
    fn caught(sampler: &Sampler, redaction: &Redaction) -> Vec<usize> {
        let line = format!("GET /?access_token={TOKEN} 200\n");
        let is_caught = |_: &usize| {
            let mut stream = stream(redaction, sampler);
            let push = AssertUnwindSafe(|| stream.push(line.as_bytes(), &mut CleanBlock::new()));
            catch_unwind(push).is_err()
        };
        (0..100).filter(is_caught).collect()
    }

    #[test]
    fn a_share_of_the_blocks_is_looked_at_and_the_first() {
        // What the second look may leave is asked of another redaction than the engine's: so the engine has a defect.
        let [lenient, strict] = redactions();
        let caught = |share: f64| caught(&Sampler::new("app", share, &strict), &lenient);
        assert_eq!(caught(1.0), (0..100).collect::<Vec<_>>());
        assert_eq!(caught(0.25), (0..25).map(|index| 4 * index).collect::<Vec<_>>());
        assert_eq!(caught(0.01), [0]);
        assert_eq!(caught(0.0), [0; 0]);
        assert_eq!(caught(1e-6), [0]);
    }

    #[test]
    fn what_is_allowed_may_stay() {
        let [lenient, strict] = redactions();
        assert_eq!(caught(&Sampler::new("app", 1.0, &lenient), &lenient), [0; 0]);
        assert_eq!(caught(&Sampler::new("app", 1.0, &strict), &strict), [0; 0], "the engine redacts it");
        assert_eq!(caught(&Sampler::new("app", 0.01, &strict).all(), &lenient).len(), 100);
        assert_eq!(caught(&Sampler::new("app", 0.0, &strict).all(), &lenient).len(), 0);
    }

    #[test]
    fn signs_behind_what_is_allowed_are_no_alarm() {
        let [lenient, strict] = redactions();
        for (before, behind) in [
            ("access_token=", ". It is public"),
            ("Authorization: Bearer ", ".."),
            ("\"Authorization\": \"Bearer ", ".\""),
            ("access_token=", "(masked) ok"),
        ] {
            for redaction in [&lenient, &strict] {
                let mut stream = stream(redaction, &Sampler::new("app", 1.0, redaction));
                stream.push(format!("{before}{TOKEN}{behind}\n").as_bytes(), &mut CleanBlock::new()).unwrap();
            }
        }
    }

    #[test]
    fn the_end_of_a_stream_is_looked_at_too() {
        let [lenient, strict] = redactions();
        let mut stream = stream(&lenient, &Sampler::new("app", 1.0, &strict));
        let mut out = CleanBlock::new();
        stream.push(format!("Authorization: Bearer {TOKEN}").as_bytes(), &mut out).unwrap();
        assert!(catch_unwind(AssertUnwindSafe(|| stream.finish(&mut out))).is_err());
    }
}
