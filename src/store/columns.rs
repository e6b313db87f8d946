//! The columns of rows that travel as one parameter.

/// The type of a column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A UUID, written as 32 hexadecimal digits.
    Uuid,
    /// An integer of 64 bits.
    BigInt,
    /// An integer of 32 bits.
    Integer,
    /// An integer of 16 bits.
    SmallInt,
    /// A boolean, true or false.
    Bool,
    /// A text of any length.
    Text,
}

/// A column of such rows.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// The column's name, in the JSON objects and in the statement.
    pub name: &'static str,
    /// The type of its values.
    pub kind: Kind,
}
