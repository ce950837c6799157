//! One alert: rows that somebody is to be told of, under one id for as long as it is tried.

use crate::ledger::{AlertKey, Exposure, Identity, LedgerError, Severity, Store};
use crate::redact::{Redaction, Redactor};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::ops::ControlFlow;

/// A body is ended before the row that would make it longer, if it holds one.
pub(super) const BODY_BYTES_MAX: usize = 1 << 20;

/// An alert on its way.
#[derive(Debug)]
pub(super) struct Delivery {
    /// `webhook-id`
    pub id: String,
    pub body: Vec<u8>,
    /// The rows that are in it.
    pub rows: Vec<AlertKey>,
    /// Where the rows behind these begin.
    pub until: u64,
    /// How often it was tried.
    pub attempts: usize,
}

/// Which rows an alert takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub severity: Option<Severity>,
    pub rows_max: usize,
}

#[derive(Serialize)]
struct Body<'a> {
    ledger: &'a str,
    instance: &'a str,
    sent_at: Timestamp,
    exposures: &'a [Exposure],
}

/// What is to be done about the rows behind a change.
#[derive(Debug)]
pub(super) enum Next {
    Deliver(Box<Delivery>),
    /// None of the rows up to here is wanted.
    Skip(u64),
    /// There are no more.
    Nothing,
}

impl Delivery {
    /// The rows behind `since` of which nobody was told, the oldest change first.
    pub fn next(store: &Store, since: u64, wanted: Wanted, redaction: &Redaction) -> Result<Next, LedgerError> {
        let now = Timestamp::now();
        let (mut rows, mut len) = (Vec::new(), 0);
        let until = store.visit_unalerted(since, wanted.severity, now, |row| {
            let row_len = serde_json::to_vec(&row).map_or(0, |text| text.len());
            if rows.len() == wanted.rows_max || (!rows.is_empty() && len + row_len > BODY_BYTES_MAX) {
                return ControlFlow::Break(());
            }
            len += row_len;
            rows.push(row);
            ControlFlow::Continue(())
        })?;
        if rows.is_empty() {
            return Ok(if until == since { Next::Nothing } else { Next::Skip(until) });
        }
        let Identity { id, instance } = store.identity()?;
        let body = Body { ledger: &id, instance: &instance, sent_at: now, exposures: &rows };
        Ok(Next::Deliver(Box::new(Self {
            id: format!("msg_{}", random_digits()),
            body: clean(&body, &mut Redactor::new(redaction)),
            rows: rows.iter().map(AlertKey::of).collect(),
            until,
            attempts: 0,
        })))
    }
}

/// A body as it leaves. Rows hold no credentials, so that nothing is replaced in them; this holds if some do. Each text is
/// looked at by itself: the names of members are ours, and `authorization` is a carrier among them.
fn clean(body: &Body<'_>, redactor: &mut Redactor) -> Vec<u8> {
    // Nothing in it can fail to be JSON.
    let mut value = serde_json::to_value(body).unwrap_or_default();
    clean_texts(&mut value, redactor);
    value.to_string().into_bytes()
}

fn clean_texts(value: &mut Value, redactor: &mut Redactor) {
    match value {
        Value::String(text) => {
            let redacted = redactor.redact(text.as_bytes());
            if !redacted.findings.is_empty() {
                *text = String::from_utf8(redacted.clean).unwrap_or_default();
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| clean_texts(value, redactor)),
        Value::Object(members) => members.values_mut().for_each(|value| clean_texts(value, redactor)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn random_digits() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has random bytes");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
