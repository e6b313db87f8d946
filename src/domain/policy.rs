//! The dial policy: what a client may dial. Whatever is not granted is denied, and some things cannot be granted at
//! all.

use serde::{Deserialize, Serialize};

use super::arguments;
use super::did::DidPolicy;
use super::number;
use super::originate::{OriginateSpec, Recording, Target};
use super::prefixes::{self, Prefixes};

/// What a client was granted. An empty list stands for the default that its comment names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// Channel technologies. By default `PJSIP`.
    pub technologies: Vec<String>,
    /// Named endpoints. By default any name without a dot, and never a SIP URI or an address.
    pub trunks: Vec<String>,
    /// Dialplan applications. By default [`APPLICATIONS`].
    pub applications: Vec<String>,
    /// Letters of Dial's options. By default all that run no code.
    pub dial_options: Vec<String>,
    /// Dialplan contexts. By default none.
    pub contexts: Vec<String>,
    /// Prefixes of numbers that may be dialed. By default any number may be.
    pub allow_prefixes: Vec<String>,
    /// Prefixes of numbers that may not be dialed. The longest match of both lists decides.
    pub deny_prefixes: Vec<String>,
    /// Names of channel variables; `*` at the end matches any rest. By default any name.
    pub variables: Vec<String>,
    /// True if `mix_monitor_command` may name a command.
    pub allow_recording_command: bool,
    /// Account codes besides the client's own.
    pub accounts: Vec<String>,
    /// How the dids of a batch change the caller ids of its calls.
    pub did_policy: DidPolicy,
    /// Prefixes of numbers that the platform denies to all clients, unless a rule of the client's own is as long. They
    /// are not stored with the client: see [`Policy::under`].
    #[serde(skip)]
    pub denied_to_all: Prefixes,
}

/// A field of an Originate whose value is not allowed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// The field's name in the API, for example `Channel`.
    pub field: &'static str,
    /// The name of the variable, if the field is one of the `variables`.
    pub variable: Option<String>,
    /// The reason, as a text for people.
    pub why: String,
}

/// Applications that may be used by default.
pub const APPLICATIONS: [&str; 6] = ["Dial", "Queue", "Playback", "ConfBridge", "Wait", "Echo"];

/// Applications that run commands or code, write variables, or place calls past these rules. No client can be granted
/// them.
const NEVER: [&str; 21] = [
    "System",
    "TrySystem",
    "Shell",
    "AGI",
    "EAGI",
    "FastAGI",
    "AsyncAGI",
    "DeadAGI",
    "Exec",
    "ExecIf",
    "ExecIfTime",
    "TryExec",
    "Originate",
    "ExternalIVR",
    "Set",
    "MSet",
    "SetAMAFlags",
    "ImportVar",
    "MixMonitor",
    "JACK",
    "Stasis",
];

/// Options of Dial that run dialplan code: `F` and `G` go somewhere, `M` and `U` call routines, `b` and `B` run
/// handlers.
const CODE_OPTIONS: &str = "FGMUbB";

/// Options of Queue that run dialplan code.
const QUEUE_CODE_OPTIONS: &str = "FbB";

impl Policy {
    /// Returns the policy under what the platform denies to all clients.
    #[must_use]
    pub fn under(self, denied_to_all: Prefixes) -> Self {
        Self { denied_to_all, ..self }
    }

    /// Returns every reason why `spec` may not be dialed.
    #[must_use]
    pub fn check(&self, spec: &OriginateSpec) -> Vec<Denied> {
        let mut denied = Vec::new();
        self.check_channel("Channel", &spec.channel, &mut denied);
        match &spec.target {
            Target::Application { name, data } => self.check_application(name, data, &mut denied),
            Target::Extension { context, .. } => {
                if !self.contexts.contains(context) {
                    deny(&mut denied, "Context", format!("context {context} is not granted"));
                }
            }
        }
        for name in spec.variables.keys() {
            let granted = self.variables.is_empty() || self.variables.iter().any(|pattern| matches(pattern, name));
            if !granted {
                let why = format!("variable {name} is not granted");
                denied.push(Denied { field: "variables", variable: Some(name.clone()), why });
            }
        }
        denied.extend(spec.recording.as_ref().and_then(|recording| self.check_recording(recording)));
        denied
    }

    /// Returns why a call may not be recorded like this; nothing if it may.
    #[must_use]
    pub fn check_recording(&self, recording: &Recording) -> Option<Denied> {
        if recording.command.is_none() || self.allow_recording_command {
            return None;
        }
        Some(Denied { field: "mix_monitor_command", variable: None, why: "a command is not granted".to_owned() })
    }

    fn check_channel(&self, field: &'static str, channel: &str, denied: &mut Vec<Denied>) {
        if let Some(mark) = arguments::mark(channel) {
            return deny(denied, field, unclear(mark));
        }
        let Some((technology, resource)) = channel.split_once('/') else {
            return deny(denied, field, format!("{channel} names no technology, as in PJSIP/1234567890@endpoint1"));
        };
        let granted = |list: &[String], default: &[&str]| {
            let is = |name: &str| name.eq_ignore_ascii_case(technology);
            if list.is_empty() { default.iter().any(|name| is(name)) } else { list.iter().any(|name| is(name)) }
        };
        if !granted(&self.technologies, &["PJSIP"]) {
            return deny(denied, field, format!("technology {technology} is not granted"));
        }
        if technology.eq_ignore_ascii_case("Local") {
            return self.check_local(field, resource, denied);
        }
        if resource.contains(':') || resource.matches('@').count() > 1 {
            return deny(denied, field, "a SIP URI or an address cannot be dialed, only a named endpoint".to_owned());
        }
        let (number, trunk) = number::dialed(channel);
        let trunk = trunk.unwrap_or_default();
        let named = if self.trunks.is_empty() {
            !trunk.is_empty() && !trunk.contains(['.', '/', '&'])
        } else {
            self.trunks.iter().any(|granted| granted == trunk)
        };
        if !named {
            deny(denied, field, format!("trunk {trunk} is not granted"));
        }
        if let Some(number) = number {
            self.check_number(field, number, denied);
        }
    }

    /// `Local/100@context/n` runs the dialplan of its context.
    fn check_local(&self, field: &'static str, resource: &str, denied: &mut Vec<Denied>) {
        let extension = resource.split('/').next().unwrap_or(resource);
        let (number, context) = extension.split_once('@').unwrap_or((extension, "default"));
        if !self.contexts.iter().any(|granted| granted == context) {
            deny(denied, field, format!("context {context} is not granted"));
        }
        self.check_number(field, number, denied);
    }

    fn check_number(&self, field: &'static str, number: &str, denied: &mut Vec<Denied>) {
        let fine = prefixes::allowed(number, &self.allow_prefixes, &self.deny_prefixes, &self.denied_to_all);
        if !fine {
            deny(denied, field, format!("number {number} is outside the granted destinations"));
        }
    }

    fn check_application(&self, name: &str, data: &str, denied: &mut Vec<Denied>) {
        let is = |other: &str| other.eq_ignore_ascii_case(name);
        if NEVER.iter().any(|never| is(never)) {
            return deny(denied, "Application", format!("application {name} can be granted to nobody"));
        }
        let granted = if self.applications.is_empty() {
            APPLICATIONS.iter().any(|granted| is(granted))
        } else {
            self.applications.iter().any(|granted| is(granted))
        };
        if !granted {
            return deny(denied, "Application", format!("application {name} is not granted"));
        }
        if is("Dial") {
            self.check_dial(data, denied);
        }
        if is("Queue") {
            check_queue(data, denied);
        }
    }

    /// The arguments of Dial are `Tech/resource[&…][,timeout[,options[,URL]]]`.
    fn check_dial(&self, data: &str, denied: &mut Vec<Denied>) {
        let mut arguments = data.splitn(3, ',');
        for channel in arguments.next().unwrap_or_default().split('&') {
            self.check_channel("Data", channel, denied);
        }
        if let Some(mark) = arguments::mark(arguments.next().unwrap_or_default()) {
            deny(denied, "Data", unclear(mark));
        }
        let letters = match arguments::options(arguments.next().unwrap_or_default()) {
            Ok((letters, _)) => letters,
            Err(wrong) => return deny(denied, "Data", unclear(wrong)),
        };
        for letter in letters {
            if CODE_OPTIONS.contains(letter) {
                deny(denied, "Data", format!("option {letter} of Dial can be granted to nobody"));
            } else if !self.dial_options.is_empty()
                && !self.dial_options.iter().any(|granted| granted.chars().eq([letter]))
            {
                deny(denied, "Data", format!("option {letter} of Dial is not granted"));
            }
        }
    }
}

/// The arguments of Queue are `queue[,options[,URL[,announcement[,timeout[,AGI[,macro[,gosub[,rule[,position]]]]]]]]]`.
/// Asterisk 21 has no macro any more, so that a rule is the eighth argument there.
fn check_queue(data: &str, denied: &mut Vec<Denied>) {
    let (queue, behind) = data.split_once(',').unwrap_or((data, ""));
    let (letters, rest) = match arguments::options(behind) {
        Ok(read) => read,
        Err(wrong) => return deny(denied, "Data", unclear(wrong)),
    };
    if let Some(mark) = arguments::mark(queue).or_else(|| arguments::mark(rest)) {
        return deny(denied, "Data", unclear(mark));
    }
    for letter in letters.into_iter().filter(|letter| QUEUE_CODE_OPTIONS.contains(*letter)) {
        deny(denied, "Data", format!("option {letter} of Queue can be granted to nobody"));
    }
    // The first of the rest is the third argument of all.
    if rest.split(',').skip(3).take(3).any(|argument| !argument.is_empty()) {
        deny(denied, "Data", "arguments 6 to 8 of Queue run code, and can be granted to nobody".to_owned());
    }
}

/// Says why a text is refused that Asterisk could read differently from what it looks like.
fn unclear(character: char) -> String {
    format!("`{character}` could mean something else to Asterisk here, and is not allowed")
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => pattern == name,
    }
}

fn deny(denied: &mut Vec<Denied>, field: &'static str, why: String) {
    denied.push(Denied { field, variable: None, why });
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn spec(channel: &str, name: &str, data: &str) -> OriginateSpec {
        OriginateSpec {
            channel: channel.into(),
            target: Target::Application { name: name.into(), data: data.into() },
            caller_id: None,
            account: None,
            timeout_ms: 30_000,
            early_media: false,
            codecs: None,
            channel_id: None,
            other_channel_id: None,
            variables: BTreeMap::new(),
            recording: None,
            time_zone: None,
            retry_rules: Vec::new(),
        }
    }

    fn fields(policy: &Policy, spec: &OriginateSpec) -> Vec<&'static str> {
        policy.check(spec).into_iter().map(|denied| denied.field).collect()
    }

    #[test]
    fn the_guides_examples_need_no_grant() {
        let spec = spec("PJSIP/1234567890@endpoint1", "Dial", "PJSIP/0987654321@endpoint2,30");
        assert!(Policy::default().check(&spec).is_empty());
    }

    #[test]
    fn what_runs_code_can_be_granted_to_nobody() {
        let granted = Policy { applications: vec!["System".into(), "Dial".into()], ..Policy::default() };
        assert_eq!(fields(&granted, &spec("PJSIP/1@e", "sYsTeM", "rm")), ["Application"]);
        for option in ["M(x)", "tU(x)", "F(a^b^1)", "F", "G(a^b^1)", "b(x)", "B(x)"] {
            let data = format!("PJSIP/1@e,30,{option}");
            assert_eq!(fields(&granted, &spec("PJSIP/1@e", "Dial", &data)), ["Data"], "{option}");
        }
    }

    #[test]
    fn what_dial_dials_and_its_options_are_found_where_asterisk_finds_them() {
        for data in [
            "PJSIP/2(@endpoint2,&Local/100@any-context/n&PJSIP/3)@endpoint2,30",
            "PJSIP/1@endpoint2&PJSIP/2(@endpoint2,,)t,30,G(ctx^s^1)",
            "PJSIP/2[@e,]&Local/1@x,30",
            "PJSIP/2\"@e,\"&Local/1@x,30",
            r"PJSIP/2\,&Local/1@x,30",
            "PJSIP/1@e,3(,)0,G(ctx^s^1)",
            "PJSIP/1@e,30,t[,]G(ctx^s^1)",
        ] {
            let fields = fields(&Policy::default(), &spec("PJSIP/1@e", "Dial", data));
            assert!(!fields.is_empty() && fields.iter().all(|field| *field == "Data"), "{data}: {fields:?}");
        }
        for channel in ["PJSIP/2(@e", "PJSIP/2)@e", "PJSIP/[2]@e", "PJSIP/\"2@e", r"PJSIP/\2@e"] {
            assert_eq!(fields(&Policy::default(), &spec(channel, "Wait", "1")), ["Channel"], "{channel}");
        }
        let fine = "PJSIP/2@e&PJSIP/3@e,30,tL(60000:30000)f(Ä, <1>),http://example.com/(x)";
        assert!(fields(&Policy::default(), &spec("PJSIP/1@e", "Dial", fine)).is_empty());
    }

    #[test]
    fn a_queue_runs_no_code() {
        for data in [
            "support,,,,,agi://host/x",
            "support,t,,,60,,macro",
            "support,,,,,,,context^s^1",
            "support,b(context^s^1)",
            "support,F(context^s^1)",
            "support,tB(context^s^1),,,60",
            "support,,(,),,,x.agi",
            "sup[,]port,b(x)",
        ] {
            assert_eq!(fields(&Policy::default(), &spec("PJSIP/1@e", "Queue", data)), ["Data"], "{data}");
        }
        for data in ["support", "support,tTn,,,60", "support,C,http://example.com,hello,60,,,,rule,1"] {
            assert!(fields(&Policy::default(), &spec("PJSIP/1@e", "Queue", data)).is_empty(), "{data}");
        }
    }

    #[test]
    fn uris_addresses_and_other_technologies_are_denied_in_both_legs() {
        for channel in ["PJSIP/endpoint/sip:1@host", "PJSIP/1@10.0.0.1", "PJSIP/1@a@b", "DAHDI/1", "Local/1@secret/n"] {
            assert_eq!(fields(&Policy::default(), &spec(channel, "Wait", "1")), ["Channel"], "{channel}");
            let data = format!("PJSIP/2@endpoint2&{channel},30");
            assert_eq!(fields(&Policy::default(), &spec("PJSIP/1@e", "Dial", &data)), ["Data"], "{channel}");
        }
    }

    #[test]
    fn the_longest_prefix_decides() {
        let policy =
            Policy { allow_prefixes: vec!["44".into()], deny_prefixes: vec!["44900".into()], ..Policy::default() };
        assert!(fields(&policy, &spec("PJSIP/4420@e", "Wait", "1")).is_empty());
        assert_eq!(fields(&policy, &spec("PJSIP/449001@e", "Wait", "1")), ["Channel"]);
        assert_eq!(fields(&policy, &spec("PJSIP/331@e", "Wait", "1")), ["Channel"]);
    }

    #[test]
    fn what_the_platform_denies_a_longer_rule_of_the_client_allows() {
        let policy = Policy::default().under(["+44900"].iter().collect());
        assert_eq!(fields(&policy, &spec("PJSIP/449001@e", "Wait", "1")), ["Channel"]);
        assert!(fields(&policy, &spec("PJSIP/4420@e", "Wait", "1")).is_empty());
        let policy = Policy { allow_prefixes: vec!["449001".into()], ..policy };
        assert!(fields(&policy, &spec("PJSIP/449001@e", "Wait", "1")).is_empty());
    }

    #[test]
    fn a_local_channel_needs_its_context() {
        let policy =
            Policy { technologies: vec!["Local".into()], contexts: vec!["answer".into()], ..Policy::default() };
        assert!(fields(&policy, &spec("Local/100@answer/n", "Wait", "1")).is_empty());
        for other in ["Local/100@busy/n", "Local/100/n@answer"] {
            assert_eq!(fields(&policy, &spec(other, "Wait", "1")), ["Channel"], "{other}");
        }
    }

    #[test]
    fn a_denied_number_stays_denied_whatever_follows_it() {
        let policy = Policy { deny_prefixes: vec!["+44900".into()], ..Policy::default() };
        for channel in ["PJSIP/+44900123;x@e", "PJSIP/+44-900 1x@e", "PJSIP/44900@e"] {
            assert_eq!(fields(&policy, &spec(channel, "Wait", "1")), ["Channel"], "{channel}");
        }
    }
}
