//! Exit codes, in one place.

use std::process::ExitCode;

/// How the process ends. The numbers above 64 are those of `sysexits.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    /// All is done, or the reader of the output wants no more.
    Done = 0,
    /// `scan` found credentials, or `rules test` nothing.
    Found = 1,
    /// The command line is wrong, or in `scan` anything else.
    Usage = 2,
    /// A defect in this program.
    Engine = 70,
    /// Something could not be read or written.
    Io = 74,
    /// It was stopped with data that it had read and not delivered.
    Undelivered = 75,
    /// The configuration or the key is wrong.
    Config = 78,
    /// `exec`: the command can't be executed, as a shell says it.
    NotExecutable = 126,
    /// `exec`: there is no such command, as a shell says it.
    NotFound = 127,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Why a subcommand failed: what the user is told, and the code.
#[derive(Debug)]
pub(super) struct Failure {
    pub exit: Exit,
    pub message: String,
}

impl Failure {
    pub fn new(exit: Exit, message: impl std::fmt::Display) -> Self {
        Self { exit, message: message.to_string() }
    }

    /// For `map_err`: the error is the message.
    pub fn with<E: std::fmt::Display>(exit: Exit) -> impl Fn(E) -> Self {
        move |error| Self::new(exit, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_what_scripts_rely_on() {
        let codes = [
            (Exit::Done, 0),
            (Exit::Found, 1),
            (Exit::Usage, 2),
            (Exit::Engine, 70),
            (Exit::Io, 74),
            (Exit::Undelivered, 75),
            (Exit::Config, 78),
            (Exit::NotExecutable, 126),
            (Exit::NotFound, 127),
        ];
        for (exit, code) in codes {
            assert_eq!(exit as u8, code);
            assert_eq!(format!("{:?}", ExitCode::from(exit)), format!("{:?}", ExitCode::from(code)));
        }
    }
}
