//! The transaction of a change, which writes the entry of the audit log in the same commit.

use std::ops::{Deref, DerefMut};

use serde::Serialize;
use tonic::{Request, Status};

use super::app::App;
use super::changed::{Changed, detail};
use crate::api::auth::{Caller, CallerKind, Origin};
use crate::api::context::RequestId;
use crate::api::fields::{self, Check};
use crate::api::rest::ParseWarnings;
use crate::api::{Error, Violations, context};
use crate::domain::time::Millis;
use crate::store::{Tx, audit};

/// A request that changes something. It begins the transaction of the change, and holds its audit entry if it comes from
/// an administrator.
pub struct Change {
    /// The state that all methods share.
    pub app: App,
    /// When the request arrived.
    pub now: Millis,
    /// Parts of the request that were accepted but may be mistakes.
    pub warnings: Vec<String>,
    /// The broken rules of the request's fields.
    violations: Violations,
    /// None for the request of a client, which is not audited.
    entry: Option<audit::NewEntry>,
}

/// A transaction whose commit also writes the audit entry, if the change is audited. If it is dropped, neither the change nor the entry is
/// stored.
pub struct Audited {
    tx: Tx,
    entry: Option<audit::NewEntry>,
}

impl Change {
    /// Prepares the change of an administrator: checks the fields of the request, and notes the key, the address, the
    /// method and the request itself.
    pub fn of<T: Serialize + Check>(app: App, action: &'static str, request: &Request<T>) -> Result<Self, Status> {
        let violations = fields::violations(request.get_ref());
        // What breaks a rule may have no JSON, and is never noted.
        let detail = if violations.is_empty() { detail(request.get_ref())? } else { String::new() };
        Self::new(app, violations, Some(entry(action, request, detail)?), request)
    }

    /// Prepares the change of queues or calls, which is audited if the caller is an administrator. The method checks the
    /// fields of the request.
    pub fn by_caller<T: Serialize>(app: App, action: &'static str, request: &Request<T>) -> Result<Self, Status> {
        // A request that has no JSON breaks a rule, and is refused before anything is noted.
        Self::noting(app, action, request, || detail(request.get_ref()).unwrap_or_default())
    }

    /// Prepares the same for a stream, of which only what is told with [`Audited::commit`] is noted.
    pub fn by_stream<T>(app: App, action: &'static str, request: &Request<T>) -> Result<Self, Status> {
        Self::noting(app, action, request, || "{}".to_owned())
    }

    fn noting<T>(
        app: App,
        action: &'static str,
        request: &Request<T>,
        detail: impl FnOnce() -> String,
    ) -> Result<Self, Status> {
        let is_audited = Caller::of(request)?.kind == CallerKind::Admin;
        let entry = is_audited.then(|| entry(action, request, detail())).transpose()?;
        Self::new(app, Violations::default(), entry, request)
    }

    fn new<T>(
        app: App,
        violations: Violations,
        entry: Option<audit::NewEntry>,
        request: &Request<T>,
    ) -> Result<Self, Status> {
        let warnings = request.extensions().get::<ParseWarnings>().cloned().unwrap_or_default().0;
        Ok(Self { app, now: Millis::now(), warnings, violations, entry })
    }

    /// Takes the broken rules of the request's fields, for a method that looks for more and then refuses them all.
    pub fn violations(&mut self) -> Violations {
        std::mem::take(&mut self.violations)
    }

    /// Begins the transaction of the change. If it is audited, other changes by administrators wait until it ends.
    ///
    /// # Errors
    /// Fails if the request breaks rules of its fields, and the method has not taken them.
    pub async fn begin(&self) -> Result<Audited, Error> {
        self.violations.clone().finish()?;
        let mut tx = self.app.db.begin().await?;
        // So that what is read as the state before the change is still that when the change is made.
        if self.entry.is_some() {
            audit::lock(&mut tx).await?;
        }
        Ok(Audited { tx, entry: self.entry.clone() })
    }
}

impl Audited {
    /// Commits the change. If it is audited, the entry says that `target` was changed, and how.
    pub async fn commit(mut self, target: String, changed: Changed) -> Result<(), Error> {
        if let Some(entry) = self.entry.take() {
            let (before, after) = changed.texts();
            audit::append(&mut self.tx, &audit::NewEntry { target, before, after, ..entry }).await?;
        }
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

/// Returns the audit entry of a request, as far as it is known before the change.
fn entry<T>(action: &'static str, request: &Request<T>, detail: String) -> Result<audit::NewEntry, Status> {
    let origin = request.extensions().get::<Origin>();
    let id = request.extensions().get::<RequestId>().map_or_else(context::request_id, |id| id.as_str().to_owned());
    Ok(audit::NewEntry {
        at: Millis::now().0,
        actor: Caller::of(request)?.actor().to_owned(),
        action: action.to_owned(),
        target: String::new(),
        remote_address: origin.map(|origin| origin.address.to_string()),
        request_id: id,
        detail,
        ..audit::NewEntry::default()
    })
}
