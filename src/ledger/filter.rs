//! Which rows, in which order.

use super::{Severity, Status};
use jiff::Timestamp;

/// Which rows are wanted. A row must meet all that is set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// Any of these; empty for all.
    pub status: Vec<Status>,
    /// Seen last at or after this time.
    pub since: Option<Timestamp>,
    /// Seen in this source; in a merged ledger `instance/source`, or `source` on any host.
    pub source: Option<String>,
    /// `iss` is exactly this.
    pub issuer: Option<String>,
    /// The kind's name.
    pub kind: Option<String>,
    /// The id of a policy finding.
    pub policy: Option<String>,
    /// At least this severe.
    pub severity: Option<Severity>,
    /// In which order.
    pub sort: Sort,
    /// How many rows at most; `None` for all.
    pub limit: Option<usize>,
    /// Goes on behind the last row of a page, whose `next` it was.
    pub cursor: Option<String>,
}

/// Orders of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// Seen last, latest first.
    #[default]
    LastSeen,
    /// Seen first, latest first.
    FirstSeen,
    /// Seen most often first.
    Occurrences,
    /// Worst first, then seen last.
    Severity,
    /// Expires first; what does not say comes last.
    ExpiresAt,
}
