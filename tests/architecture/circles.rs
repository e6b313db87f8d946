//! Circles: files that use one another, directly or through others.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::uses::Uses;

/// Describes the circles among these uses. Each file is in at most one of those that are described, and a description
/// names the files of a shortest circle and what each uses of the next.
pub fn among(uses: &Uses) -> Vec<String> {
    let (mut told, mut circles) = (BTreeSet::new(), Vec::new());
    for file in uses.keys() {
        if told.contains(file) {
            continue;
        }
        if let Some(circle) = shortest(uses, file) {
            let steps = circle.iter().zip(circle.iter().cycle().skip(1));
            let steps: Vec<String> =
                steps.map(|(one, next)| format!("{one} uses {next} ({})", uses[*one][*next])).collect();
            circles.push(format!("a circle: {}", steps.join(", ")));
            told.extend(circle);
        }
    }
    circles
}

/// The files of a shortest way from `file` back to it, in their order.
fn shortest<'u>(uses: &'u Uses, file: &'u String) -> Option<Vec<&'u String>> {
    let mut from: BTreeMap<&String, &String> = BTreeMap::new();
    let mut next = VecDeque::from([file]);
    while let Some(one) = next.pop_front() {
        for used in uses.get(one)?.keys() {
            if used == file {
                let mut circle = vec![one];
                while let Some(before) = circle.last().and_then(|last| from.get(*last)) {
                    circle.push(before);
                }
                circle.reverse();
                return Some(circle);
            }
            if !from.contains_key(used) {
                from.insert(used, one);
                next.push_back(used);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(pairs: &[(&str, &str)]) -> Uses {
        let mut uses = Uses::new();
        for (one, other) in pairs {
            uses.entry((*other).to_owned()).or_default();
            uses.entry((*one).to_owned()).or_default().insert((*other).to_owned(), format!("crate::{other}"));
        }
        uses
    }

    #[test]
    fn a_circle_is_told_once_with_its_way() {
        let circles = among(&uses(&[("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")]));
        assert_eq!(circles, ["a circle: a uses b (crate::b), b uses c (crate::c), c uses a (crate::a)"]);
    }

    #[test]
    fn files_that_use_one_another_one_way_only_are_no_circle() {
        assert_eq!(among(&uses(&[("a", "b"), ("a", "c"), ("b", "c")])), Vec::<String>::new());
    }
}
