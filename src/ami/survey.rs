//! Asks an Asterisk for the settings about which there are rules in `advice`, as far as the manager user may read them.

use std::collections::HashMap;

use super::action::Action;
use super::advice::{self, Advice, Dialplan, Endpoint};
use super::message::Message;
use super::options::Options;
use super::session::{Live, SessionError};
use super::value::HeaderValue;

/// The most endpoints that are looked at: a test is no reason to keep an Asterisk busy.
const MOST_ENDPOINTS: usize = 200;

/// The most endpoints that are listed. They often have the same template.
const MOST_LISTED: usize = 10;

/// Returns what should be changed; `commands` is the answer to `ListCommands`. What the user may not read is left out.
///
/// # Errors
/// Fails if the connection is lost or an answer takes too long.
pub(super) async fn run(live: &mut Live, commands: &Message, options: &Options) -> Result<Vec<String>, SessionError> {
    let mut found = advice::of_commands(commands);
    if commands.get("GetConfig").is_some() {
        found.extend(advice::of_asterisk_conf(&section(live, options, "asterisk.conf", "options").await?));
    }
    if commands.get("PJSIPShowEndpoints").is_some() && commands.get("PJSIPShowEndpoint").is_some() {
        found.extend(redirects(live, options).await?);
    }
    Ok(found.iter().map(ToString::to_string).collect())
}

async fn section(live: &mut Live, options: &Options, file: &str, category: &str) -> Result<Message, SessionError> {
    let action = Action::GetConfig { file: file.try_into()?, category: category.try_into()? };
    live.answer(&action, "settings-of", "GetConfig", options.answer_deadline).await
}

/// Returns the endpoints whose far end can send calls into a context that leads on.
async fn redirects(live: &mut Live, options: &Options) -> Result<Vec<Advice>, SessionError> {
    let deadline = options.answer_deadline;
    let listed = live.list(&Action::ShowEndpoints, "endpoints", "PJSIPShowEndpoints", deadline).await?;
    let names = listed.unwrap_or_default();
    let names = names.iter().filter(|event| event.event_name() == Some(b"EndpointList"));
    let names: Vec<String> =
        names.filter_map(|event| event.get("ObjectName")).map(std::borrow::Cow::into_owned).collect();
    let (mut contexts, mut found) = (HashMap::new(), Vec::new());
    for name in names.iter().take(MOST_ENDPOINTS) {
        let Ok(value) = HeaderValue::try_from(name.as_str()) else { continue };
        let action = Action::ShowEndpoint { endpoint: value };
        let detail = live.list(&action, "endpoint", "PJSIPShowEndpoint", deadline).await?;
        let Some(mut endpoint) = detail.ok().as_deref().and_then(Endpoint::of) else { continue };
        if endpoint.redirect_method.is_none() {
            endpoint.redirect_method = configured(live, options, name).await?;
        }
        let dialplan = match contexts.get(&endpoint.context) {
            Some(known) => known,
            None => {
                let dialplan = dialplan(live, options, &endpoint.context).await?;
                contexts.entry(endpoint.context.clone()).or_insert(dialplan)
            }
        };
        found.extend(advice::of_endpoint(name, &endpoint, dialplan));
    }
    if found.len() > MOST_LISTED {
        let more = found.len() - MOST_LISTED;
        found.truncate(MOST_LISTED);
        found.push(Advice::MoreRedirects(more));
    }
    Ok(found)
}

/// Returns how an endpoint follows a 302 response according to `pjsip.conf`. None if it is not in that file.
async fn configured(live: &mut Live, options: &Options, endpoint: &str) -> Result<Option<String>, SessionError> {
    let section = section(live, options, "pjsip.conf", endpoint).await?;
    let default = || section.is_success().then(|| "user".to_owned());
    Ok(advice::last_value(&section, "redirect_method").or_else(default))
}

async fn dialplan(live: &mut Live, options: &Options, context: &str) -> Result<Dialplan, SessionError> {
    let Ok(context) = HeaderValue::try_from(context) else { return Ok(Dialplan::Unknown) };
    let listed =
        live.list(&Action::ShowDialPlan { context }, "dialplan", "ShowDialPlan", options.answer_deadline).await?;
    Ok(advice::of_dialplan(&listed))
}
