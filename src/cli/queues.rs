//! `trunkline queues`: manages a client's queues.

use clap::Subcommand;

use super::labels::{Label, label};
use super::paging::Paging;
use super::remote::{Remote, Session};
use crate::pb;

/// The flags and arguments of `queues`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
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

/// Lists, shows or changes queues.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let session = args.remote.connect().await?;
    match args.action {
        Action::List(List { paging: Paging { page, page_size }, label }) => {
            let label = label.map(|(key, value)| format!("{key}:{value}"));
            let request = pb::ListQueuesRequest { page, page_size, label, ..Default::default() };
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
