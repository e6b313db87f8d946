//! Answered attempts that have ended, for the CDRs and answers about recordings that are received after the end.

use super::billing::Cdrs;
use crate::domain::cdr::Cdr;
use crate::domain::commit::{CallRef, Change, What};
use crate::domain::event_kind::EventKind;
use crate::domain::ids::AttemptId;
use crate::domain::status::Outcome;
use crate::domain::time::Millis;

/// An attempt that was answered and has ended. Nothing reopens it; only its billed seconds may still be corrected.
#[derive(Clone, Debug)]
pub struct Closed {
    pub(super) call: CallRef,
    pub(super) attempt: AttemptId,
    pub(super) number: i32,
    /// The seconds that were committed.
    pub(super) billed: i32,
    /// The A leg's CDRs; None if they tell only a part of the call.
    pub(super) cdrs: Option<Cdrs>,
}

impl Closed {
    /// The id of the attempt.
    #[must_use]
    pub fn attempt(&self) -> AttemptId {
        self.attempt
    }

    /// Takes in a CDR of the A leg. Returns the change to commit if it corrects the billed seconds.
    pub fn cdr_received(&mut self, cdr: &Cdr, at: Millis) -> Option<Change> {
        let cdrs = self.cdrs.as_mut()?;
        cdrs.add(cdr);
        let seconds = cdrs.seconds()?;
        let more = seconds - std::mem::replace(&mut self.billed, seconds);
        if more == 0 {
            return None;
        }
        Some(self.change(at, What::Billed { seconds, more }))
    }

    /// Takes in the answer to a MixMonitor that was received after the end: the recording's path if it was started, or
    /// why it was not. A recording that was started has stopped with the call.
    #[must_use]
    pub fn mixmonitor_answered(&self, answer: &Result<String, String>, at: Millis) -> Vec<Change> {
        let told = |kind, detail: &str| {
            let status = Outcome::Answered.final_status();
            self.change(at, What::Told { kind, status, detail: Some(detail.to_owned()) })
        };
        match answer {
            Ok(path) => vec![told(EventKind::RecordingStarted, path), told(EventKind::RecordingStopped, path)],
            Err(why) => vec![told(EventKind::RecordingFailed, why)],
        }
    }

    fn change(&self, at: Millis, what: What) -> Change {
        Change { call: self.call, attempt: self.attempt, number: self.number, at, what }
    }
}
