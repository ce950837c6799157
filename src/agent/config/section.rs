//! One table of the file, read key by key: each value as the type that it must have, or else a problem at its place.

use super::diagnostics::{Problem, Report};
use super::keys::{self, Seconds, Share, Whole};
use std::ops::Range;
use std::time::Duration;
use toml::de::{DeTable, DeValue};

/// A string of the file and its place.
#[derive(Clone, Debug)]
pub(super) struct Text<'a> {
    pub text: &'a str,
    pub span: Range<usize>,
}

/// A table and its place in the vocabulary.
pub(super) struct Section<'a> {
    pub report: &'a Report,
    /// How messages call it: empty at the top, else `sources.app` and the like.
    name: String,
    /// What stands before its keys when they are quoted: `framing.` and the like.
    prefix: &'static str,
    /// Its name in the file: where a missing key is reported.
    pub span: Range<usize>,
    table: &'a DeTable<'a>,
}

impl<'a> Section<'a> {
    pub fn root(report: &'a Report, table: &'a DeTable<'a>) -> Self {
        Self { report, name: String::new(), prefix: "", span: 0..0, table }
    }

    /// Reports each key that is not in `known`; `elsewhere` may say where a key would be right.
    pub fn check_keys(&self, known: &[&[&str]], elsewhere: impl Fn(&str) -> Option<String>) {
        let known: Vec<&str> = known.concat();
        for (key, value) in self.table.iter() {
            let (name, span) = (key.get_ref().as_ref(), key.span());
            if known.contains(&name) {
                continue;
            }
            let quoted = self.quote(name);
            if keys::NO_SWITCHES.contains(&name) {
                let message = format!("there is no {quoted}: certificates and names are always checked");
                let help = "leave it out; `tls.ca_file` names the authorities that are trusted";
                self.report.add(Problem::at(&span, message).help(help));
            } else if let Some(place) = elsewhere(name) {
                self.report.add(Problem::at(&span, format!("{quoted} does not belong {}: {place}", self.place())));
            } else {
                let what = if self.name.is_empty() && value.get_ref().is_table() { "section" } else { "key" };
                let help = match closest(name, &known) {
                    Some(similar) => format!("did you mean {}?", self.quote(similar)),
                    None => format!("known here: {}", list(&known, "and")),
                };
                let message = format!("unknown {what} {quoted} {}", self.place());
                self.report.add(Problem::at(&span, message.trim_end()).help(help));
            }
        }
    }

    /// Whether the key is there, whatever its value.
    pub fn has(&self, key: &str) -> bool {
        self.table.get(key).is_some()
    }

    /// Whether there is nothing under the key.
    pub fn lacks(&self, key: &str) -> bool {
        self.table.get(key).is_none_or(|value| value.get_ref().as_table().is_some_and(DeTable::is_empty))
    }

    /// Where the key stands.
    pub fn span_of(&self, key: &str) -> Option<Range<usize>> {
        self.entry(key).map(|(span, _)| span)
    }

    /// Reports a required key that is not there.
    pub fn require(&self, key: &str, example: &str) {
        if !self.has(key) {
            let message = format!("{} is missing {}", self.quote(key), self.place());
            self.report.add(Problem::at(&self.span, message).help(format!("add `{example}`")).absence());
        }
    }

    pub fn string(&self, key: &str) -> Option<Text<'a>> {
        let (value, span) = self.get(key)?;
        let DeValue::String(text) = value else {
            return self.wrong_type(key, "a string", value, &span);
        };
        self.text(key, text, span)
    }

    /// A required string that must not be empty.
    pub fn filled_string(&self, key: &str, example: &str) -> Option<Text<'a>> {
        self.require(key, example);
        let text = self.string(key)?;
        if text.text.is_empty() {
            self.report.add(Problem::at(&text.span, format!("{} is empty", self.quote(key))));
            return None;
        }
        Some(text)
    }

    /// One of a few words, each of which stands for a `T`.
    pub fn word<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.string(key)?;
        let shown = is_plain_word(text.text);
        if shown {
            self.report.show(&text.span);
        }
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text.text) {
            return Some(*value);
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let value = if shown { format!(" `{}`", text.text) } else { String::new() };
        let mut help = format!("{} can be {}", self.quote(key), list(&known, "or"));
        if let Some(similar) = closest(text.text, &known).filter(|_| shown) {
            help = format!("did you mean `{similar}`? {help}");
        }
        self.report
            .add(Problem::at(&text.span, format!("unknown {}{value} {}", self.quote(key), self.place())).help(help));
        None
    }

    pub fn boolean(&self, key: &str) -> Option<bool> {
        let (value, span) = self.get(key)?;
        match value.as_bool() {
            None => self.wrong_type(key, "`true` or `false`", value, &span),
            Some(value) => {
                self.report.show(&span);
                Some(value)
            }
        }
    }

    pub fn whole(&self, whole: &Whole) -> usize {
        self.try_whole(whole).unwrap_or(whole.default)
    }

    fn try_whole(&self, whole: &Whole) -> Option<usize> {
        let (value, span) = self.get(whole.key)?;
        let DeValue::Integer(integer) = value else {
            return self.wrong_type(whole.key, "an integer", value, &span);
        };
        self.report.show(&span);
        let parsed = i128::from_str_radix(integer.as_str(), integer.radix()).ok().and_then(|n| usize::try_from(n).ok());
        let valid = parsed.filter(|number| (whole.min..=whole.max).contains(number));
        if valid.is_none() {
            let range = format!("must be between {} and {} {}", whole.min, whole.max, whole.unit);
            self.report.add(Problem::at(&span, format!("{} {range}", self.quote(whole.key))));
        }
        valid
    }

    pub fn seconds(&self, seconds: &Seconds) -> Duration {
        self.try_seconds(seconds).unwrap_or_else(|| seconds.default())
    }

    fn try_seconds(&self, seconds: &Seconds) -> Option<Duration> {
        let (parsed, span) = self.decimal(seconds.key, "a number of seconds")?;
        // Not a number is in no range.
        let valid = parsed.filter(|number| (seconds.min..=seconds.max).contains(number));
        if valid.is_none() {
            let range = format!("must be between {} and {} seconds", seconds.min, seconds.max);
            self.report.add(Problem::at(&span, format!("{} {range}", self.quote(seconds.key))));
        }
        valid.map(Duration::from_secs_f64)
    }

    pub fn share(&self, share: &Share) -> f64 {
        self.try_share(share).unwrap_or(share.default)
    }

    fn try_share(&self, share: &Share) -> Option<f64> {
        let (parsed, span) = self.decimal(share.key, "a number between 0 and 1")?;
        let valid = parsed.filter(|number| (0.0..=1.0).contains(number));
        if valid.is_none() {
            self.report.add(Problem::at(&span, format!("{} must be between 0 and 1", self.quote(share.key))));
        }
        valid
    }

    /// A whole or decimal number, if it is one, and its place.
    fn decimal(&self, key: &str, expected: &str) -> Option<(Option<f64>, Range<usize>)> {
        let (value, span) = self.get(key)?;
        let parsed = match value {
            DeValue::Integer(integer) => {
                i64::from_str_radix(integer.as_str(), integer.radix()).ok().map(|number| number as f64)
            }
            DeValue::Float(float) => float.as_str().parse::<f64>().ok(),
            _ => return self.wrong_type(key, expected, value, &span),
        };
        self.report.show(&span);
        Some((parsed, span))
    }

    /// An array of strings; none of them may be empty. Items that are wrong are reported and left out.
    pub fn strings(&self, key: &str) -> Vec<Text<'a>> {
        let Some((value, span)) = self.get(key) else {
            return Vec::new();
        };
        let DeValue::Array(items) = value else {
            return self.wrong_type(key, "an array of strings", value, &span).unwrap_or_default();
        };
        let string = |item: &'a toml::Spanned<DeValue<'a>>| match item.get_ref() {
            DeValue::String(text) if text.is_empty() => {
                self.report.add(Problem::at(&item.span(), format!("{} holds an empty string", self.quote(key))));
                None
            }
            DeValue::String(text) => self.text(key, text, item.span()),
            other => self.wrong_type(key, "an array of strings", other, &item.span()),
        };
        items.iter().filter_map(string).collect()
    }

    /// A required array of strings that must hold at least one.
    pub fn filled_strings(&self, key: &str, example: &str) -> Vec<Text<'a>> {
        self.require(key, example);
        if let Some((DeValue::Array(items), span)) = self.get(key)
            && items.is_empty()
        {
            let message = format!("{} is empty", self.quote(key));
            self.report.add(Problem::at(&span, message).help(format!("for example `{example}`")));
        }
        self.strings(key)
    }

    /// A table whose keys are written `prefix` + key.
    pub fn table(&self, key: &str, prefix: &'static str) -> Option<Section<'a>> {
        let (key_span, value) = self.entry(key)?;
        let (value, span) = (value.get_ref(), value.span());
        let Some(table) = value.as_table() else {
            let message = format!("{} must be a table, found {}", self.quote(key), type_name(value));
            let help = format!("its keys are written `{prefix}…`");
            self.report.add(Problem::at(&span, message).help(help));
            return None;
        };
        Some(Section { report: self.report, name: self.name.clone(), prefix, span: key_span, table })
    }

    /// A section of the top level, `[key]`.
    pub fn section(&self, key: &str) -> Option<Section<'a>> {
        let (key_span, value) = self.entry(key)?;
        let Some(table) = value.get_ref().as_table() else {
            let message = format!("`{key}` must be a section");
            self.report.add(Problem::at(&key_span, message).help(format!("write `[{key}]`")));
            return None;
        };
        Some(Section { report: self.report, name: key.to_owned(), prefix: "", span: key_span, table })
    }

    /// A section inside this one, `[section.key]`.
    pub fn subsection(&self, key: &str) -> Option<Section<'a>> {
        let (key_span, value) = self.entry(key)?;
        let name = format!("{}.{key}", self.name);
        let Some(table) = value.get_ref().as_table() else {
            let message = format!("`{key}` must be a section");
            self.report.add(Problem::at(&key_span, message).help(format!("write `[{name}]`")));
            return None;
        };
        Some(Section { report: self.report, name, prefix: "", span: key_span, table })
    }

    /// The sections `[key.NAME]` with their names, in the order of the file.
    pub fn named_sections(&self, key: &str) -> Vec<(Text<'a>, Section<'a>)> {
        let Some((key_span, value)) = self.entry(key) else {
            return Vec::new();
        };
        let header = format!("write `[{key}.NAME]`, with a name of your choice");
        let Some(table) = value.get_ref().as_table() else {
            self.report.add(Problem::at(&key_span, format!("`{key}` must hold named sections")).help(header));
            return Vec::new();
        };
        let mut sections = Vec::new();
        for (name, value) in table.iter() {
            let (text, span) = (name.get_ref().as_ref(), name.span());
            let Some(table) = value.get_ref().as_table() else {
                let message = format!("`{key}` holds named sections, and {} is none", self.quote(text));
                self.report.add(Problem::at(&span, message).help(header.clone()));
                continue;
            };
            if !is_name(text) {
                let help = "a name is 1 to 64 characters of a-z, 0-9, `_` and `-`";
                self.report.add(Problem::at(&span, format!("invalid name in `[{key}.…]`")).help(help));
                if !is_plain_word(text) {
                    continue;
                }
            }
            let section =
                Section { report: self.report, name: format!("{key}.{text}"), prefix: "", span: span.clone(), table };
            sections.push((Text { text, span }, section));
        }
        sections.sort_by_key(|(name, _)| name.span.start);
        sections
    }

    /// A key as messages quote it, unless it looks as if something else was pasted in its place.
    pub fn quote(&self, key: &str) -> String {
        let key = if is_showable_key(key) { key } else { "…" };
        format!("`{}{key}`", self.prefix)
    }

    fn place(&self) -> String {
        if self.name.is_empty() { String::new() } else { format!("in `[{}]`", self.name) }
    }

    fn entry(&self, key: &str) -> Option<(Range<usize>, &'a toml::Spanned<DeValue<'a>>)> {
        self.table.get_key_value(key).map(|(key, value)| (key.span(), value))
    }

    fn get(&self, key: &str) -> Option<(&'a DeValue<'a>, Range<usize>)> {
        self.entry(key).map(|(key_span, value)| match value.get_ref() {
            // The place of a table is all that is in it.
            DeValue::Table(_) => (value.get_ref(), key_span),
            _ => (value.get_ref(), value.span()),
        })
    }

    fn text(&self, key: &str, text: &'a str, span: Range<usize>) -> Option<Text<'a>> {
        if text.contains("${") {
            let message = format!("{} holds `${{`, but variables are not substituted", self.quote(key));
            self.report.add(Problem::at(&span, message).help("write the value itself"));
            return None;
        }
        Some(Text { text, span })
    }

    fn wrong_type<T>(&self, key: &str, expected: &str, found: &DeValue<'_>, span: &Range<usize>) -> Option<T> {
        let message = format!("{} must be {expected}, found {}", self.quote(key), type_name(found));
        self.report.add(Problem::at(span, message));
        None
    }
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// Whether a value may be quoted where a word of the vocabulary belongs.
pub(super) fn is_plain_word(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (1..=32).contains(&text.len()) && text.bytes().all(plain)
}

/// Keys are no secrets, if they look like keys.
pub(super) fn is_showable_key(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

/// The known word that was probably meant: a third of it may be mistyped, or its end left out.
pub(super) fn closest<'w>(word: &str, known: &[&'w str]) -> Option<&'w str> {
    let lower = word.to_lowercase();
    let distance = |candidate: &&'w str| (strsim::damerau_levenshtein(&lower, candidate), *candidate);
    let (steps, nearest) = known.iter().map(distance).min()?;
    if steps <= (nearest.len() / 3).max(1) {
        return Some(nearest);
    }
    let mut longer = known.iter().filter(|candidate| lower.len() >= 3 && candidate.starts_with(&lower));
    longer.next().filter(|_| longer.next().is_none()).copied()
}

/// `a`, `b` and `c`
pub(super) fn list(words: &[&str], last: &str) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((end, start)) if !start.is_empty() => format!("{} {last} {end}", start.join(", ")),
        _ => quoted.concat(),
    }
}
