//! Signed tokens: JWS (RFC 7515), SD-JWT (RFC 9901) and PASETO.

use super::header::{Members, encode, plain, public_key, quoted};
use super::{Credential, base64url, payload};
use crate::random::Random;
use beartrap::Kind;
use ed25519_dalek::Signer;
use hmac::{Hmac, KeyInit, Mac};
use rsa::sha2::{Sha256, Sha384, Sha512};

/// Fresh keys of each family.
pub struct Keys {
    pub secret: [u8; 64],
    pub rsa: rsa::PrivateKey,
    pub p256: p256::SecretKey,
    k256: k256::ecdsa::SigningKey,
    p384: p384::ecdsa::SigningKey,
    p521: p521::ecdsa::SigningKey,
    ed25519: ed25519_dalek::SigningKey,
}

impl Keys {
    pub fn new(random: &mut Random) -> Self {
        const LIKELY: &str = "a random number is a key";
        // The first bits of a number of 521 bits are zero.
        let mut number = random.array::<66>();
        number[0] = 0;
        Self {
            secret: random.array(),
            p256: p256::SecretKey::from_slice(&random.array::<32>()).expect(LIKELY),
            k256: k256::ecdsa::SigningKey::from_slice(&random.array::<32>()).expect(LIKELY),
            p384: p384::ecdsa::SigningKey::from_slice(&random.array::<48>()).expect(LIKELY),
            p521: p521::ecdsa::SigningKey::from_slice(&number).expect(LIKELY),
            ed25519: ed25519_dalek::SigningKey::from_bytes(&random.array()),
            rsa: rsa::PrivateKey::new(random, 2048).expect("a key of 2048 bits can be made"),
        }
    }

    fn sign(&self, alg: &str, text: &[u8], random: &mut Random) -> Vec<u8> {
        const LONG_ENOUGH: &str = "the key is long enough";
        match alg {
            "HS256" => mac::<Hmac<Sha256>>(&self.secret, text),
            "HS384" => mac::<Hmac<Sha384>>(&self.secret, text),
            "HS512" => mac::<Hmac<Sha512>>(&self.secret, text),
            "RS256" => self.rsa.pkcs1v15_sign::<Sha256>(text).expect(LONG_ENOUGH),
            "RS384" => self.rsa.pkcs1v15_sign::<Sha384>(text).expect(LONG_ENOUGH),
            "RS512" => self.rsa.pkcs1v15_sign::<Sha512>(text).expect(LONG_ENOUGH),
            "PS256" => self.rsa.pss_sign_with_rng::<Sha256, _>(random, text).expect(LONG_ENOUGH),
            "PS384" => self.rsa.pss_sign_with_rng::<Sha384, _>(random, text).expect(LONG_ENOUGH),
            "PS512" => self.rsa.pss_sign_with_rng::<Sha512, _>(random, text).expect(LONG_ENOUGH),
            "ES256" => {
                let signature: p256::ecdsa::Signature = p256::ecdsa::SigningKey::from(&self.p256).sign(text);
                signature.to_bytes().to_vec()
            }
            "ES256K" => {
                let signature: k256::ecdsa::Signature = self.k256.sign(text);
                signature.to_bytes().to_vec()
            }
            "ES384" => {
                let signature: p384::ecdsa::Signature = self.p384.sign(text);
                signature.to_bytes().to_vec()
            }
            "ES512" => {
                let signature: p521::ecdsa::Signature = self.p521.sign(text);
                signature.to_bytes().to_vec()
            }
            "EdDSA" => self.ed25519.sign(text).to_bytes().to_vec(),
            "none" => Vec::new(),
            _ => unreachable!("{alg} is no algorithm of the table"),
        }
    }
}

pub fn mac<M: Mac + KeyInit>(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("any length will do");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

pub fn token(alg: &str, keys: &Keys, random: &mut Random) -> Credential {
    let mut members: Members = vec![("alg", quoted(alg))];
    if random.once_in(6) {
        members.insert(0, ("jwk", public_key(random)));
    }
    // A detached or unencoded payload (RFC 7515 appendix F, RFC 7797); without a signature nothing would be secret.
    let is_detached = alg != "none" && random.once_in(10);
    if is_detached && random.once_in(2) {
        members.extend([("b64", "false".to_owned()), ("crit", "[\"b64\"]".to_owned())]);
    }
    let payload = match random.below(12) {
        0 => token(if alg == "none" { "HS256" } else { alg }, keys, random).text.into_bytes(),
        _ => payload::any(random),
    };
    let header = encode(members, random);
    let text = signed(&header, &base64url(payload), alg, keys, random);
    let text = match text.split('.').collect::<Vec<_>>()[..] {
        [header, _, signature] if is_detached => format!("{header}..{signature}"),
        _ => text,
    };
    Credential::compact(Kind::Jwt, text)
}

fn signed(header: &str, payload: &str, alg: &str, keys: &Keys, random: &mut Random) -> String {
    let input = format!("{header}.{payload}");
    let signature = keys.sign(alg, input.as_bytes(), random);
    format!("{input}.{}", base64url(signature))
}

/// Signed, with disclosures and at times a key binding (RFC 9901 §4).
pub fn sd_jwt(keys: &Keys, random: &mut Random) -> Credential {
    let alg = *random.pick(&["ES256", "EdDSA", "HS256", "ES384"]);
    let header = encode(vec![("alg", quoted(alg)), ("typ", quoted("dc+sd-jwt"))], random);
    let mut text = signed(&header, &base64url(payload::claims(random)), alg, keys, random);
    for _ in 0..1 + random.below(4) {
        let (salt, value) = (base64url(random.bytes(16)), random.hex(10));
        let name = *random.pick(&["given_name", "email", "address", "birthdate"]);
        let disclosure = match random.below(3) {
            // Of an array's element.
            0 => format!(r#"["{salt}","{value}"]"#),
            1 => format!(r#"["{salt}", "{name}", {{"locality": "Köln", "code": "{value}"}}]"#),
            _ => format!(r#"["{salt}","{name}","{value}"]"#),
        };
        text += &format!("~{}", base64url(disclosure));
    }
    text.push('~');
    if random.once_in(2) {
        let header = plain(&[("alg", "\"ES256\""), ("typ", "\"kb+jwt\"")]);
        let payload =
            format!(r#"{{"nonce":"{}","aud":"https://v.example","iat":1800000000}}"#, base64url(random.bytes(9)));
        text += &signed(&header, &base64url(payload), "ES256", keys, random);
    }
    let mut sd_jwt = Credential::compact(Kind::Jwt, text);
    // The header of the key binding is the same in all tokens of a wallet.
    sd_jwt.secrets.retain(|secret| !secret.starts_with(b"eyJhbGciOiJFUzI1NiIsInR5cCI6ImtiK2p3dCJ9"));
    sd_jwt
}

/// Cut by a limit on lines, in the payload or the signature. The digest of a part is not that of the whole.
pub fn cut(keys: &Keys, random: &mut Random) -> Credential {
    let header = encode(vec![("alg", quoted("HS256"))], random);
    let text = signed(&header, &base64url(payload::claims(random)), "HS256", keys, random);
    let len = header.len() + 1 + 16 + random.below(text.len() - header.len() - 18);
    // A dot at the end may be that of a sentence.
    let cut = Credential::compact(Kind::Jwt, text[..len].trim_end_matches('.').to_owned());
    Credential { fingerprinted: None, ..cut }
}

/// Longer than any line or buffer likes.
pub fn long(keys: &Keys, random: &mut Random) -> Credential {
    let groups: Vec<_> = (0..100 + random.below(400)).map(|_| quoted(&random.hex(12))).collect();
    let payload = format!(r#"{{"sub":"{}","groups":[{}]}}"#, random.hex(8), groups.join(","));
    let header = encode(vec![("alg", quoted("RS256"))], random);
    Credential::compact(Kind::Jwt, signed(&header, &base64url(payload), "RS256", keys, random))
}

/// Versions 2 and 4, with Ed25519 over the pre-authentication encoding.
pub fn paseto_public(keys: &Keys, random: &mut Random) -> Credential {
    let version = *random.pick(&["v2.public.", "v4.public."]);
    let message = payload::claims(random).into_bytes();
    let footer = if random.once_in(2) { format!(r#"{{"kid":"{}"}}"#, random.hex(8)) } else { String::new() };
    let mut pieces = vec![version.as_bytes(), &message, footer.as_bytes()];
    if version.starts_with("v4") {
        pieces.push(b""); // the implicit assertion
    }
    let mut input = (pieces.len() as u64).to_le_bytes().to_vec();
    for piece in pieces {
        input.extend((piece.len() as u64).to_le_bytes());
        input.extend(piece);
    }
    let body = base64url([message, keys.ed25519.sign(&input).to_bytes().to_vec()].concat());
    let footer = if footer.is_empty() { footer } else { format!(".{}", base64url(footer)) };
    let text = format!("{version}{body}{footer}");
    Credential::new(Kind::Token, text, &[&body])
}
