//! A filter of calls, which a search has as fields of its own.

use super::{CallFilter, ListCallsRequest};

impl From<CallFilter> for ListCallsRequest {
    /// Returns the search for the calls that the filter finds, of all clients.
    fn from(filter: CallFilter) -> Self {
        Self {
            page_size: None,
            page_token: None,
            client_id: None,
            contact_number: filter.contact_number,
            contact_number_national: filter.contact_number_national,
            call_id_prefix: filter.call_id_prefix,
            action_id: filter.action_id,
            channel_id: filter.channel_id,
            project: filter.project,
            label: filter.label,
            status: filter.status,
            outcome: filter.outcome,
            asterisk_server_code: filter.asterisk_server_code,
            trunk: filter.trunk,
            queue_id: filter.queue_id,
            created_from: filter.created_from,
            created_to: filter.created_to,
            started_from: filter.started_from,
            started_to: filter.started_to,
            ended_from: filter.ended_from,
            ended_to: filter.ended_to,
        }
    }
}
