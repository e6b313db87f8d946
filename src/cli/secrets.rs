//! `trunkline secrets`: shows which keys the stored secrets are sealed with, and seals them anew with the current key.
//! Both work on the store itself, also while servers run.

use anyhow::Context;
use clap::Subcommand;
use serde_json::{Value, json};

use super::core_dumps;
use super::fault::{Fault, note};
use super::key_files::{KeyFiles, keyring};
use super::output::Output;
use crate::config::{Config, Flags};
use crate::store::secrets::{Keyring, Sealer};
use crate::store::{self, Db, migrate, sealed};

/// The arguments of `secrets`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Count the stored secrets by the key that they are sealed with
    Status(Options),
    /// Seal all stored secrets anew with the current key
    ///
    /// The current key is that of the configuration. Without one there, the key is a file in the data directory, and
    /// this command first makes a new key, unless an earlier rotation is unfinished. It can be interrupted and repeated at
    /// any time, and servers may run meanwhile.
    Rotate(Options),
}

#[derive(clap::Args)]
struct Options {
    #[command(flatten)]
    config: Flags,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

/// Runs the command that the arguments name.
pub async fn run(args: Args) -> anyhow::Result<()> {
    core_dumps::forbid()?;
    match args.action {
        Action::Status(options) => status(&options).await,
        Action::Rotate(options) => rotate(&options).await,
    }
}

async fn status(options: &Options) -> anyhow::Result<()> {
    let config = Config::load(&options.config)?;
    let db = open(&config).await?;
    let keys = keyring(&config)?;
    let mut counts = sealed::by_key(&mut db.read().await?).await?;
    let mut rows: Vec<Value> = Vec::new();
    let mut row = |key: Option<String>, state: &str, count: sealed::Count| {
        rows.push(json!({ "key_id": key, "state": state, "servers": count.servers, "webhooks": count.webhooks }));
    };
    for (place, key) in keys.iter().flat_map(Keyring::ids).enumerate() {
        let state = if place == 0 { "current" } else { "previous" };
        row(Some(key.to_string()), state, counts.remove(&Some(key)).unwrap_or_default());
    }
    for (key, count) in counts {
        row(key.map(|key| key.to_string()), if key.is_some() { "missing" } else { "unmarked" }, count);
    }
    Output::new(options.json).list(&json!({ "results": rows }), &["key_id", "state", "servers", "webhooks"])
}

async fn rotate(options: &Options) -> anyhow::Result<()> {
    let config = Config::load(&options.config)?;
    let db = open(&config).await?;
    let files = KeyFiles::of(&config);
    let own_key = config.secret_key().is_none();
    let _lock = own_key.then(|| files.lock()).transpose()?;
    if own_key {
        make_key(&config, &files, &db).await?;
    }
    let Some(keys) = keyring(&config)? else { return Err(no_key()) };
    let current = keys.current().map(|key| key.to_string()).unwrap_or_default();
    let done = reseal(&db, &Sealer::new(keys)).await?;
    let (all, changed) = (done.changed + done.unchanged, done.changed);
    let answer =
        json!({ "key_id": current, "resealed": changed, "unchanged": done.unchanged, "failed": done.failed.len() });
    Output::new(options.json)
        .say(&answer, format_args!("secrets sealed with the key {current}: {all}, of which anew: {changed}"))?;
    if !done.failed.is_empty() {
        let lines: Vec<String> = done.failed.iter().map(|(place, error)| format!("\n  {place}: {error}")).collect();
        let message = format!("{} secrets could not be opened and stay as they are:{}", lines.len(), lines.concat());
        return Err(Fault::Failed(message).into());
    }
    if own_key {
        note(format_args!(
            "no secret needs the keys in {} any more; delete the file when no backup of the database from before is needed",
            files.previous_path().display()
        ));
    } else {
        note("previous_secret_keys are not needed any more, once all nodes use this key and a backup needs no other");
    }
    Ok(())
}

/// Makes a new key in the data directory, unless a rotation is unfinished.
async fn make_key(config: &Config, files: &KeyFiles, db: &Db) -> anyhow::Result<()> {
    let Some(current) = files.current()? else { return Err(no_key()) };
    let Some(keys) = keyring(config)? else { return Err(no_key()) };
    let (previous, counts) = (files.previous()?, sealed::by_key(&mut db.read().await?).await?);
    let unfinished = !previous.is_empty() && counts.keys().any(|key| *key != keys.current());
    if unfinished {
        note("continuing the rotation that was interrupted");
        return Ok(());
    }
    // No secret needs the keys before the current one.
    files.replace(&Sealer::new_key(), &[current]).context("cannot make a new key")
}

async fn reseal(db: &Db, sealer: &Sealer) -> anyhow::Result<sealed::Resealed> {
    let actor = actor();
    let mut all = sealed::Resealed::default();
    loop {
        let done = sealed::reseal_page(db, sealer, all.last.as_ref(), &actor).await?;
        all.changed += done.changed;
        all.unchanged += done.unchanged;
        all.failed.extend(done.failed);
        if done.last.is_none() {
            return Ok(all);
        }
        all.last = done.last;
    }
}

/// Returns the name under which the audit notes what is done here, without a key.
fn actor() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("user {} on {host}", rustix::process::getuid().as_raw())
}

/// Opens the store, which must have every migration.
async fn open(config: &Config) -> anyhow::Result<Db> {
    let url = config.database_url();
    if let Some(path) = url.strip_prefix("sqlite://")
        && !std::path::Path::new(path).exists()
    {
        return Err(Fault::Failed(format!("{path} does not exist; the first start creates it")).into());
    }
    let db = store::open(&url)?;
    if migrate::is_ready(&db).await? {
        return Ok(db);
    }
    Err(Fault::Failed("migrations are missing; `trunkline migrate` or a start applies them".to_owned()).into())
}

fn no_key() -> anyhow::Error {
    Fault::Failed("there is no secret key yet; the first start creates one".to_owned()).into()
}
