//! `trunkline webhooks`: manages the webhooks that a client's events are posted to, and their dead letters.

use std::path::Path;

use clap::Subcommand;
use jiff::{Span, SpanRelativeTo};

use super::client_ref::{ClientRef, ForClient};
use super::event_type::event_type;
use super::fault::Fault;
use super::paging::Paging;
use super::remote::{Remote, read_text};
use crate::pb;

/// The flags and arguments of `webhooks`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List the webhooks of all clients, or of one, with the state of their delivery
    List(ForClient),
    /// Create a webhook; its signing secret is never shown again
    Create {
        #[command(flatten)]
        client: ClientRef,
        /// The URL that events are posted to; `-` reads it from standard input, which no other user can see
        // Its id must not be `url`, which is that of the global flag.
        #[arg(value_name = "URL")]
        receiver: String,
        /// A type of event to post, such as ended; can be repeated [default: all]
        #[arg(long = "event", value_name = "TYPE", value_parser = event_type)]
        events: Vec<pb::CallEventType>,
    },
    /// Change a webhook; what is not given stays as it is
    Update {
        /// The id of the webhook
        webhook_id: i64,
        /// The new URL; `-` reads it from standard input, which no other user can see
        // Its id must not be `url`, which is that of the global flag.
        #[arg(id = "receiver", long = "to", value_name = "URL")]
        receiver: Option<String>,
        /// A type of event to post, such as ended; can be repeated, and replaces the types of now
        #[arg(long = "event", value_name = "TYPE", value_parser = event_type)]
        events: Vec<pb::CallEventType>,
        /// Post events of all types
        #[arg(long, conflicts_with = "events")]
        all_events: bool,
    },
    /// Stop posting to a webhook; events wait until it is enabled again
    Disable {
        /// The id of the webhook
        webhook_id: i64,
    },
    /// Continue a webhook that was disabled, or whose receiver answered 410
    Enable {
        /// The id of the webhook
        webhook_id: i64,
    },
    /// Remove a webhook and its dead letters
    Remove {
        /// The id of the webhook
        webhook_id: i64,
    },
    /// Post a test event and print what the receiver answered
    Test {
        /// The id of the webhook
        webhook_id: i64,
    },
    /// Replace the signing secret; the new one is never shown again
    RotateSecret {
        /// The id of the webhook
        webhook_id: i64,
        /// How long the old secret stays valid, such as 2h or 0s [default: 24h]
        #[arg(long, value_name = "TIME")]
        overlap: Option<Span>,
    },
    /// List the events that the receiver did not accept within 24 hours
    DeadLetters {
        /// The id of the webhook
        webhook_id: i64,
        #[command(flatten)]
        paging: Paging,
    },
    /// Post dead letters once more
    Replay {
        /// The id of the webhook
        webhook_id: i64,
        /// The seq of the one event to post, as `dead-letters` shows it [default: all]
        seq: Option<i64>,
    },
}

/// Lists, changes, tests or replays webhooks.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let session = args.remote.connect().await?;
    let mut admin = session.admin();
    match args.action {
        Action::List(client) => {
            let client_id = client.id(&session).await?;
            let answer = admin.list_webhooks(pb::ListWebhooksRequest { client_id }).await?.into_inner();
            let columns = [
                "webhook_id",
                "client_id",
                "url",
                "events",
                "delivered_seq",
                "failures",
                "dead_letters",
                "disabled",
                "last_error",
            ];
            session.out.list(&answer, &columns)
        }
        Action::Create { client, receiver, events } => {
            let client_id = client.id(&session).await?;
            let url = if receiver == "-" { read_text(Path::new("-"))? } else { receiver };
            let events = events.into_iter().map(Into::into).collect();
            let request = pb::CreateWebhookRequest { client_id, url, events };
            session.out.one(&admin.create_webhook(request).await?.into_inner().webhook)
        }
        Action::Update { webhook_id, receiver, events, all_events } => {
            let url = match receiver.as_deref() {
                Some("-") => Some(read_text(Path::new("-"))?),
                _ => receiver,
            };
            let named = [("url", url.is_some()), ("events", all_events || !events.is_empty())];
            let update_mask: Vec<String> =
                named.iter().filter(|(_, is_given)| *is_given).map(|(name, _)| (*name).to_owned()).collect();
            if update_mask.is_empty() {
                return Err(Fault::Usage("nothing to change: give --to, --event or --all-events".to_owned()).into());
            }
            let events = events.into_iter().map(Into::into).collect();
            let request = pb::UpdateWebhookRequest { webhook_id, url, events, update_mask, ..Default::default() };
            session.out.one(&admin.update_webhook(request).await?.into_inner().webhook)
        }
        Action::Disable { webhook_id } => {
            let request = pb::UpdateWebhookRequest { webhook_id, disabled: Some(true), ..Default::default() };
            let answer = admin.update_webhook(request).await?.into_inner().webhook;
            session.out.say(&answer, format_args!("webhook {webhook_id} is disabled: events wait until it is enabled"))
        }
        Action::Enable { webhook_id } => {
            let request = pb::UpdateWebhookRequest { webhook_id, disabled: Some(false), ..Default::default() };
            let answer = admin.update_webhook(request).await?.into_inner().webhook;
            session.out.say(&answer, format_args!("webhook {webhook_id} is enabled"))
        }
        Action::Remove { webhook_id } => {
            let answer = admin.delete_webhook(pb::DeleteWebhookRequest { webhook_id }).await?.into_inner();
            session.out.say(&answer, format_args!("webhook {webhook_id} is removed"))
        }
        Action::Test { webhook_id } => {
            let answer = admin.test_webhook(pb::TestWebhookRequest { webhook_id }).await?.into_inner();
            session.out.one(&answer)?;
            if answer.ok {
                Ok(())
            } else {
                Err(Fault::Failed(format!("the receiver of webhook {webhook_id} did not accept the event")).into())
            }
        }
        Action::RotateSecret { webhook_id, overlap } => {
            let overlap_seconds = overlap.map(seconds).transpose()?;
            let request = pb::RotateWebhookSecretRequest { webhook_id, overlap_seconds };
            session.out.one(&admin.rotate_webhook_secret(request).await?.into_inner().webhook)
        }
        Action::DeadLetters { webhook_id, paging: Paging { page, page_size } } => {
            let request = pb::ListDeadLettersRequest { webhook_id, page, page_size };
            let answer = admin.list_dead_letters(request).await?.into_inner();
            let columns =
                ["event.seq", "event.type", "event.at", "first_failed_at", "died_at", "replaying", "last_error"];
            session.out.list(&answer, &columns)
        }
        Action::Replay { webhook_id, seq } => {
            let request = pb::ReplayDeadLettersRequest { webhook_id, seq };
            let answer = admin.replay_dead_letters(request).await?.into_inner();
            let letters = answer.replaying_count;
            session
                .out
                .say(&answer, format_args!("{letters} dead letters of webhook {webhook_id} are posted once more"))
        }
    }
}

fn seconds(overlap: Span) -> Result<i32, Fault> {
    let wrong = |why: &dyn std::fmt::Display| Fault::Usage(format!("--overlap: {why}"));
    let time = overlap.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|error| wrong(&error))?;
    i32::try_from(time.as_secs()).map_err(|_| wrong(&"must be at most 7 days"))
}
