//! A client as the user names it: by its id or by its name.

use tonic::Status;

use super::fault::Fault;
use super::remote::Session;
use crate::pb;

/// A client's id or name as an argument of a command.
#[derive(Clone, Debug, clap::Args)]
pub struct ClientRef {
    /// The id or the name of the client
    client: String,
}

impl ClientRef {
    /// Makes one of the id or the name in a flag.
    pub fn new(client: String) -> Self {
        Self { client }
    }

    /// Returns the id. A name is looked up at the server.
    pub async fn id(&self, session: &Session) -> anyhow::Result<i64> {
        if let Ok(id) = self.client.parse() {
            return Ok(id);
        }
        let mut page = 1;
        loop {
            let request = pb::ListClientsRequest { page: Some(page), page_size: Some(1000) };
            let answer = session.admin().list_clients(request).await?.into_inner();
            if let Some(client) = answer.results.iter().find(|client| client.name == self.client) {
                return Ok(client.client_id);
            }
            if i64::from(page) * 1000 >= answer.count {
                let message = format!("there is no client {}; `trunkline clients list` shows them", self.client);
                return Err(Fault::from(Status::not_found(message)).into());
            }
            page += 1;
        }
    }

    /// Asks the server for the client.
    pub async fn get(&self, session: &Session) -> anyhow::Result<pb::Client> {
        let client_id = self.id(session).await?;
        let answer = session.admin().get_client(pb::GetClientRequest { client_id }).await?.into_inner();
        answer.client.ok_or_else(|| Fault::Failed("the server answered without the client".to_owned()).into())
    }
}

/// The client that a command is about. A client's key says it by itself; an administrator names it.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ForClient {
    /// The client whose queues and calls are meant, by its id or its name, for administrators [default: all clients]
    #[arg(id = "for_client", long = "client", global = true, value_name = "CLIENT")]
    client: Option<String>,
}

impl ForClient {
    /// Returns the id of the client, or None if none is named. A name is looked up at the server.
    ///
    /// # Errors
    /// Returns [`Fault::Answer`] if there is no such client, or the key belongs to another one.
    pub async fn id(&self, session: &Session) -> anyhow::Result<Option<i64>> {
        let Some(client) = &self.client else { return Ok(None) };
        if let Ok(id) = client.parse() {
            return Ok(Some(id));
        }
        let own = session.clients().test_connection(pb::TestConnectionRequest {}).await?.into_inner();
        match own.client_id {
            None => ClientRef::new(client.clone()).id(session).await.map(Some),
            Some(id) if own.name == *client => Ok(Some(id)),
            Some(_) => {
                let message = format!("the key belongs to client {}: only an administrator may name another", own.name);
                Err(Fault::from(Status::permission_denied(message)).into())
            }
        }
    }

    /// Checks that a queue belongs to the client, if one is named: a command that names both concerns no other queue.
    ///
    /// # Errors
    /// Returns [`Fault::Answer`] if the queue does not exist, or belongs to another client.
    pub async fn check_queue(&self, session: &Session, queue_id: i64) -> anyhow::Result<()> {
        let Some(client_id) = self.id(session).await? else { return Ok(()) };
        let queue = session.queues().get_queue(pb::GetQueueRequest { queue_id }).await?.into_inner().queue;
        self.check(client_id, queue.and_then(|queue| queue.client_id), format_args!("queue {queue_id}"))
    }

    /// Checks that a call belongs to the client, if one is named.
    ///
    /// # Errors
    /// Returns [`Fault::Answer`] if the call does not exist, or belongs to another client.
    pub async fn check_call(&self, session: &Session, call_id: &str) -> anyhow::Result<()> {
        let Some(client_id) = self.id(session).await? else { return Ok(()) };
        let request = pb::GetCallRequest { call_id: call_id.to_owned() };
        let call = session.calls().get_call(request).await?.into_inner().call;
        self.check(client_id, call.and_then(|call| call.client_id), format_args!("call {call_id}"))
    }

    /// Compares the client that is named with the one that something belongs to, which only administrators are told: with
    /// a client's key, what is another client's does not exist.
    fn check(&self, named: i64, owner: Option<i64>, what: std::fmt::Arguments<'_>) -> anyhow::Result<()> {
        if owner.is_none_or(|owner| owner == named) {
            return Ok(());
        }
        let client = self.client.as_deref().unwrap_or_default();
        Err(Fault::from(Status::not_found(format!("{what} does not belong to client {client}"))).into())
    }
}
