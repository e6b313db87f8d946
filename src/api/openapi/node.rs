//! JSON whose objects keep the order in which they are built, which makes the document readable.

use serde::{Serialize, Serializer};
use serde_json::Value;

/// A JSON value under construction.
#[derive(Debug, Clone)]
pub enum Node {
    /// A value without members whose order matters.
    Plain(Value),
    /// A list of values.
    List(Vec<Self>),
    /// An object whose members keep their order.
    Object(Object),
}

/// A JSON object under construction.
#[derive(Debug, Clone, Default)]
pub struct Object(Vec<(String, Node)>);

impl Object {
    /// Adds a member at the end.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Node>) -> Self {
        self.0.push((name.into(), value.into()));
        self
    }

    /// Adds a member at the end if there is a value for it.
    #[must_use]
    pub fn with_some(self, name: &str, value: Option<impl Into<Node>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Adds a list at the end unless it is empty.
    #[must_use]
    pub fn with_any<T: Into<Node>>(self, name: &str, values: Vec<T>) -> Self {
        if values.is_empty() { self } else { self.with(name, list(values)) }
    }

    /// Adds a text at the end unless it is empty.
    #[must_use]
    pub fn with_text(self, name: &str, text: &str) -> Self {
        if text.is_empty() { self } else { self.with(name, text) }
    }

    /// Returns the member with a name, or `None` if there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Returns the member with a name, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Node> {
        self.0.iter_mut().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

/// Returns a schema that allows every value of one JSON type.
pub fn of_type(name: &str) -> Object {
    Object::default().with("type", name)
}

/// Makes a list of values that can become nodes.
pub fn list<T: Into<Node>>(values: impl IntoIterator<Item = T>) -> Node {
    Node::List(values.into_iter().map(Into::into).collect())
}

/// Makes a reference to a component such as `schemas/Queue`.
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
