//! One row of the account, as the command line, the API, reports and the webhook show it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A credential that was seen in a log. Times are in RFC 3339.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exposure {
    /// The digest: 32 hexadecimal digits; zeros for all credentials of a kind that could be guessed.
    pub fingerprint: String,
    /// `jwt`, `jwe`, `basic`, `token`, or a rule's name.
    pub kind: String,
    /// Names the key that made the digest: 8 hexadecimal digits.
    pub key_id: String,
    /// How often it was seen; two records of one token in one source count twice.
    pub occurrences: u64,
    /// When it was seen first; [`Location::time`] says by whose clock.
    pub first_seen: Timestamp,
    /// When it was seen last.
    pub last_seen: Timestamp,
    /// How often in each source; in a merged ledger `instance/source`.
    pub sources: BTreeMap<String, u64>,
    /// How often by each carrier.
    pub carriers: BTreeMap<String, u64>,
    /// Whether it can be replayed, as far as it says itself.
    pub status: Status,
    /// False if it was cut, so that its digest is not that of the whole.
    pub complete: bool,
    /// Where it was seen first.
    pub first_location: Location,
    /// Where it was seen last.
    pub last_location: Location,
    /// Seconds from when it was first seen until it expires or was revoked, negative if that was before; null if it never
    /// expires or nothing is known.
    pub exposure_window_secs: Option<i64>,
    /// By its own `exp`; null if it never expires or nothing is known.
    pub expires_at: Option<Timestamp>,
    /// When somebody said that it is revoked.
    pub revoked_at: Option<Timestamp>,
    /// What it says of itself; null for what is no JWT.
    pub claims: Option<Claims>,
    /// The worst of the policy findings; null without any.
    pub severity: Option<Severity>,
    /// What is wrong with it, worst first.
    pub policies: Vec<PolicyFinding>,
}

/// Whether a credential can be replayed at a time, as far as it says itself or somebody has marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// By its own unverified `exp`, or it never expires.
    Unexpired,
    /// By its own unverified `nbf`.
    NotYet,
    /// It does not say.
    Unknown,
    /// By its own unverified `exp`.
    Expired,
    /// Somebody has marked it.
    Revoked,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Unexpired, Self::NotYet, Self::Unknown, Self::Expired, Self::Revoked];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unexpired => "unexpired",
            Self::NotYet => "not_yet",
            Self::Unknown => "unknown",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// Where a credential was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// The source, as in [`Exposure::sources`].
    pub source: String,
    /// The file's path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The sender's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// The credential's first byte, counted from the start of the file or stream; in a compressed file from the start of
    /// its content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// By whose clock.
    pub time: TimeOf,
}

/// Whose clock a time is from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeOf {
    /// The record says it.
    Record,
    /// That of the machine that read it.
    #[default]
    Observed,
}

/// What a JWT says of itself; nobody has verified it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Claims {
    /// Always false: it is here to be read.
    pub verified: bool,
    /// Header parameter `alg`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    /// Header parameter `kid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// Header parameter `typ`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typ: Option<String>,
    /// The header parameter that brings its own key: `jwk`, `jku`, `x5c` or `x5u`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_in_header: Option<String>,
    /// `iss`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// `aud`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aud: Vec<String>,
    /// `azp`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub azp: Option<String>,
    /// `client_id`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// `scope`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// `iat`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<Timestamp>,
    /// `nbf`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nbf: Option<Timestamp>,
    /// `exp`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exp: Option<Timestamp>,
    /// Whether `exp` is there, but no time.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub exp_unreadable: bool,
    /// Whether `cnf` is there.
    pub cnf: bool,
    /// The keyed digest of `sub`: 32 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_fingerprint: Option<String>,
    /// The keyed digest of `jti`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti_fingerprint: Option<String>,
    /// Whose it looks like: `workload`, `person` or `unknown`.
    pub principal: String,
    /// Whether the payload could be read.
    pub has_payload: bool,
}

impl From<crate::redact::Claims> for Claims {
    fn from(claims: crate::redact::Claims) -> Self {
        let time = |seconds: Option<i64>| {
            let clamped = |seconds| if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
            seconds.map(|seconds| Timestamp::from_second(seconds).unwrap_or_else(|_| clamped(seconds)))
        };
        let hex = |digest: [u8; 16]| digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            verified: false,
            alg: claims.alg,
            kid: claims.kid,
            typ: claims.typ,
            key_in_header: claims.key_in_header.map(str::to_owned),
            iss: claims.iss,
            aud: claims.aud,
            azp: claims.azp,
            client_id: claims.client_id,
            scope: claims.scope,
            iat: time(claims.iat),
            nbf: time(claims.nbf),
            exp: time(claims.exp),
            exp_unreadable: claims.exp_unreadable,
            cnf: claims.cnf,
            sub_fingerprint: claims.sub.map(hex),
            jti_fingerprint: claims.jti.map(hex),
            principal: match claims.principal {
                crate::redact::Principal::Unknown => "unknown",
                crate::redact::Principal::Workload => "workload",
                crate::redact::Principal::Person => "person",
            }
            .to_owned(),
            has_payload: claims.has_payload,
        }
    }
}

/// What is wrong with a credential, or with where it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyFinding {
    /// Such as `no_expiry`; `docs/exposures.md` has all.
    pub id: String,
    /// How bad it is.
    pub severity: Severity,
    /// In words.
    pub reason: String,
    /// What it relates to.
    pub references: Vec<String>,
}

/// How bad a finding is, by which a responder can sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// To be mended.
    Medium,
    /// To be mended soon.
    High,
    /// To be acted upon now.
    Critical,
}
