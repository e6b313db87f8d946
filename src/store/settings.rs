//! Settings of the whole platform: the kill switch, and the platform's dial policy.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::db::{Conn, Tx, with_conn};
use super::error::Result;
use super::rule_lock;
use super::schema::settings;
use crate::domain::prefixes::Prefixes;
use crate::domain::time::Millis;

/// A setting: a JSON value under a name. A setting that was never set has its default.
pub trait Setting: Serialize + DeserializeOwned + Default + Send + Sync {
    /// The setting's name in the table.
    const NAME: &'static str;
    /// True if the commit of a claim reads the setting.
    const HOLDS_CLAIMS: bool = false;
}

/// The kill switch, which stops new calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KillSwitch {
    /// True if nothing new is dialed.
    pub engaged: bool,
    /// Why, in the words of the administrator who set it.
    pub reason: Option<String>,
}

impl Setting for KillSwitch {
    const NAME: &'static str = "kill_switch";
    const HOLDS_CLAIMS: bool = true;
}

/// The dial policy that holds for all clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformPolicy {
    /// Prefixes of numbers that clients may not dial, unless a longer prefix of their own allows it.
    pub denied_prefixes: Vec<String>,
    /// True if the premium-rate and satellite numbers of the shipped list are not denied.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_premium_rate: bool,
}

impl PlatformPolicy {
    /// Returns the prefixes that are denied to all clients.
    #[must_use]
    pub fn denied(&self) -> Prefixes {
        let prefixes: Prefixes = self.denied_prefixes.iter().collect();
        if self.allow_premium_rate { prefixes } else { prefixes.with_premium_rate() }
    }
}

impl Setting for PlatformPolicy {
    const NAME: &'static str = "platform_policy";
}

/// Reads a setting, and when it was last set.
pub async fn get<S: Setting>(conn: &mut Conn) -> Result<(S, Option<Millis>)> {
    let found: Option<(String, i64)> = with_conn!(conn, |c| {
        settings::table.find(S::NAME).select((settings::value, settings::changed_at)).first(c).await.optional()
    })?;
    Ok(match found {
        Some((value, changed_at)) => (serde_json::from_str(&value)?, Some(Millis(changed_at))),
        None => (S::default(), None),
    })
}

/// Sets a setting. A setting that the commit of a claim reads holds from the transaction's commit on.
pub async fn set<S: Setting>(tx: &mut Tx, setting: &S, now: Millis) -> Result<()> {
    let value = serde_json::to_string(setting)?;
    with_conn!(&mut **tx, |c| {
        diesel::insert_into(settings::table)
            .values((settings::name.eq(S::NAME), settings::value.eq(&value), settings::changed_at.eq(now.0)))
            .on_conflict(settings::name)
            .do_update()
            .set((settings::value.eq(&value), settings::changed_at.eq(now.0)))
            .execute(c)
            .await
    })?;
    // The lock is taken last, so that lanes wait for the commit alone.
    if S::HOLDS_CLAIMS { rule_lock::change(tx).await } else { Ok(()) }
}
