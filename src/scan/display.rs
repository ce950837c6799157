//! How paths are shown: a path may hold a credential, and control characters that a terminal would obey.

use crate::redact::{Redaction, Redactor};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What an input is called in reports, credentials in it redacted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// For people.
    pub text: String,
    /// As a reference (RFC 3986 §4.1), relative where the path is.
    pub uri: String,
}

/// Makes the names of inputs.
#[derive(Debug)]
pub struct Names {
    redactor: Redactor,
}

impl Names {
    /// Redacts under these keys.
    pub fn new(redaction: &Redaction) -> Self {
        Self { redactor: Redactor::new(redaction) }
    }

    /// The name of standard input.
    pub fn stdin() -> Name {
        Name { text: "<stdin>".to_owned(), uri: uri(b"<stdin>") }
    }

    /// The name of a file.
    pub fn file(&mut self, path: &Path) -> Name {
        let clean = self.redactor.redact(path.as_os_str().as_bytes()).clean;
        Name { text: printable(&clean), uri: uri(&clean) }
    }
}

/// Control characters, those that change the direction of text, and invalid bytes become escapes.
pub fn printable(text: &[u8]) -> String {
    let mut printable = String::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            let is_hidden = matches!(character,
                '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}'
                | '\u{ad}' | '\u{180e}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
            if character.is_control() || is_hidden {
                printable.extend(character.escape_default());
            } else {
                printable.push(character);
            }
        }
        for byte in chunk.invalid() {
            printable += &format!("\\x{byte:02x}");
        }
    }
    printable
}

/// A path as a reference. A relative one whose first segment holds a colon would be read as a scheme: all but the
/// unreserved characters and `/` are encoded.
pub fn uri(path: &[u8]) -> String {
    let is_absolute = path.starts_with(b"/");
    let mut path = path;
    while let Some(rest) = path.strip_prefix(b"./") {
        path = rest;
    }
    let mut uri = if is_absolute { "file://".to_owned() } else { String::new() };
    for &byte in path {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(byte.into()),
            _ => uri += &format!("%{byte:02X}"),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::{KeyRing, Options};
    use std::ffi::OsStr;

    fn name(path: &[u8]) -> Name {
        let redaction = Redaction::new(KeyRing::parse(&[b'a'; 64]).unwrap(), Options::default()).unwrap();
        Names::new(&redaction).file(Path::new(OsStr::from_bytes(path)))
    }

    #[test]
    fn a_terminal_has_nothing_to_obey() {
        assert_eq!(name(b"a\x1b[31m\nb\xff\xe2\x80\xae\xc3\xa4 c").text, "a\\u{1b}[31m\\nb\\xff\\u{202e}\u{e4} c");
    }

    #[test]
    fn a_path_is_a_reference() {
        assert_eq!(name(b"./logs/a b:\xff.log").uri, "logs/a%20b%3A%FF.log");
        assert_eq!(name(b"/var/log/x").uri, "file:///var/log/x");
    }

    #[test]
    fn a_credential_in_a_path_is_redacted() {
        let Name { text, uri } = name(b"cache/access_token=mF_9.B5f-4.1JqM.log");
        assert!(text.starts_with("cache/access_token=redacted-token-") && !text.contains("mF_9"), "{text}");
        assert!(!uri.contains("mF_9"), "{uri}");
    }
}
