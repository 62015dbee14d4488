//! The relay's task: read, send, delete.

use super::{
    actions::{Action, Bug, Walk},
    engine::look,
    state::{Engine, Event, Lease, Relay, Replica, State},
};
use crate::outbox::Change;

/// Rows that the relay reads or takes at once. Two, so that a read can end with rows left over.
const LIMIT: usize = 2;

impl Walk {
    pub(super) fn relay_actions(
        &self,
        state: &State,
        replica: &Replica,
        add: &mut impl FnMut(Action),
    ) {
        match &replica.relay {
            Relay::Idle => self.idle_relay_actions(state, replica, add),
            Relay::Sharing { looked } => {
                let taken = matches!(state.database.lease, Lease::Endless(_));
                if *looked || !taken {
                    add(Action::TakeLease);
                } else if self.may_change_hands(state) {
                    add(Action::Share { heard: true });
                    if state.left.lost_results > 0 {
                        add(Action::Share { heard: false });
                    }
                }
            }
            Relay::Emptied { .. } => add(Action::ReadTable),
            Relay::Sending { rows, .. } if rows.is_empty() => add(Action::Delete),
            Relay::Sending { .. } => {
                add(Action::Send { heard: true });
                if state.left.failed_sends > 0 {
                    add(Action::Send { heard: false });
                    add(Action::FailToSend);
                }
            }
            Relay::Noted { .. } => add(Action::NoteInRelay),
        }
    }

    fn idle_relay_actions(&self, state: &State, replica: &Replica, add: &mut impl FnMut(Action)) {
        add(Action::Step);
        if replica.owned.ownership().is_sole() {
            add(Action::Confirm);
        } else if replica.token.is_some() && self.may_change_hands(state) {
            add(Action::Take { heard: true });
            if state.left.lost_results > 0 {
                add(Action::Take { heard: false });
            }
        }
        let drained = replica.acknowledged.is_empty() && state.left.events == 0;
        if drained && replica.engine == Engine::Idle {
            add(Action::Stop);
        }
    }

    pub(super) fn relay_step(&self, next: &mut State, of: usize, action: Action) {
        match action {
            Action::Step => {
                let replica = next.replica(of);
                let sole = replica.owned.ownership().is_sole();
                // A relay with a lease that it need not renew yet does not ask the database.
                if sole || replica.token.is_some() {
                    self.choose(replica, sole);
                } else {
                    replica.relay = Relay::Sharing { looked: false };
                }
            }
            Action::Share { heard } => {
                let change = look(next, of);
                if !heard {
                    next.left.lost_results -= 1;
                }
                next.replica(of).relay =
                    if heard { Relay::Noted { change, shares: true } } else { Relay::Idle };
            }
            Action::TakeLease => self.take_lease(next, of),
            Action::NoteInRelay => self.note_in_relay(next.replica(of)),
            Action::ReadTable => read_table(next, of),
            Action::Send { heard } => self.send(next, of, heard),
            Action::FailToSend => {
                next.left.failed_sends -= 1;
                self.fail(next.replica(of));
            }
            Action::Delete => {
                delete_acknowledged(next, of);
                next.replica(of).relay = Relay::Idle;
            }
            Action::Confirm => {
                if next.database.lease != Lease::Endless(Some(of)) {
                    next.replica(of).relay =
                        Relay::Noted { change: Change::FoundShared, shares: false };
                }
            }
            Action::Take { heard } => take(next, of, heard),
            Action::Stop => stop(next, of),
            _ => unreachable!("{action:?} is the engine's"),
        }
    }

    /// [`crate::outbox::lease::Lease::take`]. It leaves a lease without an end alone, also this replica's own.
    fn take_lease(&self, next: &mut State, of: usize) {
        let is_endless = matches!(next.database.lease, Lease::Endless(_));
        let ends_own =
            self.bug == Some(Bug::EndsOwnLease) && next.database.lease == Lease::Endless(Some(of));
        if is_endless && !ends_own {
            next.replica(of).relay = Relay::Idle;
            return;
        }
        next.database.lease = Lease::Timed;
        next.outdate_tokens();
        let replica = next.replica(of);
        replica.token = Some(true);
        self.choose(replica, false);
    }

    fn note_in_relay(&self, replica: &mut Replica) {
        let Relay::Noted { change, shares } = replica.relay else {
            unreachable!("the relay has nothing to note")
        };
        self.change(replica, change);
        replica.relay = if shares { Relay::Sharing { looked: true } } else { Relay::Idle };
    }

    /// As the real relay's `next`, up to the statement that reads the table.
    fn choose(&self, replica: &mut Replica, sole: bool) {
        let sends_queued = sole || self.bug == Some(Bug::SendsQueuedInSharedMode);
        if replica.owned.take_incomplete() || !sends_queued {
            replica.cursor.reread();
        }
        if replica.cursor.reads_table() {
            replica.owned.take(usize::MAX);
            replica.relay = Relay::Emptied { sole };
            return;
        }
        let mut rows = replica.owned.take(LIMIT);
        replica.cursor.drop_read(&mut rows, |row| *row);
        replica.relay = if rows.is_empty() { Relay::Idle } else { Relay::Sending { rows, sole } };
    }

    fn send(&self, next: &mut State, of: usize, heard: bool) {
        let Relay::Sending { rows, .. } = &mut next.replica(of).relay else {
            unreachable!("the relay has nothing to send")
        };
        let event = rows.remove(0);
        next.publish(event);
        if heard {
            next.replica(of).acknowledged.insert(event);
        } else {
            next.left.failed_sends -= 1;
            self.fail(next.replica(of));
        }
    }

    /// Sends nothing later, and reads the table next.
    fn fail(&self, replica: &mut Replica) {
        if self.bug != Some(Bug::GoesOnAfterFailure) {
            replica.cursor.reread();
        }
        if let Relay::Sending { rows, .. } = &mut replica.relay {
            rows.clear();
        }
    }
}

/// Rounds of relay steps that are enough to send two events, whatever the relays know at first.
const ROUNDS: usize = 40;

impl Walk {
    /// Whether relays that run without faults send all that is committed. Looked at while both have nothing to do.
    pub(super) fn drains(&self, state: &State) -> bool {
        let running = || state.replicas.iter().flatten();
        let is_idle = |replica: &Replica| {
            replica.relay == Relay::Idle
                && replica.engine == Engine::Idle
                && replica.in_doubt.is_none()
        };
        if state.published == state.database.committed
            || state.is_locked()
            || running().next().is_none()
            || !running().all(is_idle)
        {
            return true;
        }
        let mut next = state.clone();
        for round in 0..ROUNDS {
            let of = round % next.replicas.len();
            let Some(replica) = &next.replicas[of] else { continue };
            let action = match &replica.relay {
                // The tidying in between, which notices that another replica has come and gone.
                Relay::Idle
                    if replica.owned.ownership().is_sole()
                        && next.database.lease != Lease::Endless(Some(of)) =>
                {
                    Action::Confirm
                }
                Relay::Idle => Action::Step,
                Relay::Sharing { looked: false }
                    if matches!(next.database.lease, Lease::Endless(_)) =>
                {
                    Action::Share { heard: true }
                }
                Relay::Sharing { .. } => Action::TakeLease,
                Relay::Emptied { .. } => Action::ReadTable,
                Relay::Sending { rows, .. } if rows.is_empty() => Action::Delete,
                Relay::Sending { .. } => Action::Send { heard: true },
                Relay::Noted { .. } => Action::NoteInRelay,
            };
            self.relay_step(&mut next, of, action);
        }
        next.published == next.database.committed
    }
}

fn read_table(next: &mut State, of: usize) {
    // The real relay deletes first, in a statement of its own. What it would not delete it would send again.
    delete_acknowledged(next, of);
    let table = &next.database.table;
    let rows: Vec<Event> = table.iter().copied().take(LIMIT).collect();
    let all = rows.len() < LIMIT;
    let replica = next.replica(of);
    let Relay::Emptied { sole } = replica.relay else { unreachable!("the queue is not empty") };
    replica.cursor.was_read(rows.iter().copied(), all);
    replica.relay = if rows.is_empty() { Relay::Idle } else { Relay::Sending { rows, sole } };
}

/// In exclusive mode without a fence, in shared mode only with the latest token.
fn delete_acknowledged(next: &mut State, of: usize) {
    let replica = next.replica(of);
    let rows = std::mem::take(&mut replica.acknowledged);
    let sole = match replica.relay {
        Relay::Sending { sole, .. } | Relay::Emptied { sole } => sole,
        _ => true,
    };
    if !sole && replica.token == Some(false) && !rows.is_empty() {
        replica.token = None;
    } else {
        next.database.table.retain(|row| !rows.contains(row));
    }
}

/// [`crate::outbox::Outbox::take`].
fn take(next: &mut State, of: usize, heard: bool) {
    next.database.lease = Lease::Endless(Some(of));
    next.outdate_tokens();
    if !heard {
        next.left.lost_results -= 1;
        return;
    }
    let replica = next.replica(of);
    replica.token = None;
    replica.relay = Relay::Noted { change: Change::Taken, shares: false };
}

fn stop(next: &mut State, of: usize) {
    let token = next.replica(of).token;
    next.replicas[of] = None;
    let releases = match next.database.lease {
        Lease::Endless(holder) => holder == Some(of),
        Lease::Timed => token == Some(true),
        Lease::Free => false,
    };
    if releases {
        next.database.lease = Lease::Free;
    }
}

impl Replica {
    /// Conclusion 4: whatever the relay sends next from the queue, each of its predecessors was sent, or is ahead
    /// of it.
    pub(super) fn may_send_queue(&self, published: u8) -> bool {
        let mut owned = self.owned.clone();
        if !owned.ownership().is_sole() || owned.take_incomplete() || self.cursor.reads_table() {
            return true;
        }
        let in_hand: &[Event] = match &self.relay {
            Relay::Sending { rows, .. } => rows,
            Relay::Emptied { .. } => return true,
            _ => &[],
        };
        let mut sent = published;
        for event in in_hand.iter().copied().chain(owned.take(usize::MAX)) {
            if event.0 > sent + 1 {
                return false;
            }
            sent = sent.max(event.0);
        }
        true
    }

    fn has_rows_to_send(&self) -> bool {
        let queued = !self.owned.clone().take(1).is_empty();
        queued || matches!(&self.relay, Relay::Sending { rows, .. } if !rows.is_empty())
    }
}

impl State {
    /// A replica that the outbox was taken from has rows to send, and does not know.
    pub(super) fn former_owner_sends(&self) -> bool {
        let former = |(of, replica): (usize, &Option<Replica>)| {
            replica.as_ref().is_some_and(|replica| {
                replica.owned.ownership().is_sole()
                    && self.database.lease != Lease::Endless(Some(of))
                    && replica.has_rows_to_send()
            })
        };
        self.replicas.iter().enumerate().any(former)
    }
}
