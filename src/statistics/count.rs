//! Counts what events report, with what else is known of their calls.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::domain::dial::dial_string;
use crate::domain::event_kind::EventKind;
use crate::domain::ids::CallId;
use crate::domain::statistics::{Counts, Key, MINUTE, OTHER_PROJECTS, PROJECTS};
use crate::domain::status::Outcome;
use crate::store::events::Event;
use crate::store::statistics::{AttemptFacts, Facts};

/// How many minutes the projects of a client are remembered, by which they are few.
const REMEMBERED: i64 = 60;

/// The projects that were counted by their names, by the hour and the client.
#[derive(Debug, Default)]
pub struct Projects(BTreeMap<(i64, i64), HashSet<String>>);

impl Projects {
    /// Returns the name under which a project is counted.
    fn counted(&mut self, minute: i64, client_id: i64, project: &str) -> String {
        let hour = minute.div_euclid(REMEMBERED);
        self.0.retain(|(of, _), _| *of >= hour - 1);
        let known = self.0.entry((hour, client_id)).or_default();
        if project.is_empty() || known.contains(project) {
            return project.to_owned();
        }
        if known.len() >= PROJECTS {
            return OTHER_PROJECTS.to_owned();
        }
        known.insert(project.to_owned());
        project.to_owned()
    }
}

/// Returns true if an event is counted.
pub fn counts(event: &Event) -> bool {
    let kinds = [EventKind::Dialing, EventKind::Retrying, EventKind::Ended];
    event.call_id.is_some() && kinds.iter().any(|kind| *kind as i16 == event.kind)
}

/// Counts events, by their minutes.
pub fn count(
    events: &[Event],
    calls: &HashMap<CallId, Facts>,
    attempts: &HashMap<(CallId, i32), AttemptFacts>,
    projects: &mut Projects,
) -> BTreeMap<(i64, Key), Counts> {
    let mut counted: BTreeMap<(i64, Key), Counts> = BTreeMap::new();
    for event in events.iter().filter(|event| counts(event)) {
        let Some((id, facts)) = event.call_id.and_then(|id| calls.get_key_value(&CallId::from(id))) else { continue };
        let attempt = event.attempt.and_then(|number| attempts.get(&(*id, number)));
        let minute = event.at.div_euclid(MINUTE);
        let has_begun = event.kind == EventKind::Dialing as i16;
        let outcome = event.outcome.and_then(|code| Outcome::try_from(code).ok());
        let key = Key {
            client_id: event.client_id,
            queue_id: facts.queue_id,
            server: attempt.map_or(&facts.server, |attempt| &attempt.server).clone(),
            trunk: dial_string::trunk(&facts.channel).unwrap_or_default().to_owned(),
            project: projects.counted(minute, event.client_id, &facts.project),
            outcome: outcome.filter(|_| !has_begun),
            hangup_cause: event.hangup_cause.and_then(|cause| u8::try_from(cause).ok()).filter(|_| !has_begun),
        };
        let counts = counted.entry((minute, key)).or_default();
        if has_begun {
            counts.attempts += 1;
            counts.calls += i64::from(event.attempt == Some(1));
            continue;
        }
        counts.ended_calls += i64::from(event.kind == EventKind::Ended as i16);
        // A call that was never dialed ends without an attempt.
        let Some(attempt) = attempt else { continue };
        counts.ended_attempts += 1;
        if outcome == Some(Outcome::Answered) {
            counts.answered += 1;
            counts.billable_seconds += facts.billable_seconds;
        }
        if let Some(heard) = attempt.ringing_at.or(attempt.answered_at) {
            counts.delayed((heard - attempt.started_at).max(0));
        }
    }
    counted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::types::Id;

    fn event(kind: EventKind, call: u128, attempt: Option<i32>, outcome: Option<Outcome>) -> Event {
        Event {
            seq: 1,
            at: 5 * MINUTE + 1,
            kind: kind as i16,
            client_id: 7,
            queue_id: 3,
            call_id: Some(Id(uuid::Uuid::from_u128(call))),
            attempt,
            status: None,
            outcome: outcome.map(Outcome::code),
            hangup_cause: outcome.map(|_| 16),
            detail: None,
            count: None,
            batch_id: None,
            server_code: None,
            facts: None,
        }
    }

    fn facts(project: &str) -> Facts {
        Facts {
            queue_id: 3,
            server: "server1".into(),
            project: project.into(),
            channel: "PJSIP/4930123401@trunk1".into(),
            billable_seconds: 40,
        }
    }

    fn attempt(call: u128, number: i32) -> ((CallId, i32), AttemptFacts) {
        let id = Id(uuid::Uuid::from_u128(call));
        let (started_at, ringing_at) = (1000, Some(1700));
        let server = "server2".to_owned();
        let facts = AttemptFacts { call: id, number, server, started_at, ringing_at, answered_at: None };
        ((id.into(), number), facts)
    }

    #[test]
    fn attempts_and_calls_are_counted_where_they_began_and_ended() {
        let events = [
            event(EventKind::Dialing, 1, Some(1), None),
            event(EventKind::Ringing, 1, Some(1), None),
            event(EventKind::Retrying, 1, Some(1), Some(Outcome::Busy)),
            event(EventKind::Dialing, 1, Some(2), None),
            event(EventKind::Ended, 1, Some(2), Some(Outcome::Answered)),
            event(EventKind::Ended, 2, None, Some(Outcome::Expired)),
        ];
        let calls = [1, 2].map(|call| (CallId(uuid::Uuid::from_u128(call)), facts("spring"))).into();
        let attempts = [attempt(1, 1), attempt(1, 2)].into();
        let counted = count(&events, &calls, &attempts, &mut Projects::default());
        let of = |outcome: Option<Outcome>| {
            let found = counted.iter().find(|((_, key), _)| key.outcome == outcome);
            let ((minute, key), counts) = found.expect("counts");
            assert_eq!((*minute, key.trunk.as_str(), key.project.as_str()), (5, "trunk1", "spring"));
            (*counts, key.server.clone())
        };
        let (begun, server) = of(None);
        assert_eq!((begun.calls, begun.attempts, begun.ended_attempts, server.as_str()), (1, 2, 0, "server2"));
        let (busy, _) = of(Some(Outcome::Busy));
        assert_eq!((busy.ended_attempts, busy.answered, busy.ended_calls, busy.delays[2]), (1, 0, 0, 1));
        let (answered, _) = of(Some(Outcome::Answered));
        assert_eq!((answered.ended_attempts, answered.answered, answered.ended_calls), (1, 1, 1));
        assert_eq!(answered.billable_seconds, 40);
        let (expired, server) = of(Some(Outcome::Expired));
        assert_eq!((expired.ended_attempts, expired.ended_calls, server.as_str()), (0, 1, "server1"));
        assert_eq!(counted.len(), 4);
    }

    #[test]
    fn a_client_with_a_project_for_each_call_has_few_that_are_named() {
        let mut projects = Projects::default();
        for number in 0..PROJECTS {
            assert_eq!(projects.counted(60, 1, &number.to_string()), number.to_string());
        }
        assert_eq!(projects.counted(61, 1, "one more"), OTHER_PROJECTS);
        assert_eq!(projects.counted(61, 1, "5"), "5");
        assert_eq!(projects.counted(61, 1, ""), "");
        assert_eq!(projects.counted(61, 2, "one more"), "one more", "of another client");
        assert_eq!(projects.counted(120, 1, "one more"), "one more", "in the next hour");
    }
}
