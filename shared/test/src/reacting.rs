//! A reaction without an engine.

use engine::{Input, Participant, Reaction, What};
use event::Trace;
use jiff::Timestamp;
use uuid::Uuid;

/// What a service does with one input in this world, as the engine has it do in a batch. The world is changed; the
/// [`Reaction`] tells what was emitted, asked and answered.
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
    let (cause, at) = (Uuid::nil(), Timestamp::UNIX_EPOCH);
    let mut reaction = Reaction::new(cause, at);
    P::react(world, &Input { cause, at, trace: Trace::default(), what }, &mut reaction);
    reaction
}
