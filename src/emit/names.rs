//! Unique names within TensorRT's limit.

use std::collections::HashMap;

/// TensorRT's limit in bytes, less the terminating zero.
const LIMIT: usize = 4095;
/// Kept free for the number that makes a name unique, or says how many are left out.
const RESERVE: usize = 32;
/// The longest text that needs no shortening.
pub(super) const LONGEST: usize = LIMIT - RESERVE;

/// Hands out names, none of them twice.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// How often each name was asked for.
    taken: HashMap<String, usize>,
}

impl Names {
    /// Takes a name that is given from outside.
    pub(super) fn reserve(&mut self, name: &str) {
        self.taken.entry(shorten(name)).or_insert(0);
    }

    /// `base`, or `base#2`, `base#3`, … where it is taken; long ones end in a hash of the whole.
    pub(super) fn unique(&mut self, base: &str) -> String {
        let base = shorten(if base.is_empty() { "layer" } else { base });
        let mut count = self.taken.get(&base).map_or(0, |&count| count.max(1));
        let mut name = base.clone();
        while count > 0 {
            count += 1;
            name = format!("{base}#{count}");
            if !self.taken.contains_key(&name) {
                break;
            }
        }
        self.taken.insert(base, count.max(1));
        self.taken.entry(name.clone()).or_insert(1);
        name
    }
}

/// A text that TensorRT takes: a long one ends in a hash of the whole.
pub(super) fn shorten(name: &str) -> String {
    if name.len() <= LONGEST {
        return name.to_owned();
    }
    let mut hash = crate::hash::sha256(name);
    hash.truncate(16);
    let mut end = LONGEST - hash.len() - 1;
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}~{hash}", &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_short_enough() {
        let mut names = Names::default();
        names.reserve("y");
        let made: Vec<_> = ["a", "a", "a#2", "a", "y", ""].iter().map(|base| names.unique(base)).collect();
        assert_eq!(made, ["a", "a#2", "a#2#2", "a#3", "y#2", "layer"]);
        let long = "é".repeat(4000);
        assert!(names.unique(&long).len() <= LIMIT && names.unique(&long).len() <= LIMIT);
    }
}
