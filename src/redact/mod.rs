//! Pure redaction: bytes in, clean bytes and findings out.
//!
//! Nothing in here knows a runtime, a clock, a file or a logger, and nothing in here can fail once it is built.

mod block;
mod finding;
mod fingerprint;
mod key;
mod redactor;

pub use block::{Clean, CleanBlock};
pub use finding::{Counts, Finding, Kind};
pub use fingerprint::{Fingerprint, MARKER_LEN_MAX};
pub use key::{Key, KeyError, KeyRing};
pub use redactor::{Carry, Options, Redacted, Redaction, Redactor, Replacement};
