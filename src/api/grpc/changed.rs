//! What a change did, for the audit: the changed fields of an object before and after, without secrets and of bounded
//! length.

use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::api::Error;
use crate::api::rest::Answer;
use crate::webhooks::target::WithoutTokens;

/// The longest JSON text that is stored of a request, or of an object before or after a change, in bytes.
const MAX_BYTES: usize = 16 * 1024;

/// The longest field that is kept as it is in a text that is too long, in bytes.
const KEPT_BYTES: usize = 128;

/// The fields whose values must not be stored in the audit log.
const SECRET: [&str; 2] = ["secret", "api_key"];

/// The field that may contain a token, of which only the scheme and the host are stored.
const URL: &str = "url";

/// The fields that change by themselves, and that no administrator changes.
const VOLATILE: [&str; 14] = [
    "asterisk_version",
    "dead_letters",
    "delivered_at",
    "delivered_seq",
    "failing_since",
    "failures",
    "last_error",
    "last_used_at",
    "live_calls",
    "node",
    "seen_at",
    "status",
    "updated_at",
    "warnings",
];

/// The changed fields of an object before and after a change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changed {
    before: Option<Map<String, Value>>,
    after: Option<Map<String, Value>>,
}

impl Changed {
    /// Describes an object that was created.
    ///
    /// # Errors
    /// Returns an internal error if the object cannot be written as JSON.
    pub fn created(after: &impl Serialize) -> Result<Self, Error> {
        Ok(Self { before: None, after: Some(fields(after)?) })
    }

    /// Describes an object that was deleted.
    ///
    /// # Errors
    /// Returns an internal error if the object cannot be written as JSON.
    pub fn deleted(before: &impl Serialize) -> Result<Self, Error> {
        Ok(Self { before: Some(fields(before)?), after: None })
    }

    /// Describes an object that was changed: only the fields that differ are kept.
    ///
    /// # Errors
    /// Returns an internal error if one of them cannot be written as JSON.
    pub fn from_to(before: &impl Serialize, after: &impl Serialize) -> Result<Self, Error> {
        let (mut before, mut after) = (fields(before)?, fields(after)?);
        let same: Vec<String> = before
            .iter()
            .filter(|(name, value)| after.get(*name) == Some(value))
            .map(|(name, _)| name.clone())
            .collect();
        for name in same {
            before.remove(&name);
            after.remove(&name);
        }
        Ok(Self { before: Some(before), after: Some(after) })
    }

    /// Adds that the secret was replaced, if it was; neither secret is stored.
    #[must_use]
    pub fn with_secret_replaced(mut self, replaced: bool) -> Self {
        if let Some(after) = self.after.as_mut().filter(|_| replaced) {
            after.insert("secret".to_owned(), "replaced".into());
        }
        self
    }

    /// Adds how many waiting calls of a removed server were canceled and moved, if any were.
    #[must_use]
    pub fn with_counts(mut self, canceled: i64, moved: i64) -> Self {
        if canceled + moved > 0 {
            let after = self.after.get_or_insert_default();
            after.insert("canceled_count".to_owned(), canceled.into());
            after.insert("moved_count".to_owned(), moved.into());
        }
        self
    }

    /// Returns the fields before and after the change, as they are stored.
    #[must_use]
    pub fn texts(self) -> (Option<String>, Option<String>) {
        (self.before.map(bounded), self.after.map(bounded))
    }
}

/// Returns a request as JSON, without secrets and without empty lists, as it is stored.
///
/// # Errors
/// Returns an internal error if the request cannot be written as JSON.
pub fn detail(request: &impl Serialize) -> Result<String, Error> {
    let Value::Object(mut fields) = serde_json::to_value(request).map_err(Error::internal)? else {
        return Ok("{}".to_owned());
    };
    fields.retain(|_, value| !value.as_array().is_some_and(Vec::is_empty));
    hide_secrets(&mut fields);
    Ok(bounded(fields))
}

/// Returns the fields of an object that an administrator may change, without secrets.
fn fields(object: &impl Serialize) -> Result<Map<String, Value>, Error> {
    let Value::Object(mut fields) = serde_json::to_value(Answer(object)).map_err(Error::internal)? else {
        return Ok(Map::new());
    };
    hide_secrets(&mut fields);
    fields.retain(|name, _| !VOLATILE.contains(&name.as_str()));
    Ok(fields)
}

fn hide_secrets(fields: &mut Map<String, Value>) {
    fields.retain(|name, _| !SECRET.contains(&name.as_str()));
    if let Some(Value::String(url)) = fields.get_mut(URL) {
        *url = WithoutTokens(url).to_string();
    }
}

/// Writes the fields as JSON. If it is too long, the longest fields are replaced by their length and their hash.
fn bounded(mut fields: Map<String, Value>) -> String {
    let text = Value::Object(fields.clone()).to_string();
    if text.len() <= MAX_BYTES {
        return text;
    }
    let mut sizes: Vec<(usize, String)> =
        fields.iter().map(|(name, value)| (value.to_string().len(), name.clone())).collect();
    sizes.sort_unstable();
    let mut length = text.len();
    while length > MAX_BYTES
        && let Some((size, name)) = sizes.pop()
        && size > KEPT_BYTES
    {
        if let Some(value) = fields.get_mut(&name) {
            *value = omitted(&value.to_string());
            length = length - size + value.to_string().len();
        }
    }
    if length <= MAX_BYTES { Value::Object(fields).to_string() } else { omitted(&text).to_string() }
}

fn omitted(text: &str) -> Value {
    let hash: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "omitted_bytes": text.len(), "sha256": hash })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb;

    #[test]
    fn a_secret_is_never_noted() {
        let request = pb::CreateServerRequest {
            code: "server1".into(),
            secret: "s3cret".into(),
            recording_dirs: vec!["/recordings".into()],
            ..pb::CreateServerRequest::default()
        };
        let noted = detail(&request).unwrap();
        assert!(!noted.contains("s3cret") && noted.contains("/recordings") && !noted.contains("trunks"), "{noted}");
        let update = pb::UpdateServerRequest { secret: Some("s3cret".into()), ..pb::UpdateServerRequest::default() };
        assert!(!detail(&update).unwrap().contains("s3cret"));
        let url = "https://user:s3cret@crm.example:8443/s3cret?token=s3cret".to_owned();
        let webhook = pb::Webhook { url, secret: Some("s3cret".into()), ..pb::Webhook::default() };
        let (_, after) = Changed::created(&webhook).unwrap().texts();
        let after = after.unwrap();
        assert!(!after.contains("s3cret") && after.contains("https://crm.example:8443/…"), "{after}");
    }

    #[test]
    fn only_the_fields_that_differ_are_kept() {
        let client = |name: &str, servers: &[&str]| pb::Client {
            name: name.into(),
            account_code: "a".into(),
            servers: servers.iter().map(|&code| code.into()).collect(),
            ..pb::Client::default()
        };
        let (before, after) = Changed::from_to(&client("a", &["s"]), &client("b", &["s"])).unwrap().texts();
        assert_eq!((before.as_deref(), after.as_deref()), (Some(r#"{"name":"a"}"#), Some(r#"{"name":"b"}"#)));
        let server = |status: i32| pb::Server { status, live_calls: status, ..pb::Server::default() };
        let (before, after) = Changed::from_to(&server(1), &server(2)).unwrap().with_secret_replaced(true).texts();
        assert_eq!((before.as_deref(), after.as_deref()), (Some("{}"), Some(r#"{"secret":"replaced"}"#)));
    }

    #[test]
    fn a_long_text_is_cut_at_its_longest_fields() {
        let mut long = Map::new();
        long.insert("name".to_owned(), "acme".into());
        long.insert("numbers".to_owned(), vec!["4930123401"; 5000].into());
        let text = bounded(long);
        assert!(
            text.len() <= MAX_BYTES && text.starts_with(r#"{"name":"acme","numbers":{"omitted_bytes":65001,"#),
            "{text}"
        );
        let many: Map<String, Value> = (0..5000).map(|n| (n.to_string(), n.into())).collect();
        let text = bounded(many);
        assert!(text.len() <= MAX_BYTES && text.starts_with(r#"{"omitted_bytes":"#), "{text}");
    }
}
