//! What was found: kinds, positions and counts, never a credential.

use super::value::Quote;
use super::{Carrier, Fingerprint};

/// What a credential is; it follows from the credential itself, not from what carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A JSON Web Signature in compact form (RFC 7515), unsecured and cut ones too.
    Jwt,
    /// A JSON Web Encryption in compact form (RFC 7516).
    Jwe,
    /// The user name and password of HTTP Basic authentication (RFC 7617).
    Basic,
    /// Every other credential that is recognised by its context (RFC 6750 and relatives).
    Token,
}

impl Kind {
    /// All kinds, in the order of their declaration.
    pub const ALL: [Kind; 4] = [Kind::Jwt, Kind::Jwe, Kind::Basic, Kind::Token];

    /// The word for it in markers and reports.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Jwt => "jwt",
            Kind::Jwe => "jwe",
            Kind::Basic => "basic",
            Kind::Token => "token",
        }
    }
}

/// One credential that was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Offset of its first byte in the input, counted from the start of the stream.
    pub offset: u64,
    /// Its length in the input, in bytes.
    pub len: u64,
    /// What it is called in the output.
    pub fingerprint: Fingerprint,
    /// False if the credential was cut, so that its digest is not that of the whole.
    pub complete: bool,
    /// What carried it.
    pub carrier: Carrier,
    /// The quotes that its replacement got: it was a number.
    pub(super) requote: Option<Quote>,
}

/// How many credentials of each kind were replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u64; Kind::ALL.len()]);

impl Counts {
    /// The number of findings of one kind.
    pub fn of(&self, kind: Kind) -> u64 {
        self.0[kind as usize]
    }

    /// The number of findings of all kinds.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Adds the findings of another count.
    pub fn add(&mut self, other: &Counts) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }

    pub(super) fn count(&mut self, kind: Kind) {
        self.0[kind as usize] += 1;
    }
}
