//! Whatever carries a token and however it is cut, what it says is the same.

use super::*;
use crate::codec::{Codec, Decoding, Framing, RecordStream};
use base64::engine::general_purpose::STANDARD;

const PAYLOAD: &str = r#"{"iss":"https://id.example/?a=~~","sub":"s","aud":"ü–","exp":1790000000,"jti":"ÿ?>"}"#;

fn plain() -> Claims {
    let claims = claims_in(token(HEADER, PAYLOAD).as_bytes());
    assert!(claims.has_payload && claims.exp.is_some());
    claims
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn every_carrier_and_encoding() {
    let jwt = token(HEADER, PAYLOAD);
    let standard = jwt.replace('-', "+").replace('_', "/");
    let dots = jwt.replace('.', "%2E");
    let quoted = serde_json::to_string(&format!(r#"{{"access_token":"{jwt}"}}"#)).unwrap();
    let hex: String = format!("Bearer {jwt}").bytes().map(|byte| format!("{byte:02x}")).collect();
    let wide: Vec<u8> = jwt.bytes().flat_map(|byte| [byte, 0]).collect();
    let wrapped = STANDARD.encode(format!("authorization: Bearer {jwt}\n"));
    for text in [
        format!("Authorization: Bearer {jwt}\n"),
        format!("GET /?access_token={jwt}&x=1 HTTP/1.1"),
        format!("Cookie: a=b; session={jwt}; c=d"),
        format!("Bearer {}", percent(&jwt)),
        format!("token {dots} ok"),
        format!("token {standard} ok"),
        format!(r#"{{"a":"{}"}}"#, jwt.replace('.', r"\u002e")),
        format!(r#"{{"message":{quoted}}}"#),
        format!("body={} ", STANDARD.encode(format!(r#"{{"token":"{jwt}"}}"#))),
        format!("body={wrapped}"),
        format!("body={}", STANDARD.encode(&jwt)),
        format!("raw {hex} end"),
        format!("two lines \\n{jwt}\\nend"),
        format!("https://user:{jwt}@host/"),
        format!("curl -u user:{jwt} https://host/"),
    ] {
        assert_eq!(claims_in(text.as_bytes()), plain(), "{text}");
    }
    assert_eq!(claims_in(&wide), plain());
    let two = format!("{} {}", token(HEADER, r#"{"iss":"other"}"#), jwt);
    let redaction = redaction();
    let findings = find(&redaction, two.as_bytes());
    assert_eq!(read(&redaction, &findings[1].fingerprint).unwrap(), plain());
}

#[test]
fn records_of_json() {
    let jwt = token(HEADER, PAYLOAD);
    for line in [
        format!(r#"{{"access_token":"{jwt}"}}"#),
        format!(r#"{{"m":"Bearer {}"}}"#, jwt.replace('e', r"\u0065")),
        format!(r#"{{"m":{}}}"#, serde_json::to_string(&format!(r#"{{"token":"{jwt}"}}"#)).unwrap()),
        format!("not JSON: {jwt}"),
    ] {
        let redaction = redaction();
        let decoding = Decoding {
            framing: Framing::NewlineDelimited,
            codec: Codec::Json,
            max_record_bytes: 1 << 20,
            whole_records: true,
        };
        let mut stream = RecordStream::new(&redaction, decoding);
        stream.push(format!("{line}\n").as_bytes(), &mut CleanBlock::new()).unwrap();
        let fingerprint = redaction.fingerprints(jwt.as_bytes())[0];
        assert_eq!(stream.counts().total(), 1, "{line}");
        assert_eq!(read(&redaction, &fingerprint).as_ref(), Some(&plain()), "{line}");
    }
}

#[test]
fn however_the_input_is_cut() {
    let jwt = token(HEADER, PAYLOAD);
    let text = format!("a {jwt} b\nc {} d\n{}.", percent(&jwt), STANDARD.encode(format!("Bearer {jwt}")));
    let expected = plain();
    let check = |redaction: &Redaction, findings: &[Finding]| {
        assert_eq!(findings.len(), 3);
        let fingerprint = findings[0].fingerprint;
        assert!(findings.iter().all(|finding| finding.fingerprint == fingerprint));
        assert_eq!(read(redaction, &fingerprint).as_ref(), Some(&expected));
    };
    let whole = redaction();
    check(&whole, &find(&whole, text.as_bytes()));
    for len in [1, 2, 7, 64, text.len() - 1] {
        let (redaction, mut findings) = (redaction(), Vec::new());
        let mut redactor = Redactor::new(&redaction);
        let mut block = CleanBlock::new();
        for piece in text.as_bytes().chunks(len) {
            redactor.push(piece, &mut block);
            findings.extend_from_slice(redactor.findings());
        }
        redactor.end_record(&mut block);
        findings.extend_from_slice(redactor.findings());
        check(&redaction, &findings);
    }
    for len in [1, 5, 1000] {
        let (redaction, mut findings) = (redaction(), Vec::new());
        let mut redactor = Redactor::new(&redaction);
        for piece in text.as_bytes().chunks(len) {
            redactor.space()[..piece.len()].copy_from_slice(piece);
            redactor.filled(piece.len());
            findings.extend_from_slice(redactor.findings());
        }
        redactor.finish();
        findings.extend_from_slice(redactor.findings());
        check(&redaction, &findings);
    }
}

#[test]
fn tokens_of_other_kinds() {
    // Encrypted: its header only.
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RSA-OAEP","enc":"A256GCM","kid":"e1"}"#);
    // What would be a payload elsewhere is the encrypted key.
    let key = URL_SAFE_NO_PAD.encode(r#"{"iss":"nobody"}"#);
    let claims = claims_in(
        format!(
            "{header}.{key}.48V1_ALb6US04U3b.5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX.XFBoMYUZodetZdvTiFvSkQ"
        )
        .as_bytes(),
    );
    let expected = Claims { alg: Some("RSA-OAEP".into()), kid: Some("e1".into()), ..Claims::default() };
    assert_eq!(claims, expected);
    // Unsecured.
    let unsecured = format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), URL_SAFE_NO_PAD.encode(PAYLOAD));
    let claims = claims_in(format!("x {unsecured} y").as_bytes());
    assert_eq!((claims.alg.as_deref(), claims.exp), (Some("none"), plain().exp));
    // With disclosures and a token that binds a key: the issuer's payload.
    let disclosure = URL_SAFE_NO_PAD.encode(r#"["2GLC42sKQveCfGfryNRN9w","given_name","John"]"#);
    let binding = token(r#"{"alg":"HS256","typ":"kb+jwt"}"#, r#"{"iss":"wallet","nonce":"1","exp":1}"#);
    let claims = claims_in(format!("{}~{disclosure}~{binding} ", token(HEADER, PAYLOAD)).as_bytes());
    assert_eq!(claims, plain());
}

#[test]
fn jose_in_json() {
    let jwt = token(HEADER, PAYLOAD);
    let [header, payload, signature] = jwt.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let flat = format!(r#"{{"payload":"{payload}","protected":"{header}","signature":"{signature}"}}"#);
    let other_order = format!(r#"{{"protected":"{header}","signature":"{signature}","payload":"{payload}"}}"#);
    let general = format!(
        r#"{{"payload":"{payload}","signatures":[{{"protected":"{header}","signature":"{signature}"}},{{"protected":"{header}","signature":"{}"}}]}}"#,
        signature.to_lowercase()
    );
    let in_string = format!(r#"{{"message":{}}}"#, serde_json::to_string(&flat).unwrap());
    for text in [&flat, &other_order, &general, &in_string] {
        for len in [1, 50, text.len()] {
            let (redaction, mut findings) = (redaction(), Vec::new());
            let mut redactor = Redactor::new(&redaction);
            let mut block = CleanBlock::new();
            for piece in text.as_bytes().chunks(len) {
                redactor.push(piece, &mut block);
                findings.extend_from_slice(redactor.findings());
            }
            redactor.end_record(&mut block);
            findings.extend_from_slice(redactor.findings());
            assert!(findings.len() >= 2, "{text}");
            let claims: Vec<_> = findings.iter().filter_map(|finding| read(&redaction, &finding.fingerprint)).collect();
            assert_eq!(claims.len(), 1, "{text}: with the payload only");
            assert_eq!(claims[0], plain(), "{text}");
        }
    }
    // Encrypted: its header, once.
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"dir","enc":"A128GCM","kid":"e1"}"#);
    let text = format!(
        r#"{{"protected":"{header}","iv":"48V1_ALb6US04U3b","ciphertext":"5eym8TW_c8SuK0ltJ3rpYI","tag":"XFBoMYUZodetZdvTiFvSkQ"}}"#
    );
    let redaction = redaction();
    let findings = find(&redaction, text.as_bytes());
    let claims: Vec<_> = findings.iter().filter_map(|finding| read(&redaction, &finding.fingerprint)).collect();
    assert_eq!((claims.len(), claims[0].alg.as_deref(), claims[0].has_payload), (1, Some("dir"), false));
}

#[test]
fn tokens_that_were_cut() {
    let jwt = token(HEADER, PAYLOAD);
    let payload_end = jwt.rfind('.').unwrap();
    // The signature is cut: the payload is whole.
    assert_eq!(claims_in(&jwt.as_bytes()[..payload_end + 10]), plain());
    assert_eq!(claims_in(format!("{}...", &jwt[..payload_end]).as_bytes()), plain());
    // The payload is cut.
    let claims = claims_in(&jwt.as_bytes()[..payload_end - 20]);
    let expected = Claims { alg: plain().alg, kid: plain().kid, typ: plain().typ, ..Claims::default() };
    assert_eq!(claims, expected);
    // Glued to the next one.
    let redaction = redaction();
    let text = format!("{}{}", &jwt[..payload_end - 20], token(HEADER, r#"{"iss":"other"}"#));
    let findings = find(&redaction, text.as_bytes());
    assert_eq!(findings.len(), 2);
    assert_eq!(read(&redaction, &findings[0].fingerprint).unwrap(), expected);
    assert_eq!(read(&redaction, &findings[1].fingerprint).unwrap().iss.as_deref(), Some("other"));
}
