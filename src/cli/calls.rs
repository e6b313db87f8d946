//! `trunkline calls`: finds calls in all queues.

use clap::Subcommand;

use super::export::status;
use super::labels::{Label, label};
use super::remote::Remote;
use crate::api::rest::searched_number;
use crate::pb;

/// The flags and arguments of `calls`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Find calls in all queues, newest first
    List(Box<Search>),
}

#[derive(clap::Args)]
struct Search {
    /// Only calls to this contact number, written in any way that the server can read
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    number: Option<(i64, bool)>,
    /// Only calls whose ids begin with these hexadecimal digits
    #[arg(long, value_name = "PREFIX")]
    id: Option<String>,
    /// Only calls with this `ActionID`
    #[arg(long, value_name = "ID")]
    action_id: Option<String>,
    /// Only the call that has made an attempt with this channel id
    #[arg(long, value_name = "ID")]
    channel_id: Option<String>,
    /// Only calls of this project
    #[arg(long)]
    project: Option<String>,
    /// Only calls with this label
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    label: Option<Label>,
    /// Only calls with this status, such as completed or failed
    #[arg(long, value_parser = status)]
    status: Option<pb::CallStatus>,
    /// Only calls whose last attempt had this outcome, such as busy or no-answer
    #[arg(long, value_parser = outcome)]
    outcome: Option<pb::CallOutcome>,
    /// Only calls of the Asterisk server with this code
    #[arg(long, value_name = "CODE")]
    server: Option<String>,
    /// Only calls that are dialed through this trunk
    #[arg(long)]
    trunk: Option<String>,
    /// Only calls of this queue
    #[arg(long, value_name = "QUEUE_ID")]
    queue: Option<i64>,
    /// Only calls that were inserted at this time or later, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    created_from: Option<pb::Timestamp>,
    /// Only calls that were inserted before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    created_to: Option<pb::Timestamp>,
    /// Only calls whose last attempt was started at this time or later
    #[arg(long, value_name = "TIME", value_parser = time)]
    started_from: Option<pb::Timestamp>,
    /// Only calls whose last attempt was started before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    started_to: Option<pb::Timestamp>,
    /// Only calls that ended at this time or later
    #[arg(long, value_name = "TIME", value_parser = time)]
    ended_from: Option<pb::Timestamp>,
    /// Only calls that ended before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    ended_to: Option<pb::Timestamp>,
    /// Only calls of the client with this id, for administrators [default: of all clients]
    #[arg(long, value_name = "CLIENT_ID")]
    client: Option<i64>,
    /// The length of a page, 1 to 1000 [default: 100]
    #[arg(long, value_name = "N")]
    page_size: Option<i32>,
    /// The page to list, as the page before it names it
    #[arg(long, value_name = "TOKEN")]
    page_token: Option<String>,
}

/// The columns of the list.
const COLUMNS: [&str; 9] = [
    "call_id",
    "queue_id",
    "status",
    "outcome",
    "attempts",
    "asterisk_server_code",
    "channel",
    "contact_number",
    "created_at",
];

/// Lists the calls that are found.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let session = args.remote.connect().await?;
    let Action::List(search) = args.action;
    let request = pb::ListCallsRequest {
        page_size: search.page_size,
        page_token: search.page_token,
        contact_number: search.number.map(|(number, _)| number),
        contact_number_national: search.number.map(|(_, is_national)| is_national),
        call_id_prefix: search.id,
        action_id: search.action_id,
        channel_id: search.channel_id,
        project: search.project,
        label: search.label.map(|(key, value)| format!("{key}:{value}")),
        status: search.status.map(Into::into),
        outcome: search.outcome.map(Into::into),
        asterisk_server_code: search.server,
        trunk: search.trunk,
        queue_id: search.queue,
        created_from: search.created_from,
        created_to: search.created_to,
        started_from: search.started_from,
        started_to: search.started_to,
        ended_from: search.ended_from,
        ended_to: search.ended_to,
        client_id: search.client,
    };
    let answer = session.calls().list_calls(request).await?.into_inner();
    session.out.list(&answer, &COLUMNS)
}

fn number(text: &str) -> Result<(i64, bool), String> {
    searched_number(text).map_err(|error| error.to_string())
}

fn time(text: &str) -> Result<pb::Timestamp, String> {
    let at = pb::parse_time(text).ok_or("must be an RFC 3339 time, such as 2026-01-31T12:00:00Z")?;
    Ok(at.0.into())
}

fn outcome(text: &str) -> Result<pb::CallOutcome, String> {
    serde_json::from_value(text.into()).map_err(|_| {
        let known = (1..=10).filter_map(|code| pb::CallOutcome::try_from(code).ok());
        let names = known.filter_map(|outcome| serde_json::to_value(outcome).ok()?.as_str().map(str::to_owned));
        format!("must be one of {}", names.collect::<Vec<_>>().join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_as_the_rest_api_reads_it() {
        assert_eq!(number("+49 30 23125018"), Ok((493_023_125_018, false)));
        assert_eq!(number("030 23125018"), Ok((3_023_125_018, true)));
        assert_eq!(number("12025550143"), Ok((12_025_550_143, false)));
        assert!(number("tomorrow").is_err());
    }

    #[test]
    fn an_outcome_is_named_as_in_rest() {
        assert_eq!(outcome("no-answer"), Ok(pb::CallOutcome::NoAnswer));
        assert!(outcome("done").unwrap_err().contains("answered, busy"));
    }
}
