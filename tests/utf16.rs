//! Text in UTF-16 (row C8): it stays UTF-16, with a marker where the credential was.

mod support;

use beartrap::redact::Redactor;
use support::{mask_markers, pushed, redaction, tokens};

#[derive(Clone, Copy, Debug)]
enum Order {
    Little,
    Big,
}

fn encode(text: &str, order: Order) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units
        .flat_map(|unit| match order {
            Order::Little => unit.to_le_bytes(),
            Order::Big => unit.to_be_bytes(),
        })
        .collect()
}

fn decode(bytes: &[u8], order: Order) -> String {
    assert!(bytes.len().is_multiple_of(2), "half a character");
    let units: Vec<u16> = bytes
        .chunks(2)
        .map(|pair| match order {
            Order::Little => u16::from_le_bytes([pair[0], pair[1]]),
            Order::Big => u16::from_be_bytes([pair[0], pair[1]]),
        })
        .collect();
    String::from_utf16(&units).expect("it is UTF-16").trim_start_matches('\u{feff}').to_owned()
}

/// Text and what must come of it.
fn cases() -> Vec<(String, String)> {
    let tokens = tokens();
    let (jwt, hex) = (&tokens["hs256"], &tokens["hex40"]);
    let case = |text: &str| (text.replace("JWT", jwt).replace("HEX", hex), mask(text));
    [
        "JWT",
        "t=JWT",
        "GET /?t=JWT&x=1\r\nnext line\r\n",
        "Größe: Authorization: Bearer HEX und mehr\r\n",
        "{\"access_token\":\"HEX\",\"n\":1}\n{\"access_token\":\"JWT\"}\n",
        "a clean line about a bearer of news, and the next eye\r\n",
    ]
    .map(case)
    .into()
}

fn mask(text: &str) -> String {
    text.replace("JWT", "redacted-jwt-*").replace("HEX", "redacted-token-*")
}

#[test]
fn credentials_in_utf16_become_markers_in_utf16() {
    let redaction = redaction();
    for (text, expected) in cases() {
        for order in [Order::Little, Order::Big] {
            let input = encode(&text, order);
            let output = pushed(&redaction, input.chunks(input.len()));
            let shown = mask_markers(decode(&output, order).as_bytes());
            assert_eq!(String::from_utf8(shown).expect("text"), expected, "{order:?}");
            for piece in [1, 2, 3, 7] {
                assert_eq!(pushed(&redaction, input.chunks(piece)), output, "{order:?} in pieces of {piece}: {text}");
            }
            assert_eq!(pushed(&redaction, output.chunks(output.len())), output, "{order:?} twice: {text}");
        }
    }
}

#[test]
fn one_credential_has_one_digest_in_every_width() {
    let redaction = redaction();
    let text = format!("t={}", tokens()["hs256"]);
    let narrow = Redactor::new(&redaction).redact(text.as_bytes()).findings;
    for order in [Order::Little, Order::Big] {
        let wide = Redactor::new(&redaction).redact(&encode(&text, order)).findings;
        assert_eq!(wide.len(), 1, "{order:?}");
        assert_eq!(wide[0].fingerprint, narrow[0].fingerprint, "{order:?}");
    }
}
