//! Which fields a change means, where the body does not say: those that it names.

use std::collections::BTreeMap;

use prost_reflect::{Kind, MessageDescriptor};
use serde_json::Value;

use crate::api::Error;

/// The field of a request that names the fields to change.
pub const UPDATE_MASK: &str = "update_mask";

/// The names that stand in `body`, sorted, for a message that takes a mask and a body that brings none. So an empty list in
/// a body empties what is stored. `null` is as good as absent, here as everywhere.
///
/// None also for a body that cannot be read: whoever reads it in earnest says why.
///
/// # Errors
/// For a mask that names nothing.
pub fn of(input: &MessageDescriptor, body: &[u8]) -> Result<Option<Vec<String>>, Error> {
    if !takes_one(input) {
        return Ok(None);
    }
    let Ok(mut fields) = serde_json::from_slice::<BTreeMap<String, Value>>(body) else { return Ok(None) };
    fields.retain(|_, value| !value.is_null());
    match fields.get(UPDATE_MASK) {
        None => Ok(Some(fields.into_keys().collect())),
        Some(own) if own.as_array().is_some_and(Vec::is_empty) => Err(Error::invalid(UPDATE_MASK, "must not be empty")),
        Some(_) => Ok(None),
    }
}

/// `body` without a mask that is `null`, where it holds one: what stands in its place is not to be given twice.
pub fn without_null(input: &MessageDescriptor, body: &[u8]) -> Option<Vec<u8>> {
    if !takes_one(input) {
        return None;
    }
    let mut fields: serde_json::Map<String, Value> = serde_json::from_slice(body).ok()?;
    fields.get(UPDATE_MASK).filter(|mask| mask.is_null())?;
    fields.remove(UPDATE_MASK);
    serde_json::to_vec(&fields).ok()
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
        let spare = without_null(&update, br#"{"update_mask": null, "name": "x"}"#);
        assert_eq!(spare.as_deref(), Some(br#"{"name":"x"}"#.as_slice()));
        assert_eq!(without_null(&update, br#"{"name": "x"}"#), None);
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
