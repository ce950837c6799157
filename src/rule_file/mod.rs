//! Rule files: TOML in the format of gitleaks, from the file to [`Rules`].

mod parse;
mod read;

use crate::redact::{Rule, Rules};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A larger file holds no rules.
const FILE_BYTES_MAX: u64 = 8 << 20;
/// More problems are not listed.
const LISTED_MAX: usize = 100;

/// The word that stands for the rules that come with the program.
const BUILTIN: &str = "builtin";
const BUILTIN_TEXT: &str = include_str!("builtin.toml");

/// Where rules come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleSource {
    /// The rules that come with the program.
    Builtin,
    /// A file.
    File(PathBuf),
}

impl RuleSource {
    /// `builtin`, or the path of a file (one of that name is written `./builtin`).
    pub fn new(path: &Path) -> Self {
        if path == Path::new(BUILTIN) { Self::Builtin } else { Self::File(path.to_owned()) }
    }

    fn name(&self) -> String {
        match self {
            Self::Builtin => BUILTIN.to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }

    fn read(&self) -> Result<String, String> {
        let Self::File(path) = self else { return Ok(BUILTIN_TEXT.to_owned()) };
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
            .map_err(|error| format!("can't read the rule file: {error}"))?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(format!("the rule file is larger than {} MiB", FILE_BYTES_MAX >> 20));
        }
        String::from_utf8(bytes).map_err(|error| {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = memchr::memchr_iter(b'\n', valid).count() + 1;
            format!("the rule file is not UTF-8: invalid byte in line {line}")
        })
    }
}

/// What to do with a rule that asks for what there is not here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnUnsupported {
    /// No rule is used.
    #[default]
    Error,
    /// The others are used.
    Skip,
}

/// Rules that are ready, and what their user should know.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// All rules of all files.
    pub rules: Rules,
    /// What was skipped or ignored, and what costs.
    pub warnings: Vec<Notice>,
}

/// Something about a place in a rule file. It quotes names of rules and keys, never patterns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Which of the sources it is about.
    pub source: usize,
    file: String,
    /// Line and column, from 1.
    place: Option<(usize, usize)>,
    message: String,
}

impl Notice {
    /// What it says, without the file if that is all that its place is.
    pub fn message(&self) -> String {
        if self.place.is_some() { self.to_string() } else { self.message.clone() }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some((line, column)) => write!(f, "{}:{line}:{column}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

/// All that is wrong with some rule files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFileErrors(Vec<Notice>);

impl RuleFileErrors {
    /// Each of them, at least one.
    pub fn iter(&self) -> impl Iterator<Item = &Notice> {
        self.0.iter()
    }
}

impl fmt::Display for RuleFileErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, notice) in self.0.iter().take(LISTED_MAX).enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{notice}")?;
        }
        match self.0.len().checked_sub(LISTED_MAX) {
            Some(more @ 1..) => write!(f, "\nand {more} more"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for RuleFileErrors {}

/// Reads rules from all sources.
///
/// # Errors
/// Says all that is wrong with all of them.
pub fn load(sources: &[RuleSource], on_unsupported: OnUnsupported) -> Result<Loaded, RuleFileErrors> {
    let texts = sources.iter().map(|source| (source.name(), source.read()));
    combine(texts, on_unsupported)
}

/// Reads rules from a text, which messages call `name`.
///
/// # Errors
/// Says all that is wrong with it.
pub fn parse(name: &str, text: &str, on_unsupported: OnUnsupported) -> Result<Loaded, RuleFileErrors> {
    combine([(name.to_owned(), Ok(text.to_owned()))], on_unsupported)
}

fn combine(
    texts: impl IntoIterator<Item = (String, Result<String, String>)>,
    on_unsupported: OnUnsupported,
) -> Result<Loaded, RuleFileErrors> {
    let (mut rules, mut errors, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
    let mut first_places: BTreeMap<&'static str, String> = BTreeMap::new();
    for (source, (file, text)) in texts.into_iter().enumerate() {
        let text = match text {
            Ok(text) => text,
            Err(message) => {
                errors.push(Notice { source, file, place: None, message });
                continue;
            }
        };
        let lines = Lines::new(&text);
        let notice = |problem: read::Problem| Notice {
            source,
            file: file.clone(),
            place: problem.at.map(|at| lines.place(at)),
            message: problem.message,
        };
        let mut report = read::Report::default();
        for (rule, at) in parse::rules(&text, on_unsupported, &mut report) {
            let name = rule.kind().name();
            let place = format!("{file}:{}", lines.place(at).0);
            match first_places.get(name) {
                Some(first) => report.error(at, format!("rule `{}`: another rule has this name in {first}", rule.id())),
                None => {
                    warn_of_cost(&rule, at, &mut report);
                    first_places.insert(name, place);
                    rules.push(rule);
                }
            }
        }
        report.sort();
        errors.extend(report.errors.into_iter().map(notice));
        warnings.extend(report.warnings.into_iter().map(notice));
    }
    if !errors.is_empty() {
        return Err(RuleFileErrors(errors));
    }
    let all = |message| RuleFileErrors(vec![Notice { source: 0, file: "rule files".to_owned(), place: None, message }]);
    Ok(Loaded { rules: Rules::new(rules).map_err(all)?, warnings })
}

fn warn_of_cost(rule: &Rule, at: usize, report: &mut read::Report) {
    if rule.keywords().is_empty() {
        let message =
            format!("rule `{}` has no `keywords`: it is tried on every line, which makes all slower", rule.id());
        report.warning(at, message);
    }
}

/// Offsets to lines and columns.
struct Lines<'a> {
    text: &'a str,
    newlines: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, newlines: memchr::memchr_iter(b'\n', text.as_bytes()).collect() }
    }

    /// Line and column of an offset, from 1.
    fn place(&self, at: usize) -> (usize, usize) {
        let line = self.newlines.partition_point(|newline| *newline < at);
        let start = line.checked_sub(1).map_or(0, |before| self.newlines[before] + 1);
        let column = self.text.get(start..at).map_or(1, |before| before.chars().count() + 1);
        (line + 1, column)
    }
}
