//! Values with a form of their own: paths, globs, addresses, fingerprints, templates, framings.

use super::diagnostics::Problem;
use super::keys;
use super::origins::Origins;
use super::section::{Section, Text};
use crate::codec::{Codec, Framing};
use crate::redact::Options;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

const DELIMITER_EXAMPLE: &str = r#"framing.character_delimited.delimiter = "|""#;

#[derive(Clone, Copy)]
enum Method {
    /// It needs a delimiter.
    CharacterDelimited,
    Other(Framing),
}

const METHODS: &[(&str, Method)] = &[
    ("newline_delimited", Method::Other(Framing::NewlineDelimited)),
    ("character_delimited", Method::CharacterDelimited),
    ("length_delimited", Method::Other(Framing::LengthDelimited)),
    ("octet_counting", Method::Other(Framing::OctetCounting)),
    ("bytes", Method::Other(Framing::Bytes)),
];

impl Section<'_> {
    /// A path; a relative one starts at `base`.
    pub fn path(&self, key: &str, text: &Text<'_>, base: &Path) -> Option<PathBuf> {
        self.checked(key, text, path(text.text).map(|path| base.join(path).components().collect()))
    }

    /// A path that a socket can have.
    pub fn socket_path(&self, key: &str, text: &Text<'_>, base: &Path) -> Option<PathBuf> {
        let path = self.path(key, text, base)?;
        // unix(7): the address has room for 108 bytes with the NUL behind them.
        let len = path.as_os_str().len();
        let too_long = || Wrong::new(format!("is {len} bytes long, and a socket's path can have 107"));
        self.checked(key, text, if len <= 107 { Ok(path) } else { Err(too_long()) })
    }

    /// An array of globs; relative ones start at `base`.
    pub fn globs(&self, key: &str, texts: &[Text<'_>], base: &Path) -> Vec<glob::Pattern> {
        texts.iter().filter_map(|text| self.checked(key, text, glob(text.text, base))).collect()
    }

    /// An address to listen on.
    pub fn listen_address(&self, key: &str, text: &Text<'_>) -> Option<SocketAddr> {
        let address = text.text.parse().map_err(|_| {
            Wrong::new("is no IP address and port")
                .help("for example `127.0.0.1:5170` or `[::1]:5170`; names are not resolved here")
        });
        self.checked(key, text, address)
    }

    /// Blocks of addresses; everybody without the key, nobody is an error.
    pub fn origins(&self, key: &str) -> Origins {
        if !self.has(key) {
            return Origins::all();
        }
        let blocks = self.filled_strings(key, r#"permit_origin = ["10.0.0.0/8", "::1/128"]"#);
        Origins::of(blocks.iter().filter_map(|text| self.checked(key, text, origin(text.text))).collect())
    }

    /// The host and port of a peer.
    pub fn peer_address(&self, key: &str, text: &Text<'_>) -> Option<String> {
        self.checked(key, text, peer_address(text.text).map(|()| text.text.to_owned()))
    }

    /// `framing.*`
    pub fn framing(&self) -> Framing {
        self.try_framing().unwrap_or(Framing::NewlineDelimited)
    }

    fn try_framing(&self) -> Option<Framing> {
        let framing = self.table("framing", "framing.")?;
        framing.check_keys(&[keys::FRAMING], |_| None);
        let method = framing.word("method", METHODS);
        let character = framing.table("character_delimited", "framing.character_delimited.");
        if let Some(character) = &character {
            character.check_keys(&[keys::CHARACTER_DELIMITED], |_| None);
            character.require("delimiter", DELIMITER_EXAMPLE);
        }
        let delimiter = character.as_ref().and_then(Section::delimiter);
        match method {
            Some(Method::CharacterDelimited) => {
                framing.require("character_delimited", DELIMITER_EXAMPLE);
                return delimiter.map(Framing::CharacterDelimited);
            }
            // A method that is wrong is reported; the delimiter may belong to the one that was meant.
            None if framing.has("method") => return None,
            Some(Method::Other(_)) | None => {}
        }
        if let Some(character) = character {
            let message = "`framing.character_delimited` has no effect with this `framing.method`";
            let help = r#"set `framing.method = "character_delimited"`, or leave it out"#;
            self.report.add(Problem::at(&character.span, message).help(help));
        }
        match method {
            Some(Method::Other(framing)) => Some(framing),
            _ => None,
        }
    }

    fn delimiter(&self) -> Option<u8> {
        let text = self.string("delimiter")?;
        self.checked("delimiter", &text, delimiter(text.text))
    }

    /// `decoding.codec`
    pub fn decoding(&self) -> Option<Codec> {
        let words = [("text", Codec::Text), ("json", Codec::Json), ("cri", Codec::Cri), ("docker", Codec::Docker)];
        self.codec("decoding", "decoding.", &words)
    }

    /// `encoding.codec`
    pub fn encoding(&self) -> Option<Codec> {
        self.codec("encoding", "encoding.", &[("text", Codec::Text), ("json", Codec::Json)])
    }

    fn codec(&self, key: &str, prefix: &'static str, words: &[(&str, Codec)]) -> Option<Codec> {
        let section = self.table(key, prefix)?;
        section.check_keys(&[keys::CODEC], |_| None);
        section.word("codec", words)
    }

    /// Reports what is wrong with a value, without the value.
    pub fn checked<T>(&self, key: &str, text: &Text<'_>, result: Result<T, Wrong>) -> Option<T> {
        let add = |wrong: Wrong| {
            let problem = Problem::at(&text.span, format!("{} {}", self.quote(key), wrong.why));
            self.report.add(match wrong.help {
                Some(help) => problem.help(help),
                None => problem,
            });
        };
        result.map_err(add).ok()
    }
}

/// RFC 1035 §2.3.4, as text.
pub(super) const HOST_LEN_MAX: usize = 253;

/// Why a value is refused, to follow the key's name.
#[derive(Debug)]
pub(super) struct Wrong {
    why: String,
    help: Option<&'static str>,
}

impl Wrong {
    pub fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), help: None }
    }

    pub fn help(mut self, help: &'static str) -> Self {
        self.help = Some(help);
        self
    }
}

fn path(text: &str) -> Result<&Path, Wrong> {
    if text.is_empty() {
        Err(Wrong::new("is empty"))
    } else if text.contains('\0') {
        Err(Wrong::new("holds a NUL, which no path can"))
    } else if text.starts_with("~/") {
        Err(Wrong::new("starts with `~`, which is not expanded").help("write the whole path"))
    } else {
        Ok(Path::new(text))
    }
}

fn glob(text: &str, base: &Path) -> Result<glob::Pattern, Wrong> {
    path(text)?;
    let pattern = if text.starts_with('/') {
        text.to_owned()
    } else {
        let base = base.to_str().ok_or_else(|| {
            Wrong::new("is relative, but the working directory's name is not UTF-8").help("write the whole path")
        })?;
        let relative = text.trim_start_matches("./");
        format!("{}/{relative}", glob::Pattern::escape(base.trim_end_matches('/')))
    };
    let pattern =
        glob::Pattern::new(&pattern).map_err(|error| Wrong::new(format!("is no valid glob: {}", error.msg)))?;
    if pattern.as_str().ends_with('/') {
        return Err(Wrong::new("matches directories only").help("end it with the files' names, for example `*.log`"));
    }
    Ok(pattern)
}

fn origin(text: &str) -> Result<ipnet::IpNet, Wrong> {
    text.parse().map_err(|_| {
        let is_address = text.parse::<std::net::IpAddr>().is_ok();
        Wrong::new("holds something that is no block of addresses").help(if is_address {
            "a single address is written with `/32`, in IPv6 with `/128`"
        } else {
            "for example `10.0.0.0/8` or `::1/128`; names are not resolved here"
        })
    })
}

fn peer_address(text: &str) -> Result<(), Wrong> {
    let example = "for example `collector.example:6514`, `192.0.2.1:6514` or `[2001:db8::1]:6514`";
    if text.contains("://") {
        return Err(Wrong::new("must be a host and a port, without a scheme").help(example));
    }
    let wrong = || Wrong::new("is no host and port").help(example);
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    if !port.parse::<u16>().is_ok_and(|port| port > 0) {
        return Err(Wrong::new("needs a port between 1 and 65535 at its end").help(example));
    }
    let valid = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(ip) => ip.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            (1..=HOST_LEN_MAX).contains(&host.len()) && host.bytes().all(allowed)
        }
    };
    if valid { Ok(()) } else { Err(wrong()) }
}

fn delimiter(text: &str) -> Result<u8, Wrong> {
    let &[byte] = text.as_bytes() else {
        return Err(Wrong::new("must be exactly one byte").help(r#"for example "|" or "\u0000""#));
    };
    // RFC 6750 §2.1: the characters of a bearer token.
    if byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte) {
        return Err(Wrong::new(
            "must not be a character of credentials: it would cut them into pieces that nobody finds",
        )
        .help(r#"for example "|" or "\u0000""#));
    }
    Ok(byte)
}

/// A digest, in lower case.
pub(super) fn digest(text: &str) -> Result<String, Wrong> {
    if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Wrong::new("must hold digests of 32 hex digits")
            .help("the digest is the last word that `beartrap fingerprint` prints"));
    }
    if text.bytes().all(|byte| byte == b'0') {
        return Err(Wrong::new("holds the digest that stands for every guessable credential")
            .help("zeros are no fingerprint: all passwords and short tokens would pass"));
    }
    Ok(text.to_ascii_lowercase())
}

/// A member name; the engine compares without regard to case, `-` and `_`.
pub(super) fn field(text: &str) -> Result<String, Wrong> {
    Options::check_field(text).map(|()| text.to_owned()).map_err(Wrong::new)
}

/// The template around a marker.
pub(super) fn replacement(text: &str) -> Result<String, Wrong> {
    let checked = Options::check_replacement(text).map(|()| text.to_owned());
    checked.map_err(|why| Wrong::new(why).help("for example \"hidden:{}\"; the rest would break JSON, URLs or quoting"))
}
