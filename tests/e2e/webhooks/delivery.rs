//! Tests that events are posted in order, each at least once, whatever crashes.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{
    Post, Receiver, documented_code_verifies, items, listed, opened, sandbox, sandbox_client, seqs, watched, webhook,
};
use crate::support::api::Api;
use crate::support::postgres::Postgres;
use crate::support::server::{Options, Server};
use crate::support::wait;

#[tokio::test]
async fn every_event_is_posted_once_in_order_signed_and_as_streams_show_it() {
    let server = sandbox().start();
    let (admin, client) = (Api::admin(&server), Api::sandbox(&server));
    let (receiver, url) = Receiver::start(200).await;
    let made = webhook(&admin, &url, json!([])).await;
    let secret = made["secret"].as_str().expect("a secret");
    assert!(secret.starts_with("whsec_"), "{made}");
    let queue = client.insert(1, items(40)).await;
    let events = watched(&client, queue).await;
    receiver.wait_until_taken(&seqs(&events)).await;
    let posts = receiver.posts();
    assert_eq!(posts.iter().map(Post::json).collect::<Vec<_>>(), events);
    for post in &posts {
        assert!(post.is_signed_with(secret), "{post:?}");
        assert_eq!(post.id, format!("wh_{}_{}", made["webhook_id"], post.seq()));
    }
    let last = seqs(&events).pop();
    let shown = wait::until_async("the cursor is stored", async || {
        let shown = listed(&admin, &made["webhook_id"]).await;
        (shown["delivered_seq"].as_i64() >= last).then_some(shown)
    })
    .await;
    assert_eq!((&shown["failures"], shown.get("last_error"), shown.get("secret")), (&json!(0), None, None), "{shown}");
    assert!(shown["delivered_at"].is_string(), "{shown}");
    let log = server.output().text();
    assert!(!log.contains(secret) && !log.contains("t0ken"), "{log}");
    documented_code_verifies(secret, &posts[0]);
}

#[tokio::test]
async fn a_killed_server_goes_on_where_it_was_and_leaves_no_gap() {
    let mut server = sandbox().start();
    let (admin, client) = (Api::admin(&server), Api::sandbox(&server));
    let (receiver, url) = Receiver::start(200).await;
    webhook(&admin, &url, json!([])).await;
    let queue = client.insert(1, items(150)).await;
    for killed_after in [40, 150, 300] {
        wait::until_async("some events are accepted", async || (receiver.taken().len() > killed_after).then_some(()))
            .await;
        server.restart();
    }
    let events = watched(&client.at(&server), queue).await;
    receiver.wait_until_taken(&seqs(&events)).await;
    let posts = receiver.posts().len();
    // Each of three crashes repeats at most the events after the stored cursor and the one that was being posted.
    assert!(posts <= events.len() + 3 * 33, "{posts} posts of {} events", events.len());
}

// The test needs two threads, because the receiver answers while the test waits for the server to end.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_stopped_posts_nothing_twice() {
    let mut server = sandbox().start();
    let (admin, client) = (Api::admin(&server), Api::sandbox(&server));
    let (receiver, url) = Receiver::start(200).await;
    webhook(&admin, &url, json!([])).await;
    let queue = client.insert(1, items(100)).await;
    wait::until_async("some events are accepted", async || (receiver.taken().len() > 50).then_some(())).await;
    assert!(server.stop().success());
    server.restart();
    let events = watched(&client.at(&server), queue).await;
    receiver.wait_until_taken(&seqs(&events)).await;
    let mut ids: Vec<String> = receiver.posts().into_iter().map(|post| post.id).collect();
    ids.sort_unstable();
    let twice: Vec<&[String]> = ids.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[tokio::test]
async fn an_event_that_is_not_taken_is_posted_again_until_it_is() {
    let server = sandbox().start();
    let (admin, client) = (Api::admin(&server), Api::sandbox(&server));
    let (receiver, url) = Receiver::start(500).await;
    let id = webhook(&admin, &url, json!([])).await["webhook_id"].clone();
    // These are more events than a sender buffers.
    let queue = client.insert(1, items(150)).await;
    for (status, told) in [(500, "the receiver answered 500"), (302, "302, and redirects are not followed")] {
        receiver.answer(status);
        wait::until_async("the failure is shown", async || {
            let shown = listed(&admin, &id).await;
            let told = shown["last_error"].as_str().is_some_and(|error| error.contains(told));
            (told && shown["failures"].as_i64() > Some(0)).then_some(())
        })
        .await;
    }
    // No event overtakes the one that is not accepted.
    let ids: HashSet<String> = receiver.posts().into_iter().map(|post| post.id).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let events = watched(&client, queue).await;
    receiver.answer(200);
    receiver.wait_until_taken(&seqs(&events)).await;
    wait::until_async("the failures are over", async || {
        let shown = listed(&admin, &id).await;
        (shown["failures"] == 0 && shown.get("last_error").is_none()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_posted_nothing_more() {
    let mut server = sandbox().start();
    let (admin, client) = (Api::admin(&server), Api::sandbox(&server));
    let (receiver, url) = Receiver::start(410).await;
    let id = webhook(&admin, &url, json!(["batch-inserted"])).await["webhook_id"].clone();
    client.insert(1, items(1)).await;
    let shown = wait::until_async("the webhook is disabled", async || {
        Some(listed(&admin, &id).await).filter(|shown| shown["disabled"] == true)
    })
    .await;
    assert!(shown["last_error"].as_str().is_some_and(|error| error.contains("410")), "{shown}");
    receiver.answer(200);
    let (witness, url) = Receiver::start(200).await;
    webhook(&admin, &url, json!(["batch-inserted"])).await;
    server.restart();
    client.at(&server).insert(2, items(1)).await;
    wait::until_async("another webhook is served", async || (witness.taken().len() == 1).then_some(())).await;
    assert_eq!(receiver.posts().len(), 1);
}

#[tokio::test]
async fn a_dead_receiver_does_not_hold_up_other_webhooks() {
    let server = sandbox().start();
    let (admin, client) = (Api::admin(&server), Api::sandbox(&server));
    // One receiver accepts connections and never answers; the other refuses them.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let refusing = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let refusing_url = format!("http://{}/", refusing.local_addr().expect("an address"));
    drop(refusing);
    webhook(&admin, &format!("http://{}/", silent.local_addr().expect("an address")), json!([])).await;
    let refused = webhook(&admin, &refusing_url, json!([])).await["webhook_id"].clone();
    let (receiver, url) = Receiver::start(200).await;
    webhook(&admin, &url, json!([])).await;
    let queue = client.insert(1, items(40)).await;
    let events = watched(&client, queue).await;
    receiver.wait_until_taken(&seqs(&events)).await;
    wait::until_async("the refusal is shown", async || {
        let shown = listed(&admin, &refused).await;
        shown["last_error"].as_str().filter(|error| error.contains("refused")).map(|_| ())
    })
    .await;
}

#[tokio::test]
async fn only_the_kinds_asked_for_of_the_client_asked_for_are_posted() {
    let server = sandbox().start();
    let (admin, client) = (Api::admin(&server), Api::sandbox(&server));
    let other = json!({ "name": "other", "account_code": "other", "servers": ["server1"] });
    let other = admin.post("admin/clients", other).await.data();
    let (receiver, url) = Receiver::start(200).await;
    let made = webhook(&admin, &url, json!(["ended", "batch-inserted", "ended"])).await;
    assert_eq!(made["events"], json!(["batch-inserted", "ended"]));
    let (others, others_url) = Receiver::start(200).await;
    admin.post("admin/webhooks", json!({ "client_id": other["client_id"], "url": others_url })).await.data();
    let queue = client.insert(1, items(9)).await;
    let events = watched(&client, queue).await;
    let wanted: Vec<Value> =
        events.into_iter().filter(|event| event["type"] == "ended" || event["type"] == "batch-inserted").collect();
    assert_eq!(wanted.len(), 10);
    receiver.wait_until_taken(&seqs(&wanted)).await;
    // An event of the other client is posted to its webhook only, and no event of the first client before it.
    Api::new(&server, other["api_key"].as_str().expect("a key")).insert(1, items(1)).await;
    wait::until_async("the other client's event is posted", async || others.posts().into_iter().next()).await;
    assert_eq!(others.posts()[0].json()["type"], "batch-inserted");
    assert_eq!(receiver.posts().len(), 10);
    let of_client = admin.get(&format!("admin/webhooks?client_id={}", made["client_id"])).await.data();
    assert_eq!((&of_client["count"], &of_client["results"][0]["webhook_id"]), (&json!(1), &made["webhook_id"]));
}

#[tokio::test]
async fn a_test_posts_one_event_and_says_what_came_back() {
    let server = sandbox().start();
    let (admin, client) = (Api::admin(&server), Api::sandbox(&server));
    let (receiver, url) = Receiver::start(204).await;
    let made = webhook(&admin, &url, json!(["ended"])).await;
    let path = format!("admin/webhooks/{}/test", made["webhook_id"]);
    let tested = admin.post(&path, json!({})).await.data();
    assert_eq!(
        (&tested["ok"], &tested["http_status"], tested.get("error")),
        (&json!(true), &json!(204), None),
        "{tested}"
    );
    let post = receiver.posts().remove(0);
    assert!(post.is_signed_with(made["secret"].as_str().expect("a secret")));
    assert_eq!((&post.json()["type"], &post.json()["seq"]), (&json!("test"), &json!(0)));
    receiver.answer(503);
    let tested = admin.post(&path, json!({})).await.data();
    assert_eq!((&tested["ok"], &tested["http_status"]), (&json!(false), &json!(503)), "{tested}");
    let nobody = webhook(&admin, "http://127.0.0.1:1/", json!([])).await["webhook_id"].clone();
    let tested = admin.post(&format!("admin/webhooks/{nobody}/test"), json!({})).await.data();
    assert_eq!((&tested["ok"], tested.get("http_status")), (&json!(false), None), "{tested}");
    assert!(tested["error"].as_str().is_some_and(|error| error.contains("refused")), "{tested}");
    // A deleted webhook is not listed and posts nothing.
    let deleted = admin.delete(&format!("admin/webhooks/{}", made["webhook_id"])).await;
    assert_eq!(deleted.data(), json!({}));
    assert_eq!(admin.post(&path, json!({})).await.status, 404);
    assert_eq!(admin.delete(&format!("admin/webhooks/{}", made["webhook_id"])).await.status, 404);
    receiver.answer(200);
    let (witness, url) = Receiver::start(200).await;
    webhook(&admin, &url, json!(["ended"])).await;
    client.insert(1, items(1)).await;
    wait::until_async("another webhook is served", async || (witness.taken().len() == 1).then_some(())).await;
    assert_eq!(receiver.posts().len(), 2);
}

#[tokio::test]
async fn a_wrong_webhook_is_refused_with_every_broken_rule() {
    let server = sandbox().start();
    let admin = Api::admin(&server);
    let client_id = sandbox_client(&admin).await;
    let wrong = json!({ "url": "http://169.254.169.254/latest/meta-data", "events": ["snapshot"] });
    let answer = admin.post("admin/webhooks", wrong).await;
    assert_eq!(answer.status, 400, "{}", answer.body);
    let fields: Vec<&Value> =
        answer.body["errors"].as_array().expect("a list").iter().map(|error| &error["field"]).collect();
    assert_eq!(fields, ["client_id", "url", "events[0]"]);
    let long = format!("https://crm.example/{}", "x".repeat(2000));
    for url in ["", "crm.example", "ftp://crm.example/", "https://me:secret@crm.example/", &long] {
        let answer = admin.post("admin/webhooks", json!({ "client_id": client_id, "url": url })).await;
        assert_eq!((answer.status.as_u16(), &answer.body["errors"][0]["field"]), (400, &json!("url")), "{url}");
    }
    let unknown = admin.post("admin/webhooks", json!({ "client_id": 999, "url": "https://crm.example/" })).await;
    assert_eq!(unknown.status, 404, "{}", unknown.body);
    assert_eq!(admin.get("admin/webhooks?client_id=999").await.status, 404);
    let refused = Api::sandbox(&server).get("admin/webhooks").await;
    assert_eq!(refused.status, 403, "{}", refused.body);
}

#[tokio::test]
async fn one_node_posts_and_the_next_takes_over_when_it_dies() {
    let Some(mut postgres) = Postgres::start() else { return };
    let database = postgres.create_database();
    let node = |name: &str, options: Options| {
        options
            .env("TRUNKLINE_DATABASE_URL", &database)
            .env("TRUNKLINE_SECRET_KEY", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
            .env("TRUNKLINE_NODE_NAME", name)
            .start()
    };
    let mut first: Server = node("one", sandbox());
    let (admin, client) = (Api::admin(&first), Api::sandbox(&first));
    let (receiver, url) = Receiver::start(200).await;
    let id = webhook(&admin, &url, json!(["batch-inserted", "queued"])).await["webhook_id"].clone();
    client.insert(1, items(1)).await;
    wait::until_async("the first node posts", async || (receiver.taken().len() == 1).then_some(())).await;
    let second = node("two", opened(Options::default()));
    let client = client.at(&second);
    for batch in 2..22 {
        client.insert(batch, items(1)).await;
    }
    wait::until_async("every batch is posted", async || (receiver.taken().len() == 21).then_some(())).await;
    assert_eq!(receiver.posts().len(), 21, "an event was posted twice by two nodes");
    first.kill();
    client.insert(22, items(1)).await;
    wait::until_async("the second node takes over", async || (receiver.taken().len() == 22).then_some(())).await;
    assert!(receiver.posts().len() <= 21 + 33, "the cursor was not stored");
    // A change on one node takes effect on the other within moments.
    let admin = Api::admin(&second);
    assert_eq!(admin.delete(&format!("admin/webhooks/{id}")).await.status, 200);
}
