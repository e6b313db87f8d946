//! The input of the document.

use prost_reflect::{DescriptorPool, MethodDescriptor};

use crate::api::rest::{ENDPOINTS, Endpoint};
use crate::pb::DESCRIPTORS;

/// The endpoints that a document describes, and the descriptors of their methods and messages.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Holds the service of every endpoint, with comments.
    pub pool: &'a DescriptorPool,
    /// The endpoints in the order in which the document lists them.
    pub endpoints: &'a [Endpoint],
}

impl Source<'_> {
    /// Returns the API that this server serves.
    #[must_use]
    pub fn served() -> Source<'static> {
        Source { pool: &DESCRIPTORS, endpoints: &ENDPOINTS }
    }

    /// Returns the method that an endpoint serves, or `None` if the pool does not hold it.
    #[must_use]
    pub fn method_of(&self, endpoint: &Endpoint) -> Option<MethodDescriptor> {
        let (service, method) = endpoint.rpc.split_once('/')?;
        let service = self.pool.get_service_by_name(service)?;
        service.methods().find(|known| known.name() == method)
    }
}
