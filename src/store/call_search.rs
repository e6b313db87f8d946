//! Which calls a search finds, and where in its results a page begins.

use uuid::Uuid;

use super::calls::Call;
use super::error::Result;
use super::id_range::IdRange;
use crate::domain::dial::dial_string;
use crate::domain::ids::AttemptId;
use crate::domain::status::{CallStatus, Outcome};
use crate::domain::time::Millis;

/// How far the time in a call's id may be from the time at which the call was stored, in milliseconds. An id is made when
/// its request is read, and never before an earlier id, even if the clock is set back.
const ID_SLACK_MS: i64 = 10 * 60 * 1000;

/// Which calls are found. A field that is None does not filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallSearch {
    /// Only calls of this client.
    pub client_id: Option<i64>,
    /// Only calls of this queue.
    pub queue_id: Option<i64>,
    /// Only calls whose ids are in this range.
    pub ids: Option<IdRange>,
    /// Only calls to one of these contact numbers.
    pub contact_numbers: Option<Vec<i64>>,
    /// Only calls with this ActionID.
    pub action_id: Option<String>,
    /// Only the call with an attempt with this channel id, or calls to which the client gave it.
    pub channel_id: Option<String>,
    /// Only calls of this project.
    pub project: Option<String>,
    /// Only calls with a label of this key and value.
    pub label: Option<(String, String)>,
    /// Only calls with this status.
    pub status: Option<CallStatus>,
    /// Only calls whose last attempt ended with this outcome.
    pub outcome: Option<Outcome>,
    /// Only calls of the server with this code.
    pub server_code: Option<String>,
    /// Only calls of other servers than the one with this code.
    pub other_server_than: Option<String>,
    /// Only calls whose A leg is dialed through this trunk.
    pub trunk: Option<String>,
    /// When the call was stored.
    pub created: TimeRange,
    /// When the call's last attempt was started.
    pub started: TimeRange,
    /// When the call ended.
    pub ended: TimeRange,
}

/// A range of times, without its end. A bound that is None is open, and a range without bounds includes calls that have no
/// such time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeRange {
    /// The first time in the range.
    pub from: Option<Millis>,
    /// The first time after the range.
    pub to: Option<Millis>,
}

/// The last call of a page, after which the next one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cursor {
    /// The calls are in the order of their ids, newest first.
    Id(Uuid),
    /// The calls are in the order of their positions in one queue, newest first.
    Position(i64),
}

impl TimeRange {
    fn has(self, time: Option<i64>) -> bool {
        let Some(time) = time else { return self == Self::default() };
        self.from.is_none_or(|from| time >= from.0) && self.to.is_none_or(|to| time < to.0)
    }
}

impl CallSearch {
    /// Returns the ids that a call which is found can have; None if it can have none. Each call is stored before it is
    /// started and ends.
    #[must_use]
    pub fn id_range(&self) -> Option<IdRange> {
        let from = self.created.from.map(|from| from.0.saturating_sub(ID_SLACK_MS));
        let to = [self.created.to, self.started.to, self.ended.to].into_iter().flatten().map(|to| to.0).min();
        let to = to.map(|to| to.saturating_add(ID_SLACK_MS));
        self.ids.unwrap_or(IdRange::ALL).and(IdRange::made(from, to))
    }

    /// Returns the attempt whose channel is searched for, if its channel id was made here.
    #[must_use]
    pub fn attempt(&self) -> Option<AttemptId> {
        self.channel_id.as_deref()?.strip_prefix("tl-")?.parse().ok()
    }

    /// Returns the channel ids of which a call must have been given one, if the searched one was not made here.
    #[must_use]
    pub fn own_channel_ids(&self) -> Vec<&str> {
        let Some(channel_id) = self.channel_id.as_deref().filter(|_| self.attempt().is_none()) else {
            return Vec::new();
        };
        let of_retry = channel_id.rsplit_once("-r").filter(|(_, number)| number.parse::<u32>().is_ok());
        std::iter::once(channel_id).chain(of_retry.map(|(own, _)| own)).collect()
    }

    /// Returns true if a call is found. A channel id that was made here is not compared: only its attempt shows the call.
    /// An error is a spec that this version cannot read.
    pub fn matches(&self, call: &Call) -> Result<bool> {
        fn is<T: PartialEq + ?Sized>(wanted: Option<&T>, has: Option<&T>) -> bool {
            wanted.is_none() || wanted == has
        }
        let is_listed = |numbers: &Vec<i64>| call.contact_number.is_some_and(|number| numbers.contains(&number));
        let fits = is(self.client_id.as_ref(), Some(&call.client_id))
            && is(self.queue_id.as_ref(), Some(&call.queue_id))
            && self.ids.is_none_or(|ids| ids.has(call.id.0))
            && self.contact_numbers.as_ref().is_none_or(is_listed)
            && is(self.action_id.as_deref(), call.action_id.as_deref())
            && is(self.project.as_deref(), call.project.as_deref())
            && self.status.is_none_or(|status| call.status == status.code())
            && self.outcome.is_none_or(|outcome| call.outcome == Some(outcome.code()))
            && is(self.server_code.as_deref(), Some(&call.server_code))
            && self.other_server_than.as_ref().is_none_or(|code| *code != call.server_code)
            && self.created.has(Some(call.created_at))
            && self.started.has(call.started_at)
            && self.ended.has(call.ended_at);
        let own_channels = self.own_channel_ids();
        if !fits || (self.label.is_none() && self.trunk.is_none() && own_channels.is_empty()) {
            return Ok(fits);
        }
        let spec = call.originate_spec()?;
        let is_labelled = |(key, value): &(String, String)| spec.labels.get(key) == Some(value);
        let had_channel = || match (&spec.channel_id, own_channels.as_slice()) {
            (Some(own), [searched]) => own == searched,
            (Some(own), [searched, _]) => {
                own == searched || (2..=call.attempts).any(|attempt| **searched == format!("{own}-r{attempt}"))
            }
            _ => false,
        };
        Ok(self.label.as_ref().is_none_or(is_labelled)
            && is(self.trunk.as_deref(), dial_string::trunk(&spec.channel))
            && (own_channels.is_empty() || had_channel()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(millis: i64, rest: u128) -> Uuid {
        Uuid::from_u128((u128::try_from(millis).unwrap() << 80) | rest)
    }

    #[test]
    fn a_time_bounds_the_ids_with_room_for_clocks() {
        let at = 1_700_000_000_000;
        let created = TimeRange { from: Some(Millis(at)), to: Some(Millis(at + 1)) };
        let range = CallSearch { created, ..CallSearch::default() }.id_range().unwrap();
        assert!(range.has(id(at, 7)) && range.has(id(at - ID_SLACK_MS, 0)) && range.has(id(at + ID_SLACK_MS, 7)));
        assert!(!range.has(id(at - ID_SLACK_MS - 1, 7)) && !range.has(id(at + ID_SLACK_MS + 2, 7)));
        let ended = TimeRange { from: None, to: Some(Millis(at)) };
        let range = CallSearch { ended, ..CallSearch::default() }.id_range().unwrap();
        assert!(range.has(Uuid::nil()) && !range.has(id(at + ID_SLACK_MS + 1, 0)));
        assert_eq!(CallSearch::default().id_range(), Some(IdRange::ALL));
    }

    #[test]
    fn a_channel_of_a_retry_belongs_to_the_id_that_the_client_gave() {
        let search = |channel: &str| CallSearch { channel_id: Some(channel.to_owned()), ..CallSearch::default() };
        assert_eq!(search("channel-1-r2").own_channel_ids(), ["channel-1-r2", "channel-1"]);
        assert_eq!(search("channel-rx").own_channel_ids(), ["channel-rx"]);
        let made = AttemptId::new();
        assert_eq!(search(&format!("tl-{made}")).attempt(), Some(made));
        assert_eq!(search(&format!("tl-{made}")).own_channel_ids(), [""; 0]);
        assert_eq!(search("tl-1").own_channel_ids(), ["tl-1"]);
    }
}
