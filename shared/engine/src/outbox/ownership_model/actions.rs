//! The steps that can be taken in a state.

use stateright::{Model, Property};

use super::state::{Budget, Database, Event, Lease, Replica, State};
use crate::outbox::{Change, Ownership};

/// The model, with at most one wrong transition.
#[derive(Debug, Clone)]
pub(super) struct Walk {
    pub(super) budget: Budget,
    pub(super) bug: Option<Bug>,
}

/// A bug that is injected into a transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bug {
    /// The state machine goes to a wrong state.
    Target { from: Ownership, change: Change, to: Ownership },
    /// This change leaves the queue as it was.
    KeepsQueue(Change),
    /// A commit that ends a doubt puts its row into the queue.
    QueuesAfterDoubt,
    /// Rows that relied on shared mode enter the queue.
    QueuesShared,
    /// A transaction does not check what it relies on.
    NoPremise,
    /// Taking and sharing do not wait for open transactions.
    NoLock,

    /// A relay that takes the lease ends this replica's own lease without an end, without the lock.
    EndsOwnLease,
    /// The relay goes on with the queue after a failed send.
    GoesOnAfterFailure,
    /// A relay in shared mode sends from its queue.
    SendsQueuedInSharedMode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Action {
    /// A process starts and takes the outbox, or fails to take it.
    Start {
        taken: bool,
    },
    Die,
    /// Drains and releases what it holds.
    Stop,
    /// The engine begins a transaction.
    Begin,
    Commit,
    /// The engine's COMMIT gets no result, while it is under way in the database.
    LoseCommit,
    /// The engine's connection breaks before COMMIT.
    Rollback,
    /// The COMMIT that is under way takes effect, or does not.
    Decide {
        applied: bool,
    },
    /// The engine notes what it learnt, in memory.
    NoteInEngine,
    /// The engine finds out which replica has the outbox. The result may be lost on its way.
    Look {
        heard: bool,
    },
    /// The relay begins a step, and chooses between queue and table.
    Step,
    /// The relay finds out which replica has the outbox, before it takes the lease.
    Share {
        heard: bool,
    },
    TakeLease,
    /// The relay notes what it learnt, in memory.
    NoteInRelay,
    ReadTable,
    /// The broker gets the next row, and the relay hears of it unless `heard` is false.
    Send {
        heard: bool,
    },
    /// The broker refuses the next row.
    FailToSend,
    /// The relay deletes what was acknowledged.
    Delete,
    /// The relay of a sole replica checks that it still has the outbox.
    Confirm,
    /// The relay of a shared outbox takes it again. The result may be lost on its way.
    Take {
        heard: bool,
    },
}

impl Model for Walk {
    type State = State;
    type Action = (usize, Action);

    fn init_states(&self) -> Vec<State> {
        let database =
            Database { lease: Lease::Free, table: [].into(), committed: 0, in_flight: None };
        let replicas = [None, None];
        vec![State {
            database,
            published: 0,
            overtaken: false,
            misled: false,
            replicas,
            left: self.budget,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<(usize, Action)>) {
        for (of, replica) in state.replicas.iter().enumerate() {
            let mut add = |action| actions.push((of, action));
            match replica {
                None if state.left.starts > 0 => {
                    if self.may_change_hands(state) {
                        add(Action::Start { taken: true });
                    }
                    add(Action::Start { taken: false });
                }
                None => {}
                Some(replica) => {
                    if state.left.deaths > 0 {
                        add(Action::Die);
                    }
                    self.engine_actions(state, replica, &mut add);
                    self.relay_actions(state, replica, &mut add);
                }
            }
        }
        if let Some(of) = state.database.in_flight {
            actions.push((of, Action::Decide { applied: true }));
            actions.push((of, Action::Decide { applied: false }));
        }
    }

    fn next_state(&self, state: &State, (of, action): (usize, Action)) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Start { taken } => {
                next.left.starts -= 1;
                if taken {
                    next.outdate_tokens();
                    next.database.lease = Lease::Endless(Some(of));
                }
                next.replicas[of] = Some(Replica::started(taken));
            }
            Action::Die => {
                next.left.deaths -= 1;
                next.replicas[of] = None;
                if next.database.lease == Lease::Endless(Some(of)) {
                    next.database.lease = Lease::Endless(None);
                }
            }
            Action::Begin
            | Action::Commit
            | Action::LoseCommit
            | Action::Rollback
            | Action::Decide { .. }
            | Action::NoteInEngine
            | Action::Look { .. } => self.engine_step(&mut next, of, action),
            _ => self.relay_step(&mut next, of, action),
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no event overtakes its predecessor", |_, state: &State| {
                !state.overtaken
            }),
            Property::always("no event is lost", |_, state: &State| {
                let lost = |event| {
                    event > state.published && !state.database.table.contains(&Event(event))
                };
                !(1..=state.database.committed).any(lost)
            }),
            Property::always("what is queued may be sent", |_, state: &State| {
                state
                    .replicas
                    .iter()
                    .flatten()
                    .all(|replica| replica.may_send_queue(state.published))
            }),
            Property::always(
                "an open transaction is right about the outbox",
                |_, state: &State| {
                    (0..state.replicas.len()).all(|of| state.is_right_about_outbox(of))
                },
            ),
            Property::always(
                "a replica that has noted what it learnt can go on",
                |_, state: &State| !state.misled,
            ),
            Property::always(
                "what is committed reaches the broker",
                |walk: &Self, state: &State| walk.drains(state),
            ),
            Property::sometimes(
                "all events reach the broker in shared mode",
                |walk, state: &State| {
                    let shared = |it: &Replica| it.owned.ownership() == Ownership::Shared;
                    state.published == walk.budget.events
                        && state.replicas.iter().all(|it| it.as_ref().is_some_and(shared))
                },
            ),
            Property::sometimes("two replicas believe that they are sole", |_, state: &State| {
                let sole = |it: &Replica| it.owned.ownership() == Ownership::Sole;
                state.replicas.iter().all(|it| it.as_ref().is_some_and(sole))
            }),
            Property::sometimes("a former owner still has rows to send", |_, state: &State| {
                state.former_owner_sends()
            }),
            Property::sometimes("a commit in doubt turns out to be applied", |_, state: &State| {
                let applied = |it: &Replica| it.in_doubt == Some(super::state::Doubt::Applied);
                state.replicas.iter().flatten().any(applied)
            }),
        ]
    }
}

impl Walk {
    /// Whether a transaction may take or share the outbox now.
    pub(super) fn may_change_hands(&self, state: &State) -> bool {
        self.bug == Some(Bug::NoLock) || !state.is_locked()
    }

    /// A change in memory, by the real machine, and perhaps a bug on top.
    pub(super) fn change(&self, replica: &mut Replica, change: Change) {
        let before = replica.owned.clone();
        replica.owned.change(change);
        self.inject(replica, &before, change);
    }

    /// Replaces what the real machine did by what the bug does.
    pub(super) fn inject(
        &self,
        replica: &mut Replica,
        before: &crate::outbox::ownership::OwnedQueue<Event>,
        change: Change,
    ) {
        match self.bug {
            Some(Bug::Target { from, change: of, to })
                if from == before.ownership() && of == change =>
            {
                replica.owned.set_ownership(to);
            }
            Some(Bug::KeepsQueue(of)) if of == change => replica.owned.set_queue_of(before),
            _ => {}
        }
    }
}
