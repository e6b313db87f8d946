//! The rules of a queue, and those parts of them that items share: how failures are tried again, and time zones.

use crate::api::{At, Error, Violations};
use crate::domain::queue_rules::{
    DEFAULT_PRIORITY, MAX_CALLS_PER_SECOND, MAX_LIVE_CALLS, MAX_PRIORITY, MAX_WEIGHT, QueueRules,
};
use crate::domain::retry::{Failure, MAX_GAP_SECONDS, MAX_RETRIES, RetryRule};
use crate::domain::status::Outcome;
use crate::domain::window::{self, DAY_MINUTES, Window, Windows};
use crate::pb::{self, SetQueueRulesRequest};

/// Windows of one queue at most.
const MAX_WINDOWS: usize = 50;

/// Largest factor by which a delay grows.
const MAX_BACKOFF: f64 = 10.0;

/// Checks the rules of a queue; absent ones get their defaults.
///
/// # Errors
/// Every broken rule.
pub fn queue_rules(request: &SetQueueRulesRequest) -> Result<QueueRules, Error> {
    let mut violations = Violations::default();
    let priority = request.priority.unwrap_or(DEFAULT_PRIORITY);
    if !(0..=MAX_PRIORITY).contains(&priority) {
        violations.invalid(&At::field("priority"), format_args!("must be 0 to {MAX_PRIORITY}"));
    }
    let weight = request.weight.unwrap_or(1);
    if !(1..=MAX_WEIGHT).contains(&weight) {
        violations.invalid(&At::field("weight"), format_args!("must be 1 to {MAX_WEIGHT}"));
    }
    if request.max_live_calls.is_some_and(|most| !(1..=MAX_LIVE_CALLS).contains(&most)) {
        violations.invalid(&At::field("max_live_calls"), format_args!("must be 1 to {MAX_LIVE_CALLS}"));
    }
    if request.calls_per_second.is_some_and(|rate| !(rate > 0.0 && rate <= MAX_CALLS_PER_SECOND)) {
        let range = format_args!("must be above 0 and at most {MAX_CALLS_PER_SECOND}");
        violations.invalid(&At::field("calls_per_second"), range);
    }
    let retry_rules = retry_rules(&request.retry_rules, &At::field("retry_rules"), &mut violations);
    let windows = request.windows.as_ref().map(|windows| self::windows(windows, &mut violations));
    let at_least_once = match request.delivery.map(pb::Delivery::try_from) {
        None | Some(Ok(pb::Delivery::AtMostOnce)) => false,
        Some(Ok(pb::Delivery::AtLeastOnce)) => true,
        Some(Ok(pb::Delivery::Unspecified) | Err(_)) => {
            violations.invalid(&At::field("delivery"), "must be at-most-once or at-least-once");
            false
        }
    };
    violations.finish()?;
    Ok(QueueRules {
        priority,
        weight,
        max_live_calls: request.max_live_calls,
        calls_per_second: request.calls_per_second,
        retry_rules,
        windows,
        at_least_once,
    })
}

/// Checks how failures are tried again: at most one rule a failure.
pub fn retry_rules(rules: &[pb::RetryRule], at: &At<'_>, violations: &mut Violations) -> Vec<RetryRule> {
    let mut checked: Vec<RetryRule> = Vec::with_capacity(rules.len());
    for (index, rule) in rules.iter().enumerate() {
        if violations.is_full() {
            break;
        }
        let at = at.index(index);
        let Some(rule) = retry_rule(rule, &at, violations) else { continue };
        if checked.iter().any(|other| other.outcome == rule.outcome) {
            violations.invalid(&at.then("outcome"), "has a rule already");
        }
        checked.push(rule);
    }
    checked
}

fn retry_rule(rule: &pb::RetryRule, at: &At<'_>, violations: &mut Violations) -> Option<RetryRule> {
    if rule.max_retries.is_some_and(|most| !(0..=MAX_RETRIES).contains(&most)) {
        violations.invalid(&at.then("max_retries"), format_args!("must be 0 to {MAX_RETRIES}"));
    }
    if rule.delay.is_some_and(|delay| !(0..=MAX_GAP_SECONDS).contains(&delay)) {
        violations.invalid(&at.then("delay"), format_args!("must be 0 to {MAX_GAP_SECONDS} seconds"));
    }
    let backoff = rule.backoff.unwrap_or(1.0);
    if !(1.0..=MAX_BACKOFF).contains(&backoff) {
        violations.invalid(&at.then("backoff"), format_args!("must be 1 to {MAX_BACKOFF}"));
    }
    let jitter = rule.jitter.unwrap_or(0.0);
    if !(0.0..=1.0).contains(&jitter) {
        violations.invalid(&at.then("jitter"), "must be 0 to 1");
    }
    let at_outcome = at.then("outcome");
    if rule.outcome == 0 {
        violations.required(&at_outcome);
        return None;
    }
    let outcome = i16::try_from(rule.outcome).ok().and_then(|code| Outcome::try_from(code).ok());
    let Some(outcome) = outcome.and_then(Failure::of) else {
        violations.invalid(&at_outcome, "must be busy, no-answer, congestion or failed");
        return None;
    };
    Some(RetryRule { outcome, max_retries: rule.max_retries, delay: rule.delay, backoff, jitter })
}

/// Checks the name of a time zone.
pub fn time_zone(name: Option<&str>, at: &At<'_>, violations: &mut Violations) {
    if name.is_some_and(|name| window::zone(name).is_none()) {
        let name = name.unwrap_or_default();
        violations.invalid(&at.then("time_zone"), format_args!("{name:?} is no IANA time zone, as `Europe/Berlin`"));
    }
}

fn windows(windows: &pb::CallingWindows, violations: &mut Violations) -> Windows {
    let at = At::field("windows");
    time_zone(windows.time_zone.as_deref(), &at, violations);
    let at_list = at.then("windows");
    let list = match windows.windows.len() {
        1..=MAX_WINDOWS => windows.windows.as_slice(),
        count => {
            violations.invalid(&at_list, format_args!("must hold 1 to {MAX_WINDOWS}, and holds {count}"));
            &[]
        }
    };
    let checked = list.iter().enumerate().map(|(index, one)| window(one, &at_list.index(index), violations)).collect();
    Windows { time_zone: windows.time_zone.clone(), windows: checked }
}

fn window(window: &pb::CallingWindow, at: &At<'_>, violations: &mut Violations) -> Window {
    let at_days = at.then("days");
    let mut days = Vec::with_capacity(window.days.len());
    for (index, &day) in window.days.iter().enumerate() {
        match i8::try_from(day) {
            Ok(day @ 1..=7) if days.contains(&day) => {
                violations.invalid(&at_days.index(index), "is there already");
            }
            Ok(day @ 1..=7) => days.push(day),
            _ => violations.invalid(&at_days.index(index), "must be monday to sunday"),
        }
        if violations.is_full() {
            break;
        }
    }
    let from = minute(&window.from, "09:00", &at.then("from"), violations);
    let to = minute(&window.to, "18:00", &at.then("to"), violations);
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        violations.invalid(&at.then("to"), "must be later than `from`; a window over midnight is two");
    }
    Window { days, from: from.unwrap_or(0), to: to.unwrap_or(DAY_MINUTES) }
}

/// The minute of the day of a time such as `09:00`; 1440 of `24:00`.
fn minute(text: &str, example: &str, at: &At<'_>, violations: &mut Violations) -> Option<u16> {
    if text.is_empty() {
        violations.required(at);
        return None;
    }
    let minute = text.split_once(':').and_then(|(hours, minutes)| {
        let number = |digits: &str| {
            let two = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
            two.then(|| digits.parse::<u16>().ok()).flatten()
        };
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        Some(hours * 60 + minutes).filter(|&minute| minutes < 60 && minute <= DAY_MINUTES)
    });
    if minute.is_none() {
        violations.invalid(at, format_args!("must be a time of the day, as `{example}`, at most `24:00`"));
    }
    minute
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(request: &SetQueueRulesRequest) -> Vec<(String, String)> {
        match queue_rules(request) {
            Err(Error::InvalidArgument(list)) => list.into_iter().map(|one| (one.field, one.message)).collect(),
            other => panic!("{other:?}"),
        }
    }

    fn fields(request: &SetQueueRulesRequest) -> Vec<String> {
        broken(request).into_iter().map(|(field, _)| field).collect()
    }

    #[test]
    fn absent_rules_are_the_defaults() {
        assert_eq!(queue_rules(&SetQueueRulesRequest::default()).unwrap(), QueueRules::default());
    }

    #[test]
    fn every_broken_rule_is_told_at_its_path() {
        let request = SetQueueRulesRequest {
            queue_id: 1,
            priority: Some(10),
            weight: Some(0),
            max_live_calls: Some(0),
            calls_per_second: Some(f64::NAN),
            retry_rules: vec![
                pb::RetryRule {
                    outcome: 0,
                    max_retries: Some(101),
                    delay: Some(-1),
                    backoff: Some(0.5),
                    jitter: Some(2.0),
                },
                pb::RetryRule { outcome: pb::CallOutcome::Answered.into(), ..Default::default() },
            ],
            windows: Some(pb::CallingWindows {
                time_zone: Some("Europe/Berlln".into()),
                windows: vec![pb::CallingWindow { days: vec![8], from: "9:00".into(), to: String::new() }],
            }),
            delivery: Some(9),
        };
        assert_eq!(
            fields(&request),
            [
                "priority",
                "weight",
                "max_live_calls",
                "calls_per_second",
                "retry_rules[0].max_retries",
                "retry_rules[0].delay",
                "retry_rules[0].backoff",
                "retry_rules[0].jitter",
                "retry_rules[0].outcome",
                "retry_rules[1].outcome",
                "windows.time_zone",
                "windows.windows[0].days[0]",
                "windows.windows[0].from",
                "windows.windows[0].to",
                "delivery",
            ]
        );
    }

    #[test]
    fn a_failure_has_one_rule() {
        let busy = pb::RetryRule { outcome: pb::CallOutcome::Busy.into(), ..Default::default() };
        let request = SetQueueRulesRequest { retry_rules: vec![busy, busy], ..Default::default() };
        assert_eq!(broken(&request), [("retry_rules[1].outcome".into(), "has a rule already".into())]);
    }

    fn window_of(from: &str, to: &str) -> SetQueueRulesRequest {
        let window = pb::CallingWindow { days: vec![1, 5], from: from.into(), to: to.into() };
        let windows = pb::CallingWindows { time_zone: Some("Europe/Berlin".into()), windows: vec![window] };
        SetQueueRulesRequest { windows: Some(windows), ..Default::default() }
    }

    #[test]
    fn hours_are_read_to_the_minute_up_to_the_days_end() {
        let rules = queue_rules(&window_of("09:05", "24:00")).unwrap();
        assert_eq!(rules.windows.unwrap().windows, [Window { days: vec![1, 5], from: 545, to: 1440 }]);
        for (from, to) in [("09:00", "09:00"), ("22:00", "06:00"), ("00:60", "24:00"), ("0900", "10:00")] {
            assert_eq!(fields(&window_of(from, to)).len(), 1, "{from} to {to}");
        }
        assert_eq!(fields(&window_of("09:00", "24:01")), ["windows.windows[0].to"]);
        assert_eq!(fields(&window_of("+9:00", "10:00")), ["windows.windows[0].from"]);
    }

    #[test]
    fn windows_without_one_are_refused() {
        let request = SetQueueRulesRequest { windows: Some(pb::CallingWindows::default()), ..Default::default() };
        assert_eq!(fields(&request), ["windows.windows"]);
    }
}
