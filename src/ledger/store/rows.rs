//! Columns and what they mean.

use super::NEVER;
use crate::ledger::exposure::{Claims, Location};

pub(super) fn location(text: &str) -> Location {
    serde_json::from_str(text).unwrap_or_default()
}

pub(super) fn claims(text: Option<String>) -> Option<Claims> {
    text.and_then(|text| serde_json::from_str(&text).ok())
}

/// The columns that are made of claims.
#[derive(Debug, Default)]
pub(super) struct ClaimColumns {
    has_payload: bool,
    pub text: Option<String>,
    pub issuer: Option<String>,
    pub not_before: Option<i64>,
    pub expires_at: Option<i64>,
    pub subject: Option<[u8; 16]>,
    pub token_id: Option<[u8; 16]>,
}

impl ClaimColumns {
    pub fn new(claims: Option<&Claims>) -> Self {
        let Some(claims) = claims else { return Self::default() };
        let expires_at = match claims.exp {
            Some(exp) => Some(exp.as_millisecond()),
            // Who could read it all and found no `exp` knows that it never expires.
            None => (claims.has_payload && !claims.exp_unreadable).then_some(NEVER),
        };
        let digest = |digits: &Option<String>| digits.as_deref().and_then(unhex::<16>);
        Self {
            has_payload: claims.has_payload,
            text: serde_json::to_string(claims).ok(),
            issuer: claims.iss.clone(),
            not_before: claims.nbf.map(|nbf| nbf.as_millisecond()),
            expires_at,
            subject: digest(&claims.sub_fingerprint),
            token_id: digest(&claims.jti_fingerprint),
        }
    }

    /// Whether they take the place of others of the same credential. Which one stays does not depend on which came first.
    pub fn are_better_than(&self, known: Option<&str>) -> bool {
        match (&self.text, known) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(text), Some(known)) if text == known => false,
            (Some(text), Some(known)) => {
                let has_payload = serde_json::from_str(known).is_ok_and(|claims: Claims| claims.has_payload);
                (self.has_payload, text.as_str()) > (has_payload, known)
            }
        }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Only lower-case digits are taken, so that one value has one text.
pub(super) fn unhex<const LEN: usize>(digits: &str) -> Option<[u8; LEN]> {
    let mut bytes = [0; LEN];
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    (hex(&bytes) == digits).then_some(bytes)
}
