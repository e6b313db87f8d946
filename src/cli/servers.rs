//! `trunkline servers`: manages the Asterisk servers that calls are placed on.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::Value;

use super::fault::Fault;
use super::remote::{Remote, read_text};
use crate::pb;

/// The flags and arguments of `servers`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List all servers and their status
    List,
    /// Show one server and its status
    Show {
        /// The code of the server
        code: String,
    },
    /// Add a server, on which calls can be placed at once
    Add {
        /// The code that calls name in `asterisk_server_code`
        code: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// Change a server; what is not given stays as it is
    Update {
        /// The code of the server
        code: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// Remove a server on which no calls are live
    Remove {
        /// The code of the server
        code: String,
        /// Cancel the calls that wait for the server
        #[arg(long, conflicts_with = "move_waiting_to")]
        cancel_waiting: bool,
        /// Move the calls that wait for the server to another one
        #[arg(long, value_name = "CODE")]
        move_waiting_to: Option<String>,
    },
    /// Log in to a server and list what dialing needs and is missing there
    Test {
        /// The code of the server
        code: String,
    },
}

#[derive(Clone, clap::Args)]
struct Settings {
    /// The host name or address of the manager interface
    #[arg(long)]
    host: Option<String>,
    /// The TCP port of the manager interface [default: 5038, with TLS 5039]
    #[arg(long)]
    port: Option<i32>,
    /// The name of the manager user
    #[arg(long, value_name = "USER")]
    username: Option<String>,
    /// A file with the secret of the manager user; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "secret")]
    secret_file: Option<PathBuf>,
    /// The secret of the manager user; safer in a file, because other users of the machine can see this flag
    #[arg(long)]
    secret: Option<String>,
    /// Whether to connect with TLS
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    tls: Option<bool>,
    /// The channel that quick calls dial a number with, such as PJSIP/{number}@trunk1
    #[arg(long, value_name = "TEMPLATE")]
    dial_template: Option<String>,
    /// Live calls at one time
    #[arg(long, value_name = "N")]
    max_channels: Option<i32>,
    /// Calls begun a second
    #[arg(long, value_name = "N")]
    calls_per_second: Option<f64>,
    /// A directory that recordings may be written to; can be repeated, and the first is the default
    #[arg(long = "recording-dir", value_name = "DIR")]
    recording_dirs: Vec<String>,
    /// The limits of a trunk, such as trunk1:30 (channels) or trunk1:30:2.5 (and calls a second); can be repeated
    #[arg(long = "trunk", value_name = "NAME:CHANNELS[:RATE]", value_parser = trunk)]
    trunks: Vec<pb::TrunkLimits>,
    /// The digits that lead to a country code, such as 00,011
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    international_prefixes: Option<Vec<String>>,
    /// The code of the country that national numbers belong to, such as 49; '' removes it
    #[arg(long, value_name = "DIGITS")]
    country_code: Option<String>,
    /// The digits that national numbers begin with, such as 0; '' removes them
    #[arg(long, value_name = "DIGITS")]
    national_prefix: Option<String>,
    /// Codes that may be dialed before a number, such as '*31#'; '' removes all
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    service_codes: Option<Vec<String>>,
    /// How numbers go out to the server
    #[arg(long, value_name = "FORMAT")]
    dial_format: Option<Format>,
    /// Seconds that a call may take
    #[arg(long, value_name = "SECONDS")]
    max_call_seconds: Option<i32>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    /// As they were written, without separators
    AsGiven,
    /// As + and the digits of E.164
    E164,
    /// As the digits of E.164
    Digits,
    /// As the first international prefix and the digits of E.164
    International,
}

impl From<Format> for pb::DialFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::AsGiven => Self::AsGiven,
            Format::E164 => Self::E164,
            Format::Digits => Self::Digits,
            Format::International => Self::International,
        }
    }
}

impl Settings {
    /// Returns the names of the lists that are to be emptied.
    fn emptied(&self) -> Vec<String> {
        let lists = [("international_prefixes", &self.international_prefixes), ("service_codes", &self.service_codes)];
        let is_empty = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| list.iter().all(String::is_empty));
        lists.iter().filter(|(_, list)| is_empty(list)).map(|(name, _)| (*name).to_owned()).collect()
    }

    fn secret(&self) -> Result<Option<String>, Fault> {
        match &self.secret_file {
            Some(path) => read_text(path).map(Some),
            None => Ok(self.secret.clone()),
        }
    }
}

/// Returns a list that a flag gives. An empty element stands for an empty list.
fn filled(list: Option<Vec<String>>) -> Vec<String> {
    list.unwrap_or_default().into_iter().filter(|text| !text.is_empty()).collect()
}

/// Returns the names of the fields that a request sets.
fn changed(request: &pb::UpdateServerRequest) -> anyhow::Result<Vec<String>> {
    let fields = serde_json::to_value(request)?;
    let is_set = |value: &Value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty());
    let set = fields.as_object().into_iter().flatten().filter(|(name, value)| *name != "code" && is_set(value));
    Ok(set.map(|(name, _)| name.clone()).collect())
}

fn trunk(text: &str) -> Result<pb::TrunkLimits, String> {
    let mut parts = text.split(':');
    let trunk = parts.next().unwrap_or_default().to_owned();
    let channels = parts.next().filter(|part| !part.is_empty());
    let rate = parts.next().filter(|part| !part.is_empty());
    if parts.next().is_some() || trunk.is_empty() {
        return Err("must be NAME:CHANNELS or NAME:CHANNELS:RATE".to_owned());
    }
    let max_channels = channels.map(str::parse).transpose().map_err(|_| "CHANNELS must be a whole number")?;
    let calls_per_second = rate.map(str::parse).transpose().map_err(|_| "RATE must be a number")?;
    Ok(pb::TrunkLimits { trunk, max_channels, calls_per_second })
}

/// Lists, shows, changes or tests servers.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let session = args.remote.connect().await?;
    let mut admin = session.admin();
    match args.action {
        Action::List => {
            let answer = admin.list_servers(pb::ListServersRequest {}).await?.into_inner();
            let columns = [
                "code",
                "status",
                "host",
                "port",
                "live_calls",
                "max_channels",
                "calls_per_second",
                "node",
                "asterisk_version",
                "last_error",
            ];
            session.out.list(&answer, &columns)
        }
        Action::Show { code } => {
            session.out.one(&admin.get_server(pb::GetServerRequest { code }).await?.into_inner().server)
        }
        Action::Add { code, settings } => {
            let secret = settings.secret()?;
            let request = pb::CreateServerRequest {
                code,
                host: settings.host.unwrap_or_default(),
                port: settings.port,
                username: settings.username.unwrap_or_default(),
                secret: secret.unwrap_or_default(),
                tls: settings.tls.unwrap_or(false),
                dial_template: settings.dial_template,
                max_channels: settings.max_channels,
                calls_per_second: settings.calls_per_second,
                recording_dirs: settings.recording_dirs,
                trunks: settings.trunks,
                international_prefixes: filled(settings.international_prefixes),
                country_code: settings.country_code,
                national_prefix: settings.national_prefix,
                service_codes: filled(settings.service_codes),
                dial_format: settings.dial_format.map(pb::DialFormat::from).unwrap_or_default().into(),
                max_call_seconds: settings.max_call_seconds,
            };
            session.out.one(&admin.create_server(request).await?.into_inner().server)
        }
        Action::Update { code, settings } => {
            let secret = settings.secret()?;
            let emptied = settings.emptied();
            let mut request = pb::UpdateServerRequest {
                code,
                host: settings.host,
                port: settings.port,
                username: settings.username,
                secret,
                tls: settings.tls,
                dial_template: settings.dial_template,
                max_channels: settings.max_channels,
                calls_per_second: settings.calls_per_second,
                recording_dirs: settings.recording_dirs,
                update_mask: Vec::new(),
                trunks: settings.trunks,
                international_prefixes: filled(settings.international_prefixes),
                country_code: settings.country_code,
                national_prefix: settings.national_prefix,
                service_codes: filled(settings.service_codes),
                dial_format: settings.dial_format.map(|format| pb::DialFormat::from(format).into()),
                max_call_seconds: settings.max_call_seconds,
            };
            if !emptied.is_empty() {
                request.update_mask = changed(&request)?;
                request.update_mask.extend(emptied);
            }
            session.out.one(&admin.update_server(request).await?.into_inner().server)
        }
        Action::Remove { code, cancel_waiting, move_waiting_to } => {
            let target = move_waiting_to.clone().unwrap_or_default();
            let request = pb::DeleteServerRequest { code: code.clone(), cancel_waiting, move_waiting_to };
            let answer = admin.delete_server(request).await?.into_inner();
            let waiting = match (answer.canceled_count, answer.moved_count) {
                (0, 0) => String::new(),
                (canceled, 0) => format!(": {canceled} waiting calls are canceled"),
                (_, moved) => format!(": {moved} waiting calls are moved to {target}"),
            };
            session.out.say(&answer, format_args!("server {code} is removed{waiting}"))
        }
        Action::Test { code } => {
            let answer = admin.test_server(pb::TestServerRequest { code: code.clone() }).await?.into_inner();
            session.out.one(&answer)?;
            if answer.ok {
                Ok(())
            } else {
                Err(Fault::Failed(format!("server {code} cannot be dialed through")).into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trunk_is_a_name_with_one_or_two_limits() {
        let limits = |trunk: &str, max_channels, calls_per_second| pb::TrunkLimits {
            trunk: trunk.to_owned(),
            max_channels,
            calls_per_second,
        };
        assert_eq!(trunk("a:30"), Ok(limits("a", Some(30), None)));
        assert_eq!(trunk("a:30:2.5"), Ok(limits("a", Some(30), Some(2.5))));
        assert_eq!(trunk("a::2"), Ok(limits("a", None, Some(2.0))));
        assert!(trunk(":30").is_err() && trunk("a:b").is_err() && trunk("a:1:2:3").is_err());
    }

    #[test]
    fn a_list_that_is_emptied_is_named_with_the_other_changes() {
        let request = pb::UpdateServerRequest {
            code: "a".to_owned(),
            tls: Some(false),
            national_prefix: Some(String::new()),
            international_prefixes: vec!["00".to_owned()],
            ..Default::default()
        };
        let mut names = changed(&request).unwrap();
        names.sort_unstable();
        assert_eq!(names, ["international_prefixes", "national_prefix", "tls"]);
    }
}
