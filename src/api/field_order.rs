//! The order in which the broken rules of a request are listed: that of its fields.

use prost_reflect::{Kind, MessageDescriptor};

use crate::pb::DESCRIPTORS;

/// Fields that are listed after another field of their message than the one before them: message, field, the other.
///
/// The first broken rule is the `message` of an error, and these have always been listed so.
const LATER: [(&str, &str, &str); 4] = [
    ("ListQueueCallsRequest", "master_queue_id", "page_size"),
    ("OriginateAction", "channel", "data"),
    ("QueueItem", "action", "retry_rules"),
    ("RetryRule", "outcome", "jitter"),
];

/// One step of a path, in an order of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// A field of a message: its place among the others.
    Field(u32, u32),
    /// An element of a list.
    Index(usize),
    /// What is no field of the message: an entry of a map, or a header.
    Other(String),
}

/// Where `path`, as `data[3].action.Channel`, stands among all paths in the message of that full name.
pub fn place(message: &str, path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut message = DESCRIPTORS.get_message_by_name(message);
    let mut rest = path;
    while !rest.is_empty() {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (name, behind) = rest.split_at(end);
        let Some((descriptor, field)) =
            message.and_then(|message| Some((message.clone(), message.get_field_by_json_name(name)?)))
        else {
            steps.push(Step::Other(rest.to_owned()));
            break;
        };
        steps.push(field_step(&descriptor, field.name(), field.number()));
        rest = behind;
        if let Some((index, behind)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            steps.push(Step::Index(index.parse().unwrap_or(usize::MAX)));
            rest = behind;
        }
        rest = rest.strip_prefix('.').unwrap_or(rest);
        message = match field.kind() {
            Kind::Message(inner) if !field.is_map() => Some(inner),
            _ => None,
        };
    }
    steps
}

fn field_step(message: &MessageDescriptor, field: &str, number: u32) -> Step {
    let later = LATER.iter().find(|(of, name, _)| (*of, *name) == (message.name(), field));
    let after = later.and_then(|(_, _, after)| message.get_field_by_name(after));
    match after {
        Some(after) => Step::Field(after.number(), number),
        None => Step::Field(number, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_in_the_order_of_fields_and_elements() {
        let mut paths = [
            "data[10].retry",
            "data[2].action.variables.B.C",
            "Idempotency-Key",
            "data[2].action.variables.A",
            "data[2].action.Channel",
            "data[2].action.Action",
            "data[2].retry_rules[0].outcome",
            "data[2].retry_rules[0].jitter",
            "data[2]",
            "data",
            "batch_id",
            "",
        ];
        paths.sort_by_cached_key(|path| place("trunkline.v1.InsertBatchRequest", path));
        assert_eq!(
            paths,
            [
                "",
                "batch_id",
                "data",
                "data[2]",
                "data[2].retry_rules[0].jitter",
                "data[2].retry_rules[0].outcome",
                "data[2].action.Action",
                "data[2].action.Channel",
                "data[2].action.variables.A",
                "data[2].action.variables.B.C",
                "data[10].retry",
                "Idempotency-Key",
            ]
        );
    }

    #[test]
    fn every_field_that_is_listed_later_exists() {
        for (message, field, after) in LATER {
            let message = DESCRIPTORS.get_message_by_name(&format!("trunkline.v1.{message}")).unwrap();
            assert!(message.get_field_by_name(field).is_some() && message.get_field_by_name(after).is_some());
        }
    }
}
