//! Which rows a DIGEST on the command line is about.

use super::super::exit::{Exit, Failure};
use super::unusable;
use crate::ledger::{Exposure, Store};
use jiff::Timestamp;

/// A prefix that is shorter would find what nobody meant.
const PREFIX_DIGITS_MIN: usize = 8;
const DIGITS: usize = 32;

/// A digest as it is typed: all of it or its beginning, or a marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TypedDigest {
    /// 8 to 32 hexadecimal digits.
    digits: String,
    /// Of a marker: kind and key id.
    marker: Option<(String, String)>,
}

impl TypedDigest {
    pub fn parse(text: &str) -> Result<Self, Failure> {
        // What is typed is not quoted: it may be the credential itself.
        let wrong = || {
            let why = "a DIGEST is 32 hexadecimal digits, 8 of them or more, or a marker (redacted-KIND-KEYID-DIGEST); what a \
                       credential's is, `beartrap fingerprint` says";
            Failure::new(Exit::Usage, why)
        };
        let text = text.trim();
        let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if let Some(marker) = text.strip_prefix("redacted-") {
            let parts: Vec<&str> = marker.split('-').collect();
            return match parts[..] {
                [kind, key_id, digits]
                    if key_id.len() == 8 && digits.len() == DIGITS && is_hex(key_id) && is_hex(digits) =>
                {
                    Ok(Self { digits: digits.to_owned(), marker: Some((kind.to_owned(), key_id.to_owned())) })
                }
                _ => Err(wrong()),
            };
        }
        if !(PREFIX_DIGITS_MIN..=DIGITS).contains(&text.len()) || !is_hex(text) {
            return Err(wrong());
        }
        Ok(Self { digits: text.to_ascii_lowercase(), marker: None })
    }

    /// Its rows; all have the same digest.
    pub fn rows(&self, store: &Store, now: Timestamp) -> Result<Vec<Exposure>, Failure> {
        let (from, to) = self.range();
        let mut rows = store.find(&from, &to, now).map_err(unusable)?;
        if let Some((kind, key_id)) = &self.marker {
            rows.retain(|row| row.kind == *kind && row.key_id == *key_id);
        }
        if rows.iter().any(|row| row.fingerprint != rows[0].fingerprint) {
            let why = format!("several digests begin with {}; give more of it", self.digits);
            return Err(Failure::new(Exit::Usage, why));
        }
        Ok(rows)
    }

    /// The digest itself, whether there is a row or not; `None` if there is none and only its beginning is known.
    pub fn whole(&self, store: &Store, now: Timestamp) -> Result<Option<[u8; 16]>, Failure> {
        let (from, to) = self.range();
        if from == to {
            return Ok(Some(from));
        }
        let rows = self.rows(store, now)?;
        Ok(rows.first().and_then(|row| u128::from_str_radix(&row.fingerprint, 16).ok()).map(u128::to_be_bytes))
    }

    /// The first and the last digest that begin so.
    fn range(&self) -> ([u8; 16], [u8; 16]) {
        let filled = |with: &str| {
            let digits = format!("{}{}", self.digits, with.repeat(DIGITS - self.digits.len()));
            u128::from_str_radix(&digits, 16).expect("they were checked to be 32 digits").to_be_bytes()
        };
        (filled("0"), filled("f"))
    }
}

impl std::fmt::Display for TypedDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_prefixes_and_markers_are_read() {
        let whole = "00112233445566778899aabbccddeeff";
        for (text, expected) in [
            (whole.to_owned(), Some(whole)),
            (whole.to_uppercase(), Some(whole)),
            ("0011223".to_owned(), None),
            ("00112233".to_owned(), Some("00112233")),
            (format!("{whole}0"), None),
            (format!("redacted-jwt-01234567-{whole}"), Some(whole)),
            (format!("redacted-a_rule-01234567-{whole}"), Some(whole)),
            (format!("redacted-jwt-0123456-{whole}"), None),
            (format!("redacted-{whole}"), None),
            ("eyJhbGciOiJIUzI1NiJ9".to_owned(), None),
        ] {
            let parsed = TypedDigest::parse(&text);
            assert_eq!(parsed.as_ref().ok().map(|typed| typed.digits.as_str()), expected, "{text}");
            if let Err(failure) = parsed {
                assert!(!failure.message.contains(&text));
            }
        }
    }

    #[test]
    fn a_prefix_is_a_range() {
        let (from, to) = TypedDigest::parse("001122334").unwrap().range();
        assert_eq!(
            (from[..5].to_vec(), to[..5].to_vec()),
            (vec![0, 0x11, 0x22, 0x33, 0x40], vec![0, 0x11, 0x22, 0x33, 0x4f])
        );
    }
}
