//! Serves `grpc.health.v1`, which tells gRPC clients and load balancers what `/readyz` does.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::api::readiness::Readiness;
use crate::pb::DESCRIPTORS;

/// How often the status is checked for a client that watches it.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Answers for the server as a whole, which is the empty name, and for each of its services. All are ready together.
#[derive(Clone)]
pub struct Healthy(Readiness);

/// Builds the health service from what checks whether the server is ready.
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

    /// Sends the current status, and then each change. An unknown service gets SERVICE_UNKNOWN, as the protocol
    /// requires.
    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let (health, service) = (self.clone(), request.into_inner().service);
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            let mut sent = None;
            loop {
                let status = health.status(&service).await;
                if sent != Some(status) && sender.send(Ok(answer(status))).await.is_err() {
                    return;
                }
                sent = Some(status);
                tokio::select! {
                    () = sender.closed() => return,
                    () = tokio::time::sleep(POLL_INTERVAL) => {}
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}
