//! The command line as it was typed.

mod exposures;
mod values;

use crate::filter::{OnFailure, Policy, WhenFull};
use clap::{Args, Parser, Subcommand, ValueHint};
use std::ffi::OsString;
use std::path::PathBuf;

pub(super) use exposures::{
    DigestArgs, DigestsArgs, ExportArgs, ExposuresCommands, FilterRows, LedgerArgs, ListRowsArgs, MarkArgs, MergeArgs,
    ReportArgs, ShowArgs,
};
pub(super) use values::{
    ClaimArg, CodecName, ColorWhen, ExplainFormat, ListFormat, LogFormat, LogLevel, OnFailureName, OnUnsupportedName,
    ReportFormat, RowsFormat, ScanFormat, WhenFullName,
};

const AFTER_HELP: &str = "\
Examples:
  service 2>&1 | beartrap >> service.log     redact a service's log on its way to a file
  beartrap --output clean.log raw.log        redact a file
  kubectl logs -f pod | beartrap --codec json
                                             redact JSON records, escaped credentials too
  beartrap exec -- service --port 80         redact both outputs of a service, keep its exit code
  beartrap scan logs/                        find credentials, change nothing
  beartrap --rule-file builtin raw.log       redact API keys of well-known vendors and private keys too
  beartrap fingerprint < token.txt           find out what a token is called in redacted logs

A file that is named like a subcommand is written with its directory: beartrap ./run

Environment:
  BEARTRAP_KEY_FILE  path of the key file, if --key-file is not given
  XDG_STATE_HOME     where beartrap/key is made on first use otherwise (default: ~/.local/state)
  NO_COLOR           if set, no colours unless --color says so

Exit codes:
  0   done, or the reader of the output wants no more
  1   scan found credentials, or rules test nothing
  2   the command line is wrong; scan: something went wrong
  70  a defect in this program
  74  something could not be read or written
  75  stopped with data that was read and not delivered
  78  the configuration or the key is wrong
  exec ends with its command's code, 128 + n if signal n ended it, 126 or 127 if it did not start";

/// Replaces JWTs and bearer credentials in log streams by keyed fingerprints and leaves every other byte as it is.
///
/// Reads files, or standard input where there are none (or where a file is called `-`), and writes to standard output.
/// Each credential becomes redacted-KIND-KEYID-DIGEST; the same credential has the same digest on every host that
/// shares the key. The key is made on first use.
#[derive(Debug, Parser)]
#[command(
    name = "beartrap",
    version,
    after_long_help = AFTER_HELP,
    after_help = "Examples, environment and exit codes: beartrap --help",
    override_usage = "beartrap [OPTIONS] [FILE]...\n       beartrap [OPTIONS] <COMMAND>",
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub(super) struct Typed {
    #[command(subcommand)]
    pub command: Option<Subcommands>,
    #[command(flatten)]
    pub filter: FilterArgs,
    #[command(flatten)]
    pub global: Global,
}

/// Options of every subcommand.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Messages")]
pub(super) struct Global {
    /// Leave out messages below this level [default: info for run, else warn]
    #[arg(long, global = true, value_name = "LEVEL", value_enum, hide_possible_values = true)]
    #[arg(long_help = "Leave out messages below this level: error, warn, info, debug or trace \
                       [default: info for run, else warn]")]
    pub log_level: Option<LogLevel>,
    /// Write messages as plain text or as one JSON object a line
    #[arg(long, global = true, value_name = "FORMAT", value_enum, default_value = "text")]
    pub log_format: LogFormat,
    /// Colour messages and help
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value = "auto")]
    pub color: ColorWhen,
}

/// The filter.
#[derive(Debug, Args)]
pub(super) struct FilterArgs {
    /// Files to read in order into one stream, as cat does; - is standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub key: KeyArgs,
    #[command(flatten)]
    pub rules: RuleArgs,
    /// Write to this file instead of standard output; made readable to its owner only, emptied if it is there
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// What the records are: text; one JSON text a line, where escaped credentials are found too; or lines of a container
    /// runtime (cri, docker), where the parts of a long line are put together to look for credentials
    #[arg(long, value_name = "CODEC", value_enum)]
    pub codec: Option<CodecName>,
    /// What a credential becomes, {} standing for the marker, for example "hidden:{}"
    #[arg(long, value_name = "TEMPLATE")]
    pub replacement: Option<String>,
    #[command(flatten)]
    pub record: RecordArgs,
    #[command(flatten)]
    pub policy: PolicyArgs,
    #[command(flatten)]
    pub stats_file: StatsFileArgs,
    /// Print lines, bytes, findings and speed to standard error at the end
    #[arg(long)]
    pub stats: bool,
}

impl FilterArgs {
    /// The first argument that belongs to the filter and to no subcommand.
    pub fn first_typed(&self) -> Option<&'static str> {
        [
            (!self.files.is_empty(), "FILE"),
            (self.key.key_file.is_some(), "--key-file"),
            (!self.rules.rule_file.is_empty(), "--rule-file"),
            (self.rules.on_unsupported.is_some(), "--on-unsupported"),
            (self.output.is_some(), "--output"),
            (self.codec.is_some(), "--codec"),
            (self.replacement.is_some(), "--replacement"),
            (self.record.ledger.is_some(), "--ledger"),
            (self.record.source.is_some(), "--source"),
            (self.policy.when_full.is_some(), "--when-full"),
            (self.policy.on_failure.is_some(), "--on-failure"),
            (self.stats_file.stats_file.is_some(), "--stats-file"),
            (self.stats, "--stats"),
        ]
        .into_iter()
        .find_map(|(typed, name)| typed.then_some(name))
    }
}

/// Numbers for a program that watches.
#[derive(Debug, Args)]
pub(super) struct StatsFileArgs {
    /// Keep numbers in this file in the text format of Prometheus, for node_exporter's textfile collector: written every few
    /// seconds and at the end
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub stats_file: Option<PathBuf>,
}

/// Where the key is.
#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    /// File that holds the keys, one a line, the active one first
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub key_file: Option<PathBuf>,
}

/// What else is looked for.
#[derive(Debug, Args)]
pub(super) struct RuleArgs {
    /// File of rules for other secrets, in the format of gitleaks, or the word builtin; may be given several times
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub rule_file: Vec<PathBuf>,
    /// What to do if a rule asks for what there is not here: use no rule, or leave that one out with a warning
    /// [default: error]
    #[arg(long, value_name = "WHAT", value_enum)]
    pub on_unsupported: Option<OnUnsupportedName>,
}

/// Where what is found is recorded.
#[derive(Debug, Default, Args)]
pub(super) struct RecordArgs {
    /// Record what is found in this ledger, which is made if it is not there: fingerprints, places, and what JWTs say of
    /// themselves
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub ledger: Option<PathBuf>,
    /// What the ledger calls where it comes from [default: files, stdin or stdout, stderr]
    #[arg(long, value_name = "NAME", requires = "ledger")]
    pub source: Option<String>,
}

/// An output that can't keep up or fails.
#[derive(Debug, Args)]
pub(super) struct PolicyArgs {
    /// What to do while the reader of the output takes no more: wait, or drop whole lines of what is piped in, and count
    /// them [default: block]
    #[arg(long, value_name = "WHAT", value_enum)]
    pub when_full: Option<WhenFullName>,
    /// What to do once nothing can be written any more: exit, or read the input to its end and discard it, so that the
    /// program that writes it goes on [default: exit]
    #[arg(long, value_name = "WHAT", value_enum)]
    pub on_failure: Option<OnFailureName>,
}

impl PolicyArgs {
    pub fn policy(&self) -> Policy {
        Policy {
            when_full: match self.when_full {
                None | Some(WhenFullName::Block) => WhenFull::Block,
                Some(WhenFullName::DropNewest) => WhenFull::DropNewest,
            },
            on_failure: match self.on_failure {
                None | Some(OnFailureName::Exit) => OnFailure::Exit,
                Some(OnFailureName::Drain) => OnFailure::Drain,
            },
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Subcommands {
    /// Run the agent: follow files, listen on TCP, deliver to sinks
    Run(ConfigArgs),
    /// Run a command with its standard output and standard error redacted, and exit with its code
    #[command(long_about = "Run a command with its standard output and standard error redacted, each as a stream of \
        its own, and exit with its code.\n\nStandard input is the command's own. SIGHUP, SIGINT, SIGQUIT, SIGTERM, \
        SIGUSR1 and SIGUSR2 are passed on. Processes that the command leaves behind with its output open are \
        listened to until they are silent for two seconds. The command writes to pipes, so programs that look for \
        a terminal find none.")]
    Exec(ExecArgs),
    /// Find credentials in files without rewriting them; exit 0 if there are none, 1 if there are some, 2 after an error
    #[command(
        long_about = "Find credentials in files without rewriting them.\n\nThe credentials themselves are never \
        printed: each finding is a place, a kind, the marker that the credential would become, and what carried it. Of a \
        directory all files are read, hidden and binary ones too, but nothing called .git; symlinks in it are not \
        followed. What gzip and zstd have compressed is decompressed. Lines and columns count from 1, columns in \
        bytes.\n\nThe exit code is 0 if nothing was found, 1 if something was, and 2 if something could not be read or \
        went wrong otherwise, whatever was found."
    )]
    Scan(ScanArgs),
    /// Say what is found in lines from standard input, why, and what was considered and rejected
    #[command(
        long_about = "Say what is found in lines from standard input, why, and what was considered and rejected.\n\n\
        Credentials are never printed, only where they stand: LINE:COLUMN-COLUMN, counted from 1, in bytes, the last one \
        included. What was rejected is named by the few letters that drew attention. Rows are those of docs/coverage.md. \
        The input may have 16 MiB."
    )]
    Explain(ExplainArgs),
    /// Check a configuration and print every error in it
    Validate(ConfigArgs),
    /// Print what credentials are called in redacted logs; reads one credential a line
    #[command(long_about = "Print what credentials are called in redacted logs.\n\nReads one credential a line from \
        standard input, so that none stands in a shell's history or a list of processes. Prints a line for each key, \
        the active one's first: key id, kind, digest. The credential itself is never printed.\n\nWith --ledger each such \
        line is followed by what the ledger knows, in lines that begin with a blank: `  never seen`, or `  seen …`.")]
    Fingerprint(FingerprintArgs),
    /// Query and report a ledger: which credential was seen where, since when, and until when it can be replayed
    #[command(
        subcommand,
        long_about = "Query and report a ledger: which credential was seen in which log, where, since \
        when, and until when it can be replayed.\n\nA ledger holds no credentials, only their fingerprints, where they \
        were seen, and what a JWT says of itself. Nobody has verified any of it: whoever can cause a log line can make up \
        a row. A DIGEST is one as in markers, its first eight digits or more, or a whole marker."
    )]
    Exposures(ExposuresCommands),
    /// List rules, or try them on lines
    #[command(subcommand)]
    Rules(RulesCommands),
    /// Make a key file, or print the active key's id
    #[command(subcommand)]
    Key(KeyCommands),
    /// Print the completions of a shell
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print a manual page in roff
    Man {
        /// The subcommand that it is about; without one, the whole program
        #[arg(value_name = "COMMAND")]
        about: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    /// The configuration, a TOML file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct ExecArgs {
    #[command(flatten)]
    pub key: KeyArgs,
    #[command(flatten)]
    pub rules: RuleArgs,
    #[command(flatten)]
    pub record: RecordArgs,
    #[command(flatten)]
    pub policy: PolicyArgs,
    #[command(flatten)]
    pub stats_file: StatsFileArgs,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND", value_hint = ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(super) struct ScanArgs {
    /// Files and directories; - or nothing is standard input
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub key: KeyArgs,
    #[command(flatten)]
    pub rules: RuleArgs,
    #[command(flatten)]
    pub record: RecordArgs,
    /// What the records are: text; one JSON text a line, where escaped credentials are found too; or lines of a container
    /// runtime (cri, docker), where the parts of a long line are put together
    #[arg(long, value_name = "CODEC", value_enum, default_value = "text")]
    pub codec: CodecName,
    /// Report as text, as one JSON object a finding, or as a SARIF 2.1.0 document
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub format: ScanFormat,
    /// Check redacted logs: take a second look by other means than the first, and count the markers
    #[arg(long)]
    pub verify: bool,
}

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    #[command(flatten)]
    pub key: KeyArgs,
    #[command(flatten)]
    pub rules: RuleArgs,
    /// Explain in text, or as one JSON object a decision
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub format: ExplainFormat,
}

#[derive(Debug, Args)]
pub(super) struct FingerprintArgs {
    #[command(flatten)]
    pub key: KeyArgs,
    #[command(flatten)]
    pub rules: RuleArgs,
    /// Say whether this ledger has seen it, where and when
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub ledger: Option<PathBuf>,
    /// Look for pieces of it too, where a log has cut it; of a long one only for cuts in its first 8 KiB
    #[arg(long, requires = "ledger")]
    pub parts: bool,
    /// Take lines for values of this claim, and look for tokens that have it
    #[arg(long, value_name = "CLAIM", value_enum, conflicts_with_all = ["parts", "rule_file"])]
    pub claim: Option<ClaimArg>,
    /// As text, or as one JSON object a line
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub format: ExplainFormat,
}

#[derive(Debug, Subcommand)]
pub(super) enum RulesCommands {
    /// Print the rules that there are, after checking them
    #[command(
        long_about = "Print the rules that there are, after checking them.\n\nWithout --rule-file these are the \
        rules that come with the program. Errors in rule files are printed all at once, and the exit code is 78."
    )]
    List(ListArgs),
    /// Print where rules match in lines from standard input, never what they match
    #[command(
        long_about = "Print where rules match in lines from standard input, never what they match.\n\nEach match \
        is a line: LINE:COLUMN, the rule's id, and the marker that takes the secret's place. Without --rule-file the \
        rules are those that come with the program. The exit code is 0 if something matched and 1 if nothing did."
    )]
    Test(TestArgs),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    pub rules: RuleArgs,
    /// Print text, or one JSON array
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub format: ListFormat,
}

#[derive(Debug, Args)]
pub(super) struct TestArgs {
    #[command(flatten)]
    pub key: KeyArgs,
    #[command(flatten)]
    pub rules: RuleArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommands {
    /// Make a key file with one new key; an existing file stays as it is
    New {
        /// The file to make [default: $BEARTRAP_KEY_FILE, else the default place]
        #[arg(value_name = "PATH", value_hint = ValueHint::FilePath)]
        path: Option<PathBuf>,
    },
    /// Print the active key's id, as it stands in markers
    Id(KeyArgs),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Typed::command().debug_assert();
    }
}
