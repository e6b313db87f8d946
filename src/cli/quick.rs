//! `trunkline quick`: places one call, before the calls of all batches.

use tonic::Request;

use super::client_ref::ForClient;
use super::fault::Fault;
use super::labels::{Label, label};
use super::remote::Remote;
use super::time::Time;
use crate::pb;

/// The flags and arguments of `quick`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(flatten)]
    client: ForClient,
    /// The number that is dialed first
    number1: Option<String>,
    /// The number that is dialed when the first one answers
    number2: Option<String>,
    /// The code of the Asterisk server that places the call
    #[arg(long, value_name = "CODE")]
    server: String,
    /// The name in the caller id
    #[arg(long, default_value = "Quick call")]
    name: String,
    /// The number in the caller id
    #[arg(long, value_name = "NUMBER")]
    did: Option<String>,
    /// The channel that is dialed first, in place of the first number, such as PJSIP/100@trunk1
    #[arg(long)]
    channel: Option<String>,
    /// The dialplan application that runs when the call is answered
    #[arg(long, default_value = "Dial", conflicts_with = "context")]
    application: String,
    /// The arguments of the application, in place of the second number
    #[arg(long)]
    data: Option<String>,
    /// The dialplan context to enter, in place of an application
    #[arg(long, requires = "exten")]
    context: Option<String>,
    /// The extension in the context
    #[arg(long, requires = "context")]
    exten: Option<String>,
    /// How long the first number may ring, in seconds
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<i32>,
    /// Do not record the call
    #[arg(long)]
    no_recording: bool,
    /// A label of the call; give it again for further labels
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<Label>,
    /// Do not place the call after this time, such as 2026-12-01T08:00:00Z [default: in a minute]
    #[arg(long, value_name = "TIME")]
    deadline: Option<Time>,
    /// Do not place the call before this time, such as for a callback
    #[arg(long, value_name = "TIME")]
    not_before: Option<Time>,
    /// The project that the call is for
    #[arg(long)]
    project: Option<String>,
    /// The number of the called person, for reports and do-not-call lists
    #[arg(long, value_name = "NUMBER")]
    contact_number: Option<String>,
    /// The number of further attempts after a failure
    #[arg(long, value_name = "N", default_value_t = 0)]
    retry: i32,
    /// A channel variable; can be repeated
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    variables: Vec<(String, String)>,
    /// Place the call only once, even if this command is repeated with the same key within 24 hours
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Places one call and prints its id.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let session = args.remote.connect().await?;
    let action = pb::OriginateAction {
        channel: args.channel,
        application: args.context.is_none().then_some(args.application),
        data: args.data,
        context: args.context,
        exten: args.exten,
        timeout: args.timeout.map(|seconds| seconds.saturating_mul(1000)),
        ..Default::default()
    };
    let mut request = Request::new(pb::CreateQuickCallRequest {
        asterisk_server_code: args.server,
        customer_name: args.name,
        number1: args.number1,
        number2: args.number2,
        did: args.did,
        action: Some(action),
        create_recording: args.no_recording.then_some(false),
        client_id: args.client.id(&session).await?,
        labels: args.labels.into_iter().collect(),
        deadline: args.deadline.map(Into::into),
        not_before: args.not_before.map(Into::into),
        project: args.project,
        contact_number_text: args.contact_number,
        retry: args.retry,
        variables: args.variables.into_iter().collect(),
        ..Default::default()
    });
    if let Some(key) = args.idempotency_key {
        let wrong = |_| Fault::Usage("--idempotency-key must be printable ASCII".to_owned());
        request.metadata_mut().insert("idempotency-key", key.parse().map_err(wrong)?);
    }
    let answer = session.calls().create_quick_call(request).await?;
    let replayed = answer.metadata().contains_key("idempotent-replayed");
    let answer = answer.into_inner();
    let before = if replayed { " was placed before with this key" } else { " is placed" };
    session.out.say(&answer, format_args!("call {}{before}, in queue {}", answer.call_id, answer.queue_id))
}
