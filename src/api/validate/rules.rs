//! The rules of a queue, and those parts of them that items share: retry rules and time zones.

use super::patch;
use crate::api::{At, Error, Violations, fields};
use crate::domain::queue_rules::{DEFAULT_PRIORITY, QueueRules};
use crate::domain::retry::{Failure, RetryRule};
use crate::domain::status::Outcome;
use crate::domain::window::{self, DAY_MINUTES, Window, Windows};
use crate::pb::{self, SetQueueRulesRequest, UpdateQueueRulesRequest};

/// Checks a change of a queue's rules, which are `current` before it, and returns the rules after it. Nothing but what the
/// request sets or names is changed; `needs_one` refuses a request that changes nothing.
///
/// # Errors
/// Returns every broken rule.
pub fn changed(current: pb::QueueRules, request: SetQueueRulesRequest, needs_one: bool) -> Result<QueueRules, Error> {
    let mut violations = fields::violations(&request);
    let patched = patch::queue_rules(current, request, needs_one, &mut violations)?;
    let rules = rules(&patched, &At::root(), &mut violations);
    violations.finish()?;
    Ok(rules)
}

/// Returns the request of the other method that changes the rules of a queue in the same way.
pub fn as_set(request: UpdateQueueRulesRequest) -> SetQueueRulesRequest {
    SetQueueRulesRequest {
        queue_id: request.queue_id,
        priority: request.priority,
        weight: request.weight,
        max_live_calls: request.max_live_calls,
        calls_per_second: request.calls_per_second,
        retry_rules: request.retry_rules,
        windows: request.windows,
        delivery: request.delivery,
        max_call_seconds: request.max_call_seconds,
        update_mask: request.update_mask,
    }
}

/// Checks the rules of a queue, whose fields have been checked each by itself; absent ones get their defaults.
pub fn rules(given: &pb::QueueRules, at: &At<'_>, violations: &mut Violations) -> QueueRules {
    let retry_rules = retry_rules(&given.retry_rules, &at.then("retry_rules"), violations);
    let windows = given.windows.as_ref().map(|windows| self::windows(windows, &at.then("windows"), violations));
    QueueRules {
        priority: given.priority.unwrap_or(DEFAULT_PRIORITY),
        weight: given.weight.unwrap_or(1),
        max_live_calls: given.max_live_calls,
        calls_per_second: given.calls_per_second,
        retry_rules,
        windows,
        at_least_once: given.delivery() == pb::Delivery::AtLeastOnce,
        max_call_seconds: given.max_call_seconds,
    }
}

/// Checks that each failure has at most one retry rule.
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
    let outcome = i16::try_from(rule.outcome).ok().and_then(|code| Outcome::try_from(code).ok());
    let Some(outcome) = outcome.and_then(Failure::of) else {
        violations.invalid_if_new(&at.then("outcome"), "is not supported");
        return None;
    };
    let (backoff, jitter) = (rule.backoff.unwrap_or(1.0), rule.jitter.unwrap_or(0.0));
    Some(RetryRule { outcome, max_retries: rule.max_retries, delay: rule.delay, backoff, jitter })
}

/// Checks the name of a time zone.
pub fn time_zone(name: Option<&str>, at: &At<'_>, violations: &mut Violations) {
    if let Some(name) = name.filter(|name| window::zone(name).is_none()) {
        violations.invalid(&at.then("time_zone"), format_args!("{name:?} is no IANA time zone, as `Europe/Berlin`"));
    }
}

fn windows(windows: &pb::CallingWindows, at: &At<'_>, violations: &mut Violations) -> Windows {
    time_zone(windows.time_zone.as_deref(), at, violations);
    let at_list = at.then("windows");
    let list = if violations.has(&at_list) { &[] } else { windows.windows.as_slice() };
    let checked = list.iter().enumerate().map(|(index, one)| window(one, &at_list.index(index), violations)).collect();
    Windows { time_zone: windows.time_zone.clone(), windows: checked }
}

fn window(window: &pb::CallingWindow, at: &At<'_>, violations: &mut Violations) -> Window {
    let days = window.days.iter().filter_map(|day| i8::try_from(*day).ok()).collect();
    let from = minute(&window.from, "09:00", &at.then("from"), violations);
    let to = minute(&window.to, "18:00", &at.then("to"), violations);
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        violations.invalid(&at.then("to"), "must be later than `from`; a window over midnight is two");
    }
    Window { days, from: from.unwrap_or(0), to: to.unwrap_or(DAY_MINUTES) }
}

/// Reads a time such as `09:00` as the minute of the day; `24:00` is 1440. A text that is missing is told already.
fn minute(text: &str, example: &str, at: &At<'_>, violations: &mut Violations) -> Option<u16> {
    let minute = text.split_once(':').and_then(|(hours, minutes)| {
        let number = |digits: &str| {
            let two = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
            two.then(|| digits.parse::<u16>().ok()).flatten()
        };
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        Some(hours * 60 + minutes).filter(|&minute| minutes < 60 && minute <= DAY_MINUTES)
    });
    if minute.is_none() {
        violations.invalid_if_new(at, format_args!("must be a time of the day, as `{example}`, at most `24:00`"));
    }
    minute
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue_rules(request: &SetQueueRulesRequest) -> Result<QueueRules, Error> {
        changed(pb::QueueRules::default(), request.clone(), false)
    }

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
        assert_eq!(
            queue_rules(&SetQueueRulesRequest { queue_id: 1, ..Default::default() }).unwrap(),
            QueueRules::default()
        );
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
            max_call_seconds: Some(0),
            update_mask: Vec::new(),
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
                "max_call_seconds",
            ]
        );
    }

    #[test]
    fn a_failure_has_one_rule() {
        let busy = pb::RetryRule { outcome: pb::CallOutcome::Busy.into(), ..Default::default() };
        let request = SetQueueRulesRequest { queue_id: 1, retry_rules: vec![busy, busy], ..Default::default() };
        assert_eq!(broken(&request), [("retry_rules[1].outcome".into(), "has a rule already".into())]);
    }

    fn window_of(from: &str, to: &str) -> SetQueueRulesRequest {
        let window = pb::CallingWindow { days: vec![1, 5], from: from.into(), to: to.into() };
        let windows = pb::CallingWindows { time_zone: Some("Europe/Berlin".into()), windows: vec![window] };
        SetQueueRulesRequest { queue_id: 1, windows: Some(windows), ..Default::default() }
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
    fn only_what_is_set_or_named_is_changed() {
        let windows = window_of("09:00", "18:00").windows;
        let current = pb::QueueRules { windows, weight: Some(3), priority: Some(2), ..Default::default() };
        let set = SetQueueRulesRequest { queue_id: 1, priority: Some(9), ..Default::default() };
        let rules = changed(current.clone(), set, true).unwrap();
        assert_eq!((rules.priority, rules.weight, rules.windows.is_some()), (9, 3, true));
        let update_mask = vec!["windows".to_owned(), "weight".to_owned()];
        let reset = SetQueueRulesRequest { queue_id: 1, update_mask, priority: Some(9), ..Default::default() };
        let rules = changed(current.clone(), reset, true).unwrap();
        assert_eq!((rules.priority, rules.weight, rules.windows), (2, 1, None));
        let nothing = SetQueueRulesRequest { queue_id: 1, ..Default::default() };
        assert!(changed(current.clone(), nothing.clone(), true).is_err());
        assert_eq!(changed(current, nothing, false).unwrap().weight, 3);
    }

    #[test]
    fn windows_without_one_are_refused() {
        let windows = Some(pb::CallingWindows::default());
        let request = SetQueueRulesRequest { queue_id: 1, windows, ..Default::default() };
        assert_eq!(fields(&request), ["windows.windows"]);
    }
}
