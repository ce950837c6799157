//! `beartrap fingerprint`

mod answer;

use super::args::{ExplainFormat, FingerprintArgs};
use super::exit::{Exit, Failure};
use super::{exposures, key, rules, stderr, stdout};
use crate::redact::{Options, Redaction};
use answer::{Answer, Asked};
use std::io::{self, BufRead};
use std::process::ExitCode;
use tracing::Level;
use zeroize::Zeroizing;

/// The longest credential that is taken.
const CREDENTIAL_BYTES_MAX: usize = 16 << 20;

/// Prints a line for each credential and key, and what a ledger knows of it.
pub(super) fn run(args: &FingerprintArgs) -> Result<ExitCode, Failure> {
    let rules = rules::load(&args.rules)?;
    let (keys, _) = key::load(args.key.key_file.as_deref())?;
    let redaction =
        Redaction::new(keys, Options { rules, ..Options::default() }).map_err(Failure::with(Exit::Config))?;
    stderr::set_redaction(&redaction);
    let store = args.ledger.as_deref().map(exposures::open).transpose()?;
    let asked = Asked { redaction: &redaction, store: store.as_ref(), parts: args.parts };
    let mut input = io::stdin().lock();
    let mut line = Zeroizing::new(Vec::new());
    let mut number = 0_u64;
    loop {
        number += 1;
        let more = read_line(&mut input, &mut line)
            .map_err(|error| Failure::new(Exit::Io, format_args!("line {number} of standard input: {error}")))?;
        let answers = match args.claim {
            // Blanks may be part of a claim.
            Some(claim) => asked.claim(claim, line.strip_suffix(b"\r").unwrap_or(&line))?,
            None => asked.credential(line.trim_ascii())?,
        };
        if answers.iter().any(Answer::is_guessable) {
            let note = format!("line {number}: a credential that could be guessed has no digest");
            stderr::report(Level::WARN, &note);
        }
        let text = match args.format {
            ExplainFormat::Text => answers.iter().map(Answer::text).collect(),
            ExplainFormat::Json => answers.iter().map(Answer::json).collect::<String>(),
        };
        stdout::print(text.as_bytes())?;
        if !more {
            return Ok(Exit::Done.into());
        }
    }
}

/// Reads a line without its newline; false at the end of the input.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    loop {
        let available = match input.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let newline = memchr::memchr(b'\n', available);
        let len = newline.unwrap_or(available.len());
        if line.len() + len > CREDENTIAL_BYTES_MAX {
            return Err(io::Error::other("a credential may have 16 MiB at most"));
        }
        line.extend_from_slice(&available[..len]);
        let ended = available.is_empty();
        input.consume(len + usize::from(newline.is_some()));
        if newline.is_some() || ended {
            return Ok(!ended);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    #[test]
    fn lines_are_read_whole_whatever_the_buffer() {
        for capacity in [1, 2, 3, 100] {
            let mut input = BufReader::with_capacity(capacity, &b"ab\r\n\ncd"[..]);
            let (mut line, mut lines) = (Vec::new(), Vec::new());
            while read_line(&mut input, &mut line).unwrap() {
                lines.push(line.clone());
            }
            lines.push(line);
            assert_eq!(lines, [&b"ab\r"[..], b"", b"cd"]);
        }
    }

    #[test]
    fn a_line_is_bounded() {
        let endless = BufReader::new(io::repeat(b'a'));
        assert!(read_line(&mut { endless }, &mut Vec::new()).is_err());
    }
}
