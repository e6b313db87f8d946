//! The dialplan applications that a client may run, each with a parser for its arguments. An application without one
//! cannot be granted.

pub mod dial;
pub mod options;
mod plain;
pub mod queue;

use dial::Dial;
use queue::Queue;

use super::called::Reading;
use super::fault::Fault;
use super::names;

/// The applications that a client may run by default.
pub const DEFAULT: [&str; 6] = ["Dial", "Queue", "Playback", "ConfBridge", "Wait", "Echo"];

/// How the arguments of an application are parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grammar {
    Dial,
    Queue,
    Playback,
    ConfBridge,
    /// There are no arguments.
    Nothing,
    /// A number of seconds, which may be absent.
    Seconds,
    /// A whole number, which may be absent.
    Whole,
    /// Whole numbers, separated by commas, each of which may be absent.
    Numbers,
    /// The name of a class or a tone.
    Name,
    /// Digits, `*` and `#`, which are spoken or sent as tones.
    Tones,
    /// A text that Asterisk does not read.
    Text,
}

/// Every application that can be granted. None of them runs commands or code, reads or writes files outside of Asterisk's
/// sounds, changes variables that decide anything, or places calls that are not checked here.
const APPLICATIONS: [(&str, Grammar); 22] = [
    ("AMD", Grammar::Numbers),
    ("Answer", Grammar::Whole),
    ("Busy", Grammar::Seconds),
    ("ConfBridge", Grammar::ConfBridge),
    ("Congestion", Grammar::Seconds),
    ("Dial", Grammar::Dial),
    ("Echo", Grammar::Nothing),
    ("Hangup", Grammar::Whole),
    ("Milliwatt", Grammar::Nothing),
    ("MusicOnHold", Grammar::Name),
    ("NoOp", Grammar::Text),
    ("Playback", Grammar::Playback),
    ("Playtones", Grammar::Name),
    ("Proceeding", Grammar::Nothing),
    ("Progress", Grammar::Nothing),
    ("Queue", Grammar::Queue),
    ("Ringing", Grammar::Nothing),
    ("SayDigits", Grammar::Tones),
    ("SayNumber", Grammar::Whole),
    ("SendDTMF", Grammar::Tones),
    ("Wait", Grammar::Seconds),
    ("WaitForSilence", Grammar::Numbers),
];

/// An application with its arguments, as understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// The name of the application as Asterisk writes it.
    pub name: &'static str,
    /// The arguments of the application.
    pub arguments: Arguments,
}

/// The arguments of an application, as understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arguments {
    /// The arguments of `Dial`.
    Dial(Dial),
    /// The arguments of `Queue`.
    Queue(Queue),
    /// The arguments of `ConfBridge`.
    ConfBridge {
        /// The name of the conference.
        conference: String,
        /// The names of the bridge profile, the user profile and the menu; empty for Asterisk's defaults.
        profiles: Vec<String>,
    },
    /// Arguments that decide nothing but how the application sounds.
    Other(String),
}

/// Returns the name under which an application can be granted, in Asterisk's writing; None if it cannot be granted.
#[must_use]
pub fn grantable(name: &str) -> Option<&'static str> {
    known(name).map(|(name, _)| name)
}

fn known(name: &str) -> Option<(&'static str, Grammar)> {
    APPLICATIONS.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name))
}

/// Returns the names of all applications that can be granted, in the order of the alphabet.
pub fn all() -> impl Iterator<Item = &'static str> {
    APPLICATIONS.into_iter().map(|(name, _)| name)
}

impl Application {
    /// Parses the arguments of an application.
    ///
    /// # Errors
    /// Returns every fault of the arguments. The name of an application that cannot be granted is no fault of theirs:
    /// see [`grantable`].
    pub fn parse(name: &str, data: &str, reading: Reading<'_>) -> Result<Self, Vec<Fault>> {
        let Some((name, grammar)) = known(name) else {
            return Err(vec![Fault::denied(format_args!("application {name} cannot be granted to any client"))]);
        };
        let one = |result: Result<Arguments, Fault>| result.map_err(|fault| vec![fault]);
        let arguments = match grammar {
            Grammar::Dial => Arguments::Dial(Dial::parse(data, reading)?),
            Grammar::Queue => Arguments::Queue(Queue::parse(data)?),
            Grammar::ConfBridge => one(conference(data))?,
            other => one(check(name, other, data).map(|()| Arguments::Other(data.to_owned())))?,
        };
        Ok(Self { name, arguments })
    }

    /// Writes the arguments as they go out to Asterisk.
    #[must_use]
    pub fn data(&self, reading: Reading<'_>) -> String {
        match &self.arguments {
            Arguments::Dial(dial) => dial.write(reading),
            Arguments::Queue(queue) => queue.write(),
            Arguments::ConfBridge { conference, profiles } => {
                let mut arguments = vec![conference.as_str()];
                arguments.extend(profiles.iter().map(String::as_str));
                plain::join(&arguments)
            }
            Arguments::Other(text) => text.clone(),
        }
    }
}

/// Parses `conference[,bridge profile[,user profile[,menu]]]`.
fn conference(data: &str) -> Result<Arguments, Fault> {
    let mut arguments = data.split(',');
    let conference = names::name(arguments.next().unwrap_or_default(), "conference")?;
    let profile = |text: &str| if text.is_empty() { Ok(String::new()) } else { names::name(text, "profile") };
    let profiles = arguments.map(profile).collect::<Result<Vec<_>, _>>()?;
    if profiles.len() > 3 {
        return Err(Fault::malformed("ConfBridge has at most 4 arguments"));
    }
    Ok(Arguments::ConfBridge { conference, profiles })
}

/// Checks the arguments of an application that are written as they are given.
fn check(name: &str, grammar: Grammar, data: &str) -> Result<(), Fault> {
    let fits = match grammar {
        Grammar::Playback => {
            let (sounds, options) = data.split_once(',').unwrap_or((data, ""));
            names::sounds(sounds)?;
            options.split(',').all(|option| matches!(option, "" | "skip" | "noanswer" | "mix"))
        }
        Grammar::Nothing => data.is_empty(),
        Grammar::Seconds => data.is_empty() || names::seconds(data, "time").is_ok(),
        Grammar::Whole => data.is_empty() || names::whole(data, "number").is_ok(),
        Grammar::Numbers => data.chars().all(|character| character.is_ascii_digit() || character == ','),
        Grammar::Name => data.is_empty() || names::name(data, "name").is_ok(),
        Grammar::Tones => data.chars().all(|tone| tone.is_ascii_digit() || "ABCDabcdwW*#".contains(tone)),
        Grammar::Text => plain::is_text(data),
        Grammar::Dial | Grammar::Queue | Grammar::ConfBridge => false,
    };
    if fits {
        Ok(())
    } else {
        Err(Fault::malformed(format_args!("the arguments of {name} are not understood: {data:?}")))
    }
}
