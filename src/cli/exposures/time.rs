//! Times as they are typed, and as people read them.

use super::super::exit::{Exit, Failure};
use jiff::{SignedDuration, Timestamp};

/// A time in RFC 3339, or a span before now.
pub(super) fn parse(option: &str, text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    let wrong = || {
        let why =
            "must be a time such as 2026-03-01T12:00:00Z, or a span of the last so many s, m, h, d or w such as 24h";
        Failure::new(Exit::Usage, format_args!("{option} {why}"))
    };
    if let Some(span) = span(text) {
        return now.checked_sub(span).map_err(|_| wrong());
    }
    text.parse().map_err(|_| wrong())
}

fn span(text: &str) -> Option<SignedDuration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        "w" => 7 * 24 * 60 * 60,
        _ => return None,
    };
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(SignedDuration::from_secs(number.parse::<i64>().ok()?.checked_mul(seconds)?))
}

/// To the second.
pub(super) fn display(at: Timestamp) -> String {
    format!("{at:.0}")
}

/// The two largest units of a length in seconds.
pub(super) fn length(seconds: i64) -> String {
    let sign = if seconds < 0 { "-" } else { "" };
    let mut rest = seconds.unsigned_abs();
    let mut parts = Vec::new();
    for (unit, len) in [("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)] {
        if rest >= len || (len == 1 && parts.is_empty()) {
            parts.push(format!("{} {unit}", rest / len));
            rest %= len;
        } else if !parts.is_empty() {
            break;
        }
        if parts.len() == 2 {
            break;
        }
    }
    format!("{sign}{}", parts.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_spans_are_read() {
        let now: Timestamp = "2026-03-08T12:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("24h", Some("2026-03-07T12:00:00Z")),
            ("7d", Some("2026-03-01T12:00:00Z")),
            ("1w", Some("2026-03-01T12:00:00Z")),
            ("90m", Some("2026-03-08T10:30:00Z")),
            ("0s", Some("2026-03-08T12:00:00Z")),
            ("2026-03-01T13:00:00+01:00", Some("2026-03-01T12:00:00Z")),
            ("2026-03-01", None),
            ("h", None),
            ("", None),
            ("-5h", None),
            ("5 h", None),
            ("99999999999999999999d", None),
            ("9999999999999d", None),
            ("5\u{e4}", None),
        ] {
            let parsed = parse("--since", text, now).ok();
            assert_eq!(parsed, expected.map(|text| text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn lengths_have_two_units_at_most() {
        let read = [0, 59, 60, 3600, 90_061, -61, 86_400 * 30].map(length);
        assert_eq!(read, ["0 s", "59 s", "1 min", "1 h", "1 d 1 h", "-1 min 1 s", "30 d"]);
    }
}
