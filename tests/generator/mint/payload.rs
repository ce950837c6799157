//! What tokens carry.

use super::base64url;
use crate::random::Random;
use miniz_oxide::deflate::compress_to_vec;

/// A payload of any shape, never empty.
pub fn any(random: &mut Random) -> Vec<u8> {
    match random.below(8) {
        0 => {
            let len = 1 + random.below(200);
            random.bytes(len)
        }
        1 => compress_to_vec(claims(random).as_bytes(), 6),
        2 => pretty(&claims(random)).into_bytes(),
        _ => claims(random).into_bytes(),
    }
}

/// A claims set (RFC 7519 §4).
pub fn claims(random: &mut Random) -> String {
    let mut members = vec![
        format!(r#""sub":"{}""#, random.hex(12)),
        format!(r#""jti":"{}""#, base64url(random.bytes(12))),
        format!(r#""exp":{}"#, 1_800_000_000 + random.below(100_000_000)),
    ];
    let others = [
        r#""iss":"https://id.example.com/realms/shop""#.to_owned(),
        r#""aud":["api","https://orders.example.com"]"#.to_owned(),
        r#""name":"Zoë Ångström-Łukasiewicz""#.to_owned(),
        format!(r#""groups":["{}"]"#, (0..5).map(|_| random.hex(9)).collect::<Vec<_>>().join("\",\"")),
        format!(r#""cnf":{{"jkt":"{}"}}"#, base64url(random.bytes(32))),
        r#""scope":"openid profile email","nested":{"a":[1,2,{"b":null}]}"#.to_owned(),
    ];
    members.extend(others.into_iter().filter(|_| random.once_in(2)));
    random.shuffle(&mut members);
    format!("{{{}}}", members.join(","))
}

fn pretty(claims: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(claims).expect("claims are JSON");
    serde_json::to_string_pretty(&value).expect("a value is JSON")
}
