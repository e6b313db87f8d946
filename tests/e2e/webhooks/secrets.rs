//! Tests that a signing secret can be replaced while both are valid.

use serde_json::{Value, json};

use super::{Post, Receiver, documented_code_verifies, items, listed, sandbox, webhook};
use crate::support::api::Api;
use crate::support::postgres::Postgres;
use crate::support::server::Options;
use crate::support::wait;

fn secret(webhook: &Value) -> String {
    webhook["secret"].as_str().expect("a secret").to_owned()
}

/// Inserts batches until an event is signed by these secrets, in this order, and returns its POST.
async fn until_signed_by(secrets: &[&str], receiver: &Receiver, client: &Api, batch: &mut i64) -> Post {
    let before = receiver.posts().len();
    wait::until_async("an event has these signatures", async || {
        *batch += 1;
        client.insert(*batch, items(1)).await;
        let signed = |post: &Post| {
            let expected: Vec<String> = secrets.iter().map(|secret| post.signature_by(secret)).collect();
            post.signature == expected.join(" ")
        };
        receiver.posts().into_iter().skip(before).find(signed)
    })
    .await
}

#[tokio::test]
async fn both_secrets_sign_until_the_overlap_ends() {
    let mut server = sandbox().start();
    let (admin, client) = (Api::admin(&server), Api::sandbox(&server));
    let (receiver, url) = Receiver::start(200).await;
    let made = webhook(&admin, &url, json!(["batch-inserted"])).await;
    let (id, first, mut batch) = (made["webhook_id"].clone(), secret(&made), 0);
    until_signed_by(&[&first], &receiver, &client, &mut batch).await;
    assert_eq!(made.get("old_secret_until"), None, "{made}");
    let rotate = format!("admin/webhooks/{id}/rotate-secret");
    let rotated = admin.post(&rotate, json!({})).await.data();
    let second = secret(&rotated);
    assert!(second.starts_with("whsec_") && second != first, "{rotated}");
    let both = until_signed_by(&[&second, &first], &receiver, &client, &mut batch).await;
    documented_code_verifies(&first, &both);
    documented_code_verifies(&second, &both);
    let shown = listed(&admin, &id).await;
    assert_eq!((shown.get("secret"), &shown["old_secret_until"]), (None, &rotated["old_secret_until"]), "{shown}");
    // Both are kept through a restart.
    server.restart();
    let (admin, client) = (admin.at(&server), client.at(&server));
    until_signed_by(&[&second, &first], &receiver, &client, &mut batch).await;
    // A leaked secret is ended at once.
    let third = admin.post(&rotate, json!({ "overlap_seconds": 0 })).await.data();
    assert_eq!(third.get("old_secret_until"), None, "{third}");
    until_signed_by(&[&secret(&third)], &receiver, &client, &mut batch).await;
    let after = receiver.posts().len();
    until_signed_by(&[&secret(&third)], &receiver, &client, &mut batch).await;
    let late: Vec<Post> =
        receiver.posts().into_iter().skip(after).filter(|post| post.signature.contains(' ')).collect();
    assert!(late.is_empty(), "{late:?}");
}

#[tokio::test]
async fn the_secret_before_expires_by_itself() {
    let server = sandbox().start();
    let (admin, client) = (Api::admin(&server), Api::sandbox(&server));
    let (receiver, url) = Receiver::start(200).await;
    let made = webhook(&admin, &url, json!(["batch-inserted"])).await;
    let rotate = format!("admin/webhooks/{}/rotate-secret", made["webhook_id"]);
    let rotated = admin.post(&rotate, json!({ "overlap_seconds": 3 })).await.data();
    let (first, second, mut batch) = (secret(&made), secret(&rotated), 0);
    until_signed_by(&[&second, &first], &receiver, &client, &mut batch).await;
    until_signed_by(&[&second], &receiver, &client, &mut batch).await;
    wait::until_async("one secret is shown", async || {
        listed(&admin, &made["webhook_id"]).await.get("old_secret_until").is_none().then_some(())
    })
    .await;
    for (overlap, status) in [(json!(604_801), 400), (json!(-1), 400), (json!(604_800), 200)] {
        let answer = admin.post(&rotate, json!({ "overlap_seconds": overlap })).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        if status == 400 {
            assert_eq!(answer.body["errors"][0]["field"], "overlap_seconds", "{}", answer.body);
        }
    }
    assert_eq!(admin.post("admin/webhooks/999/rotate-secret", json!({})).await.status, 404);
    assert_eq!(client.post(&rotate, json!({})).await.status, 403);
}

#[tokio::test]
async fn a_secret_that_is_rotated_at_one_node_signs_at_the_other() {
    let Some(mut postgres) = Postgres::start() else { return };
    let database = postgres.create_database();
    let node = |name: &str, options: Options| {
        options
            .env("TRUNKLINE_DATABASE_URL", &database)
            .env("TRUNKLINE_SECRET_KEY", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
            .env("TRUNKLINE_NODE_NAME", name)
            .start()
    };
    let delivers = node("one", sandbox());
    let (admin, client) = (Api::admin(&delivers), Api::sandbox(&delivers));
    let (receiver, url) = Receiver::start(200).await;
    let (made, mut batch) = (webhook(&admin, &url, json!(["batch-inserted"])).await, 0);
    until_signed_by(&[&secret(&made)], &receiver, &client, &mut batch).await;
    let second = node("two", Options::default());
    let rotate = format!("admin/webhooks/{}/rotate-secret", made["webhook_id"]);
    let rotated = Api::admin(&second).post(&rotate, json!({})).await.data();
    until_signed_by(&[&secret(&rotated), &secret(&made)], &receiver, &client, &mut batch).await;
}
