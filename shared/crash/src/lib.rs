//! Named points at which a process dies when it is told to, to see what its next start makes of it.
//!
//! The engine passes them only if it was built with its feature `crash-points`; nothing that is
//! deployed knows of them. What is armed lies in a [`Folder`], which the variable [`FOLDER`] names.
//! Each cell fires once, however often its process is started.

mod folder;

use std::fmt::Debug;

use serde::{Deserialize, Serialize};

pub use folder::Folder;

/// The variable that names the [`Folder`]. A process without it never dies.
pub const FOLDER: &str = "QUINTET_CRASH_POINTS";

macro_rules! points {
    ($($name:ident: $what:literal,)*) => {
        /// Where an input, or what follows from it, stands when its process dies.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, strum::IntoStaticStr)]
        #[serde(rename_all = "snake_case")]
        #[strum(serialize_all = "snake_case")]
        pub enum Point {
            $(#[doc = $what] $name,)*
        }

        impl Point {
            /// All there are, in the order in which an input passes them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Where it lies, in words.
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

/// One cell of the matrix, armed: the process dies when an input of this kind with one of these marks
/// passes the point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Armed {
    /// Its name, fit for a file.
    pub cell: String,
    /// The service.
    pub service: String,
    /// The kind of input: an event by its type, a command by its own, `*reserve` for the answer to
    /// the request `reserve`, `*reserve held` when it is held for an operator, `*reserve resolved` for the
    /// operator's outcome, `@first_deadline` for an alarm.
    pub input: String,
    /// The point.
    pub point: Point,
    /// What such an input says of itself if it is meant: an aggregate's id, a name, an address.
    pub marks: Vec<String>,
}

/// A command's kind: the innermost name that its debug form begins with.
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
    fn a_command_goes_by_its_innermost_name() {
        #[derive(Debug)]
        #[expect(dead_code, reason = "only its debug form is read")]
        struct ListHotel {
            hotel: &'static str,
        }
        assert_eq!(command_name(&Some(ListHotel { hotel: "sea (view)" })), "ListHotel");
        assert_eq!(command_name(&ListHotel { hotel: "sea" }), "ListHotel");
    }
}
