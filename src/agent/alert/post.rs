//! One attempt to deliver an alert.

use super::signature::Secrets;
use crate::agent::config::Alert;
use crate::agent::tls::{self, TlsError};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::{HeaderMap, StatusCode, header};
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

const USER_AGENT: &str = concat!("beartrap/", env!("CARGO_PKG_VERSION"));
/// Of an answer only the status and one header count.
const RESPONSE_HEADER_BYTES_MAX: usize = 16 << 10;
/// A receiver may not silence us for longer.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60 * 60);

/// What became of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Delivered,
    Failed {
        /// It names the receiver's host and what went wrong, never anything that was sent or answered.
        why: String,
        /// The receiver was reached and did not want this alert: another one may fare better.
        is_refused: bool,
        /// How long the receiver wants to be left alone.
        retry_after: Option<Duration>,
    },
}

/// What an attempt needs besides the alert; made of files that are read again for each.
pub(super) struct Sender {
    agent: ureq::Agent,
    secrets: Secrets,
    url: String,
    place: String,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sender")
    }
}

impl Sender {
    /// Reads the files.
    ///
    /// # Errors
    /// Says which is not good, and why.
    pub fn new(alert: &Alert) -> Result<Self, String> {
        let secrets = Secrets::load(&alert.secret_file)
            .map_err(|why| format!("`secret_file` {}: {why}", alert.secret_file.display()))?;
        let url = &alert.url;
        let tls = if url.is_tls() { Some(tls_config(alert).map_err(|error| error.to_string())?) } else { None };
        let mut config = ureq::Agent::config_builder()
            .https_only(url.is_tls())
            // Those of the environment are not asked.
            .proxy(None)
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(USER_AGENT)
            .max_response_header_size(RESPONSE_HEADER_BYTES_MAX)
            // Each attempt looks at the receiver's certificate.
            .max_idle_connections(0);
        if let Some(tls) = tls {
            config = config.tls_config(tls);
        }
        let agent = config.build().new_agent();
        Ok(Self { agent, secrets, url: url.text().to_owned(), place: url.place().to_owned() })
    }

    /// Sends a body and waits for the answer's head, not longer than `timeout` for all of it.
    pub fn post(&self, id: &str, body: &[u8], timeout: Duration) -> Answer {
        let timestamp = Timestamp::now().as_second();
        let request = self
            .agent
            .post(&self.url)
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp.to_string())
            .header("webhook-signature", self.secrets.sign(id, timestamp, body))
            .config()
            .timeout_global(Some(timeout))
            .build();
        match request.send(body) {
            Ok(response) => self.answer(response.status(), response.headers()),
            Err(error) => {
                let why = format!("{}: {}", self.place, explain(&error));
                Answer::Failed { why, is_refused: false, retry_after: None }
            }
        }
    }

    fn answer(&self, status: StatusCode, headers: &HeaderMap) -> Answer {
        if status.is_success() {
            return Answer::Delivered;
        }
        let note = if status.is_redirection() { ", and redirects are not followed" } else { "" };
        Answer::Failed {
            why: format!("{}: it answered with status {}{note}", self.place, status.as_u16()),
            // The others say that it will do later.
            is_refused: !matches!(status.as_u16(), 408 | 425 | 429 | 502 | 503 | 504),
            retry_after: headers.get(header::RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?)),
        }
    }
}

fn tls_config(alert: &Alert) -> Result<TlsConfig, TlsError> {
    let authorities = tls::authorities(alert.ca_file.as_deref())?;
    let authorities: Vec<_> =
        authorities.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
    Ok(TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(tls::provider())
        .root_certs(RootCerts::Specific(Arc::new(authorities)))
        .build())
}

/// What went wrong, in words that hold nothing of what the receiver has sent.
fn explain(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => explain_io(error),
        ureq::Error::Timeout(_) => "it took too long".to_owned(),
        ureq::Error::HostNotFound => "there is no such host".to_owned(),
        ureq::Error::Rustls(error) => explain_tls(error),
        ureq::Error::Tls(why) => (*why).to_owned(),
        ureq::Error::Protocol(_) => "its answer is no HTTP".to_owned(),
        ureq::Error::LargeResponseHeader(..) => "the head of its answer is too long".to_owned(),
        _ => "the request failed".to_owned(),
    }
}

fn explain_io(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    inner.map_or_else(|| error.to_string(), explain_tls)
}

fn explain_tls(error: &tokio_rustls::rustls::Error) -> String {
    use tokio_rustls::rustls::{CertificateError, Error};
    match error {
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "its certificate is for another name".to_owned(),
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "its certificate comes from no authority that is trusted".to_owned()
        }
        Error::InvalidCertificate(_) => "its certificate is not valid".to_owned(),
        _ => "TLS could not be set up".to_owned(),
    }
}

/// RFC 9110 §10.2.3: seconds, or a date.
fn retry_after(value: &str) -> Option<Duration> {
    let wait = match value.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = DateTimeParser::new().parse_timestamp(value).ok()?;
            Duration::try_from(until.duration_since(Timestamp::now())).ok()?
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_can_ask_for_time_but_not_for_all_of_it() {
        assert_eq!(retry_after("120"), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("999999999999"), Some(RETRY_AFTER_MAX));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT"), None, "that is over");
        assert_eq!(retry_after("Fri, 31 Dec 2049 23:59:59 GMT"), Some(RETRY_AFTER_MAX));
        assert_eq!(retry_after("soon"), None);
        assert_eq!(retry_after("-1"), None);
    }
}
