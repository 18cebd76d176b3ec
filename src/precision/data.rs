//! The data that types are chosen by, and what they are called.

use crate::tensor::Tensor;

/// What the types are chosen by.
#[derive(Debug, Clone, Default)]
pub struct Data {
    /// Those that decide.
    pub chosen: Vec<Inputs>,
    /// Those that check; where one does not hold, it decides too, and the others check.
    pub fresh: Vec<Inputs>,
    /// Those whose numbers give scales for types of 8 bits; none of those that check.
    pub calibrating: Vec<Inputs>,
}

/// A tensor for each input.
#[derive(Debug, Clone, PartialEq)]
pub struct Inputs {
    /// What they are called.
    pub label: Label,
    /// The tensors, in the network's order.
    pub tensors: Vec<Tensor>,
}

/// What data are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where they come from.
    pub source: String,
    /// The seed, where a source gives other data for each.
    pub seed: Option<u64>,
}

/// What several data are called in one line, with those of a source together.
pub(super) fn said<'l>(labels: impl IntoIterator<Item = &'l Label>) -> String {
    let mut sources: Vec<(&str, Vec<String>)> = Vec::new();
    for Label { source, seed } in labels {
        let seed = seed.map(|seed| seed.to_string());
        match sources.iter_mut().find(|(known, _)| seed.is_some() && known == source) {
            Some((_, seeds)) => seeds.extend(seed),
            None => sources.push((source, seed.into_iter().collect())),
        }
    }
    let parts = sources.iter().map(|(source, seeds)| match &seeds[..] {
        [] => (*source).to_owned(),
        [seed] => format!("{source}, seed {seed}"),
        [seeds @ .., last] => format!("{source}, seeds {} and {last}", seeds.join(", ")),
    });
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { "no other data".to_owned() } else { parts.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_of_a_source_are_said_together() {
        let label = |source: &str, seed| Label { source: source.to_owned(), seed };
        let labels = [
            label("a", None),
            label("b", Some(3)),
            label("a with its numbers moved", Some(2)),
            label("b", Some(5)),
            label("b", Some(7)),
        ];
        assert_eq!(said(&labels), "a; b, seeds 3, 5 and 7; a with its numbers moved, seed 2");
        assert_eq!(said([]), "no other data");
    }
}
