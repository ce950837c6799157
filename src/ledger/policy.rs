//! What is wrong with an exposed credential, and what each finding relates to.
//!
//! References are to RFCs by section, the OWASP Non-Human Identities Top 10 of 2025 (`NHI…:2025`), the NIST Cybersecurity
//! Framework 2.0 (`PR.AA-…`, `DE.CM-…`, `PR.DS-…`) and NIST SP 800-207, section 2.1. Each means "relates to".

use super::exposure::{Claims, Exposure, PolicyFinding, Severity, Status};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a policy allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PolicyLimits {
    /// The longest time from `iat` (or `nbf`) to `exp` that is not a finding, in seconds.
    pub max_lifetime_secs: u64,
    /// A credential may be seen in so many sources.
    pub max_sources: usize,
    /// By source: what is expected there.
    pub contexts: BTreeMap<String, Context>,
}

/// What tokens are expected in a source; empty lists expect nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Context {
    /// Issuers.
    pub expected_issuers: Vec<String>,
    /// Audiences, of which a token must have one.
    pub expected_audiences: Vec<String>,
}

impl Default for PolicyLimits {
    fn default() -> Self {
        Self { max_lifetime_secs: 24 * 60 * 60, max_sources: 3, contexts: BTreeMap::new() }
    }
}

/// A policy: its id, how severe a finding is, and what it relates to.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// As in [`PolicyFinding::id`].
    pub id: &'static str,
    /// While the credential can be replayed; one that has expired or was revoked is at most `low`.
    pub severity: Severity,
    /// In general.
    pub title: &'static str,
    /// As in [`PolicyFinding::references`].
    pub references: &'static [&'static str],
}

macro_rules! policies {
    ($($name:ident $id:literal $severity:ident $title:literal [$($reference:literal),*];)*) => {
        $(const $name: Policy =
            Policy { id: $id, severity: Severity::$severity, title: $title, references: &[$($reference),*] };)*

        /// All policies, worst first.
        pub const POLICIES: &[Policy] = &[$($name),*];
    };
}

policies! {
    SEEN_AFTER_REVOCATION "seen_after_revocation" Critical "it was seen after it was revoked"
        ["NHI1:2025", "NHI2:2025", "DE.CM-09", "RFC 7009 §2", "SP 800-207 §2.1 tenet 6"];
    UNSECURED "unsecured" High "it is not signed (`alg` is `none`)"
        ["RFC 8725 §3.2", "RFC 7518 §3.6", "NHI4:2025", "PR.AA-04", "SP 800-207 §2.1 tenet 6"];
    NO_EXPIRY "no_expiry" High "it never expires"
        ["RFC 7519 §4.1.4", "RFC 6750 §5.3", "NHI7:2025", "PR.AA-01", "SP 800-207 §2.1 tenet 3"];
    IN_URL "in_url" High "it was in a URL"
        ["RFC 6750 §5.3", "RFC 9700 §4.3.2", "NHI2:2025", "PR.DS-02", "SP 800-207 §2.1 tenet 2"];
    UNEXPECTED_ISSUER "unexpected_issuer" High "its issuer is not one that is expected in this source"
        ["RFC 8725 §3.8", "NHI8:2025", "PR.AA-04", "SP 800-207 §2.1 tenet 6"];
    UNEXPECTED_AUDIENCE "unexpected_audience" Medium "its audience is not one that is expected in this source"
        ["RFC 8725 §3.9", "RFC 9700 §4.10.2", "NHI8:2025", "PR.AA-05", "SP 800-207 §2.1 tenet 3"];
    WEAK_KEY_CHOICE "weak_key_choice" Medium "its header names a weak algorithm, or brings its own key"
        ["RFC 8725 §3.2", "RFC 8725 §3.10", "NHI4:2025", "PR.AA-04", "SP 800-207 §2.1 tenet 6"];
    LONG_LIFETIME "long_lifetime" Medium "it lives longer than allowed"
        ["RFC 6750 §5.3", "NHI7:2025", "PR.AA-01", "SP 800-207 §2.1 tenet 3"];
    BROAD_SCOPE "broad_scope" Medium "its scope is broad"
        ["RFC 9700 §2.3", "NHI5:2025", "PR.AA-05", "SP 800-207 §2.1 tenet 3"];
    NO_AUDIENCE "no_audience" Medium "it names no audience"
        ["RFC 8725 §3.9", "RFC 9700 §2.3", "NHI5:2025", "PR.AA-05", "SP 800-207 §2.1 tenet 3"];
    MANY_SOURCES "many_sources" Medium "it was seen in many sources"
        ["NHI9:2025", "NHI2:2025", "DE.AE-03", "SP 800-207 §2.1 tenet 7"];
    NOT_SENDER_CONSTRAINED "not_sender_constrained" Low "whoever holds it can use it (`cnf` is missing)"
        ["RFC 9449 §1", "RFC 8705 §3", "RFC 9700 §2.2.1", "NHI4:2025", "PR.AA-03", "SP 800-207 §2.1 tenet 6"];
    SEEN_AFTER_EXPIRY "seen_after_expiry" Low "it was seen after it had expired"
        ["RFC 7519 §4.1.4", "NHI1:2025", "DE.CM-09", "SP 800-207 §2.1 tenet 6"];
}

/// Whatever allows everything or may administer.
const BROAD_SCOPES: &[&str] = &["*", "admin", "root", "all", "full_access", "superuser"];
/// Algorithms that are broken or deprecated (RFC 8725 §3.2, RFC 7518 §4.2).
const WEAK_ALGORITHMS: &[&str] = &["RSA1_5", "RS1", "HS1"];

/// What is wrong with a row, worst first.
pub(super) fn findings(exposure: &Exposure, limits: &PolicyLimits) -> Vec<PolicyFinding> {
    let mut found = Found { exposure, findings: Vec::new() };
    if exposure.revoked_at.is_some_and(|at| exposure.last_seen > at) {
        found.add(&SEEN_AFTER_REVOCATION, SEEN_AFTER_REVOCATION.title.to_owned());
    }
    if exposure.carriers.contains_key("query") || exposure.carriers.contains_key("userinfo") {
        found.add(&IN_URL, "it was in a URL, which browsers, proxies and servers keep".to_owned());
    }
    if exposure.sources.len() > limits.max_sources {
        let reason = format!("it was seen in {} sources, more than {}", exposure.sources.len(), limits.max_sources);
        found.add(&MANY_SOURCES, reason);
    }
    if let Some(claims) = &exposure.claims {
        found.header(claims);
        if claims.has_payload {
            found.payload(claims, limits);
        }
    }
    found.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    found.findings
}

struct Found<'a> {
    exposure: &'a Exposure,
    findings: Vec<PolicyFinding>,
}

impl Found<'_> {
    fn add(&mut self, policy: &Policy, reason: String) {
        let is_over = matches!(self.exposure.status, Status::Expired | Status::Revoked);
        // What can't be replayed any more is a lesson and no danger, except where somebody goes on trying.
        let severity = match policy.id {
            "seen_after_revocation" => policy.severity,
            _ if is_over => Severity::Low,
            _ => policy.severity,
        };
        let references = policy.references.iter().map(|text| (*text).to_owned()).collect();
        self.findings.push(PolicyFinding { id: policy.id.to_owned(), severity, reason, references });
    }

    fn header(&mut self, claims: &Claims) {
        match claims.alg.as_deref() {
            Some(alg) if alg.eq_ignore_ascii_case("none") => self.add(&UNSECURED, UNSECURED.title.to_owned()),
            Some(alg) if WEAK_ALGORITHMS.contains(&alg) => {
                self.add(&WEAK_KEY_CHOICE, format!("its header names the weak algorithm {alg}"));
            }
            _ => {}
        }
        if let Some(parameter) = &claims.key_in_header {
            let reason = format!("its header says with `{parameter}` by which key it is to be verified");
            self.add(&WEAK_KEY_CHOICE, reason);
        }
    }

    fn payload(&mut self, claims: &Claims, limits: &PolicyLimits) {
        match (claims.exp, claims.iat.or(claims.nbf)) {
            (None, _) if !claims.exp_unreadable => self.add(&NO_EXPIRY, NO_EXPIRY.title.to_owned()),
            (Some(exp), Some(from)) => {
                let lifetime = exp.as_second().saturating_sub(from.as_second());
                if u64::try_from(lifetime).is_ok_and(|lifetime| lifetime > limits.max_lifetime_secs) {
                    let reason = format!("it lives {lifetime} seconds, more than {}", limits.max_lifetime_secs);
                    self.add(&LONG_LIFETIME, reason);
                }
            }
            _ => {}
        }
        if claims.exp.is_some_and(|exp| self.exposure.last_seen > exp) {
            self.add(&SEEN_AFTER_EXPIRY, SEEN_AFTER_EXPIRY.title.to_owned());
        }
        if claims.aud.is_empty() {
            self.add(&NO_AUDIENCE, NO_AUDIENCE.title.to_owned());
        }
        if let Some(scope) =
            claims.scope.as_deref().and_then(|scope| scope.split_whitespace().find(|one| is_broad(one)))
        {
            self.add(&BROAD_SCOPE, format!("its scope has `{scope}`"));
        }
        if !claims.cnf {
            self.add(&NOT_SENDER_CONSTRAINED, NOT_SENDER_CONSTRAINED.title.to_owned());
        }
        self.context(claims, limits);
    }

    fn context(&mut self, claims: &Claims, limits: &PolicyLimits) {
        let seen = |source: &String| {
            // In a merged ledger a source's name stands behind its instance.
            self.exposure.sources.keys().any(|name| name == source || name.rsplit('/').next() == Some(source))
        };
        let (mut issuer, mut audience) = (None, None);
        for (source, context) in limits.contexts.iter().filter(|(source, _)| seen(source)) {
            let issuers = &context.expected_issuers;
            if !issuers.is_empty() && !claims.iss.as_ref().is_some_and(|iss| issuers.contains(iss)) {
                issuer = Some(source);
            }
            let audiences = &context.expected_audiences;
            if !audiences.is_empty() && !claims.aud.iter().any(|aud| audiences.contains(aud)) {
                audience = Some(source);
            }
        }
        if let Some(source) = issuer {
            self.add(&UNEXPECTED_ISSUER, format!("its issuer is not one that is expected in source `{source}`"));
        }
        if let Some(source) = audience {
            self.add(&UNEXPECTED_AUDIENCE, format!("none of its audiences is expected in source `{source}`"));
        }
    }
}

/// `admin`, `repo:admin`, `https://…/.default`, `files.*`
fn is_broad(scope: &str) -> bool {
    let scope = scope.to_ascii_lowercase();
    let mut words = scope.split([':', '.', '/', '_', '-']);
    BROAD_SCOPES.contains(&scope.as_str()) || words.any(|word| matches!(word, "*" | "admin" | "root" | "superuser"))
}
