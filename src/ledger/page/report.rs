//! The page with its data inside: one file that is opened from disk.

use super::{around_data, policy};
use crate::ledger::{Exposure, PolicyFinding};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::ser::Formatter;
use std::io::{self, Write};

/// Rows of one report. A browser holds these with ease; whoever has more reads JSON.
pub const REPORT_ROWS_MAX: usize = 100_000;
/// Bytes of data of one report, to within a block: what others have written into claims and names must not make it larger
/// than a browser can open.
const REPORT_BYTES_MAX: u64 = 192 << 20;
/// Rows of one block of data: what is held in memory while a report is written, and read at once by the page.
const BLOCK_ROWS: usize = 1_000;

/// What a report holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows that are in it.
    pub rows: usize,
    /// Rows that are not: it was full. The page says so too.
    pub left_out: usize,
}

/// Writes a report row by row; [`ReportWriter::finish`] makes it whole.
#[derive(Debug)]
pub struct ReportWriter<W> {
    out: Counted<W>,
    block: Block,
    written: Written,
    rows_max: usize,
    bytes_max: u64,
    after: String,
}

/// Rows, with each policy finding once: most rows have the same ones, and they are most of a row.
#[derive(Debug, Default, Serialize)]
struct Block {
    policies: Vec<PolicyFinding>,
    exposures: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    exposure: Exposure,
    /// Places in the block's `policies`.
    policy_places: Vec<usize>,
}

#[derive(Serialize)]
struct Head<'a, H> {
    generated_at: Timestamp,
    version: &'static str,
    #[serde(flatten)]
    head: &'a H,
}

#[derive(Serialize)]
struct End {
    rows: usize,
    left_out: usize,
}

impl<W: Write> ReportWriter<W> {
    /// Begins a report. `head` has the members `summary`, which is the object `ledger` of `/api/v1/status`, and `manifest`.
    pub fn new(out: W, generated_at: Timestamp, head: &impl Serialize) -> io::Result<Self> {
        // A page from disk has no origin to ask.
        let policy = format!(r#"<meta http-equiv="Content-Security-Policy" content="{}">"#, policy("'none'"));
        let (before, after) = around_data(&policy);
        let mut out = Counted { out, bytes: 0 };
        out.write_all(before.as_bytes())?;
        data(&mut out, "report", &Head { generated_at, version: env!("CARGO_PKG_VERSION"), head })?;
        let (rows_max, bytes_max) = (REPORT_ROWS_MAX, REPORT_BYTES_MAX);
        Ok(Self { out, block: Block::default(), written: Written::default(), rows_max, bytes_max, after })
    }

    /// Adds a row, the most important first: what does not fit is only counted.
    pub fn row(&mut self, mut exposure: Exposure) -> io::Result<()> {
        if self.written.rows == self.rows_max || self.out.bytes >= self.bytes_max {
            self.written.left_out += 1;
            return Ok(());
        }
        let policy_places = exposure.policies.drain(..).map(|policy| self.block.place(policy)).collect();
        self.block.exposures.push(Row { exposure, policy_places });
        self.written.rows += 1;
        if self.block.exposures.len() == BLOCK_ROWS { self.write_block() } else { Ok(()) }
    }

    /// Writes what is left. Without it the page says that it is cut.
    pub fn finish(mut self) -> io::Result<Written> {
        self.write_block()?;
        let Written { rows, left_out } = self.written;
        data(&mut self.out, "report-end", &End { rows, left_out })?;
        self.out.write_all(self.after.as_bytes())?;
        self.out.flush()?;
        Ok(self.written)
    }

    fn write_block(&mut self) -> io::Result<()> {
        let block = std::mem::take(&mut self.block);
        if block.exposures.is_empty() { Ok(()) } else { data(&mut self.out, "report-rows", &block) }
    }
}

impl Block {
    fn place(&mut self, policy: PolicyFinding) -> usize {
        self.policies.iter().position(|known| *known == policy).unwrap_or_else(|| {
            self.policies.push(policy);
            self.policies.len() - 1
        })
    }
}

/// Counts what passes.
#[derive(Debug)]
struct Counted<W> {
    out: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn data(out: &mut impl Write, class: &str, value: &impl Serialize) -> io::Result<()> {
    write!(out, r#"<script type="application/json" class="{class}">"#)?;
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut *out, InMarkup))?;
    out.write_all(b"</script>\n")
}

/// JSON that may stand between tags: nothing in it ends an element or begins one.
struct InMarkup;

impl Formatter for InMarkup {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut plain = 0;
        for (at, found) in fragment.match_indices(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            out.write_all(&fragment.as_bytes()[plain..at])?;
            let character = found.chars().next().expect("a match is one character");
            write!(out, "\\u{:04x}", u32::from(character))?;
            plain = at + found.len();
        }
        out.write_all(&fragment.as_bytes()[plain..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Location, Severity, Status};
    use serde_json::{Value, json};

    fn row(number: u32) -> Exposure {
        Exposure {
            fingerprint: format!("{number:032x}"),
            kind: "jwt".to_owned(),
            key_id: "48e18db9".to_owned(),
            occurrences: 1,
            first_seen: Timestamp::UNIX_EPOCH,
            last_seen: Timestamp::UNIX_EPOCH,
            sources: [("</script><script>alert(1)</script>".to_owned(), 1)].into(),
            carriers: [("query".to_owned(), 1)].into(),
            status: Status::Unknown,
            complete: true,
            first_location: Location { source: "a&b".to_owned(), ..Location::default() },
            last_location: Location::default(),
            exposure_window_secs: None,
            expires_at: None,
            revoked_at: None,
            claims: None,
            severity: Some(Severity::High),
            policies: ["<!--", "\u{2028}\u{2029}"]
                .map(|reason| PolicyFinding {
                    id: "in_url".to_owned(),
                    severity: Severity::High,
                    reason: reason.to_owned(),
                    references: vec!["RFC 6750 §5.3".to_owned()],
                })
                .into(),
        }
    }

    fn written(rows: u32, rows_max: usize) -> (String, Written) {
        within(rows, rows_max, REPORT_BYTES_MAX)
    }

    fn within(rows: u32, rows_max: usize, bytes_max: u64) -> (String, Written) {
        let mut out = Vec::new();
        let mut report =
            ReportWriter::new(&mut out, Timestamp::UNIX_EPOCH, &json!({"summary": {"exposures": rows}})).unwrap();
        (report.rows_max, report.bytes_max) = (rows_max, bytes_max);
        (0..rows).for_each(|number| report.row(row(number)).unwrap());
        let written = report.finish().unwrap();
        (String::from_utf8(out).unwrap(), written)
    }

    fn blocks(html: &str, class: &str) -> Vec<Value> {
        let begin = format!(r#"<script type="application/json" class="{class}">"#);
        let blocks = html.split(&begin).skip(1);
        blocks.map(|rest| serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()).collect()
    }

    #[test]
    fn data_is_no_markup_and_stays_what_it_was() {
        let (html, _) = written(2, 10);
        assert!(!html.contains("alert(1)</script>") && !html.contains("<!--") && !html.contains('\u{2028}'));
        let block = &blocks(&html, "report-rows")[0];
        let row = &block["exposures"][1];
        assert_eq!(row["sources"]["</script><script>alert(1)</script>"], 1);
        assert_eq!(row["first_location"]["source"], "a&b");
        assert_eq!(row["policy_places"], json!([0, 1]));
        assert_eq!(block["policies"].as_array().unwrap().len(), 2, "the second row has those of the first");
        assert_eq!(block["policies"][1]["reason"], "\u{2028}\u{2029}");
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let (html, written) = written(2_503, 2_500);
        assert_eq!(written, Written { rows: 2_500, left_out: 3 });
        let rows: Vec<usize> =
            blocks(&html, "report-rows").iter().map(|block| block["exposures"].as_array().unwrap().len()).collect();
        assert_eq!(rows, [1_000, 1_000, 500]);
        assert_eq!(blocks(&html, "report-end"), [json!({"rows": 2_500, "left_out": 3})]);
        assert_eq!(blocks(&html, "report")[0]["summary"]["exposures"], 2_503);
    }

    #[test]
    fn rows_of_any_size_do_not_make_it_larger() {
        let (html, written) = within(5_000, 10_000, 1 << 20);
        assert!(written.rows >= 1_000 && written.rows + written.left_out == 5_000, "{written:?}");
        assert!(html.len() < 2 << 20, "{}", html.len());
    }

    #[test]
    fn a_policy_is_in_the_file() {
        let (html, _) = written(0, 1);
        let (head, _) = html.split_once("</head>").unwrap();
        assert!(head.contains("default-src 'none'") && head.contains("connect-src 'none'"));
        assert!(!head.contains("frame-ancestors"), "browsers ignore it there, and complain");
    }
}
