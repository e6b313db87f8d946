//! `nodes`.

use serde_json::json;

use super::{Setup, node_name, to};
use crate::support::api::wait_until_online;

#[tokio::test]
async fn a_node_is_alive_and_owns_the_servers_it_dials_through() {
    let setup = Setup::start().await;
    wait_until_online(&setup.admin, "server1").await;
    let nodes = setup.admin.get("admin/nodes").await.data();
    let node = &nodes["results"][0];
    assert_eq!((&nodes["count"], &node["alive"], &node["draining"]), (&json!(1), &json!(true), &json!(false)));
    assert_eq!((&node["servers"], &node["version"]), (&json!(["server1"]), &json!(env!("CARGO_PKG_VERSION"))));
    assert!(node["seen_at"].is_string() && node["started_at"].is_string(), "{node}");
}

#[tokio::test]
async fn a_drained_node_dials_nothing_new_until_it_is_resumed() {
    let mut setup = Setup::start().await;
    setup.drain().await;
    let status = setup.admin.get("admin/servers/server1").await.data()["status"].clone();
    assert_eq!(status, "draining");
    let queue = setup.client.insert(1, vec![to("1234567801")]).await;

    // A restart is no resumption.
    setup.server.restart();
    let (admin, client) = (setup.admin.at(&setup.server), setup.client.at(&setup.server));
    let node = admin.get("admin/nodes").await.data()["results"][0].clone();
    assert_eq!((&node["draining"], &node["servers"]), (&json!(true), &json!([])));
    assert_eq!(client.queue(queue).await["counts"]["queued"], 1);

    let resumed = admin.post(&format!("admin/nodes/{}/resume", node_name(&admin).await), json!({})).await.data();
    assert_eq!(resumed["draining"], false);
    assert_eq!(client.wait_until_completed(queue).await["counts"]["failed"], 1);
    admin.post("admin/nodes/nosuch/drain", json!({})).await.error(404, "NOT_FOUND");
}
