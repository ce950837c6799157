//! Pure redaction: bytes in, clean bytes and findings out.
//!
//! Nothing in here knows a runtime, a clock, a file or a logger, and nothing in here can fail once it is built.

mod anchors;
mod block;
mod carrier;
mod characters;
mod claims;
mod context;
mod cookie_jar;
mod cursor;
mod cut;
mod finding;
mod fingerprint;
mod grammar;
mod header;
mod jose;
mod key;
mod literals;
mod marker;
mod names;
mod next_line;
mod option;
mod params;
mod paseto;
mod ranges;
mod redaction;
mod redactor;
mod ruled;
mod rules;
mod scan;
mod scheme;
mod separator;
mod session;
mod trace;
mod userinfo;
mod value;
mod value_first;
mod view;
mod wanted;
mod whole;
mod word;

pub use block::{Clean, CleanBlock};
pub use carrier::Carrier;
pub use claims::{CLAIM_BYTES_MAX, CLAIMS_BYTES_MAX, Claims, Principal, UnreadClaims};
pub use cut::{CUT_BYTES_MAX, Piece};
pub use finding::{Counts, Finding, Kind, RuleKind};
pub use fingerprint::{Fingerprint, MARKER_LEN_MAX};
pub use key::{Key, KeyError, KeyRing};
pub use redaction::{Options, Redaction};
pub use redactor::{Redacted, Redactor};
pub use rules::{Allow, AllowSpec, AllowTarget, Checksum, RULE_BYTES_MAX, Rule, RuleSpec, Rules};
pub use scan::{Carry, Rest};
pub use trace::{Clue, Explanation, Rejection, Step, Verdict};
pub(crate) use whole::{Member, Replacement};
