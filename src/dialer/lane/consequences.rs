//! What follows from what a lane has seen: commits, hangups, channel snapshots and recordings.

use tokio::time::Instant;

use super::{Running, now};
use crate::dialer::requests;
use crate::dialer::tracker::Output;
use crate::domain::commit::{Claim, Group, Withdrawal};
use crate::domain::end_request::Command;
use crate::domain::time::Millis;

impl Running {
    /// Takes back claims whose Originate was never sent; `why` is a text for people.
    pub(super) fn withdraw(&mut self, unsent: Vec<Claim>, why: &'static str) {
        if !unsent.is_empty() {
            self.needs_feed = true;
            self.dispatch.wake();
            let withdrawn = unsent.into_iter().map(|claim| Withdrawal { claim, why, due: None }).collect();
            self.commit(Group { withdrawn, ..Group::default() });
        }
    }

    /// Carries out the requests of clients to end calls: a live call is hung up, and any other one ends in the store. A
    /// request for a call that is being claimed is read again when the claim is decided.
    pub(super) fn take_commands(&mut self, commands: Vec<Command>) {
        let mut out = Output::default();
        for Command { call, .. } in commands {
            if !self.tracker.request_end(call, now(), &mut out) && !self.unconfirmed.contains_key(&call) {
                out.group.settled.push(call);
            }
        }
        self.act(out);
    }

    /// Passes a group on to the journal. If the journal has ended, the lane notices it and ends as well.
    pub(super) fn commit(&self, group: Group) {
        if !group.is_empty() {
            let _ = self.journal.send(group);
        }
    }

    /// Commits what changed, and starts what follows.
    pub(super) fn act(&mut self, out: Output) {
        let instant = Instant::now().into_std();
        for (trunk, outcome) in &out.ended {
            self.dispatch.saw(trunk.as_ref(), *outcome, instant);
        }
        // A call that ended may be tried again at once.
        self.needs_feed |=
            out.group.changes.iter().any(|change| change.next_try().is_some_and(|due| due <= Millis::now()));
        if !out.group.withdrawn.is_empty() {
            self.dispatch.wake();
        }
        self.commit(out.group);
        for channel in out.hangups {
            requests::hang_up(&self.link, &channel);
        }
        if out.request_snapshot && self.online {
            self.request_snapshot();
        }
        for (attempt, channel, recording) in out.recordings {
            requests::record(&self.link, attempt, channel, recording, &self.replies.0);
        }
    }
}
