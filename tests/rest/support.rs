//! A server whose services keep their requests, and requests to it without a socket.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use futures_util::{Stream, stream};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tonic::{Response, Status};
use tower::ServiceExt as _;
use trunkline::api::Error;
use trunkline::api::auth::{Auth, Caller, CallerKind};
use trunkline::api::background::Background;
use trunkline::api::rest::ParseWarnings;
use trunkline::api::server::{Services, Web, router};
use trunkline::domain::networks::Networks;
use trunkline::pb::*;

use crate::stored_keys::Keys;

pub type Counts<R> = Pin<Box<dyn Stream<Item = Result<R, Status>> + Send>>;
pub type Events = Counts<WatchCallsResponse>;

/// The requests that reached the services, and the answers that they give.
#[derive(Default)]
pub struct Recorder {
    pub batch: Mutex<Option<InsertBatchRequest>>,
    pub quick_call: Mutex<Option<CreateQuickCallRequest>>,
    pub update: Mutex<Option<UpdateQueueRequest>>,
    pub list: Mutex<Option<ListQueueCallsRequest>>,
    pub watch: Mutex<Option<WatchCallsRequest>>,
    pub metadata: Mutex<tonic::metadata::MetadataMap>,
    pub caller: Mutex<Option<Caller>>,
    /// The error with which every method fails, if it is set.
    pub fail: Mutex<Option<fn() -> Error>>,
    pub events: Mutex<Option<Events>>,
}

/// The id of a batch for which the service panics.
pub const PANICS: i64 = 666;
/// The id of a batch that the service answers as a replay.
pub const REPLAYED: i64 = 777;

impl Recorder {
    fn saw<T>(&self, request: tonic::Request<T>) -> Result<(T, ParseWarnings), Status> {
        *self.caller.lock().unwrap() = Some(Caller::of(&request)?.clone());
        *self.metadata.lock().unwrap() = request.metadata().clone();
        if let Some(fail) = *self.fail.lock().unwrap() {
            return Err(fail().into());
        }
        let warnings = request.extensions().get::<ParseWarnings>().cloned().unwrap_or_default();
        Ok((request.into_inner(), warnings))
    }
}

struct Dummy(Arc<Recorder>);

#[tonic::async_trait]
impl queue_service_server::QueueService for Dummy {
    async fn insert_batch(
        &self,
        request: tonic::Request<InsertBatchRequest>,
    ) -> Result<Response<InsertBatchResponse>, Status> {
        let (batch, ParseWarnings(warnings)) = self.0.saw(request)?;
        let batch_id = batch.batch_id.unwrap_or_default();
        assert_ne!(batch_id, PANICS, "secret detail");
        let answer = InsertBatchResponse { queue_id: 123, inserted_count: batch.data.len() as i32, batch_id, warnings };
        *self.0.batch.lock().unwrap() = Some(batch);
        let mut response = Response::new(answer);
        if batch_id == REPLAYED {
            response.metadata_mut().insert("idempotent-replayed", "true".parse().unwrap());
        }
        Ok(response)
    }

    async fn list_queues(
        &self,
        request: tonic::Request<ListQueuesRequest>,
    ) -> Result<Response<ListQueuesResponse>, Status> {
        let (request, _) = self.0.saw(request)?;
        let page = request.page.unwrap_or(1);
        let queue = Queue { queue_id: 9_007_199_254_740_993, batches: vec![i64::MAX], ..Queue::default() };
        let page_size = request.page_size.unwrap_or(100);
        Ok(Response::new(ListQueuesResponse { results: vec![queue], count: 1, page, page_size, next_page_token: None }))
    }

    async fn list_queue_calls(
        &self,
        request: tonic::Request<ListQueueCallsRequest>,
    ) -> Result<Response<ListQueueCallsResponse>, Status> {
        let (request, _) = self.0.saw(request)?;
        *self.0.list.lock().unwrap() = Some(request);
        Ok(Response::new(ListQueueCallsResponse::default()))
    }

    async fn update_queue(
        &self,
        request: tonic::Request<UpdateQueueRequest>,
    ) -> Result<Response<UpdateQueueResponse>, Status> {
        let (request, _) = self.0.saw(request)?;
        let queue = Queue { queue_id: request.queue_id, retry_gap: 300, ..Queue::default() };
        *self.0.update.lock().unwrap() = Some(request);
        Ok(Response::new(UpdateQueueResponse { queue: Some(queue) }))
    }

    async fn get_queue(&self, request: tonic::Request<GetQueueRequest>) -> Result<Response<GetQueueResponse>, Status> {
        self.0.saw(request)?;
        Ok(Response::new(GetQueueResponse::default()))
    }

    async fn get_queue_rules(
        &self,
        request: tonic::Request<GetQueueRulesRequest>,
    ) -> Result<Response<GetQueueRulesResponse>, Status> {
        self.0.saw(request)?;
        Ok(Response::new(GetQueueRulesResponse::default()))
    }

    async fn set_queue_rules(
        &self,
        request: tonic::Request<SetQueueRulesRequest>,
    ) -> Result<Response<SetQueueRulesResponse>, Status> {
        self.0.saw(request)?;
        Ok(Response::new(SetQueueRulesResponse::default()))
    }

    async fn create_queue(
        &self,
        request: tonic::Request<CreateQueueRequest>,
    ) -> Result<Response<CreateQueueResponse>, Status> {
        self.0.saw(request).map(|_| Response::new(CreateQueueResponse::default()))
    }

    async fn cancel_queue(
        &self,
        request: tonic::Request<CancelQueueRequest>,
    ) -> Result<Response<CancelQueueResponse>, Status> {
        self.0.saw(request).map(|_| Response::new(CancelQueueResponse::default()))
    }

    async fn delete_queue(
        &self,
        request: tonic::Request<DeleteQueueRequest>,
    ) -> Result<Response<DeleteQueueResponse>, Status> {
        self.0.saw(request).map(|_| Response::new(DeleteQueueResponse::default()))
    }

    async fn update_queue_rules(
        &self,
        request: tonic::Request<UpdateQueueRulesRequest>,
    ) -> Result<Response<UpdateQueueRulesResponse>, Status> {
        self.0.saw(request).map(|_| Response::new(UpdateQueueRulesResponse::default()))
    }

    async fn explain_queue(
        &self,
        request: tonic::Request<ExplainQueueRequest>,
    ) -> Result<Response<ExplainQueueResponse>, Status> {
        self.0.saw(request)?;
        Ok(Response::new(ExplainQueueResponse::default()))
    }

    type StreamItemsStream = Pin<Box<dyn Stream<Item = Result<StreamItemsResponse, Status>> + Send>>;

    async fn stream_items(
        &self,
        request: tonic::Request<tonic::Streaming<StreamItemsRequest>>,
    ) -> Result<Response<Self::StreamItemsStream>, Status> {
        self.0.saw(request)?;
        Ok(Response::new(Box::pin(stream::empty())))
    }
}

#[tonic::async_trait]
impl call_service_server::CallService for Dummy {
    type WatchCallsStream = Events;
    type CancelCallsStream = Counts<CancelCallsResponse>;
    type RetryCallsStream = Counts<RetryCallsResponse>;
    type MoveCallsStream = Counts<MoveCallsResponse>;

    async fn create_quick_call(
        &self,
        request: tonic::Request<CreateQuickCallRequest>,
    ) -> Result<Response<CreateQuickCallResponse>, Status> {
        let (request, _) = self.0.saw(request)?;
        *self.0.quick_call.lock().unwrap() = Some(request);
        Ok(Response::new(CreateQuickCallResponse { call_id: "call-uuid-1234".to_owned(), queue_id: 124 }))
    }

    async fn list_calls(
        &self,
        request: tonic::Request<ListCallsRequest>,
    ) -> Result<Response<ListCallsResponse>, Status> {
        self.0.saw(request)?;
        Ok(Response::new(ListCallsResponse::default()))
    }

    async fn get_statistics(
        &self,
        request: tonic::Request<GetStatisticsRequest>,
    ) -> Result<Response<GetStatisticsResponse>, Status> {
        self.0.saw(request)?;
        Ok(Response::new(GetStatisticsResponse::default()))
    }

    async fn get_call(&self, request: tonic::Request<GetCallRequest>) -> Result<Response<GetCallResponse>, Status> {
        let (request, _) = self.0.saw(request)?;
        let call = Call { call_id: request.call_id, ..Call::default() };
        Ok(Response::new(GetCallResponse { call: Some(call) }))
    }

    async fn watch_calls(&self, request: tonic::Request<WatchCallsRequest>) -> Result<Response<Events>, Status> {
        let (request, _) = self.0.saw(request)?;
        *self.0.watch.lock().unwrap() = Some(request);
        let events = self.0.events.lock().unwrap().take();
        Ok(Response::new(events.unwrap_or_else(|| Box::pin(stream::empty()))))
    }

    async fn cancel_call(
        &self,
        request: tonic::Request<CancelCallRequest>,
    ) -> Result<Response<CancelCallResponse>, Status> {
        self.0.saw(request)?;
        Ok(Response::new(CancelCallResponse::default()))
    }

    async fn hangup_call(
        &self,
        request: tonic::Request<HangupCallRequest>,
    ) -> Result<Response<HangupCallResponse>, Status> {
        self.0.saw(request)?;
        Ok(Response::new(HangupCallResponse::default()))
    }

    async fn cancel_calls(
        &self,
        request: tonic::Request<CancelCallsRequest>,
    ) -> Result<Response<Self::CancelCallsStream>, Status> {
        self.0.saw(request)?;
        Ok(Response::new(Box::pin(stream::iter([Ok(CancelCallsResponse::default())]))))
    }

    async fn retry_calls(
        &self,
        request: tonic::Request<RetryCallsRequest>,
    ) -> Result<Response<Self::RetryCallsStream>, Status> {
        self.0.saw(request)?;
        Ok(Response::new(Box::pin(stream::iter([Ok(RetryCallsResponse::default())]))))
    }

    async fn move_calls(
        &self,
        request: tonic::Request<MoveCallsRequest>,
    ) -> Result<Response<Self::MoveCallsStream>, Status> {
        self.0.saw(request)?;
        Ok(Response::new(Box::pin(stream::iter([Ok(MoveCallsResponse::default())]))))
    }

    async fn update_call(
        &self,
        request: tonic::Request<UpdateCallRequest>,
    ) -> Result<Response<UpdateCallResponse>, Status> {
        self.0.saw(request)?;
        Ok(Response::new(UpdateCallResponse::default()))
    }
}

#[tonic::async_trait]
impl client_service_server::ClientService for Dummy {
    async fn test_connection(
        &self,
        request: tonic::Request<TestConnectionRequest>,
    ) -> Result<Response<TestConnectionResponse>, Status> {
        self.0.saw(request)?;
        Ok(Response::new(TestConnectionResponse { name: "sandbox".to_owned(), ..Default::default() }))
    }

    async fn list_do_not_call(
        &self,
        request: tonic::Request<ListDoNotCallRequest>,
    ) -> Result<Response<ListDoNotCallResponse>, Status> {
        self.0.saw(request)?;
        Ok(Response::new(ListDoNotCallResponse::default()))
    }

    async fn add_do_not_call(
        &self,
        request: tonic::Request<AddDoNotCallRequest>,
    ) -> Result<Response<AddDoNotCallResponse>, Status> {
        self.0.saw(request)?;
        Ok(Response::new(AddDoNotCallResponse::default()))
    }

    async fn remove_do_not_call(
        &self,
        request: tonic::Request<RemoveDoNotCallRequest>,
    ) -> Result<Response<RemoveDoNotCallResponse>, Status> {
        self.0.saw(request)?;
        Ok(Response::new(RemoveDoNotCallResponse::default()))
    }
}

/// Implements methods that the tests call only to check access.
macro_rules! unused {
    ($($method:ident($request:ty) -> $answer:ty;)*) => {
        #[tonic::async_trait]
        impl admin_service_server::AdminService for Dummy {
            $(async fn $method(&self, request: tonic::Request<$request>) -> Result<Response<$answer>, Status> {
                self.0.saw(request)?;
                Ok(Response::new(<$answer>::default()))
            })*
        }
    };
}
unused! {
    create_client(CreateClientRequest) -> CreateClientResponse;
    list_clients(ListClientsRequest) -> ListClientsResponse;
    get_client(GetClientRequest) -> GetClientResponse;
    create_key(CreateKeyRequest) -> CreateKeyResponse;
    list_keys(ListKeysRequest) -> ListKeysResponse;
    revoke_key(RevokeKeyRequest) -> RevokeKeyResponse;
    create_admin_key(CreateAdminKeyRequest) -> CreateAdminKeyResponse;
    list_admin_keys(ListAdminKeysRequest) -> ListAdminKeysResponse;
    revoke_admin_key(RevokeAdminKeyRequest) -> RevokeAdminKeyResponse;
    create_server(CreateServerRequest) -> CreateServerResponse;
    list_servers(ListServersRequest) -> ListServersResponse;
    get_server(GetServerRequest) -> GetServerResponse;
    update_client(UpdateClientRequest) -> UpdateClientResponse;
    release_brake(ReleaseBrakeRequest) -> ReleaseBrakeResponse;
    set_grant(SetGrantRequest) -> SetGrantResponse;
    list_grants(ListGrantsRequest) -> ListGrantsResponse;
    delete_grant(DeleteGrantRequest) -> DeleteGrantResponse;
    update_server(UpdateServerRequest) -> UpdateServerResponse;
    delete_server(DeleteServerRequest) -> DeleteServerResponse;
    test_server(TestServerRequest) -> TestServerResponse;
    list_nodes(ListNodesRequest) -> ListNodesResponse;
    drain_node(DrainNodeRequest) -> DrainNodeResponse;
    resume_node(ResumeNodeRequest) -> ResumeNodeResponse;
    list_audit(ListAuditRequest) -> ListAuditResponse;
    set_kill_switch(SetKillSwitchRequest) -> SetKillSwitchResponse;
    get_kill_switch(GetKillSwitchRequest) -> GetKillSwitchResponse;
    get_platform_policy(GetPlatformPolicyRequest) -> GetPlatformPolicyResponse;
    set_platform_policy(SetPlatformPolicyRequest) -> SetPlatformPolicyResponse;
    list_platform_do_not_call(ListPlatformDoNotCallRequest) -> ListPlatformDoNotCallResponse;
    add_platform_do_not_call(AddPlatformDoNotCallRequest) -> AddPlatformDoNotCallResponse;
    remove_platform_do_not_call(RemovePlatformDoNotCallRequest) -> RemovePlatformDoNotCallResponse;
    create_webhook(CreateWebhookRequest) -> CreateWebhookResponse;
    list_webhooks(ListWebhooksRequest) -> ListWebhooksResponse;
    delete_webhook(DeleteWebhookRequest) -> DeleteWebhookResponse;
    test_webhook(TestWebhookRequest) -> TestWebhookResponse;
    rotate_webhook_secret(RotateWebhookSecretRequest) -> RotateWebhookSecretResponse;
    update_webhook(UpdateWebhookRequest) -> UpdateWebhookResponse;
    list_dead_letters(ListDeadLettersRequest) -> ListDeadLettersResponse;
    replay_dead_letters(ReplayDeadLettersRequest) -> ReplayDeadLettersResponse;
}

/// The address of the reverse proxy that the server trusts.
pub const PROXY: &str = "10.0.0.1";

/// How many requests with a body a client may have in progress.
pub const BODIES: usize = 4;

/// The origin of the pages that may read answers.
pub const ORIGIN: &str = "https://dialer.example";

pub const CLIENT: CallerKind = CallerKind::Client { client_id: 7 };

/// A server with the key of a client.
pub struct App {
    pub router: Router,
    pub recorder: Arc<Recorder>,
    pub keys: Arc<Keys>,
    pub key: String,
    pub auth: Auth,
    /// Cancelling this token stops the server.
    pub stop: CancellationToken,
}

/// An answer that has been read to its end.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl App {
    pub fn new() -> Self {
        let (recorder, keys) = (Arc::new(Recorder::default()), Arc::new(Keys::default()));
        let key = keys.add(CLIENT, |_| {});
        let dummy = Arc::new(Dummy(Arc::clone(&recorder)));
        let services = Services {
            admin: Arc::clone(&dummy),
            calls: Arc::clone(&dummy),
            clients: Arc::clone(&dummy),
            queues: dummy,
        };
        let admin = trunkline::api::auth::AdminKey::new(&"a configured admin key".into()).unwrap();
        let proxies = Networks::parse([PROXY]).unwrap();
        let auth = Auth::new(keys.clone(), Some(admin), proxies);
        let ready = Arc::clone(&keys);
        let readiness = Arc::new(move || {
            let is_away = *ready.is_away.lock().unwrap();
            let answer = if is_away { Err("the store cannot be reached".to_owned()) } else { Ok(()) };
            Box::pin(std::future::ready(answer)) as _
        });
        let stop = CancellationToken::new();
        let web = Web {
            origins: vec![HeaderValue::from_static(ORIGIN)],
            is_tls: false,
            grpc_needs_certificate: false,
            body_timeout: Duration::from_secs(30),
            bodies_per_client: BODIES,
        };
        let background = Background::start().unwrap();
        let router = router(services, auth.clone(), readiness, None, &web, background, stop.clone()).unwrap();
        Self { router, recorder, keys, key, auth, stop }
    }

    /// Makes a request with the client's key and a JSON body, if there is one.
    pub fn request(&self, method: Method, path: &str, body: impl Into<Body>) -> Request<Body> {
        let mut request = Request::new(body.into());
        *request.method_mut() = method;
        *request.uri_mut() = path.parse::<Uri>().unwrap();
        request.headers_mut().insert("x-api-key", HeaderValue::try_from(&self.key).unwrap());
        request.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
        request
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path, Body::empty())).await
    }

    pub async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.send(self.request(Method::POST, path, body)).await
    }

    /// Posts a batch of calls.
    pub async fn insert(&self, body: impl Into<Body>) -> Answer {
        self.post(INSERT, body).await
    }

    /// Returns the batch that reached the service.
    pub fn batch(&self) -> InsertBatchRequest {
        self.recorder.batch.lock().unwrap().clone().expect("no batch reached the service")
    }
}

pub const INSERT: &str = "/calling/api/v1/queues/insertdataincallqueue";

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("the body is not JSON: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Asserts that this is an error with this HTTP status and code in the contract's form, and returns its message.
    #[track_caller]
    pub fn error(&self, status: u16, code: &str) -> String {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        let body = self.json();
        let keys: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["message", "status", "code", "errors", "data"], "{body}");
        assert_eq!((&body["status"], &body["code"], &body["data"]), (&"error".into(), &code.into(), &Value::Null));
        assert!(body["errors"].is_array());
        assert!(self.header("x-request-id").is_some());
        body["message"].as_str().unwrap().to_owned()
    }

    /// Asserts that this is a 400 with one broken rule, and returns it as `field: message`.
    #[track_caller]
    pub fn violation(&self) -> String {
        let message = self.error(400, "INVALID_ARGUMENT");
        let errors = &self.json()["errors"];
        assert_eq!(errors.as_array().unwrap().len(), 1, "{errors}");
        let (field, text) = (errors[0]["field"].as_str().unwrap(), errors[0]["message"].as_str().unwrap());
        let both = if field.is_empty() { text.to_owned() } else { format!("{field}: {text}") };
        assert_eq!(message, both);
        message
    }
}
