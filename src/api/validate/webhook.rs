//! Checks the settings of a webhook.

use crate::api::{At, Error, Violations};
use crate::pb::CallEventType;
use crate::webhooks::target::Permitted;

/// Checks where and what a webhook posts, and returns the codes of the kinds of events that are posted: sorted, each once.
/// `violations` are those of the request's fields. The host of the URL is looked up, so that it is refused at once if no
/// event could be posted to its addresses; an empty URL is not checked.
///
/// # Errors
/// Returns every broken rule.
pub async fn webhook(
    url: &str,
    events: &[i32],
    permitted: &Permitted,
    mut violations: Violations,
) -> Result<Vec<i16>, Error> {
    let at_url = At::field("url");
    if !url.is_empty() {
        let checked = match permitted.parse(url) {
            Ok(uri) => permitted.check_host(&uri).await,
            Err(error) => Err(error),
        };
        if let Err(error) = checked {
            violations.invalid_if_new(&at_url, error);
        }
    }
    let at_events = At::field("events");
    let mut kinds = Vec::with_capacity(events.len());
    for (index, code) in events.iter().enumerate() {
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
    use crate::pb::CreateWebhookRequest;

    async fn checked(request: &CreateWebhookRequest) -> Result<Vec<i16>, Error> {
        webhook(&request.url, &request.events, &Permitted::default(), fields::violations(request)).await
    }

    fn request(events: Vec<CallEventType>) -> CreateWebhookRequest {
        let events = events.into_iter().map(Into::into).collect();
        CreateWebhookRequest { client_id: 1, url: "https://8.8.8.8/hook".to_owned(), events }
    }

    #[tokio::test]
    async fn kinds_are_sorted_and_named_once() {
        let kinds = [CallEventType::Ended, CallEventType::Answered, CallEventType::Ended];
        assert_eq!(checked(&request(kinds.to_vec())).await.unwrap(), [5, 11]);
        assert!(checked(&request(Vec::new())).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn every_broken_rule_is_told_at_its_field() {
        let mut wrong = request(vec![CallEventType::Ended, CallEventType::Snapshot]);
        wrong.events.push(999);
        (wrong.client_id, wrong.url) = (0, "ftp://crm.example/".to_owned());
        let Err(Error::InvalidArgument(broken)) = checked(&wrong).await else { panic!("it is refused") };
        let fields: Vec<&str> = broken.iter().map(|broken| broken.field.as_str()).collect();
        assert_eq!(fields, ["client_id", "url", "events[1]", "events[2]"]);
    }
}
