//! `trunkline queues`: manages a client's queues.

use clap::Subcommand;

use super::client_ref::ForClient;
use super::labels::{Label, label};
use super::paging::Paging;
use super::queue_rules::RuleFlags;
use super::remote::{Remote, Session};
use super::time::Time;
use crate::pb;

/// The flags and arguments of `queues`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(flatten)]
    client: ForClient,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List all queues, newest first
    List(List),
    /// Show one queue with its counts
    Show(QueueRef),
    /// Pause a queue: no new call is dialed, and live calls go on
    Pause(QueueRef),
    /// Dial a queue again that was paused or completed
    Resume(QueueRef),
    /// Complete a queue: calls that wait stay in it and are not dialed
    Complete(QueueRef),
    /// Explain why no call, or no further call, is being dialed
    Explain(QueueRef),
    /// Create a queue without calls
    Create(New),
    /// Cancel all calls of a queue that wait, and complete it
    Cancel {
        #[command(flatten)]
        queue: QueueRef,
        /// Also hang up the calls that are live
        #[arg(long)]
        hang_up: bool,
    },
    /// Delete a queue without waiting and live calls; its calls can still be read
    Delete(QueueRef),
    /// Show the rules of a queue, or change those that are given
    Rules {
        #[command(flatten)]
        queue: QueueRef,
        #[command(flatten)]
        rules: RuleFlags,
        /// Give rules their defaults, such as windows,retry_rules
        #[arg(long, value_name = "LIST", value_delimiter = ',')]
        reset: Vec<String>,
    },
}

#[derive(clap::Args)]
struct New {
    /// The name of the queue
    #[arg(long)]
    name: Option<String>,
    /// Dial nothing until the queue is resumed
    #[arg(long)]
    paused: bool,
    /// Dial nothing before this time, such as 2026-12-01T08:00:00Z
    #[arg(long, value_name = "TIME")]
    start_at: Option<Time>,
    /// Dial nothing after this time
    #[arg(long, value_name = "TIME")]
    end_at: Option<Time>,
    /// A label of the queue; give it again for further labels
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<Label>,
    #[command(flatten)]
    rules: RuleFlags,
}

#[derive(clap::Args)]
struct List {
    #[command(flatten)]
    paging: Paging,
    /// Only queues with this label
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    label: Option<Label>,
}

#[derive(Clone, Copy, clap::Args)]
struct QueueRef {
    /// The id of the queue
    queue_id: i64,
}

impl Action {
    /// Returns the queue that the action concerns, if it exists already.
    const fn queue_id(&self) -> Option<i64> {
        match self {
            Self::List(_) | Self::Create(_) => None,
            Self::Show(queue)
            | Self::Pause(queue)
            | Self::Resume(queue)
            | Self::Complete(queue)
            | Self::Explain(queue)
            | Self::Delete(queue)
            | Self::Cancel { queue, .. }
            | Self::Rules { queue, .. } => Some(queue.queue_id),
        }
    }
}

/// Lists, shows or changes queues.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let session = args.remote.connect().await?;
    if let Some(queue_id) = args.action.queue_id() {
        args.client.check_queue(&session, queue_id).await?;
    }
    match args.action {
        Action::List(List { paging: Paging { page, page_size }, label }) => {
            let label = label.map(|(key, value)| format!("{key}:{value}"));
            let client_id = args.client.id(&session).await?;
            let request = pb::ListQueuesRequest { page, page_size, label, client_id, ..Default::default() };
            let answer = session.queues().list_queues(request).await?.into_inner();
            let columns = [
                "queue_id",
                "kind",
                "queue_status",
                "total_calls",
                "counts.queued",
                "counts.retrying",
                "counts.answered",
                "counts.completed",
                "counts.failed",
                "created_at",
            ];
            session.out.list(&answer, &columns)
        }
        Action::Show(QueueRef { queue_id }) => {
            session.out.one(&session.queues().get_queue(pb::GetQueueRequest { queue_id }).await?.into_inner().queue)
        }
        Action::Pause(queue) => set(&session, queue, pb::QueueStatus::Paused).await,
        Action::Resume(queue) => set(&session, queue, pb::QueueStatus::InProgress).await,
        Action::Complete(queue) => set(&session, queue, pb::QueueStatus::Completed).await,
        Action::Explain(QueueRef { queue_id }) => {
            session.out.one(&session.queues().explain_queue(pb::ExplainQueueRequest { queue_id }).await?.into_inner())
        }
        Action::Create(new) => {
            let request = pb::CreateQueueRequest {
                client_id: args.client.id(&session).await?,
                name: new.name,
                paused: new.paused,
                rules: Some(new.rules.rules()),
                start_at: new.start_at.map(Into::into),
                end_at: new.end_at.map(Into::into),
                labels: new.labels.into_iter().collect(),
            };
            let queue = session.queues().create_queue(request).await?.into_inner().queue.unwrap_or_default();
            let status = if new.paused { ", and is paused" } else { "" };
            session.out.say(&queue, format_args!("queue {} is created{status}", queue.queue_id))
        }
        Action::Cancel { queue: QueueRef { queue_id }, hang_up } => {
            let request = pb::CancelQueueRequest { queue_id, hang_up_live: hang_up };
            let done = session.queues().cancel_queue(request).await?.into_inner();
            let live = if hang_up { done.hanging_up_count } else { done.live_count };
            let live = format!("{live} {}", if hang_up { "are being hung up" } else { "are live" });
            let canceled = done.canceled_count;
            session.out.say(&done, format_args!("queue {queue_id} is canceled: {canceled} calls are canceled, {live}"))
        }
        Action::Delete(QueueRef { queue_id }) => {
            let done = session.queues().delete_queue(pb::DeleteQueueRequest { queue_id }).await?.into_inner();
            session.out.say(&done, format_args!("queue {queue_id} is deleted"))
        }
        Action::Rules { queue: QueueRef { queue_id }, rules, reset } => {
            let rules = if rules.is_empty() && reset.is_empty() {
                session.queues().get_queue_rules(pb::GetQueueRulesRequest { queue_id }).await?.into_inner().rules
            } else {
                session.queues().update_queue_rules(rules.change(queue_id, reset)).await?.into_inner().rules
            };
            session.out.one(&rules)
        }
    }
}

async fn set(session: &Session, queue: QueueRef, status: pb::QueueStatus) -> anyhow::Result<()> {
    let request =
        pb::UpdateQueueRequest { queue_id: queue.queue_id, queue_status: Some(status.into()), ..Default::default() };
    let queue = session.queues().update_queue(request).await?.into_inner().queue.unwrap_or_default();
    let counts = queue.counts.unwrap_or_default();
    let (waiting, live) = (counts.queued + counts.retrying, counts.dialing + counts.ringing + counts.answered);
    let status = match queue.queue_status() {
        pb::QueueStatus::Paused => "is paused",
        pb::QueueStatus::InProgress => "is in progress",
        pb::QueueStatus::Completed => "is completed",
        pb::QueueStatus::Unspecified => "is unknown",
    };
    session.out.say(&queue, format_args!("queue {} {status}: {waiting} calls wait, {live} are live", queue.queue_id))
}
