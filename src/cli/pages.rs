//! `beartrap completions` and `beartrap man`: made from the definition of the command line, so that they are never old.

use super::args::Typed;
use super::exit::{Exit, Failure};
use super::stdout;
use clap::CommandFactory;
use std::process::ExitCode;

/// Prints the completions of a shell.
pub(super) fn completions(shell: clap_complete::Shell) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Typed::command(), "beartrap", &mut script);
    stdout::print(&script)
}

/// Prints a manual page.
pub(super) fn man(about: Option<&str>) -> Result<ExitCode, Failure> {
    let mut program = Typed::command();
    program.build();
    let command = match about {
        None => program,
        Some(name) => match program.find_subcommand(name) {
            Some(command) => command.clone(),
            None => {
                let names = subcommands().join(", ");
                return Err(Failure::new(Exit::Usage, format_args!("no such subcommand; there are: {names}")));
            }
        },
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut page)
        .map_err(|error| Failure::new(Exit::Io, format_args!("can't make the manual page: {error}")))?;
    stdout::print(&page)
}

/// The names of all subcommands.
pub(super) fn subcommands() -> Vec<String> {
    Typed::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}
