//! `trunkline queues`: a client's queues.

use clap::Subcommand;

use super::paging::Paging;
use super::remote::{Remote, Session};
use crate::pb;

/// The flags.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List the queues, newest first
    List(Paging),
    /// Show one queue with its counts
    Show(QueueRef),
    /// Dial nothing new; live calls go on
    Pause(QueueRef),
    /// Go on with a queue that was paused or completed
    Resume(QueueRef),
    /// End a queue: what waits stays there, and is not dialed
    Complete(QueueRef),
    /// Say why nothing, or nothing more, is being dialed
    Explain(QueueRef),
}

#[derive(Clone, Copy, clap::Args)]
struct QueueRef {
    /// The queue's id
    queue_id: i64,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let session = args.remote.connect().await?;
    match args.action {
        Action::List(Paging { page, page_size }) => {
            let request = pb::ListQueuesRequest { page, page_size, ..Default::default() };
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
    let stands = match queue.queue_status() {
        pb::QueueStatus::Paused => "is paused",
        pb::QueueStatus::InProgress => "is in progress",
        pb::QueueStatus::Completed => "is completed",
        pb::QueueStatus::Unspecified => "is unknown",
    };
    session.out.say(&queue, format_args!("queue {} {stands}: {waiting} calls wait, {live} are live", queue.queue_id))
}
