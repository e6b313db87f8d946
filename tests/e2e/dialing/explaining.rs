//! Tests explain in each of the situations that `docs/operations.md` lists.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{FOREVER, change, explain, set_kill_switch, set_status, until_it_holds};
use crate::support::api::{Api, item};
use crate::support::server::{Options, Server};
use crate::support::wait;

const OPERATIONS: &str = include_str!("../../../docs/operations.md");

/// The reasons that cannot be seen on a running server: the request of a disabled client is refused.
const NOT_ASKED: [&str; 1] = ["client-disabled"];

/// Returns the documented reasons, each with the words that its text contains.
fn documented() -> BTreeMap<String, String> {
    let section = OPERATIONS.split("## Why calls wait").nth(1).expect("the section");
    // Later sections have tables of their own.
    let section = section.split("\n## ").next().expect("a text");
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        (cells[1].trim_matches('`').to_owned(), cells[2].to_owned())
    })
    .collect()
}

struct Asked {
    server: Server,
    client: Api,
    batches: i64,
    seen: BTreeMap<String, String>,
}

impl Asked {
    async fn queue(&mut self, channel: &str, calls: usize) -> i64 {
        self.batches += 1;
        self.client.insert(self.batches, vec![item("server1", channel, "1000"); calls]).await
    }

    /// Waits until explain gives this reason for calls of the queue, and keeps its text.
    async fn see(&mut self, queue: i64, reason: &str) -> Value {
        let mut last = Value::Null;
        let found = wait::until_async(&format!("explain says {reason}"), async || {
            last = explain(&self.client, queue).await;
            let reasons = last["reasons"].as_array().expect("a list");
            let total: i64 = reasons.iter().filter_map(|reason| reason["calls"].as_i64()).sum();
            assert_eq!(Some(total), last["waiting"].as_i64(), "{last}");
            reasons.iter().find(|found| found["reason"] == reason).cloned()
        })
        .await;
        self.seen.insert(reason.to_owned(), found["text"].as_str().expect("a text").to_owned());
        found
    }

    /// Does the same after a change of the store, which it then reverts.
    async fn see_while(&mut self, queue: i64, sql: &str, back: &str, reason: &str) -> Value {
        change(&self.server, sql);
        let found = self.see(queue, reason).await;
        change(&self.server, back);
        found
    }
}

#[tokio::test]
async fn explain_tells_each_reason_in_the_words_that_are_documented() {
    let server = Options::default().arg("--sandbox").start();
    let client = Api::sandbox(&server);
    let mut asked = Asked { server, client, batches: 0, seen: BTreeMap::new() };

    // One call never ends, so that every limit of one is reached.
    let live = asked.queue(FOREVER, 1).await;
    wait::until_async("it is answered", async || {
        (asked.client.queue(live).await["counts"]["answered"] == 1).then_some(())
    })
    .await;
    let no_server_limit = "UPDATE servers SET max_channels = 200, calls_per_second = 50, trunks = '[]'";
    let no_client_limit = "UPDATE clients SET limits = '{}'";
    let no_grant_limit = "UPDATE grants SET max_live_calls = NULL, calls_per_second = NULL";

    change(&asked.server, "UPDATE servers SET max_channels = 1");
    let queue = asked.queue(FOREVER, 100).await;
    let full = asked.see(queue, "server-channels").await;
    assert_eq!(
        (&full["limit"], &full["limit_name"], &full["calls"]),
        (&json!(1.0), &json!("max_channels"), &json!(100))
    );

    set_kill_switch(&asked.server, true);
    let killed = asked.see(queue, "kill-switch").await;
    assert!(killed["text"].as_str().is_some_and(|text| text.ends_with(": a fire drill")), "{killed}");
    set_kill_switch(&asked.server, false);
    set_status(&asked.client, queue, "paused").await;
    asked.see(queue, "queue-paused").await;
    set_status(&asked.client, queue, "completed").await;
    asked.see(queue, "queue-completed").await;
    set_status(&asked.client, queue, "in-progress").await;
    let granted = "INSERT INTO grants (client_id, server_code) SELECT id, 'server1' FROM clients";
    asked.see_while(queue, "DELETE FROM grants", granted, "not-granted").await;
    asked.see_while(queue, "UPDATE leases SET expires_at = 1", "", "server-unowned").await;
    asked.see_while(queue, "UPDATE leases SET held = NULL", "", "not-read-yet").await;

    let one_live = r#"UPDATE clients SET limits = '{"max_live_calls":1}'; UPDATE servers SET max_channels = 200"#;
    asked.see_while(queue, one_live, no_client_limit, "client-live-calls").await;
    change(&asked.server, &format!("UPDATE queues SET status = 2 WHERE id = {queue}"));

    // From here on the limit is set before the calls are inserted, so that some are left when it is reached.
    for (limit, reason) in [
        ("max_live_calls = 1", "queue-live-calls"),
        ("calls_per_second = 0.01", "queue-pace"),
        (r#"windows = '{"windows":[{"days":[],"from":0,"to":0}]}'"#, "outside-window"),
    ] {
        set_kill_switch(&asked.server, true);
        let queue = asked.queue(FOREVER, 5).await;
        change(&asked.server, &format!("UPDATE queues SET {limit} WHERE id = {queue}"));
        until_it_holds().await;
        set_kill_switch(&asked.server, false);
        asked.see(queue, reason).await;
    }
    for (sql, back, reason) in [
        (r#"UPDATE clients SET limits = '{"calls_per_second":0.01}'"#, no_client_limit, "client-pace"),
        ("UPDATE grants SET max_live_calls = 1", no_grant_limit, "grant-live-calls"),
        ("UPDATE grants SET calls_per_second = 0.01", no_grant_limit, "grant-pace"),
        (
            r#"UPDATE servers SET trunks = '[{"trunk":"endpoint1","max_channels":1}]'"#,
            no_server_limit,
            "trunk-channels",
        ),
        (
            r#"UPDATE servers SET trunks = '[{"trunk":"endpoint1","calls_per_second":0.01}]'"#,
            no_server_limit,
            "trunk-pace",
        ),
        ("UPDATE servers SET calls_per_second = 0.01", no_server_limit, "ready"),
        (
            r#"UPDATE clients SET limits = '{"max_calls_per_destination_per_day":1}'"#,
            no_client_limit,
            "destination-limit",
        ),
        // One call was begun today at least.
        (r#"UPDATE clients SET limits = '{"max_calls_per_day":1}'"#, no_client_limit, "client-calls-per-day"),
        (
            r#"INSERT INTO client_days SELECT 1, 'server0', unixepoch() / 86400, 0, 60;
               UPDATE clients SET limits = '{"max_minutes_per_day":1}'"#,
            no_client_limit,
            "client-minutes-per-day",
        ),
        // What the client has called today is new to it as long as it is braked.
        (
            "UPDATE client_brakes SET learns_from = 1, braked_at = unixepoch() * 1000, version = version + 1",
            "UPDATE client_brakes SET learns_from = unixepoch() * 1000, braked_at = NULL, version = version + 1",
            "new-destinations",
        ),
    ] {
        set_kill_switch(&asked.server, true);
        change(&asked.server, sql);
        until_it_holds().await;
        let queue = asked.queue(FOREVER, 5).await;
        set_kill_switch(&asked.server, false);
        asked.see_while(queue, "", back, reason).await;
    }

    asked.batches += 1;
    let mut own_id = item("server1", FOREVER, "1000");
    own_id["action"]["ChannelId"] = json!("my-channel");
    let queue = asked.client.insert(asked.batches, vec![own_id.clone(), own_id]).await;
    asked.see(queue, "channel-id-busy").await;

    let mut busy = item("server1", "PJSIP/1234567801@endpoint1", "1");
    busy["retry"] = json!(1);
    asked.batches += 1;
    let queue = asked.client.insert(asked.batches, vec![busy]).await;
    assert!(asked.see(queue, "retry-later").await["until"].is_string());

    change(&asked.server, "UPDATE servers SET calls_per_second = 5");
    let queue = asked.queue("PJSIP/1234567803@endpoint1", 100).await;
    asked.see(queue, "backing-off").await;

    // Nothing listens on this port.
    change(&asked.server, "UPDATE servers SET port = 1");
    let offline = asked.see(queue, "server-offline").await;
    assert!(!offline["text"].as_str().is_some_and(|text| text.contains("127.0.0.1")), "{offline}");
    let admin = Api::admin(&asked.server);
    let error = wait::until_async("an administrator is shown why", async || {
        admin.get("admin/servers/server1").await.data()["last_error"].as_str().map(str::to_owned)
    })
    .await;
    assert!(error.contains("cannot connect to 127.0.0.1:1"), "{error}");

    let documented = documented();
    for (reason, text) in &asked.seen {
        let words = documented.get(reason).unwrap_or_else(|| panic!("{reason} is not documented"));
        assert!(text.contains(words.as_str()), "{reason} says {text:?}, and is documented as {words:?}");
    }
    let unseen = documented.keys().filter(|reason| !asked.seen.contains_key(*reason));
    assert_eq!(unseen.collect::<Vec<_>>(), NOT_ASKED);
}
