//! `[sources.NAME]`

use super::diagnostics::Problem;
use super::keys::{self, Kinds};
use super::ledger;
use super::section::{Section, Text, list};
use super::tls;
use super::{ConnectionLimits, FileSource, Source, SourceKind, TcpSource, UdpSource, UnixSource};
use crate::codec::{Codec, Framing, RUNTIME_LINE_BYTES};
use crate::ledger::Context;
use std::ops::Range;
use std::path::Path;

/// A source as it stands in the file, for checks that concern other sections too.
pub(super) struct NamedSource<'a> {
    pub name: Text<'a>,
    pub kind: Option<&'static str>,
    /// `None` if something in it is wrong.
    pub source: Option<Source>,
    /// Where `address` or `path` stands.
    pub place_span: Option<Range<usize>>,
    /// Which tokens are expected in it.
    pub context: Context,
}

/// Reads one source.
pub(super) fn source<'a>(name: Text<'a>, section: &Section<'a>, base: &Path) -> NamedSource<'a> {
    let kind = kind(section, &keys::SOURCE, "source");
    let codec = section.decoding().unwrap_or_default();
    let framing = section.framing();
    if framing == Framing::Bytes {
        let why = if kind == Some("udp") {
            None
        } else if codec == Codec::Json {
            Some("`bytes` makes the whole stream one text record, and `decoding.codec` says `json`")
        } else if kind == Some("file") {
            Some("`bytes` makes the whole stream one record, and a followed file has no end")
        } else {
            None
        };
        if let (Some(why), Some(text)) = (why, section.table("framing", "framing.").and_then(|f| f.string("method"))) {
            section.report.add(Problem::at(&text.span, why).help("use another `framing.method`"));
        }
    }
    let max_record_bytes = section.whole(&keys::MAX_RECORD_BYTES);
    if let Some(name) = runtime_codec(codec) {
        check_runtime(section, name, framing, max_record_bytes);
    }
    let place = |key, example| section.filled_string(key, example);
    let (place, kind_value) = match kind {
        Some("stdin") => (None, Some(SourceKind::Stdin)),
        Some("file") => (None, Some(SourceKind::File(file(section, base)))),
        Some("tcp") => {
            let address = place("address", r#"address = "127.0.0.1:5170""#);
            (address.clone(), tcp(section, address, base).map(SourceKind::Tcp))
        }
        Some("unix") => {
            let path = place("path", r#"path = "/run/beartrap/log.sock""#);
            (path.clone(), unix(section, path, base).map(SourceKind::Unix))
        }
        Some("udp") => {
            check_datagrams(section, codec, framing);
            let address = place("address", r#"address = "127.0.0.1:5170""#);
            (address.clone(), udp(section, address).map(SourceKind::Udp))
        }
        _ => (None, None),
    };
    let source = kind_value.map(|kind| Source { name: name.text.to_owned(), framing, codec, max_record_bytes, kind });
    NamedSource { name, kind, source, place_span: place.map(|place| place.span), context: ledger::context(section) }
}

/// The name of a codec that reads the lines of a container runtime.
fn runtime_codec(codec: Codec) -> Option<&'static str> {
    match codec {
        Codec::Text | Codec::Json => None,
        Codec::Cri => Some("cri"),
        Codec::Docker => Some("docker"),
    }
}

fn check_runtime(section: &Section<'_>, codec: &str, framing: Framing, max_record_bytes: usize) {
    let method = section.table("framing", "framing.").and_then(|framing| framing.string("method"));
    if let (Some(text), true) = (method, framing != Framing::NewlineDelimited) {
        let why = format!("codec `{codec}` reads lines, and `framing.method` says otherwise");
        section.report.add(Problem::at(&text.span, why).help("leave `framing` out"));
    }
    if let (Some(span), true) = (section.span_of(keys::MAX_RECORD_BYTES.key), max_record_bytes < RUNTIME_LINE_BYTES) {
        let why = format!("codec `{codec}` needs a `max_record_bytes` of {RUNTIME_LINE_BYTES} at least");
        let help = "runtimes cut at 16 KiB, and escaped a part is several times as long";
        section.report.add(Problem::at(&span, why).help(help));
    }
}

fn file(section: &Section<'_>, base: &Path) -> FileSource {
    let include = section.filled_strings("include", r#"include = ["/var/log/app/*.log"]"#);
    let exclude = section.strings("exclude");
    FileSource {
        include: section.globs("include", &include, base),
        exclude: section.globs("exclude", &exclude, base),
        read_from_end: section.word("read_from", &[("beginning", false), ("end", true)]).unwrap_or(false),
        ignore_older: Some(section.seconds(&keys::IGNORE_OLDER)).filter(|older| !older.is_zero()),
        follow_symlinks: section.boolean("follow_symlinks").unwrap_or(false),
        glob_interval: section.seconds(&keys::GLOB_INTERVAL),
        poll_interval: section.seconds(&keys::POLL_INTERVAL),
        rotate_wait: section.seconds(&keys::ROTATE_WAIT),
        checkpoint_interval: section.seconds(&keys::CHECKPOINT_INTERVAL),
        max_open_files: section.whole(&keys::MAX_OPEN_FILES),
    }
}

fn tcp(section: &Section<'_>, address: Option<Text<'_>>, base: &Path) -> Option<TcpSource> {
    let limits = connection_limits(section);
    let max_connections_per_peer = section.whole(&keys::MAX_CONNECTIONS_PER_PEER);
    let permit_origin = section.origins("permit_origin");
    let handshake_timeout = section.seconds(&keys::HANDSHAKE_TIMEOUT);
    let tls = tls::server(section, base);
    let address = section.listen_address("address", &address?)?;
    Some(TcpSource { address, permit_origin, max_connections_per_peer, limits, tls, handshake_timeout })
}

fn unix(section: &Section<'_>, path: Option<Text<'_>>, base: &Path) -> Option<UnixSource> {
    let limits = connection_limits(section);
    let socket_file_mode = section.whole(&keys::SOCKET_FILE_MODE) as u32;
    let path = section.socket_path("path", &path?, base)?;
    Some(UnixSource { path, socket_file_mode, limits })
}

fn udp(section: &Section<'_>, address: Option<Text<'_>>) -> Option<UdpSource> {
    let receive_buffer_bytes = section.whole(&keys::RECEIVE_BUFFER_BYTES);
    let permit_origin = section.origins("permit_origin");
    let address = section.listen_address("address", &address?)?;
    Some(UdpSource { address, permit_origin, receive_buffer_bytes })
}

/// A datagram is complete by itself.
fn check_datagrams(section: &Section<'_>, codec: Codec, framing: Framing) {
    if let Framing::LengthDelimited | Framing::OctetCounting = framing
        && let Some(text) = section.table("framing", "framing.").and_then(|framing| framing.string("method"))
    {
        let why = "a datagram has a length already, and `framing.method` asks for another one";
        section.report.add(Problem::at(&text.span, why).help("leave `framing` out"));
    }
    if let Some(name) = runtime_codec(codec)
        && let Some(text) = section.table("decoding", "decoding.").and_then(|decoding| decoding.string("codec"))
    {
        let why = format!("codec `{name}` joins the lines of a stream, and datagrams are no stream");
        section.report.add(Problem::at(&text.span, why).help("use another `decoding.codec`"));
    }
}

fn connection_limits(section: &Section<'_>) -> ConnectionLimits {
    ConnectionLimits {
        max_connections: section.whole(&keys::MAX_CONNECTIONS),
        idle_timeout: section.seconds(&keys::IDLE_TIMEOUT),
        record_timeout: section.seconds(&keys::RECORD_TIMEOUT),
    }
}

/// Reads `type`, and reports each key that does not belong to it.
pub(super) fn kind(section: &Section<'_>, kinds: &Kinds, what: &str) -> Option<&'static str> {
    let names: Vec<&'static str> = kinds.of.iter().map(|(name, _)| *name).collect();
    section.require("type", &format!(r#"type = "{}""#, names[0]));
    let words: Vec<(&str, &'static str)> = names.iter().map(|name| (*name, *name)).collect();
    let kind = section.word("type", &words);
    let of_kind = |kind: &str| kinds.of.iter().find(|(name, _)| *name == kind).map_or(&[][..], |(_, keys)| *keys);
    match kind {
        Some(kind) => section.check_keys(&[kinds.any, of_kind(kind)], |key| {
            let owners: Vec<&str> = names.iter().copied().filter(|name| of_kind(name).contains(&key)).collect();
            (!owners.is_empty()).then(|| format!("it is a key of {what}s of type {}", list(&owners, "and")))
        }),
        // Which keys belong here is not known.
        None => {
            let all: Vec<&[&str]> = [kinds.any].into_iter().chain(kinds.of.iter().map(|(_, keys)| *keys)).collect();
            section.check_keys(&all, |_| None);
        }
    }
    kind
}
