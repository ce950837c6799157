//! Authorities, the certificates that they sign, and the files that these are kept in.

use beartrap::agent::config::{Identity, ServerName, TlsClient, TlsServer};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion, version};

/// The name that certificates are for where a test has no other.
pub const NAME: &str = "collector.example";

pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new([]).expect("valid");
        let key = KeyPair::generate().expect("a key");
        // A name of its own: no certificate may only seem to come from it.
        let name: String = key.public_key_raw()[1..9].iter().map(|byte| format!("{byte:02x}")).collect();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages.push(KeyUsagePurpose::KeyCertSign);
        Self(CertifiedIssuer::self_signed(params, key).expect("signed"))
    }

    pub fn sign(&self) -> Signed {
        self.sign_with(NAME, |_| {})
    }

    pub fn sign_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Signed {
        let mut params = CertificateParams::new([name.to_owned()]).expect("a valid name");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("signed");
        Signed { pem: certificate.pem(), der: certificate.der().clone(), key }
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    pub fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("a valid certificate");
        Arc::new(roots)
    }
}

/// A certificate that nobody but itself vouches for.
pub fn self_signed() -> Signed {
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new([NAME.to_owned()]).expect("valid").self_signed(&key).expect("signed");
    Signed { pem: certificate.pem(), der: certificate.der().clone(), key }
}

pub struct Signed {
    pub pem: String,
    pub der: CertificateDer<'static>,
    pub key: KeyPair,
}

impl Signed {
    fn chain(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).expect("PKCS #8");
        (vec![self.der.clone()], key)
    }
}

/// Writes a file that only its owner may read, under another name first: a reader never sees half of it.
pub fn write_private(path: &Path, text: &str) {
    let new = path.with_extension("new");
    let _ = std::fs::remove_file(&new);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).expect("created");
    std::io::Write::write_all(&mut file, text.as_bytes()).expect("written");
    std::fs::rename(new, path).expect("renamed");
}

/// A directory with what one side of TLS reads.
pub struct Files(tempfile::TempDir);

impl Files {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn put(&self, signed: &Signed) -> Identity {
        write_private(&self.path("tls.crt"), &signed.pem);
        write_private(&self.path("tls.key"), &signed.key.serialize_pem());
        Identity { crt_file: self.path("tls.crt"), key_file: self.path("tls.key") }
    }

    pub fn put_authority(&self, authority: &Authority) -> PathBuf {
        write_private(&self.path("ca.crt"), &authority.pem());
        self.path("ca.crt")
    }

    /// The TLS of a sink that trusts an authority.
    pub fn client(&self, authority: &Authority, signed: Option<&Signed>) -> TlsClient {
        let server_name = ServerName::new(NAME).expect("a name");
        TlsClient {
            identity: signed.map(|signed| self.put(signed)),
            ca_file: Some(self.put_authority(authority)),
            server_name,
        }
    }

    /// The TLS of a source; with an authority its clients need a certificate.
    pub fn server(&self, signed: &Signed, authority: Option<&Authority>) -> TlsServer {
        TlsServer { identity: self.put(signed), ca_file: authority.map(|authority| self.put_authority(authority)) }
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// A peer's server; with an authority it wants a certificate of it.
pub fn server_config(signed: &Signed, authority: Option<&Authority>) -> Arc<ServerConfig> {
    server_config_of(&[&version::TLS12, &version::TLS13], signed, authority)
}

pub fn server_config_of(
    versions: &[&'static SupportedProtocolVersion],
    signed: &Signed,
    authority: Option<&Authority>,
) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(versions).expect("versions");
    let (chain, key) = signed.chain();
    let builder = match authority {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(authority.roots(), provider()).build();
            builder.with_client_cert_verifier(verifier.expect("a verifier"))
        }
    };
    Arc::new(builder.with_single_cert(chain, key).expect("it fits"))
}

/// A peer's client, with a certificate or without.
pub fn client_config(authority: &Authority, signed: Option<&Signed>) -> Arc<ClientConfig> {
    client_config_of(&[&version::TLS12, &version::TLS13], authority, signed)
}

pub fn client_config_of(
    versions: &[&'static SupportedProtocolVersion],
    authority: &Authority,
    signed: Option<&Signed>,
) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(versions).expect("versions");
    let builder = builder.with_root_certificates(authority.roots());
    Arc::new(match signed {
        None => builder.with_no_client_auth(),
        Some(signed) => {
            let (chain, key) = signed.chain();
            builder.with_client_auth_cert(chain, key).expect("it fits")
        }
    })
}
