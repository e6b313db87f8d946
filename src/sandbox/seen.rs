//! What a sandbox remembers for the tests that use it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// How many Originates are remembered. The number is bounded because a load test may run for days.
const REMEMBERED: usize = 100_000;

/// An Originate that the sandbox received, with its values as they were sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Originated {
    /// The ActionID of the action.
    pub action_id: String,
    /// The ChannelId of the Originate.
    pub channel_id: String,
    /// The Channel of the Originate: its dial string.
    pub channel: String,
    /// The arguments of the application; empty if there are none.
    pub data: String,
    /// The extension in the dialplan; empty if an application runs.
    pub exten: String,
}

/// The state that the sandbox's tasks share with its handle.
#[derive(Debug, Default)]
pub(super) struct Seen {
    originated: Mutex<VecDeque<Originated>>,
    originates: AtomicU64,
    refuses_logins: AtomicBool,
}

impl Seen {
    pub(super) fn note(&self, originated: Originated) {
        self.originates.fetch_add(1, Ordering::Relaxed);
        let mut kept = self.originated.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == REMEMBERED {
            kept.pop_front();
        }
        kept.push_back(originated);
    }

    pub(super) fn refuses_logins(&self) -> bool {
        self.refuses_logins.load(Ordering::Relaxed)
    }

    pub(super) fn originated(&self) -> Vec<Originated> {
        self.originated.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    pub(super) fn originates(&self) -> u64 {
        self.originates.load(Ordering::Relaxed)
    }

    pub(super) fn refuse_logins(&self, refuse: bool) {
        self.refuses_logins.store(refuse, Ordering::Relaxed);
    }
}
