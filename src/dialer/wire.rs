//! From a stored call to the Originate that is sent to Asterisk.

use std::time::Duration;

use crate::ami::{HeaderValue, InvalidValue, Originate, Target, Variable};
use crate::domain::originate::{self, OriginateSpec};
use crate::store::calls::Call;

/// Makes the Originate of a call's next attempt. Everything was checked when the call was stored, so an error is a row
/// that another version wrote.
pub fn originate(call: &Call, spec: &OriginateSpec, channel_id: &str) -> Result<Originate, InvalidValue> {
    let some = |text: &Option<String>| text.as_deref().map(HeaderValue::try_from).transpose();
    Ok(Originate {
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
    })
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

/// Returns the client's own variables, and those that tell the dialplan which call this is. The legs that the call
/// makes inherit the latter (`__`).
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
    for (name, value) in &spec.variables {
        variables.push(Variable::new(name, value)?);
    }
    Ok(variables)
}
