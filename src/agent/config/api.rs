//! `[api]`

use super::Api;
use super::diagnostics::Problem;
use super::keys;
use super::section::{Section, Text};
use super::values::{self, Wrong};
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;

/// The API as it stands in the file, for checks that concern other sections too.
pub(super) struct FoundApi {
    pub api: Api,
    /// Where its addresses stand: the section's name for the default.
    pub address_spans: [Range<usize>; 2],
}

/// Reads the section.
pub(super) fn api(section: &Section<'_>, base: &Path) -> FoundApi {
    section.check_keys(&[keys::API], |_| None);
    let given = section.string("address");
    let health = section.string("health_address");
    let span_of = |text: &Option<Text<'_>>| text.as_ref().map_or(section.span.clone(), |text| text.span.clone());
    let address_spans = [span_of(&given), span_of(&health)];
    let listen = |key, text: &Option<Text<'_>>| section.listen_address(key, text.as_ref()?);
    let address = listen("address", &given);
    if let (Some(address), Some(text)) = (address, &given) {
        check_reach(section, address, text);
    }
    let hosts = section.strings("allowed_hosts").into_iter();
    let api = Api {
        address: address.unwrap_or(keys::API_ADDRESS),
        health_address: listen("health_address", &health),
        token_file: section.string("token_file").and_then(|text| section.path("token_file", &text, base)),
        allowed_hosts: hosts.filter_map(|text| section.checked("allowed_hosts", &text, host(text.text))).collect(),
        ready_requires_delivery: section.boolean("ready_requires_delivery").unwrap_or(false),
        max_connections: section.whole(&keys::API_MAX_CONNECTIONS),
        request_timeout: section.seconds(&keys::REQUEST_TIMEOUT),
    };
    FoundApi { api, address_spans }
}

/// What others can reach must know them.
fn check_reach(section: &Section<'_>, address: SocketAddr, text: &Text<'_>) {
    if !address.ip().is_loopback() && !section.has("token_file") {
        let message =
            "other hosts can reach this address, and there is no `token_file`: anybody could read the exposures";
        let help = "use a loopback address, or add `token_file = \"/etc/beartrap/api-token\"`; \
                    what only probes and Prometheus need may be on `health_address`, without a token";
        section.report.add(Problem::at(&text.span, message).help(help));
    }
}

/// A name that may stand in `Host`.
fn host(text: &str) -> Result<String, Wrong> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if text.len() <= values::HOST_LEN_MAX && text.bytes().all(allowed) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(Wrong::new("is no name of a host").help("names stand here without port and scheme: `logs.example`"))
    }
}
