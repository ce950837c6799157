//! The time that a record gives itself.
//!
//! Only what says its zone counts, and only where a record says when it was written: a wrong time is worse than none, since
//! whoever reads the ledger is told when none was there.

use super::json_time;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use memchr::memchr_iter;

/// A time begins in so many bytes of a line.
const BEGIN_LEN: usize = 256;
/// So many words may stand before a time that nothing names: a priority and version, a container's name.
const WORDS_BEFORE_MAX: usize = 2;

/// The time that a line says it is from: RFC 3339 and its like, the Common Log Format, or a member of a JSON object.
pub(super) fn record_time(line: &[u8]) -> Option<Timestamp> {
    let line = line.trim_ascii_start();
    if line.first() == Some(&b'{') { json_time::find(line) } else { in_text(line) }
}

/// The first time of a text, if nothing says that it is another thing's.
fn in_text(text: &[u8]) -> Option<Timestamp> {
    for colon in memchr_iter(b':', &text[..text.len().min(BEGIN_LEN)]) {
        let Some(clock) = Clock::around(text, colon) else { continue };
        if let Some(start) = date_start(text, clock.start) {
            match standing(&text[..start]) {
                Standing::OfRecord => return iso(&text[start..]).map(|(time, _)| time),
                // `expires=2027-…`
                Standing::OfOther => continue,
            }
        }
        // What else has a time of day in it has no zone: nobody knows what a later one is of.
        return common_log(text, &clock);
    }
    None
}

/// A time of day: `10:25:40`.
struct Clock {
    start: usize,
    end: usize,
    hour: i8,
    minute: i8,
    second: i8,
}

impl Clock {
    /// The one whose first colon is here.
    fn around(text: &[u8], colon: usize) -> Option<Self> {
        let start = colon.checked_sub(2)?;
        let end = start + 8;
        let clock = text.get(start..end)?;
        let [hour, minute] = [0, 3].map(|at| number(&clock[at..at + 2]));
        let (hour, minute, second) = (hour? as i8, minute? as i8, number(&clock[6..])? as i8);
        // No part of an address, a hash or a longer number.
        let apart = |byte: Option<&u8>| byte.is_none_or(|&byte| !byte.is_ascii_digit() && byte != b':');
        // The year of a date that ends with a colon.
        let dated = text[..start]
            .last_chunk::<5>()
            .is_some_and(|[year @ .., colon]| *colon == b':' && year.iter().all(u8::is_ascii_digit));
        let whole = clock[5] == b':' && apart(text.get(end)) && (dated || apart(text[..start].last()));
        // A leap second (RFC 3339 §5.6) is the end of the one before.
        (whole && second <= 60).then_some(Self { start, end, hour, minute, second: second.min(59) })
    }
}

/// Where the date begins whose time of day begins here: `2026-11-28T` or with a blank.
fn date_start(text: &[u8], clock: usize) -> Option<usize> {
    let start = clock.checked_sub(b"2026-11-28T".len())?;
    let date = &text[start..clock];
    let is_date = date[..10].iter().enumerate().all(|(at, byte)| match at {
        4 | 7 => *byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    let apart = text[..start].last().is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'-');
    (is_date && apart && matches!(date[10], b'T' | b't' | b' ')).then_some(start)
}

enum Standing {
    OfRecord,
    /// A member's or parameter's with another name, or one in a sentence.
    OfOther,
}

/// What the text before a time says of it.
fn standing(before: &[u8]) -> Standing {
    let value = before.strip_suffix(b"\"").or(before.strip_suffix(b"'")).unwrap_or(before);
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    if let Some((b'=' | b':', name)) = value.trim_ascii_end().split_last() {
        let name = name.trim_ascii_end();
        let name = name.strip_suffix(b"\"").or(name.strip_suffix(b"'")).unwrap_or(name);
        let len = name.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric() || b"_@.-".contains(byte)).count();
        return if json_time::is_time_name(&name[name.len() - len..]) { Standing::OfRecord } else { Standing::OfOther };
    }
    // Behind an open quote it is part of a message.
    let quoted = value.len() < before.len() || before.iter().filter(|byte| **byte == b'"').count() % 2 == 1;
    let words = before.split(blank).filter(|word| !word.is_empty()).count();
    // What stands directly before it is no word: `[`, `(`, `|`.
    let words = words - usize::from(before.last().is_some_and(|byte| !blank(byte)));
    if quoted || words > WORDS_BEFORE_MAX { Standing::OfOther } else { Standing::OfRecord }
}

/// The time that a text begins with, in the form of RFC 3339 or ISO 8601, and how long it is.
pub(super) fn iso(text: &[u8]) -> Option<(Timestamp, usize)> {
    let clock = Clock::around(text, b"2026-11-28T10".len())?;
    if date_start(text, clock.start) != Some(0) {
        return None;
    }
    let [year, month, day] = [0..4, 5..7, 8..10].map(|range| number(&text[range]));
    let (nanosecond, end) = fraction(text, clock.end);
    let (offset, end) = zone(text, end)?;
    Some((timestamp([year? as i16, month? as i16, day? as i16], &clock, nanosecond, offset)?, end))
}

/// `28/Nov/2026:10:25:40 +0000` around a time of day.
fn common_log(text: &[u8], clock: &Clock) -> Option<Timestamp> {
    const MONTHS: [&[u8]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    let date = &text[clock.start.checked_sub(b"28/Nov/2026:".len())?..clock.start];
    if [2, 6, 11].map(|at| date[at]) != *b"//:" {
        return None;
    }
    let month = MONTHS.iter().position(|month| *month == &date[3..6])? as i16 + 1;
    let (nanosecond, end) = fraction(text, clock.end);
    let (offset, _) = zone(text, end)?;
    timestamp([number(&date[7..11])? as i16, month, number(&date[..2])? as i16], clock, nanosecond, offset)
}

/// A fraction of a second, in nanoseconds, and where it ends.
fn fraction(text: &[u8], start: usize) -> (i32, usize) {
    let Some(b'.' | b',') = text.get(start) else { return (0, start) };
    let digits = text[start + 1..].iter().take(18).take_while(|byte| byte.is_ascii_digit());
    let (mut nanosecond, mut unit, mut len) = (0, 100_000_000, 0);
    for digit in digits {
        nanosecond += i32::from(digit - b'0') * unit;
        unit /= 10;
        len += 1;
    }
    if len == 0 { (0, start) } else { (nanosecond, start + 1 + len) }
}

/// A zone, with a blank before it or without, and where it ends.
fn zone(text: &[u8], start: usize) -> Option<(Offset, usize)> {
    let (zone, start) = match text.get(start)? {
        b' ' => (&text[start + 1..], start + 1),
        _ => (&text[start..], start),
    };
    let apart = |len: usize| zone.get(len).is_none_or(|byte| !byte.is_ascii_alphanumeric());
    for name in [&b"Z"[..], b"z", b"UTC", b"GMT"] {
        if zone.starts_with(name) && apart(name.len()) {
            return Some((Offset::UTC, start + name.len()));
        }
    }
    let sign = match zone.first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let hours = number(zone.get(1..3)?)?;
    let (minutes, len) = match zone.get(3) {
        Some(b':') => (number(zone.get(4..6)?)?, 6),
        Some(byte) if byte.is_ascii_digit() => (number(zone.get(3..5)?)?, 5),
        _ => (0, 3),
    };
    let offset = Offset::from_seconds(sign * (hours * 60 + minutes) * 60).ok()?;
    (hours < 24 && minutes < 60 && apart(len)).then_some((offset, start + len))
}

fn timestamp([year, month, day]: [i16; 3], clock: &Clock, nanosecond: i32, offset: Offset) -> Option<Timestamp> {
    let Clock { hour, minute, second, .. } = *clock;
    let time = DateTime::new(year, month as i8, day as i8, hour, minute, second, nanosecond).ok()?;
    likely(offset.to_timestamp(time).ok()?)
}

/// No log is older than this.
pub(super) fn likely(time: Timestamp) -> Option<Timestamp> {
    const YEAR_2000: i64 = 946_684_800;
    (time.as_second() >= YEAR_2000).then_some(time)
}

/// A few digits.
fn number(digits: &[u8]) -> Option<i32> {
    digits.iter().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i32::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(line: &str) -> Option<String> {
        record_time(line.as_bytes()).map(|time| time.to_string())
    }

    #[test]
    fn times_in_all_forms() {
        for (line, expected) in [
            ("2026-11-28T10:25:40Z x", "2026-11-28T10:25:40Z"),
            ("2026-11-28t10:25:40z", "2026-11-28T10:25:40Z"),
            ("  2026-11-28T10:25:40.123Z x", "2026-11-28T10:25:40.123Z"),
            ("2016-10-06T00:17:09.669794202Z stdout F x", "2016-10-06T00:17:09.669794202Z"),
            ("2026-11-28T10:25:40.1234567891234Z", "2026-11-28T10:25:40.123456789Z"),
            ("2026-11-28T10:25:40+01:00 INFO", "2026-11-28T09:25:40Z"),
            ("2026-11-28T10:25:40-0930", "2026-11-28T19:55:40Z"),
            ("2026-11-28T10:25:40.5+01]", "2026-11-28T09:25:40.5Z"),
            ("2026-11-28 10:25:40,123+0000 INFO", "2026-11-28T10:25:40.123Z"),
            ("2026-11-28 10:25:40.123 +0100 INFO", "2026-11-28T09:25:40.123Z"),
            ("2026-11-28 10:25:40.123 UTC [7] LOG:  x", "2026-11-28T10:25:40.123Z"),
            ("2026-12-31T23:59:60Z", "2026-12-31T23:59:59Z"),
            ("[2026-11-28T10:25:40Z] x", "2026-11-28T10:25:40Z"),
            ("INFO [2026-11-28T10:25:40Z] x", "2026-11-28T10:25:40Z"),
            ("web_1  | 2026-11-28T10:25:40Z x", "2026-11-28T10:25:40Z"),
            ("<165>1 2026-11-28T10:25:40.003Z host app - ID47 - x", "2026-11-28T10:25:40.003Z"),
            ("<165>1 2026-11-28T10:25:40.003+02:00 host app", "2026-11-28T08:25:40.003Z"),
            (r#"ts=2026-11-28T10:25:40Z level=info msg="x""#, "2026-11-28T10:25:40Z"),
            (r#"level=info time="2026-11-28T10:25:40Z" x"#, "2026-11-28T10:25:40Z"),
            ("Timestamp: 2026-11-28T10:25:40Z", "2026-11-28T10:25:40Z"),
            (r#"a: {"exp":"2027-01-01T00:00:00Z","time" : "2026-11-28T10:25:40Z"}"#, "2026-11-28T10:25:40Z"),
            (r#"10.0.0.1 - ada [28/Nov/2026:10:25:40 +0000] "GET / HTTP/1.1""#, "2026-11-28T10:25:40Z"),
            (r#"::1 - - [28/Nov/2026:10:25:40 -0800] "GET /?t=2020-01-01T00:00:00Z""#, "2026-11-28T18:25:40Z"),
            ("[28/Feb/2028:23:25:40.250 +0000]", "2028-02-28T23:25:40.25Z"),
            ("00:1b:44:11:3a:b7 2026-11-28T10:25:40Z", "2026-11-28T10:25:40Z"),
            ("00:11:22:33:44:55 2026-11-28T10:25:40Z", "2026-11-28T10:25:40Z"),
        ] {
            assert_eq!(time(line).as_deref(), Some(expected), "{line}");
        }
    }

    #[test]
    fn what_does_not_say_when_it_was_written() {
        for line in [
            "",
            "x",
            ":",
            "2026-11-28T10:25:40",
            "2026-11-28 10:25:40.123 INFO x",
            "2026-11-28 10:25:40 CET [7] LOG:  x",
            "2026-11-28T10:25:40Zx",
            "2026-11-28T10:25:40+1",
            "2026-11-28T10:25:40+01:",
            "2026-11-28T10:25:40+25:00",
            "2026-11-28T10:25:40+01:60",
            "2026-13-28T10:25:40Z",
            "2026-02-29T10:25:40Z",
            "2026-11-28T24:25:40Z",
            "2026-11-28T10:25:61Z",
            "1999-12-31T23:59:59Z",
            "0000-00-00T00:00:00Z",
            "12026-11-28T10:25:40Z",
            "2026-11-28T10:25:40:11Z",
            // The first is the record's own, and has no zone.
            "2026-11-28 10:25:40 INFO until 2027-01-01T00:00:00Z",
            "Nov 28 10:25:40 host app: until 2027-01-01T00:00:00Z",
            "[28/Nov/2026:10:25:40.123] x",
            "[28/Foo/2026:10:25:40 +0000] x",
            "[31/Feb/2026:10:25:40 +0000] x",
            "[28/Nov/1970:10:25:40 +0000] x",
            // Another thing's.
            "the token is valid until 2027-01-01T00:00:00Z",
            r#"level=info msg="until 2027-01-01T00:00:00Z""#,
            r#"level=info msg="2027-01-01T00:00:00Z is the end""#,
            "exp=2027-01-01T00:00:00Z x",
            "expires: 2027-01-01T00:00:00Z",
            r#""expires": "2027-01-01T00:00:00Z""#,
        ] {
            assert_eq!(time(line), None, "{line}");
        }
        let far = format!("{} 2026-11-28T10:25:40Z", "x".repeat(BEGIN_LEN));
        assert_eq!(time(&far), None);
    }

    #[test]
    fn nothing_makes_it_fail() {
        let whole =
            r#"<1>1 [28/Nov/2026:10:25:40 +01:00] ts="2026-11-28T10:25:40.123+01:00" é {"time":1.7e9}"#.as_bytes();
        for start in 0..whole.len() {
            for end in start..=whole.len() {
                record_time(&whole[start..end]);
                let mut changed = whole[start..end].to_vec();
                if let Some(byte) = changed.get_mut(end / 3) {
                    *byte = b':';
                }
                record_time(&changed);
            }
        }
        record_time(&b":".repeat(1 << 20));
        record_time(&b"10:10:10 ".repeat(1000));
    }
}
