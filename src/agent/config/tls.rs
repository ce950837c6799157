//! `tls.*` of sources and sinks

use super::diagnostics::Problem;
use super::keys;
use super::section::{Section, Text};
use super::values::Wrong;
use super::{Identity, ServerName, TlsClient, TlsServer};
use std::path::{Path, PathBuf};

const CRT_EXAMPLE: &str = r#"tls.crt_file = "/etc/beartrap/tls/tls.crt""#;
const KEY_EXAMPLE: &str = r#"tls.key_file = "/etc/beartrap/tls/tls.key""#;

/// The TLS of a source, if it is on.
pub(super) fn server(section: &Section<'_>, base: &Path) -> Option<TlsServer> {
    let tls = enabled(section, keys::TLS_SOURCE)?;
    tls.require("crt_file", CRT_EXAMPLE);
    tls.require("key_file", KEY_EXAMPLE);
    let ca_file = file(&tls, "ca_file", base);
    let (crt_file, key_file) = (file(&tls, "crt_file", base)?, file(&tls, "key_file", base)?);
    Some(TlsServer { identity: Identity { crt_file, key_file }, ca_file })
}

/// The TLS of a sink, if it is on.
pub(super) fn client(section: &Section<'_>, address: &Text<'_>, base: &Path) -> Option<TlsClient> {
    let tls = enabled(section, keys::TLS_SINK)?;
    if tls.has("crt_file") || tls.has("key_file") {
        tls.require("crt_file", CRT_EXAMPLE);
        tls.require("key_file", KEY_EXAMPLE);
    }
    let files = file(&tls, "crt_file", base).zip(file(&tls, "key_file", base));
    let server_name = match tls.string("server_name") {
        Some(name) => tls.checked("server_name", &name, server_name(name.text))?,
        None => {
            let host = address.text.rsplit_once(':').map_or(address.text, |(host, _)| host);
            let host = host.trim_start_matches('[').trim_end_matches(']');
            section.checked("address", address, server_name(host))?
        }
    };
    Some(TlsClient {
        identity: files.map(|(crt_file, key_file)| Identity { crt_file, key_file }),
        ca_file: file(&tls, "ca_file", base),
        server_name,
    })
}

/// The keys of TLS, unless it is off.
fn enabled<'a>(section: &Section<'a>, keys: &[&str]) -> Option<Section<'a>> {
    let tls = section.table("tls", "tls.")?;
    tls.check_keys(&[keys], |key| {
        keys::TLS_SINK.contains(&key).then(|| "it is a key of sinks, whose peer has the name".to_owned())
    });
    // Without it nobody could say whether plaintext is meant.
    tls.require("enabled", "tls.enabled = true");
    tls.boolean("enabled")?.then_some(tls)
}

fn file(tls: &Section<'_>, key: &str, base: &Path) -> Option<PathBuf> {
    let text = tls.string(key)?;
    if text.text.contains("-----BEGIN") {
        let message = format!("{} must be the path of a file", tls.quote(key));
        tls.report.add(Problem::at(&text.span, message).help("write the PEM text to a file that only you may read"));
        return None;
    }
    tls.path(key, &text, base)
}

fn server_name(name: &str) -> Result<ServerName, Wrong> {
    ServerName::new(name).ok_or_else(|| {
        Wrong::new("is no name that a certificate can be for")
            .help("set `tls.server_name` to a DNS name or an IP address in the peer's certificate")
    })
}
