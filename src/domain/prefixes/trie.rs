//! Finds the longest of many prefixes of digits with which a number begins.

/// The index of a digit's node that does not exist. Index 0 is the root, which no digit leads to.
const NONE: u32 = 0;

/// A tree in which each digit leads on to the node of the digits so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trie {
    nodes: Vec<Node>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Node {
    next: [u32; 10],
    /// True if the digits up to here are a prefix.
    is_prefix: bool,
}

impl Default for Trie {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

impl Trie {
    /// Returns the length of the longest prefix that `number` begins with; None if it begins with none.
    pub fn longest(&self, number: &str) -> Option<usize> {
        let (mut at, mut longest) = (0, None);
        for (place, digit) in number.bytes().map(digit).enumerate() {
            let next = digit.and_then(|digit| self.nodes.get(at)?.next.get(digit).copied());
            let Some(next) = next.filter(|next| *next != NONE).and_then(|next| usize::try_from(next).ok()) else {
                break;
            };
            at = next;
            if self.nodes.get(at).is_some_and(|node| node.is_prefix) {
                longest = Some(place + 1);
            }
        }
        longest
    }

    fn insert(&mut self, prefix: &str) {
        let mut at = 0;
        for digit in prefix.bytes().filter_map(digit) {
            let new = self.nodes.len();
            let Some(next) = self.nodes.get_mut(at).and_then(|node| node.next.get_mut(digit)) else { return };
            at = match usize::try_from(*next) {
                Ok(next) if next != 0 => next,
                _ => {
                    let Ok(index) = u32::try_from(new) else { return };
                    *next = index;
                    self.nodes.push(Node::default());
                    new
                }
            };
        }
        // Without a digit it would be a prefix of every number.
        if at != 0
            && let Some(node) = self.nodes.get_mut(at)
        {
            node.is_prefix = true;
        }
    }
}

impl<S: AsRef<str>> FromIterator<S> for Trie {
    fn from_iter<I: IntoIterator<Item = S>>(prefixes: I) -> Self {
        let mut trie = Self::default();
        prefixes.into_iter().for_each(|prefix| trie.insert(prefix.as_ref()));
        trie
    }
}

fn digit(byte: u8) -> Option<usize> {
    byte.is_ascii_digit().then(|| usize::from(byte - b'0'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_longest_prefix_is_found(prefixes in prop::collection::vec("[0-9]{1,4}", 0..20), number in "[0-3]{0,8}") {
            let trie: Trie = prefixes.iter().collect();
            let longest = prefixes.iter().filter(|prefix| number.starts_with(prefix.as_str())).map(String::len).max();
            prop_assert_eq!(trie.longest(&number), longest);
        }
    }

    #[test]
    fn what_is_no_digit_ends_a_number_and_is_no_prefix() {
        let trie: Trie = ["49", ""].iter().collect();
        assert_eq!((trie.longest("49*1"), trie.longest("4*9"), trie.longest("")), (Some(2), None, None));
    }
}
