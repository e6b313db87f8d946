//! The state machine of one attempt. The module's documentation has the table of its transitions.

mod ending;
#[cfg(test)]
mod table;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use super::billing::Billing;
use super::channel_id::{self, ChannelId, Conflict};
use super::closed::Closed;
use super::course::{Course, Next, OVERTAKEN, Phase, Resumed};
use super::effect::{Effect, End};
use super::end_requested::{self, By, EndRequested};
use super::evidence::judge;
use super::liveness::{Doubt, Liveness};
use super::recorder::Recorder;
use super::signal::{ALegState, Signal};
use crate::domain::commit::Claim;
use crate::domain::event_kind::{self, EventKind};
use crate::domain::note;
use crate::domain::originate::Recording;
use crate::domain::status::{CallStatus, Outcome};
use crate::domain::time::{Millis, Now};

/// One attempt that holds a channel, or may hold one.
#[derive(Clone, Debug)]
pub struct Attempt {
    claim: Claim,
    /// When the attempt began, for how long it may take.
    began: Instant,
    course: Course,
    bridged: bool,
    /// Asterisk accepted the Originate, or showed in another way that it took it.
    accepted: bool,
    channel_id: ChannelId,
    liveness: Liveness,
    end_requested: Option<EndRequested>,
    recorder: Recorder,
    billing: Billing,
    /// How many notes the dialplan left.
    notes: u16,
    /// The last event of the attempt, and when it was received.
    last_event: Option<(&'static str, Millis)>,
    /// When nothing more is expected.
    grace_until: Option<Instant>,
    over: Option<Over>,
}

/// Why nothing changes the attempt any more.
#[derive(Clone, Copy, Debug)]
enum Over {
    Ended { at: Millis },
    Withdrawn,
}

impl Attempt {
    /// Begins an attempt whose Originate is sent now. `timeout` is how long it may ring.
    #[must_use]
    pub fn begin(claim: Claim, timeout: Duration, recording: Option<Recording>, now: Now) -> Self {
        let liveness = Liveness::begin(timeout, now.instant);
        Self::new(claim, now.instant, Course::default(), Recorder::new(recording, false), liveness)
    }

    /// Resumes an attempt that an earlier lane began. The first channel snapshot decides whether it lives.
    #[must_use]
    pub fn resume(claim: Claim, recording: Option<Recording>, known: Resumed, now: Now) -> Self {
        let course = Course::resume(known);
        let recorder = Recorder::new(recording, known.recording_begun);
        let began = now.instant.checked_sub(now.wall.since(claim.at)).unwrap_or(now.instant);
        Self::new(claim, began, course, recorder, Liveness::resume(now.instant))
    }

    fn new(claim: Claim, began: Instant, course: Course, recorder: Recorder, liveness: Liveness) -> Self {
        Self {
            channel_id: ChannelId::of(&claim),
            claim,
            began,
            course,
            bridged: false,
            accepted: false,
            liveness,
            end_requested: None,
            recorder,
            billing: Billing::default(),
            notes: 0,
            last_event: None,
            grace_until: None,
            over: None,
        }
    }

    /// The claim that the attempt was granted by.
    #[must_use]
    pub fn claim(&self) -> &Claim {
        &self.claim
    }

    /// Gives the claim back, to withdraw it.
    #[must_use]
    pub fn into_claim(self) -> Claim {
        self.claim
    }

    /// The status of a call whose live attempt this is.
    #[must_use]
    pub fn status(&self) -> CallStatus {
        self.course.status()
    }

    /// Returns true if the attempt is over, so that no signal changes it any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over.is_some()
    }

    /// Returns the attempt for what is received after its end, if it was answered and has ended.
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        let (Some(Over::Ended { at }), Some(answered)) = (self.over, self.course.answered_at) else { return None };
        let Claim { call, attempt, number, .. } = self.claim;
        let (billed, cdrs) = (self.billing.seconds(answered, at), self.billing.cdrs(at));
        Some(Closed { call, attempt, number, billed, cdrs })
    }

    /// Returns true if Asterisk accepted the Originate, or showed in another way that it took it.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.accepted
    }

    /// Returns true if messages about the attempt's channel id are about the attempt. Before the channel of a client's
    /// own channel id was seen, they may be about another call.
    #[must_use]
    pub fn owns_channel_id(&self) -> bool {
        self.channel_id.is_own()
    }

    /// Returns true if another call may have the channel id.
    #[must_use]
    pub fn may_conflict(&self) -> bool {
        self.channel_id.conflict() != Conflict::No
    }

    /// Returns true if the next channel snapshot decides whether another call has the channel id.
    #[must_use]
    pub fn awaits_conflict_snapshot(&self) -> bool {
        self.channel_id.conflict() == Conflict::SnapshotRequested
    }

    /// Returns true if the next channel snapshot decides whether the attempt lives.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        self.liveness.doubt() != Doubt::No
    }

    /// Returns true if a channel is known to be a leg of the attempt, or to have been one.
    #[must_use]
    pub fn has_leg(&self, uniqueid: &str) -> bool {
        self.course.legs.contains(uniqueid)
    }

    /// The Uniqueids of all legs that were seen, including those that are gone.
    pub fn leg_ids(&self) -> impl Iterator<Item = &str> {
        self.course.legs.uniqueids()
    }

    /// When [`Signal::GraceOver`] is due, if more is expected.
    #[must_use]
    pub fn grace_until(&self) -> Option<Instant> {
        self.grace_until
    }

    /// Returns true if [`Signal::Tick`] would change the attempt.
    #[must_use]
    pub fn is_due(&self, now: Instant) -> bool {
        self.liveness.is_due(now) || self.hangup_is_due(now)
    }

    /// Takes in one signal. Returns what follows, in its order.
    pub fn apply(&mut self, signal: Signal, now: Now) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.is_over() {
            return effects;
        }
        if let Some(event) = signal.event() {
            self.last_event = Some((event, now.wall));
        }
        match signal {
            Signal::Refused { text } => {
                self.tell((EventKind::Note, Some(event_kind::refused(&text))), &mut effects);
                self.course.evidence.refused = true;
                self.end(now.wall, &mut effects);
            }
            Signal::LegAppeared { uniqueid, name } => {
                self.is_seen();
                self.course.evidence.had_channel = true;
                self.course.legs.appeared(uniqueid, name);
                if self.channel_id.appeared() {
                    // The refusal that was put off concerns the attempt's own channel.
                    self.course.originated(channel_id::REFUSED);
                }
                self.hang_up_if_requested(now.instant, &mut effects);
            }
            Signal::StateChanged { name, state } => {
                self.course.legs.named(&self.claim.channel_id, name);
                if state == ALegState::Other {
                    return effects;
                }
                self.is_seen();
                self.a_leg_is(state, now, &mut effects);
            }
            Signal::Ringing => {
                self.is_seen();
                self.a_leg_is(ALegState::Ringing, now, &mut effects);
            }
            Signal::DialEnded(status) => {
                self.is_seen();
                if self.course.dial_ended(status) {
                    self.answer(now, &mut effects);
                }
            }
            Signal::Originated { result, .. } if self.channel_id.may_be_refused_by(result) => {
                if self.channel_id.refused() {
                    self.accepted = true;
                    self.expect_more(OVERTAKEN, now.instant, &mut effects);
                }
                return effects;
            }
            Signal::Originated { result, channel } => {
                self.is_seen();
                if self.course.originated(result) {
                    self.course.legs.named(&self.claim.channel_id, channel);
                    self.answer(now, &mut effects);
                }
            }
            Signal::Bridged => {
                self.is_seen();
                if !std::mem::replace(&mut self.bridged, true) {
                    self.tell((EventKind::Bridged, None), &mut effects);
                }
            }
            Signal::LegGone { uniqueid, cause } => {
                self.is_seen();
                self.course.leg_gone(&uniqueid, cause);
                if uniqueid == self.claim.channel_id {
                    self.billing.a_leg_gone(now.wall);
                    self.stop_recording(&mut effects);
                }
            }
            Signal::CdrReceived(cdr) => {
                // A CDR may be received after the end, too, and so it takes no attempt out of doubt.
                self.accepted = true;
                self.billing.add(&cdr);
                if self.course.cdr_received(cdr.disposition) {
                    self.answer(now, &mut effects);
                }
            }
            Signal::Found { legs, a_leg } => {
                if self.liveness.found(now.instant) {
                    self.tell((EventKind::Adopted, None), &mut effects);
                }
                self.is_seen();
                self.channel_id.found();
                self.course.evidence.had_channel = true;
                self.course.legs.found(legs);
                self.a_leg_is(a_leg, now, &mut effects);
                self.hang_up_if_requested(now.instant, &mut effects);
            }
            Signal::Missing => {
                if !self.liveness.missed() {
                    return effects;
                }
                self.end_missing("and none of its channels lives any more", now.wall, &mut effects);
            }
            Signal::Abandoned => {
                self.end_missing("and its server was not reached for an hour after this", now.wall, &mut effects);
            }
            Signal::ChannelIdFree => {
                if !self.channel_id.free() {
                    return effects;
                }
                // Asterisk refused the Originate for another reason.
                self.is_seen();
                self.course.originated(channel_id::REFUSED);
                self.end_if_expected(now.wall, &mut effects);
            }
            Signal::ChannelIdTaken => {
                if self.may_conflict() {
                    self.over = Some(Over::Withdrawn);
                    let (why, retry_after) = (channel_id::WHY, channel_id::CONFLICT_RETRY);
                    effects.push(Effect::Withdraw { why, retry_after });
                }
                return effects;
            }
            Signal::GraceOver => {
                self.grace_until = None;
                if self.channel_id.grace_over() {
                    effects.push(Effect::RequestSnapshot);
                    return effects;
                }
                self.end_if_expected(now.wall, &mut effects);
            }
            Signal::Accepted => {
                self.accepted = true;
                return effects;
            }
            Signal::ConnectionLost => {
                self.liveness.connection_lost();
                return effects;
            }
            Signal::Tick => {
                self.liveness.tick(now.instant);
                if let Some(requested) = self.end_requested.filter(|requested| requested.is_due(now.instant)) {
                    self.hang_up(requested.by(), now.instant, &mut effects);
                }
                return effects;
            }
            Signal::EndRequested => {
                // A request is read again and again until it is carried out.
                if !self.is_ended_by(By::Client) {
                    self.hang_up(By::Client, now.instant, &mut effects);
                }
                return effects;
            }
            Signal::Overlong { longest } => {
                if self.end_requested.is_none() {
                    let why = format!("hung up after its longest time of {} s", longest.as_secs());
                    self.tell((EventKind::Note, Some(why)), &mut effects);
                    self.hang_up(By::LongestTime, now.instant, &mut effects);
                }
                return effects;
            }
            Signal::MixMonitorAnswered(answer) => {
                if let Some(event) = self.recorder.answered(answer) {
                    self.tell(event, &mut effects);
                }
                if self.billing.a_leg_is_gone() {
                    self.stop_recording(&mut effects);
                }
                return effects;
            }
            Signal::MixMonitorStopped => {
                self.stop_recording(&mut effects);
                return effects;
            }
            Signal::Noted(text) => {
                if self.notes < note::MOST {
                    self.notes += 1;
                    self.tell((EventKind::Note, Some(text)), &mut effects);
                }
                return effects;
            }
        }
        self.settle(now, &mut effects);
        self.start_recording(&mut effects);
        effects
    }

    /// The phase that the attempt is in.
    pub(super) fn phase(&self) -> Phase {
        if self.is_over() { Phase::Over } else { self.course.phase() }
    }

    /// Asterisk reported something of the attempt: it took the Originate, and the attempt is not in doubt.
    fn is_seen(&mut self) {
        self.accepted = true;
        self.liveness.seen();
    }

    fn a_leg_is(&mut self, state: ALegState, now: Now, effects: &mut Vec<Effect>) {
        match state {
            ALegState::Ringing => {
                let from = self.status();
                if self.course.ring(now.wall) {
                    effects.push(Effect::Moved { from, to: CallStatus::Ringing });
                }
            }
            ALegState::Up => self.answer(now, effects),
            ALegState::Other => {}
        }
    }

    fn answer(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let from = self.status();
        if self.course.answer(now.wall) {
            self.liveness.answered(now.instant);
            effects.push(Effect::Moved { from, to: CallStatus::Answered });
        }
    }

    /// Ends the attempt if its end is proved, and waits for the proof if the end is near.
    fn settle(&mut self, now: Now, effects: &mut Vec<Effect>) {
        match self.course.next() {
            _ if self.is_over() => {}
            Next::Nothing => {}
            Next::More { within } => self.expect_more(within, now.instant, effects),
            Next::End => self.end(now.wall, effects),
        }
    }

    fn expect_more(&mut self, within: Duration, now: Instant, effects: &mut Vec<Effect>) {
        self.grace_until = Some(now + within);
        effects.push(Effect::ExpectMore { within });
    }

    /// Ends an attempt whose end was near, because nothing more was received.
    fn end_if_expected(&mut self, at: Millis, effects: &mut Vec<Effect>) {
        if matches!(self.phase(), Phase::Failed | Phase::Gone) {
            self.end(at, effects);
        }
    }

    /// Ends an attempt of which nothing lives any more, `because` of this. What was proved before counts. Without proof
    /// nobody can tell the outcome, and so the call is not dialed again.
    fn end_missing(&mut self, because: &str, at: Millis, effects: &mut Vec<Effect>) {
        if self.course.evidence.is_proof() {
            return self.end(at, effects);
        }
        self.stop_recording(effects);
        self.tell((EventKind::Note, Some(self.all_that_is_known(because))), effects);
        self.end_as(Outcome::Unknown, at, effects);
    }

    fn end(&mut self, at: Millis, effects: &mut Vec<Effect>) {
        self.stop_recording(effects);
        self.end_as(judge(&self.course.evidence), at, effects);
    }

    fn end_as(&mut self, proved: Outcome, at: Millis, effects: &mut Vec<Effect>) {
        let requested = self.is_ended_by(By::Client);
        effects.push(Effect::Ended(End {
            from: self.status(),
            proved,
            outcome: if requested { end_requested::outcome(proved) } else { proved },
            cause: self.course.cause(),
            billable_seconds: self.course.answered_at.map(|answered| self.billing.seconds(answered, at)),
            requested,
        }));
        self.over = Some(Over::Ended { at });
    }

    /// What is known of an attempt whose outcome is not.
    fn all_that_is_known(&self, because: &str) -> String {
        let began = self.claim.at.to_rfc3339();
        let last = match (self.last_event, self.course.ringing_at) {
            (Some((event, at)), _) => format!("the last event of it was {event} at {}", at.to_rfc3339()),
            (None, Some(at)) => format!("it rang at {}", at.to_rfc3339()),
            (None, None) => "no event of it ever came".to_owned(),
        };
        format!("nobody can tell how this attempt ended: its Originate was due at {began}, {last}, {because}")
    }

    /// Starts the recording once the A leg is answered and its name is known.
    fn start_recording(&mut self, effects: &mut Vec<Effect>) {
        if self.phase() != Phase::Answered {
            return;
        }
        let Some(channel) = self.course.legs.name(&self.claim.channel_id) else { return };
        if let Some(recording) = self.recorder.start() {
            effects.push(Effect::StartRecording { channel: channel.to_owned(), recording });
        }
    }

    fn stop_recording(&mut self, effects: &mut Vec<Effect>) {
        if let Some(event) = self.recorder.stop() {
            self.tell(event, effects);
        }
    }

    fn tell(&self, (kind, detail): (EventKind, Option<String>), effects: &mut Vec<Effect>) {
        effects.push(Effect::Told { kind, status: self.status(), detail });
    }
}
