//! One rule: a pattern, and what tells a secret from what only looks like one.

use super::allow::Allow;
use super::checksum::Checksum;
use super::syntax;
use crate::redact::finding::RuleKind;
use regex_automata::Input;
use regex_automata::meta::{Config, Regex};
use regex_automata::util::captures::Captures;
use regex_syntax::ParserBuilder;
use std::ops::Range;
use std::sync::Arc;

/// A rule as it is written in a file.
#[derive(Clone, Debug, Default)]
pub struct RuleSpec {
    /// Its name; what stands in markers is this with `-` written `_`.
    pub id: String,
    /// What it finds, in words.
    pub description: String,
    /// The pattern, in Go's syntax.
    pub regex: String,
    /// Which group of the pattern is the secret; without it the first one that took part, or else all.
    pub secret_group: Option<usize>,
    /// Words of which a line must hold one for the pattern to be tried, in any case.
    pub keywords: Vec<String>,
    /// A secret must have more bits of entropy a character than this.
    pub entropy: Option<f64>,
    /// A checksum that must be right.
    pub checksum: Option<Checksum>,
    /// What the pattern matches is the first line of a PEM block, and the secret is what the block holds.
    pub pem: bool,
    /// What is no secret after all.
    pub allow: Vec<Arc<Allow>>,
}

/// A rule that is ready to be searched for.
#[derive(Debug)]
pub struct Rule {
    id: String,
    description: String,
    keywords: Vec<String>,
    kind: RuleKind,
    regex: Regex,
    /// No match is longer than some fixed length.
    bounded: bool,
    secret_group: Option<usize>,
    entropy: Option<f64>,
    checksum: Option<Checksum>,
    pem: bool,
    allow: Vec<Arc<Allow>>,
}

/// A match: all of it, and the secret in it.
#[derive(Clone, Debug)]
pub(super) struct Match {
    pub whole: Range<usize>,
    pub secret: Range<usize>,
}

impl Rule {
    /// Compiles a rule.
    ///
    /// # Errors
    /// Says what can't be honoured, to be put behind the rule's name.
    pub fn new(spec: RuleSpec) -> Result<Self, String> {
        let kind = RuleKind::new(&spec.id)?;
        let Pattern { regex, bounded, empty } = compile(&spec.regex).map_err(|why| format!("its `regex` {why}"))?;
        if empty {
            return Err("its `regex` matches an empty text".to_owned());
        }
        if let Some(group) = spec.secret_group
            && group >= regex.captures_len()
        {
            return Err(format!(
                "its `secretGroup` is {group}, but its `regex` has {} groups",
                regex.captures_len() - 1
            ));
        }
        for keyword in &spec.keywords {
            if keyword.is_empty() {
                return Err("one of its `keywords` is empty".to_owned());
            }
            if keyword.contains('\n') {
                return Err("one of its `keywords` holds a line end, and a line is all that a rule sees".to_owned());
            }
        }
        if let Some(entropy) = spec.entropy
            && !(0.0..=8.0).contains(&entropy)
        {
            return Err("its `entropy` is not between 0 and 8 bits".to_owned());
        }
        Ok(Self {
            id: spec.id,
            description: spec.description,
            keywords: spec.keywords,
            kind,
            regex,
            bounded,
            secret_group: spec.secret_group,
            entropy: spec.entropy,
            checksum: spec.checksum,
            pem: spec.pem,
            allow: spec.allow,
        })
    }

    /// Its name, as the file has it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it finds, in words.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Words of which a line must hold one.
    pub fn keywords(&self) -> &[String] {
        &self.keywords
    }

    /// Its name in markers.
    pub fn kind(&self) -> RuleKind {
        self.kind
    }

    pub(super) fn is_bounded(&self) -> bool {
        self.bounded
    }

    pub(super) fn is_pem(&self) -> bool {
        self.pem
    }

    /// The next match in a part of a text, accepted or not.
    pub(super) fn find(&self, text: &[u8], span: Range<usize>, captures: &mut Option<Captures>) -> Option<Match> {
        let input = Input::new(text).span(span);
        if self.regex.captures_len() == 1 {
            let whole = self.regex.search(&input)?.range();
            return Some(Match { secret: whole.clone(), whole });
        }
        let captures = captures.get_or_insert_with(|| self.regex.create_captures());
        self.regex.search_captures(&input, captures);
        let whole = captures.get_match()?.range();
        let group = |group| captures.get_group(group).map(|span: regex_automata::Span| span.range());
        let secret = match self.secret_group {
            Some(number) if number > 0 => group(number),
            _ => (1..self.regex.captures_len()).filter_map(group).find(|range| !range.is_empty()),
        };
        Some(Match { secret: secret.unwrap_or(whole.clone()), whole })
    }

    /// Whether what was matched is a secret. `line` is what stands around it.
    pub(super) fn accepts(&self, text: &[u8], found: &Match, line: Range<usize>) -> bool {
        let secret = &text[found.secret.clone()];
        !secret.is_empty()
            && self.entropy.is_none_or(|least| least == 0.0 || entropy(secret) > least)
            && self.checksum.is_none_or(|checksum| checksum.holds(secret))
            && !self.allow.iter().any(|allow| allow.matches(secret, &text[found.whole.clone()], &text[line.clone()]))
    }
}

/// The largest program that one pattern may become.
const NFA_BYTES_MAX: usize = 10 << 20;
/// How deep groups may lie in groups.
const NEST_MAX: u32 = 100;
/// The memory that a rule's automaton may fill while a thread searches with it.
pub const RULE_BYTES_MAX: usize = 1 << 20;

/// A compiled pattern.
pub(super) struct Pattern {
    pub regex: Regex,
    /// No match is longer than some fixed length.
    pub bounded: bool,
    /// A match can be empty.
    pub empty: bool,
}

pub(super) fn compile(pattern: &str) -> Result<Pattern, String> {
    let translated = syntax::translate(pattern)?;
    // A rule sees one line at a time, so that `^` and `$` are its ends, with or without what ends the line. Classes are
    // those of Go: ASCII. Logs are bytes.
    let mut parser = ParserBuilder::new();
    parser.utf8(false).multi_line(true).nest_limit(NEST_MAX);
    let hir = match parser.unicode(false).build().parse(&translated) {
        Ok(hir) => hir,
        // Characters beyond ASCII in a class need it to be one of characters.
        Err(_) => parser.unicode(true).build().parse(&translated).map_err(|error| reason(&error))?,
    };
    let bounded = hir.properties().maximum_len().is_some();
    let empty = hir.properties().minimum_len() == Some(0);
    let config =
        Config::new().utf8_empty(false).nfa_size_limit(Some(NFA_BYTES_MAX)).hybrid_cache_capacity(RULE_BYTES_MAX);
    let regex = Regex::builder().configure(config).build_from_hir(&hir).map_err(|error| match error.size_limit() {
        Some(_) => format!("is too large: its automaton takes over {} MiB", NFA_BYTES_MAX >> 20),
        None => "can't be made into an automaton".to_owned(),
    })?;
    Ok(Pattern { regex, bounded, empty })
}

/// What is wrong, without the pattern: that is the user's, and may hold anything.
fn reason(error: &regex_syntax::Error) -> String {
    match error {
        regex_syntax::Error::Parse(error) => format!("is no regular expression: {}", error.kind()),
        regex_syntax::Error::Translate(error) => format!("can't be honoured: {}", error.kind()),
        _ => "is no regular expression".to_owned(),
    }
}

/// Bits of entropy a character (Shannon), each byte taken as one.
pub(super) fn entropy(text: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    text.iter().for_each(|&byte| counts[usize::from(byte)] += 1);
    let len = text.len() as f64;
    let bits = |&count: &u32| -(f64::from(count) / len) * (f64::from(count) / len).log2();
    counts.iter().filter(|&&count| count > 0).map(bits).sum()
}
