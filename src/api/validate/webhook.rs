//! Checks the settings of a webhook.

use crate::api::{At, Error, Violations};
use crate::pb::{CallEventType, CreateWebhookRequest};
use crate::webhooks::target;

/// Checks a new webhook, and returns the codes of the kinds of events that are posted: sorted, each once. `violations`
/// are those of the request's fields.
///
/// # Errors
/// Returns every broken rule.
pub fn webhook(request: &CreateWebhookRequest, mut violations: Violations) -> Result<Vec<i16>, Error> {
    let at_url = At::field("url");
    if !request.url.is_empty()
        && let Err(error) = target::parse(&request.url)
    {
        violations.invalid_if_new(&at_url, error);
    }
    let at_events = At::field("events");
    let mut kinds = Vec::with_capacity(request.events.len());
    for (index, code) in request.events.iter().enumerate() {
        let kind = CallEventType::try_from(*code).ok();
        match kind.and_then(|kind| i16::try_from(i32::from(kind)).ok()) {
            Some(kind) => kinds.push(kind),
            None => violations.invalid_if_new(&at_events.index(index), "is not supported"),
        }
    }
    violations.finish()?;
    kinds.sort_unstable();
    kinds.dedup();
    Ok(kinds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::fields;

    fn checked(request: &CreateWebhookRequest) -> Result<Vec<i16>, Error> {
        webhook(request, fields::violations(request))
    }

    fn request(events: Vec<CallEventType>) -> CreateWebhookRequest {
        let events = events.into_iter().map(Into::into).collect();
        CreateWebhookRequest { client_id: 1, url: "https://crm.example/hook".to_owned(), events }
    }

    #[test]
    fn kinds_are_sorted_and_named_once() {
        let kinds = [CallEventType::Ended, CallEventType::Answered, CallEventType::Ended];
        assert_eq!(checked(&request(kinds.to_vec())).unwrap(), [5, 11]);
        assert!(checked(&request(Vec::new())).unwrap().is_empty());
    }

    #[test]
    fn every_broken_rule_is_told_at_its_field() {
        let mut wrong = request(vec![CallEventType::Ended, CallEventType::Snapshot]);
        wrong.events.push(999);
        (wrong.client_id, wrong.url) = (0, "ftp://crm.example/".to_owned());
        let Err(Error::InvalidArgument(broken)) = checked(&wrong) else { panic!("it is refused") };
        let fields: Vec<&str> = broken.iter().map(|broken| broken.field.as_str()).collect();
        assert_eq!(fields, ["client_id", "url", "events[1]", "events[2]"]);
    }
}
