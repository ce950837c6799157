//! JOSE headers in all the shapes that programs write.

use super::base64url;
use crate::random::Random;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// Members of a header: a name and the JSON of its value.
pub type Members = Vec<(&'static str, String)>;

/// The encoded header of a token with these members and random others, in a random order and layout.
pub fn encode(mut members: Members, random: &mut Random) -> String {
    let taken: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
    let mut others = others(random);
    others.retain(|(name, _)| !taken.contains(name));
    members.append(&mut others);
    // Most libraries write `alg` first, some sort by name.
    match random.below(3) {
        0 => {}
        1 => members.sort_by_key(|(name, _)| *name),
        _ => random.shuffle(&mut members),
    }
    base64url(layout(&members, random))
}

/// A header with exactly these members, compact and in this order.
pub fn plain(members: &[(&str, &str)]) -> String {
    let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    base64url(format!("{{{}}}", members.join(",")))
}

fn layout(members: &[(&str, String)], random: &mut Random) -> String {
    // What stands behind the opening brace, between name and value, between members, before the closing brace.
    let (open, colon, comma, close) = *random.pick(&[
        ("", ":", ",", ""),
        ("", ":", ",", ""),
        ("", ": ", ", ", ""),
        (" ", ": ", ", ", " "),
        ("\n  ", ": ", ",\n  ", "\n"),
        ("\r\n  ", ": ", ",\r\n  ", "\r\n"),
        ("\n\t", " : ", ",\n\t", "\n"),
        ("\t", ":\t", ",\t", "\t"),
        ("\r\n\t", ":", "\r\n\t,", "\r\n"),
    ]);
    let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\"{colon}{value}")).collect();
    // RFC 8259 §2 allows blanks before the object, too; nobody writes them, and no row promises them.
    format!("{{{open}{}{close}}}", members.join(comma))
}

const TYPES: &[&str] = &["JWT", "at+jwt", "dpop+jwt", "JOSE", "jwt", "secevent+jwt"];

fn others(random: &mut Random) -> Members {
    let mut members = Members::new();
    if !random.once_in(3) {
        members.push(("typ", quoted(TYPES[random.below(TYPES.len())])));
    }
    if !random.once_in(3) {
        let kid = match random.below(7) {
            0 => random.hex(40),
            1 => format!("{}-{}", random.hex(8), random.hex(4)),
            2 => base64url(random.bytes(20)),
            3 => "https://id.example.com/keys/1?v=2".to_owned(),
            4 => "schlüssel-ä1".to_owned(),
            5 => "k\\u00e9y\\/\\\"1\\\"".to_owned(),
            _ => "1".to_owned(),
        };
        members.push(("kid", quoted(&kid)));
    }
    match random.below(12) {
        0 => members.push(("cty", quoted("JWT"))),
        1 => members.push(("x5t#S256", quoted(&base64url(random.bytes(32))))),
        2 => members.push(("jku", quoted("https://id.example.com/jwks.json"))),
        3 => {
            let certificates: Vec<_> = (0..1 + random.below(2))
                .map(|_| {
                    let len = 500 + random.below(300);
                    quoted(&BASE64_STANDARD.encode([&[0x30, 0x82, 2, 0x11][..], &random.bytes(len)].concat()))
                })
                .collect();
            members.push(("x5c", format!("[{}]", certificates.join(","))));
        }
        4 => members.push(("jwk", public_key(random))),
        5 => members.push(("nonce", quoted(&base64url(random.bytes(16))))),
        6 => members.push(("iat", "1700000000".to_owned())),
        _ => {}
    }
    members
}

pub fn public_key(random: &mut Random) -> String {
    let (x, y) = (base64url(random.bytes(32)), base64url(random.bytes(32)));
    format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#)
}

pub fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}
