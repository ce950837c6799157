//! Framing (stream ↔ records) and format (record ↔ text to scan).

mod canary;
mod encoder;
#[cfg(test)]
pub(crate) mod fault;
mod framer;
mod framing;
mod json;
mod record_ends;
mod release;
mod runtime;
mod stream;
#[cfg(test)]
mod tests;

pub use canary::{CanaryError, CanarySeed, check_stream, check_stream_once};
pub use encoder::Encoder;
pub use framing::{Framing, FramingError};
pub(crate) use record_ends::RecordEnds;
pub(crate) use runtime::{RUNTIME_LINE_BYTES, last_whole_record};
pub use stream::{Codec, Decoding, RecordStream, StreamStats};
