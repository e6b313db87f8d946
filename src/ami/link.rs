//! Keeps a connection to one Asterisk: logs in, notices when the connection is lost, and reconnects.

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

/// The bounds of the pause before reconnecting. The pause is random in part, so that many nodes do not return at once.
const FIRST_PAUSE: Duration = Duration::from_millis(400);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How long a new session waits for `FullyBooted`. Asterisk sends it at once if it has finished its start.
const BOOTED: Duration = Duration::from_secs(2);

/// How much longer it waits if the manager user may read `FullyBooted`, so that Asterisk must still be starting.
const BOOTING: Duration = Duration::from_mins(1);

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// There is no session at present.
    #[error("not connected to Asterisk")]
    NotConnected,
    /// The session was lost, or no answer was received in time.
    #[error("Asterisk did not answer in time")]
    NoAnswer,
}

/// The queue of actions for the current session, or None without a session. The end of a session closes and empties its
/// queue: an action that was posted for one session must never be sent in the next one.
#[derive(Clone, Default)]
struct Outbox(Arc<Mutex<Option<mpsc::UnboundedSender<Command>>>>);

/// A handle to the connection. The connection is closed when its token is cancelled.
#[derive(Clone)]
pub struct Link {
    outbox: Outbox,
    requests: Arc<AtomicU64>,
    answer_deadline: Duration,
}

impl Link {
    /// Starts a task that keeps a connection open. Everything received is passed on in batches of one read. The channel
    /// is unbounded because the reader must never wait; the receiver keeps all its state in memory and is always
    /// faster.
    #[must_use]
    pub fn start(options: Options, cancel: CancellationToken) -> (Self, mpsc::UnboundedReceiver<Vec<Incoming>>) {
        let (incoming, received) = mpsc::unbounded_channel();
        let outbox = Outbox::default();
        let link = Self { outbox: outbox.clone(), requests: Arc::default(), answer_deadline: options.answer_deadline };
        tokio::spawn(async move {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = incoming.closed() => {}
                () = keep_connected(&options, &outbox, &incoming) => {}
            }
            outbox.close();
        });
        (link, received)
    }

    /// Sends an action whose answer is passed on as an [`Incoming::Response`].
    pub fn post(&self, action_id: HeaderValue, action: Action) -> Result<(), RequestError> {
        self.send(Command { action_id, action, answer: None, list: false })
    }

    /// Sends an action and waits for its answer.
    pub async fn request(&self, action: Action) -> Result<Answer, RequestError> {
        self.ask(action, false).await
    }

    /// Sends an action that is answered by a list, and waits for the whole list.
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

/// Runs one session after another, without end.
async fn keep_connected(options: &Options, outbox: &Outbox, incoming: &mpsc::UnboundedSender<Vec<Incoming>>) {
    let mut failures = 0_u32;
    loop {
        let mut unsent = Vec::new();
        let error = match log_in(options).await {
            Ok(live) => {
                failures = 0;
                let session = live.session.clone();
                let version = session.asterisk_version.as_deref().unwrap_or("unknown");
                info!(server = %options.name, host = %options.host, port = options.port, version, "logged in to Asterisk");
                warn_of_old_versions(&session);
                // Open it first: the receiver of `Online` may post at once.
                let mut commands = outbox.open();
                if incoming.send(vec![Incoming::Online(session)]).is_err() {
                    return;
                }
                let error = live.run(options, &mut commands, incoming).await;
                outbox.close();
                // These were never sent: they were still queued when the session ended.
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
            warn!(server = %options.name, host = %options.host, port = options.port, %reason, "not connected to Asterisk; reconnecting");
        }
        if incoming.send(vec![Incoming::Offline { reason, unauthorized, unsent }]).is_err() {
            return;
        }
        tokio::time::sleep(backoff::pause(failures, FIRST_PAUSE, LONGEST_PAUSE, rand::random())).await;
    }
}

/// Opens a session with an Asterisk that is ready to dial.
async fn log_in(options: &Options) -> Result<Live, SessionError> {
    let mut live = session::open(options).await?;
    wait_for_boot(&mut live, options).await?;
    live.narrow(options).await?;
    Ok(live)
}

/// Waits until Asterisk has started. It accepts logins and Originates before it has loaded its dialplan, and ends those
/// calls at once, though a moment later they would be answered.
async fn wait_for_boot(live: &mut Live, options: &Options) -> Result<(), SessionError> {
    if live.booted(BOOTED).await? {
        return Ok(());
    }
    if !Readable::of(live, options).await?.is_some_and(|readable| readable.has("system")) {
        warn!(
            server = %options.name, host = %options.host, port = options.port,
            "cannot find out whether this Asterisk has loaded its dialplan: give its manager user read=system"
        );
        return Ok(());
    }
    info!(server = %options.name, host = %options.host, port = options.port, "Asterisk is still starting");
    if live.booted(BOOTING).await? { Ok(()) } else { Err(SessionError::Starting) }
}

/// Warns of CVE-2024-42365, by which the write permission `originate` lets a user run code on the server.
fn warn_of_old_versions(session: &Session) {
    let Some(version) = &session.asterisk_version else { return };
    if AsteriskVersion::parse(version).runs_code_for_originate() {
        warn!(%version, "this Asterisk lets manager users run code (CVE-2024-42365): update it");
    }
}
