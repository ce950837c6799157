//! What is answered where.

use super::facts::Facts;
use super::guard::{self, Guard, refuse};
use super::{exposures, metrics, status};
use crate::ledger::page;
use crate::metrics::MEDIA_TYPE;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use std::sync::Arc;

const TEXT: &str = "text/plain; charset=utf-8";

/// For `address`: everything, of which only probes need no token.
pub(super) fn all(facts: Arc<Facts>, guard: Guard) -> Router {
    let guard = Arc::new(guard);
    let secret = Router::new()
        .route("/metrics", get(metrics))
        .route("/api/v1/status", get(status))
        .route("/api/v1/exposures", get(exposures::list))
        .route("/api/v1/exposures/{digest}", get(exposures::show))
        .fallback(not_found)
        .layer(from_fn_with_state(guard.clone(), Guard::of_token));
    probes()
        // It holds nothing of the agent's: it asks for the token, and then the API.
        .route("/", get(page))
        .merge(secret)
        .layer(from_fn_with_state(guard, Guard::of_host))
        .layer(from_fn(guard::of_method))
        .with_state(facts)
}

/// For `health_address`: nothing that somebody in the network may not know, for whoever comes by whatever name.
pub(super) fn health(facts: Arc<Facts>) -> Router {
    probes().route("/metrics", get(metrics)).fallback(not_found).layer(from_fn(guard::of_method)).with_state(facts)
}

fn probes() -> Router<Arc<Facts>> {
    Router::new().route("/livez", get(livez)).route("/readyz", get(readyz))
}

async fn not_found() -> Response {
    refuse(StatusCode::NOT_FOUND, "there is nothing here\n")
}

/// That it answers is the answer.
async fn livez() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, TEXT)], "live\n")
}

async fn readyz(State(facts): State<Arc<Facts>>) -> impl IntoResponse {
    let reasons = facts.not_ready();
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let text = if reasons.is_empty() { "ready\n".to_owned() } else { reasons.join("\n") + "\n" };
    (status, [(header::CONTENT_TYPE, TEXT)], text)
}

async fn metrics(State(facts): State<Arc<Facts>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, MEDIA_TYPE)], metrics::text(&facts).await)
}

async fn status(State(facts): State<Arc<Facts>>) -> Json<status::Status> {
    Json(status::status(&facts).await)
}

async fn page() -> impl IntoResponse {
    let page = page::served();
    let policy = page.content_security_policy.as_str();
    (
        [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, policy)],
        page.html.as_str(),
    )
}
