//! What must hold of every output: all around the credentials is the input's, and a marker stands for each of them.

use beartrap::redact::Redacted;

/// Walks through input and output side by side; an error names the offset at which they part.
pub fn check_rest(input: &[u8], redacted: &Redacted) -> Result<(), String> {
    let (mut at, mut out) = (0, redacted.clean.as_slice());
    for finding in &redacted.findings {
        let (start, end) = (finding.offset as usize, (finding.offset + finding.len) as usize);
        if start < at || end <= start || end > input.len() {
            return Err(format!("the finding {start}..{end} does not follow {at}"));
        }
        out = out
            .strip_prefix(&input[at..start])
            .ok_or_else(|| format!("what stands between {at} and {start} is not the input's"))?;
        let mut marker = Vec::new();
        finding.fingerprint.write_marker(&mut marker);
        out = strip_marker(out, &marker).ok_or_else(|| format!("no marker stands for {start}..{end}"))?;
        at = end;
    }
    if out == &input[at..] { Ok(()) } else { Err(format!("what follows {at} is not the input's")) }
}

/// A number's marker has quotes, with backslashes where strings are nested in strings.
fn strip_marker<'a>(out: &'a [u8], marker: &[u8]) -> Option<&'a [u8]> {
    if let Some(rest) = out.strip_prefix(marker) {
        return Some(rest);
    }
    let quote_len = out.iter().position(|byte| *byte != b'\\')? + 1;
    let (quote, rest) = out.split_at_checked(quote_len)?;
    let is_quote = matches!(quote.last(), Some(b'"' | b'\'' | b'`'));
    rest.strip_prefix(marker)?.strip_prefix(quote).filter(|_| is_quote)
}
