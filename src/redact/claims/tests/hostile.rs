//! Whoever can cause a log line can make up a token.

use super::*;
use crate::redact::CLAIM_BYTES_MAX;
use crate::rule_file::{self, OnUnsupported};
use std::time::{Duration, Instant};

#[test]
fn claims_that_hold_credentials() {
    let inner = token(HEADER, r#"{"iss":"inner"}"#);
    let payload = format!(
        r#"{{"iss":"x {inner} y","azp":"{inner}","aud":["https://u:hunter2secret@h/"],"scope":"a Bearer {inner}"}}"#
    );
    let redaction = redaction();
    let findings = find(&redaction, token(HEADER, &payload).as_bytes());
    let claims = read(&redaction, &findings[0].fingerprint).unwrap();
    let marker = redaction.fingerprints(inner.as_bytes())[0];
    assert_eq!(claims.iss, Some(format!("x {marker} y")));
    assert_eq!(claims.azp, Some(marker.to_string()));
    assert_eq!(claims.scope, Some(format!("a Bearer {marker}")));
    assert!(claims.aud[0].starts_with("https://u:redacted-basic-"), "{:?}", claims.aud);
    assert!(redaction.take_claims(&marker).is_none(), "of a token in a claim nothing is kept");
}

#[test]
fn header_parameters_that_hold_credentials() {
    let inner = token(HEADER, r#"{"iss":"inner"}"#);
    let claims =
        claims_in(token(&format!(r#"{{"alg":"HS256","kid":"{inner}","typ":"Bearer {inner}"}}"#), "{}").as_bytes());
    for text in [claims.kid, claims.typ] {
        assert!(text.as_ref().is_some_and(|text| text.contains("redacted-jwt-") && !text.contains("eyJ")), "{text:?}");
    }
}

#[test]
fn what_a_rule_finds_is_not_kept() {
    let rules = "[[rules]]\nid = 'vendor'\nregex = '''vnd_[a-z0-9]{16}'''\nkeywords = ['vnd_']\n";
    let rules = rule_file::parse("rules.toml", rules, OnUnsupported::Error).unwrap().rules;
    let redaction = with(Options { claims: true, rules, ..Options::default() });
    let line = format!("x {} y\n", token(HEADER, r#"{"iss":"a vnd_0123456789abcdef b"}"#));
    let findings = find(&redaction, line.as_bytes());
    let iss = read(&redaction, &findings[0].fingerprint).unwrap().iss.unwrap();
    assert!(iss.starts_with("a redacted-vendor-") && iss.ends_with(" b"), "{iss}");
}

#[test]
fn long_texts_are_cut_between_characters() {
    let claims = claims_of(&format!(r#"{{"iss":"{}","aud":"a{}"}}"#, "x".repeat(300), "ü".repeat(300)));
    assert_eq!(claims.iss, Some("x".repeat(CLAIM_BYTES_MAX)));
    assert_eq!(claims.aud[0], format!("a{}", "ü".repeat(127)));
    // A credential at the cut does not come through.
    let inner = token(HEADER, r#"{"iss":"inner"}"#);
    let claims = claims_of(&format!(r#"{{"iss":"{} {inner}"}}"#, "x".repeat(240)));
    assert!(
        claims.iss.as_ref().is_some_and(|iss| iss.len() == CLAIM_BYTES_MAX && iss[241..].starts_with("redacted-jwt-"))
    );
}

#[test]
fn control_characters_stay_for_each_output_to_escape() {
    let claims = claims_of(r#"{"iss":"\u001b[31m\u0000\r\n=1+1<img onerror=x>\u202e"}"#);
    assert_eq!(claims.iss.as_deref(), Some("\u{1b}[31m\0\r\n=1+1<img onerror=x>\u{202e}"));
}

#[test]
fn nesting_takes_no_stack() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let depth = 2000;
        let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
        for name in ["x", "aud", "scope", "exp", "cnf", "iss", "email"] {
            let claims = claims_of(&format!(r#"{{"{name}":{deep},"jti":"j"}}"#));
            assert_eq!(claims.jti, digest("jti", "j"), "{name} {open}");
        }
    }
    // A header that nests deeper than any is no header's; one that is not closed is read as far as it goes.
    let deep = format!(r#"{{"alg":"HS256","jwk":{}"#, "[".repeat(3000));
    assert_eq!(claims_in(token(&deep, "{}").as_bytes()).alg.as_deref(), Some("HS256"));
}

#[test]
fn payloads_that_are_none() {
    let header = URL_SAFE_NO_PAD.encode(HEADER);
    let cases: [&[u8]; 9] = [
        b"not json at all",
        b"[1]",
        b"\"text\"",
        b"{\"iss\":\"a\"} x",
        b"{\"iss\":\"a\"",
        b"{\"iss\":\"a\xff\"}",
        b"{\"iss\":\"a\",\"exp\":1e999}",
        b"{\"iss\":\"\\ud800\"}",
        b"\0\0\0\0",
    ];
    for payload in cases {
        let line = format!("x {header}.{}.{} y", URL_SAFE_NO_PAD.encode(payload), "aB3".repeat(15).split_at(43).0);
        let claims = claims_in(line.as_bytes());
        let expected =
            Claims { alg: Some("HS256".into()), kid: Some("k1".into()), typ: Some("JWT".into()), ..Claims::default() };
        assert_eq!(claims, expected, "{payload:?}");
    }
    // What is not kept need not be text.
    let line = format!("{header}.{}.{}", URL_SAFE_NO_PAD.encode(b"{\"x\":\"\xff\",\"iss\":\"a\"}"), "aB3".repeat(14));
    assert_eq!(claims_in(line.as_bytes()).iss.as_deref(), Some("a"));
}

#[test]
fn a_long_payload_is_not_read() {
    let long = |len: usize| format!(r#"{{"iss":"a","x":"{}"}}"#, "y".repeat(len));
    assert!(claims_of(&long(12_000)).has_payload);
    for len in [13_000, 1 << 20] {
        let claims = claims_of(&long(len));
        assert_eq!((claims.has_payload, claims.iss, claims.alg.as_deref()), (false, None, Some("HS256")));
    }
}

#[test]
fn many_texts_cost_linear_time() {
    // As much as a payload may hold of what makes the redactor look.
    let started = Instant::now();
    for text in ["eyJ", "Bearer ", "token=", "://a:b@", "ZXlK", "%65"] {
        let payload = format!(r#"{{"iss":"{}"}}"#, text.repeat(12_000 / text.len()));
        assert!(claims_of(&payload).has_payload, "{text}");
        let many = format!(r#"["{}"]"#, [text; 64].join("\",\""));
        assert!(claims_of(&format!(r#"{{"aud":{many},"scp":{many}}}"#)).has_payload);
    }
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}
