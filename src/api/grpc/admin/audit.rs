//! The audit log: the transaction that every changing method uses, and the method that lists the entries.

use std::ops::{Deref, DerefMut};

use serde::Serialize;
use tonic::{Request, Status};

use super::changed::{Changed, detail};
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
            ..audit::NewEntry::default()
        };
        let warnings = request.extensions().get::<ParseWarnings>().cloned().unwrap_or_default().0;
        Ok(Self { app, now, warnings, violations, entry })
    }

    /// Takes the broken rules of the request's fields, for a method that looks for more and then refuses them all.
    pub fn violations(&mut self) -> Violations {
        std::mem::take(&mut self.violations)
    }

    /// Begins the transaction of the change. Other changes by administrators wait until it ends.
    ///
    /// # Errors
    /// Fails if the request breaks rules of its fields, and the method has not taken them.
    pub async fn begin(&self) -> Result<Audited, Error> {
        self.violations.clone().finish()?;
        let mut tx = self.app.db.begin().await?;
        // So that what is read as the state before the change is still that when the change is made.
        audit::lock(&mut tx).await?;
        Ok(Audited { tx, entry: self.entry.clone() })
    }
}

impl Audited {
    /// Commits the change, together with an audit entry that says that `target` was changed, and how.
    pub async fn commit(mut self, target: String, changed: Changed) -> Result<(), Error> {
        self.entry.target = target;
        (self.entry.before, self.entry.after) = changed.texts();
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

/// Returns entries of the audit log, newest first, or oldest first after an entry (`AdminService.ListAudit`).
pub async fn list(app: App, request: pb::ListAuditRequest) -> Result<pb::ListAuditResponse, Error> {
    let size = Page::new(None, request.page_size).limit();
    let mut conn = app.db.read().await?;
    // The end is read first, so that the entries reach at least up to it.
    let head = audit::head(&mut conn).await?;
    let entries = match request.after {
        Some(after) => audit::list_after(&mut conn, after, request.before, size).await?,
        None => audit::list(&mut conn, request.before, size).await?,
    };
    Ok(pb::ListAuditResponse {
        results: entries.into_iter().map(convert::audit_entry).collect(),
        head: Some(pb::AuditHead { seq: head.seq, hash: head.hash }),
    })
}
