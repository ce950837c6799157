//! Encrypted tokens (RFC 7516, algorithms of RFC 7518).

use super::header::{Members, encode, quoted};
use super::jws::{Keys, mac};
use super::{Credential, base64url, payload};
use crate::random::Random;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_kw::AesKw;
use beartrap::Kind;
use hmac::Hmac;
use miniz_oxide::deflate::compress_to_vec;
use p256::elliptic_curve::sec1::ToSec1Point;
use rsa::sha2::{Digest, Sha256, Sha384, Sha512};

/// How content is encrypted, and the length of its key.
const ENCRYPTIONS: &[(&str, usize)] = &[
    ("A128GCM", 16),
    ("A192GCM", 24),
    ("A256GCM", 32),
    ("A128CBC-HS256", 32),
    ("A192CBC-HS384", 48),
    ("A256CBC-HS512", 64),
];

pub fn token(alg: &str, keys: &Keys, random: &mut Random) -> Credential {
    let (enc, key_len) = *random.pick(ENCRYPTIONS);
    let mut members: Members = vec![("alg", quoted(alg)), ("enc", quoted(enc))];
    let (key, encrypted_key) = content_key(alg, enc, key_len, &mut members, keys, random);
    let mut plaintext = payload::claims(random).into_bytes();
    if random.once_in(4) {
        plaintext = compress_to_vec(&plaintext, 6);
        members.push(("zip", quoted("DEF")));
    }
    let header = encode(members, random);
    let (iv, ciphertext, tag) = encrypted(enc, &key, &plaintext, header.as_bytes(), random);
    let parts = [encrypted_key, iv, ciphertext, tag].map(base64url);
    Credential::compact(Kind::Jwe, format!("{header}.{}", parts.join(".")))
}

/// The key that the content is encrypted with, and how the receiver is told.
fn content_key(
    alg: &str,
    enc: &str,
    len: usize,
    members: &mut Members,
    keys: &Keys,
    random: &mut Random,
) -> (Vec<u8>, Vec<u8>) {
    let key = random.bytes(len);
    match alg {
        "dir" => (key, Vec::new()),
        "RSA-OAEP" => {
            let encrypted = keys.rsa.to_public_key().oaep_encrypt_with_rng::<sha1::Sha1, _>(random, &key);
            (key, encrypted.expect("a key is short enough"))
        }
        "RSA-OAEP-256" => {
            let encrypted = keys.rsa.to_public_key().oaep_encrypt_with_rng::<Sha256, _>(random, &key);
            (key, encrypted.expect("a key is short enough"))
        }
        "A128KW" => {
            let wrapped = wrap(&keys.secret[..16], &key);
            (key, wrapped)
        }
        "A256KW" => {
            let wrapped = wrap(&keys.secret[..32], &key);
            (key, wrapped)
        }
        "ECDH-ES" => (agreed(enc, len, members, keys, random), Vec::new()),
        "ECDH-ES+A256KW" => {
            let wrapped = wrap(&agreed(alg, 32, members, keys, random), &key);
            (key, wrapped)
        }
        "PBES2-HS256+A128KW" => {
            let salt = random.bytes(16);
            members.extend([("p2s", quoted(&base64url(&salt))), ("p2c", "100".to_owned())]);
            // RFC 7518 §4.8.1.1.
            let salt = [alg.as_bytes(), &[0], &salt].concat();
            let mut derived = [0; 16];
            pbkdf2::pbkdf2_hmac::<Sha256>(&keys.secret, &salt, 100, &mut derived);
            let wrapped = wrap(&derived, &key);
            (key, wrapped)
        }
        _ => unreachable!("{alg} is no algorithm of the table"),
    }
}

/// RFC 3394.
fn wrap(key: &[u8], content_key: &[u8]) -> Vec<u8> {
    const KNOWN: &str = "lengths are those of the algorithm";
    let mut wrapped = vec![0; content_key.len() + 8];
    let len = match key.len() {
        16 => AesKw::<aes::Aes128>::new_from_slice(key).expect(KNOWN).wrap_key(content_key, &mut wrapped),
        _ => AesKw::<aes::Aes256>::new_from_slice(key).expect(KNOWN).wrap_key(content_key, &mut wrapped),
    };
    let len = len.expect(KNOWN).len();
    wrapped.truncate(len);
    wrapped
}

/// A key agreed with an ephemeral one on P-256 (RFC 7518 §4.6).
fn agreed(alg: &str, len: usize, members: &mut Members, keys: &Keys, random: &mut Random) -> Vec<u8> {
    let ephemeral = p256::SecretKey::from_slice(&random.array::<32>()).expect("a random number is a key");
    let point = ephemeral.public_key().to_sec1_point(false);
    let point = point.as_bytes();
    let (x, y) = (base64url(&point[1..33]), base64url(&point[33..65]));
    members.push(("epk", format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#)));
    let shared = p256::ecdh::diffie_hellman(ephemeral.to_nonzero_scalar(), keys.p256.public_key().as_affine());
    // The Concat KDF of NIST SP 800-56A with empty party names.
    let mut derived = Vec::new();
    for round in 1u32.. {
        if derived.len() >= len {
            break;
        }
        let mut digest = Sha256::new();
        digest.update(round.to_be_bytes());
        digest.update(shared.raw_secret_bytes());
        digest.update((alg.len() as u32).to_be_bytes());
        digest.update(alg);
        digest.update([0; 8]);
        digest.update((len as u32 * 8).to_be_bytes());
        derived.extend(digest.finalize());
    }
    derived.truncate(len);
    derived
}

fn encrypted(
    enc: &str,
    key: &[u8],
    plaintext: &[u8],
    header: &[u8],
    random: &mut Random,
) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    match enc {
        "A128GCM" => gcm::<aes_gcm::Aes128Gcm>(key, plaintext, header, random),
        "A192GCM" => gcm::<aes_gcm::AesGcm<aes::Aes192, aes::cipher::consts::U12>>(key, plaintext, header, random),
        "A256GCM" => gcm::<aes_gcm::Aes256Gcm>(key, plaintext, header, random),
        "A128CBC-HS256" => cbc::<cbc::Encryptor<aes::Aes128>>(mac::<Hmac<Sha256>>, key, plaintext, header, random),
        "A192CBC-HS384" => cbc::<cbc::Encryptor<aes::Aes192>>(mac::<Hmac<Sha384>>, key, plaintext, header, random),
        _ => cbc::<cbc::Encryptor<aes::Aes256>>(mac::<Hmac<Sha512>>, key, plaintext, header, random),
    }
}

/// RFC 7518 §5.3.
fn gcm<C: AeadInOut + KeyInit>(
    key: &[u8],
    plaintext: &[u8],
    header: &[u8],
    random: &mut Random,
) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let cipher = C::new_from_slice(key).expect("the key is as long as its cipher's");
    let iv = random.bytes(12);
    let mut text = plaintext.to_vec();
    let nonce = iv.as_slice().try_into().expect("twelve bytes are a nonce");
    let tag = cipher.encrypt_inout_detached(nonce, header, text.as_mut_slice().into()).expect("a short text");
    (iv, text, tag.to_vec())
}

/// RFC 7518 §5.2: encrypt, then authenticate.
fn cbc<C: BlockModeEncrypt + KeyIvInit>(
    mac: fn(&[u8], &[u8]) -> Vec<u8>,
    key: &[u8],
    plaintext: &[u8],
    header: &[u8],
    random: &mut Random,
) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let (mac_key, cipher_key) = key.split_at(key.len() / 2);
    let iv = random.bytes(16);
    let cipher = C::new_from_slices(cipher_key, &iv).expect("the key is as long as its cipher's");
    let text = cipher.encrypt_padded_vec::<Pkcs7>(plaintext);
    let header_bits = (header.len() as u64 * 8).to_be_bytes();
    let mut tag = mac(mac_key, &[header, &iv, &text, &header_bits].concat());
    tag.truncate(mac_key.len());
    (iv, text, tag)
}
