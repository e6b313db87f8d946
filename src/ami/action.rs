//! The actions that we send to Asterisk. Every value is a [`HeaderValue`], so no text from a client can add a header.

use std::time::Duration;

use bytes::{BufMut, BytesMut};

use super::value::{HeaderValue, InvalidValue, MAX_HEADERS, Secret, Variable};

/// An AMI action. It is sent with an ActionID, which Asterisk repeats in its answer.
#[derive(Clone, Debug)]
pub enum Action {
    /// Logs in. `events` is the mask of event classes, such as `call,user`.
    Login { username: HeaderValue, secret: Secret, events: HeaderValue },
    /// Ends the session at our request.
    Logoff,
    /// Checks that Asterisk still answers.
    Ping,
    /// Places a call. It is always asynchronous: Asterisk would otherwise block every other action until it answers.
    Originate(Box<Originate>),
    /// Hangs up one channel.
    Hangup { channel: HeaderValue, cause: u8 },
    /// Lists all live channels.
    CoreShowChannels,
    /// Asks for Asterisk's version.
    CoreSettings,
    /// Lists the actions that the manager user is allowed to use.
    ListCommands,
    /// Reads one section of a configuration file. It needs the write permission `system` or `config`.
    GetConfig { file: HeaderValue, category: HeaderValue },
    /// Lists the endpoints of `chan_pjsip`. It needs the write permission `system`, as [`Self::ShowEndpoint`] does.
    ShowEndpoints,
    /// Lists the settings of one endpoint of `chan_pjsip`.
    ShowEndpoint { endpoint: HeaderValue },
    /// Lists what a dialplan context does. It needs the write permission `reporting` or `config`.
    ShowDialPlan { context: HeaderValue },
    /// Records a channel to a file.
    MixMonitor { channel: HeaderValue, file: HeaderValue, options: Option<HeaderValue>, command: Option<HeaderValue> },
    /// Adds an event filter: only events that match one of the session's filters are sent, and none that match a filter
    /// with a leading `!`. It needs the write permission `system`.
    AddFilter { filter: HeaderValue },
}

/// What Asterisk runs when the A leg answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Runs a dialplan application with its data.
    Application { name: HeaderValue, data: HeaderValue },
    /// Continues at a place in the dialplan.
    Extension { context: HeaderValue, exten: HeaderValue, priority: HeaderValue },
}

/// The fields of an Originate action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Originate {
    /// The dial string, such as `PJSIP/123@trunk`.
    pub channel: HeaderValue,
    /// It becomes the A leg's Uniqueid and Linkedid.
    pub channel_id: HeaderValue,
    /// It becomes the Uniqueid of a Local channel's second half.
    pub other_channel_id: Option<HeaderValue>,
    /// What runs when the A leg answers.
    pub target: Target,
    /// How long the A leg may ring.
    pub timeout: Duration,
    /// The caller id that is shown to the called party.
    pub caller_id: Option<HeaderValue>,
    /// The account code in the CDRs.
    pub account: Option<HeaderValue>,
    /// Runs the target as soon as there is early media.
    pub early_media: bool,
    /// The allowed codecs, separated by commas.
    pub codecs: Option<HeaderValue>,
    /// The channel variables to set.
    pub variables: Vec<Variable>,
}

impl Action {
    /// Appends the action with its ActionID to `out`, in the form in which it is sent.
    pub fn encode(&self, action_id: &HeaderValue, out: &mut BytesMut) {
        let mut put = |name: &str, value: &str| {
            out.reserve(name.len() + value.len() + 4);
            out.put_slice(name.as_bytes());
            out.put_slice(b": ");
            out.put_slice(value.as_bytes());
            out.put_slice(b"\r\n");
        };
        put("Action", self.name());
        put("ActionID", action_id.as_str());
        match self {
            Self::Logoff
            | Self::Ping
            | Self::CoreShowChannels
            | Self::CoreSettings
            | Self::ListCommands
            | Self::ShowEndpoints => {}
            Self::ShowEndpoint { endpoint } => put("Endpoint", endpoint.as_str()),
            Self::ShowDialPlan { context } => put("Context", context.as_str()),
            Self::GetConfig { file, category } => {
                put("Filename", file.as_str());
                put("Category", category.as_str());
            }
            Self::Login { username, secret, events } => {
                put("Username", username.as_str());
                put("Secret", secret.expose());
                put("Events", events.as_str());
            }
            Self::Originate(originate) => originate.encode(&mut put),
            Self::Hangup { channel, cause } => {
                put("Channel", channel.as_str());
                put("Cause", &cause.to_string());
            }
            Self::MixMonitor { channel, file, options, command } => {
                put("Channel", channel.as_str());
                put("File", file.as_str());
                put_some(&mut put, "Options", options.as_ref());
                put_some(&mut put, "Command", command.as_ref());
            }
            Self::AddFilter { filter } => {
                put("Operation", "Add");
                put("Filter", filter.as_str());
            }
        }
        out.put_slice(b"\r\n");
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Login { .. } => "Login",
            Self::Logoff => "Logoff",
            Self::Ping => "Ping",
            Self::Originate(_) => "Originate",
            Self::Hangup { .. } => "Hangup",
            Self::CoreShowChannels => "CoreShowChannels",
            Self::CoreSettings => "CoreSettings",
            Self::ListCommands => "ListCommands",
            Self::GetConfig { .. } => "GetConfig",
            Self::ShowEndpoints => "PJSIPShowEndpoints",
            Self::ShowEndpoint { .. } => "PJSIPShowEndpoint",
            Self::ShowDialPlan { .. } => "ShowDialPlan",
            Self::MixMonitor { .. } => "MixMonitor",
            Self::AddFilter { .. } => "Filter",
        }
    }
}

impl Originate {
    /// Fails if the action has more header lines than Asterisk accepts, those of its name and its ActionID included.
    ///
    /// # Errors
    /// Returns [`InvalidValue::TooManyHeaders`].
    pub fn check_headers(&self) -> Result<(), InvalidValue> {
        let mut headers = 2;
        self.encode(&mut |_: &str, _: &str| headers += 1);
        if headers > MAX_HEADERS { Err(InvalidValue::TooManyHeaders(headers)) } else { Ok(()) }
    }

    fn encode(&self, put: &mut impl FnMut(&str, &str)) {
        put("Channel", self.channel.as_str());
        put("ChannelId", self.channel_id.as_str());
        put_some(put, "OtherChannelId", self.other_channel_id.as_ref());
        put("Async", "true");
        put("Timeout", &self.timeout.as_millis().to_string());
        match &self.target {
            Target::Application { name, data } => {
                put("Application", name.as_str());
                put("Data", data.as_str());
            }
            Target::Extension { context, exten, priority } => {
                put("Context", context.as_str());
                put("Exten", exten.as_str());
                put("Priority", priority.as_str());
            }
        }
        put_some(put, "CallerID", self.caller_id.as_ref());
        put_some(put, "Account", self.account.as_ref());
        if self.early_media {
            put("EarlyMedia", "true");
        }
        put_some(put, "Codecs", self.codecs.as_ref());
        for variable in &self.variables {
            put("Variable", variable.header().as_str());
        }
    }
}

fn put_some(put: &mut impl FnMut(&str, &str), name: &str, value: Option<&HeaderValue>) {
    if let Some(value) = value {
        put(name, value.as_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> HeaderValue {
        text.try_into().unwrap()
    }

    #[test]
    fn an_originate_goes_out_as_the_traces_show() {
        let originate = Originate {
            channel: value("Local/100@answer/n"),
            channel_id: value("cid-a1"),
            other_channel_id: None,
            target: Target::Application { name: value("Wait"), data: value("1") },
            timeout: Duration::from_secs(4),
            caller_id: Some(value("\"Your Company\" <1001>")),
            account: Some(value("acme")),
            early_media: false,
            codecs: None,
            variables: vec![Variable::new("DID", "+1234567890").unwrap()],
        };
        let mut out = BytesMut::new();
        Action::Originate(Box::new(originate)).encode(&value("a1"), &mut out);
        assert_eq!(
            std::str::from_utf8(&out).unwrap(),
            "Action: Originate\r\nActionID: a1\r\nChannel: Local/100@answer/n\r\nChannelId: cid-a1\r\nAsync: true\r\n\
             Timeout: 4000\r\nApplication: Wait\r\nData: 1\r\nCallerID: \"Your Company\" <1001>\r\nAccount: acme\r\n\
             Variable: DID=+1234567890\r\n\r\n"
        );
    }
}
