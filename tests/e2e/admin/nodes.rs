//! Tests `nodes`: their names, and draining.

use serde_json::json;

use trunkline::store::{self, servers};

use super::{Setup, node_name, to};
use crate::support::api::{Api, wait_until_online};
use crate::support::postgres::Postgres;
use crate::support::server::Options;

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

    // A restart does not resume the node.
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

#[tokio::test]
async fn two_servers_of_one_host_are_two_nodes_and_leave_each_others_lanes_alone() {
    let Some(mut postgres) = Postgres::start() else { return };
    let database = postgres.create_database();
    let node = |options: Options| {
        options
            .env("TRUNKLINE_DATABASE_URL", &database)
            .env("TRUNKLINE_SECRET_KEY", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
            .start()
    };
    let mut first = node(Options::default().arg("--sandbox"));
    let (admin, client) = (Api::admin(&first), Api::sandbox(&first));
    wait_until_online(&admin, "server1").await;
    let name = node_name(&admin).await;
    let second = node(Options::default());
    let nodes = admin.get("admin/nodes").await.data();
    let names: Vec<&str> =
        nodes["results"].as_array().unwrap().iter().map(|node| node["name"].as_str().unwrap()).collect();
    assert_eq!(names, [name.as_str(), &format!("{name}-2")]);
    assert!(second.output().text().contains("TRUNKLINE_NODE_NAME"), "the log names the variable that sets the name");
    let queue = client.insert(1, vec![to("1234567801")]).await;
    client.wait_until_completed(queue).await;
    let db = store::open(&database).unwrap();
    let state = servers::states(&mut db.read().await.unwrap(), Some("server1")).await.unwrap().remove(0);
    let lease = state.lease.unwrap();
    assert_eq!((lease.node.as_str(), lease.epoch), (name.as_str(), 1));

    // The name of a killed process is free for the next one at once.
    first.restart();
    let nodes = admin.at(&first).get("admin/nodes").await.data();
    assert_eq!(nodes["count"], 2, "{nodes}");
}
