//! Who is answered: requests that were meant for this address, by who knows the token.
//!
//! A page of another site can have a name of its own lead to 127.0.0.1 and then read, in the visitor's browser, what
//! answers there (DNS rebinding). Its requests carry that name in `Host`: so no name is answered but `localhost` and those
//! of the configuration. An address can't be led elsewhere.

use super::super::config;
use super::token::Token;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;
use std::sync::Arc;

/// What every answer tells browsers: nothing in it is to be kept, guessed at, framed, or loaded by others.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
];

/// Decides who is answered.
#[derive(Debug)]
pub(super) struct Guard {
    own: IpAddr,
    hosts: Vec<String>,
    token: Option<Arc<Token>>,
}

impl Guard {
    pub fn new(config: &config::Api, token: Option<Arc<Token>>) -> Self {
        Self { own: config.address.ip(), hosts: config.allowed_hosts.clone(), token }
    }

    /// Lets what was meant for us pass.
    pub async fn of_host(State(guard): State<Arc<Self>>, request: Request, next: Next) -> Response {
        if guard.is_meant(request.headers(), request.uri()) {
            next.run(request).await
        } else {
            refuse(StatusCode::MISDIRECTED_REQUEST, "this name is not answered here: see `allowed_hosts` of [api]\n")
        }
    }

    /// Lets who knows the token pass.
    pub async fn of_token(State(guard): State<Arc<Self>>, request: Request, next: Next) -> Response {
        if guard.knows_token(request.headers()) {
            return next.run(request).await;
        }
        let mut refused = refuse(StatusCode::UNAUTHORIZED, "this takes the token: Authorization: Bearer …\n");
        refused.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"beartrap\""));
        refused
    }

    fn is_meant(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        // RFC 9112 §3.2: exactly one, also where the target names another.
        let mut hosts = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
        let of_uri = uri.authority().map_or(Ok(""), |authority| {
            if authority.as_str().contains('@') { Err(()) } else { Ok(authority.as_str()) }
        });
        match (host.to_str(), of_uri) {
            (Ok(host), Ok("")) => self.is_ours(host),
            (Ok(host), Ok(target)) => self.is_ours(host) && self.is_ours(target),
            _ => false,
        }
    }

    /// The port says nothing: containers and tunnels have others.
    fn is_ours(&self, host: &str) -> bool {
        let name = match host.strip_prefix('[') {
            Some(rest) => match rest.split_once(']') {
                Some((ip, port)) if is_port(port) => ip,
                _ => return false,
            },
            None => match host.split_once(':') {
                Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
                Some(_) => return false,
                None => host,
            },
        };
        match name.parse::<IpAddr>() {
            Ok(ip) => self.own.is_unspecified() || ip == self.own || (ip.is_loopback() && self.own.is_loopback()),
            Err(_) => {
                let name = name.to_ascii_lowercase();
                let reaches_loopback = self.own.is_loopback() || self.own.is_unspecified();
                (name == "localhost" && reaches_loopback) || self.hosts.contains(&name)
            }
        }
    }

    fn knows_token(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else { return true };
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return false };
        // RFC 9110 §11.1: the scheme's case does not matter.
        let Some((scheme, presented)) = value.as_bytes().split_at_checked("Bearer ".len()) else { return false };
        scheme.eq_ignore_ascii_case(b"Bearer ") && token.is(presented)
    }
}

fn is_port(text: &str) -> bool {
    text.is_empty()
        || text.strip_prefix(':').is_some_and(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Only what reads is answered, and every answer has the headers that all have.
pub(super) async fn of_method(request: Request, next: Next) -> Response {
    let mut response = if matches!(*request.method(), Method::GET | Method::HEAD) {
        next.run(request).await
    } else {
        let mut refused = refuse(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        refused
    };
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

pub(super) fn refuse(status: StatusCode, why: &'static str) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], Body::from(why)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn guard(address: &str) -> Guard {
        let config = config::Api {
            address: address.parse().unwrap(),
            health_address: None,
            token_file: None,
            allowed_hosts: vec!["logs.example".to_owned()],
            ready_requires_delivery: false,
            max_connections: 8,
            request_timeout: Duration::from_secs(1),
        };
        Guard::new(&config, None)
    }

    #[test]
    fn addresses_and_known_names_are_answered_and_no_others() {
        for (address, host, expected) in [
            ("127.0.0.1:1", "127.0.0.1:9614", true),
            ("127.0.0.1:1", "127.0.0.1", true),
            ("127.0.0.1:1", "[::1]:9614", true),
            ("127.0.0.1:1", "LocalHost:1", true),
            ("127.0.0.1:1", "logs.example", true),
            ("127.0.0.1:1", "LOGS.example:443", true),
            ("127.0.0.1:1", "evil.example", false),
            ("127.0.0.1:1", "127.0.0.1.evil.example", false),
            ("127.0.0.1:1", "localhost.evil.example:9614", false),
            ("127.0.0.1:1", "192.0.2.1", false),
            ("127.0.0.1:1", "", false),
            ("127.0.0.1:1", "localhost:", false),
            ("127.0.0.1:1", "localhost:1:2", false),
            ("127.0.0.1:1", "user@localhost", false),
            ("127.0.0.1:1", "[::1", false),
            ("127.0.0.1:1", "[::1]evil", false),
            ("192.0.2.1:1", "192.0.2.1:80", true),
            ("192.0.2.1:1", "192.0.2.2:80", false),
            ("192.0.2.1:1", "localhost", false),
            ("192.0.2.1:1", "logs.example", true),
            ("0.0.0.0:1", "10.1.2.3:80", true),
            ("[::]:1", "[2001:db8::1]", true),
            ("0.0.0.0:1", "evil.example", false),
        ] {
            assert_eq!(guard(address).is_ours(host), expected, "{host} at {address}");
        }
    }

    #[test]
    fn one_host_is_needed_and_a_target_that_names_another_is_refused() {
        let headers = |hosts: &[&'static str]| {
            hosts.iter().map(|host| (header::HOST, HeaderValue::from_static(host))).collect::<HeaderMap>()
        };
        let guard = guard("127.0.0.1:1");
        let is_meant =
            |hosts: &[&'static str], uri: &'static str| guard.is_meant(&headers(hosts), &Uri::from_static(uri));
        assert!(is_meant(&["localhost"], "/livez"));
        assert!(is_meant(&["localhost"], "http://127.0.0.1/livez"));
        assert!(!is_meant(&[], "/livez"));
        assert!(!is_meant(&["localhost", "localhost"], "/livez"));
        assert!(!is_meant(&["localhost"], "http://evil.example/livez"));
        assert!(!is_meant(&["localhost"], "http://x@localhost/livez"));
        assert!(!is_meant(&["evil.example"], "http://localhost/livez"));
    }
}
