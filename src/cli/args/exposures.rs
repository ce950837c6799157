//! The command line of `beartrap exposures`.

use super::values::{MarkName, ReportFormat, RowsFormat, SeverityName, SortName, StatusName};
use crate::ledger::POLICIES;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand, ValueHint};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ExposuresCommands {
    /// List credentials that were seen
    List(ListRowsArgs),
    /// Print all that is known of a credential; exit 1 if it was never seen
    Show(ShowArgs),
    /// Say that a credential is revoked, whether it has been seen or not
    Mark(MarkArgs),
    /// Take such a mark back
    Unmark(DigestArgs),
    /// Delete all that is known of credentials
    #[command(
        long_about = "Delete all that is known of credentials, marks included, and overwrite where it stood in the \
        file.\n\nA credential that is seen or merged again gets a new row."
    )]
    Forget(DigestsArgs),
    /// Join ledgers of other hosts into one; merging twice changes nothing
    #[command(long_about = "Join ledgers of other hosts into one, which is made if it is not there.\n\nSources are \
        ledgers, exports, and what agents have sent with `emit_to`. Each ledger counts for itself, so that merging twice \
        changes nothing. In the joined ledger a source is called INSTANCE/SOURCE. Lines that are no rows are reported \
        and left out, and the exit code is 74; of an export that is not whole, nothing is taken.")]
    Merge(MergeArgs),
    /// Write all rows as JSON lines that merge reads, behind a manifest
    #[command(
        long_about = "Write all rows as JSON lines that merge reads.\n\nThe first line is a manifest: versions, \
        ledgers, key ids, what was left out or deleted, and how many rows follow with which SHA-256."
    )]
    Export(ExportArgs),
    /// Write a report: all rows, the numbers, and a manifest
    Report(ReportArgs),
}

/// Where the ledger is.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(in crate::cli) struct LedgerArgs {
    /// The ledger
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub ledger: Option<PathBuf>,
    /// An agent's configuration that says where its ledger is
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
}

/// Which rows; a row must meet all that is given.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which rows")]
pub(in crate::cli) struct FilterRows {
    /// Of any of these statuses, with commas between
    #[arg(long, value_name = "STATUS", value_enum, value_delimiter = ',')]
    pub status: Vec<StatusName>,
    /// Seen last at or after a time (RFC 3339), or within a span such as 90m, 24h or 7d
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Seen in this source; in a joined ledger INSTANCE/SOURCE, or SOURCE on any host
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// Whose iss is exactly this
    #[arg(long, value_name = "ISSUER")]
    pub issuer: Option<String>,
    /// Of this kind, such as jwt or token
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,
    /// With this policy finding
    #[arg(long, value_name = "ID", value_parser = policy_ids(), hide_possible_values = true)]
    pub policy: Option<String>,
    /// At least this severe
    #[arg(long, value_name = "SEVERITY", value_enum)]
    pub severity: Option<SeverityName>,
    /// In which order: what was seen last, first or most often, the worst, or what expires first, comes first
    #[arg(long, value_name = "ORDER", value_enum, default_value = "last_seen")]
    pub sort: SortName,
    /// At most so many rows
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
}

fn policy_ids() -> PossibleValuesParser {
    PossibleValuesParser::new(POLICIES.iter().map(|policy| policy.id))
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ListRowsArgs {
    #[command(flatten)]
    pub ledger: LedgerArgs,
    /// As a table for people, a JSON array, a JSON object a line, or CSV
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "table")]
    pub format: RowsFormat,
    #[command(flatten)]
    pub filter: FilterRows,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArgs {
    /// A digest, its first eight digits or more, or a marker
    #[arg(value_name = "DIGEST")]
    pub digest: String,
    #[command(flatten)]
    pub ledger: LedgerArgs,
    /// As text, or as a JSON array of rows
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub format: super::ExplainFormat,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct MarkArgs {
    /// A digest, its first eight digits or more, or a marker
    #[arg(value_name = "DIGEST")]
    pub digest: String,
    /// What it is
    #[arg(value_name = "MARK", value_enum)]
    pub mark: MarkName,
    /// Since when: a time (RFC 3339), or a span such as 90m ago [default: now]
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DigestArgs {
    /// A digest, its first eight digits or more, or a marker
    #[arg(value_name = "DIGEST")]
    pub digest: String,
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DigestsArgs {
    /// Digests, their first eight digits or more, or markers
    #[arg(value_name = "DIGEST", required = true)]
    pub digests: Vec<String>,
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct MergeArgs {
    /// The ledger that the others go into
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub into: PathBuf,
    /// Ledgers, exports, or files of JSON lines; - is standard input
    #[arg(value_name = "SOURCE", required = true, value_hint = ValueHint::FilePath)]
    pub sources: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ExportArgs {
    #[command(flatten)]
    pub ledger: LedgerArgs,
    /// Write to this file instead of standard output; made readable to its owner only
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ReportArgs {
    #[command(flatten)]
    pub ledger: LedgerArgs,
    /// As a page that is opened from disk, as one JSON object, as Markdown, or as a SARIF 2.1.0 document
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub format: ReportFormat,
    /// Write to this file instead of standard output; made readable to its owner only
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub filter: FilterRows,
}
