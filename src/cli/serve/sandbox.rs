//! Sets up `trunkline serve --sandbox`: a server to dial through and a client to dial for, at every start.

use std::net::SocketAddr;

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};

use crate::api::auth::ApiKey;
use crate::api::grpc::App;
use crate::domain::limits::ClientLimits;
use crate::domain::policy::Policy;
use crate::domain::scope::Scope;
use crate::domain::time::Millis;
use crate::sandbox::{Options, Sandbox};
use crate::store::clients::{self, NewClient};
use crate::store::keys::{self, Key};
use crate::store::secrets::Place;
use crate::store::servers::{self, Server};
use crate::store::{Result, Tx, audit, queues};

/// The server code in the guide's examples.
const SERVER: &str = "server1";
/// The name of the client that the sandbox makes a key for.
const CLIENT: &str = "sandbox";
/// The account code in the guide's examples.
const ACCOUNT: &str = "your_account_code";

/// The id of the first queue: the guide's first example creates queue 123, and its second example adds to it.
const FIRST_QUEUE: i64 = 123;

/// Opens the sandbox's port, stores what the guide's examples need, and prints how to begin.
///
/// # Errors
/// Returns an error if the port cannot be opened, or the store cannot be written to.
pub async fn prepare(app: &App, api: SocketAddr, is_tls: bool, speed: f64) -> anyhow::Result<Sandbox> {
    let secret: SecretString = ApiKey::generate(app.client_keys).plaintext;
    let username = "sandbox".to_owned();
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let options = Options { listen, username: username.clone(), secret: secret.clone(), seed: 1, speed };
    let sandbox = Sandbox::new(options).await.context("cannot start the sandbox")?;
    let address = sandbox.handle().address;
    let now = Millis::now();
    let mut tx = app.db.begin().await?;
    audit::lock(&mut tx).await?;
    let server = Server {
        code: SERVER.to_owned(),
        host: address.ip().to_string(),
        port: address.port().into(),
        username,
        secret: app.sealer.seal(&secret, &Place::Server(SERVER.to_owned()))?,
        tls: false,
        dial_template: "PJSIP/{number}@endpoint1".to_owned(),
        max_channels: 200,
        calls_per_second: 50.0 * speed.max(1.0),
        recording_dirs: r#"["/recordings"]"#.to_owned(),
        created_at: now.0,
        updated_at: now.0,
        trunks: "[]".to_owned(),
        numbering: "{}".to_owned(),
        max_call_seconds: None,
    };
    if servers::list(&mut tx).await?.iter().any(|known| known.code == SERVER) {
        servers::update(&mut tx, &server).await?;
    } else {
        servers::insert(&mut tx, &server).await?;
    }
    queues::number_from(&mut tx, FIRST_QUEUE).await?;
    let key = make_key(app, &mut tx, now).await?;
    tx.commit().await?;
    print_welcome(api, is_tls, &key);
    Ok(sandbox)
}

async fn make_key(app: &App, tx: &mut Tx, now: Millis) -> Result<SecretString> {
    let client_id = match clients::by_name(tx, CLIENT).await? {
        Some(client) => client.id,
        None => {
            let new = NewClient {
                name: CLIENT.to_owned(),
                account_code: ACCOUNT.to_owned(),
                limits: serde_json::to_string(&ClientLimits::default())?,
                policy: serde_json::to_string(&Policy::default())?,
                servers: vec![SERVER.to_owned()],
            };
            clients::create(tx, &new, now).await?
        }
    };
    let new = ApiKey::generate(app.client_keys);
    let key = Key {
        id: new.key_id,
        client_id,
        secret_sha256: new.secret_sha256.to_vec(),
        created_at: now.0,
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
        scope: Scope::Write.code(),
        networks: "[]".to_owned(),
    };
    keys::insert(tx, &key).await?;
    Ok(new.plaintext)
}

#[expect(clippy::print_stdout, reason = "the instructions are this command's output")]
fn print_welcome(api: SocketAddr, is_tls: bool, key: &SecretString) {
    let key = key.expose_secret();
    // A server that listens on all addresses is reached at this one too.
    let host = if api.ip().is_unspecified() { "127.0.0.1".to_owned() } else { api.ip().to_string() };
    let scheme = if is_tls { "https" } else { "http" };
    let url = format!("{scheme}://{host}:{}", api.port());
    println!(
        r#"Trunkline runs with a sandbox in place of Asterisk: calls are placed, and no phone rings.

  Dashboard  {url}/
  API key    {key}

Place a call, and watch what happens:

  curl -X POST '{url}/calling/api/v1/queues/insertdataincallqueue/' -H 'X-API-KEY: {key}' -H 'Content-Type: application/json' -d '{{"batch_id": 1, "data": [{{"asterisk_server_code": "server1", "action": {{"Action": "Originate", "Channel": "PJSIP/1234567890@endpoint1", "Application": "Dial", "Data": "PJSIP/0987654321@endpoint2,30"}}}}]}}'
  curl -N '{url}/calling/api/v1/calls/watch?after=0' -H 'X-API-KEY: {key}'
"#
    );
}
