//! What is kept of tokens, as issuers write them and as an attacker may.

mod carriers;
mod hostile;
mod issuers;

use super::{Claims, Principal};
use crate::redact::{CleanBlock, Finding, Fingerprint, KeyRing, Options, Redaction, Redactor};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Two keys, the first one active.
fn keys() -> KeyRing {
    let digits = |digit: u8| vec![digit; 64];
    KeyRing::parse(&[digits(b'7'), digits(b'8')].join(&b'\n')).expect("64 digits are a key")
}

fn with(options: Options) -> Redaction {
    Redaction::new(keys(), options).expect("valid options")
}

fn redaction() -> Redaction {
    with(Options { claims: true, ..Options::default() })
}

/// A token whose signature is as long as its algorithm's, and random enough.
fn token(header: &str, payload: &str) -> String {
    let signature: String = URL_SAFE_NO_PAD.encode(payload).bytes().rev().cycle().take(43).map(char::from).collect();
    format!("{}.{}.{signature}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
}

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT","kid":"k1"}"#;

fn find(redaction: &Redaction, text: &[u8]) -> Vec<Finding> {
    Redactor::new(redaction).redact(text).findings
}

/// Takes and reads what is kept of a token.
fn read(redaction: &Redaction, fingerprint: &Fingerprint) -> Option<Claims> {
    redaction.take_claims(fingerprint).map(|unread| redaction.read_claims(&unread))
}

/// What is kept of the one token in a text.
fn claims_in(text: &[u8]) -> Claims {
    let redaction = redaction();
    let findings = find(&redaction, text);
    assert_eq!(findings.len(), 1, "{}", String::from_utf8_lossy(text));
    read(&redaction, &findings[0].fingerprint).expect("a token says something of itself")
}

/// The claims of a token with this payload.
fn claims_of(payload: &str) -> Claims {
    claims_in(format!("got {} from\n", token(HEADER, payload)).as_bytes())
}

fn digest(name: &str, value: &str) -> Option<[u8; 16]> {
    Some(redaction().claim_digests(name, value.as_bytes())[0].1)
}

#[test]
fn without_the_option_there_are_none() {
    let redaction = with(Options::default());
    let findings = find(&redaction, token(HEADER, "{}").as_bytes());
    assert!(redaction.take_claims(&findings[0].fingerprint).is_none());
}

#[test]
fn claims_are_given_once_and_to_no_other() {
    let redaction = redaction();
    let text = [token(HEADER, r#"{"iss":"a"}"#), token(HEADER, r#"{"iss":"b"}"#)].join(" ");
    let findings = find(&redaction, text.repeat(2).as_bytes());
    let issuer = |index: usize| read(&redaction, &findings[index].fingerprint).map(|claims| claims.iss.unwrap());
    assert_eq!([issuer(1), issuer(0), issuer(0), issuer(1)].map(|name| name.unwrap_or_default()), ["b", "a", "", ""]);
    find(&redaction, text.as_bytes());
    assert_eq!(issuer(0), None, "what was taken is known");
}

#[test]
fn digests_of_claims_are_those_that_can_be_asked_for() {
    let all = redaction().claim_digests("jti", b"4711");
    assert_eq!(all.len(), 2, "one for each key");
    assert_eq!(all[0].0, redaction().key_id());
    assert_ne!(all[0].1, all[1].1);
    let claims = claims_of(r#"{"jti":4711,"sub":"4711"}"#);
    assert_eq!(claims.jti, Some(all[0].1));
    assert_ne!(claims.jti, claims.sub, "a claim's name is part of its digest");
    // They help in nothing else: a credential with the text of a claim has another digest.
    let long = "4711".repeat(8);
    assert_ne!(
        redaction().claim_digests("jti", long.as_bytes())[0].1,
        redaction().fingerprints(long.as_bytes())[0].digest
    );
}

#[test]
fn a_token_that_came_under_a_key_has_digests_of_that_key() {
    let redaction = redaction();
    let line = token(HEADER, r#"{"jti":"x"}"#);
    let (start, rest) = line.as_bytes().split_at(60);
    let mut redactor = Redactor::new(&redaction);
    let mut block = CleanBlock::new();
    redactor.push(start, &mut block);
    let second_first = [[b'8'; 64], [b'7'; 64]].join(&b'\n');
    redaction.replace_keys(KeyRing::parse(&second_first).unwrap());
    redactor.push(rest, &mut block);
    redactor.end_record(&mut block);
    let fingerprint = redactor.findings()[0].fingerprint;
    let claims = read(&redaction, &fingerprint).unwrap();
    let digests = redaction.claim_digests("jti", b"x");
    assert_eq!((fingerprint.key_id, claims.jti), (digests[1].0, Some(digests[1].1)));
    // A key that is gone gives no digest.
    let mut redactor = Redactor::new(&redaction);
    redactor.push(start, &mut block);
    redaction.replace_keys(KeyRing::parse(&[b'9'; 64]).unwrap());
    redactor.push(rest, &mut block);
    redactor.end_record(&mut block);
    let claims = read(&redaction, &redactor.findings()[0].fingerprint).unwrap();
    assert!(claims.jti.is_none() && claims.has_payload);
}

#[test]
fn credentials_that_stay_have_none() {
    let line = token(HEADER, r#"{"iss":"a"}"#);
    let fingerprint = redaction().fingerprints(line.as_bytes())[0];
    let digest = format!("{:032x}", u128::from_be_bytes(fingerprint.digest));
    let redaction = with(Options { claims: true, allow_fingerprints: vec![digest], ..Options::default() });
    for text in [line.clone(), URL_SAFE_NO_PAD.encode(format!("authorization: Bearer {line}\n"))] {
        assert!(find(&redaction, text.as_bytes()).is_empty());
        assert!(redaction.take_claims(&fingerprint).is_none());
    }
    // Nor has what is only asked about.
    redaction.fingerprints(line.as_bytes());
    assert!(redaction.take_claims(&fingerprint).is_none());
}
