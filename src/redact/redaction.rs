//! What all redactors of a process share: keys, options and the automaton.

use super::anchors::Anchors;
use super::claims::{Book, Claims, UnreadClaims};
use super::finding::{Finding, Kind, RuleKind};
use super::fingerprint::{Digester, Fingerprint};
use super::grammar::Grammar;
use super::key::{Key, KeyRing};
use super::marker::Template;
use super::names;
use super::ruled::Ruled;
use super::rules::{Progress, Rules};
use super::scan::{Output, Scan, Window};
use std::sync::{Arc, PoisonError, RwLock};

/// What a user may set about redaction; the rest is fixed.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Further member names whose values are credentials (matched without regard to case, `-` and `_`).
    pub extra_fields: Vec<String>,
    /// Digests (32 hex digits) of credentials that are to stay, for example public test tokens.
    pub allow_fingerprints: Vec<String>,
    /// Give digests to passwords and credentials under 16 bytes too, though they could be guessed.
    pub weak_fingerprints: bool,
    /// What else is looked for.
    pub rules: Rules,
    /// Keep what JOSE tokens say of themselves, for [`Redaction::take_claims`].
    pub claims: bool,
    /// A template around the marker, `{}` standing for the marker itself; `None` is the bare marker.
    pub replacement: Option<String>,
}

impl Options {
    /// Checks a template for [`replacement`](Self::replacement).
    ///
    /// # Errors
    /// Says what is wrong, to be put behind the option's name.
    pub fn check_replacement(text: &str) -> Result<(), &'static str> {
        Template::parse(text).map(|_| ())
    }

    /// Checks a name for [`extra_fields`](Self::extra_fields).
    ///
    /// # Errors
    /// Says what is wrong, to be put behind the option's name.
    pub fn check_field(name: &str) -> Result<(), &'static str> {
        let letters = names::normalize(name.as_bytes()).len();
        let allowed = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if allowed && letters >= 3 && name.len() <= 64 {
            Ok(())
        } else {
            Err("must be a name of 3 to 64 letters, digits, `-`, `_` and `.`")
        }
    }
}

/// Keys and options, built once and shared by all redactors of a process.
#[derive(Clone, Debug)]
pub struct Redaction(Arc<RwLock<Arc<Shared>>>);

#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub anchors: Arc<Anchors>,
    pub rules: Rules,
    pub template: Template,
    pub extra_names: Vec<Vec<u8>>,
    /// What tokens say of themselves, if somebody wants to know.
    pub claims: Option<Arc<Book>>,
    /// Whether any credential is allowed, so that its bytes must be kept until its digest is known.
    pub allow: bool,
    allowed: Vec<[u8; 16]>,
    weak_fingerprints: bool,
    key: Key,
    keys: KeyRing,
}

impl Redaction {
    /// Builds the automaton and takes the keys.
    ///
    /// # Errors
    /// Says which option is wrong and why.
    pub fn new(keys: KeyRing, options: Options) -> Result<Self, String> {
        let template = match &options.replacement {
            Some(text) => Template::parse(text).map_err(|why| format!("replacement: it {why}"))?,
            None => Template::default(),
        };
        for name in &options.extra_fields {
            Options::check_field(name).map_err(|why| format!("extra_fields: each {why}"))?;
        }
        let allowed =
            options.allow_fingerprints.iter().map(|digest| parse_digest(digest)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self(Arc::new(RwLock::new(Arc::new(Shared {
            anchors: Arc::new(Anchors::new(&options.extra_fields)?),
            template,
            rules: options.rules,
            extra_names: options.extra_fields.iter().map(|name| names::normalize(name.as_bytes())).collect(),
            claims: options.claims.then(Arc::default),
            allow: !allowed.is_empty(),
            allowed,
            weak_fingerprints: options.weak_fingerprints,
            key: keys.active().clone(),
            keys,
        })))))
    }

    /// The same for texts of our own making, which have members and numbers that the user's rules and names of members must
    /// not take for credentials. It keeps its keys when others are put in force here.
    pub(crate) fn of_own_texts(&self) -> Self {
        let anchors = Anchors::new(&[]).expect("the names of the engine are good");
        Self(Arc::new(RwLock::new(Arc::new(Shared {
            anchors: Arc::new(anchors),
            rules: Rules::default(),
            extra_names: Vec::new(),
            claims: None,
            ..Shared::clone(&self.shared())
        }))))
    }

    /// What is in force now.
    pub(super) fn shared(&self) -> Arc<Shared> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts other keys in force, here and in all clones; a credential that is in progress still gets its old marker.
    pub fn replace_keys(&self, keys: KeyRing) {
        let mut shared = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *shared = Arc::new(Shared { key: keys.active().clone(), keys, ..Shared::clone(&shared) });
    }

    /// Appends what stands for a record that the engine can't take: a marker with a digest of zeros.
    pub(super) fn write_record_marker(&self, out: &mut Vec<u8>) {
        let kind = Kind::Rule(RuleKind::RECORD);
        let shared = self.shared();
        shared.template.write(&Fingerprint { kind, key_id: shared.key.id(), digest: [0; 16] }, out);
    }

    /// The public name of the active key.
    pub fn key_id(&self) -> [u8; 4] {
        self.shared().key.id()
    }

    /// Whether a credential is one of those that are to stay.
    pub(crate) fn allows(&self, credential: &[u8]) -> bool {
        let shared = self.shared();
        shared.allow && self.fingerprints(credential).iter().any(|fingerprint| shared.is_allowed(fingerprint))
    }

    /// What the token with this fingerprint says of itself, if it was found lately and nobody has taken it since. Without
    /// [`Options::claims`] there is never any.
    pub fn take_claims(&self, fingerprint: &Fingerprint) -> Option<Box<UnreadClaims>> {
        self.shared().claims.as_ref()?.take(fingerprint.digest)
    }

    /// Reads what a token says of itself. That takes some microseconds, longer than finding it.
    pub fn read_claims(&self, unread: &UnreadClaims) -> Claims {
        self.shared().read_claims(unread)
    }

    /// What the value of the claim `name` is called in [`Claims`] under each key: key ids and digests, the active key first.
    pub fn claim_digests(&self, name: &str, value: &[u8]) -> Vec<([u8; 4], [u8; 16])> {
        let shared = self.shared();
        shared.keys.keys().iter().map(|key| (key.id(), key.claim_digest(name, value))).collect()
    }

    /// What one credential is called under each key, the active key first. The credential may stand behind its scheme
    /// (`Bearer …`, `Basic …`). If a rule finds all of it, it has the rule's name. Empty if there is nothing secret in
    /// it: no text, a marker, a lone JOSE header.
    pub fn fingerprints(&self, credential: &[u8]) -> Vec<Fingerprint> {
        let credential = credential.trim_ascii();
        let (kind, credential) = match credential.split_first_chunk::<6>() {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case(b"basic ") => (Kind::Basic, rest.trim_ascii()),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case(b"bearer") && rest.starts_with(b" ") => {
                (Kind::Token, rest.trim_ascii())
            }
            _ => (Kind::Token, credential),
        };
        let shared = self.shared();
        let rule = shared.rule_of(credential);
        let with_key = |key: &Key| {
            let shared = shared.with_key(key);
            let mut fingerprint = shared.value(credential, kind)?.fingerprint;
            if let (Kind::Token, Some(rule)) = (fingerprint.kind, rule) {
                fingerprint.kind = Kind::Rule(rule);
            }
            Some(fingerprint)
        };
        shared.keys.keys().iter().filter_map(with_key).collect()
    }
}

impl Redaction {
    /// What rules alone find in a text, whether it overlaps or not, in order.
    pub fn rule_matches(&self, text: &[u8]) -> Vec<Finding> {
        Ruled::default().matches(&self.shared(), text)
    }
}

impl Shared {
    pub fn keys(&self) -> &[Key] {
        self.keys.keys()
    }

    /// The same under another of its keys, for questions: nothing is kept or let pass.
    pub fn with_key(&self, key: &Key) -> Self {
        Self { key: key.clone(), allow: false, claims: None, ..self.clone() }
    }

    /// What a text is called that is a credential as a whole; its kind is `kind` whatever it looks like. Transport
    /// encodings are taken away as everywhere, so that the digest is the one that it has elsewhere.
    pub fn fingerprint(&self, credential: &[u8], kind: Kind) -> Fingerprint {
        let value = match self.allow {
            false => self.value(credential, Kind::Token),
            true => Shared { allow: false, claims: None, ..self.clone() }.value(credential, Kind::Token),
        };
        match value {
            Some(finding) if finding.len == credential.len() as u64 => Fingerprint { kind, ..finding.fingerprint },
            _ => {
                let mut digester = self.digester();
                digester.update(credential);
                digester.finish(kind)
            }
        }
    }

    /// The credential at the start of a text that is one value.
    fn value(&self, text: &[u8], kind: Kind) -> Option<Finding> {
        let mut out = Output::default();
        let window = Window { bytes: text, base: 0, end: true };
        Scan::of_value(Grammar::Whole, kind).run(self, window, &mut out);
        out.findings.first().copied()
    }

    /// The rule that finds all of a text.
    fn rule_of(&self, text: &[u8]) -> Option<RuleKind> {
        let mut found = Vec::new();
        self.rules.search(text, 0, true, &self.template, &mut Progress::default(), &mut found);
        found.iter().find(|found| found.range == (0..text.len())).map(|found| found.kind)
    }

    pub fn digester(&self) -> Digester {
        Digester::new(&self.key, self.weak_fingerprints)
    }

    /// The same where nobody wants to know what tokens say of themselves.
    pub fn without_claims(&self) -> Shared {
        Shared { claims: None, ..self.clone() }
    }

    /// The key with this id, if it is still one of ours.
    pub fn key_of(&self, id: [u8; 4]) -> Option<&Key> {
        self.keys.keys().iter().find(|key| key.id() == id)
    }

    pub fn is_allowed(&self, fingerprint: &Fingerprint) -> bool {
        self.allowed.contains(&fingerprint.digest)
    }
}

fn parse_digest(digits: &str) -> Result<[u8; 16], String> {
    let wrong = || "allow_fingerprints: a digest is 32 hexadecimal digits".to_owned();
    if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    let number = u128::from_str_radix(digits, 16).map_err(|_| wrong())?;
    if number == 0 {
        return Err("allow_fingerprints: the digest of zeros stands for every short credential".to_owned());
    }
    Ok(number.to_be_bytes())
}
