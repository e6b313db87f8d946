//! Decides what a client may dial. What is not granted is denied, and some things cannot be granted at all.

use serde::{Deserialize, Serialize};

use super::arguments;
use super::did::DidPolicy;
use super::number;
use super::originate::{OriginateSpec, Recording, Target};
use super::prefixes::{self, Prefixes};

/// What a client may dial. An empty list means the default that its comment names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// The channel technologies that the client may use. Default: `PJSIP`.
    pub technologies: Vec<String>,
    /// The trunks that the client may use, which are named endpoints. Default: any name without a dot. A SIP URI or an
    /// address is never allowed.
    pub trunks: Vec<String>,
    /// The dialplan applications that the client may use. Default: [`APPLICATIONS`].
    pub applications: Vec<String>,
    /// The options of `Dial` that the client may use, one letter each. Default: all options that run no code.
    pub dial_options: Vec<String>,
    /// The dialplan contexts that the client's calls may enter. Default: none.
    pub contexts: Vec<String>,
    /// The prefixes of numbers that may be dialed. Default: any.
    pub allow_prefixes: Vec<String>,
    /// The prefixes of numbers that may not be dialed. The longest match of both lists decides.
    pub deny_prefixes: Vec<String>,
    /// The names of channel variables that the client may set. A `*` at the end of a name matches any rest. Default:
    /// any.
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

/// A field of an Originate whose value is not allowed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// The name of the field in the API, such as `Channel`.
    pub field: &'static str,
    /// The name of the variable, if the field is one of the `variables`.
    pub variable: Option<String>,
    /// Why the value is not allowed, in words for a person.
    pub why: String,
}

/// The applications that a client may use by default.
pub const APPLICATIONS: [&str; 6] = ["Dial", "Queue", "Playback", "ConfBridge", "Wait", "Echo"];

/// The applications that cannot be granted to any client, because they run commands or code, write variables, or place
/// calls that are not checked by these rules.
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

/// The options of `Dial` that run dialplan code: `F` and `G` jump to an extension, `M` and `U` call routines, `b` and
/// `B` run handlers before the call.
const CODE_OPTIONS: &str = "FGMUbB";

/// The options of `Queue` that run dialplan code.
const QUEUE_CODE_OPTIONS: &str = "FbB";

impl Policy {
    /// Returns this policy with the prefixes that the platform denies to all clients.
    #[must_use]
    pub fn under(self, denied_to_all: Prefixes) -> Self {
        Self { denied_to_all, ..self }
    }

    /// Returns every reason why `spec` may not be dialed. It may be dialed if there is none.
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

    /// Returns why a call may not be recorded in this way; None if it may.
    #[must_use]
    pub fn check_recording(&self, recording: &Recording) -> Option<Denied> {
        if recording.command.is_none() || self.allow_recording_command {
            return None;
        }
        Some(Denied {
            field: "mix_monitor_command",
            variable: None,
            why: "a command that runs when the recording ends is not granted".to_owned(),
        })
    }

    fn check_channel(&self, field: &'static str, channel: &str, denied: &mut Vec<Denied>) {
        if let Some(mark) = arguments::mark(channel) {
            return deny(denied, field, unclear(mark));
        }
        let Some((technology, resource)) = channel.split_once('/') else {
            return deny(
                denied,
                field,
                format!("{channel} names no technology; an example that does is PJSIP/1234567890@endpoint1"),
            );
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

    /// Checks a Local channel such as `Local/100@context/n`, which runs the dialplan of its context.
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
            return deny(denied, "Application", format!("application {name} cannot be granted to any client"));
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

    /// Checks the arguments of `Dial`: `Tech/resource[&…][,timeout[,options[,URL]]]`.
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
                deny(denied, "Data", format!("option {letter} of Dial cannot be granted to any client"));
            } else if !self.dial_options.is_empty()
                && !self.dial_options.iter().any(|granted| granted.chars().eq([letter]))
            {
                deny(denied, "Data", format!("option {letter} of Dial is not granted"));
            }
        }
    }
}

/// Checks the arguments of `Queue`:
/// `queue[,options[,URL[,announcement[,timeout[,AGI[,macro[,gosub[,rule[,position]]]]]]]]]`. Asterisk 21 no longer has
/// `macro`, so that the rule is the eighth argument there.
fn check_queue(data: &str, denied: &mut Vec<Denied>) {
    let (queue, after) = data.split_once(',').unwrap_or((data, ""));
    let (letters, rest) = match arguments::options(after) {
        Ok(read) => read,
        Err(wrong) => return deny(denied, "Data", unclear(wrong)),
    };
    if let Some(mark) = arguments::mark(queue).or_else(|| arguments::mark(rest)) {
        return deny(denied, "Data", unclear(mark));
    }
    for letter in letters.into_iter().filter(|letter| QUEUE_CODE_OPTIONS.contains(*letter)) {
        deny(denied, "Data", format!("option {letter} of Queue cannot be granted to any client"));
    }
    // The first argument of the rest is the third of all.
    if rest.split(',').skip(3).take(3).any(|argument| !argument.is_empty()) {
        deny(denied, "Data", "arguments 6 to 8 of Queue run code and cannot be granted to any client".to_owned());
    }
}

/// Returns why a text with this character is refused, which Asterisk could read differently than it looks.
fn unclear(character: char) -> String {
    format!("`{character}` is not allowed here, because Asterisk may not read it as part of the text")
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
    fn applications_and_options_that_run_code_cannot_be_granted() {
        let granted = Policy { applications: vec!["System".into(), "Dial".into()], ..Policy::default() };
        assert_eq!(fields(&granted, &spec("PJSIP/1@e", "sYsTeM", "rm")), ["Application"]);
        for option in ["M(x)", "tU(x)", "F(a^b^1)", "F", "G(a^b^1)", "b(x)", "B(x)"] {
            let data = format!("PJSIP/1@e,30,{option}");
            assert_eq!(fields(&granted, &spec("PJSIP/1@e", "Dial", &data)), ["Data"], "{option}");
        }
    }

    #[test]
    fn the_channels_and_options_of_dial_are_read_as_asterisk_reads_them() {
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
    fn the_arguments_of_queue_run_no_code() {
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
    fn a_longer_rule_of_the_client_allows_what_the_platform_denies() {
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
