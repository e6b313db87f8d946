//! The Originate of a call, as it is stored from the insert of the call to its last attempt.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::number;
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
}

impl OriginateSpec {
    /// Returns true if the answered A leg is connected to a second leg, which `Dial` calls.
    #[must_use]
    pub fn dials(&self) -> bool {
        matches!(&self.target, Target::Application { name, .. } if name.eq_ignore_ascii_case("Dial"))
    }

    /// Returns the digits of every number that the call may reach: of `contact`, the number of the person that the call
    /// is for, of the A leg, and of the second leg.
    #[must_use]
    pub fn reaches(&self, contact: Option<i64>) -> Vec<String> {
        let contact = contact.map(|number| number.to_string());
        contact.into_iter().chain(number::called(&self.channel)).chain(self.second_leg()).collect()
    }

    /// Returns the digits of the numbers that are called after the answer: those that `Dial` calls, or the extension,
    /// which the dialplan most likely calls.
    #[must_use]
    pub fn second_leg(&self) -> Vec<String> {
        match &self.target {
            Target::Application { data, .. } if self.dials() => {
                let channels = data.split(',').next().unwrap_or_default();
                channels.split('&').filter_map(number::called).collect()
            }
            Target::Application { .. } => Vec::new(),
            Target::Extension { exten, .. } => number::only_digits(exten).into_iter().collect(),
        }
    }
}

/// How long the A leg may ring if the item does not say, in milliseconds. It is Asterisk's own default for Originate.
pub const DEFAULT_TIMEOUT_MS: u32 = 30_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_reaches_the_numbers_of_both_legs_and_of_its_contact() {
        let spec = |target: serde_json::Value| -> OriginateSpec {
            let spec = serde_json::json!({ "channel": "PJSIP/+491@trunk", "target": target, "timeout_ms": 1 });
            serde_json::from_value(spec).unwrap()
        };
        let dial = serde_json::json!({ "application": { "name": "dial", "data": "PJSIP/2@a&SIP/a/+3&PJSIP/4,30,t" } });
        assert_eq!(spec(dial).reaches(Some(5)), ["5", "491", "2", "3", "4"]);
        let wait = serde_json::json!({ "application": { "name": "Wait", "data": "PJSIP/2@a" } });
        assert_eq!(spec(wait).reaches(None), ["491"]);
        for (exten, called) in [("+49 6", ["491", "496"].as_slice()), ("s", &["491"])] {
            let there = serde_json::json!({ "extension": { "context": "out", "exten": exten, "priority": "1" } });
            assert_eq!(spec(there).reaches(None), called);
        }
    }
}
