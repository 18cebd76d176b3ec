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

/// Whether TensorRT's words name this layer. Inside, it writes some characters of a name as `_`,
/// and adds to its end.
///
/// A name of nothing but letters could be any word.
pub(super) fn mentions(said: &str, name: &str) -> bool {
    if name.chars().all(char::is_alphabetic) {
        return false;
    }
    let inside = name.replace('"', "_");
    let part = |c: char| c.is_alphanumeric() || c == '_';
    [name, &inside].into_iter().any(|name| {
        said.match_indices(name).any(|(at, _)| {
            let before = said.get(..at).and_then(|before| before.chars().next_back());
            let behind = said.get(at + name.len()..).and_then(|behind| behind.chars().next());
            !before.is_some_and(part) && !behind.is_some_and(|c| c.is_alphanumeric() || c == '#')
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_found_in_what_is_said_of_them() {
        let said = "node 0 -> _y_#3_normalized : f32[] = inorm(x); /Conv_12 has no runners";
        for (name, found) in [
            ("node 0 -> \"y\"#3", true),
            ("node 0 -> \"y\"", false),
            ("/Conv_12", true),
            ("Conv_12", true),
            ("Conv_1", false),
            ("onv_12", false),
            ("runners", false),
        ] {
            assert_eq!(mentions(said, name), found, "{name}");
        }
    }

    #[test]
    fn names_are_unique_and_short_enough() {
        let mut names = Names::default();
        names.reserve("y");
        let made: Vec<_> =
            ["a", "a", "a#2", "a", "y", ""].iter().map(|base| names.unique(base)).collect();
        assert_eq!(made, ["a", "a#2", "a#2#2", "a#3", "y#2", "layer"]);
        let long = "é".repeat(4000);
        assert!(names.unique(&long).len() <= LIMIT && names.unique(&long).len() <= LIMIT);
    }
}
