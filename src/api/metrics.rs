//! Serves `/metrics` for Prometheus. `docs/metrics.md` explains each metric.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{self, HeaderMap, HeaderValue};
use metrics::{counter, describe_counter, describe_histogram, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::api::context::Protocol;
use crate::api::fault;
use crate::api::port::Admission;
use crate::api::rest::ENDPOINTS;
use crate::domain::status::ServerStatus;
use crate::pb::DESCRIPTORS;
use crate::progress::Hub;
use crate::store::servers::ServerState;
use crate::store::{Db, lanes, servers};

const REQUESTS: &str = "trunkline_requests_total";
const REQUEST_SECONDS: &str = "trunkline_request_duration_seconds";

/// Upper bounds of the histogram buckets for requests and commits, in seconds.
const SECONDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Upper bounds of the histogram buckets for the number of entries in a commit.
const SIZES: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// How long the store may take to answer a scrape. After that, the metrics that come from it are left out.
const STORE: Duration = Duration::from_secs(2);

/// How often recorded samples are folded together.
const UPKEEP: Duration = Duration::from_secs(5);

/// Collects what this process measures. A clone is the same recorder.
#[derive(Clone)]
pub struct Recorder(PrometheusHandle);

/// The sources of what `/metrics` shows.
pub struct Metrics {
    /// Holds what was measured as it happened.
    pub recorder: Recorder,
    /// Read at each scrape for the status of this node's lanes.
    pub db: Db,
    /// The name of this node.
    pub node: String,
    /// Read at each scrape for the lag of its watchers.
    pub hub: Arc<Hub>,
    /// Read at each scrape for the open connections.
    pub connections: Admission,
}

impl Recorder {
    /// Makes this the recorder of the whole process.
    ///
    /// # Errors
    /// Returns an error if the process has a recorder already.
    pub fn install() -> Result<Self, BuildError> {
        let seconds = |name: &str| Matcher::Full(name.to_owned());
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(seconds(REQUEST_SECONDS), &SECONDS)?
            .set_buckets_for_metric(Matcher::Suffix("_commit_seconds".to_owned()), &SECONDS)?
            .set_buckets_for_metric(Matcher::Suffix("_group_size".to_owned()), &SIZES)?
            .install_recorder()?;
        describe();
        Ok(Self(handle))
    }

    /// Folds what was recorded together until `stop` is cancelled, so that memory is bounded even without a scrape.
    pub async fn run(self, stop: CancellationToken) {
        let mut upkeep = tokio::time::interval(UPKEEP);
        while stop.run_until_cancelled(upkeep.tick()).await.is_some() {
            self.0.run_upkeep();
        }
    }
}

fn describe() {
    describe_counter!(REQUESTS, "Requests answered, by RPC, protocol and google.rpc code.");
    describe_histogram!(REQUEST_SECONDS, "Time to the head of the response, by RPC.");
    describe_counter!("trunkline_connections_refused_total", "Connections that were refused, by the limit.");
    describe_counter!("trunkline_connections_closed_total", "Connections that the server closed, by the reason.");
    describe_counter!(
        "trunkline_streams_refused_total",
        "Streams that were refused, because of max_streams_per_client."
    );
    describe_counter!("trunkline_streams_stalled_total", "Streams that ended, because their client did not read them.");
    describe_counter!(
        "trunkline_bodies_refused_total",
        "Requests that were refused, because of max_bodies_per_client."
    );
    describe_counter!("trunkline_slow_bodies_total", "gRPC requests that ended, because their body took too long.");
    describe_counter!("trunkline_attempts_total", "Attempts whose Originate was sent.");
    describe_counter!("trunkline_attempts_ended_total", "Attempts that ended, by outcome.");
    describe_counter!("trunkline_calls_ended_total", "Calls that ended in a lane, by outcome.");
    describe_counter!("trunkline_clients_braked_total", "Clients that were braked, as they called new destinations.");
    describe_histogram!("trunkline_journal_commit_seconds", "Time of a lane's group commit.");
    describe_histogram!("trunkline_journal_group_size", "Entries of a lane's group commit.");
}

/// Returns the route of `/metrics`, which needs no key.
pub fn routes(metrics: Arc<Metrics>) -> Router {
    Router::new().route("/metrics", get(show)).with_state(metrics)
}

async fn show(State(metrics): State<Arc<Metrics>>) -> Response {
    // A task of its own, so that the query is finished even if the caller disconnects.
    let text = tokio::spawn(async move { metrics.text().await }).await.unwrap_or_default();
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}

impl Metrics {
    async fn text(&self) -> String {
        let mut text = self.recorder.0.render();
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        gauge(&mut text, "trunkline_build_info", "The version that runs.", [(&version[..], 1)]);
        let watchers = self.hub.watchers();
        let count = i64::try_from(watchers.count).unwrap_or(i64::MAX);
        gauge(
            &mut text,
            "trunkline_event_log_head",
            "The last event that this node has seen.",
            [(NO_LABELS, self.hub.head())],
        );
        gauge(&mut text, "trunkline_watchers", "Streams of events that are open.", [(NO_LABELS, count)]);
        let help = "How many events the slowest of them is behind the newest, at most.";
        gauge(&mut text, "trunkline_watcher_lag_events", help, [(NO_LABELS, watchers.lag)]);
        let open = i64::try_from(self.connections.open()).unwrap_or(i64::MAX);
        gauge(&mut text, "trunkline_connections", "Connections of clients that are open.", [(NO_LABELS, open)]);
        let lanes = timeout(STORE, self.lanes()).await;
        let up = matches!(lanes, Ok(Ok(_)));
        gauge(&mut text, "trunkline_store_up", "The store answered this scrape.", [(NO_LABELS, i64::from(up))]);
        if let Ok(Ok((lanes, waiting))) = lanes {
            lane_gauges(&mut text, &lanes, &waiting);
        }
        text
    }

    /// Returns the servers whose lanes this node owns, and how many calls wait for each server.
    async fn lanes(&self) -> crate::store::Result<(Vec<ServerState>, HashMap<String, i64>)> {
        let mut conn = self.db.read().await?;
        let mut states = servers::states(&mut conn, None).await?;
        states.retain(|state| state.lease.as_ref().is_some_and(|lease| lease.node == self.node));
        Ok((states, lanes::waiting(&mut conn).await?.into_iter().collect()))
    }
}

fn lane_gauges(text: &mut String, lanes: &[ServerState], waiting: &HashMap<String, i64>) {
    let of_each = |value: &dyn Fn(&ServerState) -> i64| -> Vec<([(&str, String); 1], i64)> {
        lanes.iter().map(|lane| ([("server", lane.server.code.clone())], value(lane))).collect()
    };
    let help = "Calls between Originate and hangup, of the servers that this node dials through.";
    gauge(text, "trunkline_live_calls", help, of_each(&|lane| lane.live_calls));
    let help = "Calls that wait for their first attempt or for a retry.";
    gauge(text, "trunkline_waiting_calls", help, of_each(&|lane| waiting.get(&lane.server.code).copied().unwrap_or(0)));
    let help = "Calls that they may have between Originate and hangup.";
    gauge(text, "trunkline_max_channels", help, of_each(&|lane| lane.server.max_channels.into()));
    let states = lanes.iter().flat_map(|lane| {
        let now = lane.lease.as_ref().map(|lease| lease.status);
        ServerStatus::ALL.iter().map(move |state| {
            let labels = [("server", lane.server.code.clone()), ("state", state.as_str().to_owned())];
            (labels, i64::from(now == Some(state.code())))
        })
    });
    gauge(text, "trunkline_server_state", "1 for the status of the connection to a server, 0 for the others.", states);
}

/// The labels of a gauge that has only one series.
const NO_LABELS: &[(&str, &str)] = &[];

/// Writes a gauge that is read at each scrape. A recorder would go on showing series that no longer exist.
fn gauge<L: AsRef<[(&'static str, V)]>, V: AsRef<str>>(
    text: &mut String,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (L, i64)>,
) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
    for (labels, value) in values {
        let labels: Vec<String> =
            labels.as_ref().iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value.as_ref()))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(text, "{name}{labels} {value}");
    }
    text.push('\n');
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Counts and times every request to an RPC, by REST, gRPC or gRPC-web.
pub async fn measure(request: Request, next: Next) -> Response {
    let Some(rpc) = rpc(&request) else { return next.run(request).await };
    let protocol = match Protocol::of(request.headers()) {
        Protocol::Rest => "rest",
        Protocol::Grpc => "grpc",
        Protocol::GrpcWeb => "grpc-web",
    };
    let began = Instant::now();
    let response = next.run(request).await;
    histogram!(REQUEST_SECONDS, "rpc" => rpc).record(began.elapsed().as_secs_f64());
    counter!(REQUESTS, "rpc" => rpc, "protocol" => protocol, "code" => code(&response)).increment(1);
    response
}

/// Returns the RPC that a request is for, such as `QueueService/InsertBatch`, or None if it is for none. So no text
/// that a stranger writes into a path becomes a label.
fn rpc(request: &Request) -> Option<&'static str> {
    static BY_PATH: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
        let short = |rpc: &'static str| rpc.rsplit_once("v1.").map_or(rpc, |(_, rpc)| rpc);
        let paths = ENDPOINTS.iter().flat_map(|endpoint| {
            endpoint.paths().map(|path| (format!("{} {path}", endpoint.verb), short(endpoint.rpc)))
        });
        paths.collect()
    });
    static METHODS: LazyLock<HashSet<String>> = LazyLock::new(|| {
        let methods = DESCRIPTORS.services().flat_map(|service| {
            service.methods().map(|method| format!("{}/{}", service.name(), method.name())).collect::<Vec<_>>()
        });
        methods.collect()
    });
    if let Some(method) = request.uri().path().strip_prefix("/trunkline.v1.") {
        return METHODS.get(method).map(String::as_str);
    }
    let path = request.extensions().get::<MatchedPath>()?;
    BY_PATH.get(&format!("{} {}", request.method(), path.as_str())).copied()
}

/// Returns the google.rpc code of a response. A stream that fails later counts as OK, because its code is not known
/// yet.
fn code(response: &Response) -> &'static str {
    let of_grpc = |headers: &HeaderMap| headers.get("grpc-status").map(|code| Code::from_bytes(code.as_bytes()));
    let code = response.extensions().get::<Code>().copied().or_else(|| of_grpc(response.headers()));
    fault::name(code.unwrap_or(if response.status().is_success() { Code::Ok } else { Code::Unknown }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauges_are_written_as_prometheus_reads_them() {
        let mut text = String::new();
        gauge(&mut text, "x", "What it is.", [([("a", "b\"c"), ("d", "e")], 7)]);
        assert_eq!(text, "# HELP x What it is.\n# TYPE x gauge\nx{a=\"b\\\"c\",d=\"e\"} 7\n\n");
    }

    #[test]
    fn only_paths_that_the_server_knows_become_labels() {
        let rpc_of = |path: &str| rpc(&Request::post(path).body(axum::body::Body::empty()).unwrap());
        assert_eq!(rpc_of("/trunkline.v1.QueueService/StreamItems"), Some("QueueService/StreamItems"));
        assert_eq!(rpc_of("/trunkline.v1.QueueService/Nothing"), None);
        assert_eq!(rpc_of("/calling/api/v1/whatever"), None);
    }
}
