//! Decides what a client may dial. What is not granted is denied, and some things cannot be granted at all.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::dial::applications::dial::{CALLER_ID_OPTIONS, Dial};
use super::dial::applications::{self, Application, Arguments};
use super::dial::called::{Called, Reading};
use super::dial::channel_id;
use super::dial::dial_string::{DialString, Technology, Way};
use super::dial::dialed::{Denied, Dialed, DialedTarget};
use super::dial::fault::Fault;
use super::dial::text;
use super::did::DidPolicy;
use super::number::Written;
use super::originate::{OriginateSpec, Recording};
use super::prefixes::{self, Prefixes};
use super::recording;
use super::variables;

/// What a client may dial. An empty list means the default that its comment names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// The channel technologies that the client may use. Default: `PJSIP`.
    pub technologies: Vec<String>,
    /// The trunks that the client may use, which are named endpoints. Default: any name without a dot. A SIP URI or an
    /// address is never allowed.
    pub trunks: Vec<String>,
    /// The dialplan applications that the client may use. Default: [`applications::DEFAULT`].
    pub applications: Vec<String>,
    /// The options of `Dial` that the client may use, one letter each. Default: all options that run no code.
    pub dial_options: Vec<String>,
    /// The most channels that one `Dial` may call at once. Default: [`MAX_LEGS`].
    pub max_legs: Option<u32>,
    /// The queues of `Queue` that the client's calls may enter. Default: any.
    pub queues: Vec<String>,
    /// The conferences of `ConfBridge` that the client's calls may enter. Default: any.
    pub conferences: Vec<String>,
    /// The profiles and menus of `ConfBridge` that the client may use. Default: none but Asterisk's defaults.
    pub conference_profiles: Vec<String>,
    /// The directories below which the client's calls are recorded, each below one of the server's. Default: all of the
    /// server's.
    pub recording_dirs: Vec<String>,
    /// The dialplan contexts that the client's calls may enter. Default: none.
    pub contexts: Vec<String>,
    /// The prefixes of numbers that may be dialed. Default: any.
    pub allow_prefixes: Vec<String>,
    /// The prefixes of numbers that may not be dialed. The longest match of both lists decides.
    pub deny_prefixes: Vec<String>,
    /// The names of channel variables that the client may set. A `*` at the end of a name matches any rest, but never a
    /// name that is reserved: see [`variables::denied`]. Default: any that is not reserved.
    pub variables: Vec<String>,
    /// True if `mix_monitor_command` may name a command that runs on the Asterisk server.
    pub allow_recording_command: bool,
    /// The account codes that the client may use besides its own. Default: none.
    pub accounts: Vec<String>,
    /// How the dids of a batch affect the caller ids of its calls.
    pub did_policy: DidPolicy,
    /// The prefixes that the platform denies to all clients, unless a client's own rule matches at least as many
    /// digits. They are not stored with the client: see [`Policy::under`].
    #[serde(skip)]
    pub denied_to_all: Prefixes,
}

/// The most channels that one `Dial` may call at once if the policy does not say.
pub const MAX_LEGS: u32 = 10;

/// What a call is checked against besides the policy.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The client's own account code.
    pub account_code: &'a str,
    /// The server's recording directories.
    pub recording_dirs: &'a [String],
    /// How the server and the grant read numbers and extensions.
    pub reading: Reading<'a>,
}

impl Policy {
    /// Returns this policy with the prefixes that the platform denies to all clients.
    #[must_use]
    pub fn under(self, denied_to_all: Prefixes) -> Self {
        Self { denied_to_all, ..self }
    }

    /// Returns what an Originate dials, if it may be dialed. Both the insert of a call and every attempt to dial it go
    /// through this function, so that a call that was put into the store in another way gets no further.
    ///
    /// # Errors
    /// Returns every reason why it may not be dialed.
    pub fn admit(&self, spec: &OriginateSpec, terms: Terms<'_>) -> Result<Dialed, Vec<Denied>> {
        let (dialed, mut denied) = match Dialed::parse(spec, terms.reading) {
            Ok(dialed) => {
                let denied = self.check_dialed(&dialed, terms);
                (Some(dialed), denied)
            }
            Err(denied) => (None, denied),
        };
        denied.extend(self.check_texts(spec, terms));
        self.check_variables(spec, &mut denied);
        if let Some(recording) = &spec.recording {
            denied.extend(self.check_path(recording, terms.recording_dirs));
            denied.extend(self.check_recording(recording));
        }
        match dialed {
            Some(dialed) if denied.is_empty() => Ok(dialed),
            _ => Err(denied),
        }
    }

    /// Returns why a call may not be recorded in this way; None if it may.
    #[must_use]
    pub fn check_recording(&self, recording: &Recording) -> Option<Denied> {
        if recording.command.is_some() && !self.allow_recording_command {
            let why = "a command that runs when the recording ends is not granted";
            return Some(Denied::field("mix_monitor_command", Fault::denied(why)));
        }
        let error = recording::check_options(recording.options.as_deref()?).err()?;
        Some(Denied::field("mix_monitor_command", Fault::malformed(error)))
    }

    /// Returns the directories below which a call of the client may be recorded on a server with these directories. The
    /// first is that of a recording whose call names no path.
    #[must_use]
    pub fn recording_dirs<'a>(&self, of_server: &'a [String]) -> Cow<'a, [String]> {
        if self.recording_dirs.is_empty() {
            return Cow::Borrowed(of_server);
        }
        let is_there = |dir: &&String| of_server.contains(dir) || recording::is_below(dir, of_server);
        Cow::Owned(self.recording_dirs.iter().filter(is_there).cloned().collect())
    }

    fn check_path(&self, recording: &Recording, of_server: &[String]) -> Option<Denied> {
        let error = recording::check(&recording.path, &self.recording_dirs(of_server)).err()?;
        Some(Denied::field("recording_path", Fault::malformed(error)))
    }

    fn check_dialed(&self, dialed: &Dialed, terms: Terms<'_>) -> Vec<Denied> {
        let mut denied = Vec::new();
        let mut note = |field, fault| denied.push(Denied::field(field, fault));
        self.check_channel(&dialed.channel, terms.reading).into_iter().for_each(|fault| note("Channel", fault));
        match &dialed.target {
            DialedTarget::Application(application) => {
                if !self.grants_application(application.name) {
                    note("Application", Fault::denied(format_args!("application {} is not granted", application.name)));
                }
                self.check_arguments(application, terms.reading).into_iter().for_each(|fault| note("Data", fault));
            }
            DialedTarget::Extension { context, exten, .. } => {
                if let Some(fault) = self.check_context(context) {
                    note("Context", fault);
                }
                if let Some(fault) = exten.number().and_then(|number| self.check_number(number, terms.reading)) {
                    note("Exten", fault);
                }
            }
        }
        denied
    }

    fn check_channel(&self, channel: &DialString, reading: Reading<'_>) -> Vec<Fault> {
        let name = channel.technology.as_str();
        let granted = if self.technologies.is_empty() {
            channel.technology == Technology::Pjsip
        } else {
            self.technologies.iter().any(|granted| granted.eq_ignore_ascii_case(name))
        };
        if !granted {
            return vec![Fault::denied(format_args!("technology {name} is not granted"))];
        }
        let way = match &channel.way {
            Way::Trunk { trunk, .. } => self.check_trunk(trunk),
            Way::Context { context, .. } => self.check_context(context),
        };
        let number = channel.called.as_ref().and_then(Called::number);
        way.into_iter().chain(number.and_then(|number| self.check_number(number, reading))).collect()
    }

    fn check_trunk(&self, trunk: &str) -> Option<Fault> {
        let granted =
            if self.trunks.is_empty() { !trunk.contains('.') } else { self.trunks.iter().any(|name| name == trunk) };
        (!granted).then(|| Fault::denied(format_args!("trunk {trunk} is not granted")))
    }

    fn check_context(&self, context: &str) -> Option<Fault> {
        let granted = self.contexts.iter().any(|granted| granted == context);
        (!granted).then(|| Fault::denied(format_args!("context {context} is not granted")))
    }

    fn check_number(&self, number: &Written, reading: Reading<'_>) -> Option<Fault> {
        let (allow, deny) = (&self.allow_prefixes, &self.deny_prefixes);
        let fine = prefixes::may_dial(number, reading.numbering, allow, deny, &self.denied_to_all);
        (!fine).then(|| Fault::denied(format_args!("number {number} is outside the granted destinations")))
    }

    fn grants_application(&self, name: &str) -> bool {
        if self.applications.is_empty() {
            return applications::DEFAULT.contains(&name);
        }
        self.applications.iter().any(|granted| granted.eq_ignore_ascii_case(name))
    }

    fn check_arguments(&self, application: &Application, reading: Reading<'_>) -> Vec<Fault> {
        let among = |list: &[String], what: &str, name: &str| {
            let granted = list.is_empty() || list.iter().any(|granted| granted == name);
            (!granted).then(|| Fault::denied(format_args!("{what} {name} is not granted")))
        };
        match &application.arguments {
            Arguments::Dial(dial) => self.check_dial(dial, reading),
            Arguments::Queue(queue) => among(&self.queues, "queue", &queue.queue).into_iter().collect(),
            Arguments::ConfBridge { conference, profiles } => {
                let is_granted = |profile: &&String| profile.is_empty() || self.conference_profiles.contains(profile);
                let profiles = profiles.iter().filter(|profile| !is_granted(profile));
                let profiles = profiles.map(|profile| Fault::denied(format_args!("profile {profile} is not granted")));
                among(&self.conferences, "conference", conference).into_iter().chain(profiles).collect()
            }
            Arguments::Other(_) => Vec::new(),
        }
    }

    fn check_dial(&self, dial: &Dial, reading: Reading<'_>) -> Vec<Fault> {
        let mut faults: Vec<Fault> = dial.legs.iter().flat_map(|leg| self.check_channel(leg, reading)).collect();
        let most = self.max_legs.unwrap_or(MAX_LEGS);
        if u32::try_from(dial.legs.len()).is_ok_and(|legs| legs > most) {
            faults.push(Fault::denied(format_args!(
                "Dial calls {} channels at once, at most {most} are granted",
                dial.legs.len()
            )));
        }
        for option in &dial.options {
            let letter = option.letter;
            if !self.dial_options.is_empty() && !self.dial_options.iter().any(|granted| granted.chars().eq([letter])) {
                faults.push(Fault::denied(format_args!("option {letter} of Dial is not granted")));
            } else if CALLER_ID_OPTIONS.contains(letter) && self.did_policy == DidPolicy::Force {
                let why = "sets a caller id, and the client's did policy forces that of the did";
                faults.push(Fault::denied(format_args!("option {letter} of Dial {why}")));
            }
        }
        faults
    }

    /// Checks the texts that go out to Asterisk as they are.
    fn check_texts(&self, spec: &OriginateSpec, terms: Terms<'_>) -> Vec<Denied> {
        let mut denied = Vec::new();
        let texts = [("CallerID", &spec.caller_id), ("Account", &spec.account), ("Codecs", &spec.codecs)];
        for (field, text) in texts {
            if let Some(why) = text.as_deref().and_then(text::fault) {
                denied.push(Denied::field(field, Fault::malformed(why)));
            }
        }
        if let Some(account) = &spec.account
            && account != terms.account_code
            && !self.accounts.contains(account)
        {
            denied.push(Denied::field("Account", Fault::denied(format_args!("account {account} is not granted"))));
        }
        for (field, id) in [("ChannelId", &spec.channel_id), ("OtherChannelId", &spec.other_channel_id)] {
            if let Some(fault) = id.as_deref().and_then(|id| channel_id::check(id).err()) {
                denied.push(Denied::field(field, fault));
            }
        }
        denied
    }

    fn check_variables(&self, spec: &OriginateSpec, denied: &mut Vec<Denied>) {
        if let Some(why) = variables::too_many(spec.variables.len()) {
            denied.push(Denied::field("variables", Fault::Malformed(why)));
        }
        for (name, value) in &spec.variables {
            let mut note = |fault| denied.push(Denied { field: "variables", variable: Some(name.clone()), fault });
            if let Some(why) = variables::denied(name, &self.variables) {
                note(Fault::denied(why));
            }
            if let Some(why) = variables::unfit(name) {
                note(Fault::Malformed(why));
            }
            if text::is_evaluated(value) {
                note(Fault::malformed(text::EVALUATED));
            }
        }
    }
}

#[cfg(test)]
mod tests;
