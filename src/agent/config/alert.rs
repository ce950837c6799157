//! `[ledger.alert]`

use super::Alert;
use super::ServerName;
use super::diagnostics::Problem;
use super::keys;
use super::section::{Section, Text};
use super::values::Wrong;
use crate::ledger::Severity;
use std::net::IpAddr;
use std::path::Path;
use ureq::http::Uri;

const URL_LEN_MAX: usize = 2048;
const EXAMPLE: &str = "for example `https://soc.example/hooks/beartrap`";

/// Reads the section. `None` if something in it is wrong.
pub(super) fn alert(section: &Section<'_>, base: &Path, issuers: &[Text<'_>]) -> Option<Alert> {
    section.check_keys(&[keys::ALERT], |_| None);
    if issuers.is_empty() {
        let message = "alerts need `issuers` in `[ledger]`";
        let help = "nobody verifies a token, so anybody who can cause a log line could cause an alert: \
                    name the issuers whose tokens you can revoke";
        section.report.add(Problem::at(&section.span, message).help(help).absence());
    }
    let url = section.filled_string("url", r#"url = "https://soc.example/hooks/beartrap""#);
    let secret_file = section.filled_string("secret_file", r#"secret_file = "/etc/beartrap/alert-secret""#);
    let severities = [
        ("low", Severity::Low),
        ("medium", Severity::Medium),
        ("high", Severity::High),
        ("critical", Severity::Critical),
    ];
    let min_severity = section.word("min_severity", &severities);
    let ca_file = section.string("ca_file").and_then(|text| section.path("ca_file", &text, base));
    let max_per_minute = section.whole(&keys::MAX_PER_MINUTE);
    let max_batch = section.whole(&keys::MAX_BATCH);
    let timeout = section.seconds(&keys::ALERT_TIMEOUT);
    let max_attempts = section.whole(&keys::MAX_ATTEMPTS);
    let retry_max = section.seconds(&keys::RETRY_MAX);
    let url = url.and_then(|text| section.checked("url", &text, AlertUrl::parse(text.text)));
    let secret_file = secret_file.and_then(|text| section.path("secret_file", &text, base));
    Some(Alert {
        url: url?,
        secret_file: secret_file?,
        ca_file,
        min_severity,
        max_per_minute,
        max_batch,
        timeout,
        max_attempts,
        retry_max,
    })
}

/// Where alerts go. Such an address may itself be a secret, so that only its host is shown.
#[derive(Clone, PartialEq, Eq)]
pub struct AlertUrl {
    text: String,
    place: String,
    is_tls: bool,
}

impl std::fmt::Debug for AlertUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("AlertUrl").field(&self.place).finish()
    }
}

impl AlertUrl {
    /// `None` if nobody is to be told there.
    pub fn new(text: &str) -> Option<Self> {
        Self::parse(text).ok()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        let wrong = || Wrong::new("is no URL").help(EXAMPLE);
        if text.len() > URL_LEN_MAX {
            return Err(Wrong::new("is longer than 2048 bytes"));
        }
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let authority = uri.authority().ok_or_else(wrong)?;
        if authority.as_str().contains('@') {
            return Err(Wrong::new("holds a user's name or password").help("leave them out: alerts are signed"));
        }
        if text.contains('#') {
            return Err(Wrong::new("has a fragment, which is never sent").help("leave out what begins with `#`"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        ServerName::new(host).ok_or_else(wrong)?;
        let (is_tls, default_port): (bool, u16) = match uri.scheme_str() {
            Some("https") => (true, 443),
            Some("http") if is_loopback(host) => (false, 80),
            Some("http") => {
                let help = "only to this host itself may it be `http://`: an alert says which credentials are exposed";
                return Err(Wrong::new("must begin with `https://`").help(help));
            }
            _ => return Err(Wrong::new("must begin with `https://`").help(EXAMPLE)),
        };
        let port = match authority.as_str()[authority.host().len()..].strip_prefix(':') {
            Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?,
            None => default_port,
        };
        let place = format!("{}:{port}", authority.host());
        Ok(Self { text: text.to_owned(), place, is_tls })
    }

    /// All of it.
    pub(in crate::agent) fn text(&self) -> &str {
        &self.text
    }

    /// Its host and port.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Whether it begins with `https://`.
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_encrypted_or_stays_here_is_taken() {
        for (text, place) in [
            ("https://soc.example/hook?key=1", "soc.example:443"),
            ("HTTPS://192.0.2.1:8443", "192.0.2.1:8443"),
            ("https://[2001:db8::1]/x", "[2001:db8::1]:443"),
            ("http://localhost:9/x", "localhost:9"),
            ("http://127.0.0.2/x", "127.0.0.2:80"),
            ("http://[::1]:81/", "[::1]:81"),
        ] {
            assert_eq!(AlertUrl::new(text).unwrap_or_else(|| panic!("{text}")).place(), place);
        }
        for text in [
            "",
            "soc.example/hook",
            "/hook",
            "http://soc.example/hook",
            "http://192.0.2.1/hook",
            "http://localhost.example/hook",
            "http://127.0.0.1.example/hook",
            "http://[::ffff:192.0.2.1]/",
            "ftp://127.0.0.1/",
            "https://user:hunter2@soc.example/hook",
            "http://127.0.0.1@soc.example/",
            "https:///hook",
            "https://soc.example:0/",
            "https://soc.example:/",
            "https://soc.example:99999/",
            "https://soc.example/a b",
            "https://soc.example/#part",
            "https://soc.example/\r\nHost: other",
        ] {
            assert!(AlertUrl::new(text).is_none(), "{text}");
        }
    }

    #[test]
    fn of_an_address_only_the_host_is_shown() {
        assert_eq!(format!("{:?}", AlertUrl::new("https://a.example/hunter2")), "Some(AlertUrl(\"a.example:443\"))");
    }
}
