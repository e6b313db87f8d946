//! What follows from what a lane has seen: commits, hangups, looks and recordings.

use tokio::time::Instant;

use super::{Running, now};
use crate::dialer::journal::Entry;
use crate::dialer::requests;
use crate::dialer::tracker::Output;
use crate::domain::commit::{Claim, Withdrawal};
use crate::domain::end_request::Command;
use crate::domain::time::Millis;

impl Running {
    /// Takes back claims whose Originate never left; `why` is for people.
    pub(super) fn withdraw(&mut self, unsent: Vec<Claim>, why: &'static str) {
        if !unsent.is_empty() {
            self.needs_feed = true;
            self.dispatch.wake();
            let _ = self
                .entries
                .send(Entry::Withdrawn(unsent.into_iter().map(|claim| Withdrawal { claim, why, due: None }).collect()));
        }
    }

    /// Passes on what clients want of their calls: what lives is hung up, the rest is settled in the store. A call that
    /// is being claimed is looked at again when the claim is decided.
    pub(super) fn take_commands(&mut self, commands: Vec<Command>) {
        let mut out = Output::default();
        for Command { call, .. } in commands {
            if !self.tracker.request_end(call, now(), &mut out) && !self.unconfirmed.contains_key(&call) {
                out.settled.push(call);
            }
        }
        self.act(out);
    }

    /// Commits what changed, and starts what follows.
    pub(super) fn act(&mut self, out: Output) {
        let instant = Instant::now().into_std();
        for (trunk, outcome) in &out.ended {
            self.dispatch.saw(trunk.as_ref(), *outcome, instant);
        }
        if !out.changes.is_empty() {
            // What ended may be tried again at once.
            self.needs_feed |=
                out.changes.iter().any(|change| change.next_try().is_some_and(|due| due <= Millis::now()));
            let _ = self.entries.send(Entry::Changes(out.changes));
        }
        if !out.withdrawn.is_empty() {
            self.dispatch.wake();
            let _ = self.entries.send(Entry::Withdrawn(out.withdrawn));
        }
        if !out.notes.is_empty() {
            let _ = self.entries.send(Entry::Notes(out.notes));
        }
        // Behind the changes that ended them.
        if !out.settled.is_empty() {
            let _ = self.entries.send(Entry::Settled(out.settled));
        }
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
