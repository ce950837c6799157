//! The time of a record that is a JSON object: a member of the object itself, not of what is in it.

use super::record_time::{iso, likely};
use jiff::Timestamp;
use memchr::memchr2;

/// So far an object is read.
const OBJECT_LEN_MAX: usize = 4 << 10;

/// Whether a member with this name says when its record was written.
pub(super) fn is_time_name(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 8] =
        [b"time", b"timestamp", b"ts", b"@timestamp", b"@t", b"datetime", b"eventTime", b"event_time"];
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// The time of an object, by the first of its members that says one.
pub(super) fn find(object: &[u8]) -> Option<Timestamp> {
    let object = &object[..object.len().min(OBJECT_LEN_MAX)];
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = object.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth <= 1 => return None,
            b'}' | b']' => depth -= 1,
            b'"' => {
                let start = at;
                at = string_end(object, start)? + 1;
                if depth == 1
                    && is_time_name(&object[start..at - 1])
                    && let Some(value) = object[at..].trim_ascii_start().strip_prefix(b":")
                    && let Some(time) = value_time(value.trim_ascii_start())
                {
                    return Some(time);
                }
            }
            _ => {}
        }
    }
    None
}

/// Where the string ends whose first byte is here.
fn string_end(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        at += memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// The time that a value says: a text with a zone, or a number of seconds or their thousandths, millionths, billionths since 1970.
fn value_time(value: &[u8]) -> Option<Timestamp> {
    if let Some(text) = value.strip_prefix(b"\"") {
        let text = &text[..string_end(text, 0)?];
        return match iso(text) {
            Some((time, len)) => (len == text.len()).then_some(time),
            None => epoch(text),
        };
    }
    let len = value.iter().take_while(|byte| byte.is_ascii_digit() || b".eE+-".contains(byte)).count();
    // A number that is cut is another one.
    if len < value.len() { epoch(&value[..len]) } else { None }
}

/// A number since 1970. Which unit it counts follows from how large it is: all of these years lie between 2000 and 5138.
fn epoch(number: &[u8]) -> Option<Timestamp> {
    const SECONDS_MAX: f64 = 1e11;
    if number.len() > 32 || !number.first()?.is_ascii_digit() {
        return None;
    }
    let text = std::str::from_utf8(number).ok()?;
    if let Ok(whole) = text.parse::<i64>() {
        let mut unit = 1_000_000_000;
        let mut limit = SECONDS_MAX as i64;
        while whole >= limit && unit > 1 {
            unit /= 1000;
            limit = limit.saturating_mul(1000);
        }
        return likely(Timestamp::from_nanosecond(i128::from(whole) * unit).ok()?);
    }
    let mut seconds = text.parse::<f64>().ok()?;
    let mut units = 3;
    while seconds >= SECONDS_MAX && units > 0 {
        seconds /= 1000.0;
        units -= 1;
    }
    // To the microsecond: a number of this size has no more.
    likely(Timestamp::from_microsecond((seconds * 1e6).round() as i64).ok()?)
}

#[cfg(test)]
mod tests {
    use super::super::record_time::record_time;

    fn time(line: &str) -> Option<String> {
        record_time(line.as_bytes()).map(|time| time.to_string())
    }

    #[test]
    fn members_in_all_forms() {
        for (line, expected) in [
            (r#"{"time":"2026-11-28T10:25:40Z"}"#, "2026-11-28T10:25:40Z"),
            (r#"{"level":"info","timestamp":"2026-11-28T10:25:40.5+01:00","m":1}"#, "2026-11-28T09:25:40.5Z"),
            (r#" { "@timestamp" : "2026-11-28 10:25:40 +0000" }"#, "2026-11-28T10:25:40Z"),
            (r#"{"@t":"2026-11-28T10:25:40Z"}"#, "2026-11-28T10:25:40Z"),
            (
                r#"{"log":"2020-01-01T00:00:00Z x\n","stream":"stdout","time":"2026-11-28T10:25:40.1Z"}"#,
                "2026-11-28T10:25:40.1Z",
            ),
            (r#"{"level":30,"time":1700000000123,"pid":1}"#, "2023-11-14T22:13:20.123Z"),
            (r#"{"ts":1700000000,"x":1}"#, "2023-11-14T22:13:20Z"),
            (r#"{"ts":1700000000.25}"#, "2023-11-14T22:13:20.25Z"),
            (r#"{"ts":1.70000000025e+09}"#, "2023-11-14T22:13:20.25Z"),
            (r#"{"ts":1700000000123456}"#, "2023-11-14T22:13:20.123456Z"),
            (r#"{"ts":1700000000123456789}"#, "2023-11-14T22:13:20.123456789Z"),
            (r#"{"ts":1700000000123.5}"#, "2023-11-14T22:13:20.1235Z"),
            (r#"{"timestamp":"1700000000123"}"#, "2023-11-14T22:13:20.123Z"),
            (
                r#"{"a":{"time":1},"b":[{"time":"2020-01-01T00:00:00Z"}],"time":"2026-11-28T10:25:40Z"}"#,
                "2026-11-28T10:25:40Z",
            ),
            (r#"{"m":"\"time\":\"2020-01-01T00:00:00Z\"","TIME":"2026-11-28T10:25:40Z"}"#, "2026-11-28T10:25:40Z"),
            // The first that says one.
            (r#"{"time":"10:25:40","ts":1700000000}"#, "2023-11-14T22:13:20Z"),
        ] {
            assert_eq!(time(line).as_deref(), Some(expected), "{line}");
        }
    }

    #[test]
    fn members_that_say_nothing() {
        for line in [
            "{",
            "{}",
            r#"{"time"#,
            r#"{"time":"#,
            r#"{"time":"2026-11-28T10:25:40"}"#,
            r#"{"time":"2026-11-28T10:25:40Z x"}"#,
            r#"{"time":"2026-11-28T10:25:40Z"#,
            r#"{"time":17000000"#,
            r#"{"time":null}"#,
            r#"{"time":{"ts":1700000000}}"#,
            r#"{"time":-1700000000}"#,
            r#"{"time":12}"#,
            r#"{"time":0.5}"#,
            r#"{"time":99999999999999999999999}"#,
            r#"{"time":1e300}"#,
            r#"{"time":1e}"#,
            r#"{"exp":1700000000,"m":"time"}"#,
            r#"{"m":"x"} {"time":1700000000}"#,
            r#"{"m":"2026-11-28T10:25:40Z"}"#,
        ] {
            assert_eq!(time(line), None, "{line}");
        }
        let far = format!(r#"{{"m":"{}","ts":1700000000}}"#, "x".repeat(4096));
        assert_eq!(time(&far), None);
    }

    #[test]
    fn hostile_objects() {
        record_time(&b"{".repeat(1 << 20));
        record_time(&[&b"{\""[..], &b"\\".repeat(5000)].concat());
        record_time(&b"{]}\"\\".repeat(1000));
        assert_eq!(
            time(r#"{"time\"":1,"\"time":2,"a":"\\","time":1700000000}"#).as_deref(),
            Some("2023-11-14T22:13:20Z")
        );
    }
}
