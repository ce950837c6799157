//! From a file's bytes to a valid [`Config`].

use super::api;
use super::checks;
use super::diagnostics::{Diagnostics, Problem, Report};
use super::emit;
use super::keys;
use super::ledger;
use super::section::{Section, Text};
use super::sinks::{self, NamedSink};
use super::sources::{self, NamedSource};
use super::values;
use super::{Config, Ledger, Redact, SandboxMode};
use crate::rule_file::{self, OnUnsupported, RuleSource};
use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use toml::de::DeTable;

/// A larger file is no configuration.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Each costs another pass over the file.
const LONE_KEYS_MAX: usize = 100;

impl Config {
    /// Reads and checks a file. Relative paths in it start at the working directory.
    ///
    /// # Errors
    /// Says all that is wrong with it.
    pub fn load(path: &Path) -> Result<Self, Diagnostics> {
        let fail = |message: String| Diagnostics::of_file(path, message);
        let base = std::env::current_dir().map_err(|error| fail(format!("no working directory: {error}")))?;
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
            .map_err(|error| fail(format!("can't read the configuration: {error}")))?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(fail("the configuration is larger than 1 MiB".to_owned()));
        }
        match std::str::from_utf8(&bytes) {
            Ok(text) => Self::parse(text, path, &base),
            Err(error) => {
                let line = memchr::memchr_iter(b'\n', &bytes[..error.valid_up_to()]).count() + 1;
                Err(fail(format!("the configuration is not UTF-8: invalid byte in line {line}")))
            }
        }
    }

    /// Checks a text; `path` is what messages call it, `base` where its relative paths start.
    ///
    /// # Errors
    /// Says all that is wrong with it.
    pub fn parse(text: &str, path: &Path, base: &Path) -> Result<Self, Diagnostics> {
        let (sound, mut syntax) = without_lone_keys(text);
        let (table, errors) = DeTable::parse_recoverable(&sound);
        let table = table.get_ref();
        let report = Report::default();
        let config = config(&Section::root(&report, table), base);
        syntax.extend(errors.iter().map(syntax_problem));
        match report.finish(text, path, table, syntax) {
            None => Ok(config),
            Some(diagnostics) => Err(diagnostics),
        }
    }
}

/// The parser goes on after every syntax error but one, a key without a value: blanks the lines that have it.
fn without_lone_keys(text: &str) -> (Cow<'_, str>, Vec<Problem>) {
    let mut sound = Cow::Borrowed(text);
    let mut problems = Vec::new();
    while problems.len() < LONE_KEYS_MAX {
        let (_, errors) = DeTable::parse_recoverable(&sound);
        let is_lone = |error: &&toml::de::Error| error.message().starts_with("key with no value");
        let Some(error) = errors.iter().find(is_lone) else { break };
        // The span is empty, at the key's end.
        let Some(end_of_key) = error.span().map(|span| span.start) else { break };
        let start = sound[..end_of_key].rfind('\n').map_or(0, |newline| newline + 1);
        let end = sound[end_of_key..].find('\n').map_or(sound.len(), |len| end_of_key + len);
        if sound[start..end].trim().is_empty() {
            break;
        }
        problems.push(syntax_problem(error));
        sound.to_mut().replace_range(start..end, &" ".repeat(end - start));
    }
    (sound, problems)
}

fn syntax_problem(error: &toml::de::Error) -> Problem {
    // The parser's messages name what the grammar expects, never what the file holds.
    let message = error.message();
    // It takes a bare word that starts with `t`, `f`, `i` or `n` for a misspelt `true`, `false`, `inf` or `nan`.
    let is_bare_word = ["invalid boolean", "invalid float", "string values must be quoted"];
    let (message, help) = if is_bare_word.iter().any(|start| message.starts_with(start)) {
        ("the value is no string, number or boolean", Some("strings stand in double quotes"))
    } else {
        (message, None)
    };
    let problem = match error.span() {
        Some(span) => Problem::at(&span, message),
        None => Problem::new(message),
    };
    match help {
        Some(help) => problem.help(help),
        None => problem,
    }
}

fn config(root: &Section<'_>, base: &Path) -> Config {
    root.check_keys(&[keys::ROOT], |_| None);
    let data_dir = root.string("data_dir").and_then(|text| root.path("data_dir", &text, base));
    let shutdown_grace = root.seconds(&keys::SHUTDOWN_GRACE);
    let modes =
        [("require", SandboxMode::Require), ("best_effort", SandboxMode::BestEffort), ("off", SandboxMode::Off)];
    let sandbox = root.word("sandbox", &modes).unwrap_or_default();
    let mut redact = match root.section("redact") {
        None => Redact { verify_sample: keys::VERIFY_SAMPLE.default, ..Redact::default() },
        Some(section) => redact(&section, base),
    };
    let sources: Vec<NamedSource<'_>> = root
        .named_sections("sources")
        .into_iter()
        .map(|(name, section)| sources::source(name, &section, base))
        .collect();
    let ledger = root.section("ledger");
    let emit_to = ledger.as_ref().and_then(|section| section.string("emit_to"));
    let sinks: Vec<NamedSink<'_>> = root
        .named_sections("sinks")
        .into_iter()
        .map(|(name, section)| sinks::sink(name, &section, base, emit_to.as_ref()))
        .collect();
    let api = root.section("api").map(|section| api::api(&section, base));
    checks::check(root, data_dir.as_deref(), &sources, &sinks, api.as_ref());
    let ledger = match ledger {
        Some(section) => {
            let emit = emit::emit(&section, emit_to, &sinks);
            let ledger = ledger::ledger(&section, base, data_dir.as_deref(), &sources);
            ledger.map(|ledger| Ledger { emit, ..ledger })
        }
        None => {
            ledger::check_without(root, &sources);
            None
        }
    };
    redact.options.claims = ledger.is_some();
    Config {
        data_dir,
        shutdown_grace,
        sandbox,
        redact,
        sources: sources.into_iter().filter_map(|named| named.source).collect(),
        sinks: sinks.into_iter().filter_map(|named| named.sink).collect(),
        ledger,
        api: api.map(|found| found.api),
    }
}

fn redact(section: &Section<'_>, base: &Path) -> Redact {
    section.check_keys(&[keys::REDACT], |_| None);
    let key_file: Option<PathBuf> = section.string("key_file").and_then(|text| section.path("key_file", &text, base));
    let checked = |key, check: fn(&str) -> Result<String, values::Wrong>| {
        let texts = section.strings(key).into_iter();
        texts.filter_map(|text| section.checked(key, &text, check(text.text))).collect()
    };
    let rules = rules(section, base);
    let options = crate::redact::Options {
        extra_fields: checked("extra_fields", values::field),
        allow_fingerprints: checked("allow_fingerprints", values::digest),
        rules: rules.rules,
        claims: false,
        weak_fingerprints: section.boolean("weak_fingerprints").unwrap_or(false),
        replacement: section
            .string("replacement")
            .and_then(|text| section.checked("replacement", &text, values::replacement(text.text))),
    };
    let rule_warnings = rules.warnings.iter().map(ToString::to_string).collect();
    Redact { key_file, verify_sample: section.share(&keys::VERIFY_SAMPLE), options, rule_warnings }
}

fn rules(section: &Section<'_>, base: &Path) -> rule_file::Loaded {
    const KEY: &str = "rule_files";
    let words = [("error", OnUnsupported::Error), ("skip", OnUnsupported::Skip)];
    let on_unsupported = section.word("on_unsupported", &words).unwrap_or_default();
    let source = |text: &Text<'_>| match RuleSource::new(Path::new(text.text)) {
        RuleSource::Builtin => Some((RuleSource::Builtin, text.span.clone())),
        RuleSource::File(_) => section.path(KEY, text, base).map(|path| (RuleSource::File(path), text.span.clone())),
    };
    let (sources, spans): (Vec<_>, Vec<_>) = section.strings(KEY).iter().filter_map(source).unzip();
    rule_file::load(&sources, on_unsupported).unwrap_or_else(|errors| {
        for error in errors.iter() {
            let message = format!("{}: {}", section.quote(KEY), error.message());
            section.report.add(match spans.get(error.source) {
                Some(span) => Problem::at(span, message),
                None => Problem::new(message),
            });
        }
        rule_file::Loaded::default()
    })
}
