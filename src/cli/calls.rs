//! `trunkline calls`: finds calls in all queues, and cancels, retries or moves all that are found.

use clap::Subcommand;

use super::client_ref::ForClient;
use super::counted::follow;
use super::export::status;
use super::labels::{Label, label};
use super::remote::{Remote, Session};
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
    List(Box<List>),
    /// Cancel all calls that are found and wait
    Cancel(Box<Cancel>),
    /// Dial all calls again that are found and failed, once each
    Retry(Box<Retry>),
    /// Move all calls that are found and wait to another server
    Move(Box<Move>),
}

#[derive(clap::Args)]
struct List {
    #[command(flatten)]
    search: Search,
    /// The length of a page, 1 to 1000 [default: 100]
    #[arg(long, value_name = "N")]
    page_size: Option<i32>,
    /// The page to list, as the page before it names it
    #[arg(long, value_name = "TOKEN")]
    page_token: Option<String>,
}

#[derive(clap::Args)]
struct Cancel {
    #[command(flatten)]
    search: Search,
    #[command(flatten)]
    sure: Sure,
    /// Also hang up the calls that are live
    #[arg(long)]
    hang_up_live: bool,
}

#[derive(clap::Args)]
struct Retry {
    #[command(flatten)]
    search: Search,
    #[command(flatten)]
    sure: Sure,
    /// Do not dial the calls after this time [default: their own deadlines]
    #[arg(long, value_name = "TIME", value_parser = time)]
    deadline: Option<pb::Timestamp>,
}

#[derive(clap::Args)]
struct Move {
    #[command(flatten)]
    search: Search,
    #[command(flatten)]
    sure: Sure,
    /// The server to move the calls to
    #[arg(long, value_name = "CODE")]
    to: String,
}

/// How sure the user is. Without a flag, the calls are only counted.
#[derive(clap::Args)]
struct Sure {
    /// Do it if there are still as many calls
    #[arg(long, value_name = "N", conflicts_with = "yes")]
    expect: Option<i64>,
    /// Do it, however many calls there are
    #[arg(long)]
    yes: bool,
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
    #[command(flatten)]
    client: ForClient,
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

/// Lists the calls that are found, or does something with all of them.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let session = args.remote.connect().await?;
    match args.action {
        Action::List(list) => {
            let (filter, client_id) = list.search.filter(&session).await?;
            let request = pb::ListCallsRequest {
                page_size: list.page_size,
                page_token: list.page_token,
                client_id,
                ..filter.into()
            };
            let answer = session.calls().list_calls(request).await?.into_inner();
            session.out.list(&answer, &COLUMNS)
        }
        Action::Cancel(cancel) => {
            let (filter, client_id) = cancel.search.filter(&session).await?;
            let filter = Some(filter);
            let (expected_count, dry_run) = cancel.sure.fields();
            let hang_up_live = cancel.hang_up_live;
            let request =
                pb::CancelCallsRequest { filter, expected_count, dry_run, hang_up_live, resume_token: None, client_id };
            let open = async |resume_token| {
                let request = pb::CancelCallsRequest { resume_token, ..request.clone() };
                Ok(session.calls().cancel_calls(request).await?.into_inner())
            };
            follow(session.out, dry_run, open).await
        }
        Action::Retry(retry) => {
            let (filter, client_id) = retry.search.filter(&session).await?;
            let filter = Some(filter);
            let (expected_count, dry_run) = retry.sure.fields();
            let deadline = retry.deadline;
            let request =
                pb::RetryCallsRequest { filter, expected_count, dry_run, deadline, resume_token: None, client_id };
            let open = async |resume_token| {
                let request = pb::RetryCallsRequest { resume_token, ..request.clone() };
                Ok(session.calls().retry_calls(request).await?.into_inner())
            };
            follow(session.out, dry_run, open).await
        }
        Action::Move(it) => {
            let (filter, client_id) = it.search.filter(&session).await?;
            let filter = Some(filter);
            let (expected_count, dry_run) = it.sure.fields();
            let to_asterisk_server_code = it.to;
            let resume_token = None;
            let request = pb::MoveCallsRequest {
                filter,
                to_asterisk_server_code,
                expected_count,
                dry_run,
                resume_token,
                client_id,
            };
            let open = async |resume_token| {
                let request = pb::MoveCallsRequest { resume_token, ..request.clone() };
                Ok(session.calls().move_calls(request).await?.into_inner())
            };
            follow(session.out, dry_run, open).await
        }
    }
}

impl Sure {
    /// Returns the number of calls that is expected, and whether they are only counted.
    const fn fields(&self) -> (Option<i64>, bool) {
        (self.expect, self.expect.is_none() && !self.yes)
    }
}

impl Search {
    /// Returns the filter that finds the calls, and the client whose calls they are.
    async fn filter(self, session: &Session) -> anyhow::Result<(pb::CallFilter, Option<i64>)> {
        let client_id = self.client.id(session).await?;
        let filter = pb::CallFilter {
            contact_number: self.number.map(|(number, _)| number),
            contact_number_national: self.number.map(|(_, is_national)| is_national),
            call_id_prefix: self.id,
            action_id: self.action_id,
            channel_id: self.channel_id,
            project: self.project,
            label: self.label.map(|(key, value)| format!("{key}:{value}")),
            status: self.status.map(Into::into),
            outcome: self.outcome.map(Into::into),
            asterisk_server_code: self.server,
            trunk: self.trunk,
            queue_id: self.queue,
            created_from: self.created_from,
            created_to: self.created_to,
            started_from: self.started_from,
            started_to: self.started_to,
            ended_from: self.ended_from,
            ended_to: self.ended_to,
        };
        Ok((filter, client_id))
    }
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
