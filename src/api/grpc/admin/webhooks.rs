//! The methods of `AdminService` for webhooks. `crate::webhooks` delivers events to them.

use secrecy::ExposeSecret;
use tokio::time::Instant;

use super::audit::Change;
use super::changed::Changed;
use crate::api::grpc::app::App;
use crate::api::grpc::convert;
use crate::api::grpc::unary::count;
use crate::api::validate::webhook as rules;
use crate::api::{Error, rest};
use crate::domain::time::Millis;
use crate::pb;
use crate::store::secrets::Place;
use crate::store::webhooks::{NewWebhook, Webhook};
use crate::store::{Conn, clients, events, sealed, webhooks};
use crate::webhooks::post::Message;
use crate::webhooks::route::Route;
use crate::webhooks::sign;

/// Creates a webhook with a new signing secret (`AdminService.CreateWebhook`).
pub async fn create(mut change: Change, request: pb::CreateWebhookRequest) -> Result<pb::CreateWebhookResponse, Error> {
    let kinds = rules::webhook(&request, change.violations())?;
    let secret = sign::new_secret();
    let mut tx = change.begin().await?;
    known_client(&mut tx, request.client_id).await?;
    let after = events::last(&mut tx).await?;
    let new = NewWebhook { client_id: request.client_id, url: request.url, secret: Vec::new(), events: kinds, after };
    let made = webhooks::insert(&mut tx, &new, change.now).await?;
    // The secret is bound to the id of the webhook, which is known only now.
    let place = Place::Webhook(made.id);
    sealed::replace(&mut tx, &place, &change.app.sealer.seal(&secret, &place)?).await?;
    let made = shown(made)?;
    tx.commit(format!("webhooks/{}", made.webhook_id), Changed::created(&made)?).await?;
    change.app.webhooks.changed.notify_one();
    let webhook = pb::Webhook { secret: Some(secret.expose_secret().to_owned()), ..made };
    Ok(pb::CreateWebhookResponse { webhook: Some(webhook) })
}

/// Returns webhooks without their secrets (`AdminService.ListWebhooks`).
pub async fn list(app: App, request: pb::ListWebhooksRequest) -> Result<pb::ListWebhooksResponse, Error> {
    let mut conn = app.db.read().await?;
    if let Some(client_id) = request.client_id {
        known_client(&mut conn, client_id).await?;
    }
    let found = webhooks::list(&mut conn, request.client_id).await?;
    let results = found.into_iter().map(shown).collect::<Result<Vec<_>, _>>()?;
    Ok(pb::ListWebhooksResponse { count: count(&results), results })
}

/// Deletes a webhook and stops its deliveries (`AdminService.DeleteWebhook`).
pub async fn delete(change: Change, request: pb::DeleteWebhookRequest) -> Result<pb::DeleteWebhookResponse, Error> {
    let mut tx = change.begin().await?;
    let before = webhooks::get(&mut tx, request.webhook_id).await?;
    let deleted = webhooks::delete(&mut tx, request.webhook_id).await?;
    let Some(before) = before.filter(|_| deleted) else {
        tx.rollback().await?;
        return Err(unknown(request.webhook_id));
    };
    tx.commit(format!("webhooks/{}", request.webhook_id), Changed::deleted(&shown(before)?)?).await?;
    change.app.webhooks.changed.notify_one();
    Ok(pb::DeleteWebhookResponse {})
}

/// Posts one test event to a webhook and returns the result (`AdminService.TestWebhook`).
pub async fn test(app: App, request: pb::TestWebhookRequest) -> Result<pb::TestWebhookResponse, Error> {
    let id = request.webhook_id;
    // The connection is returned before the receiver is called, because the receiver may take long.
    let found = webhooks::get(&mut app.db.read().await?, id).await?;
    let webhook = found.ok_or_else(|| unknown(id))?;
    let route = Route::of(&webhook, &app.sealer).map_err(Error::internal)?;
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

fn unknown(id: i64) -> Error {
    Error::NotFound(format!("webhook {id}"))
}

async fn known_client(conn: &mut Conn, id: i64) -> Result<(), Error> {
    clients::get(conn, id).await?.map(|_| ()).ok_or_else(|| Error::NotFound(format!("client {id}")))
}

/// Converts a webhook, without its secret.
fn shown(webhook: Webhook) -> Result<pb::Webhook, Error> {
    let events = webhook.kinds()?.into_iter().map(i32::from).collect();
    let delivery = webhook.delivery;
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
    })
}
