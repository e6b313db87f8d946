//! The methods of `AdminService` for the nodes that share the store.

use serde_json::json;

use crate::api::Error;
use crate::api::grpc::app::App;
use crate::api::grpc::change::Change;
use crate::api::grpc::changed::Changed;
use crate::api::grpc::convert;
use crate::api::grpc::unary::count;
use crate::domain::time::Millis;
use crate::pb;
use crate::store::{Conn, nodes};

/// Returns the nodes that share the store (`AdminService.ListNodes`).
pub async fn list(app: App, _: pb::ListNodesRequest) -> Result<pb::ListNodesResponse, Error> {
    let results = all(&mut app.db.read().await?).await?;
    Ok(pb::ListNodesResponse { count: count(&results), results })
}

/// Makes a node hand over its servers (`AdminService.DrainNode`).
pub async fn drain(change: Change, request: pb::DrainNodeRequest) -> Result<pb::DrainNodeResponse, Error> {
    Ok(pb::DrainNodeResponse { node: Some(set(change, &request.name, true).await?) })
}

/// Lets a drained node take servers again (`AdminService.ResumeNode`).
pub async fn resume(change: Change, request: pb::ResumeNodeRequest) -> Result<pb::ResumeNodeResponse, Error> {
    Ok(pb::ResumeNodeResponse { node: Some(set(change, &request.name, false).await?) })
}

async fn set(change: Change, name: &str, draining: bool) -> Result<pb::Node, Error> {
    let missing = || Error::NotFound(format!("node {name}"));
    let mut tx = change.begin().await?;
    let before = nodes::is_draining(&mut tx, name).await?;
    if !nodes::set_draining(&mut tx, name, draining).await? {
        tx.rollback().await?;
        return Err(missing());
    }
    let changed = Changed::from_to(&json!({ "draining": before }), &json!({ "draining": draining }))?;
    tx.commit(format!("nodes/{name}"), changed).await?;
    // If the node is this one, its dialer learns of the change without waiting for its next query.
    change.app.servers_changed.notify_one();
    let found = all(&mut change.app.db.read().await?).await?.into_iter().find(|node| node.name == name);
    found.ok_or_else(missing)
}

async fn all(conn: &mut Conn) -> Result<Vec<pb::Node>, Error> {
    let now = Millis::now();
    Ok(nodes::list(conn, now).await?.into_iter().map(|(node, servers)| convert::node(node, servers, now)).collect())
}
