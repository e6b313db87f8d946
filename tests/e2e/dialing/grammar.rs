//! Follows the items of `tests/data/dial_policy` to the wire: what Asterisk gets is what the parsers wrote, and an item
//! that was put into the store by hand gets no further than one that was posted.

use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};
use trunkline::sandbox::{self, Handle};

use super::change;
use crate::support::api::{Api, item, wait_until_online};
use crate::support::dial_corpus::{self, HOSTILE, LEGITIMATE, by_policy};
use crate::support::server::{Options, Server};

struct Setup {
    server: Server,
    asterisk: Handle,
    _stop: DropGuard,
}

impl Setup {
    async fn start() -> Self {
        let stop = CancellationToken::new();
        let options = sandbox::Options {
            listen: "127.0.0.1:0".parse().unwrap(),
            username: "dialer".into(),
            secret: "hush".into(),
            seed: 1,
            speed: 100.0,
        };
        let asterisk = sandbox::start(options, stop.clone()).await.unwrap();
        let server = Options::default().start();
        let settings = json!({
            "code": "server1", "host": "127.0.0.1", "port": asterisk.address.port(), "username": "dialer",
            "secret": "hush", "max_channels": 500, "calls_per_second": 1000, "recording_dirs": ["/recordings"],
        });
        let admin = Api::admin(&server);
        admin.post("admin/servers", settings).await.data();
        wait_until_online(&admin, "server1").await;
        Self { server, asterisk, _stop: stop.drop_guard() }
    }

    async fn client(&self, name: usize, policy: &str) -> Api {
        dial_corpus::client(&self.server, name, policy).await
    }
}

/// Returns what is stored of an item, without any check.
fn stored(item: &Value) -> Value {
    let action = &item["action"];
    let text = |name: &str| action[name].as_str().unwrap_or_default();
    let target = match action["Application"].as_str() {
        Some(name) => json!({ "application": { "name": name, "data": text("Data") } }),
        None => json!({ "extension": {
            "context": text("Context"), "exten": text("Exten"), "priority": action["Priority"].as_str().unwrap_or("1"),
        } }),
    };
    let mut spec = json!({
        "channel": action["Channel"], "target": target, "timeout_ms": 30000,
        "account": action["Account"].as_str().unwrap_or("acme"),
    });
    for (from, to) in [("CallerID", "caller_id"), ("ChannelId", "channel_id"), ("OtherChannelId", "other_channel_id")] {
        if let Some(text) = action[from].as_str() {
            spec[to] = json!(text);
        }
    }
    if !action["variables"].is_null() {
        spec["variables"] = action["variables"].clone();
    }
    if item["create_recording"] == true {
        let mut command = item["mix_monitor_command"].as_str().unwrap_or_default().splitn(3, ',');
        let file = command.next().and_then(|file| file.strip_prefix("MixMonitor "));
        let path = item["recording_path"].as_str().or(file).unwrap_or("/etc/x");
        spec["recording"] = json!({ "path": path, "options": command.next(), "command": command.next() });
    }
    spec
}

#[tokio::test]
async fn what_is_put_into_the_store_by_hand_is_not_dialed() {
    let mut setup = Setup::start().await;
    let admin = Api::admin(&setup.server);
    admin.post("admin/kill-switch", json!({ "engaged": true, "reason": "nothing is dialed yet" })).await.data();
    let (mut queues, mut sql) = (Vec::new(), String::from("BEGIN;"));
    for (index, (policy, rows)) in by_policy(HOSTILE).iter().enumerate() {
        let client = setup.client(index, policy).await;
        let fine = json!({ "technologies": ["PJSIP"] });
        let client_id = client.get("clients/test-connection").await.data()["client_id"].clone();
        // The calls are inserted under a policy that allows them, and changed while the server is down.
        admin.patch(&format!("admin/clients/{client_id}"), json!({ "policy": fine })).await.data();
        let items = rows.iter().map(|_| item("server1", "PJSIP/4930@endpoint1", "1")).collect();
        let queue = client.insert(1, items).await;
        let policy: Value = serde_json::from_str(policy).unwrap();
        admin.patch(&format!("admin/clients/{client_id}"), json!({ "policy": policy })).await.data();
        for (position, row) in rows.iter().enumerate() {
            let spec = stored(&row["item"]).to_string().replace('\'', "''");
            sql +=
                &format!("UPDATE calls SET plan = '{spec}' WHERE queue_id = {queue} AND position = {};", position + 1);
        }
        queues.push((client, queue, rows.clone()));
    }
    assert!(setup.server.stop().success());
    change(&setup.server, &(sql + "COMMIT;"));
    setup.server.restart();
    let admin = admin.at(&setup.server);
    admin.post("admin/kill-switch", json!({ "engaged": false })).await.data();
    let mut wrong = Vec::new();
    for (client, queue, rows) in queues {
        let client = client.at(&setup.server);
        client.wait_until_completed(queue).await;
        for (call, row) in client.calls(queue).await.iter().zip(rows) {
            if call["outcome"] != "rejected" {
                wrong.push(format!("{}: {} ended {}", row["kind"], row["item"], call["outcome"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(setup.asterisk.originated(), [], "nothing reached Asterisk");
}

#[tokio::test]
async fn what_asterisk_gets_is_what_the_parsers_wrote() {
    let setup = Setup::start().await;
    for (index, (policy, rows)) in by_policy(LEGITIMATE).iter().enumerate() {
        let client = setup.client(index, policy).await;
        for (number, row) in rows.iter().enumerate() {
            let before = setup.asterisk.originated().len();
            let number = i64::try_from(number).unwrap();
            let queue = client.insert(number + 1, vec![row["item"].clone()]).await;
            client.wait_until_completed(queue).await;
            let sent = setup.asterisk.originated().split_off(before);
            let (channel, data) = (row["channel"].as_str().unwrap(), row["data"].as_str().unwrap());
            assert_eq!(sent.iter().map(|one| one.channel.as_str()).collect::<Vec<_>>(), [channel], "{row}");
            let application = sent[0].data.as_str();
            let expected =
                if row["item"]["action"]["Application"].is_null() { sent[0].exten.as_str() } else { application };
            assert_eq!(expected, data, "{row}");
        }
    }
}

#[tokio::test]
async fn no_client_keeps_anothers_call_waiting_by_its_channel_id() {
    let setup = Setup::start().await;
    let (one, other) = (setup.client(1, "{}").await, setup.client(2, "{}").await);
    let with_id = |id: &str, channel: &str| {
        let mut item = item("server1", channel, "1");
        item["action"]["ChannelId"] = json!(id);
        item
    };
    // The attacker's phone rings until its call is hung up, and its id begins with the one that it guessed.
    let blocking = one.insert(1, vec![with_id("channel-123-x", super::FOREVER)]).await;
    crate::support::wait::until_async("the attacker's call is live", async || {
        (!setup.asterisk.live().await.is_empty()).then_some(())
    })
    .await;
    let queue = other.insert(1, vec![with_id("channel-123", "PJSIP/4930@endpoint1")]).await;
    other.wait_until_completed(queue).await;
    assert_eq!(other.calls(queue).await[0]["outcome"], "answered");
    let sent = setup.asterisk.originated();
    assert!(sent[1].channel_id.starts_with("channel-123-") && sent[1].channel_id.len() > 40, "{sent:?}");
    assert_eq!(one.queue(blocking).await["queue_status"], "in-progress", "the other call still rings");
}
