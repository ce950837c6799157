//! Credentials that are no JOSE: opaque tokens, and sessions that frameworks sign.

use super::Credential;
use super::jws::mac;
use crate::random::Random;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use beartrap::Kind;
use hmac::Hmac;
use rsa::sha2::Sha256;

pub fn token(random: &mut Random, make: fn(&mut Random) -> String) -> Credential {
    let text = make(random);
    Credential::new(Kind::Token, text.clone(), &[&text])
}

pub fn hex(random: &mut Random) -> String {
    let len = *random.pick(&[24, 32, 40, 64]);
    random.hex(len - 1) + "7"
}

pub fn uuid(random: &mut Random) -> String {
    let groups = [8, 4, 4, 4, 12].map(|len| random.hex(len));
    groups.join("-")
}

/// Random letters and digits always show that they are: there is one of each kind.
pub fn base64(random: &mut Random) -> String {
    let len = 18 + random.below(48);
    BASE64_STANDARD.encode([b"\xd3\x5d\x35".to_vec(), random.bytes(len)].concat())
}

pub fn base64url(random: &mut Random) -> String {
    let len = 18 + random.below(48);
    super::base64url([b"\xd3\x5d\x35".to_vec(), random.bytes(len)].concat())
}

/// All characters of RFC 6750 §2.1.
pub fn token68(random: &mut Random) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";
    let len = 20 + random.below(40);
    let middle: String = (0..len).map(|_| char::from(*random.pick(alphabet))).collect();
    format!("m9X{middle}q2{}", random.pick(&["", "", "=", "=="]))
}

pub fn prefixed(random: &mut Random) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let (prefix, len) = *random.pick(&[
        ("ghp_", 36),
        ("gho_", 36),
        ("glpat-", 20),
        ("xoxb-1234567890-", 24),
        ("ya29.a0Af", 60),
        ("sk-", 48),
        ("sk_live_", 24),
        ("npm_", 36),
        ("hvs.", 24),
        ("dop_v1_", 64),
    ]);
    let body: String = (0..len - 2).map(|_| char::from(*random.pick(alphabet))).collect();
    format!("{prefix}4{body}9")
}

pub fn basic(random: &mut Random) -> Credential {
    let text = BASE64_STANDARD.encode(format!("svc-{}:{}", random.hex(4), base64(random)));
    // What could be guessed has no digest of its own.
    let mut basic = Credential::new(Kind::Basic, text.clone(), &[&text]);
    basic.fingerprinted = Some(format!("Basic {text}"));
    basic
}

/// The form alone: what is encrypted can't be told from what is random.
pub fn paseto_local(random: &mut Random) -> Credential {
    let version = *random.pick(&["v1", "v2", "v3", "v4"]);
    let len = 80 + random.below(120);
    let body = super::base64url(random.bytes(len));
    Credential::new(Kind::Token, format!("{version}.local.{body}"), &[&body])
}

pub fn flask(random: &mut Random) -> Credential {
    let json = format!(r#"{{"_fresh":true,"_user_id":"{}","csrf":"{}"}}"#, random.below(9999), random.hex(20));
    let timestamp = super::base64url(1_800_000_000u32.wrapping_add(random.below(1 << 20) as u32).to_be_bytes());
    let signed = format!("{}.{timestamp}", super::base64url(json));
    let signature = super::base64url(mac::<Hmac<sha1::Sha1>>(&random.bytes(20), signed.as_bytes()));
    session(format!("{signed}.{signature}"))
}

pub fn django(random: &mut Random) -> Credential {
    let json = format!(r#"{{"_auth_user_id":"{}","_auth_user_hash":"{}"}}"#, random.below(9999), random.hex(40));
    let body = super::base64url(json);
    let timestamp = format!("1r{}", &super::base64url(random.bytes(3)));
    let signature = super::base64url(mac::<Hmac<Sha256>>(&random.bytes(32), format!("{body}:{timestamp}").as_bytes()));
    session(format!("{body}:{timestamp}:{signature}"))
}

pub fn laravel(random: &mut Random) -> Credential {
    let (iv, value) = (BASE64_STANDARD.encode(random.bytes(16)), BASE64_STANDARD.encode(random.bytes(96)));
    let mac = random.hex(64);
    // Slashes are escaped in it, as PHP's encoder writes them.
    let json = format!(r#"{{"iv":"{iv}","value":"{value}","mac":"{mac}","tag":""}}"#).replace('/', "\\/");
    session(BASE64_STANDARD.encode(json))
}

pub fn docker(random: &mut Random) -> Credential {
    let json = format!(
        r#"{{"username":"ci-{}","password":"{}","serveraddress":"registry.example.com"}}"#,
        random.hex(4),
        base64(random)
    );
    session(BASE64_STANDARD.encode(json))
}

pub fn grafana(random: &mut Random) -> Credential {
    let json = format!(r#"{{"k":"{}","n":"ci-{}","id":1}}"#, random.hex(32), random.hex(4));
    session(BASE64_STANDARD.encode(json))
}

fn session(text: String) -> Credential {
    let secrets: Vec<&str> = text.split(['.', ':']).filter(|part| !part.is_empty()).collect();
    let mut session = Credential::new(Kind::Token, text.clone(), &[]);
    session.secrets = secrets.iter().map(|secret| secret.as_bytes().to_vec()).collect();
    session
}
