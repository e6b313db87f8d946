//! A server of this same binary, which a benchmark starts, fills with calls, and watches.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Streaming};

use super::args::Args;
use super::cpu;
use super::measurement::Measurement;
use crate::pb;
use crate::pb::admin_service_client::AdminServiceClient;
use crate::pb::call_service_client::CallServiceClient;
use crate::pb::queue_service_client::QueueServiceClient;

/// How long the benchmark waits for the server to start, to log in to Asterisk, or to end the next call.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the server may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// How many items a batch has.
const BATCH: usize = 1000;

/// The code of the Asterisk server.
const SERVER: &str = "bench";

/// A running `trunkline serve` with a data directory of its own, which is removed with it.
pub struct Served {
    child: Child,
    channel: Channel,
    dir: Dir,
}

struct Dir(PathBuf);

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Served {
    /// Starts a server, and returns once it listens.
    ///
    /// # Errors
    /// Returns an error if the server does not start.
    pub async fn start(args: &Args, round: u16) -> anyhow::Result<Self> {
        let parent = args.dir.clone().unwrap_or_else(std::env::temp_dir);
        let dir = Dir(parent.join(format!("trunkline-bench-{}-{round}", std::process::id())));
        let mut command = Command::new(std::env::current_exe()?);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TRUNKLINE_")) {
            command.env_remove(name);
        }
        command.args(["serve", "--listen", "127.0.0.1:0", "--log-format", "text", "--data-dir"]).arg(&dir.0);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the server")?;
        let (line, mut lines) = mpsc::unbounded_channel();
        forward(child.stdout.take(), line.clone());
        forward(child.stderr.take(), line);
        let mut said = String::new();
        let address = loop {
            let Some(line) = timeout(PATIENCE, lines.recv()).await.context("the server does not start")? else {
                bail!("the server ended: {said}");
            };
            if let Some((_, address)) = line.split_once("listening on ") {
                break address.trim().to_owned();
            }
            said.push_str(&line);
        };
        // All later output is read and dropped, so that the server never waits for a reader.
        tokio::spawn(async move { while lines.recv().await.is_some() {} });
        let channel = Channel::from_shared(format!("http://{address}"))?.connect().await?;
        Ok(Self { child, channel, dir })
    }

    /// Dials all calls of a run from one queue, while a watcher sees the end of each.
    ///
    /// # Errors
    /// Returns an error if the server refuses a request, or no call ends for 30 seconds.
    pub async fn dial(&self, args: &Args) -> anyhow::Result<Measurement> {
        let key = self.set_up(args).await?;
        let queue = self.insert_all(args, &key).await?;
        let mut watcher = self.watch(&key, queue).await?;
        let pid = self.child.id().context("the server has ended")?;
        let (began, cpu) = (Instant::now(), cpu::used_by(pid)?);
        self.set_status(&key, queue, pb::QueueStatus::InProgress).await?;
        let mut ended = 0;
        while ended < args.calls {
            let message = timeout(PATIENCE, watcher.message()).await;
            let message = message.with_context(|| format!("{ended} calls ended, and then none for {PATIENCE:?}"))??;
            let event = message.and_then(|message| message.event).context("the stream ended")?;
            ended += u32::from(event.r#type() == pb::CallEventType::Ended);
        }
        Ok(Measurement { calls: args.calls, time: began.elapsed(), cpu: cpu::used_by(pid)?.saturating_sub(cpu) })
    }

    /// Sends SIGTERM and waits for the end of the server.
    ///
    /// # Errors
    /// Returns an error if the server does not end, or not with exit code 0.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let pid = self.child.id().context("the server has ended")?;
        let kill = Command::new("kill").arg(pid.to_string()).status().await.context("cannot run kill")?;
        let ended = timeout(STOP_TIMEOUT, self.child.wait()).await.context("the server does not stop")??;
        if !kill.success() || !ended.success() {
            bail!("the server ended with {ended}");
        }
        Ok(())
    }

    /// Creates the Asterisk server, and a client that may dial what is asked for. Returns the client's key.
    async fn set_up(&self, args: &Args) -> anyhow::Result<MetadataValue<Ascii>> {
        let admin_key = std::fs::read_to_string(self.dir.0.join("admin.key")).context("no admin key")?;
        let admin_key: MetadataValue<Ascii> = admin_key.trim().parse()?;
        let mut admin = AdminServiceClient::new(self.channel.clone());
        let (host, port) = args.ami.rsplit_once(':').context("--ami is HOST:PORT")?;
        let server = pb::CreateServerRequest {
            code: SERVER.to_owned(),
            host: host.to_owned(),
            port: Some(port.parse().context("the port of --ami")?),
            username: args.username.clone(),
            secret: args.secret.clone(),
            max_channels: Some(args.in_flight.into()),
            calls_per_second: Some(10_000.0),
            ..Default::default()
        };
        admin.create_server(with_key(server, &admin_key)).await?;
        let online = async {
            loop {
                let request = pb::GetServerRequest { code: SERVER.to_owned() };
                let server = admin.get_server(with_key(request, &admin_key)).await?.into_inner().server;
                match server.map(|server| server.status()) {
                    Some(pb::ServerStatus::Online) => return anyhow::Ok(()),
                    _ => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        };
        timeout(PATIENCE, online).await.context("the server does not log in to Asterisk")??;
        let client = pb::CreateClientRequest {
            name: "bench".to_owned(),
            account_code: "bench".to_owned(),
            servers: vec![SERVER.to_owned()],
            policy: Some(policy(args)),
            ..Default::default()
        };
        let client = admin.create_client(with_key(client, &admin_key)).await?.into_inner().client;
        Ok(client.and_then(|client| client.api_key).context("no key")?.parse()?)
    }

    /// Inserts all calls into one queue, which is paused. Returns the queue's id.
    async fn insert_all(&self, args: &Args, key: &MetadataValue<Ascii>) -> anyhow::Result<i64> {
        let mut queues = QueueServiceClient::new(self.channel.clone());
        let (mut queue_id, mut left) = (None, usize::try_from(args.calls)?);
        for batch_id in 1.. {
            // The first batch creates the queue, and is small, because it may be dialed before the queue is paused.
            let items = if queue_id.is_none() { 1 } else { left.min(BATCH) };
            let batch = pb::InsertBatchRequest {
                queue_id,
                batch_id: Some(batch_id),
                data: vec![item(args); items],
                ..Default::default()
            };
            let stored = queues.insert_batch(with_key(batch, key)).await?.into_inner();
            if queue_id.replace(stored.queue_id).is_none() {
                self.set_status(key, stored.queue_id, pb::QueueStatus::Paused).await?;
            }
            left -= items;
            if left == 0 {
                return Ok(stored.queue_id);
            }
        }
        bail!("there is always a next batch")
    }

    async fn set_status(&self, key: &MetadataValue<Ascii>, queue_id: i64, to: pb::QueueStatus) -> anyhow::Result<()> {
        let mut queues = QueueServiceClient::new(self.channel.clone());
        let mut request = pb::UpdateQueueRequest { queue_id, ..Default::default() };
        request.set_queue_status(to);
        queues.update_queue(with_key(request, key)).await?;
        Ok(())
    }

    async fn watch(
        &self,
        key: &MetadataValue<Ascii>,
        queue_id: i64,
    ) -> anyhow::Result<Streaming<pb::WatchCallsResponse>> {
        // From the beginning of the log, because the first call may have ended already.
        let request = pb::WatchCallsRequest { queue_id: Some(queue_id), after: Some(0), ..Default::default() };
        Ok(CallServiceClient::new(self.channel.clone()).watch_calls(with_key(request, key)).await?.into_inner())
    }
}

/// Returns a policy that allows the calls of a run, and no more.
fn policy(args: &Args) -> pb::DialPolicy {
    let technology = args.channel.split('/').next().unwrap_or_default();
    let context = args.channel.rsplit_once('@').map(|(_, context)| context.split('/').next().unwrap_or_default());
    pb::DialPolicy {
        technologies: vec![technology.to_owned()],
        contexts: context.map(str::to_owned).into_iter().collect(),
        applications: vec![args.application.clone()],
        ..Default::default()
    }
}

fn item(args: &Args) -> pb::QueueItem {
    pb::QueueItem {
        asterisk_server_code: SERVER.to_owned(),
        action: Some(pb::OriginateAction {
            action: "Originate".to_owned(),
            channel: Some(args.channel.clone()),
            application: Some(args.application.clone()),
            data: Some(args.data.clone()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn with_key<T>(message: T, key: &MetadataValue<Ascii>) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("x-api-key", key.clone());
    request
}

fn forward(stream: Option<impl AsyncRead + Unpin + Send + 'static>, to: mpsc::UnboundedSender<String>) {
    let Some(stream) = stream else { return };
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let _ = to.send(line);
        }
    });
}
