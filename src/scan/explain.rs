//! What was found in a text, why, and what was considered and rejected; never what it was.

use super::display::printable;
use super::lines::{Lines, Place};
use crate::redact::{Carrier, Clue, Explanation, Finding, Kind, Redaction, Redactor, Step, Verdict};
use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Value, json};

/// Explains the decisions on a text, a line each, in the order of their places.
pub fn explain(redaction: &Redaction, text: &[u8], as_json: bool) -> Vec<u8> {
    let Explanation { findings, steps } = redaction.explain(text);
    let lines = &Lines::of(text);
    let mut all: Vec<(u64, Line)> = Vec::new();
    let start = |step: &Step| if let Verdict::Found(start) = step.verdict { Some(start) } else { None };
    let found: Vec<_> = steps.iter().filter_map(|step| Some((start(step)?, step))).collect();
    for finding in &findings {
        // One step may have found several, in what it decoded.
        let before = found.partition_point(|(start, _)| *start <= finding.offset);
        let step = before.checked_sub(1).map(|index| found[index]);
        let step =
            step.filter(|(start, step)| *start == finding.offset || is_decoding(step.clue)).map(|(_, step)| step);
        all.push((finding.offset, Line::found(text, lines, finding, step)));
    }
    all.extend(steps.iter().filter_map(|step| Some((step.offset, Line::considered(text, lines, step)?))));
    all.sort_by_key(|(offset, _)| *offset);
    let mut out = Vec::new();
    for (_, Line { place, words, object }) in all {
        match as_json {
            true => out.extend_from_slice(object.to_string().as_bytes()),
            false => out.extend_from_slice(format!("{place}: {words}").as_bytes()),
        }
        out.push(b'\n');
    }
    if out.is_empty() && !as_json {
        out.extend_from_slice(b"nothing in it looks like any part of a credential\n");
    }
    // Names are shown as they stand in the text, and may be glued to something else.
    Redactor::new(redaction).redact(&out).clean
}

/// One line of the answer, in both forms.
struct Line {
    place: String,
    words: String,
    object: Value,
}

impl Line {
    fn found(text: &[u8], lines: &Lines, finding: &Finding, step: Option<&Step>) -> Self {
        let Finding { offset, len, fingerprint, complete, carrier, .. } = *finding;
        let (start, last, end) =
            (lines.place(offset), lines.place((offset + len).saturating_sub(1)), lines.place(offset + len));
        let place = match last.line == start.line {
            true => format!("{}:{}-{}", start.line, start.column, last.column),
            false => format!("{}:{}-{}:{}", start.line, start.column, last.line, last.column),
        };
        let (why, rows) = why(text, finding, step);
        let whole = if complete { "complete" } else { "cut" };
        let (kind, carrier) = (fingerprint.kind.name(), carrier.name());
        let rows_in_words = if rows.is_empty() { String::new() } else { format!(" (rows {rows})") };
        let words = format!("{kind} {fingerprint} {carrier}\n    {why}; {len} bytes, {whole}{rows_in_words}");
        let mut object = json!({
            "verdict": "found",
            "end_line": end.line,
            "end_column": end.column,
            "kind": kind,
            "marker": fingerprint.to_string(),
            "carrier": carrier,
            "complete": complete,
            "why": why,
            "rows": rows,
        });
        put(&mut object, start, offset, len);
        Self { place, words, object }
    }

    /// What was not found but looked at; `None` for what is told with a finding.
    fn considered(text: &[u8], lines: &Lines, step: &Step) -> Option<Self> {
        let (verdict, reason) = match step.verdict {
            Verdict::Found(_) => return None,
            Verdict::Marker => ("marker", "a marker stands where the credential was"),
            Verdict::NextLine => ("open", "the line ends where a credential should begin; the next one decides"),
            Verdict::Cookies => ("cookies", "the members of a cookie header are looked at one by one"),
            Verdict::Rejected(rejection) => ("rejected", rejection.reason()),
        };
        let start = lines.place(step.offset);
        let anchor = match step.clue {
            Clue::Cookie => "a cookie".to_owned(),
            _ => format!("`{}`", printable(slice(text, step.offset, step.len))),
        };
        let words = format!("{verdict} {anchor}: {reason}");
        let mut object = json!({ "verdict": verdict, "anchor": anchor.trim_matches('`'), "reason": reason });
        put(&mut object, start, step.offset, step.len);
        Some(Self { place: format!("{}:{}", start.line, start.column), words, object })
    }
}

fn put(object: &mut Value, place: Place, offset: u64, len: u64) {
    object["line"] = json!(place.line);
    object["column"] = json!(place.column);
    object["offset"] = json!(offset);
    object["len"] = json!(len);
}

fn slice(text: &[u8], offset: u64, len: u64) -> &[u8] {
    let range = offset as usize..(offset + len) as usize;
    text.get(range).unwrap_or_default()
}

/// Whether a step looks into something, so that what it found begins anywhere behind it.
fn is_decoding(clue: Clue) -> bool {
    matches!(clue, Clue::Object | Clue::Base64 | Clue::Hex | Clue::Escaped | Clue::Utf16)
}

/// Why it is a credential, and by which rows of `docs/coverage.md`.
fn why(text: &[u8], finding: &Finding, step: Option<&Step>) -> (String, &'static str) {
    let value = slice(text, finding.offset, finding.len);
    let token = jose(value, finding);
    if let (Carrier::Rule, Kind::Rule(_)) = (finding.carrier, finding.fingerprint.kind) {
        return (format!("the rule {} matches", finding.fingerprint.kind.name()), "");
    }
    let Some(step) = step else {
        return ("directly behind a credential or marker, in the same value".to_owned(), "A10");
    };
    let before = &text[..finding.offset as usize];
    let named = name(text, step, finding.offset);
    // What stands between the name and the credential.
    let between = memchr::memmem::rfind(before, named.as_bytes()).map_or(before, |at| &before[at + named.len()..]);
    let scheme = scheme(between).map_or_else(String::new, |scheme| format!(" and the scheme {scheme}"));
    let (context, rows) = match step.clue {
        Clue::Object if token.is_some() => (String::new(), "A1-A11"),
        Clue::Object => ("base64 of an object that is, or holds, a credential".to_owned(), "A15, C4"),
        Clue::Scheme => ("behind the scheme Bearer".to_owned(), "B3"),
        Clue::Authorization => (format!("behind the header name {named}{scheme}"), "B1, B2, B5, B8"),
        Clue::Name => (format!("behind the name {named}{}{scheme}", operator(between)), "B6, B7, B9, B10"),
        Clue::Cookie => {
            (format!("in a cookie header, behind the name {}", cookie_name(text, step, finding.offset)), "B12")
        }
        Clue::CookieHeader => ("in a cookie header".to_owned(), "B12"),
        Clue::NextLine => ("in the line behind one that ended where a credential should begin".to_owned(), "B10, B12"),
        Clue::Base64 => ("in what decodes from base64".to_owned(), "C4"),
        Clue::Hex => ("in what decodes from hexadecimal digits".to_owned(), "C6"),
        Clue::Escaped => ("in what decodes from percent, JSON or HTML escapes".to_owned(), "C1-C3"),
        Clue::Utf16 => ("in what decodes from UTF-16".to_owned(), "C8"),
        Clue::Tail => ("the rest of a token whose beginning is gone".to_owned(), "A14"),
        Clue::Authority => ("in the user part of a URL".to_owned(), "B13"),
        Clue::User => ("behind curl's option for user and password".to_owned(), "B9"),
        Clue::CookieJar => ("in a file of cookies".to_owned(), "B12"),
        Clue::JoseMember => ("a member of a JOSE object".to_owned(), "A13"),
        Clue::Paseto => ("behind the version and purpose of a PASETO".to_owned(), "A12"),
        Clue::Compressed => ("a session, compressed and signed".to_owned(), "A15"),
    };
    let parts: Vec<_> = [context, token.unwrap_or_default()].into_iter().filter(|part| !part.is_empty()).collect();
    (parts.join("; "), rows)
}

/// What the header of a token says, and how many parts there are. Neither is secret.
fn jose(value: &[u8], finding: &Finding) -> Option<String> {
    if !matches!(finding.fingerprint.kind, Kind::Jwt | Kind::Jwe) {
        return None;
    }
    let parts = value.split(|&byte| byte == b'.').count();
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let header = value.split(|&byte| byte == b'.').next().unwrap_or_default();
    let decoded = GeneralPurpose::new(&URL_SAFE, config).decode(header).unwrap_or_default();
    let header: Value = serde_json::from_slice(&decoded).unwrap_or_default();
    let algorithms: Vec<_> =
        ["alg", "enc"].into_iter().filter_map(|name| Some((name, algorithm(&header[name])?))).collect();
    if algorithms.is_empty() {
        return Some("a JOSE token".to_owned());
    }
    let algorithms: Vec<_> = algorithms.iter().map(|(name, value)| format!("{name} {value}")).collect();
    Some(format!("JOSE header with {}; {parts} parts", algorithms.join(" and ")))
}

/// The name of an algorithm, if it is one and not something smuggled in.
fn algorithm(value: &Value) -> Option<&str> {
    const LEN_MAX: usize = 24;
    value.as_str().filter(|name| {
        name.len() <= LEN_MAX && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-+_".contains(&byte))
    })
}

const NAME_LEN_MAX: usize = 64;

/// The name around an anchor, which ends before the credential.
fn name(text: &[u8], step: &Step, end: u64) -> String {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    // A credential may begin before what gave it away.
    let (offset, end) = (step.offset as usize, end.max(step.offset) as usize);
    let before = text[..offset].iter().rev().take(NAME_LEN_MAX).take_while(|byte| is_name(byte)).count();
    let behind = text[offset..end].iter().take(NAME_LEN_MAX).take_while(|byte| is_name(byte)).count();
    printable(&text[offset - before..offset + behind])
}

fn cookie_name(text: &[u8], step: &Step, end: u64) -> String {
    let member = text[step.offset as usize..end.max(step.offset) as usize].trim_ascii_start();
    let name = member.split(|&byte| byte == b'=').next().unwrap_or_default();
    printable(&name[..name.len().min(NAME_LEN_MAX)])
}

/// What separates the name from the value.
fn operator(between: &[u8]) -> &'static str {
    match between.iter().find(|byte| b"=:,>".contains(byte)) {
        Some(b'=') => " and `=`",
        Some(b':') => " and `:`",
        Some(b',') => " and `,`",
        Some(b'>') => " and the end of its tag",
        _ => "",
    }
}

/// The scheme directly before a credential.
fn scheme(before: &[u8]) -> Option<&'static str> {
    const SCHEMES: [&str; 10] =
        ["Bearer", "Basic", "Token", "ApiKey", "Api-Key", "DPoP", "JWT", "PoP", "GNAP", "Negotiate"];
    const GAP_LEN_MAX: usize = 16;
    let before = &before[before.len().saturating_sub(GAP_LEN_MAX + 9)..];
    let gap = before.iter().rev().take(GAP_LEN_MAX).take_while(|byte| !byte.is_ascii_alphanumeric()).count();
    // `Bearer%20X`
    let before = before.strip_suffix(b"%20").unwrap_or(&before[..before.len() - gap]);
    SCHEMES.into_iter().find(|scheme| {
        before.len() >= scheme.len() && before[before.len() - scheme.len()..].eq_ignore_ascii_case(scheme.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::{KeyRing, Options};

    const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.eUeApzM_gcYBF0PRFiRmlgpkBUxNoTsVlfWH2sAnqOQ";
    const TOKEN: &str = "mF_9.B5f-4.1JqMxyz";

    fn explained(text: &str, as_json: bool) -> String {
        let redaction = Redaction::new(KeyRing::parse(&[b'a'; 64]).unwrap(), Options::default()).unwrap();
        let out = String::from_utf8(explain(&redaction, text.as_bytes(), as_json)).unwrap();
        assert!(!out.contains(TOKEN) && !out.contains(&JWT[22..]), "{out}");
        out
    }

    #[test]
    fn the_reason_is_in_words() {
        for (text, place, why) in [
            (format!("got {JWT} back"), "1:5-96: jwt ", "    JOSE header with alg HS256; 3 parts; 92 bytes, complete"),
            (
                format!("x\nAuthorization: Bearer {TOKEN}"),
                "2:23-40: token ",
                "    behind the header name Authorization and the scheme Bearer; 18 bytes, complete",
            ),
            (format!("a?access_token={TOKEN}&x"), "1:16-33: token ", "    behind the name access_token and `=`; 18"),
            (
                format!("\"my_access_token\": \"{TOKEN}\""),
                "1:21-38: token ",
                "    behind the name my_access_token and `:`",
            ),
            (format!("got Bearer {TOKEN}"), "1:12-29: token ", "    behind the scheme Bearer; 18 bytes"),
            (
                format!("Cookie: a=b; session={TOKEN}"),
                "1:22-39: token ",
                "    in a cookie header, behind the name session; 18 bytes",
            ),
            (format!("Bearer {JWT}"), "1:8-99: jwt ", "    behind the scheme Bearer; JOSE header with alg HS256"),
            (format!("{JWT},{JWT}"), "1:94-185: jwt ", "    JOSE header with alg HS256; 3"),
        ] {
            let out = explained(&text, false);
            assert!(out.lines().any(|line| line.starts_with(place)), "{text}: {out}");
            assert!(out.lines().any(|line| line.starts_with(why)), "{text}: {out}");
        }
    }

    #[test]
    fn what_was_rejected_is_shown_by_its_anchor() {
        let out = explained("the token was eyJhIjoiYiIsImMiOiJkIn0 lost", false);
        assert!(out.contains("1:6: rejected `oken`: nothing separates the name from a value\n"), "{out}");
        assert!(out.contains("1:15: rejected `eyJ`: decodes to JSON without alg or enc\n"), "{out}");
        assert!(!out.contains("eyJh"), "{out}");
        assert_eq!(explained("plain", false), "nothing in it looks like any part of a credential\n");
    }

    #[test]
    fn json_has_the_same() {
        let out = explained(&format!("the token was\nBearer {TOKEN}"), true);
        let objects: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(objects.len(), 2, "{out}");
        assert_eq!((&objects[0]["verdict"], &objects[0]["anchor"]), (&json!("rejected"), &json!("oken")));
        assert_eq!((&objects[1]["verdict"], &objects[1]["line"]), (&json!("found"), &json!(2)));
        assert_eq!((&objects[1]["column"], &objects[1]["end_column"]), (&json!(8), &json!(26)));
    }
}
