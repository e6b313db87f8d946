//! Logs in as a lane does and finds out what the manager user may do, without dialing anything.
//!
//! Asterisk has no action that reports a user's permissions. Write permissions show in `ListCommands`, which omits the
//! actions that the user may not use. Read permissions show in `manager.conf`, if the user may read that file.
//! Otherwise an Originate to a technology that does not exist, which never creates a channel, shows whether call events
//! are sent.

use std::fmt;
use std::time::Duration;

use tokio::time::timeout;

use super::action::{Action, Originate, Target};
use super::message::Message;
use super::options::Options;
use super::permissions::Readable;
use super::session::{self, Live, SessionError};
use super::survey;

/// A dial string with a technology that no Asterisk has.
const NOWHERE: &str = "TrunklineProbe/0";

/// How long to wait for the event that ends an Originate without a channel. It normally takes milliseconds.
const EVENT_DEADLINE: Duration = Duration::from_secs(3);

/// How long the whole test may take. The administrator's request waits for it.
const DEADLINE: Duration = Duration::from_secs(15);

/// The result of a test whose login succeeded.
#[derive(Clone, Debug)]
pub struct Found {
    /// The Asterisk version, such as `22.10.1`.
    pub asterisk_version: Option<String>,
    /// How long connecting and logging in took.
    pub login: Duration,
    /// The permissions without which nothing can be dialed, and which the user does not have.
    pub missing: Vec<Missing>,
    /// What dialing does not need but an administrator should change, as a text for people each.
    pub warnings: Vec<String>,
}

/// A permission that a manager user lacks, as it is written in `manager.conf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The class is missing in `write=`.
    Write(&'static str),
    /// The class is missing in `read=`.
    Read(&'static str),
}

impl Missing {
    /// Returns true if nothing can be dialed without it. Otherwise only a part of what is known of a call is lost.
    #[must_use]
    pub const fn is_required(self) -> bool {
        match self {
            Self::Write(_) => true,
            Self::Read(class) => matches!(class.as_bytes(), b"call"),
        }
    }

    fn what_for(self) -> &'static str {
        match self {
            Self::Write("originate") => "to place calls",
            Self::Write("call") => "to hang up",
            Self::Write(_) => "to record calls, and to be sent only the events that dialing needs",
            Self::Read("call") => "to learn what becomes of calls",
            Self::Read("cdr") => "to learn the billable seconds from call records",
            Self::Read(_) => "to note what the dialplan reports of a call",
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (way, class) = match self {
            Self::Write(class) => ("write", class),
            Self::Read(class) => ("read", class),
        };
        let needs = if self.is_required() { "needs" } else { "should have" };
        write!(f, "the manager user {needs} {way}={class} {}", self.what_for())
    }
}

/// For each write class, an action that only this class permits.
const WRITING: [(&str, &str); 3] = [("Originate", "originate"), ("Setvar", "call"), ("Filter", "system")];

/// The event classes that a lane reads.
const READING: [&str; 3] = ["call", "cdr", "user"];

/// Logs in, checks the permissions and logs off. All of it takes at most [`DEADLINE`], and each answer at most the
/// options' answer deadline.
///
/// # Errors
/// Fails if no Asterisk manager answers, if the login is refused, or if an answer takes too long.
pub async fn run(options: &Options) -> Result<Found, SessionError> {
    let done = timeout(DEADLINE, check(options)).await;
    done.unwrap_or(Err(SessionError::Silent("all requests of the test", DEADLINE)))
}

async fn check(options: &Options) -> Result<Found, SessionError> {
    let mut live = session::open(options).await?;
    let mut missing = Vec::new();
    let commands = live.answer(&Action::ListCommands, "commands", "ListCommands", options.answer_deadline).await?;
    for (action, class) in WRITING {
        if commands.get(action).is_none() {
            missing.push(Missing::Write(class));
        }
    }
    if let Some(readable) = Readable::of(&mut live, options).await? {
        missing.extend(READING.into_iter().filter(|class| !readable.has(class)).map(Missing::Read));
    } else if !missing.contains(&Missing::Write("originate")) && !hears_calls(&mut live).await? {
        // A user who may neither read the file nor originate cannot be checked: the missing permission comes first.
        missing.push(Missing::Read("call"));
    }
    let (missing, optional): (Vec<_>, Vec<_>) = missing.into_iter().partition(|missing| missing.is_required());
    let mut warnings: Vec<String> = optional.iter().map(ToString::to_string).collect();
    warnings.extend(survey::run(&mut live, &commands, options).await?);
    let session = live.session.clone();
    // The answer does not matter: the connection is closed in any case.
    let _ = timeout(options.answer_deadline, live.ask(&Action::Logoff, "logoff")).await;
    Ok(Found { asterisk_version: session.asterisk_version, login: session.login, missing, warnings })
}

/// Returns true if call events are sent to this user: the one that ends an Originate without a channel is received.
async fn hears_calls(live: &mut Live) -> Result<bool, SessionError> {
    let originate = Originate {
        channel: NOWHERE.try_into()?,
        channel_id: NOWHERE.try_into()?,
        other_channel_id: None,
        target: Target::Application { name: "Wait".try_into()?, data: "0".try_into()? },
        timeout: Duration::from_secs(1),
        caller_id: None,
        account: None,
        early_media: false,
        codecs: None,
        variables: Vec::new(),
    };
    let heard = async {
        live.ask(&Action::Originate(Box::new(originate)), "originate").await?;
        let is_it = |message: &Message| {
            message.event_name() == Some(b"OriginateResponse") && message.action_id().as_deref() == Some("originate")
        };
        live.event(is_it).await
    };
    match timeout(EVENT_DEADLINE, heard).await {
        Ok(heard) => heard.map(|()| true),
        Err(_) => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_as_it_stands_in_the_file() {
        let missing = Missing::Write("originate").to_string();
        assert_eq!(missing, "the manager user needs write=originate to place calls");
    }
}
