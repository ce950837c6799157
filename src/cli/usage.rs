//! Errors of the command line. They name options and subcommands of ours, never what was typed as a value: that may be
//! a credential in the wrong place.

use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The whole text for a command line that clap refused.
pub(super) fn render(error: &Error) -> String {
    let mut text = format!("beartrap: {}\n", summary(error));
    for (kind, label) in [(ContextKind::SuggestedArg, "similar option"), (ContextKind::ValidSubcommand, "subcommands")]
    {
        if let Some(names) = names(error, kind) {
            text += &format!("  {label}: {names}\n");
        }
    }
    if let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) {
        text += &format!("\n{}\n", usage.to_string().trim_end());
    }
    text + "\nFor more information, try --help.\n"
}

/// The text for an argument of the filter beside a subcommand.
pub(super) fn misplaced(name: &str) -> String {
    format!(
        "beartrap: {name} is for the filter and can't stand beside a subcommand here\n  options of a subcommand stand \
         after its name; a file that is named like one is written with its directory, as in ./run\n\nFor more \
         information, try --help.\n"
    )
}

fn summary(error: &Error) -> String {
    let argument = names(error, ContextKind::InvalidArg);
    let argument = argument.as_deref().and_then(option_name);
    match (error.kind(), argument) {
        (ErrorKind::UnknownArgument, Some(name)) => format!("unknown option {name}"),
        (ErrorKind::UnknownArgument, None) => "unexpected argument".to_owned(),
        (ErrorKind::InvalidSubcommand, _) => "unknown subcommand".to_owned(),
        (ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, _) => {
            "a subcommand is missing".to_owned()
        }
        (ErrorKind::MissingRequiredArgument, _) => {
            format!("missing: {}", names(error, ContextKind::InvalidArg).unwrap_or_default())
        }
        (ErrorKind::InvalidUtf8, _) => "an argument is not valid UTF-8".to_owned(),
        (ErrorKind::ArgumentConflict, Some(name)) => format!("{name} was given twice or beside what excludes it"),
        (ErrorKind::InvalidValue, Some(name)) if error.get(ContextKind::InvalidValue).is_none_or(is_empty) => {
            format!("{name} needs a value")
        }
        (_, Some(name)) => match names(error, ContextKind::ValidValue) {
            Some(values) => format!("invalid value for {name}; possible values: {values}"),
            None => format!("invalid value for {name}"),
        },
        (_, None) => "invalid arguments".to_owned(),
    }
}

fn is_empty(value: &ContextValue) -> bool {
    matches!(value, ContextValue::String(text) if text.is_empty())
}

fn names(error: &Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(name) => Some(name.clone()),
        ContextValue::Strings(names) if !names.is_empty() => Some(names.join(", ")),
        _ => None,
    }
}

/// The name of an option without a value that may hang on it; `None` for anything that does not look like a name.
fn option_name(argument: &str) -> Option<&str> {
    const NAME_LEN_MAX: usize = 30;
    let end = argument.find(|c: char| !matches!(c, 'a'..='z' | '-')).unwrap_or(argument.len());
    let (name, rest) = argument.split_at(end);
    // Ours are shown as `--codec <CODEC>` and `<SHELL>`.
    let whole = rest.is_empty() || rest.starts_with('=') || rest.starts_with(" <");
    if name.starts_with("--") && name.len() <= NAME_LEN_MAX && whole {
        Some(name)
    } else if argument.starts_with('<') {
        Some(argument)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::args::Typed;
    use super::*;
    use clap::Parser;

    fn refused(arguments: &[&str]) -> String {
        render(&Typed::try_parse_from(["beartrap"].iter().chain(arguments)).unwrap_err())
    }

    #[test]
    fn no_typed_value_is_quoted() {
        for arguments in [
            &["--hunter2"][..],
            &["--bearer=hunter2"],
            &["-Hhunter2"],
            &["--codec", "hunter2"],
            &["--codec=hunter2"],
            &["--log-level", "hunter2"],
            &["--stats=hunter2"],
            &["exec", "hunter2"],
            &["exec", "-H", "hunter2"],
            &["key", "hunter2"],
            &["key", "id", "hunter2"],
            &["fingerprint", "hunter2"],
            &["completions", "hunter2"],
            &["run", "--config", "a", "--config", "hunter2"],
            &["--output", "a", "--output=hunter2"],
        ] {
            let text = refused(arguments);
            assert!(!text.contains("hunter2"), "{arguments:?}: {text}");
            assert!(text.starts_with("beartrap: ") && text.ends_with("try --help.\n"), "{arguments:?}: {text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (arguments, beginning) in [
            (&["--bearer=x"][..], "beartrap: unknown option --bearer\n"),
            (&["--outptu", "x"], "beartrap: unknown option --outptu\n  similar option: --output\n"),
            (&["--codec", "x"], "beartrap: invalid value for --codec; possible values: text, json, cri, docker\n"),
            (&["--codec"], "beartrap: --codec needs a value\n"),
            (&["run"], "beartrap: missing: --config <FILE>\n"),
            (&["exec", "x"], "beartrap: unexpected argument\n"),
            (&["key"], "beartrap: a subcommand is missing\n"),
            (&["key", "x"], "beartrap: unknown subcommand\n"),
            (&["completions", "x"], "beartrap: invalid value for <SHELL>; possible values: bash"),
            (&["run", "--config", "a", "--config", "b"], "beartrap: --config was given twice"),
        ] {
            let text = refused(arguments);
            assert!(text.starts_with(beginning), "{arguments:?}: {text}");
        }
    }
}
