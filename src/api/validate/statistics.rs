//! Checks which statistics are asked for.

use super::filters::known;
use crate::api::{At, Error, fields};
use crate::domain::statistics::MINUTE;
use crate::domain::status::Outcome;
use crate::domain::time::Millis;
use crate::pb::{GetStatisticsRequest, StatisticsBy};
use crate::store::statistics::{By, Filter, Period};

/// The most steps that a period may have.
const MOST_STEPS: i64 = 1500;

/// The length of the period that begins nowhere, and the length of an hour, in minutes.
const HOUR: i64 = 60;

/// Which statistics are asked for.
pub struct Query {
    /// The period, and its steps.
    pub period: Period,
    /// Which calls are counted.
    pub filter: Filter,
    /// What the calls of a series have in common.
    pub by: By,
}

/// Returns which statistics are asked for, of the calls of this client or of all.
///
/// # Errors
/// Returns every broken rule.
pub fn query(request: &GetStatisticsRequest, client_id: Option<i64>, now: Millis) -> Result<Query, Error> {
    let mut violations = fields::violations(request);
    let outcome: Option<Outcome> = known(request.outcome, &At::field("outcome"), &mut violations);
    let by = match request.by.map(StatisticsBy::try_from) {
        None => By::Nothing,
        Some(Ok(StatisticsBy::Queue)) => By::Queue,
        Some(Ok(StatisticsBy::Server)) => By::Server,
        Some(Ok(StatisticsBy::Trunk)) => By::Trunk,
        Some(Ok(StatisticsBy::Client)) => By::Client,
        Some(Ok(StatisticsBy::Project)) => By::Project,
        Some(Ok(StatisticsBy::Outcome)) => By::Outcome,
        Some(Ok(StatisticsBy::HangupCause)) => By::HangupCause,
        Some(Ok(StatisticsBy::Unspecified) | Err(_)) => {
            violations.invalid_if_new(&At::field("by"), "is not known");
            By::Nothing
        }
    };
    if request.step.is_some_and(|step| step % 60 != 0) {
        violations.invalid_if_new(&At::field("step"), "must be a multiple of 60 seconds");
    }
    let millis = |time: Option<crate::pb::Timestamp>| {
        time.and_then(|time| jiff::Timestamp::try_from(time).ok()).map(jiff::Timestamp::as_millisecond)
    };
    let step = request.step.map(|step| i64::from(step) / 60);
    // What is in steps of hours is read from the counts of hours.
    let unit = if step.is_some_and(|step| step % HOUR == 0) { HOUR } else { 1 };
    let length = unit * MINUTE;
    let to = millis(request.to).unwrap_or(now.0);
    let to = (to.div_euclid(length) + i64::from(to.rem_euclid(length) > 0)) * unit;
    let from = millis(request.from).map_or(to - HOUR, |from| from.div_euclid(length) * unit);
    if from >= to {
        violations.invalid_if_new(&At::field("from"), "must be before the end of the period");
    }
    let step = step.unwrap_or(to - from).max(1);
    if (to - from) / step > MOST_STEPS {
        let least = (to - from).div_euclid(MOST_STEPS) * 60 + 60;
        let text = format!("makes more than {MOST_STEPS} steps of this period; {least} seconds and more are possible");
        violations.invalid_if_new(&At::field("step"), text);
    }
    violations.finish()?;
    let filter = Filter {
        client_id,
        queue_id: request.queue_id,
        server: request.asterisk_server_code.clone(),
        trunk: request.trunk.clone(),
        project: request.project.clone(),
        outcome: outcome.map(Outcome::code),
    };
    Ok(Query { period: Period { from, to, step }, filter, by })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_700_000_000_000);

    fn at(millis: i64) -> Option<crate::pb::Timestamp> {
        jiff::Timestamp::from_millisecond(millis).ok().map(Into::into)
    }

    fn asked(request: &GetStatisticsRequest) -> Result<(i64, i64, i64), String> {
        let query = query(request, None, NOW).map_err(|error| error.to_string())?;
        Ok((query.period.from, query.period.to, query.period.step))
    }

    #[test]
    fn a_period_is_whole_minutes_or_whole_hours_and_by_default_the_last_one() {
        let minute = NOW.0 / MINUTE;
        assert_eq!(asked(&GetStatisticsRequest::default()), Ok((minute + 1 - 60, minute + 1, 60)));
        let by_hour = GetStatisticsRequest {
            from: at(NOW.0 - 3 * 3_600_000),
            step: Some(3600),
            ..GetStatisticsRequest::default()
        };
        let hour = NOW.0 / 3_600_000;
        assert_eq!(asked(&by_hour), Ok(((hour - 3) * 60, (hour + 1) * 60, 60)));
        let exact = GetStatisticsRequest { from: at(0), to: at(120_000), step: Some(60), ..Default::default() };
        assert_eq!(asked(&exact), Ok((0, 2, 1)));
    }

    #[test]
    fn what_makes_no_period_is_refused_at_its_field() {
        let with = |from, to, step| GetStatisticsRequest { from: at(from), to: at(to), step, ..Default::default() };
        for (request, error) in [
            (with(60_000, 60_000, None), "from: must be before the end of the period"),
            (with(0, 60_000, Some(90)), "step: must be a multiple of 60 seconds"),
            (with(0, 60_000, Some(30)), "step: must be 60 to 31536000 seconds"),
            (with(0, 3_600_000_000, Some(60)), "step: makes more than 1500 steps of this period; 2460 seconds"),
        ] {
            let refused = asked(&request).unwrap_err();
            assert!(refused.starts_with(error), "{refused}");
        }
    }
}
