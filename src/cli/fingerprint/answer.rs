//! What is said of one credential, or of one value of a claim.

use super::super::args::ClaimArg;
use super::super::exit::Failure;
use super::super::exposures::{line_of, unusable};
use crate::ledger::{ClaimName, Exposure, Store};
use crate::redact::{Fingerprint, Piece, Redaction};
use jiff::Timestamp;
use serde::Serialize;

/// What is asked, and of whom.
pub(super) struct Asked<'a> {
    pub redaction: &'a Redaction,
    pub store: Option<&'a Store>,
    /// Whether pieces are looked for too.
    pub parts: bool,
}

/// What something is called under one key, and what the ledger knows of it.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    key_id: String,
    /// The kind's name, or the claim's.
    kind: &'static str,
    fingerprint: String,
    /// Rows of the whole; without a ledger nothing is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    exposures: Option<Vec<Exposure>>,
    /// Its pieces that were seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<Vec<Part>>,
}

/// A piece that was seen.
#[derive(Debug, Serialize)]
struct Part {
    /// Which bytes of how many: a short beginning is that of other credentials too.
    begin: usize,
    end: usize,
    of: usize,
    exposure: Exposure,
}

impl Asked<'_> {
    /// One answer for each key; none for what is no credential.
    pub fn credential(&self, credential: &[u8]) -> Result<Vec<Answer>, Failure> {
        let pieces = if self.parts { self.redaction.pieces(credential) } else { Vec::new() };
        let answer = |fingerprint: Fingerprint| {
            let (key_id, digest) = (hex(&fingerprint.key_id), fingerprint.digest);
            let mut parts = Vec::new();
            for Piece { fingerprint: piece, range } in &pieces {
                if piece.key_id == fingerprint.key_id {
                    let rows = self.rows(&key_id, |store, now| store.show(&piece.digest, now))?;
                    let (begin, end, of) = (range.start, range.end, credential.len());
                    parts.extend(rows.into_iter().map(|exposure| Part { begin, end, of, exposure }));
                }
            }
            parts.sort_by_key(|part| std::cmp::Reverse(part.end - part.begin));
            // The digest of zeros is that of all that could be guessed.
            let is_known = self.store.is_some() && digest != [0; 16];
            let rows = |store: &Store, now| store.show(&digest, now);
            Ok(Answer {
                kind: fingerprint.kind.name(),
                fingerprint: hex(&digest),
                exposures: is_known.then(|| self.rows(&key_id, rows)).transpose()?,
                parts: self.parts.then_some(parts),
                key_id,
            })
        };
        self.redaction.fingerprints(credential).into_iter().map(answer).collect()
    }

    /// The same for a claim's value.
    pub fn claim(&self, claim: ClaimArg, value: &[u8]) -> Result<Vec<Answer>, Failure> {
        if value.is_empty() {
            return Ok(Vec::new());
        }
        let (name, column) = match claim {
            ClaimArg::Sub => ("sub", ClaimName::Sub),
            ClaimArg::Jti => ("jti", ClaimName::Jti),
        };
        let answer = |(key_id, digest): ([u8; 4], [u8; 16])| {
            let key_id = hex(&key_id);
            let rows = |store: &Store, now| store.with_claim(column, &digest, now);
            let exposures = self.store.is_some().then(|| self.rows(&key_id, rows)).transpose()?;
            Ok(Answer { kind: name, fingerprint: hex(&digest), exposures, parts: None, key_id })
        };
        self.redaction.claim_digests(name, value).into_iter().map(answer).collect()
    }

    /// Rows of one key.
    fn rows(
        &self,
        key_id: &str,
        ask: impl FnOnce(&Store, Timestamp) -> Result<Vec<Exposure>, crate::ledger::LedgerError>,
    ) -> Result<Vec<Exposure>, Failure> {
        let Some(store) = self.store else { return Ok(Vec::new()) };
        let rows = ask(store, Timestamp::now()).map_err(unusable)?;
        Ok(rows.into_iter().filter(|row| row.key_id == key_id).collect())
    }
}

impl Answer {
    /// Whether it has no digest.
    pub fn is_guessable(&self) -> bool {
        self.fingerprint.bytes().all(|digit| digit == b'0')
    }

    /// Key id, kind, digest; what the ledger knows stands in lines behind it that begin with a blank.
    pub fn text(&self) -> String {
        let mut text = format!("{} {} {}\n", self.key_id, self.kind, self.fingerprint);
        let of_claim = matches!(self.kind, "sub" | "jti");
        match self.exposures.as_deref() {
            None => {}
            Some([]) => text += "  never seen\n",
            Some(rows) => rows.iter().for_each(|row| text += &format!("  {}\n", line_of(row, of_claim))),
        }
        for part in self.parts.iter().flatten() {
            text += &format!("  {}\n", part.text());
        }
        text
    }

    /// As JSON, a line.
    pub fn json(&self) -> String {
        serde_json::json!(self).to_string() + "\n"
    }
}

impl Part {
    fn text(&self) -> String {
        let Self { begin, end, of, exposure } = self;
        let which = if *begin == 0 { "first" } else { "last" };
        format!("its {which} {} of {of} bytes: {}", end - begin, line_of(exposure, true))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_comes_last() {
        let (key_id, fingerprint) = ("0001abff".to_owned(), "10".repeat(16));
        let answer = Answer { key_id, kind: "jwt", fingerprint, exposures: None, parts: None };
        assert_eq!(answer.text(), "0001abff jwt 10101010101010101010101010101010\n");
        assert_eq!(Answer { exposures: Some(Vec::new()), ..answer }.text().lines().nth(1), Some("  never seen"));
    }
}
