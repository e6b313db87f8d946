//! Tests "Limits and access": which requests are answered with 429 and 503.

use serde_json::json;

use super::{INSERT, QUICK, Setup, batch, quick, to};
use crate::support::api::Api;
use crate::support::postgres::Postgres;
use crate::support::server::Options;
use crate::support::wait;

const ME: &str = "clients/test-connection";

#[tokio::test]
async fn the_request_rate_of_a_client_is_429_with_retry_after_and_its_name() {
    let setup = Setup::start().await;
    setup.patch(json!({ "limits": { "requests_per_second": 0.01 } })).await;
    let limited = wait::until_async("the limit holds", async || {
        let answer = setup.client.get(ME).await;
        (answer.status == 429).then_some(answer)
    })
    .await;
    assert_eq!(limited.error(429, "RESOURCE_EXHAUSTED"), "limit requests_per_second is reached");
    assert!((1..=100).contains(&limited.retry_after()), "{}", limited.retry_after());
    assert_eq!(setup.admin.get("admin/clients").await.status, 200, "other clients are not limited");
    setup.patch(json!({ "limits": {} })).await;
    wait::until_async("the limit is no longer reached", async || {
        (setup.client.get(ME).await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn more_calls_than_may_wait_are_429_and_nothing_of_them_is_stored() {
    let setup = Setup::start().await;
    setup.drain().await;
    setup.patch(json!({ "limits": { "max_queued_calls": 3 } })).await;
    let first = batch(1, vec![to("1234567801"), to("1234567801")]);
    setup.client.post(INSERT, first.clone()).await.data();
    let full = setup.client.post(INSERT, batch(2, vec![to("1234567801"), to("1234567801")])).await;
    assert_eq!(full.error(429, "RESOURCE_EXHAUSTED"), "limit max_queued_calls is reached");
    assert!(full.retry_after() > 0);
    setup.client.post(QUICK, quick("1234567801")).await.data();
    setup.client.post(QUICK, quick("1234567801")).await.error(429, "RESOURCE_EXHAUSTED");
    assert_eq!(setup.client.get("queues/getmasterqueues").await.data()["count"], 2);
    let replayed = setup.client.post(INSERT, first).await;
    assert_eq!(replayed.headers["idempotent-replayed"], "true", "a replay adds nothing");
}

#[tokio::test]
async fn a_limit_on_waiting_calls_holds_when_many_come_at_once() {
    let setup = Setup::start().await;
    setup.drain().await;
    setup.patch(json!({ "limits": { "max_queued_calls": 5 } })).await;
    let inserts = (1..=20).map(|id| {
        let client = setup.client.clone();
        async move { client.post(INSERT, batch(id, vec![to("1234567801")])).await.status.as_u16() }
    });
    let statuses = futures_util::future::join_all(inserts).await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 5, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 15, "{statuses:?}");
}

#[tokio::test]
async fn while_the_store_cannot_be_reached_the_answer_is_503_with_retry_after() {
    let Some(mut postgres) = Postgres::start() else { return };
    let server = Options::default()
        .env("TRUNKLINE_DATABASE_URL", postgres.create_database())
        .env("TRUNKLINE_SECRET_KEY", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
        .start();
    let admin = Api::admin(&server);
    admin.get("admin/clients").await.data();
    postgres.kill();
    let away = wait::until_async("the store counts as unavailable", async || {
        let answer = admin.get("admin/clients").await;
        (answer.status != 200).then_some(answer)
    })
    .await;
    assert_eq!(away.error(503, "UNAVAILABLE"), "the store cannot be reached");
    assert!(away.retry_after() > 0);
    postgres.restart();
    wait::until_async("the store is back", async || (admin.get("admin/clients").await.status == 200).then_some(()))
        .await;
}
