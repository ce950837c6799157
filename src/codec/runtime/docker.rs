//! Lines of Docker's `json-file` driver: `{"log":"content\n","stream":"stdout","time":"…"}`.

use super::super::json;
use super::line::{Channel, Line};
use std::ops::Range;

/// Takes a line apart. The content is the string of `log` as it is written.
pub(super) fn line(text: &[u8]) -> Option<Line> {
    let (mut log, mut stream) = (None, None);
    let object = text.trim_ascii();
    if !object.starts_with(b"{") || !object.ends_with(b"}") {
        return None;
    }
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        match text[at] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            b'"' => {
                let name = closed(text, at)?;
                at = name.end + 1;
                if depth != 1 {
                    continue;
                }
                let Some(value) = value_at(text, at) else { continue };
                let known = match &text[name] {
                    b"log" => &mut log,
                    b"stream" => &mut stream,
                    _ => {
                        at = value;
                        if text.get(at) == Some(&b'"') {
                            at = closed(text, at)?.end + 1;
                        }
                        continue;
                    }
                };
                // A name that comes twice means to each reader something else.
                let content = closed(text, value).filter(|_| known.is_none())?;
                at = content.end + 1;
                *known = Some(content);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    let channel = match &text[stream.filter(|_| depth == 0)?] {
        b"stdout" => Channel::Stdout,
        b"stderr" => Channel::Stderr,
        _ => return None,
    };
    let content = log?;
    let is_partial = !ends_line(&text[content.clone()]);
    Some(Line { channel, is_partial, content })
}

/// Where the value begins if the string that ended before `at` is a name.
fn value_at(text: &[u8], at: usize) -> Option<usize> {
    let skip = |at: usize| at + text[at..].len() - text[at..].trim_ascii_start().len();
    let colon = skip(at);
    (text.get(colon) == Some(&b':')).then(|| skip(colon + 1))
}

/// The content of the string that begins at `quote`, if one does and it is closed.
fn closed(text: &[u8], quote: usize) -> Option<Range<usize>> {
    let content = (text.get(quote) == Some(&b'"')).then(|| json::string(text, quote + 1))?;
    (text.get(content.end) == Some(&b'"')).then_some(content)
}

/// Whether a string's content ends with an escaped newline.
fn ends_line(content: &[u8]) -> bool {
    let Some(before) = content.strip_suffix(b"\\n") else { return false };
    before.iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> Option<(Channel, bool, &str)> {
        line(text.as_bytes()).map(|line| (line.channel, line.is_partial, &text[line.content]))
    }

    #[test]
    fn lines_are_taken_apart() {
        for (text, expected) in [
            (r#"{"log":"a b\n","stream":"stdout","time":"2020"}"#, (Channel::Stdout, false, r"a b\n")),
            (r#"{"log":"a\r\n","stream":"stderr"}"#, (Channel::Stderr, false, r"a\r\n")),
            (r#"{"log":"a\r","stream":"stderr"}"#, (Channel::Stderr, true, r"a\r")),
            (r#"{"log":"a\\n","stream":"stderr"}"#, (Channel::Stderr, true, r"a\\n")),
            (r#"{"log":"a\\\n","stream":"stderr"}"#, (Channel::Stderr, false, r"a\\\n")),
            (r#"{"log":"","stream":"stdout"}"#, (Channel::Stdout, true, "")),
            (r#"{"log":"\n","stream":"stdout"}"#, (Channel::Stdout, false, r"\n")),
            (r#" { "stream" : "stdout" , "log" : "a\"}" } "#, (Channel::Stdout, true, r#"a\"}"#)),
            (r#"{"log":"a","attrs":{"log":"b","stream":"c"},"stream":"stdout"}"#, (Channel::Stdout, true, "a")),
            (r#"{"tag":"log","log":"a","x":["log"],"n":1,"stream":"stdout"}"#, (Channel::Stdout, true, "a")),
        ] {
            assert_eq!(seen(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn other_lines_are_told_apart() {
        for text in [
            "",
            "{}",
            "text",
            r#"{"log":"a\n","stream":"stdin"}"#,
            r#"{"log":1,"stream":"stdout"}"#,
            r#"{"log":"a\n"}"#,
            r#"{"stream":"stdout"}"#,
            r#"{"log":"a","stream":"stdout""#,
            r#"{"log":"a","log":"b","stream":"stdout"}"#,
            r#"{"log":"a","stream":"stdout"}}"#,
            r#"{"log":"a","x":{"stream":"stdout"}"#,
            r#"[{"log":"a","stream":"stdout"}]"#,
            r#"{"log":"a,"stream":"stdout"}"#,
        ] {
            assert_eq!(seen(text), None, "{text}");
        }
    }
}
