//! The relay's task: read, send, delete.

use super::{
    actions::{Action, Bug, Walk},
    engine::look,
    state::{Event, Lease, Relay, Replica, State},
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
            Relay::Sharing => {
                if matches!(state.database.lease, Lease::Endless(_)) {
                    if self.may_change_hands(state) {
                        add(Action::Share { heard: true });
                        if state.left.lost_results > 0 {
                            add(Action::Share { heard: false });
                        }
                    }
                } else {
                    add(Action::TakeLease);
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
        if drained && matches!(replica.engine, super::state::Engine::Idle) {
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
                    replica.relay = Relay::Sharing;
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
            Action::TakeLease => {
                next.database.lease = Lease::Timed;
                next.outdate_tokens();
                let replica = next.replica(of);
                replica.token = Some(true);
                self.choose(replica, false);
            }
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

    fn note_in_relay(&self, replica: &mut Replica) {
        let Relay::Noted { change, shares } = replica.relay else {
            unreachable!("the relay has nothing to note")
        };
        self.change(replica, change);
        replica.relay = if shares { Relay::Sharing } else { Relay::Idle };
    }

    /// As the real relay's `next`, up to the statement that reads the table.
    fn choose(&self, replica: &mut Replica, sole: bool) {
        let sends_queued = sole || self.bug == Some(Bug::SendsQueuedInSharedMode);
        if replica.owned.take_incomplete() || !sends_queued {
            replica.cursor.reread();
        }
        if replica.cursor.reads_table() {
            if self.bug != Some(Bug::KeepsQueueOnRead) {
                replica.owned.take(usize::MAX);
            }
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
