//! What must hold between sections.

use super::api::FoundApi;
use super::diagnostics::{Problem, Report};
use super::section::{Section, Text, closest, is_plain_word, list};
use super::sinks::NamedSink;
use super::sources::NamedSource;
use super::{FileSource, SinkKind, SourceKind};
use crate::codec::{Codec, Framing};
use std::net::SocketAddr;
use std::path::Path;

/// Reports what is wrong between sources, sinks and `data_dir`.
pub(super) fn check(
    root: &Section<'_>,
    data_dir: Option<&Path>,
    sources: &[NamedSource<'_>],
    sinks: &[NamedSink<'_>],
    api: Option<&FoundApi>,
) {
    let report = root.report;
    for (section, example) in [("sources", "[sources.NAME]"), ("sinks", "[sinks.NAME]")] {
        if root.lacks(section) {
            report.add(Problem::new(format!("there is no `{example}`")).help("a configuration needs both").absence());
        }
    }
    check_data_dir(root, data_dir, sources);
    check_inputs(report, sources, sinks);
    check_single(report, sources.iter().filter(|s| s.kind == Some("stdin")).map(|s| &s.name), "standard input");
    check_single(report, sinks.iter().filter(|s| s.kind == Some("stdout")).map(|s| &s.name), "standard output");
    check_listeners(report, sources);
    if let Some(api) = api {
        check_api(report, sources, api);
    }
    for (index, sink) in sinks.iter().enumerate() {
        check_target(report, data_dir, sources, sink, &sinks[..index]);
        if !sink.is_emitted {
            check_feed(report, sources, sink);
        }
    }
}

fn check_data_dir(root: &Section<'_>, data_dir: Option<&Path>, sources: &[NamedSource<'_>]) {
    for named in sources.iter().filter(|named| named.kind == Some("file")) {
        if !root.has("data_dir") {
            let message = format!("`data_dir` is missing: source `{}` keeps its checkpoints there", named.name.text);
            let help = "add `data_dir = \"/var/lib/beartrap\"` above the first section";
            root.report.add(Problem::at(&named.name.span, message).help(help).absence());
            return;
        }
        // Any name in there will do: what is kept there changes as often as it is read.
        let own = data_dir.map(|data_dir| data_dir.join(format!("{}.checkpoint", named.name.text)));
        if let (Some(own), Some(file)) = (own, file_of(named))
            && follows(file, &own)
        {
            let message = format!("source `{}` would follow the agent's own files in `data_dir`", named.name.text);
            root.report.add(Problem::at(&named.name.span, message).help("add an `exclude` for them"));
        }
    }
}

fn check_inputs(report: &Report, sources: &[NamedSource<'_>], sinks: &[NamedSink<'_>]) {
    let names: Vec<&str> = sources.iter().map(|named| named.name.text).collect();
    // Sources that are named, or were probably meant by a name that is wrong.
    let mut fed: Vec<&str> = Vec::new();
    for sink in sinks {
        for (index, input) in sink.inputs.iter().enumerate() {
            let shown = is_plain_word(input.text) || names.contains(&input.text);
            if shown {
                report.show(&input.span);
            }
            let similar = closest(input.text, &names).filter(|_| shown);
            fed.extend(similar);
            if sink.inputs[..index].iter().any(|earlier| earlier.text == input.text) {
                report.add(Problem::at(&input.span, "`inputs` names a source twice"));
            } else if !names.contains(&input.text) {
                let value = if shown { format!(" `{}`", input.text) } else { String::new() };
                let help = match similar {
                    Some(similar) => format!("did you mean `{similar}`?"),
                    None if names.is_empty() => "there are no sources".to_owned(),
                    None => format!("the sources are {}", list(&names, "and")),
                };
                report.add(Problem::at(&input.span, format!("there is no source{value}")).help(help).absence());
            }
        }
    }
    if sinks.iter().any(|sink| sink.inputs.is_empty() && !sink.is_emitted) {
        // Reported already; nobody can say what was to feed it.
        return;
    }
    for source in sources.iter().filter(|source| !fed.contains(&source.name.text)) {
        let message = format!("source `{}` feeds no sink", source.name.text);
        report.add(Problem::at(&source.name.span, message).help("name it in the `inputs` of a sink").absence());
    }
}

fn check_single<'t, 'a: 't>(report: &Report, mut names: impl Iterator<Item = &'t Text<'a>>, what: &str) {
    let Some(first) = names.next() else {
        return;
    };
    for name in names {
        let message = format!("`{}` needs {what}, which `{}` has already", name.text, first.text);
        report.add(Problem::at(&name.span, message));
    }
}

fn check_listeners(report: &Report, sources: &[NamedSource<'_>]) {
    for (index, named) in sources.iter().enumerate() {
        let (Some(source), Some(span)) = (&named.source, &named.place_span) else {
            continue;
        };
        let clashes = |earlier: &&NamedSource<'_>| match (earlier.source.as_ref().map(|s| &s.kind), &source.kind) {
            (Some(SourceKind::Tcp(earlier)), SourceKind::Tcp(tcp)) => same_socket(earlier.address, tcp.address),
            (Some(SourceKind::Udp(earlier)), SourceKind::Udp(udp)) => same_socket(earlier.address, udp.address),
            (Some(SourceKind::Unix(earlier)), SourceKind::Unix(unix)) => earlier.path == unix.path,
            _ => false,
        };
        if let Some(earlier) = sources[..index].iter().find(clashes) {
            report.add(Problem::at(span, format!("source `{}` listens on this address already", earlier.name.text)));
        }
    }
}

/// Nothing else listens where the API does.
fn check_api(report: &Report, sources: &[NamedSource<'_>], found: &FoundApi) {
    let own = [Some(found.api.address), found.api.health_address];
    for (address, span) in own.into_iter().zip(&found.address_spans) {
        let Some(address) = address else { continue };
        let clashes = |source: &&NamedSource<'_>| address_of(source).is_some_and(|other| same_socket(other, address));
        if let Some(source) = sources.iter().find(clashes) {
            report.add(Problem::at(span, format!("source `{}` listens on this address already", source.name.text)));
        }
    }
    if own[1].is_some_and(|health| same_socket(health, found.api.address)) {
        let help = "leave `health_address` out: without it health and metrics are on `address` too";
        report.add(Problem::at(&found.address_spans[1], "`address` is the same").help(help));
    }
}

/// A sink must not write where another one does, nor into what a source reads.
fn check_target(
    report: &Report,
    data_dir: Option<&Path>,
    sources: &[NamedSource<'_>],
    named: &NamedSink<'_>,
    earlier: &[NamedSink<'_>],
) {
    let (Some(sink), Some(span)) = (&named.sink, &named.target_span) else {
        return;
    };
    match &sink.kind {
        SinkKind::Stdout => {}
        SinkKind::File(file) => {
            let same = |other: &&NamedSink<'_>| matches!(other.sink.as_ref().map(|s| &s.kind), Some(SinkKind::File(f)) if f.path == file.path);
            if let Some(other) = earlier.iter().find(same) {
                report.add(Problem::at(span, format!("sink `{}` writes to this file already", other.name.text)));
            }
            let reader = |source: &&NamedSource<'_>| file_of(source).is_some_and(|source| follows(source, &file.path));
            if let Some(source) = sources.iter().find(reader) {
                let message = format!("loop: source `{}` follows the file that this sink writes", source.name.text);
                let help = "write it elsewhere, or add it to the source's `exclude`";
                report.add(Problem::at(span, message).help(help));
            }
            let is_socket = |source: &&NamedSource<'_>| matches!(source.source.as_ref().map(|s| &s.kind), Some(SourceKind::Unix(unix)) if unix.path == file.path);
            if let Some(source) = sources.iter().find(is_socket) {
                let message = format!("source `{}` has its socket at this path", source.name.text);
                report.add(Problem::at(span, message).help("write the file elsewhere"));
            }
            if data_dir.is_some_and(|data_dir| file.path.starts_with(data_dir)) {
                let help = "`data_dir` is the agent's own: write the file elsewhere";
                report.add(Problem::at(span, "the file lies in `data_dir`").help(help));
            }
        }
        SinkKind::Tcp(tcp) => {
            let listener = |source: &&NamedSource<'_>| address_of(source).is_some_and(|own| reaches(&tcp.address, own));
            if let Some(source) = sources.iter().find(listener) {
                let message =
                    format!("loop: source `{}` listens on the address that this sink sends to", source.name.text);
                report.add(Problem::at(span, message));
            }
        }
    }
}

/// What arrives at a sink must fit it.
fn check_feed(report: &Report, sources: &[NamedSource<'_>], named: &NamedSink<'_>) {
    let Some(sink) = &named.sink else {
        return;
    };
    let feeds = |source: &&NamedSource<'_>| sink.inputs.iter().any(|input| input == source.name.text);
    let inputs: Vec<&NamedSource<'_>> = sources.iter().filter(feeds).collect();
    for input in &inputs {
        let Some(source) = &input.source else {
            continue;
        };
        if let Some((Codec::Json, span)) = &named.codec
            && !matches!(source.codec, Codec::Json | Codec::Docker)
        {
            let message = format!("source `{}` brings text, and `encoding.codec` says `json`", input.name.text);
            let help =
                "records leave as they came: set the source's `decoding.codec = \"json\"`, or leave `encoding` out";
            report.add(Problem::at(span, message).help(help));
        }
    }
    let is_one_stream = matches!(
        inputs.as_slice(),
        [NamedSource { kind: Some("stdin"), source: Some(source), .. }] if source.framing == Framing::Bytes
    );
    if let (Framing::Bytes, false, Some(span)) = (sink.framing, is_one_stream, &named.framing_span) {
        let message = "framing `bytes` has no delimiter: records would run together";
        let help = "it can only be fed by one source of type `stdin` that has `framing.method = \"bytes\"` too";
        report.add(Problem::at(span, message).help(help));
    }
}

fn file_of<'s>(named: &'s NamedSource<'_>) -> Option<&'s FileSource> {
    match &named.source.as_ref()?.kind {
        SourceKind::File(file) => Some(file),
        _ => None,
    }
}

fn address_of(named: &NamedSource<'_>) -> Option<SocketAddr> {
    match &named.source.as_ref()?.kind {
        SourceKind::Tcp(tcp) => Some(tcp.address),
        _ => None,
    }
}

fn follows(source: &FileSource, path: &Path) -> bool {
    let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
    let matches = |patterns: &[glob::Pattern]| patterns.iter().any(|pattern| pattern.matches_path_with(path, options));
    matches(&source.include) && !matches(&source.exclude)
}

/// Whether two listeners can't both have what they ask for; port 0 means any.
fn same_socket(a: SocketAddr, b: SocketAddr) -> bool {
    let same_ip =
        a.ip() == b.ip() || (a.ip().is_unspecified() || b.ip().is_unspecified()) && a.is_ipv4() == b.is_ipv4();
    a.port() != 0 && a.port() == b.port() && same_ip
}

/// Whether a peer's address leads back to a listener on this host.
fn reaches(peer: &str, listener: SocketAddr) -> bool {
    let Some((host, port)) = peer.rsplit_once(':') else {
        return false;
    };
    if port.parse() != Ok(listener.port()) {
        return false;
    }
    let own = listener.ip();
    match host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>() {
        Ok(ip) => ip == own || own.is_unspecified() && (ip.is_loopback() || ip.is_unspecified()),
        Err(_) => host.eq_ignore_ascii_case("localhost") && (own.is_loopback() || own.is_unspecified()),
    }
}
