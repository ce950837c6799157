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

/// How many credentials of each kind were replaced, and what carried them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    built_in: [[u64; Carrier::ALL.len()]; Kind::ALL.len()],
    /// Their carrier is always the rule.
    rules: BTreeMap<RuleKind, u64>,
}

impl Counts {
    /// The number of findings of one kind.
    pub fn of(&self, kind: Kind) -> u64 {
        match kind {
            Kind::Rule(rule) => self.rules.get(&rule).copied().unwrap_or_default(),
            kind => self.built_in[kind.index()].iter().sum(),
        }
    }

    /// The number of findings of all kinds.
    pub fn total(&self) -> u64 {
        self.built_in.iter().flatten().chain(self.rules.values()).sum()
    }

    /// All built-in kinds and each rule that found something, with their numbers.
    pub fn by_kind(&self) -> impl Iterator<Item = (Kind, u64)> {
        let rules = self.rules.iter().map(|(&rule, &count)| (Kind::Rule(rule), count));
        Kind::ALL.into_iter().map(|kind| (kind, self.of(kind))).chain(rules)
    }

    /// The kinds and carriers that were found, with their numbers.
    pub fn by_carrier(&self) -> impl Iterator<Item = (Kind, Carrier, u64)> {
        let of_kind = |kind: Kind| Carrier::ALL.into_iter().zip(self.built_in[kind.index()]).map(move |of| (kind, of));
        let built_in = Kind::ALL.into_iter().flat_map(of_kind).map(|(kind, (carrier, count))| (kind, carrier, count));
        let rules = self.rules.iter().map(|(&rule, &count)| (Kind::Rule(rule), Carrier::Rule, count));
        built_in.filter(|&(.., count)| count > 0).chain(rules)
    }

    /// Adds the findings of another count.
    pub fn add(&mut self, other: &Counts) {
        for (sum, count) in self.built_in.iter_mut().flatten().zip(other.built_in.iter().flatten()) {
            *sum += count;
        }
        for (&rule, count) in &other.rules {
            *self.rules.entry(rule).or_default() += count;
        }
    }

    /// Counts one finding.
    pub(crate) fn count(&mut self, kind: Kind, carrier: Carrier) {
        match kind {
            Kind::Rule(rule) => *self.rules.entry(rule).or_default() += 1,
            kind => self.built_in[kind.index()][carrier as usize] += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_counted_by_kind_and_carrier() {
        let (rule, mut counts) = (Kind::Rule(RuleKind::new("findings-test").unwrap()), Counts::default());
        for (index, carrier) in Carrier::ALL.into_iter().enumerate() {
            assert_eq!(carrier as usize, index, "the place of a carrier is its number");
            (0..=index).for_each(|_| counts.count(Kind::Jwe, carrier));
        }
        counts.count(Kind::Token, Carrier::Cookie);
        counts.count(rule, Carrier::Rule);
        let mut twice = counts.clone();
        twice.add(&counts);
        assert_eq!((twice.of(Kind::Jwe), twice.of(Kind::Jwt), twice.of(rule), twice.total()), (156, 0, 2, 160));
        let by_carrier: Vec<_> = twice.by_carrier().collect();
        assert_eq!(by_carrier.len(), 14);
        assert!(by_carrier.contains(&(Kind::Jwe, Carrier::Cookie, 10)));
        assert_eq!(by_carrier[12..], [(Kind::Token, Carrier::Cookie, 2), (rule, Carrier::Rule, 2)]);
    }
}
