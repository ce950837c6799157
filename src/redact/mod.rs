//! Pure redaction: bytes in, clean bytes and findings out.
//!
//! Nothing in here knows a runtime, a clock, a file or a logger, and nothing in here can fail once it is built.

mod anchors;
mod block;
mod carrier;
mod characters;
mod context;
mod cursor;
mod finding;
mod fingerprint;
mod header;
mod jose;
mod key;
mod marker;
mod names;
mod paseto;
mod redaction;
mod redactor;
mod scan;
mod scheme;
mod session;
mod userinfo;
mod value;
mod view;
mod whole;
mod word;

pub use block::{Clean, CleanBlock};
pub use carrier::Carrier;
pub use finding::{Counts, Finding, Kind};
pub use fingerprint::{Fingerprint, MARKER_LEN_MAX};
pub use key::{Key, KeyError, KeyRing};
pub use redaction::{Options, Redaction};
pub use redactor::{Redacted, Redactor};
pub use scan::Carry;
pub(crate) use whole::{Member, Replacement};
