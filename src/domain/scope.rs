//! What an API key allows.

use std::fmt;

/// What an API key allows. Each scope includes those before it. The codes are those of the API's `Scope` and never
/// change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The key can read.
    Read = 1,
    /// The key can also write: insert, dial, change and end calls.
    Write = 2,
    /// The key can administer the platform.
    Admin = 3,
}

impl Scope {
    /// Every scope, from the smallest to the largest.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    /// Returns true if a key with this scope can do what needs `needed`.
    #[must_use]
    pub fn includes(self, needed: Self) -> bool {
        self >= needed
    }

    /// Returns the code that the store and the API use.
    #[must_use]
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// Returns the scope with a code, or None if there is none.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.code() == code)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scope_includes_itself_and_those_before_it() {
        for (place, scope) in Scope::ALL.into_iter().enumerate() {
            for (other_place, other) in Scope::ALL.into_iter().enumerate() {
                assert_eq!(scope.includes(other), other_place <= place, "{scope} includes {other}");
            }
            assert_eq!(Scope::from_code(scope.code()), Some(scope));
        }
        assert_eq!(Scope::from_code(0), None, "a code that was never given means no scope");
    }
}
