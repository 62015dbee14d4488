//! Calls a reaction without an engine, for unit tests of reactions.

use std::fmt::Debug;

use engine::{Input, Participant, Reaction, What};
use event::Trace;
use jiff::Timestamp;
use uuid::Uuid;

/// Lets a service react to one input in this world, as the engine does in a batch. It changes the world; the [`Reaction`]
/// has the events, requests, alarms and answers.
///
/// ```
/// use engine::{Participant, What};
/// use quintet_test::react;
///
/// /// How many events a service emits for an input.
/// fn emitted<P: Participant>(world: &mut P::World, what: What<P>) -> usize {
///     react::<P>(world, what).events().count()
/// }
/// ```
pub fn react<P: Participant>(world: &mut P::World, what: What<P>) -> Reaction<P> {
    react_to(world, Uuid::nil(), what)
}

/// As [`react`], to an input with this id, for a service that remembers the ids of events.
pub fn react_to<P: Participant>(world: &mut P::World, cause: Uuid, what: What<P>) -> Reaction<P> {
    let at = Timestamp::UNIX_EPOCH;
    let mut reaction = Reaction::new(cause, at);
    P::react(world, &Input { cause, at, trace: Trace::default(), what }, &mut reaction);
    reaction
}

/// Asserts that an input does nothing in this world: no row changes, and no event, request, alarm or answer follows.
/// [`histories!`](crate::histories) has an example.
///
/// # Panics
/// If the input does something.
#[track_caller]
pub fn assert_ignored<P>(world: &P::World, what: What<P>)
where
    P: Participant<World: Clone + Debug>,
{
    let mut after = world.clone();
    let out = react::<P>(&mut after, what);
    let [before, after] = [world, &after].map(|world| format!("{world:#?}"));
    assert!(before == after, "the input changes {before}\ninto {after}");
    let mut followed: Vec<String> = out.events().map(|event| format!("{event:?}")).collect();
    followed.extend(out.effects().iter().map(|effect| format!("{effect:?}")));
    followed.extend(out.alarms_set().chain(out.alarms_cleared()).map(|alarm| format!("{alarm:?}")));
    followed.extend(out.answer().map(|reply| format!("{reply:?}")));
    assert!(followed.is_empty(), "{followed:#?} follows in {before}");
}

/// Asserts, for each of these worlds, that an input does nothing when it is applied for the second time.
/// [`histories!`](crate::histories) has an example.
///
/// # Panics
/// If a repeat does something.
#[track_caller]
pub fn assert_repeat_ignored<P>(
    worlds: impl IntoIterator<Item = P::World>,
    input: impl Fn() -> What<P>,
) where
    P: Participant<World: Clone + Debug>,
{
    for mut world in worlds {
        react(&mut world, input());
        assert_ignored(&world, input());
    }
}

/// Lists the states that a row can have, each with inputs that lead to it. It defines a constant with all states, and a
/// function that returns the inputs of a state. It does not compile while a state is missing.
///
/// ```
/// use engine::{Participant, What};
/// use quintet_test::{assert_ignored, assert_repeat_ignored, react};
///
/// #[derive(Clone, Copy, Debug)]
/// enum State { Printing, Printed }
///
/// /// The inputs of a printer, in short.
/// enum Step { Asked, Done }
///
/// quintet_test::histories! {
///     const STATES: &[State];
///     fn history(State) -> Vec<Step>;
///
///     Printing: [Step::Asked];
///     Printed: [Step::Asked, Step::Done];
/// }
/// assert_eq!(STATES.len(), 2);
/// assert!(matches!(history(State::Printed)[..], [Step::Asked, Step::Done]));
///
/// /// A ticket is printed once, even if it is asked for again.
/// fn a_repeat_does_nothing<P>(empty: fn() -> P::World, input: fn(Step) -> What<P>)
/// where
///     P: Participant<World: Clone + std::fmt::Debug>,
/// {
///     let world_in = |state: &State| {
///         let mut world = empty();
///         for step in history(*state) {
///             react(&mut world, input(step));
///         }
///         world
///     };
///     assert_repeat_ignored(STATES.iter().map(world_in), || input(Step::Asked));
///     assert_ignored(&world_in(&State::Printed), input(Step::Done));
/// }
/// ```
#[macro_export]
macro_rules! histories {
    (
        const $states:ident: &[$state:ident];
        fn $history:ident($of:ident) -> Vec<$input:ty>;
        $($name:ident: [$($step:expr),+ $(,)?];)+
    ) => {
        /// All states.
        const $states: &[$state] = &[$($state::$name),+];

        /// Inputs that lead to this state.
        fn $history(state: $of) -> ::std::vec::Vec<$input> {
            match state { $($of::$name => ::std::vec![$($step),+],)+ }
        }
    };
}
