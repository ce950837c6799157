//! `[sinks.NAME]`

use super::keys;
use super::section::{Section, Text};
use super::sources::kind;
use super::tls;
use super::{FileSink, Sink, SinkKind, TcpSink, WhenFull};
use crate::codec::Codec;
use std::ops::Range;
use std::path::Path;

/// A sink as it stands in the file, for checks that concern other sections too.
pub(super) struct NamedSink<'a> {
    pub name: Text<'a>,
    pub kind: Option<&'static str>,
    /// `None` if something in it is wrong.
    pub sink: Option<Sink>,
    pub inputs: Vec<Text<'a>>,
    /// The ledger's rows go there: it needs no inputs.
    pub is_emitted: bool,
    /// `encoding.codec`: what the records that arrive must be.
    pub codec: Option<(Codec, Range<usize>)>,
    pub framing_span: Option<Range<usize>>,
    /// Where `path` or `address` stands.
    pub target_span: Option<Range<usize>>,
}

/// Reads one sink; `emit_to` is the one that the ledger's rows go to.
pub(super) fn sink<'a>(
    name: Text<'a>,
    section: &Section<'a>,
    base: &Path,
    emit_to: Option<&Text<'_>>,
) -> NamedSink<'a> {
    let kind = kind(section, &keys::SINK, "sink");
    let is_emitted = emit_to.is_some_and(|sink| sink.text == name.text);
    let inputs = match is_emitted {
        true => section.strings("inputs"),
        false => section.filled_strings("inputs", r#"inputs = ["NAME"]"#),
    };
    let framing = section.framing();
    let codec = section.encoding();
    let when_full = [("block", WhenFull::Block), ("drop_newest", WhenFull::DropNewest)];
    let when_full = section.word("when_full", &when_full).unwrap_or(WhenFull::Block);
    let buffer_bytes = section.whole(&keys::BUFFER_BYTES);
    let (target_span, kind_value) = match kind {
        Some("stdout") => (None, Some(SinkKind::Stdout)),
        Some("file") => {
            let path = section.filled_string("path", r#"path = "/var/log/app-clean/clean.log""#);
            (path.as_ref().map(|path| path.span.clone()), file(section, path, base).map(SinkKind::File))
        }
        Some("tcp") => {
            let address = section.filled_string("address", r#"address = "collector.example:6514""#);
            (address.as_ref().map(|address| address.span.clone()), tcp(section, address, base).map(SinkKind::Tcp))
        }
        _ => (None, None),
    };
    let sink = kind_value.map(|kind| Sink {
        name: name.text.to_owned(),
        inputs: inputs.iter().map(|input| input.text.to_owned()).collect(),
        framing,
        when_full,
        buffer_bytes,
        kind,
    });
    let codec = codec.zip(section.span_of("encoding"));
    let framing_span = section.span_of("framing");
    NamedSink { name, kind, sink, inputs, is_emitted, codec, framing_span, target_span }
}

fn file(section: &Section<'_>, path: Option<Text<'_>>, base: &Path) -> Option<FileSink> {
    let sync_interval = section.seconds(&keys::SYNC_INTERVAL);
    let path = section.path("path", &path?, base)?;
    Some(FileSink { path, sync_interval })
}

fn tcp(section: &Section<'_>, address: Option<Text<'_>>, base: &Path) -> Option<TcpSink> {
    let resend_bytes = section.whole(&keys::RESEND_BYTES);
    let reconnect_max = section.seconds(&keys::RECONNECT_MAX);
    let connect_timeout = section.seconds(&keys::CONNECT_TIMEOUT);
    let ack_timeout = section.seconds(&keys::ACK_TIMEOUT);
    let text = address?;
    let address = section.peer_address("address", &text)?;
    let tls = tls::client(section, &text, base);
    Some(TcpSink { address, tls, resend_bytes, reconnect_max, connect_timeout, ack_timeout })
}
