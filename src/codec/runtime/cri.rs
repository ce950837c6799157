//! Lines of the Kubernetes container runtime interface: `2016-10-06T00:17:09.669794202Z stdout P content`.

use super::line::{Channel, Line};
use memchr::memchr;

/// The longest time, stream and tags that are taken for such.
pub(super) const HEAD_LEN_MAX: usize = 128;

/// Takes a line apart, or the start of one that is too long: all behind the tags is content.
pub(super) fn line(line: &[u8]) -> Option<Line> {
    let head = &line[..line.len().min(HEAD_LEN_MAX)];
    let time_len = memchr(b' ', head)?;
    let stream_len = memchr(b' ', &head[time_len + 1..])?;
    let tags_start = time_len + stream_len + 2;
    let tags_end = tags_start + memchr(b' ', head.get(tags_start..)?)?;
    let channel = match &head[time_len + 1..tags_start - 1] {
        b"stdout" => Channel::Stdout,
        b"stderr" => Channel::Stderr,
        _ => return None,
    };
    let tags = &head[tags_start..tags_end];
    let is_partial = match tags.split(|&byte| byte == b':').next() {
        Some(b"P") => true,
        Some(b"F") => false,
        _ => return None,
    };
    // Nothing in them is scanned, so nothing but what belongs there may stand there.
    let are_tags = tags.iter().all(|byte| byte.is_ascii_alphanumeric() || b":_-".contains(byte)) && tags.len() <= 32;
    if !is_time(&head[..time_len]) || !are_tags {
        return None;
    }
    Some(Line { channel, is_partial, content: tags_end + 1..line.len() })
}

/// RFC 3339: a date, a time, and an offset or `Z`.
fn is_time(text: &[u8]) -> bool {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00";
    let Some((start, rest)) = text.split_at_checked(SHAPE.len()) else { return false };
    let fits = |(&byte, &shape): (&u8, &u8)| if shape == b'0' { byte.is_ascii_digit() } else { byte == shape };
    start.iter().zip(SHAPE).all(fits)
        && rest.len() <= 16
        && rest.iter().all(|byte| byte.is_ascii_digit() || b".+-:Z".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> Option<(Channel, bool, &str)> {
        line(text.as_bytes()).map(|line| (line.channel, line.is_partial, &text[line.content]))
    }

    #[test]
    fn lines_are_taken_apart() {
        const TIME: &str = "2016-10-06T00:17:09.669794202Z";
        for (rest, expected) in [
            ("stdout P a b", (Channel::Stdout, true, "a b")),
            ("stdout P a\r", (Channel::Stdout, true, "a\r")),
            ("stderr F  a", (Channel::Stderr, false, " a")),
            ("stderr F a\r", (Channel::Stderr, false, "a\r")),
            ("stderr F:x:1 a", (Channel::Stderr, false, "a")),
            ("stdout F ", (Channel::Stdout, false, "")),
        ] {
            assert_eq!(seen(&format!("{TIME} {rest}")), Some(expected), "{rest}");
        }
        assert_eq!(seen("2016-10-06T00:17:09+02:00 stdout F a"), Some((Channel::Stdout, false, "a")));
    }

    #[test]
    fn other_lines_are_told_apart() {
        for text in [
            "",
            " ",
            "text of an application",
            "2016-10-06T00:17:09Z",
            "2016-10-06T00:17:09Z stdout",
            "2016-10-06T00:17:09Z stdout F",
            "2016-10-06T00:17:09Z stdin F a",
            "2016-10-06T00:17:09Z stdout X a",
            "2016-10-06T00:17:09Z stdout PF a",
            "2016-10-06T00:17:09Z stdout P:a.b a",
            "2016-10-06 00:17:09Z stdout P a",
            "2016-10-06T00:17:09eyJ stdout P a",
        ] {
            assert_eq!(seen(text), None, "{text}");
        }
        assert_eq!(seen(&format!("2016-10-06T00:17:09Z stdout P:{} a", "x".repeat(200))), None);
    }
}
