//! Holds a connection to one Asterisk: logs in, notices when it is gone, and comes back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::action::Action;
use super::command::{Answer, Command};
use super::incoming::{Incoming, Session};
use super::options::Options;
use super::permissions::Readable;
use super::session::{self, Live, SessionError};
use super::value::HeaderValue;
use super::version::AsteriskVersion;
use crate::domain::backoff;

/// The bounds of the pause before a connection is tried again: many nodes do not come back at once.
const FIRST_PAUSE: Duration = Duration::from_millis(400);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How long a session waits for the word that Asterisk has finished its start, which comes at once where it has; and how
/// much longer where the manager user would be told.
const BOOTED: Duration = Duration::from_secs(2);
const BOOTING: Duration = Duration::from_mins(1);

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// There is no session.
    #[error("not connected")]
    NotConnected,
    /// The session broke, or nothing came in time.
    #[error("no answer in time")]
    NoAnswer,
}

/// Where actions for the session at hand go; nothing while there is none. A session's end takes its queue away and
/// empties it: an action that was posted for one session can never be sent in the next, when nobody expects it.
#[derive(Clone, Default)]
struct Outbox(Arc<Mutex<Option<mpsc::UnboundedSender<Command>>>>);

/// A handle on the connection. The connection ends when its token is cancelled.
#[derive(Clone)]
pub struct Link {
    outbox: Outbox,
    requests: Arc<AtomicU64>,
    answer_deadline: Duration,
}

impl Link {
    /// Starts to hold a connection. What comes is handed over in batches of one read; the channel is unbounded because
    /// the reader must never wait, and the receiver keeps all its state in memory and so is always faster.
    #[must_use]
    pub fn start(options: Options, cancel: CancellationToken) -> (Self, mpsc::UnboundedReceiver<Vec<Incoming>>) {
        let (incoming, received) = mpsc::unbounded_channel();
        let outbox = Outbox::default();
        let link = Self { outbox: outbox.clone(), requests: Arc::default(), answer_deadline: options.answer_deadline };
        tokio::spawn(async move {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = incoming.closed() => {}
                () = hold(&options, &outbox, &incoming) => {}
            }
            outbox.close();
        });
        (link, received)
    }

    /// Sends an action whose answer comes as [`Incoming::Response`].
    pub fn post(&self, action_id: HeaderValue, action: Action) -> Result<(), RequestError> {
        self.send(Command { action_id, action, answer: None, list: false })
    }

    /// Sends an action and waits for its answer.
    pub async fn request(&self, action: Action) -> Result<Answer, RequestError> {
        self.ask(action, false).await
    }

    /// Sends an action that is answered by a list, and waits for all of it.
    pub async fn list(&self, action: Action) -> Result<Answer, RequestError> {
        self.ask(action, true).await
    }

    async fn ask(&self, action: Action, list: bool) -> Result<Answer, RequestError> {
        let (answer, answered) = oneshot::channel();
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let action_id = HeaderValue::try_from(format!("request-{number}")).map_err(|_| RequestError::NotConnected)?;
        self.send(Command { action_id, action, answer: Some(answer), list })?;
        match timeout(self.answer_deadline, answered).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) | Err(_) => Err(RequestError::NoAnswer),
        }
    }

    fn send(&self, command: Command) -> Result<(), RequestError> {
        let outbox = self.outbox.lock();
        let sender = outbox.as_ref().ok_or(RequestError::NotConnected)?;
        sender.send(command).map_err(|_| RequestError::NotConnected)
    }
}

impl Outbox {
    fn open(&self) -> mpsc::UnboundedReceiver<Command> {
        let (sender, commands) = mpsc::unbounded_channel();
        *self.lock() = Some(sender);
        commands
    }

    fn close(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<mpsc::UnboundedSender<Command>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Session after session, for ever.
async fn hold(options: &Options, outbox: &Outbox, incoming: &mpsc::UnboundedSender<Vec<Incoming>>) {
    let mut failures = 0_u32;
    loop {
        let mut unsent = Vec::new();
        let error = match log_in(options).await {
            Ok(live) => {
                failures = 0;
                let session = live.session.clone();
                info!(host = %options.host, port = options.port, version = ?session.asterisk_version, "logged in");
                warn_of_old_versions(&session);
                // Open before it is told: whoever hears of the session can post at once.
                let mut commands = outbox.open();
                if incoming.send(vec![Incoming::Online(session)]).is_err() {
                    return;
                }
                let error = live.run(options, &mut commands, incoming).await;
                outbox.close();
                // Nothing of this reached the wire: it was still queued when the session ended.
                while let Ok(command) = commands.try_recv() {
                    unsent.push(command.action_id.as_str().to_owned());
                }
                error
            }
            Err(error) => error,
        };
        failures += 1;
        let unauthorized = matches!(error, SessionError::Refused(_));
        let reason = error.to_string();
        if failures == 1 {
            warn!(host = %options.host, port = options.port, %reason, "not connected");
        }
        if incoming.send(vec![Incoming::Offline { reason, unauthorized, unsent }]).is_err() {
            return;
        }
        tokio::time::sleep(backoff::pause(failures, FIRST_PAUSE, LONGEST_PAUSE, rand::random())).await;
    }
}

/// A session whose Asterisk is ready to dial.
async fn log_in(options: &Options) -> Result<Live, SessionError> {
    let mut live = session::open(options).await?;
    wait_for_boot(&mut live, options).await?;
    live.narrow(options).await?;
    Ok(live)
}

/// Asterisk takes logins and Originates before it has loaded its dialplan, and ends calls then that would be answered a
/// moment later.
async fn wait_for_boot(live: &mut Live, options: &Options) -> Result<(), SessionError> {
    if live.booted(BOOTED).await? {
        return Ok(());
    }
    if !Readable::of(live, options).await?.is_some_and(|readable| readable.has("system")) {
        warn!(
            host = %options.host, port = options.port,
            "nothing tells whether this Asterisk has loaded its dialplan: its manager user needs read=system"
        );
        return Ok(());
    }
    info!(host = %options.host, port = options.port, "Asterisk is still starting");
    if live.booted(BOOTING).await? { Ok(()) } else { Err(SessionError::Starting) }
}

/// CVE-2024-42365: write permission `originate` could run code on the server.
fn warn_of_old_versions(session: &Session) {
    let Some(version) = &session.asterisk_version else { return };
    if AsteriskVersion::parse(version).runs_code_for_originate() {
        warn!(%version, "this Asterisk lets its manager users run code (CVE-2024-42365); update it");
    }
}
