//! Crash points: named points at which a test makes a process die, to check that its next start recovers.
//!
//! The engine has them only if it was built with its feature `crash-points`, which no deployed program has. A
//! test arms *cells*: combinations of a service, a kind of input and a point. They are in a [`Folder`], which
//! the environment variable [`FOLDER`] names. Each cell fires once, however often its process is started.

mod folder;

use std::fmt::Debug;

use serde::{Deserialize, Serialize};

pub use folder::Folder;

/// The environment variable that names the [`Folder`]. In a process without it no crash point fires.
pub const FOLDER: &str = "QUINTET_CRASH_POINTS";

macro_rules! points {
    ($($name:ident: $what:literal,)*) => {
        /// How far an input, or an event or effect of it, has come when its process dies.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, strum::IntoStaticStr)]
        #[serde(rename_all = "snake_case")]
        #[strum(serialize_all = "snake_case")]
        pub enum Point {
            $(#[doc = $what] $name,)*
        }

        impl Point {
            /// All points, in the order in which an input passes them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The point, in words.
            #[must_use]
            pub const fn what(self) -> &'static str {
                match self {
                    $(Self::$name => $what,)*
                }
            }
        }
    };
}

points! {
    BeforeAttempt: "before the outside world is asked",
    AfterAttempt: "the outside world has answered, and the answer is not handed over",
    BeforeHold: "the request is to be held, and its row does not say so",
    AfterHold: "the request is held for an operator",
    AfterResolve: "an operator's outcome is stored, the operator has no answer",
    ResolutionTaken: "an operator's outcome is claimed, and its reaction has not begun",
    AlarmTaken: "the alarm is claimed, and its reaction has not begun",
    BeforeBegin: "before the transaction begins",
    AfterInbox: "the inbox is entered",
    AfterLoad: "the rows are loaded and locked",
    AfterReact: "the reaction is over, nothing is written",
    BeforeCommit: "all is written, not committed",
    AfterCommit: "committed, nothing is handed over",
    AfterReply: "the command is answered",
    BeforeOffsets: "before the offset is stored",
    AfterOffsets: "the offset is stored",
    BeforePublish: "before its event is published",
    AfterPublish: "its event is published, and still in the outbox",
    AfterDelete: "its event is published and deleted",
}

/// An armed cell: the process dies when an input of this kind that has one of these marks passes the point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Armed {
    /// The cell's name, which is a part of file names.
    pub cell: String,
    /// The service.
    pub service: String,
    /// The kind of input: the type of an event or a command, `*reserve` for the answer to the request `reserve`,
    /// `*reserve held` when that request is held for an operator, `*reserve resolved` for the operator's outcome,
    /// `@first_deadline` for an alarm.
    pub input: String,
    /// The point.
    pub point: Point,
    /// The marks that select inputs: an aggregate's id, a name, an address.
    pub marks: Vec<String>,
}

/// The kind of a command: the innermost name at the beginning of its debug form.
#[must_use]
pub fn command_name(command: &impl Debug) -> String {
    let text = format!("{command:?}");
    let names = text.split(['(', ' ']).take_while(|word| word.chars().all(char::is_alphanumeric));
    names.last().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_a_command_is_its_innermost_name() {
        #[derive(Debug)]
        #[expect(dead_code, reason = "only its debug form is read")]
        struct ListHotel {
            hotel: &'static str,
        }
        assert_eq!(command_name(&Some(ListHotel { hotel: "sea (view)" })), "ListHotel");
        assert_eq!(command_name(&ListHotel { hotel: "sea" }), "ListHotel");
    }
}
