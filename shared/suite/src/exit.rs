//! The exit codes of a saga's program: its commands and docs/reference/errors.md take them from here.

use std::process::ExitCode;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did what was asked.
    Done,
    /// It did not, or what it looked at is wrong.
    Failed,
    /// It could not judge. Wrong usage ends so too: clap chooses that code.
    Undecided,
    /// Only an operator can bring this to an end.
    WaitsForOperator,
}

impl Exit {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Done, Self::Failed, Self::Undecided, Self::WaitsForOperator];

    /// The exit code of the process.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Undecided => 2,
            Self::WaitsForOperator => 3,
        }
    }

    /// When a command ends so.
    #[must_use]
    pub const fn when(self) -> &'static str {
        match self {
            Self::Done => "The command did what was asked. What it judges is as promised.",
            Self::Failed => {
                "The command could not do what was asked; one line on standard error says why. Or it judges something, as \
                 `audit` does, and that is not as promised."
            }
            Self::Undecided => {
                "The command line is wrong. Or the command judges something, as `audit` does, and cannot: the suite is not at \
                 rest."
            }
            Self::WaitsForOperator => {
                "With `--follow`: what the command follows waits for a request to the outside world that only an operator can \
                 settle."
            }
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Done => "Nothing.",
            Self::Failed => "Read the line, or what the command reports. It says what to do.",
            Self::Undecided => {
                "Correct the command line (`--help`). For an audit, wait longer with `--wait`, or see to what it names."
            }
            Self::WaitsForOperator => {
                "Do what the command's last line says. Where it names a held request, `effects list` shows it: resolve or retry it."
            }
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
