//! Changes to some fields of a client, a server or a queue's rules: the stored state with the requested changes, which is
//! then checked like a new one.
//!
//! A field that the mask names and the request does not set gets its default; a field without a default is then
//! missing. Without a mask, the request changes the fields that it sets.

use super::numbering::dial_format;
use crate::api::{At, Error, Violations};
use crate::pb;
use crate::store::servers::Server;

/// A client in the state that it is to have.
pub struct PatchedClient {
    /// The request that would make a new client of this state.
    pub fields: pb::CreateClientRequest,
    /// True if the client's keys are refused.
    pub disabled: bool,
}

/// A server in the state that it is to have.
pub struct PatchedServer {
    /// The request that would make a new server of this state, without its secret.
    pub fields: pb::CreateServerRequest,
    /// The new secret; None keeps the old one.
    pub secret: Option<String>,
}

/// The fields that a request changes.
pub(super) struct Mask(Vec<&'static str>);

impl Mask {
    /// Reads the mask, else which fields are set; `fields` lists all that can be changed, and whether each is set.
    ///
    /// # Errors
    /// Returns the violations so far if the mask names a field that cannot be changed, or if nothing is to be changed.
    pub(super) fn new(
        mask: &[String],
        fields: &[(&'static str, bool)],
        violations: &mut Violations,
    ) -> Result<Self, Error> {
        let at = At::field("update_mask");
        let mut meant = Vec::new();
        for (index, name) in mask.iter().enumerate() {
            match fields.iter().find(|(known, _)| known == name) {
                Some((known, _)) => meant.push(*known),
                None => violations.invalid(&at.index(index), format_args!("{name} cannot be changed")),
            }
        }
        if mask.is_empty() {
            meant.extend(fields.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| *name));
            if meant.is_empty() {
                let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
                violations.invalid(&At::root(), format_args!("at least one is required of {}", names.join(", ")));
            }
        }
        if meant.is_empty() || meant.len() < mask.len() {
            std::mem::take(violations).finish()?;
        }
        Ok(Self(meant))
    }

    /// Returns true if the request changes the field.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains(&name)
    }

    /// Replaces `old` by `new` if the request changes the field.
    fn put<T>(&self, name: &str, old: &mut T, new: T) {
        if self.0.contains(&name) {
            *old = new;
        }
    }

    /// Replaces a text that has no default; a text that the mask names and the request does not set is missing.
    fn put_text(&self, name: &'static str, old: &mut String, new: Option<String>, violations: &mut Violations) {
        match new {
            Some(new) => self.put(name, old, new),
            None if self.0.contains(&name) => violations.required(&At::field(name)),
            None => {}
        }
    }
}

/// Returns what `current` becomes. `violations` are those of the request's fields.
///
/// # Errors
/// Returns the violations so far if the mask names a field that cannot be changed, or if nothing is to be changed.
pub fn client(
    current: pb::Client,
    request: pb::UpdateClientRequest,
    violations: &mut Violations,
) -> Result<PatchedClient, Error> {
    let mask = Mask::new(
        &request.update_mask,
        &[
            ("name", request.name.is_some()),
            ("account_code", request.account_code.is_some()),
            ("disabled", request.disabled.is_some()),
            ("servers", !request.servers.is_empty()),
            ("limits", request.limits.is_some()),
            ("policy", request.policy.is_some()),
        ],
        violations,
    )?;
    let mut disabled = current.disabled;
    let mut fields = pb::CreateClientRequest {
        name: current.name,
        account_code: current.account_code,
        servers: current.servers,
        limits: current.limits,
        policy: current.policy,
    };
    mask.put_text("name", &mut fields.name, request.name, violations);
    mask.put_text("account_code", &mut fields.account_code, request.account_code, violations);
    mask.put("disabled", &mut disabled, request.disabled.unwrap_or_default());
    mask.put("servers", &mut fields.servers, request.servers);
    mask.put("limits", &mut fields.limits, request.limits);
    mask.put("policy", &mut fields.policy, request.policy);
    Ok(PatchedClient { fields, disabled })
}

/// What is changed of a webhook. None keeps what it has.
pub struct WebhookChange {
    /// The new URL of the receiver.
    pub url: Option<String>,
    /// The new types of events; none stand for all types.
    pub events: Option<Vec<i32>>,
    /// Whether nothing more is posted.
    pub disabled: Option<bool>,
}

/// Returns what a request changes of a webhook. `violations` are those of the request's fields.
///
/// # Errors
/// Returns the violations so far if the mask names a field that cannot be changed, or if nothing is to be changed.
pub fn webhook(request: pb::UpdateWebhookRequest, violations: &mut Violations) -> Result<WebhookChange, Error> {
    let mask = Mask::new(
        &request.update_mask,
        &[
            ("url", request.url.is_some()),
            ("events", !request.events.is_empty()),
            ("disabled", request.disabled.is_some()),
        ],
        violations,
    )?;
    if mask.has("url") && request.url.is_none() {
        violations.required(&At::field("url"));
    }
    Ok(WebhookChange {
        url: request.url.filter(|_| mask.has("url")),
        events: mask.has("events").then_some(request.events),
        disabled: mask.has("disabled").then(|| request.disabled.unwrap_or_default()),
    })
}

/// Returns what `current` becomes. `violations` are those of the request's fields.
///
/// # Errors
/// Returns the violations so far if the mask names a field that cannot be changed, or if nothing is to be changed.
pub fn server(
    current: &Server,
    request: pb::UpdateServerRequest,
    violations: &mut Violations,
) -> Result<PatchedServer, Error> {
    let mask = Mask::new(
        &request.update_mask,
        &[
            ("host", request.host.is_some()),
            ("port", request.port.is_some()),
            ("username", request.username.is_some()),
            ("secret", request.secret.is_some()),
            ("tls", request.tls.is_some()),
            ("dial_template", request.dial_template.is_some()),
            ("max_channels", request.max_channels.is_some()),
            ("calls_per_second", request.calls_per_second.is_some()),
            ("recording_dirs", !request.recording_dirs.is_empty()),
            ("trunks", !request.trunks.is_empty()),
            ("international_prefixes", !request.international_prefixes.is_empty()),
            ("country_code", request.country_code.is_some()),
            ("national_prefix", request.national_prefix.is_some()),
            ("service_codes", !request.service_codes.is_empty()),
            ("dial_format", request.dial_format.is_some()),
            ("max_call_seconds", request.max_call_seconds.is_some()),
        ],
        violations,
    )?;
    let trunks = current.trunks()?.into_iter().map(|limits| pb::TrunkLimits {
        trunk: limits.trunk,
        max_channels: limits.max_channels,
        calls_per_second: limits.calls_per_second,
    });
    let numbering = current.numbering()?;
    let mut fields = pb::CreateServerRequest {
        code: current.code.clone(),
        host: current.host.clone(),
        port: Some(current.port),
        username: current.username.clone(),
        secret: String::new(),
        tls: current.tls,
        dial_template: Some(current.dial_template.clone()),
        max_channels: Some(current.max_channels),
        calls_per_second: Some(current.calls_per_second),
        recording_dirs: current.recording_dirs()?,
        trunks: trunks.collect(),
        international_prefixes: numbering.international_prefixes,
        country_code: numbering.country_code,
        national_prefix: numbering.national_prefix,
        service_codes: numbering.service_codes,
        dial_format: dial_format(numbering.dial_format).into(),
        max_call_seconds: current.max_call_seconds,
    };
    let mut secret = String::new();
    mask.put_text("host", &mut fields.host, request.host, violations);
    mask.put("port", &mut fields.port, request.port);
    mask.put_text("username", &mut fields.username, request.username, violations);
    mask.put_text("secret", &mut secret, request.secret, violations);
    mask.put("tls", &mut fields.tls, request.tls.unwrap_or_default());
    mask.put("dial_template", &mut fields.dial_template, request.dial_template);
    mask.put("max_channels", &mut fields.max_channels, request.max_channels);
    mask.put("max_call_seconds", &mut fields.max_call_seconds, request.max_call_seconds);
    mask.put("calls_per_second", &mut fields.calls_per_second, request.calls_per_second);
    mask.put("recording_dirs", &mut fields.recording_dirs, request.recording_dirs);
    mask.put("trunks", &mut fields.trunks, request.trunks);
    mask.put("international_prefixes", &mut fields.international_prefixes, request.international_prefixes);
    mask.put("country_code", &mut fields.country_code, request.country_code);
    mask.put("national_prefix", &mut fields.national_prefix, request.national_prefix);
    mask.put("service_codes", &mut fields.service_codes, request.service_codes);
    mask.put("dial_format", &mut fields.dial_format, request.dial_format.unwrap_or_default());
    Ok(PatchedServer { fields, secret: Some(secret).filter(|secret| !secret.is_empty()) })
}

/// Returns what the rules `current` of a queue become. `violations` are those of the request's fields.
///
/// # Errors
/// Returns the violations so far if the mask names a field that cannot be changed, or if nothing is to be changed and
/// `needs_one` is true.
pub fn queue_rules(
    current: pb::QueueRules,
    request: pb::SetQueueRulesRequest,
    needs_one: bool,
    violations: &mut Violations,
) -> Result<pb::QueueRules, Error> {
    let known = [
        ("priority", request.priority.is_some()),
        ("weight", request.weight.is_some()),
        ("max_live_calls", request.max_live_calls.is_some()),
        ("calls_per_second", request.calls_per_second.is_some()),
        ("retry_rules", !request.retry_rules.is_empty()),
        ("windows", request.windows.is_some()),
        ("delivery", request.delivery.is_some()),
        ("max_call_seconds", request.max_call_seconds.is_some()),
    ];
    if !needs_one && request.update_mask.is_empty() && known.iter().all(|(_, is_set)| !is_set) {
        return Ok(current);
    }
    let mask = Mask::new(&request.update_mask, &known, violations)?;
    let mut rules = current;
    mask.put("priority", &mut rules.priority, request.priority);
    mask.put("weight", &mut rules.weight, request.weight);
    mask.put("max_live_calls", &mut rules.max_live_calls, request.max_live_calls);
    mask.put("calls_per_second", &mut rules.calls_per_second, request.calls_per_second);
    mask.put("retry_rules", &mut rules.retry_rules, request.retry_rules);
    mask.put("windows", &mut rules.windows, request.windows);
    mask.put("delivery", &mut rules.delivery, request.delivery);
    mask.put("max_call_seconds", &mut rules.max_call_seconds, request.max_call_seconds);
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored() -> pb::Client {
        pb::Client {
            name: "acme".into(),
            account_code: "acme".into(),
            servers: vec!["server1".into()],
            limits: Some(pb::ClientLimits { max_live_calls: Some(5), ..pb::ClientLimits::default() }),
            ..pb::Client::default()
        }
    }

    #[test]
    fn without_a_mask_what_is_set_is_changed() {
        let request = pb::UpdateClientRequest { disabled: Some(true), ..pb::UpdateClientRequest::default() };
        let patched = client(stored(), request, &mut Violations::default()).unwrap();
        assert!(patched.disabled);
        assert_eq!((patched.fields.name.as_str(), patched.fields.servers.len()), ("acme", 1));
    }

    #[test]
    fn with_a_mask_a_list_is_emptied_and_a_message_reset() {
        let update_mask = vec!["servers".to_owned(), "limits".to_owned()];
        let request = pb::UpdateClientRequest { update_mask, name: Some("other".into()), ..Default::default() };
        let patched = client(stored(), request, &mut Violations::default()).unwrap();
        assert_eq!((patched.fields.servers.len(), patched.fields.limits), (0, None));
        assert_eq!(patched.fields.name, "acme", "the mask does not name it");
    }

    #[test]
    fn nothing_to_change_and_what_cannot_be_changed_are_errors() {
        let nothing = client(stored(), pb::UpdateClientRequest::default(), &mut Violations::default());
        assert!(nothing.err().unwrap().to_string().contains("at least one is required"));
        let update_mask = vec!["client_id".to_owned()];
        let request = pb::UpdateClientRequest { update_mask, ..Default::default() };
        let other = client(stored(), request, &mut Violations::default());
        assert_eq!(other.err().unwrap().to_string(), "update_mask[0]: client_id cannot be changed");
    }
}
