//! Tests that an event which is refused for 24 hours makes way for the next one, and can be posted once more.

use serde_json::{Value, json};
use trunkline::store;
use trunkline::store::webhooks::{self, Delivery};

use super::{Receiver, items, listed, sandbox, webhook};
use crate::support::api::Api;
use crate::support::server::Server;
use crate::support::wait;

const DAY: i64 = 24 * 60 * 60 * 1000;

/// Makes the first failure of a webhook's next event 24 hours older in the store of a killed server.
async fn age(server: &Server, id: &Value) {
    let db = store::open(&format!("sqlite://{}", server.data_dir().join("trunkline.db").display())).expect("a store");
    let id = id.as_i64().expect("an id");
    let found = webhooks::get(&mut db.read().await.expect("a connection"), id).await.expect("a query");
    let found = found.expect("the webhook");
    let since = found.delivery.failing_since.expect("a failure");
    let older = Delivery { failing_since: Some(since - DAY), next_try_at: 0, ..found.delivery };
    let mut tx = db.begin().await.expect("a transaction");
    assert!(webhooks::save(&mut tx, id, found.lease_epoch, &older).await.expect("an update"));
    tx.commit().await.expect("a commit");
}

async fn letters(admin: &Api, id: &Value) -> Vec<Value> {
    let data = admin.get(&format!("admin/webhooks/{id}/dead-letters")).await.data();
    let letters = data["results"].as_array().expect("a list").clone();
    assert_eq!((data["count"].as_u64(), &data["page"]), (Some(letters.len() as u64), &json!(1)), "{data}");
    letters
}

async fn until_letters(admin: &Api, id: &Value, count: usize) -> Vec<Value> {
    wait::until_async("the dead letters are those expected", async || {
        Some(letters(admin, id).await).filter(|letters| letters.len() == count)
    })
    .await
}

/// A server whose webhook for batches has a dead letter, for the first of two batches. The second is being refused.
struct Dead {
    server: Server,
    receiver: Receiver,
    id: Value,
}

impl Dead {
    async fn start() -> Self {
        let mut server = sandbox().start();
        let (admin, client) = (Api::admin(&server), Api::sandbox(&server));
        let (receiver, url) = Receiver::start(500).await;
        let id = webhook(&admin, &url, json!(["batch-inserted"])).await["webhook_id"].clone();
        client.insert(1, items(1)).await;
        client.insert(2, items(1)).await;
        let shown = wait::until_async("a failure is shown", async || {
            Some(listed(&admin, &id).await).filter(|shown| shown["failing_since"].is_string())
        })
        .await;
        assert_eq!((&shown["dead_letters"], letters(&admin, &id).await.len()), (&json!(0), 0), "{shown}");
        server.kill();
        age(&server, &id).await;
        server.restart();
        until_letters(&Api::admin(&server), &id, 1).await;
        Self { server, receiver, id }
    }

    fn admin(&self) -> Api {
        Api::admin(&self.server)
    }

    async fn replay(&self, body: Value) -> crate::support::api::Answer {
        self.admin().post(&format!("admin/webhooks/{}/dead-letters/replay", self.id), body).await
    }
}

#[tokio::test]
async fn after_24_hours_the_next_event_is_posted_and_the_dead_letter_once_more_on_request() {
    let dead = Dead::start().await;
    let (admin, receiver) = (dead.admin(), &dead.receiver);
    let letter = letters(&admin, &dead.id).await.remove(0);
    let first = receiver.posts().remove(0);
    assert_eq!(letter["event"], first.json(), "the letter shows the event as it was posted");
    assert!(letter["last_error"].as_str().is_some_and(|error| error.contains("500")), "{letter}");
    assert_eq!(letter["replaying"], false, "{letter}");
    assert!(letter["first_failed_at"].as_str() < letter["died_at"].as_str(), "{letter}");
    let next = wait::until_async("the next event is tried", async || {
        receiver.posts().into_iter().find(|post| post.id != first.id)
    })
    .await;
    receiver.answer(200);
    receiver.wait_until_taken(&[next.seq()]).await;
    wait::until_async("the list shows it", async || {
        let shown = listed(&admin, &dead.id).await;
        let delivered = shown["delivered_seq"].as_i64() >= Some(next.seq());
        (delivered && shown["dead_letters"] == 1 && shown.get("failing_since").is_none()).then_some(())
    })
    .await;
    assert_eq!(dead.replay(json!({})).await.data(), json!({ "replaying_count": 1 }));
    until_letters(&admin, &dead.id, 0).await;
    // The id is the one of all tries, by which receivers recognise an event; the order of the others is kept.
    assert_eq!(receiver.taken(), [next.seq(), first.seq()]);
    let replayed = receiver.posts().pop().expect("a POST");
    assert_eq!((&replayed.id, &replayed.body), (&first.id, &first.body));
    assert_eq!(dead.replay(json!({})).await.data(), json!({ "replaying_count": 0 }));
    let audit = admin.get("admin/audit").await.data().to_string();
    assert!(audit.contains("ReplayDeadLetters"), "{audit}");
}

#[tokio::test]
async fn a_letter_that_is_refused_again_stays_and_delays_nothing() {
    let dead = Dead::start().await;
    let (admin, receiver) = (dead.admin(), &dead.receiver);
    let first = receiver.posts().remove(0);
    receiver.answer(503);
    assert_eq!(dead.replay(json!({ "seq": first.seq() })).await.data(), json!({ "replaying_count": 1 }));
    wait::until_async("the replay has failed", async || {
        let letter = letters(&admin, &dead.id).await.remove(0);
        let refused = letter["last_error"].as_str().is_some_and(|error| error.contains("503"));
        (refused && letter["replaying"] == false).then_some(())
    })
    .await;
    let unknown = dead.replay(json!({ "seq": first.seq() + 1_000_000 })).await;
    assert_eq!(unknown.status, 404, "{}", unknown.body);
    for (seq, field) in [(json!(0), "seq"), (json!(-4), "seq")] {
        let wrong = dead.replay(json!({ "seq": seq })).await;
        assert_eq!((wrong.status.as_u16(), &wrong.body["errors"][0]["field"]), (400, &json!(field)), "{}", wrong.body);
    }
    assert_eq!(admin.get("admin/webhooks/999/dead-letters").await.status, 404);
    let client = Api::sandbox(&dead.server);
    assert_eq!(client.get(&format!("admin/webhooks/{}/dead-letters", dead.id)).await.status, 403);
    receiver.answer(200);
    let last = client.insert(3, items(1)).await;
    wait::until_async("later events are posted", async || {
        receiver.posts().iter().any(|post| post.status == 200 && post.json()["queue_id"] == last).then_some(())
    })
    .await;
    assert_eq!(dead.replay(json!({ "seq": first.seq() })).await.status, 200);
    until_letters(&admin, &dead.id, 0).await;
    assert_eq!(receiver.taken().last(), Some(&first.seq()));
}

#[tokio::test]
async fn dead_letters_outlive_a_crash_in_the_middle_of_their_replay() {
    let mut dead = Dead::start().await;
    let first = dead.receiver.posts().remove(0);
    // The letter is marked, and the server is killed before the receiver accepts it.
    assert_eq!(dead.replay(json!({})).await.status, 200);
    dead.server.kill();
    assert_eq!(dead.receiver.taken(), Vec::<i64>::new());
    dead.receiver.answer(200);
    dead.server.restart();
    let admin = dead.admin();
    wait::until_async("the next event is posted", async || {
        dead.receiver.taken().iter().any(|seq| *seq != first.seq()).then_some(())
    })
    .await;
    // Whether it was refused before the crash or not, the letter is there until it is accepted.
    if letters(&admin, &dead.id).await.iter().any(|letter| letter["replaying"] == false) {
        assert_eq!(dead.replay(json!({})).await.status, 200);
    }
    until_letters(&admin, &dead.id, 0).await;
    let mut taken = dead.receiver.taken();
    taken.sort_unstable();
    assert_eq!((taken.len(), taken.first()), (2, Some(&first.seq())));
}

#[tokio::test]
async fn a_webhook_that_is_gone_replays_nothing_and_takes_its_letters_with_it() {
    let dead = Dead::start().await;
    let admin = dead.admin();
    dead.receiver.answer(410);
    wait::until_async("the webhook is disabled", async || {
        (listed(&admin, &dead.id).await["disabled"] == true).then_some(())
    })
    .await;
    let refused = dead.replay(json!({})).await;
    refused.error(409, "FAILED_PRECONDITION");
    assert_eq!(letters(&admin, &dead.id).await.len(), 1);
    assert_eq!(admin.delete(&format!("admin/webhooks/{}", dead.id)).await.status, 200);
    assert_eq!(admin.get(&format!("admin/webhooks/{}/dead-letters", dead.id)).await.status, 404);
}
