//! `grpc.health.v1`: what `/readyz` says, for gRPC clients and load balancers.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::api::readiness::Readiness;
use crate::pb::DESCRIPTORS;

/// How often a watcher's answer is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Answers for the server as a whole, the empty name, and for each of its services: they are ready together.
#[derive(Clone)]
pub struct Healthy(Readiness);

/// The health service of a server that is as ready as `readiness` says.
pub fn service(readiness: Readiness) -> HealthServer<Healthy> {
    HealthServer::new(Healthy(readiness))
}

impl Healthy {
    async fn status(&self, service: &str) -> ServingStatus {
        match (is_known(service), (self.0)().await) {
            (false, _) => ServingStatus::ServiceUnknown,
            (true, Ok(())) => ServingStatus::Serving,
            (true, Err(_)) => ServingStatus::NotServing,
        }
    }
}

fn is_known(service: &str) -> bool {
    let serves = |name: &str| DESCRIPTORS.get_service_by_name(name).is_some();
    service.is_empty() || service == "grpc.health.v1.Health" || serves(service)
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

#[tonic::async_trait]
impl Health for Healthy {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        let service = request.into_inner().service;
        match self.status(&service).await {
            ServingStatus::ServiceUnknown => Err(Status::not_found(format!("no such service: {service}"))),
            status => Ok(Response::new(answer(status))),
        }
    }

    type WatchStream = ReceiverStream<Result<HealthCheckResponse, Status>>;

    /// Each change, beginning with how it is; an unknown service is watched in vain, as the protocol has it.
    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let (health, service) = (self.clone(), request.into_inner().service);
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            let mut told = None;
            loop {
                let status = health.status(&service).await;
                if told != Some(status) && sender.send(Ok(answer(status))).await.is_err() {
                    return;
                }
                told = Some(status);
                tokio::select! {
                    () = sender.closed() => return,
                    () = tokio::time::sleep(LOOK_AGAIN) => {}
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}
