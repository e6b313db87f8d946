//! The dial policy of a client: what can be granted at all.

use crate::api::{At, Violations};
use crate::domain::dial::applications::{self, dial};
use crate::domain::dial::dial_string::Technology;
use crate::domain::dial::names;
use crate::domain::variables;
use crate::pb::DialPolicy;

/// Notes every grant that could not be used, because no parser understands what it grants or it runs code. An
/// administrator is told so at once, and not by refused calls.
pub fn check(policy: &DialPolicy, violations: &mut Violations) {
    let at = At::field("policy");
    each(&policy.technologies, &at.then("technologies"), violations, |name| {
        let names = Technology::ALL.map(Technology::as_str);
        (!names.contains(&name)).then(|| format!("technology {name} cannot be granted, only {}", names.join(", ")))
    });
    each(&policy.applications, &at.then("applications"), violations, |name| {
        let is_exact = applications::grantable(name) == Some(name);
        let names = || applications::all().collect::<Vec<_>>().join(", ");
        (!is_exact).then(|| format!("application {name} cannot be granted, only {}", names()))
    });
    each(&policy.dial_options, &at.then("dial_options"), violations, |option| {
        let mut letters = option.chars();
        match (letters.next(), letters.next()) {
            (Some(letter), None) if dial::CODE_OPTIONS.contains(letter) => {
                Some(format!("option {option} of Dial runs code and cannot be granted to any client"))
            }
            (Some(letter), None) if letter.is_ascii_alphabetic() => None,
            _ => Some("must be one letter".to_owned()),
        }
    });
    for (field, list) in [
        ("contexts", &policy.contexts),
        ("queues", &policy.queues),
        ("conferences", &policy.conferences),
        ("conference_profiles", &policy.conference_profiles),
    ] {
        each(list, &at.then(field), violations, |text| {
            names::name(text, "name").err().map(|fault| fault.why().to_owned())
        });
    }
    each(&policy.variables, &at.then("variables"), violations, variables::grant_error);
    each(&policy.recording_dirs, &at.then("recording_dirs"), violations, |dir| {
        let is_plain = dir.starts_with('/') && !dir.split('/').any(|part| part == "..");
        (!is_plain).then(|| "must be an absolute path without `..`".to_owned())
    });
}

fn each(list: &[String], at: &At<'_>, violations: &mut Violations, wrong: impl Fn(&str) -> Option<String>) {
    for (index, text) in list.iter().enumerate() {
        if let Some(why) = wrong(text) {
            violations.invalid_if_new(&at.index(index), why);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proto_lists_what_can_be_granted() {
        let proto = include_str!("../../../proto/trunkline/v1/admin_policy.proto").replace("\"\n    \"", "");
        let applications: Vec<&str> = applications::all().collect();
        for names in [applications.as_slice(), &Technology::ALL.map(Technology::as_str)] {
            let pattern = format!("\"^({})$\"", names.join("|"));
            assert!(proto.contains(&pattern), "{pattern}");
        }
    }
}
