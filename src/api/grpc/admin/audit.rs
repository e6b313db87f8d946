//! The audit log: the transaction that every changing method uses, and the method that lists the entries.

use std::ops::{Deref, DerefMut};

use serde::Serialize;
use serde_json::Value;
use tonic::{Request, Status};

use crate::api::auth::{Caller, Origin};
use crate::api::context::RequestId;
use crate::api::fields::{self, Check};
use crate::api::grpc::app::App;
use crate::api::grpc::convert;
use crate::api::rest::ParseWarnings;
use crate::api::validate::paging::Page;
use crate::api::{Error, Violations, context};
use crate::domain::time::Millis;
use crate::pb;
use crate::store::{Tx, audit};

/// The fields of requests whose values must not be stored in the audit log.
const SECRET: [&str; 1] = ["secret"];

/// A request that changes something. It holds the audit entry of the change and begins its transaction.
pub struct Change {
    /// The state that all methods share.
    pub app: App,
    /// When the request arrived.
    pub now: Millis,
    /// Parts of the request that were accepted but may be mistakes.
    pub warnings: Vec<String>,
    /// The broken rules of the request's fields.
    violations: Violations,
    entry: audit::NewEntry,
}

/// A transaction whose commit also writes the audit entry. If it is dropped, neither the change nor the entry is
/// stored.
pub struct Audited {
    tx: Tx,
    entry: audit::NewEntry,
}

impl Change {
    /// Prepares the audit entry of a request: the key, the address, the method and the request itself.
    pub fn of<T: Serialize + Check>(app: App, action: &'static str, request: &Request<T>) -> Result<Self, Status> {
        let now = Millis::now();
        let violations = fields::violations(request.get_ref());
        // What breaks a rule may have no JSON, and is never noted.
        let detail = if violations.is_empty() { detail(request.get_ref())? } else { String::new() };
        let origin = request.extensions().get::<Origin>();
        let id = request.extensions().get::<RequestId>().map_or_else(context::request_id, |id| id.as_str().to_owned());
        let entry = audit::NewEntry {
            at: now.0,
            actor: Caller::of(request)?.actor().to_owned(),
            action: action.to_owned(),
            target: String::new(),
            remote_address: origin.map(|origin| origin.address.to_string()),
            request_id: id,
            detail,
        };
        let warnings = request.extensions().get::<ParseWarnings>().cloned().unwrap_or_default().0;
        Ok(Self { app, now, warnings, violations, entry })
    }

    /// Takes the broken rules of the request's fields, for a method that looks for more and then refuses them all.
    pub fn violations(&mut self) -> Violations {
        std::mem::take(&mut self.violations)
    }

    /// Begins the transaction of the change.
    ///
    /// # Errors
    /// Fails if the request breaks rules of its fields, and the method has not taken them.
    pub async fn begin(&self) -> Result<Audited, Error> {
        self.violations.clone().finish()?;
        Ok(Audited { tx: self.app.db.begin().await?, entry: self.entry.clone() })
    }
}

impl Audited {
    /// Commits the change, together with an audit entry that says that `target` was changed.
    pub async fn commit(mut self, target: String) -> Result<(), Error> {
        self.entry.target = target;
        audit::append(&mut self.tx, &self.entry).await?;
        Ok(self.tx.commit().await?)
    }

    /// Rolls the transaction back, so that nothing is changed.
    pub async fn rollback(self) -> Result<(), Error> {
        Ok(self.tx.rollback().await?)
    }
}

impl Deref for Audited {
    type Target = Tx;

    fn deref(&self) -> &Tx {
        &self.tx
    }
}

impl DerefMut for Audited {
    fn deref_mut(&mut self) -> &mut Tx {
        &mut self.tx
    }
}

/// Returns the request as JSON, without secrets and without empty lists.
fn detail(request: &impl Serialize) -> Result<String, Error> {
    let mut asked = serde_json::to_value(request).map_err(Error::internal)?;
    if let Value::Object(fields) = &mut asked {
        fields.retain(|name, value| {
            !SECRET.contains(&name.as_str()) && !value.as_array().is_some_and(std::vec::Vec::is_empty)
        });
    }
    Ok(asked.to_string())
}

/// Returns entries of the audit log, newest first (`AdminService.ListAudit`).
pub async fn list(app: App, request: pb::ListAuditRequest) -> Result<pb::ListAuditResponse, Error> {
    let size = Page::new(None, request.page_size).limit();
    let entries = audit::list(&mut app.db.read().await?, request.before, size).await?;
    Ok(pb::ListAuditResponse { results: entries.into_iter().map(convert::audit_entry).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_noted() {
        let request = pb::CreateServerRequest {
            code: "server1".into(),
            secret: "s3cret".into(),
            recording_dirs: vec!["/recordings".into()],
            ..pb::CreateServerRequest::default()
        };
        let noted = detail(&request).unwrap();
        assert!(!noted.contains("s3cret") && noted.contains("/recordings") && !noted.contains("trunks"), "{noted}");
        let update = pb::UpdateServerRequest { secret: Some("s3cret".into()), ..pb::UpdateServerRequest::default() };
        assert!(!detail(&update).unwrap().contains("s3cret"));
    }
}
