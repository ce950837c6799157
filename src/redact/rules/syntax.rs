//! Go's regular expressions (RE2) in the words of ours.
//!
//! Both come from one family and agree on nearly everything. What differs is rewritten here, so that a rule means what
//! its author meant, or is refused.

/// Rewrites a pattern.
///
/// # Errors
/// Says what Go would not take either.
pub(super) fn translate(pattern: &str) -> Result<String, &'static str> {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        rest = match first {
            '\\' => escape(rest, false, &mut out)?,
            '[' => class(rest, &mut out)?,
            '{' => repetition(rest, &mut out),
            _ => {
                out.push(first);
                &rest[first.len_utf8()..]
            }
        };
    }
    Ok(out)
}

/// What begins with a backslash.
fn escape<'a>(rest: &'a str, in_class: bool, out: &mut String) -> Result<&'a str, &'static str> {
    let mut characters = rest[1..].chars();
    let Some(escaped) = characters.next() else { return Err("ends in a backslash") };
    let after = characters.as_str();
    match escaped {
        'Q' if !in_class => {
            let (literal, after) = after.split_once("\\E").unwrap_or((after, ""));
            literal.chars().for_each(|character| push_literal(character, out));
            return Ok(after);
        }
        'C' => return Err("holds `\\C`, a single byte, which can't be honoured"),
        '1'..='9' if !after.starts_with(|c: char| c.is_digit(8)) || escaped > '7' => {
            return Err("holds a back reference, which no linear search has");
        }
        '0'..='7' => {
            let len = rest[1..].bytes().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
            let number = u32::from_str_radix(&rest[1..1 + len], 8).unwrap_or(0);
            out.push_str(&format!("\\x{{{number:x}}}"));
            return Ok(&rest[1 + len..]);
        }
        // A line is all that a rule sees: its ends are those of the text.
        'A' if !in_class => out.push('^'),
        'z' if !in_class => out.push('$'),
        // To us these are the ends of a word.
        '<' | '>' => out.push(escaped),
        _ => out.extend(['\\', escaped]),
    }
    Ok(after)
}

/// A class in brackets. Ours has operators on sets where Go's has their characters.
fn class<'a>(rest: &'a str, out: &mut String) -> Result<&'a str, &'static str> {
    out.push('[');
    let mut rest = &rest[1..];
    if let Some(after) = rest.strip_prefix('^') {
        out.push('^');
        rest = after;
    }
    if let Some(after) = rest.strip_prefix(']') {
        out.push_str("\\]");
        rest = after;
    }
    while let Some(first) = rest.chars().next() {
        rest = match first {
            ']' => {
                out.push(']');
                return Ok(&rest[1..]);
            }
            '\\' => escape(rest, true, out)?,
            '[' => match posix_class(rest) {
                Some((name, after)) => {
                    out.push_str(name);
                    after
                }
                None => {
                    out.push_str("\\[");
                    &rest[1..]
                }
            },
            '&' | '~' => {
                out.extend(['\\', first]);
                &rest[1..]
            }
            '-' if rest.starts_with("--") => {
                out.push_str("\\-");
                &rest[1..]
            }
            _ => {
                out.push(first);
                &rest[first.len_utf8()..]
            }
        };
    }
    Err("has an unclosed `[`")
}

/// `[:alpha:]`
fn posix_class(rest: &str) -> Option<(&str, &str)> {
    let end = rest.strip_prefix("[:")?.find(":]")? + 4;
    Some(rest.split_at(end))
}

/// `{` where it is no repetition stands for itself.
fn repetition<'a>(rest: &'a str, out: &mut String) -> &'a str {
    let inner = rest[1..].split_once('}').map(|(inner, _)| inner);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_repetition = inner.is_some_and(|inner| match inner.split_once(',') {
        Some((from, to)) => is_number(from) && (to.is_empty() || is_number(to)),
        None => is_number(inner),
    });
    if !is_repetition {
        out.push('\\');
    }
    out.push('{');
    &rest[1..]
}

fn push_literal(character: char, out: &mut String) {
    if character.is_ascii() && !character.is_ascii_alphanumeric() && !matches!(character, '<' | '>') {
        out.push('\\');
    }
    out.push(character);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_rewritten() {
        for (go, ours) in [
            (r"\bAKIA[A-Z2-7]{16}\b", r"\bAKIA[A-Z2-7]{16}\b"),
            (r"^\${(?:[A-Z_]+)}$", r"^\$\{(?:[A-Z_]+)}$"),
            (r"a{2,}b{,3}{", r"a{2,}b\{,3}\{"),
            (r"\Qa.b[\E+x", r"a\.b\[+x"),
            (r"\Qa.b", r"a\.b"),
            (r"[[a&&b~~c--d]", r"[\[a\&\&b\~\~c\--d]"),
            (r"[]a][^]a]", r"[\]a][^\]a]"),
            (r"[[:alnum:]_-]", r"[[:alnum:]_-]"),
            (r"\<a\>\A\z", r"<a>^$"),
            (r"\012[\01]", r"\x{a}[\x{1}]"),
            (r"(?P<a>x)(?<b>y)(?i)z", r"(?P<a>x)(?<b>y)(?i)z"),
        ] {
            assert_eq!(translate(go).as_deref(), Ok(ours), "{go}");
        }
    }

    #[test]
    fn what_has_no_equal_is_refused() {
        for go in [r"(a)\1", r"\C", r"a\", r"[a", r"\9"] {
            assert!(translate(go).is_err(), "{go}");
        }
    }
}
