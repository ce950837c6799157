//! What is found becomes rows of a ledger.

use super::engine::Engine;
use crate::ledger::{Place, Recorder, Text};
use crate::redact::Finding;
use std::path::Path;

/// Records what one engine finds in a stream of several inputs.
#[derive(Debug)]
pub struct Recording {
    recorder: Recorder,
    /// Where the current input begins in the stream, where it is, and where the one before it was.
    start: u64,
    place: Place,
    before: Place,
}

impl Recording {
    /// For a stream that has not begun.
    pub fn new(recorder: Recorder) -> Self {
        Self { recorder, start: 0, place: Place::Source, before: Place::Source }
    }

    /// The next input begins here.
    pub(super) fn begin(&mut self, file: Option<&Path>, start: u64) {
        let recorder = &self.recorder;
        // The file begins amid the stream.
        let place = file.map_or(Place::Source, |path| recorder.file(path, 0_u64.wrapping_sub(start)));
        self.before = std::mem::replace(&mut self.place, place);
        self.start = start;
    }

    /// Records what was found in the input that the engine took last: so many bytes, which begin in the stream at `start`.
    pub(super) fn note(&self, engine: &Engine, start: u64, len: usize) {
        let (findings, bytes) = engine.found(len);
        if findings.is_empty() {
            return;
        }
        let text = Text { bytes, start };
        // What began in the input before was decided only now.
        let (before, here): (Vec<Finding>, Vec<Finding>) = findings.iter().partition(|found| found.offset < self.start);
        self.recorder.record(&before, text, &self.before);
        self.recorder.record(&here, text, &self.place);
    }
}
