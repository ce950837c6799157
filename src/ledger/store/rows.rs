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
    pub text: Option<String>,
    pub issuer: Option<String>,
    pub not_before: Option<i64>,
    pub expires_at: Option<i64>,
}

impl ClaimColumns {
    pub fn new(claims: Option<&Claims>) -> Self {
        let Some(claims) = claims else { return Self::default() };
        let expires_at = match claims.exp {
            Some(exp) => Some(exp.as_millisecond()),
            // Who could read it all and found no `exp` knows that it never expires.
            None => (claims.has_payload && !claims.exp_unreadable).then_some(NEVER),
        };
        Self {
            text: serde_json::to_string(claims).ok(),
            issuer: claims.iss.clone(),
            not_before: claims.nbf.map(|nbf| nbf.as_millisecond()),
            expires_at,
        }
    }
}
