//! Words that options take, as they are typed.

use crate::codec::Codec;
use crate::ledger::{Severity, Sort, Status};
use crate::rule_file::OnUnsupported;
use crate::scan::Format;
use clap::ValueEnum;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum WhenFullName {
    Block,
    // As in configurations.
    #[value(name = "drop_newest")]
    DropNewest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum OnFailureName {
    Exit,
    Drain,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum OnUnsupportedName {
    Error,
    Skip,
}

impl From<OnUnsupportedName> for OnUnsupported {
    fn from(name: OnUnsupportedName) -> Self {
        match name {
            OnUnsupportedName::Error => OnUnsupported::Error,
            OnUnsupportedName::Skip => OnUnsupported::Skip,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ListFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ExplainFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ScanFormat {
    Text,
    Json,
    Sarif,
}

impl From<ScanFormat> for Format {
    fn from(format: ScanFormat) -> Self {
        match format {
            ScanFormat::Text => Self::Text,
            ScanFormat::Json => Self::Json,
            ScanFormat::Sarif => Self::Sarif,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum CodecName {
    Text,
    Json,
    Cri,
    Docker,
}

impl From<CodecName> for Codec {
    fn from(name: CodecName) -> Self {
        match name {
            CodecName::Text => Codec::Text,
            CodecName::Json => Codec::Json,
            CodecName::Cri => Codec::Cri,
            CodecName::Docker => Codec::Docker,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl From<LogLevel> for tracing::Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ColorWhen {
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(in crate::cli) enum StatusName {
    Unexpired,
    NotYet,
    Unknown,
    Expired,
    Revoked,
}

impl From<StatusName> for Status {
    fn from(name: StatusName) -> Self {
        match name {
            StatusName::Unexpired => Self::Unexpired,
            StatusName::NotYet => Self::NotYet,
            StatusName::Unknown => Self::Unknown,
            StatusName::Expired => Self::Expired,
            StatusName::Revoked => Self::Revoked,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SeverityName {
    Low,
    Medium,
    High,
    Critical,
}

impl From<SeverityName> for Severity {
    fn from(name: SeverityName) -> Self {
        match name {
            SeverityName::Low => Self::Low,
            SeverityName::Medium => Self::Medium,
            SeverityName::High => Self::High,
            SeverityName::Critical => Self::Critical,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(in crate::cli) enum SortName {
    LastSeen,
    FirstSeen,
    Occurrences,
    Severity,
    ExpiresAt,
}

impl From<SortName> for Sort {
    fn from(name: SortName) -> Self {
        match name {
            SortName::LastSeen => Self::LastSeen,
            SortName::FirstSeen => Self::FirstSeen,
            SortName::Occurrences => Self::Occurrences,
            SortName::Severity => Self::Severity,
            SortName::ExpiresAt => Self::ExpiresAt,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum RowsFormat {
    Table,
    Json,
    Ndjson,
    Csv,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ReportFormat {
    Html,
    Json,
    Markdown,
    Sarif,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum MarkName {
    Revoked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ClaimArg {
    Sub,
    Jti,
}
