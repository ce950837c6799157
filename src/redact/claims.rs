//! What a JOSE token says of itself, for the ledger: a fixed list of header parameters and claims, all unverified.

/// Strings are cut to this many bytes.
pub const CLAIM_BYTES_MAX: usize = 256;

/// What a token says of itself (RFC 7515 §4.1, RFC 7519 §4.1, RFC 8693 §4, RFC 9068 §2.2); nobody has verified it.
///
/// Strings have passed the redactor and are cut to [`CLAIM_BYTES_MAX`]. The signature, and claims that are not listed here,
/// are never kept.
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
    /// `iat`, in seconds since 1970
    pub iat: Option<i64>,
    /// `nbf`, in seconds since 1970
    pub nbf: Option<i64>,
    /// `exp`, in seconds since 1970
    pub exp: Option<i64>,
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
