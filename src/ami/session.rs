//! The life of one connection: connect, log in, filter the events, then read, write and ping until an error occurs.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, warn};

use super::action::Action;
use super::codec::Decoder;
use super::command::{Answer, Command};
use super::event::{self, Event};
use super::incoming::{Incoming, Session};
use super::message::Message;
use super::options::Options;
use super::tls;
use super::value::{HeaderValue, InvalidValue};

/// Why a session ended or could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The TCP or TLS connection could not be opened.
    #[error("cannot connect to {0}: {1}")]
    Connect(String, #[source] std::io::Error),
    /// The server at this address is not an Asterisk manager.
    #[error("the server there is not an Asterisk manager: its first line is {0:?}")]
    NotAsterisk(String),
    /// Asterisk refused the login.
    #[error("the login was refused: {0}")]
    Refused(String),
    /// The connection was lost.
    #[error("the connection was lost: {0}")]
    Broken(#[from] std::io::Error),
    /// An answer was not received in time.
    #[error("no answer to {0} within {1:?}")]
    Silent(&'static str, Duration),
    /// Asterisk accepts logins but has not loaded all of its modules yet.
    #[error("Asterisk is still starting")]
    Starting,
    /// The name or the secret contains what cannot be sent in a header.
    #[error("the manager user's name or secret {0}")]
    Value(#[from] InvalidValue),
}

/// The requests that wait for an answer, by ActionID.
#[derive(Default)]
pub(super) struct Pending(Mutex<HashMap<String, Waiter>>);

enum Waiter {
    One(oneshot::Sender<Answer>),
    List(Vec<Event>, oneshot::Sender<Answer>),
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A connection with a successful login.
pub(super) struct Live {
    stream: Box<dyn Stream>,
    decoder: Decoder,
    buffer: BytesMut,
    /// Messages that were received during the login and are not answers to it.
    early: Vec<Message>,
    pub session: Session,
}

/// Connects, logs in and asks for Asterisk's version.
pub(super) async fn open(options: &Options) -> Result<Live, SessionError> {
    let (deadline, begun) = (options.answer_deadline, Instant::now());
    let within = |what| move |_| SessionError::Silent(what, deadline);
    let stream = timeout(deadline, connect(options)).await.map_err(within("the connection"))??;
    let mut live = Live {
        stream,
        decoder: Decoder::default(),
        buffer: BytesMut::with_capacity(64 * 1024),
        early: Vec::new(),
        session: Session::default(),
    };
    live.session.banner = timeout(deadline, live.banner()).await.map_err(within("the connection"))??;
    let login = Action::Login {
        username: options.username.as_str().try_into()?,
        secret: (&options.secret).try_into()?,
        events: event::CLASSES.try_into()?,
    };
    let answer = live.answer(&login, "login", "Login", deadline).await?;
    if !answer.is_success() {
        return Err(SessionError::Refused(answer.text()));
    }
    live.session.login = begun.elapsed();
    let settings = live.answer(&Action::CoreSettings, "settings", "CoreSettings", deadline).await?;
    live.session.asterisk_version = settings.get("AsteriskVersion").map(std::borrow::Cow::into_owned);
    Ok(live)
}

async fn connect(options: &Options) -> Result<Box<dyn Stream>, SessionError> {
    let address = format!("{}:{}", options.host, options.port);
    let failed = |error| SessionError::Connect(address.clone(), error);
    let stream = TcpStream::connect((options.host.as_str(), options.port)).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    if options.tls {
        return Ok(Box::new(tls::connect(stream, &options.host, crate::tls::system_roots()).await.map_err(failed)?));
    }
    Ok(Box::new(stream))
}

impl Live {
    async fn banner(&mut self) -> Result<String, SessionError> {
        loop {
            if let Some(line) = self.decoder.banner(&mut self.buffer) {
                if line.starts_with("Asterisk Call Manager") {
                    return Ok(line);
                }
                return Err(SessionError::NotAsterisk(line.chars().take(80).collect()));
            }
            if self.buffer.len() > 1024 {
                return Err(SessionError::NotAsterisk("more than 1024 bytes without a line end".to_owned()));
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> Result<(), SessionError> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
        Ok(())
    }

    /// Sends one action and reads until its answer is received.
    pub(super) async fn ask(&mut self, action: &Action, id: &str) -> Result<Message, SessionError> {
        let mut out = BytesMut::new();
        action.encode(&id.try_into()?, &mut out);
        self.stream.write_all(&out).await?;
        self.stream.flush().await?;
        loop {
            while let Some(message) = self.decoder.next(&mut self.buffer) {
                if message.is_response() && message.action_id().as_deref() == Some(id) {
                    return Ok(message);
                }
                self.early.push(message);
            }
            self.read().await?;
        }
    }

    /// Sends one action and waits for its answer until the deadline. `what` names the action in the error.
    pub(super) async fn answer(
        &mut self,
        action: &Action,
        id: &str,
        what: &'static str,
        deadline: Duration,
    ) -> Result<Message, SessionError> {
        timeout(deadline, self.ask(action, id)).await.map_err(|_| SessionError::Silent(what, deadline))?
    }

    /// Sends one action whose answer is a list, and waits for the whole list until the deadline. Returns the list's events,
    /// or the answer itself if Asterisk refuses the action.
    pub(super) async fn list(
        &mut self,
        action: &Action,
        id: &str,
        what: &'static str,
        deadline: Duration,
    ) -> Result<Result<Vec<Message>, Message>, SessionError> {
        let is_own = |message: &Message| message.action_id().as_deref() == Some(id);
        let listed = async {
            let answer = self.ask(action, id).await?;
            if !answer.is_success() {
                return Ok(Err(answer));
            }
            let is_end = |message: &Message| message.get("EventList").is_some_and(|list| list == "Complete");
            self.event(|message| is_own(message) && is_end(message)).await?;
            let (own, others) = std::mem::take(&mut self.early).into_iter().partition(is_own);
            self.early = others;
            Ok(Ok(own))
        };
        timeout(deadline, listed).await.map_err(|_| SessionError::Silent(what, deadline))?
    }

    /// Reads until the event is received, which may be earlier. Messages received in the meantime are kept.
    pub(super) async fn event(&mut self, is_it: impl Fn(&Message) -> bool) -> Result<(), SessionError> {
        let mut seen = 0;
        loop {
            while let Some(message) = self.decoder.next(&mut self.buffer) {
                self.early.push(message);
            }
            if self.early[seen..].iter().any(&is_it) {
                return Ok(());
            }
            seen = self.early.len();
            self.read().await?;
        }
    }

    /// Waits for `FullyBooted`, which Asterisk sends right after the login if it has loaded all of its modules. Returns
    /// false if it is not received in time: Asterisk is still starting, or the user may not read the class `system`.
    pub(super) async fn booted(&mut self, patience: Duration) -> Result<bool, SessionError> {
        let booted = self.event(|message| message.event_name() == Some(b"FullyBooted"));
        match timeout(patience, booted).await {
            Ok(heard) => heard.map(|()| true),
            Err(_) => Ok(false),
        }
    }

    /// Sets filters for the events that a lane needs. Does without them if the user may not set filters.
    pub(super) async fn narrow(&mut self, options: &Options) -> Result<(), SessionError> {
        for filter in event::filters() {
            let filter = Action::AddFilter { filter: filter.try_into()? };
            let answer = self.answer(&filter, "filter", "Filter", options.answer_deadline).await?;
            self.session.filtered = answer.is_success();
            if !self.session.filtered {
                debug!("this manager user may not set filters; Asterisk will send all call events");
                break;
            }
        }
        Ok(())
    }

    /// Reads, writes and pings until the connection is lost, and returns the reason.
    pub async fn run(
        self,
        options: &Options,
        commands: &mut mpsc::UnboundedReceiver<Command>,
        incoming: &mpsc::UnboundedSender<Vec<Incoming>>,
    ) -> SessionError {
        let Self { stream, decoder, buffer, early, .. } = self;
        let (reader, writer) = tokio::io::split(stream);
        let pending = Pending::default();
        let (ping, mut pings) = mpsc::unbounded_channel();
        let read = read(reader, decoder, buffer, early, &pending, incoming);
        let write = write(writer, commands, &mut pings, &pending);
        let life = watch_life(options, &ping);
        tokio::select! {
            error = read => error,
            error = write => error,
            error = life => error,
        }
    }
}

/// Passes on everything that is received, in order, and never waits for the receiver: Asterisk drops connections that
/// do not read fast enough.
async fn read(
    mut reader: impl AsyncRead + Unpin,
    mut decoder: Decoder,
    mut buffer: BytesMut,
    early: Vec<Message>,
    pending: &Pending,
    incoming: &mpsc::UnboundedSender<Vec<Incoming>>,
) -> SessionError {
    let mut batch: Vec<Incoming> = early.into_iter().filter_map(|message| pending.take(message)).collect();
    loop {
        while let Some(message) = decoder.next(&mut buffer) {
            batch.extend(pending.take(message));
        }
        if !batch.is_empty() && incoming.send(std::mem::take(&mut batch)).is_err() {
            return std::io::Error::other("the receiver of the events has ended").into();
        }
        buffer.reserve(64 * 1024);
        match reader.read_buf(&mut buffer).await {
            Ok(0) => return std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into(),
            Ok(_) => {}
            Err(error) => return error.into(),
        }
    }
}

/// Writes queued actions, as many at once as there are.
async fn write(
    mut writer: impl AsyncWrite + Unpin,
    commands: &mut mpsc::UnboundedReceiver<Command>,
    pings: &mut mpsc::UnboundedReceiver<Command>,
    pending: &Pending,
) -> SessionError {
    let (mut out, mut taken) = (BytesMut::new(), Vec::new());
    loop {
        tokio::select! {
            count = commands.recv_many(&mut taken, 64) => if count == 0 {
                return std::io::Error::other("the link was dropped").into();
            },
            Some(ping) = pings.recv() => taken.push(ping),
        }
        for command in taken.drain(..) {
            pending.put(&command.action_id, command.answer, command.list);
            command.action.encode(&command.action_id, &mut out);
        }
        // TLS may keep a part that it could not write at once; only a flush sends it.
        let sent = match writer.write_all(&out).await {
            Ok(()) => writer.flush().await,
            Err(error) => Err(error),
        };
        if let Err(error) = sent {
            return error.into();
        }
        out.clear();
    }
}

/// Sends Pings. A Ping without an answer in time shows that the peer is gone, or that it reads but does not answer.
async fn watch_life(options: &Options, pings: &mpsc::UnboundedSender<Command>) -> SessionError {
    let mut number = 0_u64;
    loop {
        sleep(options.ping_every).await;
        number += 1;
        let (answer, answered) = oneshot::channel();
        let Ok(action_id) = HeaderValue::try_from(format!("ping-{number}")) else { continue };
        let ping = Command { action_id, action: Action::Ping, answer: Some(answer), list: false };
        if pings.send(ping).is_err() || timeout(options.answer_deadline, answered).await.is_err() {
            warn!(host = %options.host, "Asterisk did not answer a Ping in time; reconnecting");
            return SessionError::Silent("Ping", options.answer_deadline);
        }
    }
}

impl Pending {
    fn put(&self, action_id: &HeaderValue, answer: Option<oneshot::Sender<Answer>>, list: bool) {
        let Some(answer) = answer else { return };
        let waiter = if list { Waiter::List(Vec::new(), answer) } else { Waiter::One(answer) };
        let mut waiters = self.lock();
        // Requests that gave up waiting are removed here, which is enough because requests are rare.
        waiters.retain(|_, waiter| !waiter.is_closed());
        waiters.insert(action_id.as_str().to_owned(), waiter);
    }

    /// Gives a message to the request that waits for it. Returns it if no request does and a lane needs it.
    fn take(&self, message: Message) -> Option<Incoming> {
        if message.is_response() {
            let id = message.action_id().map(std::borrow::Cow::into_owned).unwrap_or_default();
            let mut waiters = self.lock();
            match waiters.remove(&id) {
                Some(Waiter::One(answer)) => {
                    let _ = answer.send(Answer { response: message, events: Vec::new() });
                    return None;
                }
                Some(list @ Waiter::List(..)) if message.is_success() => {
                    waiters.insert(id, list);
                    return None;
                }
                Some(Waiter::List(events, answer)) => {
                    let _ = answer.send(Answer { response: message, events });
                    return None;
                }
                None => {
                    return Some(Incoming::Response {
                        action_id: id,
                        success: message.is_success(),
                        text: message.text(),
                    });
                }
            }
        }
        let name = message.event_name()?;
        if !event::is_known(name) {
            if name.ends_with(b"Complete") {
                self.complete(message);
            }
            return None;
        }
        match Event::parse(&message)? {
            event @ Event::CoreShowChannel(_) => self.collect(&message, event),
            event => Some(Incoming::Event(event)),
        }
    }

    fn collect(&self, message: &Message, event: Event) -> Option<Incoming> {
        let id = message.action_id()?;
        if let Some(Waiter::List(events, _)) = self.lock().get_mut(id.as_ref()) {
            events.push(event);
        }
        None
    }

    /// Completes a list. The event that ends it has the header `EventList: Complete`.
    fn complete(&self, message: Message) {
        if !message.get("EventList").is_some_and(|list| list.eq_ignore_ascii_case("Complete")) {
            return;
        }
        let Some(id) = message.action_id().map(std::borrow::Cow::into_owned) else { return };
        if let Some(Waiter::List(events, answer)) = self.lock().remove(&id) {
            let _ = answer.send(Answer { response: message, events });
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Waiter>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Waiter {
    fn is_closed(&self) -> bool {
        match self {
            Self::One(answer) | Self::List(_, answer) => answer.is_closed(),
        }
    }
}
