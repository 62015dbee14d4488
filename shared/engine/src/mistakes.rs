//! Deliberate mistakes: what the simulator must find. Compiled out of everything that runs.

use std::cell::Cell;

macro_rules! mistakes {
    ($($name:ident: $what:literal,)*) => {
        /// A mistake that somebody could make.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Mistake {
            $(#[doc = $what] $name,)*
        }

        impl std::str::FromStr for Mistake {
            type Err = String;

            fn from_str(name: &str) -> Result<Self, String> {
                match name {
                    $(stringify!($name) => Ok(Self::$name),)*
                    _ => Err(format!("no such mistake; there are: {}", stringify!($($name)*))),
                }
            }
        }

        impl Mistake {
            /// All there are.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// What is done wrong.
            #[must_use]
            pub fn what(self) -> &'static str {
                match self {
                    $(Self::$name => $what,)*
                }
            }
        }
    };
}

mistakes! {
    InboxApart: "the inbox is entered in a transaction of its own",
    DualWrite: "the outbox is written in a transaction of its own",
    StaleFold: "each input of a batch sees the rows as they were before the batch",
    OutcomeTwice: "outcomes and alarms are not deduplicated",
    OffsetsFirst: "offsets reach the broker before the commit",
    RelaySkips: "the relay goes on after a failed send",
    DeletedUnsent: "the outbox is deleted before the broker's report",
    KeyPerAttempt: "each attempt has an idempotency key of its own",
    DoubtIsNo: "a charge without an answer counts as declined",
    OrderAssumed: "StockReserved is taken to come after OrderPlaced",
    UndoForgotten: "a charge that is under way is not undone",
    VoidsTooLate: "a parcel is voided though it is being booked",
    LeftWaiting: "shipping does not close what still waits",
    NoTombstone: "stock is released before it is reserved, and nobody remembers",
    ReleaseTwice: "stock is released as often as somebody asks",
    AlarmsStay: "an order's end leaves its alarms set",
}

thread_local! {
    static MADE: Cell<Option<Mistake>> = const { Cell::new(None) };
}

impl Mistake {
    /// From now on this thread makes this mistake, or none.
    pub fn make(mistake: Option<Self>) {
        MADE.set(mistake);
    }

    /// Whether this thread makes it.
    #[must_use]
    pub fn is_made(self) -> bool {
        MADE.get() == Some(self)
    }
}
