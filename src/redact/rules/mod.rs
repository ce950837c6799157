//! Rules that the user adds: patterns that are tried on the lines in which one of their keywords stands.
//!
//! One automaton looks for the keywords of all rules at once. A line without a keyword costs no more than that.

mod allow;
mod checksum;
mod fit;
mod pem;
mod rule;
mod search;
mod syntax;

pub use allow::{Allow, AllowSpec, AllowTarget};
pub use checksum::Checksum;
pub(super) use pem::{Block, Pem};
pub use rule::{RULE_BYTES_MAX, Rule, RuleSpec};
pub(super) use search::{Found, LOOKBEHIND_LEN, Progress};

use super::finding::RuleKind;
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use std::collections::BTreeMap;
use std::sync::Arc;

/// More rules than this are refused.
const RULES_MAX: usize = 10_000;

/// A set of rules, ready to be searched for; the default is none.
#[derive(Clone, Debug, Default)]
pub struct Rules(Option<Arc<Set>>);

#[derive(Debug)]
struct Set {
    rules: Vec<Rule>,
    keywords: Option<AhoCorasick>,
    /// The rules that each keyword belongs to.
    rules_of: Vec<Vec<usize>>,
    /// Rules without a keyword: they are tried on every line.
    always: Vec<usize>,
}

impl Rules {
    /// Puts rules together.
    ///
    /// # Errors
    /// Says why that can't be done.
    pub fn new(rules: Vec<Rule>) -> Result<Self, String> {
        if rules.is_empty() {
            return Ok(Self(None));
        }
        if rules.len() > RULES_MAX {
            return Err(format!("there are {} rules; {RULES_MAX} is the limit", rules.len()));
        }
        let mut by_word: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, rule) in rules.iter().enumerate() {
            for keyword in rule.keywords() {
                by_word.entry(keyword.to_ascii_lowercase()).or_default().push(index);
            }
        }
        let (words, rules_of): (Vec<String>, Vec<Vec<usize>>) = by_word.into_iter().unzip();
        let automaton = |words: &[String]| {
            AhoCorasick::builder()
                .ascii_case_insensitive(true)
                .match_kind(MatchKind::Standard)
                // The largest of its kinds and the only one whose speed does not depend on the text.
                .kind(Some(AhoCorasickKind::DFA))
                .build(words)
                .map_err(|error| format!("the keywords: {error}"))
        };
        let keywords = if words.is_empty() { None } else { Some(automaton(&words)?) };
        let always = (0..rules.len()).filter(|&index| rules[index].keywords().is_empty()).collect();
        Ok(Self(Some(Arc::new(Set { rules, keywords, rules_of, always }))))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The kind of PEM blocks, if a rule finds them.
    pub(super) fn pem_kind(&self) -> Option<RuleKind> {
        self.iter().find(|rule| rule.is_pem()).map(Rule::kind)
    }

    /// All rules, in the order of their files.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.0.iter().flat_map(|set| &set.rules)
    }
}
