//! `trunkline report`: prints and exports statistics of calls.

use std::io;

use jiff::{Span, Timestamp, ZonedDateTime};
use serde_json::{Map, Value};

use super::client_ref::ForClient;
use super::export::field;
use super::fault::Fault;
use super::output::as_rest;
use super::remote::Remote;
use crate::pb;

/// The flags and arguments of `report`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(flatten)]
    client: ForClient,
    /// How long a period, which ends now, is reported, such as 24h or 7d
    #[arg(long, value_name = "TIME", default_value = "1h", conflicts_with_all = ["from", "to"])]
    last: Span,
    /// The start of the period, such as 2030-01-31T00:00:00Z [default: an hour before the end]
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// The end of the period [default: now]
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    /// The length of each step, such as 5m or 1h, in whole minutes [default: the whole period]
    #[arg(long, value_name = "TIME")]
    step: Option<Span>,
    /// What the calls of a line have in common
    #[arg(long, value_name = "WHAT")]
    by: Option<By>,
    /// Only calls of this queue
    #[arg(long, value_name = "QUEUE_ID")]
    queue: Option<i64>,
    /// Only calls that this server placed
    #[arg(long, value_name = "CODE")]
    server: Option<String>,
    /// Only calls that were dialed through this trunk
    #[arg(long, value_name = "NAME")]
    trunk: Option<String>,
    /// Only calls of this project
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// The format of the output
    #[arg(long, default_value = "table")]
    format: Format,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum By {
    /// The queue; quick calls are on one line
    Queue,
    /// The server that placed them
    Server,
    /// The trunk that they were dialed through
    Trunk,
    /// The client, for administrators
    Client,
    /// The project of the calls
    Project,
    /// How the attempts ended
    Outcome,
    /// The Q.850 cause of the hangups
    Cause,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Aligned text for people
    Table,
    /// CSV with a heading line
    Csv,
}

/// The columns of a line after what its calls have in common.
const COLUMNS: [&str; 12] = [
    "at",
    "calls",
    "attempts",
    "ended_attempts",
    "answered",
    "asr",
    "acd",
    "post_dial_delay_p50",
    "post_dial_delay_p95",
    "billable_seconds",
    "ended_calls",
    "live_peak",
];

impl From<By> for pb::StatisticsBy {
    fn from(by: By) -> Self {
        match by {
            By::Queue => Self::Queue,
            By::Server => Self::Server,
            By::Trunk => Self::Trunk,
            By::Client => Self::Client,
            By::Project => Self::Project,
            By::Outcome => Self::Outcome,
            By::Cause => Self::HangupCause,
        }
    }
}

impl By {
    /// Returns the field that says what the calls have in common.
    const fn field(self) -> &'static str {
        match self {
            Self::Queue => "queue_id",
            Self::Server => "asterisk_server_code",
            Self::Trunk => "trunk",
            Self::Client => "client_id",
            Self::Project => "project",
            Self::Outcome => "outcome",
            Self::Cause => "hangup_cause",
        }
    }
}

/// Prints the statistics of a period.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let session = args.remote.connect().await?;
    let (from, to) = args.period()?;
    let seconds = |span: &Span| -> Result<i32, Fault> {
        let seconds = ZonedDateTime::now()
            .checked_add(*span)
            .map(|end| end.timestamp().as_second() - Timestamp::now().as_second());
        let wrong = || Fault::Usage(format!("--step {span} is too long"));
        i32::try_from(seconds.map_err(|_| wrong())?).map_err(|_| wrong())
    };
    let request = pb::GetStatisticsRequest {
        from: from.map(Into::into),
        to: to.map(Into::into),
        step: args.step.as_ref().map(seconds).transpose()?,
        by: args.by.map(|by| pb::StatisticsBy::from(by).into()),
        client_id: args.client.id(&session).await?,
        queue_id: args.queue,
        asterisk_server_code: args.server,
        trunk: args.trunk,
        project: args.project,
        ..Default::default()
    };
    let answer = session.calls().get_statistics(request).await?.into_inner();
    if session.out.is_json() {
        return session.out.one(&answer);
    }
    let lines = lines(&answer, args.step.is_some())?;
    let columns: Vec<&str> = args.by.map(By::field).into_iter().chain(COLUMNS).collect();
    match args.format {
        Format::Table => session.out.rows(&lines, &columns),
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(io::stdout().lock());
            csv.write_record(&columns).map_err(io::Error::from)?;
            for line in &lines {
                csv.write_record(columns.iter().map(|column| field(&line[*column]))).map_err(io::Error::from)?;
            }
            Ok(csv.flush()?)
        }
    }
}

impl Args {
    fn period(&self) -> Result<(Option<Timestamp>, Option<Timestamp>), Fault> {
        if self.from.is_some() || self.to.is_some() {
            return Ok((self.from, self.to));
        }
        let from = ZonedDateTime::now().checked_sub(self.last);
        let from = from.map_err(|_| Fault::Usage(format!("--last {} is too long", self.last)))?;
        Ok((Some(from.timestamp()), None))
    }
}

/// Returns one line for each step of each series, or one for each series if there are no steps.
fn lines(answer: &pb::GetStatisticsResponse, has_steps: bool) -> anyhow::Result<Vec<Value>> {
    let mut lines = Vec::new();
    for series in &answer.series {
        let Value::Object(mut common) = as_rest(series)? else { continue };
        let (total, points) = (common.remove("total"), common.remove("points"));
        common.remove("now");
        let points = if has_steps {
            points.and_then(|points| points.as_array().cloned()).unwrap_or_default()
        } else {
            total.into_iter().collect()
        };
        for point in points {
            let Value::Object(point) = point else { continue };
            let line: Map<String, Value> = common.clone().into_iter().chain(point.into_iter().map(rounded)).collect();
            lines.push(Value::Object(line));
        }
    }
    Ok(lines)
}

/// Rounds a ratio to three digits and a duration to one.
fn rounded((name, value): (String, Value)) -> (String, Value) {
    let digits = match name.as_str() {
        "asr" => 1000.0,
        "acd" => 10.0,
        _ => return (name, value),
    };
    let rounded = value.as_f64().map_or(value, |number| ((number * digits).round() / digits).into());
    (name, rounded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_is_a_field_of_a_point_and_every_group_one_of_a_series() {
        let fields = |message: &str| {
            let message = crate::pb::DESCRIPTORS.get_message_by_name(&format!("trunkline.v1.{message}")).unwrap();
            message.fields().map(|field| field.json_name().to_owned()).collect::<Vec<_>>()
        };
        let point = fields("StatisticsPoint");
        assert!(COLUMNS.iter().all(|column| point.contains(&(*column).to_owned())));
        let series = fields("StatisticsSeries");
        for by in [By::Queue, By::Server, By::Trunk, By::Client, By::Project, By::Outcome, By::Cause] {
            assert!(series.contains(&by.field().to_owned()));
        }
    }

    #[test]
    fn there_is_a_line_for_each_series_or_for_each_of_its_steps() {
        let point = |attempts| pb::StatisticsPoint { attempts, asr: Some(1.0 / 3.0), ..Default::default() };
        let series = pb::StatisticsSeries {
            trunk: Some("carrier1".into()),
            total: Some(point(3)),
            points: vec![point(1), point(2)],
            ..Default::default()
        };
        let answer = pb::GetStatisticsResponse { series: vec![series], ..Default::default() };
        let attempts = |has_steps| -> Vec<i64> {
            let lines = lines(&answer, has_steps).unwrap();
            assert!(lines.iter().all(|line| line["trunk"] == "carrier1" && line["asr"] == 0.333));
            lines.iter().filter_map(|line| line["attempts"].as_i64()).collect()
        };
        assert_eq!((attempts(false), attempts(true)), (vec![3], vec![1, 2]));
    }
}
