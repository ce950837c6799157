//! The secrets that alerts are signed with, and the signature: that of Standard Webhooks 1.0.0.

use crate::key_file::{self, Unreadable};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::path::Path;
use zeroize::Zeroizing;

/// Each secret is signed with; more than an old one and a new one are not needed.
const SECRETS_MAX: usize = 4;
const SECRET_BYTES_MIN: usize = 16;
const FILE_BYTES_MAX: usize = 4 << 10;
/// What stands before a secret in base64.
const PREFIX: &[u8] = b"whsec_";

/// The secrets of a file, one a line.
pub(super) struct Secrets(Vec<Zeroizing<Vec<u8>>>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

impl Secrets {
    /// Reads a file, for which holds what does for the key file.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn load(path: &Path) -> Result<Self, String> {
        let text = key_file::read_private(path, FILE_BYTES_MAX).map_err(|unreadable| match unreadable {
            Unreadable::Missing => "there is no such file".to_owned(),
            Unreadable::Refused(reason) => reason.to_owned(),
            Unreadable::TooLong => "it is over 4 KiB, too long for secrets".to_owned(),
            Unreadable::Io(error) => format!("can't read it: {error}"),
        })?;
        Self::parse(&text)
    }

    fn parse(text: &[u8]) -> Result<Self, String> {
        let lines = text.split(|byte| *byte == b'\n').map(|line| line.trim_ascii()).filter(|line| !line.is_empty());
        let secrets: Vec<_> = lines.map(secret).collect::<Result<_, _>>()?;
        match secrets.len() {
            0 => Err("it holds no secret".to_owned()),
            1..=SECRETS_MAX => Ok(Self(secrets)),
            _ => Err(format!("it holds more than {SECRETS_MAX} secrets, one a line")),
        }
    }

    /// The value of `webhook-signature`: one signature for each secret.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let signatures = self.0.iter().map(|secret| {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of every length");
            mac.update(format!("{id}.{timestamp}.").as_bytes());
            mac.update(body);
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

fn secret(line: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
    let secret = Zeroizing::new(match line.strip_prefix(PREFIX) {
        Some(base64) => STANDARD.decode(base64).map_err(|_| "what stands behind `whsec_` is no base64".to_owned())?,
        None => line.to_vec(),
    });
    if secret.len() < SECRET_BYTES_MIN {
        return Err(format!("it holds a secret of less than {SECRET_BYTES_MIN} bytes"));
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_standard() {
        // The example of the libraries of Standard Webhooks.
        let secrets = Secrets::parse(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let signature = secrets.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_secret_signs() {
        let secrets = Secrets::parse(b"0123456789abcdef\r\n\nwhsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = secrets.sign("a", 1, b"{}");
        let (first, second) = signature.split_once(' ').unwrap();
        assert!(first.starts_with("v1,") && second.starts_with("v1,") && first != second);
    }

    #[test]
    fn what_is_no_secret_is_refused_without_showing_it() {
        for (text, why) in [
            (&b"\n \n"[..], "no secret"),
            (b"hunter2", "less than 16"),
            (b"whsec_aHVudGVyMg==", "less than 16"),
            (b"whsec_hunter2!", "no base64"),
            (
                b"0123456789abcdef\n0123456789abcdef\n0123456789abcdef\n0123456789abcdef\n0123456789abcdef",
                "more than 4",
            ),
        ] {
            let error = Secrets::parse(text).unwrap_err();
            assert!(error.contains(why) && !error.contains("hunter2"), "{error}");
        }
    }
}
