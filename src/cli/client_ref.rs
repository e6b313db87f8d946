//! A client as the user names it: by its id or by its name.

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
                return Err(Fault::from(tonic::Status::not_found(message)).into());
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
