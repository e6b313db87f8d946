//! How an attempt is ended by a request of its client, or because it has taken as long as it may.

use std::time::{Duration, Instant};

use super::Attempt;
use crate::domain::attempt::channel_id::ChannelId;
use crate::domain::attempt::effect::Effect;
use crate::domain::attempt::end_requested::{By, EndRequested};

impl Attempt {
    /// Returns true if the attempt began this long ago or longer, and nothing has asked for its end yet.
    #[must_use]
    pub fn is_overlong(&self, longest: Duration, now: Instant) -> bool {
        self.end_requested.is_none() && now.saturating_duration_since(self.began) >= longest
    }

    pub(super) fn hangup_is_due(&self, now: Instant) -> bool {
        self.end_requested.is_some_and(|requested| requested.is_due(now))
    }

    pub(super) fn is_ended_by(&self, by: By) -> bool {
        self.end_requested.is_some_and(|requested| requested.by() == by)
    }

    /// Hangs up a channel that has appeared after the request to end the call.
    pub(super) fn hang_up_if_requested(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if let Some(requested) = self.end_requested {
            self.hang_up(requested.by(), now, effects);
        }
    }

    /// Hangs up all that has to be. A call without a leg is hung up by its channel id, unless the client chose that:
    /// Asterisk 22 takes the beginning of a live channel's id for the whole of it, so that such a hangup could hit
    /// another call.
    pub(super) fn hang_up(&mut self, by: By, now: Instant, effects: &mut Vec<Effect>) {
        self.end_requested = Some(EndRequested::hung_up(by, now));
        let mut channels = self.course.legs.to_hang_up(&self.claim.channel_id);
        if channels.is_empty() && self.channel_id == ChannelId::Made {
            channels.push(self.claim.channel_id.clone());
        }
        effects.extend(channels.into_iter().map(|channel| Effect::HangUp { channel }));
    }
}
