//! What was found: kinds, positions and counts, never a credential.

use super::grammar::Quote;
use super::{Carrier, Fingerprint};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// What a credential is; it follows from the credential itself, not from what carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A JSON Web Signature in compact form (RFC 7515), unsecured and cut ones too.
    Jwt,
    /// A JSON Web Encryption in compact form (RFC 7516).
    Jwe,
    /// The user name and password of HTTP Basic authentication (RFC 7617).
    Basic,
    /// Every other credential that is recognised by its context (RFC 6750 and relatives).
    Token,
    /// What a rule of a rule file found.
    Rule(RuleKind),
}

impl Kind {
    /// The kinds that are built in, in the order of their declaration.
    pub const ALL: [Kind; 4] = [Kind::Jwt, Kind::Jwe, Kind::Basic, Kind::Token];

    /// The word for it in markers and reports.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Jwt => "jwt",
            Kind::Jwe => "jwe",
            Kind::Basic => "basic",
            Kind::Token => "token",
            Kind::Rule(rule) => rule.name(),
        }
    }

    /// Its place among the kinds that are built in; rules have none.
    pub(super) fn index(self) -> usize {
        Kind::ALL.iter().position(|kind| *kind == self).unwrap_or(Kind::ALL.len())
    }
}

/// The name of a rule, as it stands in markers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleKind(&'static str);

/// Longer names of rules are refused.
pub(super) const KIND_LEN_MAX: usize = 64;

/// Names live as long as the process, so that a kind is no more than a word; each is kept once.
static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

impl RuleKind {
    /// A whole record that the engine could not take.
    pub(super) const RECORD: RuleKind = RuleKind("record");

    /// The kind of the rule with this id: the id with `-` written `_`.
    ///
    /// # Errors
    /// Says what is wrong with the id, to be put behind the rule's name.
    pub fn new(id: &str) -> Result<Self, &'static str> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
        if id.is_empty() || id.len() > KIND_LEN_MAX || !id.bytes().all(allowed) {
            return Err("its `id` is not 1 to 64 characters of a-z, 0-9, `-` and `_`");
        }
        let name = id.replace('-', "_");
        if !name.starts_with(|first: char| first.is_ascii_alphanumeric()) {
            return Err("its `id` does not begin with a letter or digit");
        }
        if Kind::ALL.iter().any(|kind| kind.name() == name) || name == Self::RECORD.name() {
            return Err("its `id` is the name of a built-in kind");
        }
        let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        let known = names.get(name.as_str()).copied();
        Ok(Self(known.unwrap_or_else(|| {
            let name: &'static str = name.leak();
            names.insert(name);
            name
        })))
    }

    /// The name.
    pub fn name(self) -> &'static str {
        self.0
    }
}

/// One credential that was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Offset of its first byte in the input, counted from the start of the stream.
    pub offset: u64,
    /// Its length in the input, in bytes.
    pub len: u64,
    /// What it is called in the output.
    pub fingerprint: Fingerprint,
    /// False if the credential was cut, so that its digest is not that of the whole.
    pub complete: bool,
    /// What carried it.
    pub carrier: Carrier,
    /// The quotes that its replacement got: it was a number.
    pub(super) requote: Option<Quote>,
}

/// How many credentials of each kind were replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    built_in: [u64; Kind::ALL.len()],
    rules: BTreeMap<RuleKind, u64>,
}

impl Counts {
    /// The number of findings of one kind.
    pub fn of(&self, kind: Kind) -> u64 {
        match kind {
            Kind::Rule(rule) => self.rules.get(&rule).copied().unwrap_or_default(),
            kind => self.built_in[kind.index()],
        }
    }

    /// The number of findings of all kinds.
    pub fn total(&self) -> u64 {
        self.built_in.iter().chain(self.rules.values()).sum()
    }

    /// All built-in kinds and each rule that found something, with their numbers.
    pub fn by_kind(&self) -> impl Iterator<Item = (Kind, u64)> {
        let rules = self.rules.iter().map(|(&rule, &count)| (Kind::Rule(rule), count));
        Kind::ALL.into_iter().map(|kind| (kind, self.of(kind))).chain(rules)
    }

    /// Adds the findings of another count.
    pub fn add(&mut self, other: &Counts) {
        other.by_kind().for_each(|(kind, count)| *self.counter(kind) += count);
    }

    pub(super) fn count(&mut self, kind: Kind) {
        *self.counter(kind) += 1;
    }

    fn counter(&mut self, kind: Kind) -> &mut u64 {
        match kind {
            Kind::Rule(rule) => self.rules.entry(rule).or_default(),
            kind => &mut self.built_in[kind.index()],
        }
    }
}
