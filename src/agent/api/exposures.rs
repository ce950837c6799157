//! `GET /api/v1/exposures` and `GET /api/v1/exposures/{digest}`

use super::facts::Facts;
use crate::ledger::{Filter, LedgerError, Severity, Sort, Status, is_cursor};
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// So many rows are answered at once, at most and by default.
const ROWS_MAX: usize = 1000;
const ROWS: usize = 100;

/// What can be asked for, each once but `status`.
const PARAMETERS: [&str; 10] =
    ["status", "since", "source", "issuer", "kind", "policy", "severity", "sort", "limit", "cursor"];

type Parameters = Query<Vec<(String, String)>>;

/// Rows, page by page.
pub(super) async fn list(State(facts): State<Arc<Facts>>, Query(query): Parameters) -> Response {
    let filter = match filter(&query) {
        Ok(filter) => filter,
        Err(why) => return problem(StatusCode::BAD_REQUEST, &why),
    };
    let Some(ledger) = &facts.ledger else { return none() };
    match ledger.rows(filter).await {
        Ok(rows) => json(StatusCode::OK, rows),
        Err(error) => unreadable(&error),
    }
}

/// One row by its digest.
pub(super) async fn show(
    State(facts): State<Arc<Facts>>,
    Path(digest): Path<String>,
    Query(query): Parameters,
) -> Response {
    let Some(digest) = parse_digest(&digest) else {
        return problem(StatusCode::BAD_REQUEST, "a digest has 32 hexadecimal digits");
    };
    let kind = match &query[..] {
        [] => None,
        [(name, kind)] if name == "kind" => Some(kind.clone()),
        _ => return problem(StatusCode::BAD_REQUEST, "the only parameter here is `kind`"),
    };
    let Some(ledger) = &facts.ledger else { return none() };
    match ledger.show(digest, kind).await.as_deref() {
        Ok([]) => problem(StatusCode::NOT_FOUND, "it was not seen"),
        Ok([row]) => json(StatusCode::OK, row.clone()),
        Ok(_) => {
            let why = "several rows have this digest: add `?kind=`, or ask for the list";
            problem(StatusCode::MULTIPLE_CHOICES, why)
        }
        Err(error) => unreadable(error),
    }
}

fn none() -> Response {
    problem(StatusCode::NOT_FOUND, "there is no ledger: the configuration has no [ledger]")
}

fn unreadable(error: &LedgerError) -> Response {
    problem(StatusCode::SERVICE_UNAVAILABLE, &error.to_string())
}

fn problem(status: StatusCode, why: &str) -> Response {
    json(status, serde_json::json!({ "error": why }).to_string().into())
}

fn json(status: StatusCode, text: Bytes) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// What a query asks for. Its words are those of `beartrap exposures list`; no message repeats what is wrong.
fn filter(query: &[(String, String)]) -> Result<Filter, String> {
    let mut filter = Filter { limit: Some(ROWS), ..Filter::default() };
    for (index, (name, value)) in query.iter().enumerate() {
        let name = name.as_str();
        if !PARAMETERS.contains(&name) {
            return Err(format!("there is no such parameter; there are {}", PARAMETERS.join(", ")));
        }
        if name != "status" && query[..index].iter().any(|(other, _)| other == name) {
            return Err(format!("`{name}` is there twice"));
        }
        match name {
            "status" => {
                let words = value.split(',').map(word::<Status>).collect::<Option<Vec<_>>>();
                filter.status.extend(words.ok_or("`status` is unexpired, not_yet, unknown, expired or revoked")?);
            }
            "since" => filter.since = Some(value.parse().map_err(|_| "`since` is a time like 2026-01-31T12:00:00Z")?),
            "source" => filter.source = Some(value.clone()),
            "issuer" => filter.issuer = Some(value.clone()),
            "kind" => filter.kind = Some(value.clone()),
            "policy" => filter.policy = Some(value.clone()),
            "severity" => {
                let severity = word::<Severity>(value).ok_or("`severity` is low, medium, high or critical")?;
                filter.severity = Some(severity);
            }
            "sort" => {
                let sort = sort(value);
                filter.sort = sort.ok_or("`sort` is last_seen, first_seen, occurrences, severity or expires_at")?;
            }
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=ROWS_MAX).contains(limit));
                filter.limit = Some(limit.ok_or("`limit` is between 1 and 1000")?);
            }
            _ => filter.cursor = Some(value.clone()),
        }
    }
    match &filter.cursor {
        Some(cursor) if !is_cursor(cursor, filter.sort) => {
            Err("`cursor` is not what an answer in this order has ended with".to_owned())
        }
        _ => Ok(filter),
    }
}

fn word<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(text.into()).ok()
}

fn sort(text: &str) -> Option<Sort> {
    Some(match text {
        "last_seen" => Sort::LastSeen,
        "first_seen" => Sort::FirstSeen,
        "occurrences" => Sort::Occurrences,
        "severity" => Sort::Severity,
        "expires_at" => Sort::ExpiresAt,
        _ => return None,
    })
}

fn parse_digest(text: &str) -> Option<[u8; 16]> {
    if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut digest = [0; 16];
    for (byte, digits) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<Filter, String> {
        filter(&pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>())
    }

    #[test]
    fn a_query_becomes_a_filter() {
        assert_eq!(parse(&[]), Ok(Filter { limit: Some(100), ..Filter::default() }));
        let all = parse(&[
            ("status", "unexpired,not_yet"),
            ("status", "revoked"),
            ("since", "2026-01-31T12:00:00Z"),
            ("source", "a"),
            ("issuer", "https://i.example/"),
            ("kind", "jwt"),
            ("policy", "no_expiry"),
            ("severity", "high"),
            ("sort", "severity"),
            ("limit", "1000"),
            ("cursor", "s.3.1.2"),
        ]);
        let expected = Filter {
            status: vec![Status::Unexpired, Status::NotYet, Status::Revoked],
            since: Some("2026-01-31T12:00:00Z".parse().unwrap()),
            source: Some("a".into()),
            issuer: Some("https://i.example/".into()),
            kind: Some("jwt".into()),
            policy: Some("no_expiry".into()),
            severity: Some(Severity::High),
            sort: Sort::Severity,
            limit: Some(1000),
            cursor: Some("s.3.1.2".into()),
        };
        assert_eq!(all, Ok(expected));
    }

    #[test]
    fn what_is_wrong_is_refused_and_not_repeated() {
        for (name, value) in [
            ("status", "hunter2"),
            ("status", ""),
            ("since", "hunter2"),
            ("severity", "hunter2"),
            ("sort", "hunter2"),
            ("limit", "0"),
            ("limit", "1001"),
            ("limit", "-1"),
            ("cursor", "hunter2"),
            ("hunter2", ""),
        ] {
            let why = parse(&[(name, value)]).unwrap_err();
            assert!(!why.contains("hunter2"), "{why}");
        }
        assert!(parse(&[("kind", "a"), ("kind", "a")]).is_err());
    }

    #[test]
    fn digests_are_hexadecimal() {
        assert_eq!(parse_digest("000102030405060708090a0b0c0D0e0f"), Some(std::array::from_fn(|index| index as u8)));
        for wrong in [
            "",
            "00",
            "000102030405060708090a0b0c0d0e0",
            "000102030405060708090a0b0c0d0e0g",
            "+00102030405060708090a0b0c0d0e0f",
        ] {
            assert_eq!(parse_digest(wrong), None, "{wrong}");
        }
    }
}
