//! `[ledger]`, and what is expected of tokens in a source.

use super::alert;
use super::diagnostics::Problem;
use super::section::Section;
use super::sources::NamedSource;
use super::{Ledger, keys};
use crate::ledger::{Context, Limits, PolicyLimits};
use std::path::Path;

/// The ledger's file in `data_dir`.
const FILE_NAME: &str = "ledger.db";
/// How the names of an instance, an issuer or an audience may be.
const NAME_BYTES_MAX: usize = 256;

/// Reads the section. `None` if something in it is wrong.
pub(super) fn ledger(
    section: &Section<'_>,
    base: &Path,
    data_dir: Option<&Path>,
    sources: &[NamedSource<'_>],
) -> Option<Ledger> {
    section.check_keys(&[keys::LEDGER], |_| None);
    let path = match section.string("path") {
        Some(text) => section.path("path", &text, base),
        None => data_dir.map(|data_dir| data_dir.join(FILE_NAME)),
    };
    if path.is_none() && section.lacks("path") {
        let message = "`path` is missing in `[ledger]`, and there is no `data_dir`";
        let help = "add `path = \"/var/lib/beartrap/ledger.db\"`, or `data_dir` above the first section";
        section.report.add(Problem::new(message).help(help).absence());
    }
    let instance = section.string("instance").and_then(|text| {
        let is_name = !text.text.is_empty() && text.text.len() <= NAME_BYTES_MAX && !text.text.contains(['/', '\0']);
        if !is_name {
            let help = "a host or pod, 1 to 256 bytes without `/`";
            section.report.add(Problem::at(&text.span, "`instance` is no name").help(help));
        }
        is_name.then(|| text.text.to_owned())
    });
    let retention = section.seconds(&keys::RETENTION);
    let max_lifetime_secs = section.whole(&keys::MAX_LIFETIME);
    let issuers = section.strings("issuers");
    let limits = Limits {
        retention: (!retention.is_zero()).then_some(retention),
        max_entries: section.whole(&keys::MAX_ENTRIES) as u64,
        issuers: issuers.iter().map(|text| text.text.to_owned()).collect(),
    };
    let contexts = sources.iter().filter(|named| named.context != Context::default());
    let policy = PolicyLimits {
        max_lifetime_secs: max_lifetime_secs as u64,
        max_sources: section.whole(&keys::MAX_SOURCES),
        contexts: contexts.map(|named| (named.name.text.to_owned(), named.context.clone())).collect(),
    };
    let alert = section.subsection("alert").and_then(|section| alert::alert(&section, base, &issuers));
    Some(Ledger { path: path?, instance, limits, policy, emit: None, alert })
}

/// What a source's section says of the tokens in it.
pub(super) fn context(section: &Section<'_>) -> Context {
    let strings = |key| section.strings(key).iter().map(|text| text.text.to_owned()).collect();
    Context { expected_issuers: strings("expected_issuers"), expected_audiences: strings("expected_audiences") }
}

/// Reports what nobody would ask for.
pub(super) fn check_without(root: &Section<'_>, sources: &[NamedSource<'_>]) {
    for named in sources.iter().filter(|named| named.context != Context::default()) {
        let message = format!("source `{}` says which tokens it expects, and there is no ledger", named.name.text);
        let help = "add a section `[ledger]`: it is there that others are findings";
        root.report.add(Problem::at(&named.name.span, message).help(help).absence());
    }
}
