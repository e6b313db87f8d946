//! Tests what only Asterisk knows: channel id conflicts with other managers, and whether it answers at all.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::{details, get, place, wait_for};
use crate::support::api::{Api, client_of, client_of_asterisk, item};
use crate::support::asterisk::{Asterisk, Version};
use crate::support::process::Process;
use crate::support::server::{Server, trunkline};
use crate::support::wait;

/// Another manager's channel has an id that our tracker does not know.
async fn a_channel_id_conflict_makes_the_call_wait(asterisk: Asterisk, taken: &str) {
    let server = Server::start();
    let client = client_of_asterisk(&server, &asterisk, 10.0).await;
    let holder = [
        ("Action", "Originate"),
        ("Channel", "Local/4@talk/n"),
        ("ChannelId", taken),
        ("Async", "true"),
        ("Application", "Wait"),
        ("Data", "30"),
    ];
    asterisk.ami().send(&holder).expect("sent");
    assert!(asterisk.witness().wait_for_originates(1)[0].answered);
    let mut own = item("ast", "Local/100@answer/n", "1");
    own["action"]["ChannelId"] = json!("channel-123");
    let unlike = item("ast", "PJSIP/unknown", "1");
    let ids = place(&client, vec![own, unlike]).await;
    let call = wait_for(&client, &ids[0], "completed").await;
    let seen = (&call["outcome"], &call["attempts"], &call["channel_id"]);
    assert_eq!(seen, (&json!("answered"), &json!(1), &json!("channel-123")), "{call}");
    let notes = details(&call, "note");
    assert!(!notes.is_empty() && notes.iter().all(|note| note.contains("the call waits")), "{notes:?}");
    // The other failure with the same signs is a real one.
    let failed = get(&client, &ids[1]).await;
    assert_eq!((&failed["status"], &failed["outcome"]), (&json!("failed"), &json!("failed")), "{failed}");
}

#[tokio::test]
async fn on_asterisk_22_the_beginning_of_a_live_id_makes_the_call_wait() {
    let Some(asterisk) = Asterisk::start(Version::V22) else { return };
    a_channel_id_conflict_makes_the_call_wait(asterisk, "channel-12345").await;
}

#[tokio::test]
async fn on_asterisk_16_the_whole_of_a_live_id_makes_the_call_wait() {
    let Some(asterisk) = Asterisk::start(Version::V16) else { return };
    a_channel_id_conflict_makes_the_call_wait(asterisk, "channel-123").await;
}

on_both_releases!(calls_are_followed_while_the_store_is_away_for_longer_than_a_lease);

/// No other node can follow the calls meanwhile, and their events are stored when the store is back.
async fn calls_are_followed_while_the_store_is_away_for_longer_than_a_lease(asterisk: Asterisk) {
    let server = Server::start();
    let client = client_of_asterisk(&server, &asterisk, 10.0).await;
    let ids = place(&client, ["Local/20@slow/n", "Local/20@slow/n"].map(|far| item("ast", far, "1")).into()).await;
    for id in &ids {
        wait_for(&client, id, "ringing").await;
    }
    let held = server.hold_store().await;
    asterisk.wait_until_idle();
    drop(held);
    for id in &ids {
        let call = wait_for(&client, id, "completed").await;
        assert_eq!((&call["outcome"], &call["attempts"]), (&json!("answered"), &json!(1)), "{call}");
    }
    // The lane continues to dial without a new lease.
    let queue = client.insert(2, vec![item("ast", "Local/100@answer/n", "1")]).await;
    client.wait_until_completed(queue).await;
}

/// The kernel still accepts connections to a stopped process, so that only its silence shows that it is stopped.
#[tokio::test]
async fn an_asterisk_that_accepts_everything_and_does_not_answer_is_detected_and_drained() {
    let mut command = trunkline();
    command.args(["sandbox", "--listen", "127.0.0.1:0", "--speed", "10"]);
    let mut sandbox = Process::spawn("trunkline sandbox", &command);
    let port = sandbox.wait_for("listening", |line| line.strip_prefix("sandbox listening on 127.0.0.1:")?.parse().ok());
    let port: u16 = port;
    let server = Server::start();
    let client = client_of(
        &server,
        json!({
            "code": "ast", "host": "127.0.0.1", "port": port, "username": "dialer", "secret": "dialer-secret",
            "dial_template": "PJSIP/{number}", "max_channels": 100, "calls_per_second": 20.0, "recording_dirs": [],
        }),
    )
    .await;
    let queue = client.insert(1, vec![item("ast", "PJSIP/1234567890@endpoint1", "1"); 200]).await;
    wait::until_async("calls are live", async || {
        (client.queue(queue).await["counts"]["completed"].as_i64()? > 5).then_some(())
    })
    .await;
    let signal = |signal| kill_process(Pid::from_raw(sandbox.pid() as i32).expect("a pid"), signal).expect("signalled");
    signal(Signal::STOP);
    let admin = Api::admin(&server);
    let found = wait::until_async("the server is offline", async || {
        Some(admin.get("admin/servers/ast").await.data()).filter(|server| server["status"] == "offline")
    })
    .await;
    assert!(found["last_error"].as_str().is_some_and(|why| why.contains("no answer to")), "{found}");
    // The lane sends 20 a second for the two seconds that an answer may take, not for the ten until the connection
    // ends.
    let counts = client.queue(queue).await["counts"].clone();
    let sent = 200 - counts["queued"].as_i64().expect("a count");
    assert!(sent < 150, "{counts}");
    signal(Signal::CONT);
    let done = client.wait_until_completed(queue).await;
    for call in client.calls(queue).await {
        assert_eq!(call["attempts"], 1, "{call}");
        assert!(call["status"] == "completed" || call["status"] == "unknown", "{call}");
    }
    assert!(done["counts"]["completed"].as_i64() > Some(100), "{done}");
}
