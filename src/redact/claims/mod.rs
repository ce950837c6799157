//! What a JOSE token says of itself, for the ledger: a fixed list of header parameters and claims, all unverified.
//!
//! While a token is consumed the characters of its header and payload are gathered ([`Parts`]), never those of its signature
//! or of a JWE's other parts. If its digest was not seen lately ([`Book`]) they are kept until somebody takes them. Reading them
//! takes longer than finding the token: who takes them does it, off the path of the data.

mod book;
mod parts;
mod principal;
mod read;
#[cfg(test)]
mod tests;
mod value;

pub(super) use book::Book;
pub use book::CLAIMS_BYTES_MAX;
pub(super) use parts::Parts;
pub use parts::UnreadClaims;

use super::fingerprint::Fingerprint;
use super::redaction::Shared;

/// Strings are cut to this many bytes.
pub const CLAIM_BYTES_MAX: usize = 256;

/// So many audiences are kept.
const AUDIENCES_MAX: usize = 8;

/// What a token says of itself (RFC 7515 §4.1, RFC 7519 §4.1, RFC 8693 §4, RFC 9068 §2.2); nobody has verified it.
///
/// Strings have passed the redactor and are cut to [`CLAIM_BYTES_MAX`]; they may hold control characters. The signature, and
/// claims that are not listed here, are never kept.
///
/// Times are in seconds since 1970, between 1970 and the end of the year 9999: what lies outside, such as milliseconds taken for
/// seconds, is moved to the nearer end, since that is how a verifier takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// `alg`
    pub alg: Option<String>,
    /// `kid`
    pub kid: Option<String>,
    /// `typ` of the header
    pub typ: Option<String>,
    /// A key, or where one is found, in the header itself: `jwk`, `jku`, `x5c` or `x5u`.
    pub key_in_header: Option<&'static str>,
    /// `iss`
    pub iss: Option<String>,
    /// `aud`, one or several; at most eight are kept.
    pub aud: Vec<String>,
    /// `azp`
    pub azp: Option<String>,
    /// `client_id`
    pub client_id: Option<String>,
    /// `scope`, words with blanks between; `scp` in the same form.
    pub scope: Option<String>,
    /// `iat`
    pub iat: Option<i64>,
    /// `nbf`
    pub nbf: Option<i64>,
    /// `exp`
    pub exp: Option<i64>,
    /// Whether `exp` is there and is no time: then `exp` is `None`, and nobody knows whether it ever expires.
    pub exp_unreadable: bool,
    /// Whether `cnf` binds it to a key of its sender (RFC 7800).
    pub cnf: bool,
    /// The keyed digest of `sub`.
    pub sub: Option<[u8; 16]>,
    /// The keyed digest of `jti`.
    pub jti: Option<[u8; 16]>,
    /// Whose it looks like.
    pub principal: Principal,
    /// Whether the payload was read; it is not in a JWE or a token that was cut, or where it is too long or no JSON.
    pub has_payload: bool,
}

/// Whose token it looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Principal {
    /// Nothing tells.
    #[default]
    Unknown,
    /// A program's: its subject is its client, or a service account.
    Workload,
    /// A person's.
    Person,
}

impl Shared {
    /// Keeps what a token that was found says of itself, unless that was kept lately.
    pub fn note_claims(&self, fingerprint: &Fingerprint, parts: &Parts) {
        if let Some(book) = &self.claims
            && fingerprint.digest != [0; 16]
        {
            book.put(fingerprint.digest, || UnreadClaims::new(parts, fingerprint.key_id));
        }
    }

    /// Reads what a token says of itself.
    pub fn read_claims(&self, unread: &UnreadClaims) -> Claims {
        read::read(self, unread)
    }
}
