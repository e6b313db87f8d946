//! From a stored call to the Originate that is sent to Asterisk.

use std::time::Duration;

use crate::ami::{HeaderValue, InvalidValue, Originate, Target, Variable};
use crate::domain::labels;
use crate::domain::originate::{self, OriginateSpec};
use crate::store::calls::Call;

/// Makes the Originate of a call's next attempt. Everything was checked when the call was stored, so an error is a row
/// that another version wrote.
pub fn originate(call: &Call, spec: &OriginateSpec, channel_id: &str) -> Result<Originate, InvalidValue> {
    let some = |text: &Option<String>| text.as_deref().map(HeaderValue::try_from).transpose();
    let originate = Originate {
        channel: spec.channel.as_str().try_into()?,
        channel_id: channel_id.try_into()?,
        other_channel_id: some(&spec.other_channel_id)?,
        target: target(&spec.target)?,
        timeout: Duration::from_millis(spec.timeout_ms.into()),
        caller_id: some(&spec.caller_id)?,
        account: some(&spec.account)?,
        early_media: spec.early_media,
        codecs: some(&spec.codecs)?,
        variables: variables(call, spec)?,
    };
    originate.check_headers()?;
    Ok(originate)
}

fn target(target: &originate::Target) -> Result<Target, InvalidValue> {
    Ok(match target {
        originate::Target::Application { name, data } => {
            Target::Application { name: name.as_str().try_into()?, data: data.as_str().try_into()? }
        }
        originate::Target::Extension { context, exten, priority } => Target::Extension {
            context: context.as_str().try_into()?,
            exten: exten.as_str().try_into()?,
            priority: priority.as_str().try_into()?,
        },
    })
}

/// Returns the client's own variables, and those that tell the dialplan which call this is and which labels it has. The
/// legs that the call makes inherit the latter (`__`).
fn variables(call: &Call, spec: &OriginateSpec) -> Result<Vec<Variable>, InvalidValue> {
    let mut variables = vec![
        Variable::new("__TRUNKLINE_CALL_ID", &call.id.0.to_string())?,
        Variable::new("__TRUNKLINE_QUEUE_ID", &call.queue_id.to_string())?,
    ];
    if let Some(action_id) = &call.action_id {
        variables.push(Variable::new("__TRUNKLINE_ACTION_ID", action_id)?);
    }
    if let Some(did) = &call.did {
        variables.push(Variable::new("__DID", did)?);
    }
    for (key, value) in &spec.labels {
        let name = labels::variable(key);
        // What the client sets itself was set before there were labels.
        if !spec.variables.keys().any(|own| own.trim_start_matches('_') == name) {
            variables.push(Variable::new(&format!("__{name}"), value)?);
        }
    }
    for (name, value) in &spec.variables {
        variables.push(Variable::new(name, value)?);
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ami::{Action, MAX_HEADERS};
    use crate::dialer::fixtures;
    use crate::domain::variables::MAX_VARIABLES;

    /// Makes an Originate with every line that there can be and `count` variables of the client.
    fn fullest(count: usize) -> Result<Originate, InvalidValue> {
        let ready = fixtures::ready(1, "PJSIP/1@endpoint1");
        let text = || Some("1".to_owned());
        let call = Call { action_id: text(), did: text(), ..ready.call };
        let (context, exten, priority) = ("c".to_owned(), "1".to_owned(), "1".to_owned());
        let spec = OriginateSpec {
            target: originate::Target::Extension { context, exten, priority },
            caller_id: text(),
            account: text(),
            early_media: true,
            codecs: text(),
            other_channel_id: text(),
            variables: (0..count).map(|index| (format!("V{index}"), "1".to_owned())).collect(),
            ..ready.spec
        };
        super::originate(&call, &spec, "tl-1")
    }

    #[test]
    fn a_label_is_a_variable_that_legs_inherit_unless_the_client_sets_the_variable_itself() {
        let ready = fixtures::ready(1, "PJSIP/1@endpoint1");
        let labels = [("team.eu", "a"), ("tier", "1"), ("own", "2")];
        let spec = OriginateSpec {
            labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            variables: [("_LABEL_OWN".to_owned(), "3".to_owned())].into(),
            ..ready.spec
        };
        let originate = super::originate(&ready.call, &spec, "tl-1").unwrap();
        let mut out = bytes::BytesMut::new();
        Action::Originate(Box::new(originate)).encode(&"1".try_into().unwrap(), &mut out);
        let text = std::str::from_utf8(&out).unwrap();
        let of_labels: Vec<&str> = text.lines().filter(|line| line.contains("LABEL_")).collect();
        assert_eq!(of_labels, ["Variable: __LABEL_TEAM_EU=a", "Variable: __LABEL_TIER=1", "Variable: _LABEL_OWN=3"]);
    }

    #[test]
    fn asterisk_accepts_as_many_lines_as_an_originate_can_have() {
        let originate = fullest(MAX_VARIABLES).expect("an Originate with all variables that are allowed");
        let mut out = bytes::BytesMut::new();
        Action::Originate(Box::new(originate)).encode(&"1".try_into().unwrap(), &mut out);
        let lines = std::str::from_utf8(&out).unwrap().lines().filter(|line| !line.is_empty()).count();
        assert!(lines <= MAX_HEADERS, "{lines} lines");
        let too_many = MAX_HEADERS - (lines - MAX_VARIABLES) + 1;
        assert!(fullest(too_many - 1).is_ok(), "128 lines are accepted");
        assert_eq!(fullest(too_many).unwrap_err(), InvalidValue::TooManyHeaders(129));
    }
}
