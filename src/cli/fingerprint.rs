//! `beartrap fingerprint`

use super::args::FingerprintArgs;
use super::exit::{Exit, Failure};
use super::{key, rules, stderr, stdout};
use crate::redact::{Fingerprint, Options, Redaction};
use std::io::{self, BufRead};
use std::process::ExitCode;
use tracing::Level;
use zeroize::Zeroizing;

/// The longest credential that is taken.
const CREDENTIAL_BYTES_MAX: usize = 16 << 20;

/// Prints a line for each credential and key: key id, kind, digest.
pub(super) fn run(args: &FingerprintArgs) -> Result<ExitCode, Failure> {
    let rules = rules::load(&args.rules)?;
    let (keys, _) = key::load(args.key.key_file.as_deref())?;
    let redaction =
        Redaction::new(keys, Options { rules, ..Options::default() }).map_err(Failure::with(Exit::Config))?;
    stderr::set_redaction(&redaction);
    let mut input = io::stdin().lock();
    let mut line = Zeroizing::new(Vec::new());
    let mut number = 0_u64;
    loop {
        number += 1;
        let more = read_line(&mut input, &mut line)
            .map_err(|error| Failure::new(Exit::Io, format_args!("line {number} of standard input: {error}")))?;
        let credential = line.trim_ascii();
        if !credential.is_empty() {
            let fingerprints = redaction.fingerprints(credential);
            if fingerprints.iter().any(|fingerprint| fingerprint.digest == [0; 16]) {
                let note = format!("line {number}: a credential that could be guessed has no digest");
                stderr::report(Level::WARN, &note);
            }
            let lines: String = fingerprints.iter().map(|fingerprint| display(fingerprint) + "\n").collect();
            stdout::print(lines.as_bytes())?;
        }
        if !more {
            return Ok(Exit::Done.into());
        }
    }
}

fn display(fingerprint: &Fingerprint) -> String {
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    format!("{} {} {}", hex(&fingerprint.key_id), fingerprint.kind.name(), hex(&fingerprint.digest))
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
    use crate::redact::Kind;
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

    #[test]
    fn the_digest_comes_last() {
        let fingerprint = Fingerprint { kind: Kind::Jwt, key_id: [0, 1, 0xab, 0xff], digest: [0x10; 16] };
        assert_eq!(display(&fingerprint), "0001abff jwt 10101010101010101010101010101010");
    }
}
