//! The mask of a change: if the body has none, it is the list of the fields that the body names.

use std::collections::BTreeMap;

use prost_reflect::{Kind, MessageDescriptor};
use serde_json::Value;

use crate::api::Error;
use crate::api::rest::json_form::json_field;
use crate::api::rest::params::{Params, UPDATE_MASK};

/// Returns the names of the fields in `body`, sorted, if the message takes a mask and the body has none. So an empty
/// list in a body empties the stored list. A field that is `null` counts as absent, unless the message has the option
/// `null_resets`.
///
/// Returns None also for a body that cannot be read; the error is found when the body is parsed.
///
/// # Errors
/// Fails if the body has an empty mask.
pub fn of(input: &MessageDescriptor, body: &[u8]) -> Result<Option<Vec<String>>, Error> {
    if !takes_one(input) {
        return Ok(None);
    }
    let Ok(mut fields) = serde_json::from_slice::<BTreeMap<String, Value>>(body) else { return Ok(None) };
    let resets = null_resets(input);
    fields.retain(|name, value| !value.is_null() || (resets && name != UPDATE_MASK));
    match fields.get(UPDATE_MASK) {
        None => Ok(Some(fields.into_keys().collect())),
        Some(own) if own.as_array().is_some_and(Vec::is_empty) => {
            Err(Error::invalid(UPDATE_MASK, "must not be empty; leave it out to change the fields that the body names"))
        }
        Some(_) => Ok(None),
    }
}

/// Returns `body` without those `null` fields that are set in another way: by a mask, or in the path or query. None if it
/// has no such field. Else a field would be given twice.
pub fn without_null(input: &MessageDescriptor, params: &Params, body: &[u8]) -> Option<Vec<u8>> {
    let takes_mask = takes_one(input);
    if !takes_mask && params.is_empty() {
        return None;
    }
    let set_elsewhere = |name: &str| {
        let by_params = || json_field(input, name).is_some_and(|field| params.set(field.json_name()));
        (takes_mask && name == UPDATE_MASK) || by_params()
    };
    let mut fields: serde_json::Map<String, Value> = serde_json::from_slice(body).ok()?;
    let all = fields.len();
    fields.retain(|name, value| !(value.is_null() && set_elsewhere(name)));
    if fields.len() == all { None } else { serde_json::to_vec(&fields).ok() }
}

fn null_resets(input: &MessageDescriptor) -> bool {
    let option = input.parent_pool().get_extension_by_name("trunkline.v1.null_resets");
    option.is_some_and(|option| *input.options().get_extension(&option) == prost_reflect::Value::Bool(true))
}

fn takes_one(input: &MessageDescriptor) -> bool {
    input.get_field_by_name(UPDATE_MASK).is_some_and(|field| field.is_list() && field.kind() == Kind::String)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb::DESCRIPTORS;

    fn mask(message: &str, body: &str) -> Option<Vec<String>> {
        of(&DESCRIPTORS.get_message_by_name(message).unwrap(), body.as_bytes()).unwrap()
    }

    #[test]
    fn the_mask_is_what_the_body_names() {
        let named = mask("trunkline.v1.UpdateClientRequest", r#"{"servers": [], "limits": {}, "policy": null}"#);
        assert_eq!(named, Some(vec!["limits".to_owned(), "servers".to_owned()]));
        assert_eq!(mask("trunkline.v1.UpdateClientRequest", "{}"), Some(Vec::new()));
        let update = DESCRIPTORS.get_message_by_name("trunkline.v1.UpdateClientRequest").unwrap();
        let none = Params::default();
        let spare = without_null(&update, &none, br#"{"update_mask": null, "name": "x"}"#);
        assert_eq!(spare.as_deref(), Some(br#"{"name":"x"}"#.as_slice()));
        assert_eq!(without_null(&update, &none, br#"{"name": "x"}"#), None);
    }

    #[test]
    fn a_null_is_named_where_it_resets_the_field() {
        let named = mask("trunkline.v1.SetQueueRulesRequest", r#"{"windows": null, "weight": 2, "update_mask": null}"#);
        assert_eq!(named, Some(vec!["weight".to_owned(), "windows".to_owned()]));
    }

    #[test]
    fn a_mask_of_the_body_and_a_message_without_one_are_left_alone() {
        let own = mask("trunkline.v1.UpdateClientRequest", r#"{"update_mask": ["servers"]}"#);
        assert_eq!(own, None);
        let update = DESCRIPTORS.get_message_by_name("trunkline.v1.UpdateClientRequest").unwrap();
        assert!(of(&update, br#"{"update_mask": [], "servers": []}"#).is_err());
        assert_eq!(mask("trunkline.v1.CreateClientRequest", r#"{"servers": []}"#), None);
        assert_eq!(mask("trunkline.v1.UpdateClientRequest", "[]"), None);
    }
}
