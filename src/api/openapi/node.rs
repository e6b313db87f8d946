//! JSON whose objects keep the order in which they are built, so that people can read the document.

use serde::{Serialize, Serializer};
use serde_json::Value;

/// A JSON value under construction.
#[derive(Debug, Clone)]
pub enum Node {
    /// Anything whose order does not matter.
    Plain(Value),
    /// A list.
    List(Vec<Self>),
    /// An object, in order.
    Object(Object),
}

/// An object under construction.
#[derive(Debug, Clone, Default)]
pub struct Object(Vec<(String, Node)>);

impl Object {
    /// With one more member.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Node>) -> Self {
        self.0.push((name.into(), value.into()));
        self
    }

    /// With one more member, if there is a value for it.
    #[must_use]
    pub fn with_some(self, name: &str, value: Option<impl Into<Node>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// With one more member, unless its list is empty.
    #[must_use]
    pub fn with_any<T: Into<Node>>(self, name: &str, values: Vec<T>) -> Self {
        if values.is_empty() { self } else { self.with(name, list(values)) }
    }

    /// With one more member, unless the text is empty.
    #[must_use]
    pub fn with_text(self, name: &str, text: &str) -> Self {
        if text.is_empty() { self } else { self.with(name, text) }
    }

    /// The member of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Node> {
        self.0.iter_mut().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

/// Returns a schema that says nothing but the JSON type.
pub fn of_type(name: &str) -> Object {
    Object::default().with("type", name)
}

/// A list of what can be nodes.
pub fn list<T: Into<Node>>(values: impl IntoIterator<Item = T>) -> Node {
    Node::List(values.into_iter().map(Into::into).collect())
}

/// A reference to a component, as `schemas/Queue`.
pub fn reference(component: &str) -> Object {
    Object::default().with("$ref", format!("#/components/{component}"))
}

impl FromIterator<(String, Node)> for Object {
    fn from_iter<I: IntoIterator<Item = (String, Node)>>(members: I) -> Self {
        Self(members.into_iter().collect())
    }
}

impl IntoIterator for Object {
    type Item = (String, Node);
    type IntoIter = std::vec::IntoIter<(String, Node)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl From<Object> for Node {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

macro_rules! plain {
    ($($type:ty),*) => { $(
        impl From<$type> for Node {
            fn from(value: $type) -> Self {
                Self::Plain(value.into())
            }
        }
    )* };
}

plain!(Value, bool, i32, i64, usize, f64, &str, String);

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Plain(value) => value.serialize(serializer),
            Self::List(values) => serializer.collect_seq(values),
            Self::Object(object) => object.serialize(serializer),
        }
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}
