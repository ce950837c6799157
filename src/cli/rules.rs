//! `beartrap rules`, and how the other subcommands come by rules.

use super::args::{ListArgs, ListFormat, RuleArgs, TestArgs};
use super::exit::{Exit, Failure};
use super::{key, stderr, stdout};
use crate::redact::{Finding, Kind, Options, Redaction, Rule, Rules};
use crate::rule_file::{self, RuleSource};
use std::io::{self, Read};
use std::process::ExitCode;
use tracing::Level;
use zeroize::Zeroizing;

/// As much is taken to try rules on.
const INPUT_BYTES_MAX: u64 = 16 << 20;

/// The rules that an option names; none if it names none.
pub(super) fn load(args: &RuleArgs) -> Result<Rules, Failure> {
    let sources: Vec<RuleSource> = args.rule_file.iter().map(|path| RuleSource::new(path)).collect();
    load_sources(&sources, args)
}

/// The same, with the rules that come with the program where none are named.
fn load_or_builtin(args: &RuleArgs) -> Result<Rules, Failure> {
    if args.rule_file.is_empty() {
        return load_sources(&[RuleSource::Builtin], args);
    }
    load(args)
}

fn load_sources(sources: &[RuleSource], args: &RuleArgs) -> Result<Rules, Failure> {
    let on_unsupported = args.on_unsupported.map(Into::into).unwrap_or_default();
    let loaded = rule_file::load(sources, on_unsupported)
        .map_err(|errors| Failure::new(Exit::Config, format_args!("the rules can't be used\n{errors}")))?;
    loaded.warnings.iter().for_each(|warning| stderr::report(Level::WARN, &warning.to_string()));
    Ok(loaded.rules)
}

/// `beartrap rules list`
pub(super) fn list(args: &ListArgs) -> Result<ExitCode, Failure> {
    let rules = load_or_builtin(&args.rules)?;
    let text = match args.format {
        ListFormat::Text => list_text(&rules),
        ListFormat::Json => list_json(&rules),
    };
    stdout::print(text.as_bytes())
}

fn list_text(rules: &Rules) -> String {
    let width = rules.iter().map(|rule| rule.id().len()).max().unwrap_or_default();
    let line = |rule: &Rule| {
        let keywords = match rule.keywords() {
            [] => "every line".to_owned(),
            keywords => keywords.join(", "),
        };
        format!("{:width$}  {} [{keywords}]\n", rule.id(), rule.description())
    };
    rules.iter().map(line).collect()
}

fn list_json(rules: &Rules) -> String {
    let rules: Vec<_> = rules
        .iter()
        .map(|rule| {
            serde_json::json!({
                "id": rule.id(),
                "kind": rule.kind().name(),
                "description": rule.description(),
                "keywords": rule.keywords(),
            })
        })
        .collect();
    format!("{:#}\n", serde_json::Value::Array(rules))
}

/// `beartrap rules test`
pub(super) fn test(args: &TestArgs) -> Result<ExitCode, Failure> {
    let rules = load_or_builtin(&args.rules)?;
    let (keys, _) = key::load(args.key.key_file.as_deref())?;
    let options = Options { rules: rules.clone(), ..Options::default() };
    let redaction = Redaction::new(keys, options).map_err(Failure::with(Exit::Config))?;
    stderr::set_redaction(&redaction);
    let mut text = Zeroizing::new(Vec::new());
    io::stdin()
        .lock()
        .take(INPUT_BYTES_MAX + 1)
        .read_to_end(&mut text)
        .map_err(|error| Failure::new(Exit::Io, format_args!("can't read standard input: {error}")))?;
    if text.len() as u64 > INPUT_BYTES_MAX {
        return Err(Failure::new(Exit::Io, "standard input is larger than 16 MiB"));
    }
    let matches = redaction.rule_matches(&text);
    if matches.is_empty() {
        return Ok(Exit::Found.into());
    }
    stdout::print(matches_text(&rules, &text, &matches).as_bytes())
}

fn matches_text(rules: &Rules, text: &[u8], matches: &[Finding]) -> String {
    let mut out = String::new();
    let (mut line, mut line_start, mut at) = (1, 0, 0);
    for found in matches {
        let offset = usize::try_from(found.offset).unwrap_or(text.len()).min(text.len());
        for newline in memchr::memchr_iter(b'\n', &text[at..offset]) {
            line += 1;
            line_start = at + newline + 1;
        }
        at = offset;
        let column = offset - line_start + 1;
        let kind = found.fingerprint.kind;
        let id = rules.iter().find(|rule| Kind::Rule(rule.kind()) == kind).map_or(kind.name(), Rule::id);
        out += &format!("{line}:{column} {id} {}\n", found.fingerprint);
    }
    out
}
