//! The command line: one file a subcommand.

mod args;
mod canary;
mod exec;
mod exit;
mod explain;
mod exposures;
mod filter;
mod fingerprint;
mod harden;
mod key;
mod ledger;
mod logging;
mod pages;
mod panics;
mod progress;
mod rules;
mod run;
mod scan;
mod stats_file;
mod stderr;
mod stdout;
mod usage;
mod validate;

use args::{KeyCommands, RulesCommands, Subcommands, Typed};
use clap::{ColorChoice, CommandFactory, FromArgMatches};
use exit::{Exit, Failure};
use std::ffi::{OsStr, OsString};
use std::process::ExitCode;
use tracing::Level;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    panics::print_place_only();
    let core_limit = harden::core_limit();
    harden::close_memory();
    let run = || match parse() {
        Ok(typed) => run(typed, core_limit),
        Err(code) => code,
    };
    let code = std::panic::catch_unwind(run).unwrap_or(Exit::Engine.into());
    stderr::settle();
    code
}

fn parse() -> Result<Typed, ExitCode> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let command = Typed::command().color(help_color(&arguments));
    let parsed = command.try_get_matches_from(arguments).and_then(|matches| Typed::from_arg_matches(&matches));
    let text = match parsed {
        Ok(typed) => match (&typed.command, typed.filter.first_typed()) {
            (Some(_), Some(name)) => usage::misplaced(name),
            _ => return Ok(typed),
        },
        // Help and version are no errors; they hold nothing of what was typed.
        Err(error) if !error.use_stderr() => {
            return Err(stdout::finish(error.print()).unwrap_or_else(fail));
        }
        Err(error) => usage::render(&error),
    };
    stderr::print(&text);
    Err(Exit::Usage.into())
}

/// Help is printed while the options are still being read, so its colour must be known before.
fn help_color(arguments: &[OsString]) -> ColorChoice {
    let options = arguments.iter().map(OsString::as_os_str).take_while(|&argument| argument != "--");
    let next = options.clone().skip(1).chain([OsStr::new("")]);
    let typed = options.zip(next).filter_map(|(argument, next)| match argument.to_str()?.strip_prefix("--color")? {
        "" => next.to_str(),
        value => value.strip_prefix('='),
    });
    match typed.last() {
        Some("always") => ColorChoice::Always,
        Some("never") => ColorChoice::Never,
        _ => ColorChoice::Auto,
    }
}

fn run(typed: Typed, core_limit: Option<u64>) -> ExitCode {
    let Typed { command, filter, global } = typed;
    let level = if matches!(command, Some(Subcommands::Run(_))) { Level::INFO } else { Level::WARN };
    logging::set_up(&global, level);
    let color = logging::in_color(global.color);
    let ended = match command {
        None => filter::run(&filter, &global),
        Some(Subcommands::Scan(args)) => scan::run(&args, &global),
        Some(Subcommands::Explain(args)) => explain::run(&args),
        Some(Subcommands::Run(args)) => run::run(&args, color),
        Some(Subcommands::Exec(args)) => exec::run(&args, core_limit),
        Some(Subcommands::Validate(args)) => validate::run(&args, color),
        Some(Subcommands::Fingerprint(args)) => fingerprint::run(&args),
        Some(Subcommands::Exposures(command)) => exposures::run(&command),
        Some(Subcommands::Rules(RulesCommands::List(args))) => rules::list(&args),
        Some(Subcommands::Rules(RulesCommands::Test(args))) => rules::test(&args),
        Some(Subcommands::Key(KeyCommands::New { path })) => key::new(path.as_deref()),
        Some(Subcommands::Key(KeyCommands::Id(args))) => key::id(&args),
        Some(Subcommands::Completions { shell }) => pages::completions(shell),
        Some(Subcommands::Man { about }) => pages::man(about.as_deref()),
    };
    ended.unwrap_or_else(fail)
}

fn fail(failure: Failure) -> ExitCode {
    stderr::report(Level::ERROR, &failure.message);
    failure.exit.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_colour_of_help_is_read_as_clap_reads_it() {
        let color = |line: &str| help_color(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(color("beartrap --help"), ColorChoice::Auto);
        assert_eq!(color("beartrap --color always --help"), ColorChoice::Always);
        assert_eq!(color("beartrap run --color=never --help"), ColorChoice::Never);
        assert_eq!(color("beartrap --help --color"), ColorChoice::Auto);
        assert_eq!(color("beartrap exec -- ls --color=always"), ColorChoice::Auto);
    }
}
