//! Walks every method of the descriptors that names something, and checks that what belongs to another client looks like
//! what does not exist.

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::{Kind, MessageDescriptor, MethodDescriptor};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio_stream::iter;
use tonic::metadata::MetadataValue;
use trunkline::api::rest::ENDPOINTS;
use trunkline::pb::queue_service_client::QueueServiceClient;
use trunkline::pb::stream_items_request::Part;
use trunkline::pb::{DESCRIPTORS, OriginateAction, QueueItem, StreamBegin, StreamItemsRequest, StreamedItems};

use crate::admin::Setup;
use crate::support::api::Api;
use crate::support::server::Server;

/// The fields of requests that name something which belongs to a client, and the kind of it.
const NAMES: [(&str, &str); 7] = [
    ("queue_id", "queue"),
    ("queue_ids", "queue"),
    ("master_queue_id", "queue"),
    ("call_id", "call"),
    ("asterisk_server_code", "server"),
    ("to_asterisk_server_code", "server"),
    ("number", "listed number"),
];

/// The fields that look like a name and are none: what the client gives to its own things, or what goes to Asterisk. With a
/// client's key, `client_id` takes only the client's own id and refuses all others alike (`admin::acting`).
const NO_NAMES: [&str; 17] = [
    "ActionID",
    "CallerID",
    "ChannelId",
    "OtherChannelId",
    "action_id",
    "batch_id",
    "caller_id",
    "channel_id",
    "client_id",
    "contact_number",
    "customer_name",
    "did",
    "dids",
    "name",
    "number1",
    "number2",
    "stream_id",
];

/// The only method without a REST endpoint, which has a test of its own.
const BY_GRPC: &str = "QueueService/StreamItems";

/// What is named without being looked up: it filters the client's own events, counts and list.
const FILTERS: [(&str, &str); 6] = [
    ("ClientService/ListDoNotCall", "listed number"),
    ("CallService/WatchCalls", "server"),
    ("CallService/CancelCalls", "server"),
    ("CallService/RetryCalls", "server"),
    ("CallService/GetStatistics", "server"),
    ("CallService/GetStatistics", "queue"),
];

/// The only method that creates what it names.
const CREATES: &str = "ClientService/AddDoNotCall";

/// The code of the server that only the owner may dial through.
const OWN: &str = "owners-server";

/// Makes a request of a method from the names of things by their kind. Every method that names something is here.
fn request(rpc: &str, name: &dyn Fn(&str) -> Value, batch_id: i64) -> Option<Value> {
    let dial =
        json!({ "Action": "Originate", "Channel": "PJSIP/4930123401@endpoint1", "Application": "Wait", "Data": "1" });
    let item = json!({ "asterisk_server_code": name("server"), "action": dial });
    Some(match rpc {
        "QueueService/InsertBatch" => json!({ "queue_id": name("queue"), "batch_id": batch_id, "data": [item] }),
        "QueueService/ListQueueCalls" => json!({ "master_queue_id": name("queue") }),
        "QueueService/UpdateQueue" => json!({ "queue_id": name("queue"), "retry_gap": 60 }),
        "QueueService/SetQueueRules" => json!({ "queue_id": name("queue"), "priority": 1 }),
        "QueueService/UpdateQueueRules" => json!({ "queue_id": name("queue"), "priority": 1 }),
        "QueueService/CancelQueue" | "QueueService/DeleteQueue" => json!({ "queue_id": name("queue") }),
        "QueueService/GetQueue" | "QueueService/GetQueueRules" | "QueueService/ExplainQueue" => {
            json!({ "queue_id": name("queue") })
        }
        "CallService/CreateQuickCall" => json!({
            "asterisk_server_code": name("server"), "customer_name": "A", "number1": "4930123401", "action": dial,
        }),
        "CallService/GetCall" | "CallService/CancelCall" | "CallService/HangupCall" => {
            json!({ "call_id": name("call") })
        }
        "CallService/ListCalls" => json!({ "queue_id": name("queue"), "asterisk_server_code": name("server") }),
        "CallService/CancelCalls" | "CallService/RetryCalls" => {
            json!({ "filter": { "queue_id": name("queue") }, "dry_run": true })
        }
        "CallService/MoveCalls" => json!({
            "filter": { "queue_id": name("queue") }, "to_asterisk_server_code": name("server"), "dry_run": true,
        }),
        "CallService/UpdateCall" => json!({ "call_id": name("call"), "retry": 2 }),
        "CallService/WatchCalls" => {
            json!({ "queue_id": name("queue"), "queue_ids": name("queue"), "call_id": name("call") })
        }
        "ClientService/RemoveDoNotCall" => json!({ "number": name("listed number") }),
        _ => return None,
    })
}

fn methods() -> Vec<(String, MethodDescriptor)> {
    let services = DESCRIPTORS
        .services()
        .filter(|service| service.package_name() == "trunkline.v1" && service.name() != "AdminService");
    let methods = services.flat_map(|service| service.methods().collect::<Vec<_>>());
    methods.map(|method| (format!("{}/{}", method.parent_service().name(), method.name()), method)).collect()
}

/// Collects the names of all fields of a request that hold a text or a number, at any depth.
fn fields(message: &MessageDescriptor, seen: &mut BTreeSet<String>, found: &mut BTreeSet<String>) {
    if message.package_name() != "trunkline.v1" || !seen.insert(message.full_name().to_owned()) {
        return;
    }
    // The key of a map is a word of Asterisk's, such as the name of a variable.
    for field in message.fields().filter(|field| !field.is_map()) {
        match field.kind() {
            Kind::Message(below) => fields(&below, seen, found),
            Kind::String | Kind::Int64 | Kind::Uint64 | Kind::Bytes => {
                found.insert(field.json_name().to_owned());
            }
            _ => {}
        }
    }
}

/// Returns the kinds of things that a method names. Fails for a field that may be a name and is not in the lists above.
fn kinds(rpc: &str, method: &MethodDescriptor) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    fields(&method.input(), &mut BTreeSet::new(), &mut found);
    let mut kinds = BTreeSet::new();
    for field in found {
        let lower = field.to_lowercase();
        let may_be_a_name =
            ["id", "ids", "code", "codes", "key", "name", "names", "number", "numbers", "number1", "number2"]
                .iter()
                .any(|end| {
                    lower == *end || lower.ends_with(&format!("_{end}")) || (field != lower && lower.ends_with(end))
                });
        match NAMES.iter().find(|(name, _)| *name == field) {
            Some((_, kind)) => {
                kinds.insert(*kind);
            }
            None if may_be_a_name => assert!(
                NO_NAMES.contains(&field.as_str()),
                "{rpc}: does {field} name something that belongs to a client? Add it to one of the lists"
            ),
            None => {}
        }
    }
    kinds
}

/// The things of one client, by their kind.
type Things = BTreeMap<&'static str, Value>;

async fn things_of(client: &Api, server: &str, number: &str) -> Things {
    let item = crate::support::api::item(server, "PJSIP/4930123401@endpoint1", "1");
    let queue = client.insert(1, vec![item]).await;
    let call = client.calls(queue).await[0]["call_id"].clone();
    client.post("clients/do-not-call", json!({ "numbers": [{ "number": number }] })).await.data();
    BTreeMap::from([
        ("queue", json!(queue)),
        ("call", call),
        ("server", json!(server)),
        ("listed number", json!(number)),
    ])
}

/// Sends a request over REST. Returns the status and the body, in which each of `names` is replaced by the same text.
async fn send(client: &Api, rpc: &str, mut fields: Value, names: &[&Value]) -> (StatusCode, String) {
    let endpoint =
        ENDPOINTS.iter().find(|endpoint| endpoint.rpc == format!("trunkline.v1.{rpc}")).expect("an endpoint");
    let mut path = endpoint.path.strip_prefix("/calling/api/v1/").expect("the base").to_owned();
    let members = fields.as_object_mut().expect("an object");
    members.retain(|name, value| {
        let (place, text) = (format!("{{{name}}}"), plain(value));
        let in_path = path.contains(&place);
        path = path.replace(&place, &text);
        !in_path
    });
    if !endpoint.has_body {
        let pairs = members.iter().map(|(name, value)| (name, plain(value)));
        path = format!("{path}?{}", form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish());
    }
    let mut request = reqwest::Client::new().request(endpoint.verb.clone(), client.url(&path));
    request = request.header("X-API-KEY", client.key());
    if endpoint.has_body {
        request = request.json(&fields);
    }
    let response = request.send().await.expect("an answer");
    let status = response.status();
    // A stream that was opened has no end.
    let streams = response.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream");
    let mut body = if streams { String::new() } else { response.text().await.expect("a body") };
    for name in names {
        body = body.replace(&plain(name), "THING");
    }
    (status, body)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

async fn client(setup: &Setup, name: &str, servers: &[&str]) -> Api {
    let made =
        setup.admin.post("admin/clients", json!({ "name": name, "account_code": "1", "servers": servers })).await;
    Api::new(&setup.server, made.data()["api_key"].as_str().expect("a key"))
}

/// Starts a server that dials nothing, with two clients, each of which may dial through a server of its own.
async fn owner_and_stranger() -> (Setup, Api, Api) {
    let setup = Setup::start().await;
    setup.drain().await;
    let own = json!({ "code": OWN, "host": "127.0.0.1", "port": 1, "username": "dialer", "secret": "hush-hush" });
    setup.admin.post("admin/servers", own).await.data();
    let (owner, stranger) = (client(&setup, "owner", &[OWN]).await, client(&setup, "stranger", &["server1"]).await);
    (setup, owner, stranger)
}

#[tokio::test]
async fn what_belongs_to_another_client_looks_like_what_does_not_exist() {
    let (_setup, owner, stranger) = owner_and_stranger().await;
    let theirs = things_of(&owner, OWN, "4930777001").await;
    let mine = things_of(&stranger, "server1", "4930777002").await;
    let missing: Things = BTreeMap::from([
        ("queue", json!(888_888_888)),
        ("call", json!("0199aaaa-0000-7000-8000-000000000000")),
        ("server", json!("nosuch")),
        ("listed number", json!("4930777003")),
    ]);
    let (mut batch_id, mut wrong, mut swapped) = (100, Vec::new(), 0);
    for (rpc, method) in methods() {
        for kind in kinds(&rpc, &method) {
            if rpc == BY_GRPC || rpc == CREATES || FILTERS.contains(&(rpc.as_str(), kind)) {
                continue;
            }
            // The stranger names its own things, but for one of that kind.
            let mut ask = async |client: &Api, own: &Things, thing: &Value| {
                batch_id += 1;
                let name = |asked: &str| if asked == kind { thing.clone() } else { own[asked].clone() };
                let fields =
                    request(&rpc, &name, batch_id).unwrap_or_else(|| panic!("{rpc} needs a request in this test"));
                assert!(fields.to_string().contains(&thing.to_string()), "the request of {rpc} names no {kind}");
                let (status, body) = send(client, &rpc, fields, &[thing, &json!(batch_id)]).await;
                (status, body)
            };
            let absent = ask(&stranger, &mine, &missing[kind]).await;
            let swap = ask(&stranger, &mine, &theirs[kind]).await;
            swapped += 1;
            if swap != absent {
                wrong.push(format!("{rpc} with another client's {kind}: {swap:?}\n    and with none: {absent:?}"));
            }
            // The owner gets something else, so that the two are not equal because nothing was found at all.
            let of_owner = ask(&owner, &theirs, &theirs[kind]).await;
            if of_owner == absent {
                wrong.push(format!("{rpc}: the owner of the {kind} gets the same: {of_owner:?}"));
            }
        }
    }
    assert!(swapped >= 14, "only {swapped} names were swapped");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn stream(server: &Server, client: &Api, begin: StreamBegin, item_server: &str) -> Result<i64, tonic::Status> {
    let action = OriginateAction {
        action: "Originate".to_owned(),
        channel: Some("PJSIP/4930123401@endpoint1".to_owned()),
        application: Some("Wait".to_owned()),
        data: Some("1".to_owned()),
        ..OriginateAction::default()
    };
    let item = QueueItem { asterisk_server_code: item_server.to_owned(), action: Some(action), ..QueueItem::default() };
    let items = StreamedItems { position: 0, items: vec![item] };
    let parts = [Part::Begin(begin), Part::Items(items)].map(|part| StreamItemsRequest { part: Some(part) });
    let mut request = tonic::Request::new(iter(parts));
    request.metadata_mut().insert("x-api-key", MetadataValue::try_from(client.key()).expect("a key"));
    let mut grpc = QueueServiceClient::connect(server.url("")).await.expect("a channel");
    let mut answers = grpc.stream_items(request).await?.into_inner();
    let mut stored = 0;
    while let Some(answer) = answers.message().await? {
        stored = answer.stored;
    }
    Ok(stored)
}

#[tokio::test]
async fn a_stream_of_items_finds_no_queue_server_or_stream_of_another_client() {
    let (setup, owner, stranger) = owner_and_stranger().await;
    let theirs = things_of(&owner, OWN, "4930777001").await;
    let queue_id = theirs["queue"].as_i64();
    let begin =
        |stream_id: &str, queue_id| StreamBegin { stream_id: stream_id.to_owned(), queue_id, ..StreamBegin::default() };
    let stored = stream(&setup.server, &owner, begin("load", queue_id), OWN).await;
    assert_eq!(stored.expect("the owner's stream"), 1);

    let same = |a: tonic::Status, name: &str, b: tonic::Status, missing: &str| {
        assert_eq!((a.code(), a.message().replace(name, "X")), (b.code(), b.message().replace(missing, "X")));
    };
    let swap = stream(&setup.server, &stranger, begin("s1", queue_id), "server1").await.expect_err("another's queue");
    let absent =
        stream(&setup.server, &stranger, begin("s2", Some(888_888_888)), "server1").await.expect_err("no queue");
    same(swap, &plain(&theirs["queue"]), absent, "888888888");
    let swap = stream(&setup.server, &stranger, begin("s3", None), OWN).await.expect_err("another's server");
    let absent = stream(&setup.server, &stranger, begin("s4", None), "nosuch").await.expect_err("no server");
    same(swap, OWN, absent, "nosuch");
    let stored = stream(&setup.server, &stranger, begin("load", None), "server1").await;
    assert_eq!(stored.expect("a stream of its own"), 1, "a stream id belongs to its client");
}

#[tokio::test]
async fn what_a_client_calls_its_own_belongs_to_it_alone() {
    let setup = Setup::start().await;
    setup.drain().await;
    let (owner, stranger) =
        (client(&setup, "owner", &["server1"]).await, client(&setup, "stranger", &["server1"]).await);
    let item = || crate::support::api::item("server1", "PJSIP/4930123401@endpoint1", "1");
    let queues = (owner.insert(7, vec![item()]).await, stranger.insert(7, vec![item()]).await);
    assert_ne!(queues.0, queues.1, "a batch id of another client is not known");
    let body = json!({
        "asterisk_server_code": "server1", "customer_name": "A", "number1": "4930123401",
        "action": { "Action": "Originate", "Application": "Echo" },
    });
    let quick = async |client: &Api| {
        let request = reqwest::Client::new().post(client.url("queues/insertquickcall")).json(&body);
        let request = request.header("X-API-KEY", client.key()).header("Idempotency-Key", "once");
        let response = request.send().await.expect("an answer");
        (response.headers().contains_key("idempotent-replayed"), response.json::<Value>().await.expect("JSON"))
    };
    let (first, second) = (quick(&owner).await, quick(&stranger).await);
    assert_eq!((first.0, second.0), (false, false));
    assert_ne!(first.1["data"]["call_id"], second.1["data"]["call_id"], "an Idempotency-Key belongs to its client");
}
