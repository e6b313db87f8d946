//! `trunkline check`: tries what `serve` needs, and changes nothing.

use std::io::{self, Write};
use std::path::Path;

use secrecy::SecretString;

use super::fault::Fault;
use super::key_files::keyring;
use crate::ami::{self, probe};
use crate::api::tls;
use crate::config::{Config, Flags, is_public};
use crate::store::secrets::{Keyring, Place, Sealer};
use crate::store::servers::{self, Server};
use crate::store::{self, Db, migrate, sealed};

/// The flags and arguments of `check`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: Flags,
}

/// Prints the results of the checks, and counts the failed ones.
struct Findings {
    failed: usize,
}

impl Findings {
    /// Prints a warning, which is no failure.
    fn warn(what: &str, text: &str) -> io::Result<()> {
        writeln!(io::stdout(), "WARN   {what}: {}", text.replace(char::is_control, " "))
    }

    fn report(&mut self, what: &str, found: Result<String, String>) -> io::Result<()> {
        let (mark, text) = match found {
            Ok(text) => ("ok", text),
            Err(text) => {
                self.failed += 1;
                ("WRONG", text)
            }
        };
        writeln!(io::stdout(), "{mark:5}  {what}: {}", text.replace(char::is_control, " "))
    }
}

/// Runs all checks and prints their results.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let config = Config::load(&args.config)?;
    crate::telemetry::filter(&config.log)?;
    let mut findings = Findings { failed: 0 };
    findings.report("configuration", Ok(format!("every setting is known; node {}", config.node_name())))?;
    match config.check_public() {
        Ok(()) if config.tls()?.is_none() && is_public(config.listen) => {
            Findings::warn("listen", &format!("{} is served without TLS, as insecure_public allows", config.listen))?;
        }
        Ok(()) => {}
        Err(error) => findings.report("listen", Err(error.to_string()))?,
    }
    if let Some(tls) = config.tls()? {
        findings.report(
            "TLS",
            tls::load(&tls).map(|_| "the certificate and the key match".to_owned()).map_err(|error| error.to_string()),
        )?;
    }
    let sealer = match keyring(&config).map_err(|error| format!("{error:#}")) {
        Ok(Some(keys)) => {
            findings.report("secret key", Ok(describe(&keys)))?;
            Some(Sealer::new(keys))
        }
        Ok(None) => {
            findings.report("secret key", Ok("none yet; the first start creates one".to_owned()))?;
            None
        }
        Err(why) => {
            findings.report("secret key", Err(why))?;
            None
        }
    };
    if let Some(db) = check_store(&config, &mut findings).await? {
        if let Some(sealer) = &sealer {
            check_secrets(&db, sealer, &mut findings).await?;
        }
        check_servers(&db, sealer.as_ref(), &mut findings).await?;
    }
    match findings.failed {
        0 => Ok(()),
        1 => Err(Fault::Failed("1 check failed".to_owned()).into()),
        failed => Err(Fault::Failed(format!("{failed} checks failed")).into()),
    }
}

/// Returns the store if there is one that can be read.
async fn check_store(config: &Config, findings: &mut Findings) -> anyhow::Result<Option<Db>> {
    let url = config.database_url();
    if let Some(path) = url.strip_prefix("sqlite://")
        && !Path::new(path).exists()
    {
        findings.report("store", Ok(format!("{path} does not exist yet; the first start creates it")))?;
        return Ok(None);
    }
    let (opened, kind) = (store::open(&url), if url.starts_with("sqlite") { "SQLite" } else { "PostgreSQL" });
    let ready = async {
        let db = opened.map_err(|error| error.to_string())?;
        match migrate::is_ready(&db).await {
            Ok(true) => Ok(db),
            Ok(false) => Err("migrations are missing; `trunkline migrate` or a start applies them".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    };
    match ready.await {
        Ok(db) => {
            findings.report("store", Ok(format!("{kind} can be reached and has every migration")))?;
            Ok(Some(db))
        }
        Err(why) => {
            findings.report("store", Err(why))?;
            Ok(None)
        }
    }
}

/// Names the current key and counts the earlier ones.
fn describe(keys: &Keyring) -> String {
    let current = keys.current().map(|key| key.to_string()).unwrap_or_default();
    match keys.ids().count() - 1 {
        0 => format!("32 bytes, with the id {current}"),
        earlier => format!("32 bytes, with the id {current}, and {earlier} earlier keys"),
    }
}

/// Checks that there is a key for every secret in the store.
async fn check_secrets(db: &Db, sealer: &Sealer, findings: &mut Findings) -> anyhow::Result<()> {
    let (counts, keys) = (sealed::by_key(&mut db.read().await?).await?, sealer.keys());
    let mut missing = false;
    for (key, count) in sealed::missing(&counts, &keys) {
        missing = true;
        let what = format!(
            "those of {} servers and {} webhooks are sealed with the secret key {key}, which is not configured; add it to \
             previous_secret_keys",
            count.servers, count.webhooks
        );
        findings.report("secrets", Err(what))?;
    }
    let with_earlier = counts.keys().any(|key| *key != keys.current());
    if !missing {
        let found = if with_earlier {
            "there is a key for each; `trunkline secrets rotate` seals those of earlier keys anew"
        } else {
            "all are sealed with the current key"
        };
        findings.report("secrets", Ok(found.to_owned()))?;
    }
    Ok(())
}

async fn check_servers(db: &Db, sealer: Option<&Sealer>, findings: &mut Findings) -> anyhow::Result<()> {
    let servers = servers::list(&mut db.read().await?).await?;
    if servers.is_empty() {
        findings.report("servers", Ok("none yet; `trunkline servers add` adds one".to_owned()))?;
    }
    for server in servers {
        let found = match sealer {
            Some(sealer) => log_in(&server, sealer).await,
            None => Err("its secret cannot be opened without the secret key".to_owned()),
        };
        let name = format!("server {}", server.code);
        let plain = options(&server, SecretString::default()).ok().and_then(|options| options.warning());
        let warnings: Vec<String> =
            plain.into_iter().chain(found.iter().flat_map(|found| found.warnings.clone())).collect();
        findings.report(&name, found.and_then(|found| describe_login(&server, found)))?;
        for warning in warnings {
            Findings::warn(&name, &warning)?;
        }
    }
    Ok(())
}

/// Logs in as the server's lane does, and finds out what the manager user may do.
async fn log_in(server: &Server, sealer: &Sealer) -> Result<probe::Found, String> {
    let secret = sealer
        .open(&server.secret, &Place::Server(server.code.clone()))
        .map_err(|error| format!("its secret cannot be opened: {error}"))?;
    probe::run(&options(server, secret)?).await.map_err(|error| error.to_string())
}

/// Describes a login. An error is what dialing needs and is missing.
fn describe_login(server: &Server, found: probe::Found) -> Result<String, String> {
    if !found.missing.is_empty() {
        return Err(found.missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
    }
    let version = found.asterisk_version;
    let version = version.unwrap_or_else(|| "of unknown version".to_owned());
    Ok(format!("logged in to {}:{} as {}, Asterisk {version}", server.host, server.port, server.username))
}

fn options(server: &Server, secret: SecretString) -> Result<ami::Options, String> {
    let port = u16::try_from(server.port).map_err(|_| format!("{} is not a port number", server.port))?;
    Ok(ami::Options::new(server.host.clone(), port, server.username.clone(), secret, server.tls))
}
