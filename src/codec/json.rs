//! JSON records.

use crate::redact::{CleanBlock, Counts, Redaction, Redactor};
use serde::de::IgnoredAny;

/// Redacts one JSON text at a time.
pub(super) struct JsonRedactor {
    redactor: Redactor,
}

impl JsonRedactor {
    pub fn new(redaction: &Redaction) -> Self {
        Self { redactor: Redactor::new(redaction) }
    }

    /// Appends the clean form of one record (without what frames it) and says whether it was strict JSON.
    pub fn record(&mut self, record: &[u8], out: &mut CleanBlock) -> bool {
        self.redactor.push(record, out);
        self.redactor.end_record(out);
        serde_json::from_slice::<IgnoredAny>(record).is_ok()
    }

    /// Findings since the start of the stream.
    pub fn counts(&self) -> &Counts {
        self.redactor.counts()
    }
}
