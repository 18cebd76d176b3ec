//! Profiles of parts of a network: the sizes that its inner values have at the ends of its own.

use super::OTHER;
use super::sizes::{Point, settled};
use crate::network::profile::Range;
use crate::network::{Cut, Dim, Network, Profile, ValueId, sizing};

/// A network with the sizes that it has at the ends of its profiles.
#[derive(Debug)]
pub struct Ends {
    profiles: Vec<(Profile, [Network; 3])>,
}

impl Ends {
    /// Computes the sizes of all values.
    pub fn new(network: &Network, profiles: &[Profile]) -> Self {
        let at = |profile: &Profile| {
            [0, 1, 2].map(|end| settled(network, &point(network, profile, end)).0)
        };
        Self { profiles: profiles.iter().map(|profile| (profile.clone(), at(profile))).collect() }
    }

    /// The sizes of values, under other names, at the ends of the first profile. None where there
    /// is no profile.
    pub fn ranges(&self, values: &[(String, ValueId)]) -> Vec<Range> {
        let Some((_, ends)) = self.profiles.first() else { return Vec::new() };
        let open = values.iter().filter_map(|(name, id)| {
            let value = ends.first()?.values.get(*id)?;
            Some(range(name, value.ty.shape.rank(), *id, ends))
        });
        open.collect()
    }

    /// The profiles of a part, as many as the network has; none where the part needs none.
    pub fn of(&self, part: &Cut) -> Vec<Profile> {
        let profiles = self.profiles.iter();
        let mut profiles: Vec<Profile> =
            profiles.map(|(whole, ends)| of_part(part, whole, ends)).collect();
        profiles.retain(|profile| *profile != Profile::default());
        profiles
    }
}

/// What only the run knows, at an end of a profile.
fn point(network: &Network, profile: &Profile, end: usize) -> Point {
    let mut point = Point::default();
    for &input in &network.inputs {
        let value = network.value(input);
        let named = |ranges: &[Range]| {
            let range = ranges.iter().find(|range| *range.input == *value.name);
            range.map(|range| at(range, end).clone())
        };
        for (dim, size) in value.ty.shape.iter().zip(named(&profile.inputs).unwrap_or_default()) {
            point.sizes.extend(dim.as_symbol().map(|symbol| (symbol.clone(), size)));
        }
        point.values.extend(named(&profile.values).map(|values| (input, values)));
    }
    point
}

fn at(range: &Range, end: usize) -> &Vec<i64> {
    match end {
        0 => &range.min,
        1 => &range.opt,
        _ => &range.max,
    }
}

fn of_part(part: &Cut, whole: &Profile, ends: &[Network; 3]) -> Profile {
    let network = &part.network;
    let sizing = sizing::holding_sizes(network);
    let mut profile = Profile::default();
    for (&input, &original) in network.inputs.iter().zip(&part.inputs) {
        let value = network.value(input);
        if value.ty.shape.known().is_none() {
            profile.inputs.push(range(&value.name, value.ty.shape.rank(), original, ends));
        }
        let values = whole.values.iter().find(|range| *range.input == *value.name);
        profile.values.extend(values.filter(|_| sizing.contains(&input)).cloned());
    }
    profile
}

/// The sizes of a value, in rising order: one that falls as others rise is no range otherwise. A
/// size of which nothing is known is guessed.
fn range(name: &str, rank: usize, original: ValueId, ends: &[Network; 3]) -> Range {
    let [mut min, mut opt, mut max] = [const { Vec::new() }; 3];
    for axis in 0..rank {
        let mut sizes = [0, 1, 2].map(|end: usize| {
            let size = ends.get(end).and_then(|end| end.value(original).ty.shape.get(axis));
            size.and_then(Dim::known).unwrap_or(OTHER.get(end).copied().unwrap_or(1))
        });
        sizes.sort_unstable();
        let [smallest, likeliest, largest] = sizes;
        min.push(smallest);
        opt.push(likeliest);
        max.push(largest);
    }
    Range { input: name.to_owned(), min, opt, max }
}
