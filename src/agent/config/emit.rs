//! `emit_to` of `[ledger]`: the sink that its rows go to.

use super::Emit;
use super::WhenFull;
use super::diagnostics::Problem;
use super::keys;
use super::section::{Section, Text, closest, is_plain_word, list};
use super::sinks::NamedSink;
use crate::codec::Framing;

/// Reads what `[ledger]` says of it.
pub(super) fn emit(section: &Section<'_>, emit_to: Option<Text<'_>>, sinks: &[NamedSink<'_>]) -> Option<Emit> {
    let interval = section.seconds(&keys::EMIT_INTERVAL);
    let Some(emit_to) = emit_to else {
        if let Some(span) = section.span_of(keys::EMIT_INTERVAL.key) {
            let message = "`emit_interval_secs` has no effect without `emit_to`";
            section.report.add(Problem::at(&span, message).help("add `emit_to = \"SINK\"`, or leave it out"));
        }
        return None;
    };
    let Some(sink) = sinks.iter().find(|sink| sink.name.text == emit_to.text) else {
        no_sink(section, &emit_to, sinks);
        return None;
    };
    check(section, &emit_to, sink);
    Some(Emit { sink: emit_to.text.to_owned(), interval })
}

fn no_sink(section: &Section<'_>, emit_to: &Text<'_>, sinks: &[NamedSink<'_>]) {
    let names: Vec<&str> = sinks.iter().map(|sink| sink.name.text).collect();
    let shown = is_plain_word(emit_to.text);
    if shown {
        section.report.show(&emit_to.span);
    }
    let value = if shown { format!(" `{}`", emit_to.text) } else { String::new() };
    let help = match closest(emit_to.text, &names).filter(|_| shown) {
        Some(similar) => format!("did you mean `{similar}`?"),
        None if names.is_empty() => "there are no sinks".to_owned(),
        None => format!("the sinks are {}", list(&names, "and")),
    };
    section.report.add(Problem::at(&emit_to.span, format!("there is no sink{value}")).help(help).absence());
}

/// What is sent there must arrive, each row whole, and nobody else may write among the rows.
fn check(section: &Section<'_>, emit_to: &Text<'_>, named: &NamedSink<'_>) {
    section.report.show(&emit_to.span);
    if let Some(input) = named.inputs.first() {
        let message = format!("sink `{}` takes the ledger's rows, and logs too", named.name.text);
        let help =
            "whoever writes a log could write rows among them: leave `inputs` out, and give logs a sink of their own";
        section.report.add(Problem::at(&input.span, message).help(help));
    }
    let Some(sink) = &named.sink else { return };
    let name = &sink.name;
    if sink.framing != Framing::NewlineDelimited {
        let span = named.framing_span.as_ref().unwrap_or(&emit_to.span);
        let message = format!("sink `{name}` takes the ledger's rows, which are lines, and its framing is another one");
        let help = "leave `framing` out: `beartrap exposures merge` reads lines";
        section.report.add(Problem::at(span, message).help(help));
    }
    if sink.when_full == WhenFull::DropNewest {
        let message = format!("sink `{name}` drops when it is full, and a row that is dropped counts as sent");
        let help = "leave `when_full` out: rows wait in the ledger, and nothing else waits for them";
        section.report.add(Problem::at(&emit_to.span, message).help(help));
    }
}
