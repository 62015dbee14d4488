//! The programs of a suite: the five services, and the sandbox that plays the outside world.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One of the programs that a suite is made of, in the order in which they are started.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Program {
    Order,
    Inventory,
    Payment,
    Shipping,
    Notification,
    Sandbox,
}

impl Program {
    /// All of them. The sandbox is last: it is stopped last, when nobody asks it any more.
    pub(crate) const ALL: [Self; 6] = [
        Self::Order,
        Self::Inventory,
        Self::Payment,
        Self::Shipping,
        Self::Notification,
        Self::Sandbox,
    ];
    pub(crate) const SERVICES: [Self; 5] =
        [Self::Order, Self::Inventory, Self::Payment, Self::Shipping, Self::Notification];

    /// Its name, which is also its package's.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Inventory => "inventory",
            Self::Payment => "payment",
            Self::Shipping => "shipping",
            Self::Notification => "notification",
            Self::Sandbox => "sandbox",
        }
    }

    /// Its executable, a sibling of `quintet`.
    pub(crate) fn binary(self) -> String {
        format!("quintet-{}", self.name())
    }

    /// The variable that sets a key of its configuration, as in `QUINTET_ORDER__LISTEN`.
    pub(crate) fn variable(self, key: &str) -> String {
        format!("QUINTET_{}__{key}", self.name().to_uppercase())
    }
}

/// One process of a suite: a program and which of its replicas. The first one goes by the program's
/// name alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Member {
    pub(crate) program: Program,
    /// Counted from 0.
    pub(crate) nth: usize,
}

impl Member {
    /// More of a service than that have no ports.
    pub(crate) const MOST: usize = 9;

    /// All processes of a program of which the services have so many replicas.
    pub(crate) fn of(program: Program, replicas: usize) -> impl Iterator<Item = Self> {
        // There is one outside world.
        let count = if program == Program::Sandbox { 1 } else { replicas };
        (0..count).map(move |nth| Self { program, nth })
    }

    /// All processes of a suite whose services have so many replicas.
    pub(crate) fn all(replicas: usize) -> impl Iterator<Item = Self> {
        Program::ALL.into_iter().flat_map(move |program| Self::of(program, replicas))
    }
}

impl From<Program> for Member {
    fn from(program: Program) -> Self {
        Self { program, nth: 0 }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.nth {
            0 => self.program.fmt(f),
            nth => write!(f, "{}-{}", self.program, nth + 1),
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_on_the_command_line_and_in_json_are_the_same() {
        for program in Program::ALL {
            let clap_name = program.to_possible_value().unwrap();
            assert_eq!(clap_name.get_name(), program.name());
            assert_eq!(serde_json::to_value(program).unwrap(), program.name());
        }
    }

    #[test]
    fn replicas_are_numbered_from_the_second_and_the_outside_world_is_one() {
        let names: Vec<String> = Member::all(3).map(|member| member.to_string()).collect();
        assert_eq!(names[..4], ["order", "order-2", "order-3", "inventory"]);
        assert_eq!(names.len(), 16);
        assert_eq!(names[15], "sandbox");
    }

    #[test]
    fn a_variable_is_named_after_its_program() {
        assert_eq!(Program::Payment.variable("GATEWAY__URL"), "QUINTET_PAYMENT__GATEWAY__URL");
    }
}
