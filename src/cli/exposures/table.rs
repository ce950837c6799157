//! Rows as a table that fits the terminal.

use crate::ledger::{Exposure, Severity};
use crate::scan::printable;
use jiff::Timestamp;
use std::io::IsTerminal;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// As many digits are enough for `show`, and nearly always for one row alone.
const DIGITS: usize = 10;
/// What a terminal that does not say how wide it is has.
const COLUMNS_DEFAULT: usize = 80;
/// Less of a source or issuer says nothing.
const TEXT_MIN: usize = 10;
/// The columns that every table has, and the blanks between them.
const FIXED: usize = DIGITS + 2 + 9 + 2 + 8 + 2 + 6 + 2 + 16 + 2 + 16;

/// How wide it may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    width: Option<usize>,
}

impl Table {
    /// As wide as the terminal; where there is none, as wide as it takes.
    pub fn for_stdout() -> Self {
        let stdout = std::io::stdout();
        let columns = || rustix::termios::tcgetwinsize(&stdout).ok().map(|size| usize::from(size.ws_col));
        let width = stdout.is_terminal().then(|| columns().filter(|&columns| columns > 0).unwrap_or(COLUMNS_DEFAULT));
        Self { width }
    }

    pub fn header(self) -> String {
        let fixed = ["DIGEST", "STATUS", "SEVERITY", "SEEN", "LAST SEEN (UTC)", "EXPIRES"];
        self.line(fixed, ["KIND", "SOURCES", "ISSUER"])
    }

    pub fn row(self, row: &Exposure) -> String {
        let expires = match (row.expires_at, &row.claims) {
            (Some(at), _) => minute(at),
            (None, Some(claims)) if claims.has_payload && !claims.exp_unreadable => "never".to_owned(),
            _ => String::new(),
        };
        let sources: Vec<&str> = row.sources.keys().map(String::as_str).collect();
        let issuer = row.claims.as_ref().and_then(|claims| claims.iss.as_deref()).unwrap_or_default();
        let fixed = [
            row.fingerprint.get(..DIGITS).unwrap_or_default(),
            row.status.name(),
            row.severity.map_or("", severity),
            &row.occurrences.to_string(),
            &minute(row.last_seen),
            &expires,
        ];
        self.line(fixed, [&row.kind, &sources.join(" "), issuer])
    }

    /// The fixed columns, and as much of the others as there is room for.
    fn line(self, fixed: [&str; 6], texts: [&str; 3]) -> String {
        let [digest, status, severity, seen, last, expires] = fixed;
        let mut line = format!("{digest:DIGITS$}  {status:9}  {severity:8}  {seen:>6}  {last:16}  {expires:16}");
        for (text, cells) in texts.into_iter().zip(self.cells()) {
            let text = printable(text.as_bytes());
            match cells {
                None => line += &format!("  {}", pad(text, 6)),
                Some(0) => {}
                Some(cells) => line += &format!("  {}", pad(cut(text, cells), cells)),
            }
        }
        line.truncate(line.trim_end().len());
        line + "\n"
    }

    /// How many cells kind, sources and issuer have; `None` for as many as they take.
    fn cells(self) -> [Option<usize>; 3] {
        let Some(width) = self.width else { return [None; 3] };
        let room = width.saturating_sub(FIXED);
        let after_kind = room.saturating_sub(2 + 6);
        match () {
            () if room < 2 + TEXT_MIN => [0, 0, 0],
            () if after_kind < 2 + TEXT_MIN => [0, room - 2, 0],
            () if after_kind < 2 * (2 + TEXT_MIN) => [6, after_kind - 2, 0],
            () => [6, after_kind / 2 - 2, after_kind - after_kind / 2 - 2],
        }
        .map(Some)
    }
}

fn minute(at: Timestamp) -> String {
    let text = format!("{at:.0}");
    text.get(..16).unwrap_or(&text).replace('T', " ")
}

pub(super) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

/// As much of a text as fits so many cells of a terminal.
fn cut(text: String, cells: usize) -> String {
    if text.width() <= cells {
        return text;
    }
    let mut left = cells.saturating_sub(1);
    let fits = |character: &char| {
        let width = character.width().unwrap_or(0);
        let fits = width <= left;
        left = left.saturating_sub(width);
        fits
    };
    text.chars().take_while(fits).collect::<String>() + "\u{2026}"
}

fn pad(text: String, cells: usize) -> String {
    let blanks = cells.saturating_sub(text.width());
    text + &" ".repeat(blanks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Claims, Location, Status};

    fn row() -> Exposure {
        Exposure {
            fingerprint: "00112233445566778899aabbccddeeff".to_owned(),
            kind: "jwt".to_owned(),
            key_id: "01234567".to_owned(),
            occurrences: 1_000_000_000,
            first_seen: "2026-03-01T12:00:00Z".parse().unwrap(),
            last_seen: "2026-03-01T12:34:56.789Z".parse().unwrap(),
            sources: [("web\u{1b}[31m".to_owned(), 1), ("\u{202e}\u{6f22}\u{5b57}".repeat(20), 2)].into(),
            carriers: [("query".to_owned(), 3)].into(),
            status: Status::Unexpired,
            complete: true,
            first_location: Location::default(),
            last_location: Location::default(),
            exposure_window_secs: None,
            expires_at: None,
            revoked_at: None,
            claims: Some(Claims { has_payload: true, iss: Some("\u{1f600}".repeat(64)), ..Claims::default() }),
            severity: Some(Severity::Critical),
            policies: Vec::new(),
        }
    }

    #[test]
    fn it_fits_from_80_columns_on_and_says_all_where_there_is_no_terminal() {
        for width in 80..200 {
            let table = Table { width: Some(width) };
            for line in [table.header(), table.row(&Exposure { occurrences: 999_999, ..row() })] {
                assert!(line.trim_end().width() <= width, "{width}: {line}");
                assert!(!line.trim_end().contains(|c: char| c.is_control() || c == '\u{202e}'), "{line:?}");
            }
        }
        let line = Table { width: None }.row(&row());
        assert!(line.starts_with("0011223344  unexpired  critical  1000000000  2026-03-01 12:34  never"), "{line}");
        assert!(line.contains("web\\u{1b}[31m") && line.matches('\u{1f600}').count() == 64, "{line}");
    }
}
