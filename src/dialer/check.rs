//! Checks waiting calls against the present rules: a call that was allowed when it was stored may be forbidden now.

use std::collections::{HashMap, HashSet};

use super::brakes::Verdict;
use super::ready::{Ready, call_ref, details};
use super::rules::Rules;
use crate::domain::commit::{Checks, Deferral, Hold, Refusal};
use crate::domain::destination::{self, Destination};
use crate::domain::dial::dialed::Dialed;
use crate::domain::dial::legs::{LegLimits, Legs};
use crate::domain::limits::Limits;
use crate::domain::number::Reached;
use crate::domain::originate::OriginateSpec;
use crate::domain::spend::SpendLimits;
use crate::domain::status::Outcome;
use crate::domain::time::Millis;
use crate::store::calls::Call;
use crate::store::destinations;
use crate::store::{Conn, Result, do_not_call};

/// The result of checking a waiting call.
pub enum Checked {
    /// The call may be dialed.
    Ready(Box<Ready>),
    /// The call may not be dialed any more.
    Refused(Refusal),
    /// The call may not be dialed today.
    Deferred(Deferral),
    /// The call may not be dialed before the brake on its client is released.
    Held(Hold),
    /// The call's client may not dial through the server now. That may change, so the call waits.
    Foreign,
}

/// What the store knows of the numbers of some calls.
#[derive(Debug, Default)]
pub struct Lists {
    listed: HashSet<(i64, String)>,
    called: HashMap<(i64, String), i32>,
    day: i32,
    next_day: Millis,
}

/// Parses a stored call. An error is a call that this version cannot read.
pub fn read(mut call: Call, rules: &Rules) -> Result<Ready> {
    let (spec, from) = (call.originate_spec()?, call.status()?);
    call.spec = String::new();
    let reaches = reaches(&call, &spec, rules);
    let mut rings: Vec<String> =
        reaches.iter().filter(|number| number.rings()).map(|number| number.canonical().to_owned()).collect();
    rings.sort_unstable();
    rings.dedup();
    let numbers = reaches.into_iter().flat_map(|Reached { forms, .. }| forms).collect();
    let checks = Checks { numbers, ..Checks::default() };
    let (legs, details) = (Legs::of(&spec), details(&call, &spec));
    Ok(Ready { call, spec, details, from, trunk: None, legs, rings, checks, generation: 0 })
}

/// Returns the numbers that a call would reach. A call that cannot be parsed reaches none, because it is not dialed.
fn reaches(call: &Call, spec: &OriginateSpec, rules: &Rules) -> Vec<Reached> {
    let (Some(client), Some(server)) = (rules.client(call.client_id), &rules.server) else { return Vec::new() };
    let reading = client.terms(server).reading;
    let contact = spec.contact(call.contact_number);
    match Dialed::parse(spec, reading) {
        Ok(dialed) => dialed.reaches(contact.as_ref(), reading.numbering),
        Err(_) => Vec::new(),
    }
}

/// Asks the store about the numbers of these calls, if any rule depends on them.
pub async fn look_up(conn: &mut Conn, calls: &[Ready], rules: &Rules, now: Millis) -> Result<Lists> {
    let (day, next_day) = destination::day(now);
    let mut lists = Lists { day, next_day, ..Lists::default() };
    let mut by_client: HashMap<i64, Vec<&Ready>> = HashMap::new();
    for call in calls {
        by_client.entry(call.call.client_id).or_default().push(call);
    }
    for (client, calls) in by_client {
        if rules.some_listed {
            let numbers: Vec<String> = calls.iter().flat_map(|call| &call.checks.numbers).cloned().collect();
            let listed = do_not_call::listed(conn, client, &numbers).await?;
            lists.listed.extend(listed.into_iter().map(|number| (client, number)));
        }
        if daily_limit(rules, client).is_some() {
            let numbers: Vec<String> = calls.iter().flat_map(|call| &call.rings).cloned().collect();
            for numbers in numbers.chunks(10_000) {
                let called = destinations::counts(conn, client, numbers, day).await?;
                lists.called.extend(called.into_iter().map(|(number, calls)| ((client, number), calls)));
            }
        }
    }
    Ok(lists)
}

/// Decides whether a call may be dialed. `queue` has the limits of its queue.
pub fn check(mut call: Ready, rules: &Rules, lists: &Lists, queue: Limits, now: Millis) -> Checked {
    let client_id = call.call.client_id;
    let (Some(client), Some(server)) = (rules.client(client_id), &rules.server) else { return Checked::Foreign };
    let refused = |outcome, why| {
        let (call, from) = (call_ref(&call.call), call.from);
        Checked::Refused(Refusal { call, from, at: now, outcome, why })
    };
    let listed = |number: &&String| lists.listed.contains(&(client_id, (*number).clone()));
    if let Some(number) = call.checks.numbers.iter().find(listed) {
        return refused(Outcome::Canceled, format!("{number} is on a do-not-call list"));
    }
    let terms = client.terms(server);
    match client.policy.admit(&call.spec, terms) {
        // What goes out is written from what was understood, not what was stored.
        Ok(dialed) => {
            call.checks.legs = i32::try_from(1 + dialed.second_legs().len()).unwrap_or(i32::MAX);
            dialed.write(terms.reading, &mut call.spec);
        }
        Err(denied) => {
            let first =
                denied.first().map_or_else(String::new, |first| format!(": {}: {}", first.field, first.fault.why()));
            return refused(Outcome::Rejected, format!("the dial policy forbids it now{first}"));
        }
    }
    let (grant, of_client) = (client.grant, client.limits.limits());
    let limits = LegLimits { server: server.set, trunks: &server.trunks, grant, client: of_client, queue };
    if let Some(why) = call.legs.exceeded(&limits) {
        return refused(Outcome::Rejected, format!("the call {why}"));
    }
    if let Some(limit) = client.limits.max_calls_per_destination_per_day {
        let called = |number: &String| lists.called.get(&(client_id, number.clone())).copied().unwrap_or(0);
        if call.rings.iter().any(|number| called(number) >= limit) {
            return Checked::Deferred(Deferral { call: call_ref(&call.call), until: lists.next_day });
        }
        let destination = |number: &String| Destination { number: number.clone(), day: lists.day, limit };
        call.checks.destinations = call.rings.iter().map(destination).collect();
    }
    match rules.judge(client, &call.rings, now) {
        Verdict::Known => {}
        Verdict::Unsure(check) => call.checks.brake = Some(check),
        Verdict::Held(destinations) => {
            return Checked::Held(Hold { call: call_ref(&call.call), at: now, until: lists.next_day, destinations });
        }
    }
    call.checks.spend = SpendLimits::of(&client.limits);
    call.generation = client.generation;
    Checked::Ready(Box::new(call))
}

fn daily_limit(rules: &Rules, client: i64) -> Option<i32> {
    rules.client(client)?.limits.max_calls_per_destination_per_day
}
