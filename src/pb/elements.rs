//! Bounds how many elements the lists of a request have, before they are read.
//!
//! An element of two bytes becomes a struct of several hundred, so that a request of a few megabytes would fill gigabytes
//! before the rules of its fields are checked. These bounds are far above every rule, and only keep memory bounded.

use std::collections::HashMap;
use std::sync::LazyLock;

use bytes::Buf;
use prost::encoding::{WireType, decode_key, decode_varint};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::descriptors::DESCRIPTORS;

/// The most elements that one list or map of a request may have. The largest rule of a field allows 1000.
pub const MOST_IN_LIST: usize = 10_000;

/// The most elements that all lists and maps of a request may have together. A batch whose 1000 calls have all that they
/// may have stays below it.
pub const MOST_IN_ALL: usize = 200_000;

/// How deep messages may be nested in a request. Those of the API are nested four deep.
const DEEPEST: usize = 16;

/// A list or the whole request has too many elements.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooMany {
    /// The list or map at this path has more than [`MOST_IN_LIST`] elements.
    #[error("must hold at most {MOST_IN_LIST} elements")]
    InList(String),
    /// All lists and maps together have more than [`MOST_IN_ALL`] elements.
    #[error("the request must hold at most {MOST_IN_ALL} elements in all of its lists")]
    InAll,
}

impl TooMany {
    /// Returns the path of the list; empty for the whole request.
    #[must_use]
    pub fn field(&self) -> &str {
        match self {
            Self::InList(path) => path,
            Self::InAll => "",
        }
    }
}

/// What has to be known of a message to count its elements.
#[derive(Default)]
struct Shape {
    fields: HashMap<u32, Field>,
}

struct Field {
    name: String,
    is_list: bool,
    /// The full name of the message that the field holds.
    message: Option<String>,
    /// True for a list of numbers, which are packed into one value.
    is_packed: bool,
}

/// The messages that requests can hold, by their full names.
static SHAPES: LazyLock<HashMap<String, Shape>> = LazyLock::new(|| {
    let mut shapes = HashMap::new();
    for method in DESCRIPTORS.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
        add(&method.input(), &mut shapes);
    }
    shapes
});

fn add(message: &MessageDescriptor, shapes: &mut HashMap<String, Shape>) {
    if shapes.contains_key(message.full_name()) {
        return;
    }
    // Before its fields, because a message may hold itself.
    shapes.insert(message.full_name().to_owned(), Shape::default());
    let fields = message.fields().map(|field| {
        if let Kind::Message(inner) = field.kind() {
            add(&inner, shapes);
        }
        (field.number(), Field::from(field))
    });
    let fields = fields.collect();
    shapes.insert(message.full_name().to_owned(), Shape { fields });
}

impl From<FieldDescriptor> for Field {
    fn from(field: FieldDescriptor) -> Self {
        let kind = field.kind();
        let message = match &kind {
            Kind::Message(message) => Some(message.full_name().to_owned()),
            _ => None,
        };
        let is_list = field.is_list() || field.is_map();
        let is_packed = is_list && !matches!(kind, Kind::Message(_) | Kind::String | Kind::Bytes);
        Self { name: field.json_name().to_owned(), is_list, message, is_packed }
    }
}

/// Counts the elements of an encoded request, by the full name of its message. A message that is no request passes, and
/// so does what cannot be decoded.
///
/// # Errors
/// Returns the list that has too many.
pub fn check(message: &str, encoded: &[u8]) -> Result<(), TooMany> {
    let Some(shape) = SHAPES.get(message) else { return Ok(()) };
    let mut counting = Counting { left: MOST_IN_ALL };
    counting.message(shape, encoded, "", 0)
}

struct Counting {
    left: usize,
}

impl Counting {
    fn message(&mut self, shape: &Shape, mut encoded: &[u8], path: &str, depth: usize) -> Result<(), TooMany> {
        let mut counts: HashMap<u32, usize> = HashMap::new();
        while encoded.has_remaining() {
            let Ok((number, wire)) = decode_key(&mut encoded) else { return Ok(()) };
            let Some(value) = value(wire, &mut encoded) else { return Ok(()) };
            let Some(field) = shape.fields.get(&number) else { continue };
            if field.is_list {
                let elements = if field.is_packed && wire == WireType::LengthDelimited { packed(value) } else { 1 };
                let count = counts.entry(number).or_default();
                *count += elements;
                if *count > MOST_IN_LIST {
                    return Err(TooMany::InList(joined(path, &field.name)));
                }
                self.left = self.left.checked_sub(elements).ok_or(TooMany::InAll)?;
            }
            let inner = field.message.as_ref().and_then(|name| SHAPES.get(name));
            if let Some(inner) = inner.filter(|_| depth < DEEPEST && !value.is_empty()) {
                let index = field.is_list.then(|| counts.get(&number).map_or(0, |count| count - 1));
                let path = match index {
                    Some(index) => joined(path, &format!("{}[{index}]", field.name)),
                    None => joined(path, &field.name),
                };
                self.message(inner, value, &path, depth + 1)?;
            }
        }
        Ok(())
    }
}

/// Returns the bytes of a length-delimited value, and none for one of another kind. Returns None if the value is cut.
fn value<'a>(wire: WireType, encoded: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = match wire {
        WireType::Varint => {
            decode_varint(encoded).ok()?;
            return Some(&[]);
        }
        WireType::LengthDelimited => usize::try_from(decode_varint(encoded).ok()?).ok()?,
        WireType::SixtyFourBit => 8,
        WireType::ThirtyTwoBit => 4,
        // proto3 has none.
        WireType::StartGroup | WireType::EndGroup => return None,
    };
    let (value, rest) = encoded.split_at_checked(length)?;
    *encoded = rest;
    Some(if wire == WireType::LengthDelimited { value } else { &[] })
}

/// Counts packed numbers, of which each is at least one byte. Fixed ones are counted as more than they are.
fn packed(value: &[u8]) -> usize {
    value.iter().filter(|byte| **byte < 0x80).count()
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

#[cfg(test)]
mod tests {
    use prost::{Message as _, Name as _};

    use super::*;
    use crate::pb::{InsertBatchRequest, OriginateAction, QueueItem, RetryRule, SetPlatformPolicyRequest};

    fn checked(request: &InsertBatchRequest) -> Result<(), TooMany> {
        check(&InsertBatchRequest::full_name(), &request.encode_to_vec())
    }

    fn items(count: usize, item: &QueueItem) -> InsertBatchRequest {
        InsertBatchRequest { data: vec![item.clone(); count], ..InsertBatchRequest::default() }
    }

    #[test]
    fn a_list_with_too_many_elements_is_named() {
        assert_eq!(checked(&items(MOST_IN_LIST, &QueueItem::default())), Ok(()));
        let too_many = checked(&items(MOST_IN_LIST + 1, &QueueItem::default()));
        assert_eq!(too_many, Err(TooMany::InList("data".to_owned())));
        let item = QueueItem { retry_rules: vec![RetryRule::default(); MOST_IN_LIST + 1], ..QueueItem::default() };
        let mut request = items(3, &QueueItem::default());
        request.data.push(item);
        assert_eq!(checked(&request), Err(TooMany::InList("data[3].retry_rules".to_owned())));
        let texts = InsertBatchRequest { dids: vec![String::new(); MOST_IN_LIST + 1], ..InsertBatchRequest::default() };
        assert_eq!(checked(&texts), Err(TooMany::InList("dids".to_owned())));
    }

    #[test]
    fn entries_of_maps_and_packed_numbers_are_elements() {
        let variables = (0..=MOST_IN_LIST).map(|number| (format!("A{number}"), String::new())).collect();
        let action = Some(OriginateAction { variables, ..OriginateAction::default() });
        let too_many = checked(&items(1, &QueueItem { action, ..QueueItem::default() }));
        assert_eq!(too_many, Err(TooMany::InList("data[0].action.variables".to_owned())));
        // Field 3 of a webhook's request is a list of numbers: no field of a batch is one.
        let encoded = [&[0x1a][..], &[0x91, 0x4e], &[1; MOST_IN_LIST + 1]].concat();
        assert_eq!(check("trunkline.v1.CreateWebhookRequest", &encoded), Err(TooMany::InList("events".to_owned())));
    }

    #[test]
    fn all_lists_together_are_bounded() {
        let rules = |count| QueueItem { retry_rules: vec![RetryRule::default(); count], ..QueueItem::default() };
        assert_eq!(checked(&items(1000, &rules(199))), Ok(()));
        assert_eq!(checked(&items(1000, &rules(200))), Err(TooMany::InAll));
    }

    #[test]
    fn an_answer_and_what_cannot_be_decoded_pass() {
        assert_eq!(check("trunkline.v1.ListQueuesResponse", &[0x0a, 0x00].repeat(MOST_IN_LIST + 1)), Ok(()));
        assert_eq!(check(&SetPlatformPolicyRequest::full_name(), &[0xff; 20]), Ok(()));
        assert_eq!(check(&InsertBatchRequest::full_name(), &[0x22, 0x7f]), Ok(()));
    }
}
