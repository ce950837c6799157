//! The format: which keys there are, and which of them can be honoured in a log.

use super::OnUnsupported;
use super::read::{Problem, Report, Table};
use crate::redact::{Allow, AllowSpec, AllowTarget, Checksum, Rule, RuleSpec};
use std::sync::Arc;
use toml::de::DeTable;

const ROOT_KEYS: &[&str] =
    &["title", "description", "version", "minVersion", "extend", "rules", "allowlist", "allowlists"];
const RULE_KEYS: &[&str] = &[
    "id",
    "description",
    "regex",
    "path",
    "keywords",
    "entropy",
    "secretGroup",
    "tags",
    "allowlist",
    "allowlists",
    "checksum",
    "pem",
    "skipReport",
];
const ALLOW_KEYS: &[&str] =
    &["id", "description", "condition", "commits", "paths", "regexes", "regexTarget", "stopwords", "targetRules"];

/// An allow list that stands outside of the rules, and the rules that it is for; all, if it names none.
struct SharedAllow {
    allow: Arc<Allow>,
    rules: Vec<String>,
}

/// Reads all rules of a text, each with its place.
pub(super) fn rules(text: &str, on_unsupported: OnUnsupported, report: &mut Report) -> Vec<(Rule, usize)> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        // What is read around an error is not what was meant. The messages name what TOML expects, not what is there.
        let problem = |error: &toml::de::Error| Problem {
            at: error.span().map(|span| span.start),
            message: error.message().to_owned(),
        };
        report.errors.extend(errors.iter().map(problem));
        return Vec::new();
    }
    let mut parser = Parser { on_unsupported, report };
    parser.root(&Table::new(table.get_ref(), 0, ""))
}

struct Parser<'r> {
    on_unsupported: OnUnsupported,
    report: &'r mut Report,
}

impl Parser<'_> {
    fn root(&mut self, root: &Table<'_>) -> Vec<(Rule, usize)> {
        for (at, key) in root.unknown(ROOT_KEYS) {
            self.unsupported(at, format!("{key} is not supported"), "it is ignored");
        }
        if let Some(at) = root.place("extend") {
            let message = "`extend` is not supported: name all rule files, one after the other";
            self.unsupported(at, message, "it is ignored");
        }
        let shared = self.shared_allows(root);
        let tables = root.tables("rules", self.report);
        tables.into_iter().filter_map(|table| self.rule(table, &shared)).collect()
    }

    /// Something that is not honoured: an error, or a warning that says what comes of it.
    fn unsupported(&mut self, at: usize, message: impl Into<String>, otherwise: &str) {
        let message = message.into();
        match self.on_unsupported {
            OnUnsupported::Error => self.report.error(at, message),
            OnUnsupported::Skip => self.report.warning(at, format!("{message}; {otherwise}")),
        }
    }

    fn shared_allows(&mut self, root: &Table<'_>) -> Vec<SharedAllow> {
        let mut tables = root.tables("allowlist", self.report);
        tables.extend(root.tables("allowlists", self.report));
        let shared = |table: &Table<'_>| {
            let rules = table.strings("targetRules", self.report);
            self.allow(table).map(|allow| SharedAllow { allow, rules })
        };
        tables.iter().filter_map(shared).collect()
    }

    fn rule(&mut self, mut table: Table<'_>, shared: &[SharedAllow]) -> Option<(Rule, usize)> {
        let errors_before = self.report.errors.len();
        let id = table.string("id", self.report).unwrap_or_default().to_owned();
        let shown = id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        table.name = if shown && !id.is_empty() { format!("rule `{id}`") } else { "a rule".to_owned() };
        if table.place("id").is_none() {
            self.report.error(table.at, "a rule has no `id`");
        }
        let mut problems = Vec::new();
        for (at, key) in table.unknown(RULE_KEYS) {
            problems.push((at, format!("its {key} is not supported")));
        }
        if let Some(at) = table.place("path") {
            let message = format!("{}its `path` is ignored: a log has none", table.prefix());
            self.report.warning(at, message);
        }
        if table.boolean("skipReport", self.report) == Some(true) {
            problems.push((table.at, "its `skipReport` is not supported".to_owned()));
        }
        let regex = table.string("regex", self.report);
        if table.place("regex").is_none() {
            problems.push((table.at, "it has no `regex`".to_owned()));
        }
        let mut allow: Vec<Arc<Allow>> =
            shared.iter().filter(|list| list.applies_to(&id)).map(|list| list.allow.clone()).collect();
        let mut lists = table.tables("allowlist", self.report);
        lists.extend(table.tables("allowlists", self.report));
        allow.extend(lists.iter().filter_map(|list| self.allow(list)));
        let spec = RuleSpec {
            id,
            description: table.string("description", self.report).unwrap_or_default().to_owned(),
            regex: regex.unwrap_or_default().to_owned(),
            secret_group: table.whole("secretGroup", self.report),
            keywords: table.strings("keywords", self.report),
            entropy: table.number("entropy", self.report),
            checksum: self.checksum(&table),
            pem: table.boolean("pem", self.report).unwrap_or(false),
            allow,
        };
        if problems.is_empty() && self.report.errors.len() == errors_before {
            match Rule::new(spec) {
                Ok(rule) => return Some((rule, table.at)),
                Err(why) => problems.push((table.place("regex").unwrap_or(table.at), why)),
            }
        }
        for (at, problem) in problems {
            self.unsupported(at, format!("{}{problem}", table.prefix()), "the rule is skipped");
        }
        None
    }

    fn checksum(&mut self, table: &Table<'_>) -> Option<Checksum> {
        match table.string("checksum", self.report)? {
            "crc32_base62" => Some(Checksum::Crc32Base62),
            _ => {
                let message = format!("{}`checksum` can be `crc32_base62`", table.prefix());
                self.report.error(table.place("checksum").unwrap_or(table.at), message);
                None
            }
        }
    }

    fn allow(&mut self, table: &Table<'_>) -> Option<Arc<Allow>> {
        let errors_before = self.report.errors.len();
        let unknown = table.unknown(ALLOW_KEYS);
        for (at, key) in &unknown {
            let message = format!("{}an allow list: {key} is not supported", table.prefix());
            // More is redacted without the list, never less.
            self.unsupported(*at, message, "the allow list is ignored");
        }
        if !unknown.is_empty() {
            return None;
        }
        let target = match table.string("regexTarget", self.report).unwrap_or("") {
            "" | "secret" => AllowTarget::Secret,
            "match" => AllowTarget::Match,
            "line" => AllowTarget::Line,
            _ => {
                let at = table.place("regexTarget").unwrap_or(table.at);
                let message = format!("{}`regexTarget` can be `secret`, `match` or `line`", table.prefix());
                self.report.error(at, message);
                AllowTarget::Secret
            }
        };
        let all = match table.string("condition", self.report).unwrap_or("") {
            "" | "OR" | "or" | "||" => false,
            "AND" | "and" | "&&" => true,
            _ => {
                let at = table.place("condition").unwrap_or(table.at);
                self.report.error(at, format!("{}`condition` can be `OR` or `AND`", table.prefix()));
                false
            }
        };
        let elsewhere = ["paths", "commits"].iter().any(|key| !table.strings(key, self.report).is_empty());
        let spec = AllowSpec {
            regexes: table.strings("regexes", self.report),
            target,
            stopwords: table.strings("stopwords", self.report),
            all,
            elsewhere,
        };
        if self.report.errors.len() > errors_before {
            return None;
        }
        match Allow::new(spec) {
            Ok(allow) => Some(Arc::new(allow)),
            Err(why) => {
                let message = format!("{}an allow list: {why}", table.prefix());
                self.unsupported(table.at, message, "the allow list is ignored");
                None
            }
        }
    }
}

impl SharedAllow {
    fn applies_to(&self, id: &str) -> bool {
        self.rules.is_empty() || self.rules.iter().any(|rule| rule == id)
    }
}
