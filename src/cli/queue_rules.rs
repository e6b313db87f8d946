//! The flags for the rules of a queue.

use crate::pb;

/// The rules of a queue, each as a flag.
#[derive(Clone, Debug, Default, PartialEq, clap::Args)]
pub struct RuleFlags {
    /// The priority, 0 to 9: queues of a higher priority go first
    #[arg(long, value_name = "N", help_heading = "Rules")]
    priority: Option<i32>,
    /// The share of calls among queues of the same priority, 1 to 100
    #[arg(long, value_name = "N", help_heading = "Rules")]
    weight: Option<i32>,
    /// Live calls of the queue on one server at one time
    #[arg(long, value_name = "N", help_heading = "Rules")]
    max_live_calls: Option<i32>,
    /// Calls of the queue that begin on one server in a second
    #[arg(long, value_name = "N", help_heading = "Rules")]
    calls_per_second: Option<f64>,
    /// Seconds that a call may take
    #[arg(long, value_name = "SECONDS", help_heading = "Rules")]
    max_call_seconds: Option<i32>,
    /// A time of the day in which calls may be dialed, such as 09:00-18:00 or monday,friday@09:00-18:00; can be repeated
    #[arg(long = "window", value_name = "[DAYS@]FROM-TO", value_parser = window, help_heading = "Rules")]
    windows: Vec<pb::CallingWindow>,
    /// The time zone of the windows, such as Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE", requires = "windows", help_heading = "Rules")]
    time_zone: Option<String>,
    /// How often a kind of failure is retried, such as busy:3 or busy:3:60 (and after how many seconds); can be repeated
    #[arg(long = "retry-rule", value_name = "OUTCOME:N[:SECONDS]", value_parser = retry_rule, help_heading = "Rules")]
    retry_rules: Vec<pb::RetryRule>,
    /// Whether a call whose result is unknown is dialed again
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true", help_heading = "Rules")]
    at_least_once: Option<bool>,
}

impl RuleFlags {
    /// Returns true if no flag is given.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the rules that the flags give.
    pub fn rules(self) -> pb::QueueRules {
        let delivery = |twice| if twice { pb::Delivery::AtLeastOnce } else { pb::Delivery::AtMostOnce };
        let windows = (!self.windows.is_empty())
            .then_some(pb::CallingWindows { time_zone: self.time_zone, windows: self.windows });
        pb::QueueRules {
            priority: self.priority,
            weight: self.weight,
            max_live_calls: self.max_live_calls,
            calls_per_second: self.calls_per_second,
            retry_rules: self.retry_rules,
            windows,
            delivery: self.at_least_once.map(|twice| delivery(twice).into()),
            max_call_seconds: self.max_call_seconds,
        }
    }

    /// Returns the request that changes what the flags give, and resets the rules with these names.
    pub fn change(self, queue_id: i64, reset: Vec<String>) -> pb::UpdateQueueRulesRequest {
        let rules = self.rules();
        let mut update_mask = reset;
        if !update_mask.is_empty() {
            let set = [
                ("priority", rules.priority.is_some()),
                ("weight", rules.weight.is_some()),
                ("max_live_calls", rules.max_live_calls.is_some()),
                ("calls_per_second", rules.calls_per_second.is_some()),
                ("retry_rules", !rules.retry_rules.is_empty()),
                ("windows", rules.windows.is_some()),
                ("delivery", rules.delivery.is_some()),
                ("max_call_seconds", rules.max_call_seconds.is_some()),
            ];
            update_mask.extend(set.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| (*name).to_owned()));
        }
        pb::UpdateQueueRulesRequest {
            queue_id,
            priority: rules.priority,
            weight: rules.weight,
            max_live_calls: rules.max_live_calls,
            calls_per_second: rules.calls_per_second,
            retry_rules: rules.retry_rules,
            windows: rules.windows,
            delivery: rules.delivery,
            max_call_seconds: rules.max_call_seconds,
            update_mask,
        }
    }
}

fn window(text: &str) -> Result<pb::CallingWindow, String> {
    let (days, times) = text.split_once('@').unwrap_or(("", text));
    let (from, to) = times.split_once('-').ok_or("must be FROM-TO, such as 09:00-18:00")?;
    let day = |name: &str| {
        let name = format!("WEEKDAY_{}", name.trim().to_ascii_uppercase());
        pb::Weekday::from_str_name(&name).map(i32::from).ok_or("DAYS must be names of days, such as monday,friday")
    };
    let days = days.split(',').filter(|name| !name.is_empty()).map(day).collect::<Result<_, _>>()?;
    Ok(pb::CallingWindow { days, from: from.trim().to_owned(), to: to.trim().to_owned() })
}

fn retry_rule(text: &str) -> Result<pb::RetryRule, String> {
    let mut parts = text.split(':');
    let outcome = parts.next().unwrap_or_default().to_ascii_uppercase().replace('-', "_");
    let outcome = pb::CallOutcome::from_str_name(&format!("CALL_OUTCOME_{outcome}"))
        .ok_or("OUTCOME must be busy, no-answer, congestion or failed")?;
    let mut number = |name: &str| {
        let part = parts.next().filter(|part| !part.is_empty());
        part.map(str::parse).transpose().map_err(|_| format!("{name} must be a whole number"))
    };
    let (max_retries, delay) = (number("N")?, number("SECONDS")?);
    if parts.next().is_some() {
        return Err("must be OUTCOME:N or OUTCOME:N:SECONDS".to_owned());
    }
    Ok(pb::RetryRule { outcome: outcome.into(), max_retries, delay, ..Default::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_days_or_none() {
        let weekdays = window("monday,friday@09:00-18:00").unwrap();
        assert_eq!((weekdays.days, weekdays.from.as_str(), weekdays.to.as_str()), (vec![1, 5], "09:00", "18:00"));
        assert_eq!(window("09:00-24:00").unwrap().days, Vec::<i32>::new());
        assert!(window("mon@09:00-18:00").is_err() && window("09:00").is_err());
    }

    #[test]
    fn a_retry_rule_has_an_outcome_a_number_and_a_delay() {
        let rule = retry_rule("no-answer:3:60").unwrap();
        assert_eq!((rule.outcome(), rule.max_retries, rule.delay), (pb::CallOutcome::NoAnswer, Some(3), Some(60)));
        assert_eq!(retry_rule("busy:0").unwrap().delay, None);
        assert!(retry_rule("sleepy:1").is_err() && retry_rule("busy:x").is_err() && retry_rule("busy:1:2:3").is_err());
    }

    #[test]
    fn what_is_set_and_what_is_reset_is_named_together() {
        let flags = RuleFlags { weight: Some(3), ..RuleFlags::default() };
        let request = flags.clone().change(7, vec!["windows".to_owned()]);
        assert_eq!(request.update_mask, ["windows", "weight"]);
        assert_eq!(flags.change(7, Vec::new()).update_mask, Vec::<String>::new());
    }
}
