//! The engine's task: one transaction after the other.

use super::{
    actions::{Action, Bug, Walk},
    state::{Doubt, Engine, Event, Lease, Replica, State},
};
use crate::outbox::{Change, Ownership};

impl Walk {
    pub(super) fn engine_actions(
        &self,
        state: &State,
        replica: &Replica,
        add: &mut impl FnMut(Action),
    ) {
        match replica.engine {
            Engine::Idle => {
                if state.left.events > 0 || replica.in_doubt.is_some() {
                    add(Action::Begin);
                }
            }
            Engine::Open { .. } => {
                // A transaction that touches the aggregate waits for one that is under way.
                if state.database.in_flight.is_none() {
                    add(Action::Commit);
                    if state.left.unknown_commits > 0 && replica.in_doubt.is_none() {
                        add(Action::LoseCommit);
                    }
                }
                add(Action::Rollback);
            }
            Engine::Refused => {
                if self.may_change_hands(state) {
                    add(Action::Look { heard: true });
                    if state.left.lost_results > 0 {
                        add(Action::Look { heard: false });
                    }
                }
            }
            Engine::Unknown | Engine::Committed { .. } | Engine::Looked { .. } => {
                add(Action::NoteInEngine);
            }
        }
    }

    pub(super) fn engine_step(&self, next: &mut State, of: usize, action: Action) {
        match action {
            Action::Begin => self.begin(next, of),
            Action::Commit => commit(next, of),
            Action::Rollback => next.replica(of).engine = Engine::Idle,
            Action::LoseCommit => {
                next.left.unknown_commits -= 1;
                next.database.in_flight = Some(of);
                let replica = next.replica(of);
                (replica.engine, replica.in_doubt) = (Engine::Unknown, Some(Doubt::Undecided));
            }
            Action::Decide { applied } => decide(next, applied),
            Action::NoteInEngine => self.note_in_engine(next, of),
            Action::Look { heard } => {
                let change = look(next, of);
                if !heard {
                    next.left.lost_results -= 1;
                }
                let lease = next.database.lease;
                next.replica(of).engine =
                    if heard { Engine::Looked { change, lease } } else { Engine::Idle };
            }
            _ => unreachable!("{action:?} is the relay's"),
        }
    }

    fn begin(&self, next: &mut State, of: usize) {
        let lease = next.database.lease;
        let relied_on = next.replica(of).owned.ownership();
        let holds = premise_holds(lease, relied_on, of) || self.bug == Some(Bug::NoPremise);
        next.replica(of).engine = if holds { Engine::Open { relied_on } } else { Engine::Refused };
    }

    fn note_in_engine(&self, next: &mut State, of: usize) {
        match std::mem::replace(&mut next.replica(of).engine, Engine::Idle) {
            Engine::Unknown => self.change(next.replica(of), Change::CommitUnknown),
            Engine::Looked { change, lease } => {
                self.change(next.replica(of), change);
                let ownership = next.replica(of).owned.ownership();
                let is_unchanged = lease == next.database.lease;
                next.misled |= is_unchanged && !premise_holds(lease, ownership, of);
            }
            Engine::Committed { event, relied_on } => {
                self.note_commit(next.replica(of), event.into_iter().collect(), relied_on);
                next.misled |= next.replica(of).owned.ownership().is_in_doubt();
            }
            engine => unreachable!("{engine:?} has nothing to note"),
        }
    }

    fn note_commit(&self, replica: &mut Replica, rows: Vec<Event>, relied_on: Ownership) {
        let before = replica.owned.clone();
        replica.owned.committed(rows.clone(), relied_on);
        self.inject(replica, &before, Change::Committed);
        let doubted = before.ownership().is_in_doubt();
        let queues = match self.bug {
            Some(Bug::QueuesAfterDoubt) => doubted,
            Some(Bug::QueuesShared) => !doubted && !relied_on.is_sole(),
            _ => false,
        };
        if queues {
            replica.owned.set_queue_of(&before);
            replica.owned.push(rows);
        }
    }
}

/// What [`crate::outbox::Outbox::premise`] requires.
fn premise_holds(lease: Lease, relied_on: Ownership, of: usize) -> bool {
    match lease {
        Lease::Endless(holder) => relied_on.is_sole() && holder == Some(of),
        Lease::Free | Lease::Timed => !relied_on.is_sole(),
    }
}

/// Commits the next event. The repeat of a batch that was applied commits none.
fn commit(next: &mut State, of: usize) {
    let Engine::Open { relied_on } = next.replica(of).engine else {
        unreachable!("only an open transaction commits")
    };
    let repeats = next.replica(of).in_doubt.take();
    let event = (repeats != Some(Doubt::Applied) && next.left.events > 0).then(|| next.add_event());
    next.replica(of).engine = Engine::Committed { event, relied_on };
}

fn decide(next: &mut State, applied: bool) {
    let of = next.database.in_flight.take().expect("a COMMIT is under way");
    let applied = applied && next.left.events > 0;
    if applied {
        next.add_event();
    }
    if let Some(replica) = &mut next.replicas[of]
        && replica.in_doubt == Some(Doubt::Undecided)
    {
        replica.in_doubt = Some(if applied { Doubt::Applied } else { Doubt::RolledBack });
    }
}

/// [`crate::outbox::Outbox::look`], in the database.
pub(super) fn look(next: &mut State, of: usize) -> Change {
    match next.database.lease {
        Lease::Endless(Some(holder)) if holder == of => Change::FoundOurs,
        Lease::Endless(_) => {
            next.database.lease = Lease::Timed;
            Change::FoundShared
        }
        Lease::Free | Lease::Timed => Change::FoundShared,
    }
}

impl State {
    fn add_event(&mut self) -> Event {
        self.left.events -= 1;
        self.database.committed += 1;
        let event = Event(self.database.committed);
        self.database.table.insert(event);
        event
    }

    /// Conclusion 1: while a transaction is open, the outbox is as that transaction relies on it.
    pub(super) fn is_right_about_outbox(&self, of: usize) -> bool {
        match self.replicas[of].as_ref().map(|replica| replica.engine) {
            Some(Engine::Open { relied_on }) => premise_holds(self.database.lease, relied_on, of),
            _ => true,
        }
    }
}
