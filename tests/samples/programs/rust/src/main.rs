//! A service's log through `tracing`: `samples CREDENTIALS json|full|pretty`.

use std::{env, fs, path::PathBuf};

use http::{HeaderMap, HeaderValue, Request, Uri};
use tracing::{debug, error, info, info_span, warn};

/// As a client library hands it out; the derived `Debug` prints the tokens.
#[derive(Debug)]
#[allow(dead_code, reason = "only printed")]
struct TokenResponse {
    access_token: String,
    refresh_token: Option<String>,
    id_token: Vec<u8>,
    expires_in: u64,
}

struct Credentials(PathBuf);

impl Credentials {
    fn get(&self, name: &str) -> String {
        let path = self.0.join(name);
        fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    fn bearer(&self, name: &str) -> HeaderValue {
        HeaderValue::try_from(format!("Bearer {}", self.get(name))).expect("a token is ASCII")
    }
}

fn main() {
    let mut arguments = env::args_os().skip(1);
    let have = Credentials(arguments.next().expect("a folder of credentials").into());
    let format = arguments.next().expect("a format");
    let log = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).without_time();
    match format.to_str() {
        Some("json") => log.json().with_span_list(true).init(),
        Some("pretty") => log.pretty().with_ansi(true).init(),
        _ => log.with_ansi(true).init(),
    }
    requests(&have);
    answers(&have);
}

fn requests(have: &Credentials) {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", have.bearer("rs256"));
    headers.insert("accept", HeaderValue::from_static("*/*"));
    info!(?headers, "request");
    info!(headers = ?headers.iter().collect::<Vec<_>>(), "request");
    headers.append("authorization", have.bearer("hex40"));
    debug!("outgoing headers {headers:?}");
    debug!("outgoing headers {headers:#?}");
    let request = Request::get(format!("/orders?access_token={}&page=2", have.get("jwe_dir")))
        .header("x-api-key", have.get("hex32"))
        .header("cookie", format!("theme=dark; session={}", have.get("b64url")))
        .body("")
        .expect("a valid request");
    info!(?request, uri = %request.uri(), "request");
    // A header marked sensitive prints as `Sensitive`: the way to do it right.
    let mut quiet = have.bearer("uuid");
    quiet.set_sensitive(true);
    info!(authorization = ?quiet, "marked sensitive");
    info!(authorization = ?have.bearer("uuid"), "not marked");
}

fn answers(have: &Credentials) {
    let span = info_span!("refresh", token = %have.get("es256"), user = "ada");
    let _entered = span.enter();
    let response = TokenResponse {
        access_token: have.get("b64std"),
        refresh_token: Some(have.get("ghp")),
        id_token: have.get("hs256").into_bytes(),
        expires_in: 3600,
    };
    info!(access_token = %response.access_token, "issued");
    info!("issued {response:?}");
    warn!(body = format!(r#"{{"access_token":"{}","token_type":"Bearer"}}"#, have.get("eddsa")), "answer");
    let uri: Uri = format!("http://api.example/cb?id_token={}", have.get("jwe_rsa"))
        .parse()
        .expect("a valid uri");
    error!(%uri, error = %format_args!("refused \"Bearer {}\"", have.get("xoxb")), "refresh failed");
}
