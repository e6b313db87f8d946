//! `AdminService`, one file for each noun. The authentication layer lets only requests with an admin key get here.
//!
//! A method that changes something gets a [`Change`], whose transaction is the only way to write. That transaction
//! cannot be committed without an audit entry.

mod admin_keys;
mod audit;
mod brakes;
mod clients;
mod do_not_call;
mod grants;
mod keys;
mod kill_switch;
mod new_key;
mod nodes;
mod policy;
mod servers;
mod webhooks;

use futures_util::future::BoxFuture;
use serde::Serialize;
use tonic::{Request, Response, Status};

use super::app::App;
use super::change::Change;
use super::unary::run_to_completion;
use crate::api::fields::Check;
use crate::api::{Error, fields};
use crate::pb;

/// The implementation of `AdminService`.
pub struct Admin(pub App);

/// The future that does the work of a method.
type Work<Res> = BoxFuture<'static, Result<Res, Error>>;

impl Admin {
    /// Runs a method that changes nothing, after checking the fields of its request.
    async fn read<Req, Res>(
        &self,
        _: &'static str,
        request: Request<Req>,
        method: impl FnOnce(App, Req) -> Work<Res>,
    ) -> Result<Response<Res>, Status>
    where
        Req: Check,
        Res: Send + 'static,
    {
        fields::check(request.get_ref())?;
        run_to_completion(method(self.0.clone(), request.into_inner())).await
    }

    /// Runs a method that changes something. Its name in the audit log is that of its request without `Request`, such
    /// as `UpdateServer`.
    async fn change<Req, Res>(
        &self,
        asked: &'static str,
        request: Request<Req>,
        method: impl FnOnce(Change, Req) -> Work<Res>,
    ) -> Result<Response<Res>, Status>
    where
        Req: Serialize + Check,
        Res: Send + 'static,
    {
        let action = asked.strip_suffix("Request").unwrap_or(asked);
        let change = Change::of(self.0.clone(), action, &request)?;
        run_to_completion(method(change, request.into_inner())).await
    }
}

/// The context that a method gets: what it needs to read, or to change something.
macro_rules! context {
    (read) => {
        App
    };
    (change) => {
        Change
    };
}

/// Implements the service. Each line says how a method is run, its request and response, and the function behind it.
macro_rules! methods {
    ($($way:ident $name:ident($request:ident) -> $response:ident = $method:path;)*) => {
        #[tonic::async_trait]
        impl pb::admin_service_server::AdminService for Admin {
            $(async fn $name(&self, request: Request<pb::$request>) -> Result<Response<pb::$response>, Status> {
                // A function of its own, because inside the trait's future the compiler would prove anew for each method
                // that its work is `Send`, down to the connections: a sixth of the time to compile this crate.
                fn work(context: context!($way), request: pb::$request) -> Work<pb::$response> {
                    Box::pin($method(context, request))
                }
                self.$way(stringify!($request), request, work).await
            })*
        }
    };
}

methods! {
    change create_client(CreateClientRequest) -> CreateClientResponse = clients::create;
    read list_clients(ListClientsRequest) -> ListClientsResponse = clients::list;
    read get_client(GetClientRequest) -> GetClientResponse = clients::get;
    change update_client(UpdateClientRequest) -> UpdateClientResponse = clients::update;
    change release_brake(ReleaseBrakeRequest) -> ReleaseBrakeResponse = brakes::release;
    change set_grant(SetGrantRequest) -> SetGrantResponse = grants::set;
    read list_grants(ListGrantsRequest) -> ListGrantsResponse = grants::list;
    change delete_grant(DeleteGrantRequest) -> DeleteGrantResponse = grants::delete;
    change create_key(CreateKeyRequest) -> CreateKeyResponse = keys::create;
    read list_keys(ListKeysRequest) -> ListKeysResponse = keys::list;
    change revoke_key(RevokeKeyRequest) -> RevokeKeyResponse = keys::revoke;
    change create_admin_key(CreateAdminKeyRequest) -> CreateAdminKeyResponse = admin_keys::create;
    read list_admin_keys(ListAdminKeysRequest) -> ListAdminKeysResponse = admin_keys::list;
    change revoke_admin_key(RevokeAdminKeyRequest) -> RevokeAdminKeyResponse = admin_keys::revoke;
    change create_server(CreateServerRequest) -> CreateServerResponse = servers::create;
    read list_servers(ListServersRequest) -> ListServersResponse = servers::list;
    read get_server(GetServerRequest) -> GetServerResponse = servers::get;
    change update_server(UpdateServerRequest) -> UpdateServerResponse = servers::update;
    change delete_server(DeleteServerRequest) -> DeleteServerResponse = servers::delete;
    read test_server(TestServerRequest) -> TestServerResponse = servers::test;
    read list_nodes(ListNodesRequest) -> ListNodesResponse = nodes::list;
    change drain_node(DrainNodeRequest) -> DrainNodeResponse = nodes::drain;
    change resume_node(ResumeNodeRequest) -> ResumeNodeResponse = nodes::resume;
    read list_audit(ListAuditRequest) -> ListAuditResponse = audit::list;
    change set_kill_switch(SetKillSwitchRequest) -> SetKillSwitchResponse = kill_switch::set;
    read get_kill_switch(GetKillSwitchRequest) -> GetKillSwitchResponse = kill_switch::get;
    read get_platform_policy(GetPlatformPolicyRequest) -> GetPlatformPolicyResponse = policy::get;
    change set_platform_policy(SetPlatformPolicyRequest) -> SetPlatformPolicyResponse = policy::set;
    read list_platform_do_not_call(ListPlatformDoNotCallRequest) -> ListPlatformDoNotCallResponse = do_not_call::list;
    change add_platform_do_not_call(AddPlatformDoNotCallRequest) -> AddPlatformDoNotCallResponse = do_not_call::add;
    change remove_platform_do_not_call(RemovePlatformDoNotCallRequest) -> RemovePlatformDoNotCallResponse = do_not_call::remove;
    change create_webhook(CreateWebhookRequest) -> CreateWebhookResponse = webhooks::create;
    change update_webhook(UpdateWebhookRequest) -> UpdateWebhookResponse = webhooks::update;
    read list_webhooks(ListWebhooksRequest) -> ListWebhooksResponse = webhooks::list;
    change delete_webhook(DeleteWebhookRequest) -> DeleteWebhookResponse = webhooks::delete;
    read test_webhook(TestWebhookRequest) -> TestWebhookResponse = webhooks::test;
    change rotate_webhook_secret(RotateWebhookSecretRequest) -> RotateWebhookSecretResponse = webhooks::rotate_secret;
    read list_dead_letters(ListDeadLettersRequest) -> ListDeadLettersResponse = webhooks::list_dead_letters;
    change replay_dead_letters(ReplayDeadLettersRequest) -> ReplayDeadLettersResponse = webhooks::replay_dead_letters;
}
