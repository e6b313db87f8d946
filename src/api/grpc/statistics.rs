//! Serves the method `CallService.GetStatistics`: reads the counts and makes series of them.

use std::collections::{BTreeMap, HashMap};

use super::app::App;
use super::convert;
use crate::api::Error;
use crate::api::validate::statistics::Query;
use crate::domain::cause;
use crate::domain::statistics::{Counts, MINUTE, minute};
use crate::domain::time::Millis;
use crate::pb;
use crate::store::statistics::{self, By, Filter, Live, Peak, Period};

/// The most series of an answer.
const MOST_SERIES: usize = 1000;

/// What the calls of a series have in common: a number, or a text.
type Group = (i64, String);

/// Reads the statistics that a query asks for.
pub async fn get(app: &App, query: Query, now: Millis) -> Result<pb::GetStatisticsResponse, Error> {
    let Query { period, filter, by } = query;
    let mut conn = app.db.read().await?;
    let mut series: BTreeMap<Group, BTreeMap<i64, Counts>> = BTreeMap::new();
    for point in statistics::read(&mut conn, period, &filter, by).await? {
        series.entry(point.group).or_default().entry(point.minute).or_default().add(&point.counts);
    }
    let mut peaks: HashMap<Group, BTreeMap<i64, i64>> = HashMap::new();
    let mut live: HashMap<Group, (i64, i64)> = HashMap::new();
    let mut lately: HashMap<Group, f64> = HashMap::new();
    if let Some(level) = level(&filter, by) {
        for peak in statistics::peaks(&mut conn, period, level).await? {
            let Some(group) = group_of_peak(&peak, by) else { continue };
            let highest = peaks.entry(group).or_default().entry(peak.minute).or_default();
            *highest = peak.peak.max(*highest);
        }
        for now in statistics::live(&mut conn).await?.iter().filter(|live| is_of(live, &filter)) {
            let counts = live.entry(group_of_live(now, by)).or_default();
            counts.0 += now.live;
            counts.1 += now.waiting;
        }
        lately = self::lately(&mut conn, &filter, by, now).await?;
    }
    drop(conn);
    let groups: Vec<Group> = live.keys().chain(peaks.keys()).cloned().collect();
    for group in groups {
        series.entry(group).or_default();
    }
    let has_level = level(&filter, by).is_some();
    let mut series: Vec<pb::StatisticsSeries> = series
        .into_iter()
        .map(|(group, steps)| {
            let peaks = peaks.remove(&group).unwrap_or_default();
            let now = has_level.then(|| {
                let (live, waiting) = live.get(&group).copied().unwrap_or_default();
                let attempts_per_second = lately.get(&group).copied().unwrap_or_default();
                pb::LiveCounts { live, waiting, attempts_per_second }
            });
            one(&group, by, &steps, &peaks, period, now)
        })
        .collect();
    let attempts = |series: &pb::StatisticsSeries| series.total.as_ref().map_or(0, |total| total.attempts);
    series.sort_by_key(|series| std::cmp::Reverse(attempts(series)));
    series.truncate(MOST_SERIES);
    Ok(pb::GetStatisticsResponse {
        from: convert::time(period.from * MINUTE),
        to: convert::time(period.to * MINUTE),
        step: i32::try_from(period.step * 60).unwrap_or(i32::MAX),
        series,
    })
}

/// Returns the client, the queue and the server of the peaks that are asked for. None if there are none, because live
/// calls are not counted so.
fn level(filter: &Filter, by: By) -> Option<(Option<i64>, Option<i64>, Option<String>)> {
    if filter.trunk.is_some() || filter.project.is_some() || filter.outcome.is_some() {
        return None;
    }
    let all = || Some(String::new());
    match (by, filter.client_id, filter.queue_id, &filter.server) {
        (By::Nothing, None, None, server) => Some((Some(0), Some(0), Some(server.clone().unwrap_or_default()))),
        (By::Nothing, Some(client), None, None) => Some((Some(client), Some(0), all())),
        (By::Nothing | By::Queue, client, Some(queue), None) => Some((client, Some(queue), all())),
        (By::Queue, client, None, None) => Some((client, None, all())),
        (By::Server, None, None, server) => Some((Some(0), Some(0), server.clone())),
        (By::Client, client, None, None) => Some((client, Some(0), all())),
        _ => None,
    }
}

/// Returns the series that a peak belongs to. None if it is that of all calls together.
fn group_of_peak(peak: &Peak, by: By) -> Option<Group> {
    match by {
        By::Queue if peak.queue_id != 0 => Some((peak.queue_id, String::new())),
        By::Server if !peak.server.is_empty() => Some((0, peak.server.clone())),
        By::Client if peak.client_id != 0 => Some((peak.client_id, String::new())),
        By::Nothing => Some((0, String::new())),
        _ => None,
    }
}

fn is_of(live: &Live, filter: &Filter) -> bool {
    filter.client_id.is_none_or(|client| client == live.client_id)
        && filter.queue_id.is_none_or(|queue| queue == live.queue_id)
        && filter.server.as_ref().is_none_or(|server| *server == live.server)
}

fn group_of_live(live: &Live, by: By) -> Group {
    match by {
        By::Queue => (live.queue_id, String::new()),
        By::Server => (0, live.server.clone()),
        By::Client => (live.client_id, String::new()),
        _ => (0, String::new()),
    }
}

/// Returns how many attempts begin each second: those of this minute, and those of the last one as far as it reaches
/// into the last sixty seconds.
#[expect(clippy::cast_precision_loss, reason = "a rate of calls has few digits")]
async fn lately(
    conn: &mut crate::store::Conn,
    filter: &Filter,
    by: By,
    now: Millis,
) -> Result<HashMap<Group, f64>, Error> {
    let this = minute(now);
    let elapsed = (now.0 - this * MINUTE) as f64 / MINUTE as f64;
    let period = Period { from: this - 1, to: this + 1, step: 1 };
    let mut lately: HashMap<Group, f64> = HashMap::new();
    for point in statistics::read(conn, period, filter, by).await? {
        let share = if point.minute == this { 1.0 } else { 1.0 - elapsed };
        *lately.entry(point.group).or_default() += point.counts.attempts as f64 * share / 60.0;
    }
    Ok(lately)
}

fn one(
    (number, name): &Group,
    by: By,
    steps: &BTreeMap<i64, Counts>,
    peaks: &BTreeMap<i64, i64>,
    period: Period,
    now: Option<pb::LiveCounts>,
) -> pb::StatisticsSeries {
    let mut total = Counts::default();
    steps.values().for_each(|counts| total.add(counts));
    let minutes: std::collections::BTreeSet<i64> = steps.keys().chain(peaks.keys()).copied().collect();
    let points = minutes.into_iter().map(|minute| {
        let counts = steps.get(&minute).copied().unwrap_or_default();
        self::point(minute, &counts, now.as_ref().map(|_| peaks.get(&minute).copied().unwrap_or(0)))
    });
    let points = points.collect();
    let highest = now.as_ref().map(|_| peaks.values().copied().max().unwrap_or(0));
    let mut series = pb::StatisticsSeries {
        total: Some(self::point(period.from, &total, highest)),
        points,
        now,
        ..pb::StatisticsSeries::default()
    };
    match by {
        By::Nothing => {}
        By::Queue => series.queue_id = Some(*number),
        By::Server => series.asterisk_server_code = Some(name.clone()),
        By::Trunk => series.trunk = Some(name.clone()),
        By::Client => series.client_id = Some(*number),
        By::Project => series.project = Some(name.clone()),
        By::Outcome => series.outcome = i32::try_from(*number).ok().filter(|outcome| *outcome > 0),
        By::HangupCause => {
            let cause = u8::try_from(*number).ok();
            series.hangup_cause = cause.map(i32::from);
            series.hangup_cause_text = cause.map(|cause| cause::text(cause).to_owned());
        }
    }
    series
}

fn point(minute: i64, counts: &Counts, live_peak: Option<i64>) -> pb::StatisticsPoint {
    let delay = |share| counts.delay(share).and_then(|millis| i32::try_from(millis).ok());
    pb::StatisticsPoint {
        at: convert::time(minute * MINUTE),
        calls: counts.calls,
        attempts: counts.attempts,
        ended_attempts: counts.ended_attempts,
        answered: counts.answered,
        ended_calls: counts.ended_calls,
        billable_seconds: counts.billable_seconds,
        asr: counts.asr(),
        acd: counts.acd(),
        post_dial_delay_p50: delay(0.5),
        post_dial_delay_p95: delay(0.95),
        live_peak,
    }
}
