//! The methods of `AdminService` for webhooks. `crate::webhooks` delivers events to them.

use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::json;
use tokio::time::Instant;

use crate::api::error::Reason;
use crate::api::grpc::app::App;
use crate::api::grpc::change::Change;
use crate::api::grpc::changed::Changed;
use crate::api::grpc::convert;
use crate::api::grpc::unary::count;
use crate::api::validate::paging::Page;
use crate::api::validate::{patch, webhook as rules};
use crate::api::{Error, rest};
use crate::domain::time::Millis;
use crate::pb;
use crate::store::secrets::Place;
use crate::store::webhooks::{NewWebhook, Webhook, WebhookUpdate};
use crate::store::{Conn, clients, dead_letters, events, sealed, webhooks};
use crate::webhooks::post::Message;
use crate::webhooks::route::Route;
use crate::webhooks::sign;

/// How long the secret before a rotation stays valid by default, in seconds: 24 hours.
const OVERLAP: u64 = 86_400;

/// Creates a webhook with a new signing secret (`AdminService.CreateWebhook`).
pub async fn create(mut change: Change, request: pb::CreateWebhookRequest) -> Result<pb::CreateWebhookResponse, Error> {
    let violations = change.violations();
    let permitted = change.app.webhooks.poster.permitted();
    let kinds = rules::webhook(&request.url, &request.events, permitted, violations).await?;
    let secret = sign::new_secret();
    let mut tx = change.begin().await?;
    known_client(&mut tx, request.client_id).await?;
    let after = events::last(&mut tx).await?;
    let new = NewWebhook { client_id: request.client_id, url: request.url, secret: Vec::new(), events: kinds, after };
    let made = webhooks::insert(&mut tx, &new, change.now).await?;
    // The secret is bound to the id of the webhook, which is known only now.
    let place = Place::Webhook(made.id);
    sealed::replace(&mut tx, &place, &change.app.sealer.seal(&secret, &place)?).await?;
    let made = shown(made, 0, change.now)?;
    tx.commit(format!("webhooks/{}", made.webhook_id), Changed::created(&made)?).await?;
    change.app.webhooks.changed.notify_one();
    let webhook = pb::Webhook { secret: Some(secret.expose_secret().to_owned()), ..made };
    Ok(pb::CreateWebhookResponse { webhook: Some(webhook) })
}

/// Changes where and what a webhook posts, or stops and continues it (`AdminService.UpdateWebhook`).
pub async fn update(mut change: Change, request: pb::UpdateWebhookRequest) -> Result<pb::UpdateWebhookResponse, Error> {
    let id = request.webhook_id;
    let mut violations = change.violations();
    let given = patch::webhook(request, &mut violations)?;
    let (url, events) = (given.url.as_deref().unwrap_or_default(), given.events.as_deref().unwrap_or_default());
    // The host is looked up before the transaction begins, because that may take long.
    let kinds = rules::webhook(url, events, change.app.webhooks.poster.permitted(), violations).await?;
    let mut tx = change.begin().await?;
    let Some(before) = webhooks::get(&mut tx, id).await? else {
        tx.rollback().await?;
        return Err(unknown(id));
    };
    let events = if given.events.is_some() { kinds } else { before.kinds()? };
    let url = given.url.unwrap_or_else(|| before.url.clone());
    let disabled = given.disabled.unwrap_or(before.delivery.disabled);
    let is_fresh = url != before.url || (before.delivery.disabled && !disabled);
    let update = WebhookUpdate { url, events, disabled };
    let after = webhooks::update(&mut tx, id, &update, is_fresh).await?.ok_or_else(|| unknown(id))?;
    let (_, dead) = dead_letters::list(&mut tx, id, 0, 1).await?;
    let (before, after) = (shown(before, dead, change.now)?, shown(after, dead, change.now)?);
    tx.commit(format!("webhooks/{id}"), Changed::from_to(&before, &after)?).await?;
    change.app.webhooks.changed.notify_one();
    Ok(pb::UpdateWebhookResponse { webhook: Some(after) })
}

/// Returns webhooks without their secrets (`AdminService.ListWebhooks`).
pub async fn list(app: App, request: pb::ListWebhooksRequest) -> Result<pb::ListWebhooksResponse, Error> {
    let mut conn = app.db.read().await?;
    if let Some(client_id) = request.client_id {
        known_client(&mut conn, client_id).await?;
    }
    let found = webhooks::list(&mut conn, request.client_id).await?;
    let (dead, now) = (dead_letters::counts(&mut conn).await?, Millis::now());
    let results = found.into_iter().map(|webhook| {
        let dead = dead.get(&webhook.id).copied().unwrap_or(0);
        shown(webhook, dead, now)
    });
    let results = results.collect::<Result<Vec<_>, _>>()?;
    Ok(pb::ListWebhooksResponse { count: count(&results), results })
}

/// Deletes a webhook and stops its deliveries (`AdminService.DeleteWebhook`).
pub async fn delete(change: Change, request: pb::DeleteWebhookRequest) -> Result<pb::DeleteWebhookResponse, Error> {
    let mut tx = change.begin().await?;
    let id = request.webhook_id;
    let before = webhooks::get(&mut tx, id).await?;
    let deleted = webhooks::delete(&mut tx, id).await?;
    let Some(before) = before.filter(|_| deleted) else {
        tx.rollback().await?;
        return Err(unknown(id));
    };
    // The audit does not keep the number of dead letters.
    let changed = Changed::deleted(&shown(before, 0, change.now)?)?;
    tx.commit(format!("webhooks/{id}"), changed).await?;
    change.app.webhooks.changed.notify_one();
    Ok(pb::DeleteWebhookResponse {})
}

/// Posts one test event to a webhook and returns the result (`AdminService.TestWebhook`).
pub async fn test(app: App, request: pb::TestWebhookRequest) -> Result<pb::TestWebhookResponse, Error> {
    let id = request.webhook_id;
    // The connection is returned before the receiver is called, because the receiver may take long.
    let found = webhooks::get(&mut app.db.read().await?, id).await?;
    let webhook = found.ok_or_else(|| unknown(id))?;
    let route = Route::of(&webhook, app.webhooks.poster.permitted(), &app.sealer);
    // What is wrong with the URL or the secret is what the test is for.
    let route = match route {
        Ok(route) => route,
        Err(error) => return Ok(pb::TestWebhookResponse { error: Some(error.to_string()), ..Default::default() }),
    };
    let event = pb::CallEvent {
        at: convert::time(Millis::now().0),
        r#type: pb::CallEventType::Test.into(),
        detail: Some(format!("a test of webhook {id}")),
        ..Default::default()
    };
    let body = rest::message(&event).map_err(Error::internal)?.into();
    let message_id = format!("wh_{id}_test_{}", uuid::Uuid::now_v7().simple());
    let began = Instant::now();
    let answer = app.webhooks.poster.post(&route.signer, Message { url: &route.url, id: &message_id, body }).await;
    let failure = answer.failure();
    Ok(pb::TestWebhookResponse {
        ok: failure.is_none(),
        http_status: answer.status().map(|status| i32::from(status.as_u16())),
        took_ms: i32::try_from(began.elapsed().as_millis()).unwrap_or(i32::MAX),
        error: failure.filter(|_| answer.status().is_none()),
    })
}

/// Replaces the signing secret of a webhook and returns the new one (`AdminService.RotateWebhookSecret`).
pub async fn rotate_secret(
    change: Change,
    request: pb::RotateWebhookSecretRequest,
) -> Result<pb::RotateWebhookSecretResponse, Error> {
    let id = request.webhook_id;
    let overlap = request.overlap_seconds.and_then(|seconds| seconds.try_into().ok()).unwrap_or(OVERLAP);
    let until = change.now.plus(Duration::from_secs(overlap));
    let secret = sign::new_secret();
    // Sealed after the transaction has begun, so that a rotation of the secret key finds what an earlier key sealed.
    let mut tx = change.begin().await?;
    let sealed = change.app.sealer.seal(&secret, &Place::Webhook(id))?;
    let before = webhooks::get(&mut tx, id).await?;
    let rotated = webhooks::rotate(&mut tx, id, &sealed, until).await?;
    let Some((before, rotated)) = before.zip(rotated) else {
        tx.rollback().await?;
        return Err(unknown(id));
    };
    let (_, dead) = dead_letters::list(&mut tx, id, 0, 1).await?;
    let (before, rotated) = (shown(before, dead, change.now)?, shown(rotated, dead, change.now)?);
    let changed = Changed::from_to(&before, &rotated)?.with_secret_replaced(true);
    tx.commit(format!("webhooks/{id}"), changed).await?;
    change.app.webhooks.changed.notify_one();
    let webhook = pb::Webhook { secret: Some(secret.expose_secret().to_owned()), ..rotated };
    Ok(pb::RotateWebhookSecretResponse { webhook: Some(webhook) })
}

/// Returns a page of the dead letters of a webhook (`AdminService.ListDeadLetters`).
pub async fn list_dead_letters(
    app: App,
    request: pb::ListDeadLettersRequest,
) -> Result<pb::ListDeadLettersResponse, Error> {
    let (id, page) = (request.webhook_id, Page::new(request.page, request.page_size));
    let mut conn = app.db.read().await?;
    webhooks::get(&mut conn, id).await?.ok_or_else(|| unknown(id))?;
    let (letters, count) = dead_letters::list(&mut conn, id, page.offset(), page.limit()).await?;
    let seqs: Vec<i64> = letters.iter().map(|letter| letter.seq).collect();
    let mut found = events::numbered(&mut conn, &seqs).await?.into_iter().peekable();
    let results = letters.into_iter().map(|letter| pb::DeadLetter {
        // As it was posted, without what only administrators are shown of it.
        event: found.next_if(|event| event.seq == letter.seq).map(|event| convert::event(&event, false)),
        first_failed_at: convert::time(letter.first_failed_at),
        died_at: convert::time(letter.died_at),
        last_error: letter.last_error,
        replaying: letter.replaying,
    });
    Ok(pb::ListDeadLettersResponse { results: results.collect(), count, page: page.number, page_size: page.size })
}

/// Posts dead letters of a webhook once more (`AdminService.ReplayDeadLetters`).
pub async fn replay_dead_letters(
    change: Change,
    request: pb::ReplayDeadLettersRequest,
) -> Result<pb::ReplayDeadLettersResponse, Error> {
    let id = request.webhook_id;
    let mut tx = change.begin().await?;
    let refused = match webhooks::get(&mut tx, id).await? {
        None => Some(unknown(id)),
        Some(webhook) if webhook.delivery.disabled => {
            let message = format!("webhook {id} is disabled, so that nothing is posted to it; enable it first");
            Some(Error::FailedPrecondition { reason: Reason::WebhookDisabled, message })
        }
        Some(_) => None,
    };
    if let Some(refused) = refused {
        tx.rollback().await?;
        return Err(refused);
    }
    let marked = dead_letters::replay(&mut tx, id, request.seq).await?;
    if let (0, Some(seq)) = (marked, request.seq) {
        tx.rollback().await?;
        return Err(Error::NotFound(format!("dead letter {seq} of webhook {id}")));
    }
    let changed = Changed::from_to(&json!({}), &json!({ "replaying_count": marked }))?;
    tx.commit(format!("webhooks/{id}/dead-letters"), changed).await?;
    change.app.webhooks.changed.notify_one();
    Ok(pb::ReplayDeadLettersResponse { replaying_count: i32::try_from(marked).unwrap_or(i32::MAX) })
}

fn unknown(id: i64) -> Error {
    Error::NotFound(format!("webhook {id}"))
}

async fn known_client(conn: &mut Conn, id: i64) -> Result<(), Error> {
    clients::get(conn, id).await?.map(|_| ()).ok_or_else(|| Error::NotFound(format!("client {id}")))
}

/// Converts a webhook, without its secret, with the number of its dead letters.
fn shown(webhook: Webhook, dead_letters: i64, now: Millis) -> Result<pb::Webhook, Error> {
    let events = webhook.kinds()?.into_iter().map(i32::from).collect();
    let delivery = webhook.delivery;
    let until = webhook.old_secret.map(|_| webhook.old_secret_until).filter(|until| *until > now.0);
    // The event that failed may have been accepted by a version that does not know this field.
    let failing_since = delivery.failing_since.filter(|_| delivery.failures > 0);
    Ok(pb::Webhook {
        webhook_id: webhook.id,
        client_id: webhook.client_id,
        url: webhook.url,
        events,
        created_at: convert::time(webhook.created_at),
        delivered_seq: delivery.delivered_seq,
        delivered_at: delivery.delivered_at.and_then(convert::time),
        failures: delivery.failures,
        last_error: delivery.last_error,
        secret: None,
        disabled: delivery.disabled,
        failing_since: failing_since.and_then(convert::time),
        dead_letters,
        old_secret_until: until.and_then(convert::time),
    })
}
