//! What a stream's findings become in the ledger.

use crate::codec::RecordStream;
use crate::ledger::{Place, Recorder, Text};
use crate::redact::Finding;

/// Findings of one record that wait for its end. A longer list is recorded at once; were the record read again it would count
/// twice.
const HELD_MAX: usize = 4096;

/// Records the findings of one stream, each once its record has ended: where a file is left in the middle of a record, that
/// is read again.
#[derive(Debug, Default)]
pub(super) struct Recording {
    recorder: Option<Recorder>,
    place: Place,
    held: Vec<Finding>,
}

impl Recording {
    /// For findings at `place`.
    pub fn new(recorder: Option<&Recorder>, place: impl FnOnce(&Recorder) -> Place) -> Self {
        let place = recorder.map(place).unwrap_or_default();
        Self { recorder: recorder.cloned(), place, held: Vec::new() }
    }

    /// Takes what was found in `input`, which began at `start`.
    pub fn note(&mut self, records: &RecordStream, input: &[u8], start: u64) {
        let Some(recorder) = &self.recorder else { return };
        let (findings, ended) = (records.findings(), records.consumed());
        if findings.is_empty() && self.held.is_empty() {
            return;
        }
        let text = Text { bytes: input, start };
        let has_ended = |finding: &Finding| finding.offset < ended;
        if self.held.is_empty() && findings.iter().all(has_ended) {
            return recorder.record(findings, text, &self.place);
        }
        let (now, later) = self.held.iter().chain(findings).partition::<Vec<Finding>, _>(|finding| has_ended(finding));
        recorder.record(&now, text, &self.place);
        self.held = later;
        if self.held.len() > HELD_MAX {
            self.end();
        }
    }

    /// Nothing of the records that are open will be read again.
    pub fn end(&mut self) {
        if let Some(recorder) = &self.recorder {
            recorder.record(&self.held, Text::default(), &self.place);
            self.held = Vec::new();
        }
    }

    /// What is noted from now on is from another place.
    pub fn set_place(&mut self, place: impl FnOnce(&Recorder) -> Place) {
        if let Some(recorder) = &self.recorder {
            self.place = place(recorder);
        }
    }
}
