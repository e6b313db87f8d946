//! The nodes: the processes that share the store.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::db::{Conn, Tx, with_conn};
use super::error::Result;
use super::schema::{leases, nodes};
use crate::domain::time::Millis;

/// After how long a silent node is forgotten: a day, in milliseconds.
const FORGOTTEN_AFTER: i64 = 24 * 60 * 60 * 1000;

/// A node as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = nodes)]
pub struct Node {
    /// The node's name in leases.
    pub name: String,
    /// The version that the node runs.
    pub version: String,
    /// When the node started, in milliseconds since 1970.
    pub started_at: i64,
    /// When the node last reported that it is alive, in milliseconds since 1970.
    pub seen_at: i64,
    /// True if the node is drained, so that it takes no servers.
    pub draining: bool,
}

/// Notes that a node starts. A drained node stays drained, because a restart is not a request to resume.
pub async fn join(tx: &mut Tx, name: &str, version: &str, now: Millis) -> Result<()> {
    let (started, seen) = (nodes::started_at.eq(now.0), nodes::seen_at.eq(now.0));
    with_conn!(&mut **tx, |c| {
        diesel::insert_into(nodes::table)
            .values((nodes::name.eq(name), nodes::version.eq(version), started, seen))
            .on_conflict(nodes::name)
            .do_update()
            .set((nodes::version.eq(version), started, seen))
            .execute(c)
            .await
    })?;
    Ok(())
}

/// Notes that a node is alive. Returns false if it has been forgotten and has to join again. Deletes nodes that have
/// been silent for a day, unless they are drained: an administrator may still want to see those.
pub async fn beat(tx: &mut Tx, name: &str, now: Millis) -> Result<bool> {
    let seen = with_conn!(&mut **tx, |c| {
        diesel::update(nodes::table.find(name)).set(nodes::seen_at.eq(now.0)).execute(c).await
    })?;
    with_conn!(&mut **tx, |c| {
        let silent = nodes::table.filter(nodes::seen_at.lt(now.0 - FORGOTTEN_AFTER).and(nodes::draining.eq(false)));
        diesel::delete(silent).execute(c).await
    })?;
    Ok(seen == 1)
}

/// Lists all nodes by name, each with the servers whose lanes it owns at that time.
pub async fn list(conn: &mut Conn, now: Millis) -> Result<Vec<(Node, Vec<String>)>> {
    let all: Vec<Node> = with_conn!(conn, |c| nodes::table.order(nodes::name).select(Node::as_select()).load(c).await)?;
    let owned: Vec<(String, String)> = with_conn!(conn, |c| {
        leases::table
            .filter(leases::expires_at.gt(now.0))
            .order(leases::server_code)
            .select((leases::node, leases::server_code))
            .load(c)
            .await
    })?;
    let servers_of = |name: &str| owned.iter().filter(|(node, _)| node == name).map(|(_, code)| code.clone()).collect();
    Ok(all
        .into_iter()
        .map(|node| {
            let servers = servers_of(&node.name);
            (node, servers)
        })
        .collect())
}

/// Drains a node, or lets it take servers again. Returns false if there is no such node.
pub async fn set_draining(tx: &mut Tx, name: &str, draining: bool) -> Result<bool> {
    let set = with_conn!(&mut **tx, |c| {
        diesel::update(nodes::table.find(name)).set(nodes::draining.eq(draining)).execute(c).await
    })?;
    Ok(set == 1)
}

/// Returns true if a node may not take servers.
pub async fn is_draining(conn: &mut Conn, name: &str) -> Result<bool> {
    let draining: Option<bool> =
        with_conn!(conn, |c| nodes::table.find(name).select(nodes::draining).first(c).await.optional())?;
    Ok(draining.unwrap_or(false))
}
