//! Framing (stream ↔ records) and format (record ↔ text to scan).

mod encoder;
mod framing;
mod stream;

pub use encoder::Encoder;
pub use framing::{Framing, FramingError};
pub use stream::{Codec, Decoding, RecordStream, StreamStats};
