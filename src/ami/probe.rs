//! Logs in as a lane does, and finds out what the manager user may do, without dialing anything.
//!
//! Asterisk has no action that tells a user's permissions. What it may write shows in `ListCommands`, which leaves out
//! what the user may not do. What it may read shows in `manager.conf`, for a user who may read that; that call events
//! come shows in the answer to an Originate of a technology that does not exist, for which no channel is ever made.

use std::fmt;
use std::time::Duration;

use tokio::time::timeout;

use super::action::{Action, Originate, Target};
use super::message::Message;
use super::options::Options;
use super::permissions::Readable;
use super::session::{self, Live, SessionError};

/// A technology that no Asterisk has.
const NOWHERE: &str = "TrunklineProbe/0";

/// How long the event may take that ends an Originate which makes no channel; it comes within milliseconds.
const EVENT_DEADLINE: Duration = Duration::from_secs(3);

/// How long all of it may take: whoever asked is still waiting then.
const DEADLINE: Duration = Duration::from_secs(15);

/// What was found at a server that lets its user in.
#[derive(Clone, Debug)]
pub struct Found {
    /// As `22.10.1`.
    pub asterisk_version: Option<String>,
    /// From the connection to the answer to the login.
    pub login: Duration,
    /// What dialing needs and the user may not do.
    pub missing: Vec<Missing>,
}

/// A permission of a manager user, as it stands in `manager.conf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// `write=` this class.
    Write(&'static str),
    /// `read=` this class.
    Read(&'static str),
}

impl Missing {
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
        write!(f, "the manager user needs {way}={class} {}", self.what_for())
    }
}

/// An action that one class of writing, and no other, lets a user do.
const WRITING: [(&str, &str); 3] = [("Originate", "originate"), ("Setvar", "call"), ("Filter", "system")];

/// The classes of events that a lane reads.
const READING: [&str; 3] = ["call", "cdr", "user"];

/// Logs in, looks, and leaves: within [`DEADLINE`], and each answer within the deadline of the options.
///
/// # Errors
/// If there is no Asterisk manager, it does not let the user in, or it falls silent.
pub async fn run(options: &Options) -> Result<Found, SessionError> {
    let done = timeout(DEADLINE, look(options)).await;
    done.unwrap_or(Err(SessionError::Silent("all that a test asks", DEADLINE)))
}

async fn look(options: &Options) -> Result<Found, SessionError> {
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
        // Who may neither read the file nor originate cannot be told what comes; what is missing goes first then.
        missing.push(Missing::Read("call"));
    }
    let session = live.session.clone();
    // A courtesy: the connection is dropped in any case.
    let _ = timeout(options.answer_deadline, live.ask(&Action::Logoff, "logoff")).await;
    Ok(Found { asterisk_version: session.asterisk_version, login: session.login, missing })
}

/// Whether events of calls come: the one that ends an Originate which makes no channel.
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
