//! `trunkline policies`: manages what clients may dial.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Value, json};

use super::client_ref::ClientRef;
use super::fault::Fault;
use super::output::{Output, as_rest};
use super::remote::Remote;
use crate::domain::dial::applications;
use crate::domain::policy::MAX_LEGS;
use crate::pb;

/// The field with the prefixes of numbers that a client may or may not dial.
const PREFIXES: &str = "destination_prefixes";

/// The flags and arguments of `policies`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is only one value, and it is matched at once")]
enum Action {
    /// Show what a client may dial
    Show(ClientRef),
    /// Change what a client may dial; what is not given stays as it is
    Set {
        #[command(flatten)]
        client: ClientRef,
        #[command(flatten)]
        policy: PolicyFlags,
    },
    /// Manage what holds for all clients
    #[command(subcommand)]
    Platform(Platform),
}

#[derive(Subcommand)]
enum Platform {
    /// Show the prefixes of numbers that no client may dial
    Show,
    /// Replace the prefixes of numbers that no client may dial
    Set {
        /// Prefixes of numbers, such as +44900,+882; without any, only premium-rate and satellite numbers are denied
        #[arg(long = "deny", value_name = "PREFIX", value_delimiter = ',')]
        denied_prefixes: Vec<String>,
        /// Let the premium-rate and satellite numbers of the list that comes with Trunkline be dialed
        #[arg(long)]
        allow_premium_rate: bool,
    },
}

/// What a client may dial. Lists are separated by commas.
#[derive(Clone, Default, clap::Args)]
pub struct PolicyFlags {
    /// A file with a whole policy as JSON, as `policies show --json` prints it; `-` is standard input
    #[arg(long = "policy-file", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Channel technologies, such as PJSIP,Local
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    technologies: Option<Vec<String>>,
    /// Endpoints that calls may be dialed through
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    trunks: Option<Vec<String>>,
    /// Dialplan applications that may run
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    applications: Option<Vec<String>>,
    /// Options of the Dial application, each a letter
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    dial_options: Option<Vec<String>>,
    /// Dialplan contexts that calls may enter
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    contexts: Option<Vec<String>>,
    /// The most channels that one Dial may call at once
    #[arg(long, value_name = "NUMBER")]
    max_legs: Option<i32>,
    /// Queues that calls may enter
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    queues: Option<Vec<String>>,
    /// Conferences that calls may enter
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    conferences: Option<Vec<String>>,
    /// Profiles and menus of ConfBridge that calls may use
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    conference_profiles: Option<Vec<String>>,
    /// Directories below which calls may be recorded
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    recording_dirs: Option<Vec<String>>,
    /// Prefixes of numbers that may be dialed
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    allow_prefixes: Option<Vec<String>>,
    /// Prefixes of numbers that may not be dialed
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    deny_prefixes: Option<Vec<String>>,
    /// Channel variables that may be set; `*` at the end matches any rest of a name, but not what Asterisk itself reads
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    variables: Option<Vec<String>>,
    /// Account codes that may be used besides the client's own
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    accounts: Option<Vec<String>>,
    /// Whether a recording may run a command on the Asterisk server
    #[arg(long, value_name = "true|false")]
    allow_recording_command: Option<bool>,
    /// How the dids of a batch set the caller id of a call
    #[arg(long, value_name = "POLICY")]
    did_policy: Option<Did>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Did {
    /// They are the caller id of a call that has none
    Fill,
    /// They are the number in the caller id of every call
    Force,
    /// They are not used
    Off,
}

impl PolicyFlags {
    /// Returns the policy from the file, or else the current one, with the given flags in place of its fields. Returns
    /// None if there is neither a current policy nor a flag.
    ///
    /// # Errors
    /// Returns [`Fault::Usage`] if the file contains no policy.
    pub fn over(&self, now: Option<pb::DialPolicy>) -> anyhow::Result<Option<pb::DialPolicy>> {
        let before = now.clone().unwrap_or_default();
        let mut policy = match &self.file {
            Some(path) => {
                let text = super::remote::read_text(path)?;
                let mut json = serde_json::Deserializer::from_str(&text);
                serde_path_to_error::deserialize(&mut json)
                    .map_err(|error| Fault::Usage(format!("{}: {}: {}", path.display(), error.path(), error.inner())))?
            }
            None => before.clone(),
        };
        let lists = [
            (&mut policy.technologies, &self.technologies),
            (&mut policy.trunks, &self.trunks),
            (&mut policy.applications, &self.applications),
            (&mut policy.dial_options, &self.dial_options),
            (&mut policy.contexts, &self.contexts),
            (&mut policy.queues, &self.queues),
            (&mut policy.conferences, &self.conferences),
            (&mut policy.conference_profiles, &self.conference_profiles),
            (&mut policy.recording_dirs, &self.recording_dirs),
            (&mut policy.variables, &self.variables),
            (&mut policy.accounts, &self.accounts),
        ];
        for (list, named) in lists {
            set(list, named.as_ref());
        }
        if self.allow_prefixes.is_some() || self.deny_prefixes.is_some() {
            let prefixes = policy.destination_prefixes.get_or_insert_default();
            set(&mut prefixes.allow, self.allow_prefixes.as_ref());
            set(&mut prefixes.deny, self.deny_prefixes.as_ref());
        }
        policy.max_legs = self.max_legs.or(policy.max_legs);
        if let Some(allow) = self.allow_recording_command {
            policy.allow_recording_command = allow;
        }
        if let Some(did) = self.did_policy {
            policy.set_did_policy(match did {
                Did::Fill => pb::DidPolicy::Fill,
                Did::Force => pb::DidPolicy::Force,
                Did::Off => pb::DidPolicy::Off,
            });
        }
        let changed = self.file.is_some() || policy != before;
        Ok((changed || now.is_some()).then_some(policy))
    }
}

/// Replaces a list. An empty element stands for an empty list, so that `--trunks ''` restores the default.
fn set(list: &mut Vec<String>, named: Option<&Vec<String>>) {
    if let Some(named) = named {
        *list = named.iter().filter(|text| !text.is_empty()).cloned().collect();
    }
}

/// What holds for a client as long as a field of its policy is empty, for people.
fn defaults() -> [(&'static str, String); 13] {
    [
        ("technologies", "PJSIP"),
        ("trunks", "any"),
        ("applications", &applications::DEFAULT.join(",")),
        ("dial_options", "all that run no code"),
        ("contexts", "none"),
        ("variables", "any that Asterisk does not read"),
        ("accounts", "the client's own"),
        ("max_legs", &MAX_LEGS.to_string()),
        ("queues", "any"),
        ("conferences", "any"),
        ("conference_profiles", "none"),
        ("recording_dirs", "all of the server"),
        ("did_policy", "fill"),
    ]
    .map(|(field, default)| (field, format!("{default} (default)")))
}

/// Prints a policy. For people, a field that is empty shows what holds by default.
fn show(out: Output, policy: &pb::DialPolicy) -> anyhow::Result<()> {
    if out.is_json() {
        return out.one(policy);
    }
    let mut shown = as_rest(policy)?;
    let prefixes = json!({ "allow": "any (default)", "deny": "only those of the platform (default)" });
    let prefixes = prefixes.as_object().into_iter().flatten();
    let within = |shown: &mut Value, field: &str, default: &Value| {
        let is_empty = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        if let Some(fields) = shown.as_object_mut()
            && fields.get(field).is_none_or(is_empty)
        {
            fields.insert(field.to_owned(), default.clone());
        }
    };
    for (field, default) in defaults() {
        within(&mut shown, field, &default.into());
    }
    within(&mut shown, PREFIXES, &json!({}));
    for (field, default) in prefixes {
        within(&mut shown[PREFIXES], field, default);
    }
    out.one(&shown)
}

/// Shows or changes dial policies.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let session = args.remote.connect().await?;
    match args.action {
        Action::Show(client) => show(session.out, &client.get(&session).await?.policy.unwrap_or_default()),
        Action::Set { client, policy } => {
            let now = client.get(&session).await?;
            let policy = policy.over(Some(now.policy.unwrap_or_default()))?;
            let request = pb::UpdateClientRequest { client_id: now.client_id, policy, ..Default::default() };
            let client = session.admin().update_client(request).await?.into_inner().client;
            show(session.out, &client.and_then(|client| client.policy).unwrap_or_default())
        }
        Action::Platform(Platform::Show) => {
            let answer = session.admin().get_platform_policy(pb::GetPlatformPolicyRequest {}).await?;
            session.out.one(&answer.into_inner().policy.unwrap_or_default())
        }
        Action::Platform(Platform::Set { denied_prefixes, allow_premium_rate }) => {
            let allow_premium_rate = allow_premium_rate.then_some(true);
            let request = pb::SetPlatformPolicyRequest { denied_prefixes, allow_premium_rate };
            let answer = session.admin().set_platform_policy(request).await?;
            session.out.one(&answer.into_inner().policy.unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_stays_and_an_empty_list_is_the_default() {
        let now = pb::DialPolicy {
            technologies: vec!["Local".into()],
            trunks: vec!["a".into()],
            accounts: vec!["x".into()],
            ..Default::default()
        };
        let flags = PolicyFlags {
            trunks: Some(vec![String::new()]),
            accounts: Some(vec!["y".into(), "z".into()]),
            ..Default::default()
        };
        let policy = flags.over(Some(now)).unwrap().unwrap();
        assert_eq!(policy.technologies, ["Local"]);
        assert!(policy.trunks.is_empty());
        assert_eq!(policy.accounts, ["y", "z"]);
        assert_eq!(PolicyFlags::default().over(None).unwrap(), None);
    }
}
