//! What looks like a secret to a rule and is none.

use super::rule::{Pattern, compile};
use aho_corasick::AhoCorasick;
use regex_automata::meta::Regex;

/// An allow list as it is written in a file.
#[derive(Clone, Debug, Default)]
pub struct AllowSpec {
    /// Patterns, in Go's syntax.
    pub regexes: Vec<String>,
    /// What they are searched in.
    pub target: AllowTarget,
    /// Words; a secret that holds one, in any case, is none.
    pub stopwords: Vec<String>,
    /// All that the list names must be true, not only one of it.
    pub all: bool,
    /// It names paths or commits too. A log has neither, so these are never true.
    pub elsewhere: bool,
}

/// What the patterns of an allow list are searched in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AllowTarget {
    /// The secret.
    #[default]
    Secret,
    /// All that the rule's pattern matched.
    Match,
    /// The line.
    Line,
}

/// An allow list that is ready to be asked.
#[derive(Debug)]
pub struct Allow {
    regexes: Vec<Regex>,
    target: AllowTarget,
    stopwords: Option<AhoCorasick>,
    all: bool,
    elsewhere: bool,
}

impl Allow {
    /// Compiles an allow list.
    ///
    /// # Errors
    /// Says what can't be honoured.
    pub fn new(spec: AllowSpec) -> Result<Self, String> {
        let regex = |pattern: &String| compile(pattern).map(|Pattern { regex, .. }| regex);
        let regexes = spec.regexes.iter().map(regex).collect::<Result<_, _>>();
        let regexes = regexes.map_err(|why| format!("one of its `regexes` {why}"))?;
        if spec.stopwords.iter().any(String::is_empty) {
            return Err("one of its `stopwords` is empty".to_owned());
        }
        let stopwords = match spec.stopwords.is_empty() {
            true => None,
            false => Some(
                AhoCorasick::builder()
                    .ascii_case_insensitive(true)
                    .build(&spec.stopwords)
                    .map_err(|error| format!("its `stopwords` can't be used: {error}"))?,
            ),
        };
        Ok(Self { regexes, target: spec.target, stopwords, all: spec.all, elsewhere: spec.elsewhere })
    }

    pub(super) fn matches(&self, secret: &[u8], whole: &[u8], line: &[u8]) -> bool {
        let text = match self.target {
            AllowTarget::Secret => secret,
            AllowTarget::Match => whole,
            AllowTarget::Line => line,
        };
        let by_regex = || self.regexes.iter().any(|regex| regex.is_match(text));
        let by_stopword = || self.stopwords.as_ref().is_some_and(|words| words.is_match(secret));
        if self.all {
            let named = !self.regexes.is_empty() || self.stopwords.is_some();
            let regexes = self.regexes.is_empty() || by_regex();
            named && !self.elsewhere && regexes && (self.stopwords.is_none() || by_stopword())
        } else {
            by_regex() || by_stopword()
        }
    }
}
