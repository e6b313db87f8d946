//! Tests how fast calls begin and how many are live at one time.

use serde_json::{Value, json};
use trunkline::store;
use trunkline::store::secrets::{Keyring, Place, Sealer};
use trunkline::store::{sealed, servers};

use super::{FOREVER, begun, change, set_kill_switch, set_status, until_it_holds};
use crate::support::api::{Api, item};
use crate::support::server::{Options, Server};
use crate::support::wait;

/// A number that answers soon and stays until its application ends.
const SHORT: &str = "PJSIP/1234567890@endpoint1";

fn start() -> Server {
    Options::default().arg("--sandbox").arg("--sandbox-speed").arg("20").start()
}

#[tokio::test]
async fn the_kill_switch_stops_all_at_once_and_lets_all_go_on() {
    let server = start();
    let client = Api::sandbox(&server);
    change(&server, "UPDATE servers SET calls_per_second = 20");
    let queue = client.insert(1, vec![item("server1", SHORT, "0"); 200]).await;
    wait::until_async("calls begin", async || (begun(&client, queue).await > 3).then_some(())).await;
    set_kill_switch(&server, true);
    // From its commit on no claim is granted, so no more calls begin.
    let stopped = begun(&client, queue).await;
    assert!(stopped < 200, "the kill switch was engaged too late to stop any call");
    wait::until_async("live calls end by themselves", async || {
        let counts = client.queue(queue).await["counts"].clone();
        (counts["dialing"] == 0 && counts["ringing"] == 0 && counts["answered"] == 0).then_some(())
    })
    .await;
    assert_eq!(begun(&client, queue).await, stopped);
    set_kill_switch(&server, false);
    change(&server, "UPDATE servers SET calls_per_second = 1000");
    assert_eq!(client.wait_until_completed(queue).await["counts"]["completed"], 200);
}

#[tokio::test]
async fn a_paused_queue_dials_nothing_new_and_another_goes_on() {
    let server = start();
    let client = Api::sandbox(&server);
    change(&server, "UPDATE servers SET calls_per_second = 20");
    let queue = client.insert(1, vec![item("server1", SHORT, "0"); 200]).await;
    wait::until_async("calls begin", async || (begun(&client, queue).await > 3).then_some(())).await;
    set_status(&client, queue, "paused").await;
    let paused = begun(&client, queue).await;
    // Calls of other queues begin and end one after the other, so that calls of the paused queue would have begun, too.
    for batch in 2..6 {
        let other = client.insert(batch, vec![item("server1", SHORT, "0")]).await;
        client.wait_until_completed(other).await;
    }
    assert_eq!(begun(&client, queue).await, paused);
    set_status(&client, queue, "in-progress").await;
    wait::until_async("it dials again", async || (begun(&client, queue).await > paused).then_some(())).await;
}

#[tokio::test]
async fn limits_are_never_exceeded_and_no_permit_leaks() {
    let server = start();
    let client = Api::sandbox(&server);
    change(
        &server,
        r#"UPDATE servers SET max_channels = 10, calls_per_second = 500, trunks = '[{"trunk":"endpoint2","max_channels":3}]';
           UPDATE clients SET limits = '{"max_live_calls":8}'"#,
    );
    until_it_holds().await;
    // Answered, busy, congested and refused calls: each releases its permit, whatever its outcome.
    let numbers = ["90@endpoint1", "01@endpoint2", "04@endpoint1", "90@endpoint2", "08@endpoint1", "07@endpoint2"];
    let mixed = |count: usize| -> Vec<Value> {
        let number = |index: usize| format!("PJSIP/12345678{}", numbers[index % numbers.len()]);
        (0..count).map(|index| item("server1", &number(index), "0.5")).collect()
    };
    let limited = client.insert(2, vec![item("server1", SHORT, "60")]).await;
    change(&server, &format!("UPDATE queues SET max_live_calls = 4 WHERE id = {limited}"));
    client
        .post("queues/insertdataincallqueue", json!({ "queue_id": limited, "batch_id": 3, "data": mixed(60) }))
        .await
        .data();
    let other = client.insert(4, mixed(60)).await;
    for queue in [limited, other] {
        client.wait_until_completed(queue).await;
    }
    let (limited, other) = (client.calls(limited).await, client.calls(other).await);
    let all: Vec<Value> = limited.iter().chain(&other).cloned().collect();
    let through = |trunk: &str| -> Vec<Value> {
        all.iter().filter(|call| call["channel"].as_str().is_some_and(|text| text.ends_with(trunk))).cloned().collect()
    };
    assert_eq!(all.len(), 121);
    assert!(most_at_once(&limited) <= 4, "{}", most_at_once(&limited));
    assert!(most_at_once(&through("endpoint2")) <= 3);
    let most = most_at_once(&all);
    assert!((4..=8).contains(&most), "the client's limit of 8 is not used or not kept: {most} live calls");
}

#[tokio::test]
async fn thousands_of_calls_of_a_full_trunk_keep_none_of_another_waiting() {
    let server = start();
    let client = Api::sandbox(&server);
    let full = r#"[{"trunk":"endpoint1","max_channels":1},{"trunk":"endpoint3","max_channels":1}]"#;
    change(&server, &format!("UPDATE servers SET trunks = '{full}'"));
    until_it_holds().await;
    // Each of two trunks has more calls than a lane buffers of a blocked queue, first one trunk's and then the other's.
    let queue = client.insert(1, vec![item("server1", FOREVER, "1000"); 1000]).await;
    let more = async |batch: i64, items: Vec<Value>| {
        let batch = json!({ "queue_id": queue, "batch_id": batch, "data": items });
        client.post("queues/insertdataincallqueue", batch).await.data();
    };
    for batch in 2..=3 {
        more(batch, vec![item("server1", FOREVER, "1000"); 1000]).await;
    }
    for batch in 4..=8 {
        more(batch, vec![item("server1", "PJSIP/1234567806@endpoint3", "1000"); 1000]).await;
    }
    more(9, vec![item("server1", "PJSIP/1234567890@endpoint2", "0"); 20]).await;
    wait::until_async("all calls of the other trunk have ended", async || {
        (client.queue(queue).await["counts"]["completed"] == 20).then_some(())
    })
    .await;
    assert_eq!(begun(&client, queue).await, 22);
}

#[tokio::test]
async fn a_lane_that_restarts_releases_no_permit_of_a_live_call() {
    let server = start();
    let (client, admin) = (Api::sandbox(&server), Api::admin(&server));
    change(
        &server,
        r#"CREATE TEMP TABLE other AS SELECT * FROM servers;
           UPDATE other SET code = 'server2';
           INSERT INTO servers SELECT * FROM other;
           INSERT INTO grants (client_id, server_code) SELECT client_id, 'server2' FROM grants;
           UPDATE clients SET limits = '{"max_live_calls":2}'"#,
    );
    seal_anew(&server, "server1", "server2").await;
    let held = client.insert(1, vec![item("server2", FOREVER, "1000")]).await;
    wait::until_async("one call is live on the other server", async || {
        (client.queue(held).await["counts"]["answered"] == 1).then_some(())
    })
    .await;
    let queue = client.insert(2, vec![item("server1", SHORT, "0.5"); 40]).await;
    // Its lane is released and starts again while the first server's lane has calls for every permit.
    for host in ["localhost", "127.0.0.1"].into_iter().cycle().take(6) {
        let before = begun(&client, queue).await;
        admin.patch("admin/servers/server2", json!({ "host": host })).await.data();
        wait::until_async("more calls begin", async || (begun(&client, queue).await > before + 1).then_some(())).await;
    }
    client.wait_until_completed(queue).await;
    assert_eq!(client.queue(held).await["counts"]["answered"], 1, "the first call was live all the time");
    assert_eq!(most_at_once(&client.calls(queue).await), 1, "the call on the other server holds the second permit");
}

/// Gives a server the secret of another one. It is sealed for the row that it is in.
async fn seal_anew(server: &Server, from: &str, to: &str) {
    let key = std::fs::read_to_string(server.data_dir().join("secret.key")).expect("a key");
    let sealer = Sealer::new(Keyring::from_base64(&key.trim().into(), &[]).expect("a key"));
    let db = store::open(&format!("sqlite://{}", server.data_dir().join("trunkline.db").display())).expect("a store");
    let mut tx = db.begin().await.expect("a transaction");
    let found = servers::list(&mut tx).await.expect("servers").into_iter().find(|it| it.code == from);
    let secret = sealer.open(&found.expect("the server").secret, &Place::Server(from.to_owned())).expect("a secret");
    let to = Place::Server(to.to_owned());
    sealed::replace(&mut tx, &to, &sealer.seal(&secret, &to).expect("a sealed secret")).await.expect("an update");
    tx.commit().await.expect("a commit");
}

/// Returns the largest number of calls that were live at one time. A call that ends at the moment at which another
/// begins makes room for it.
fn most_at_once(calls: &[Value]) -> i64 {
    let mut changes: Vec<(String, i64)> = Vec::new();
    for call in calls {
        let time = |name: &str| call[name].as_str().expect("a time").to_owned();
        changes.push((sortable(&time("started_at")), 1));
        changes.push((sortable(&time("ended_at")), -1));
    }
    changes.sort();
    let mut live = 0;
    changes
        .into_iter()
        .map(|(_, change)| {
            live += change;
            live
        })
        .max()
        .unwrap_or(0)
}

/// Formats a time as RFC 3339 with milliseconds, so that the texts sort like the times.
fn sortable(time: &str) -> String {
    let time = time.trim_end_matches('Z');
    let (seconds, fraction) = time.split_once('.').unwrap_or((time, ""));
    format!("{seconds}.{fraction:0<9}")
}

#[tokio::test]
async fn a_small_queue_ends_long_before_a_large_one_that_came_first() {
    let server = start();
    let client = Api::sandbox(&server);
    change(&server, "UPDATE servers SET calls_per_second = 20");
    until_it_holds().await;
    let large = client.insert(1, vec![item("server1", SHORT, "0"); 1000]).await;
    wait::until_async("calls of the large queue begin", async || (begun(&client, large).await > 3).then_some(())).await;
    let small = client.insert(2, vec![item("server1", SHORT, "0"); 10]).await;
    let before = begun(&client, large).await;
    client.wait_until_completed(small).await;
    let meanwhile = begun(&client, large).await - before;
    assert!(meanwhile < 150, "{meanwhile} calls of the large queue began during the 10 of the small queue");
}

#[tokio::test]
async fn limits_are_changed_under_a_running_lane() {
    let server = start();
    let client = Api::sandbox(&server);
    change(&server, "UPDATE servers SET max_channels = 2");
    until_it_holds().await;
    let queue = client.insert(1, vec![item("server1", FOREVER, "1000"); 10]).await;
    wait::until_async("two are live", async || (begun(&client, queue).await >= 2).then_some(())).await;
    // Long enough for the others to begin as well if there were room.
    until_it_holds().await;
    assert_eq!(begun(&client, queue).await, 2);
    change(&server, "UPDATE servers SET max_channels = 20");
    wait::until_async("all are live", async || (begun(&client, queue).await == 10).then_some(())).await;
    let text = server.output().text();
    assert!(!text.contains("the lane is released"), "a change of limits ended the lane: {text}");
    assert_eq!(text.matches("logged in to Asterisk").count(), 1, "a change of limits dropped the connection: {text}");
}
