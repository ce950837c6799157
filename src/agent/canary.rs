//! The start-up check: minted credentials go through a stream of each source before anything is opened.

use super::config::{Config, SourceKind};
use super::pipeline::may_stream;
use super::source::decoding;
use crate::codec::{CanaryError, CanarySeed, check_stream};
use crate::redact::Redaction;

/// A source whose stream must not be trusted.
#[derive(Debug)]
pub struct UntrustedSource {
    name: String,
    error: CanaryError,
}

impl std::fmt::Display for UntrustedSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "source {}: {}", self.name, self.error)
    }
}

impl std::error::Error for UntrustedSource {}

/// Sends canaries through streams that are built as those of each source will be.
///
/// # Errors
/// Names the first source that one of them got through.
pub fn check_engine(config: &Config, redaction: &Redaction, seed: &CanarySeed) -> Result<(), UntrustedSource> {
    for source in &config.sources {
        let whole_records = !matches!(source.kind, SourceKind::Stdin) || !may_stream(config, source);
        check_stream(redaction, &config.redact.options.extra_fields, &decoding(source, whole_records), seed)
            .map_err(|error| UntrustedSource { name: source.name.clone(), error })?;
    }
    Ok(())
}
