//! The exit codes of a service: its process and docs/reference/errors.md take them from here.

use std::process::ExitCode;

use bus::BusError;
use engine::Fatal;
use store::StoreError;
use strum::VariantArray;

/// The way a service ends, as its exit code tells a supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray)]
pub enum Exit {
    /// It has drained after a request to stop, or it only printed or checked its settings.
    Stopped,
    /// Another start may succeed.
    Failed,
    /// Another start ends in the same way (`EX_USAGE` of sysexits.h).
    Refused,
    /// The next events are not at the broker (`EX_DATAERR`). A start that passed over them would lose them silently.
    OutOfReach,
}

impl Exit {
    /// The exit code of the process.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Stopped => 0,
            Self::Failed => 1,
            Self::Refused => 64,
            Self::OutOfReach => 65,
        }
    }

    /// The cases in which a service ends with this code.
    #[must_use]
    pub const fn when(self) -> &'static str {
        match self {
            Self::Stopped => {
                "The service got a request to stop (SIGTERM, SIGINT, or the end of its launcher), and has drained or had not begun \
                 to work. Or it did what `--check-config` or `--print-config` asks for."
            }
            Self::Failed => {
                "The service cannot go on at the moment: a port is taken, its database file is locked by another process, a \
                 file cannot be written, a migration failed, a task panicked, or a second request to stop came before it \
                 had drained."
            }
            Self::Refused => {
                "A setting is wrong, the address of the database cannot serve, or the broker refuses a request for good."
            }
            Self::OutOfReach => {
                "The next events are not at the broker: they were deleted before the service read them, the topic ends \
                 before the group's offset, the broker has forgotten that offset, the database is new and the group is not, or \
                 the database belongs to another broker."
            }
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Stopped => "Nothing.",
            Self::Failed => {
                "Start it again, as a supervisor does. If it ends so again, read the last line of its log."
            }
            Self::Refused => {
                "Correct what the last line of its log names, then start it. Starting it again as it is changes nothing."
            }
            Self::OutOfReach => {
                "Do what the last line of its log says: restore the broker, set the group to another offset, or start the \
                 database with the broker that it belongs to. Starting it again as it is changes nothing."
            }
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The exit code of a service that this error has ended.
pub(crate) fn code_of(error: &anyhow::Error) -> ExitCode {
    ExitCode::from(match error.downcast_ref() {
        Some(
            Fatal::Missed { .. }
            | Fatal::Ahead { .. }
            | Fatal::Forgotten { .. }
            | Fatal::Stranger { .. }
            | Fatal::Unread { .. },
        ) => Exit::OutOfReach,
        // `Fatal::Bus` is a refusal for good only: the engine tries any other error of the broker again.
        Some(Fatal::Bus(_)) => Exit::Refused,
        None if matches!(error.downcast_ref(), Some(BusError::Settings { .. })) => Exit::Refused,
        None if names_an_unusable_database(error) => Exit::Refused,
        None => Exit::Failed,
    })
}

/// Whether `database.url` names no database at all, or a pooler that gives each transaction another session.
fn names_an_unusable_database(error: &anyhow::Error) -> bool {
    let url_or_pooler =
        |error: &StoreError| matches!(error, StoreError::Url { .. } | StoreError::Pooled);
    error.downcast_ref().is_some_and(url_or_pooler)
}
