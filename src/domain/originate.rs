//! The Originate of a call, as it is stored from the insert of the call to its last attempt.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::labels::Labels;
use super::number::{self, Written};
use super::retry::RetryRule;

/// What Asterisk runs when the A leg answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A dialplan application is run.
    Application {
        /// The name of the application, such as `Dial`.
        name: String,
        /// The arguments of the application, separated by commas.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        data: String,
    },
    /// The dialplan is run from a priority of an extension.
    Extension {
        /// The name of the dialplan context.
        context: String,
        /// The extension in the context.
        exten: String,
        /// The priority of the extension: a number from 1, or a label.
        priority: String,
    },
}

/// How a call is recorded with MixMonitor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// The absolute path of the recording on the Asterisk server.
    pub path: String,
    /// The options of MixMonitor, such as `b`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<String>,
    /// A command that Asterisk runs when the recording ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// The Originate of one call, without the ids that each attempt adds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OriginateSpec {
    /// The dial string of the A leg, such as `PJSIP/1234567890@endpoint1`.
    pub channel: String,
    /// What Asterisk runs when the A leg answers.
    pub target: Target,
    /// The caller id that is sent to Asterisk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_id: Option<String>,
    /// The account code of the call's CDRs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// How long the A leg may ring, in milliseconds.
    pub timeout_ms: u32,
    /// True if the target begins on early media, before the answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub early_media: bool,
    /// The codecs of the A leg, separated by commas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codecs: Option<String>,
    /// The channel id that the client chose for the A leg.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_id: Option<String>,
    /// The channel id that the client chose for the second half of a Local channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_channel_id: Option<String>,
    /// The channel variables that the Originate sets, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// How the call is recorded; None if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<Recording>,
    /// The IANA name of the called person's time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// The retry rules of the call's own item, which override those of its queue.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retry_rules: Vec<RetryRule>,
    /// The number of the person called as it was written, if an integer cannot hold its prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// The client's own labels, which are channel variables too.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
}

impl OriginateSpec {
    /// Makes the Originate of a channel that sets nothing but what runs when it answers.
    #[must_use]
    pub const fn new(channel: String, target: Target) -> Self {
        Self {
            channel,
            target,
            caller_id: None,
            account: None,
            timeout_ms: DEFAULT_TIMEOUT_MS,
            early_media: false,
            codecs: None,
            channel_id: None,
            other_channel_id: None,
            variables: BTreeMap::new(),
            recording: None,
            time_zone: None,
            retry_rules: Vec::new(),
            contact: None,
            labels: Labels::new(),
        }
    }

    /// Returns the number of the person that the call is for, which is `integer` if it was not written in another way.
    #[must_use]
    pub fn contact(&self, integer: Option<i64>) -> Option<Written> {
        let written = self.contact.as_deref().and_then(|text| number::read_field(text).ok());
        written.or_else(|| integer.map(Written::of_integer))
    }
}

/// How long the A leg may ring if the item does not say, in milliseconds. It is Asterisk's own default for Originate.
pub const DEFAULT_TIMEOUT_MS: u32 = 30_000;
