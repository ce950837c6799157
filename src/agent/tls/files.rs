//! Certificates and keys from their files, in PEM. Errors name the key of the configuration and the file, never what is
//! in it.

use super::super::config::Identity;
use crate::key_file::{self, Unreadable};
use memchr::memmem;
use sha2::{Digest, Sha256};
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::rustls::crypto::ring::sign::any_supported_type;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{Error as RustlsError, InconsistentKeys, RootCertStore};
use zeroize::Zeroizing;

/// The largest key that anybody uses, RSA with 16384 bits, is a quarter of it.
const KEY_BYTES_MAX: usize = 64 << 10;
/// All authorities that browsers know are a twentieth of it.
const CERTIFICATES_BYTES_MAX: usize = 4 << 20;

/// Why TLS can't be set up.
#[derive(Debug)]
pub(in super::super) struct TlsError {
    key: &'static str,
    path: Option<PathBuf>,
    why: String,
}

impl TlsError {
    pub fn new(key: &'static str, path: &Path, why: impl Into<String>) -> Self {
        Self { key, path: Some(path.to_owned()), why: why.into() }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "`{}` {}: {}", self.key, path.display(), self.why),
            None => write!(f, "`{}` is not set, and {}", self.key, self.why),
        }
    }
}

impl std::error::Error for TlsError {}

impl From<TlsError> for std::io::Error {
    fn from(error: TlsError) -> Self {
        Self::new(std::io::ErrorKind::InvalidInput, error)
    }
}

/// Reads the files of one configuration, and keeps a digest of all that it has read: whether something has changed.
#[derive(Default)]
pub(super) struct Files(Sha256);

impl Files {
    pub fn digest(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    /// A certificate with its chain, and the key that belongs to it.
    pub fn identity(&mut self, identity: &Identity) -> Result<Arc<CertifiedKey>, TlsError> {
        let crt_wrong = |why: &str| TlsError::new("tls.crt_file", &identity.crt_file, why);
        let key_wrong = |why: &str| TlsError::new("tls.key_file", &identity.key_file, why);
        let chain = self.certificates("tls.crt_file", &identity.crt_file)?;
        let key = self.private_key(&identity.key_file)?;
        let signing = any_supported_type(&key).map_err(|_| key_wrong("its key is neither RSA, ECDSA nor Ed25519"))?;
        let certified = CertifiedKey::new(chain, signing);
        match certified.keys_match() {
            Ok(()) | Err(RustlsError::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(Arc::new(certified)),
            Err(RustlsError::InconsistentKeys(_)) => {
                Err(key_wrong("it does not belong to the first certificate in `tls.crt_file`"))
            }
            Err(_) => Err(crt_wrong("its first certificate is not valid X.509")),
        }
    }

    /// The authorities that a peer's certificate may come from: those of a file, else those of the system.
    pub fn roots(&mut self, ca_file: Option<&Path>) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.authorities("tls.ca_file", ca_file)?);
        Ok(roots)
    }

    /// Their certificates, all of them usable; `key` is what the configuration calls the file.
    pub fn authorities(
        &mut self,
        key: &'static str,
        ca_file: Option<&Path>,
    ) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let is_usable = |certificate: &CertificateDer<'_>| RootCertStore::empty().add(certificate.clone()).is_ok();
        let Some(path) = ca_file else {
            let mut found = rustls_native_certs::load_native_certs().certs;
            found.iter().for_each(|certificate| self.0.update(certificate));
            // Systems carry certificates that nobody can use any more.
            found.retain(|certificate| is_usable(certificate));
            if found.is_empty() {
                let why = "the system has no certificates of authorities".to_owned();
                return Err(TlsError { key, path: None, why });
            }
            return Ok(found);
        };
        let found = self.certificates(key, path)?;
        if !found.iter().all(is_usable) {
            return Err(TlsError::new(key, path, "it holds a certificate that is not valid X.509"));
        }
        Ok(found)
    }

    fn certificates(&mut self, key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let wrong = |why: String| TlsError::new(key, path, why);
        let text = read(path).map_err(wrong)?;
        self.0.update(&text);
        let found: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&text).collect();
        let found = found.map_err(|error| wrong(broken(&error)))?;
        if found.is_empty() {
            let is_der = text.starts_with(&[0x30, 0x82]);
            let why = if is_der { "it is in DER form, and PEM is needed" } else { "it holds no certificate in PEM" };
            return Err(wrong(why.to_owned()));
        }
        Ok(found)
    }

    fn private_key(&mut self, path: &Path) -> Result<Secret, TlsError> {
        let wrong = |why: String| TlsError::new("tls.key_file", path, why);
        let text = key_file::read_private(path, KEY_BYTES_MAX).map_err(|unreadable| wrong(explain(unreadable)))?;
        self.0.update(&*text);
        match PrivateKeyDer::from_pem_slice(&text) {
            Ok(key) => Ok(Zeroizing::new(key)),
            Err(pem::Error::NoItemsFound) if memmem::find(&text, b"-----BEGIN ENCRYPTED").is_some() => {
                Err(wrong("its key has a passphrase; one without is needed".to_owned()))
            }
            Err(pem::Error::NoItemsFound) => Err(wrong("it holds no private key in PEM".to_owned())),
            Err(error) => Err(wrong(broken(&error))),
        }
    }
}

type Secret = Zeroizing<PrivateKeyDer<'static>>;

/// The words of the parser hold lines of the file.
fn broken(error: &pem::Error) -> String {
    let what = match error {
        pem::Error::MissingSectionEnd { .. } => "a block has no end",
        pem::Error::IllegalSectionStart { .. } => "a block has no proper beginning",
        _ => "a block is not valid base64",
    };
    format!("it is not valid PEM: {what}")
}

fn explain(unreadable: Unreadable) -> String {
    match unreadable {
        Unreadable::Missing => "there is no such file".to_owned(),
        Unreadable::Refused(reason) => reason.to_owned(),
        Unreadable::TooLong => "it is over 64 KiB, too long for a key".to_owned(),
        Unreadable::Io(error) => format!("can't read it: {error}"),
    }
}

/// Reads a file that is no secret, but must not be anybody's to change.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    let read = key_file::open_without_waiting(path).and_then(|file| {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(Some("it is no regular file"));
        }
        if std::os::unix::fs::MetadataExt::mode(&metadata) & 0o002 != 0 {
            return Ok(Some("others may write to it; take that away with chmod o-w"));
        }
        file.take(CERTIFICATES_BYTES_MAX as u64 + 1).read_to_end(&mut text)?;
        Ok((text.len() > CERTIFICATES_BYTES_MAX).then_some("it is over 4 MiB"))
    });
    match read {
        Ok(None) => Ok(text),
        Ok(Some(refused)) => Err(refused.to_owned()),
        Err(error) => Err(explain(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn put(&self, name: &str, text: impl AsRef<[u8]>, mode: u32) -> PathBuf {
            let path = self.0.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            path
        }

        /// What is said of a certificate and its key.
        fn identity(&self, crt: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Result<(), String> {
            let (crt_file, key_file) = (self.put("tls.crt", crt, 0o644), self.put("tls.key", key, 0o600));
            let loaded = Files::default().identity(&Identity { crt_file, key_file });
            loaded.map(|_| ()).map_err(|error| error.to_string())
        }
    }

    fn pair(algorithm: &'static rcgen::SignatureAlgorithm) -> (String, String) {
        let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let certificate = rcgen::CertificateParams::new(["a.example".to_owned()]).unwrap().self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    #[test]
    fn a_pair_that_fits_is_taken() {
        let folder = Folder::new();
        for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519] {
            let (crt, key) = pair(algorithm);
            assert_eq!(folder.identity(&crt, &key), Ok(()));
            // Text around the blocks is what `openssl` writes there.
            assert_eq!(folder.identity(format!("subject=a\r\n{crt}"), key.replace('\n', "\r\n")), Ok(()));
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_what_is_in_the_file() {
        let folder = Folder::new();
        let (crt, key) = pair(&rcgen::PKCS_ECDSA_P256_SHA256);
        let (_, other) = pair(&rcgen::PKCS_ECDSA_P256_SHA256);
        let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let block = |kind: &str, inside: &str| format!("-----BEGIN {kind}-----\n{inside}\n-----END {kind}-----\n");
        let hunter2 = "aHVudGVyMg==";
        let cases = [
            (crt.clone(), other, "it does not belong to the first certificate in `tls.crt_file`"),
            (crt.clone(), encrypted, "passphrase"),
            (crt.clone(), crt.clone(), "no private key in PEM"),
            (crt.clone(), "hunter2".to_owned(), "no private key in PEM"),
            (crt.clone(), block("PRIVATE KEY", hunter2), "neither RSA, ECDSA nor Ed25519"),
            (crt.clone(), block("PRIVATE KEY", "hunter2!"), "not valid base64"),
            (crt.clone(), "-----BEGIN PRIVATE KEY-----\nhunter2".to_owned(), "no end"),
            (crt.clone(), "-----BEGIN hunter2\n".to_owned(), "no proper beginning"),
            (crt.clone(), "x".repeat(KEY_BYTES_MAX + 1), "over 64 KiB"),
            (key.clone(), key.clone(), "no certificate in PEM"),
            ("hunter2".to_owned(), key.clone(), "no certificate in PEM"),
            (block("CERTIFICATE", hunter2), key.clone(), "not valid X.509"),
            (block("CERTIFICATE", "hunter2!"), key.clone(), "not valid base64"),
            ("x".repeat(CERTIFICATES_BYTES_MAX + 1), key.clone(), "over 4 MiB"),
        ];
        for (crt, key, reason) in cases {
            let error = folder.identity(crt, key).unwrap_err();
            assert!(error.contains(reason), "{reason}: {error}");
            assert!(error.starts_with("`tls.key_file` /") || error.starts_with("`tls.crt_file` /"), "{error}");
            assert!(!error.contains("hunter2") && !error.contains(hunter2), "{error}");
            // Nor as a list of bytes, or as one of them.
            let why = error.replace(folder.0.path().to_str().unwrap(), "");
            assert!(!why.contains("104, 117") && !why.contains("33"), "{error}");
        }
        let der = CertificateDer::from_pem_slice(crt.as_bytes()).unwrap();
        assert!(folder.identity(der, &key).unwrap_err().contains("DER"));
    }

    #[test]
    fn files_that_others_can_reach_are_refused() {
        let folder = Folder::new();
        let (crt, key) = pair(&rcgen::PKCS_ECDSA_P256_SHA256);
        for (crt_mode, key_mode, reason) in [
            (0o644, 0o644, "others have access to it"),
            (0o644, 0o660, "its group may write to it"),
            (0o646, 0o600, "others may write to it"),
        ] {
            let identity = Identity {
                crt_file: folder.put("tls.crt", &crt, crt_mode),
                key_file: folder.put("tls.key", &key, key_mode),
            };
            let error = Files::default().identity(&identity).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        let authority = folder.put("ca.crt", &crt, 0o666);
        assert!(Files::default().roots(Some(&authority)).is_err());
    }

    #[test]
    fn missing_files_and_folders_are_named() {
        let folder = Folder::new();
        let error = Files::default().roots(Some(&folder.0.path().join("none"))).unwrap_err().to_string();
        assert!(error.ends_with("none: there is no such file"), "{error}");
        let error = Files::default().roots(Some(folder.0.path())).unwrap_err().to_string();
        assert!(error.ends_with("it is no regular file"), "{error}");
    }

    #[test]
    fn only_another_text_gives_another_digest() {
        let folder = Folder::new();
        let digest = |text: &str| {
            let path = folder.put("ca.crt", text, 0o644);
            let mut files = Files::default();
            files.roots(Some(&path)).unwrap();
            files.digest()
        };
        let (one, two) = (pair(&rcgen::PKCS_ED25519).0, pair(&rcgen::PKCS_ED25519).0);
        assert_eq!(digest(&one), digest(&one));
        assert_ne!(digest(&one), digest(&two));
    }
}
