//! What the pieces of a credential are called that was cut in a log.

use super::fingerprint::Fingerprint;
use super::redaction::{Redaction, Shared};
use super::scan::{Output, Scan, Window};
use std::collections::HashSet;
use std::ops::Range;

/// The work grows with the square of the length: of a longer credential only cuts up to here are looked for.
pub const CUT_BYTES_MAX: usize = 8 << 10;

/// A piece of a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What it is called.
    pub fingerprint: Fingerprint,
    /// Which bytes of the credential it has. The shorter a beginning is, the more other credentials share it.
    pub range: Range<usize>,
}

impl Redaction {
    /// The fingerprints that a credential's beginning has when it is cut anywhere, the part before a signature among them, and
    /// that its rest has where that begins the next line, under each key; each once. That of the whole is not among them, and
    /// none of pieces that are no credentials to the engine or could be guessed.
    pub fn pieces(&self, credential: &[u8]) -> Vec<Piece> {
        self.pieces_up_to(CUT_BYTES_MAX, credential.trim_ascii())
    }

    fn pieces_up_to(&self, bytes_max: usize, credential: &[u8]) -> Vec<Piece> {
        let shared = self.shared();
        let mut known: HashSet<Fingerprint> = self.fingerprints(credential).into_iter().collect();
        let mut pieces = Vec::new();
        if known.is_empty() {
            return pieces;
        }
        for key in shared.keys() {
            let shared = shared.with_key(key);
            for cut in 1..credential.len().min(bytes_max) {
                for piece in shared.pieces(credential, cut) {
                    if piece.fingerprint.digest != [0; 16] && known.insert(piece.fingerprint) {
                        pieces.push(piece);
                    }
                }
            }
        }
        pieces
    }
}

impl Shared {
    /// What is found where a line ends amid a credential, by itself and behind a scheme, and the next one begins with its rest.
    fn pieces(&self, credential: &[u8], cut: usize) -> Vec<Piece> {
        let (beginning, rest) = credential.split_at(cut);
        let mut found = Vec::new();
        for before in [&b""[..], b"Bearer "] {
            let rest = if rest.len() > CUT_BYTES_MAX { &[] } else { rest };
            let text = [before, beginning, b"\n", rest].concat();
            let mut out = Output::default();
            Scan::new(0).run(self, Window { bytes: &text, base: 0, end: true }, &mut out);
            found.extend(out.findings.iter().map(|finding| {
                let is_beginning = finding.offset < (before.len() + cut) as u64;
                let range = if is_beginning { 0..cut } else { cut..credential.len() };
                Piece { fingerprint: finding.fingerprint, range }
            }));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::{KeyRing, Options, Redactor};

    const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.eUeApzM_gcYBF0PRFiRmlgpkBUxNoTsVlfWH2sAnqOQ";

    fn redaction() -> Redaction {
        let keys = [[b'a'; 64], [b'b'; 64]].join(&b"\n"[..]);
        Redaction::new(KeyRing::parse(&keys).unwrap(), Options::default()).unwrap()
    }

    #[test]
    fn every_cut_copy_in_a_log_is_among_them() {
        let redaction = redaction();
        let pieces = redaction.pieces(JWT.as_bytes());
        let lens = pieces.iter().map(|piece| piece.range.len()).collect::<HashSet<_>>();
        assert!(lens.contains(&60) && lens.contains(&(JWT.len() - 1)) && !lens.contains(&JWT.len()));
        let pieces: HashSet<_> = pieces.into_iter().map(|piece| piece.fingerprint).collect();
        assert!(!pieces.contains(&redaction.fingerprints(JWT.as_bytes())[0]));
        let mut seen = 0;
        for cut in 0..JWT.len() {
            let piece = &JWT[..cut];
            for text in [
                piece.to_owned(),
                format!("x {piece}..."),
                format!("{{\"a\":\"{piece}\u{2026}\"}}"),
                format!("Authorization: Bearer {piece}"),
                format!("GET /?token={piece} [truncated]"),
                format!("got {piece}\n{} and more\n", &JWT[cut..]),
            ] {
                for finding in Redactor::new(&redaction).redact(text.as_bytes()).findings {
                    if finding.fingerprint.digest != [0; 16] && finding.len > 16 && finding.len < JWT.len() as u64 {
                        seen += 1;
                        assert!(pieces.contains(&finding.fingerprint), "{cut}: {text}");
                    }
                }
            }
        }
        assert!(seen > 400, "{seen}");
        // Under the older key too.
        assert_eq!(pieces.iter().filter(|piece| piece.key_id == redaction.key_id()).count() * 2, pieces.len());
    }

    #[test]
    fn what_has_no_pieces_has_none() {
        for credential in ["", "short", "redacted-jwt-48e18db9-00112233445566778899aabbccddeeff"] {
            assert_eq!(redaction().pieces(credential.as_bytes()), [], "{credential}");
        }
    }

    #[test]
    fn a_long_one_costs_no_more_than_its_beginning() {
        let long = format!("{}.{}", &JWT[..51], "a".repeat(1 << 20));
        let pieces = redaction().pieces_up_to(100, long.as_bytes());
        assert!(pieces.iter().all(|piece| piece.range.start == 0 && piece.range.end < 100));
        assert!(pieces.len() > 60, "{}", pieces.len());
    }
}
