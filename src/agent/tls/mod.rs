//! TLS for the TCP source and the TCP sink: what new connections use, made from files that are read again.
//!
//! ```text
//! files ── Files ──▶ rustls' configuration ──▶ Fresh ──▶ new connections
//!   ▲                                            │
//!   └───────── every 30 s and on SIGHUP ─────────┘
//! ```
//!
//! There is no way to take a connection without TLS where it is configured, and none to skip a check.

mod client;
mod files;
mod fresh;
mod server;

pub(super) use client::{Connector, Stream as ClientStream, accepted};
use files::Files;
pub(super) use files::TlsError;
pub(super) use fresh::Fresh;
pub(super) use server::Accept;

use super::config::{Config, Sink, SinkKind, SourceKind, TcpSink, TlsClient, TlsServer};
use super::failure::Failure;
use std::path::Path;
use std::sync::Arc;
pub(super) use tokio_rustls::rustls::client::ClientConfig;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::CertificateDer;
pub(super) use tokio_rustls::rustls::server::ServerConfig;
use tokio_rustls::rustls::server::{StoresServerSessions, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::SingleCertAndKey;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ConfigBuilder, ConfigSide, SupportedProtocolVersion, WantsVerifier};

/// What one connection holds for TLS at most: records that are cut, a handshake's message, records to be sent.
pub(super) const CONNECTION_BYTES: usize = 256 << 10;

const VERSIONS: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];

/// Loads what a source uses.
pub(super) fn of_source(tls: &TlsServer) -> Result<Fresh<ServerConfig>, TlsError> {
    let tls = tls.clone();
    Fresh::new(move || server(&tls))
}

/// Loads what the sinks use, in their order.
pub(super) fn of_sinks(config: &Config) -> Result<Vec<Option<Fresh<ClientConfig>>>, Failure> {
    let load = |sink: &Sink| match &sink.kind {
        SinkKind::Tcp(TcpSink { tls: Some(tls), .. }) => {
            let tls = tls.clone();
            Fresh::new(move || client(&tls)).map(Some).map_err(|error| Failure::sink(&sink.name, "tls", error.into()))
        }
        _ => Ok(None),
    };
    config.sinks.iter().map(load).collect()
}

/// Reads the files of all sources and sinks once, and says what is wrong with them.
pub(super) fn problems(config: &Config) -> Vec<String> {
    let sources = config.sources.iter().filter_map(|source| {
        let SourceKind::Tcp(tcp) = &source.kind else { return None };
        let error = server(tcp.tls.as_ref()?).err()?;
        Some(format!("source `{}`: {error}", source.name))
    });
    let sinks = config.sinks.iter().filter_map(|sink| {
        let SinkKind::Tcp(tcp) = &sink.kind else { return None };
        let error = client(tcp.tls.as_ref()?).err()?;
        Some(format!("sink `{}`: {error}", sink.name))
    });
    sources.chain(sinks).collect()
}

/// A configuration of rustls, and the digest of the files that it was made from.
pub(super) struct Loaded<C> {
    pub config: Arc<C>,
    pub digest: [u8; 32],
}

/// What a source uses.
fn server(tls: &TlsServer) -> Result<Loaded<ServerConfig>, TlsError> {
    let mut files = Files::default();
    let identity = files.identity(&tls.identity)?;
    let builder = versions(ServerConfig::builder_with_provider);
    let builder = match &tls.ca_file {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let roots = Arc::new(files.roots(Some(path))?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
            let wrong = |_| TlsError::new("tls.ca_file", path, "its certificates can't check those of clients");
            builder.with_client_cert_verifier(verifier.map_err(wrong)?)
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(identity)));
    config.session_storage = Arc::new(NoSessions);
    config.send_tls13_tickets = 1;
    Ok(Loaded { config: Arc::new(config), digest: files.digest() })
}

/// What a sink uses.
fn client(tls: &TlsClient) -> Result<Loaded<ClientConfig>, TlsError> {
    let mut files = Files::default();
    let builder = versions(ClientConfig::builder_with_provider);
    let builder = builder.with_root_certificates(files.roots(tls.ca_file.as_deref())?);
    let mut config = match &tls.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(files.identity(identity)?)))
        }
    };
    // A resumed session takes the peer's certificate as checked.
    config.resumption = Resumption::disabled();
    Ok(Loaded { config: Arc::new(config), digest: files.digest() })
}

/// The certificates of those whose word for an alert's receiver is taken.
pub(super) fn authorities(ca_file: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    Files::default().authorities("ca_file", ca_file)
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn versions<S: ConfigSide>(
    builder: impl FnOnce(Arc<CryptoProvider>) -> ConfigBuilder<S, tokio_rustls::rustls::WantsVersions>,
) -> ConfigBuilder<S, WantsVerifier> {
    builder(provider()).with_protocol_versions(VERSIONS).expect("the provider has suites for both versions")
}

/// Keeps no sessions: connections are long, and a resumed session takes the client's certificate as checked.
///
/// It says that it does, so that TLS 1.3 clients get a ticket: it tells them that their certificate was accepted.
#[derive(Debug)]
struct NoSessions;

impl StoresServerSessions for NoSessions {
    fn put(&self, _id: Vec<u8>, _session: Vec<u8>) -> bool {
        true
    }

    fn get(&self, _id: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn take(&self, _id: &[u8]) -> Option<Vec<u8>> {
        None
    }

    /// TLS 1.2, where a session's name has no such use.
    fn can_cache(&self) -> bool {
        false
    }
}
