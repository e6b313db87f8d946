//! What Asterisk is asked to do for one call, as it is kept from the insert to the last attempt.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::number;
use super::retry::RetryRule;

/// What runs when the A leg answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// An application of the dialplan.
    Application {
        /// The application's name, for example `Dial`.
        name: String,
        /// The arguments of the application.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        data: String,
    },
    /// A place in the dialplan.
    Extension {
        /// The context of the dialplan.
        context: String,
        /// The extension in the context.
        exten: String,
        /// The priority: a number from 1, or a label.
        priority: String,
    },
}

/// How a call is recorded, and where to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// The file, as an absolute path on the Asterisk server.
    pub path: String,
    /// MixMonitor's options, for example `b`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<String>,
    /// A command that Asterisk runs when the recording ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// The Originate of one call, without the ids that each attempt adds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OriginateSpec {
    /// The dial string of the A leg.
    pub channel: String,
    /// What runs when the A leg answers.
    pub target: Target,
    /// The caller id that is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_id: Option<String>,
    /// The account code of the call's CDRs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// How long the A leg may ring, in milliseconds.
    pub timeout_ms: u32,
    /// True to start the target on early media.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub early_media: bool,
    /// The allowed codecs, separated by commas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codecs: Option<String>,
    /// The channel id that the client gave the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_id: Option<String>,
    /// The id that the client gave the second half of a Local channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_channel_id: Option<String>,
    /// The channel variables to set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// How the call is recorded, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<Recording>,
    /// The time zone of the person called, as an IANA name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// The item's own retry rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retry_rules: Vec<RetryRule>,
}

impl OriginateSpec {
    /// Returns true if the answered A leg is connected to a second leg that `Dial` calls.
    #[must_use]
    pub fn dials(&self) -> bool {
        matches!(&self.target, Target::Application { name, .. } if name.eq_ignore_ascii_case("Dial"))
    }

    /// Returns the digits of every number that the call would reach: of the contact number, of the A leg, and of the
    /// second leg.
    #[must_use]
    pub fn reaches(&self, contact: Option<i64>) -> Vec<String> {
        let contact = contact.map(|number| number.to_string());
        contact.into_iter().chain(number::called(&self.channel)).chain(self.second_leg()).collect()
    }

    /// Returns the digits of the numbers that are called after the answer: those that `Dial` calls, or the extension,
    /// which the dialplan is likely to call.
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

/// How long the A leg may ring by default: Asterisk's own default for Originate.
pub const DEFAULT_TIMEOUT_MS: u32 = 30_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_reaches_the_numbers_of_both_legs_and_of_its_person() {
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
