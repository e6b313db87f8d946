//! What is asked of Asterisk for one call, as it is kept from the insert to the last try.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::number;
use super::retry::RetryRule;

/// What runs when the A leg answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A dialplan application.
    Application {
        /// As `Dial`.
        name: String,
        /// Its arguments.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        data: String,
    },
    /// A place in the dialplan.
    Extension {
        /// The dialplan context.
        context: String,
        /// The extension in it.
        exten: String,
        /// A number from 1, or a label.
        priority: String,
    },
}

/// Where a call is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// An absolute path on the Asterisk server.
    pub path: String,
    /// MixMonitor's options, as `b`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<String>,
    /// A command that Asterisk runs when the recording ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// One call's Originate, without what each attempt adds (its ids).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OriginateSpec {
    /// What is dialed first.
    pub channel: String,
    /// What runs on the answer.
    pub target: Target,
    /// The caller id on the wire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_id: Option<String>,
    /// The account code of the call records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// How long it may ring, in milliseconds.
    pub timeout_ms: u32,
    /// Start the target on early media.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub early_media: bool,
    /// Codecs, comma-separated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codecs: Option<String>,
    /// The client's own channel id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_id: Option<String>,
    /// The client's own id for a Local channel's second half.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_channel_id: Option<String>,
    /// Channel variables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// Where it is recorded, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<Recording>,
    /// The time zone of the person called, an IANA name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// The item's own rules for further tries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retry_rules: Vec<RetryRule>,
}

impl OriginateSpec {
    /// The answer is connected to a second leg that `Dial` calls.
    #[must_use]
    pub fn dials(&self) -> bool {
        matches!(&self.target, Target::Application { name, .. } if name.eq_ignore_ascii_case("Dial"))
    }

    /// The digits of every number that it would call: of the person it is for, of the A leg, and of the second.
    #[must_use]
    pub fn reaches(&self, contact: Option<i64>) -> Vec<String> {
        let contact = contact.map(|number| number.to_string());
        contact.into_iter().chain(number::called(&self.channel)).chain(self.second_leg()).collect()
    }

    /// The digits of the numbers that follow on the answer: those that `Dial` calls, or the extension, which is what the
    /// dialplan will call in all likelihood.
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

/// How long the far end may ring where nobody said otherwise: Asterisk's own default for Originate.
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
