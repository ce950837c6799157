//! Tables of a rule file, read key by key, with a problem where a value has the wrong type.

use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Something wrong at an offset.
#[derive(Debug)]
pub(super) struct Problem {
    pub at: Option<usize>,
    pub message: String,
}

/// Collects problems while a file is read.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub errors: Vec<Problem>,
    pub warnings: Vec<Problem>,
}

impl Report {
    pub fn error(&mut self, at: usize, message: impl Into<String>) {
        self.errors.push(Problem { at: Some(at), message: message.into() });
    }

    pub fn warning(&mut self, at: usize, message: impl Into<String>) {
        self.warnings.push(Problem { at: Some(at), message: message.into() });
    }

    /// Puts all in the order of the file.
    pub fn sort(&mut self) {
        self.errors.sort_by_key(|problem| problem.at);
        self.warnings.sort_by_key(|problem| problem.at);
    }
}

/// A table and how messages call it.
pub(super) struct Table<'a> {
    table: &'a DeTable<'a>,
    pub at: usize,
    pub name: String,
}

impl<'a> Table<'a> {
    pub fn new(table: &'a DeTable<'a>, at: usize, name: impl Into<String>) -> Self {
        Self { table, at, name: name.into() }
    }

    /// Keys that are not in `known`, with their places. One that looks like no key is not named.
    pub fn unknown(&self, known: &[&str]) -> Vec<(usize, String)> {
        let keys = self.table.iter().map(|(key, _)| (key.span().start, key.get_ref().as_ref()));
        let showable = |key: &str| key.len() <= 32 && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        keys.filter(|(_, key)| !known.contains(key))
            .map(|(at, key)| (at, if showable(key) { format!("`{key}`") } else { "a key".to_owned() }))
            .collect()
    }

    /// Where a key stands, if it does.
    pub fn place(&self, key: &str) -> Option<usize> {
        self.table.get_key_value(key).map(|(key, _)| key.span().start)
    }

    fn get(&self, key: &str) -> Option<(&'a DeValue<'a>, Range<usize>)> {
        self.table.get(key).map(|value| (value.get_ref(), value.span()))
    }

    fn wrong<T>(&self, key: &str, expected: &str, at: usize, report: &mut Report) -> Option<T> {
        report.error(at, format!("{}`{key}` must be {expected}", self.prefix()));
        None
    }

    /// `rule `x`: `
    pub fn prefix(&self) -> String {
        if self.name.is_empty() { String::new() } else { format!("{}: ", self.name) }
    }

    pub fn string(&self, key: &str, report: &mut Report) -> Option<&'a str> {
        let (value, span) = self.get(key)?;
        match value {
            DeValue::String(text) => Some(text),
            _ => self.wrong(key, "a string", span.start, report),
        }
    }

    pub fn number(&self, key: &str, report: &mut Report) -> Option<f64> {
        let (value, span) = self.get(key)?;
        let number = match value {
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix()).ok().map(|n| n as f64),
            DeValue::Float(float) => float.as_str().parse().ok(),
            _ => None,
        };
        number.or_else(|| self.wrong(key, "a number", span.start, report))
    }

    pub fn whole(&self, key: &str, report: &mut Report) -> Option<usize> {
        let (value, span) = self.get(key)?;
        let number = match value {
            DeValue::Integer(integer) => usize::from_str_radix(integer.as_str(), integer.radix()).ok(),
            _ => None,
        };
        number.or_else(|| self.wrong(key, "a whole number", span.start, report))
    }

    pub fn boolean(&self, key: &str, report: &mut Report) -> Option<bool> {
        let (value, span) = self.get(key)?;
        value.as_bool().or_else(|| self.wrong(key, "`true` or `false`", span.start, report))
    }

    pub fn strings(&self, key: &str, report: &mut Report) -> Vec<String> {
        let Some((value, span)) = self.get(key) else { return Vec::new() };
        let text = |item: &Spanned<DeValue<'_>>| match item.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            _ => None,
        };
        let texts = match value {
            DeValue::Array(items) => items.iter().map(text).collect(),
            _ => None,
        };
        texts.or_else(|| self.wrong(key, "an array of strings", span.start, report)).unwrap_or_default()
    }

    /// The tables under a key: `[key]` or each `[[key]]`.
    pub fn tables(&self, key: &str, report: &mut Report) -> Vec<Table<'a>> {
        let Some((value, span)) = self.get(key) else { return Vec::new() };
        let at = self.place(key).unwrap_or(span.start);
        let table = |table: &'a DeTable<'a>, at| Table::new(table, at, self.name.clone());
        let tables = match value {
            DeValue::Table(inner) => Some(vec![table(inner, at)]),
            DeValue::Array(items) => items
                .iter()
                .map(|item| item.get_ref().as_table().map(|inner| table(inner, item.span().start)))
                .collect(),
            _ => None,
        };
        tables.or_else(|| self.wrong(key, "a table", at, report)).unwrap_or_default()
    }
}
