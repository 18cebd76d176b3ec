//! Sizes to try a network at: the ends of a profile, and something between.

use super::{Planned, Range, Tie};
use crate::network::{Dim, Network, Symbol, ValueId};
use crate::valid::sizes::{Point, problems_at};
use std::collections::BTreeMap;

/// Sizes within a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// `opt`, `min`, `max` or `between`; of several profiles with their number: `profile 1, min`.
    pub what: String,
    /// Shape of each input, in the network's order.
    pub shapes: Vec<Vec<usize>>,
    /// Elements of inputs that hold sizes, by name.
    pub values: BTreeMap<String, Vec<i64>>,
}

/// What to take of a range.
type Pick = fn(&Range, usize) -> Option<i64>;

/// For each profile the likeliest, smallest and largest sizes, and odd ones between where the network can have them.
pub fn samples(planned: &[Planned], network: &Network) -> Vec<Sample> {
    let of_profile = |(at, planned): (usize, &Planned)| {
        let samples = planned.samples(network).into_iter();
        samples.map(move |sample| Sample { what: format!("profile {at}, {}", sample.what), ..sample })
    };
    match planned {
        [only] => only.samples(network),
        several => several.iter().enumerate().flat_map(of_profile).collect(),
    }
}

impl Planned {
    /// The samples of one profile, each once.
    fn samples(&self, network: &Network) -> Vec<Sample> {
        let picks: [(&'static str, Pick); 4] = [
            ("opt", |range, at| range.opt.get(at).copied()),
            ("min", |range, at| range.min.get(at).copied()),
            ("max", |range, at| range.max.get(at).copied()),
            ("between", |range, at| Some(between(*range.min.get(at)?, *range.max.get(at)?))),
        ];
        let mut samples: Vec<Sample> = Vec::new();
        for (what, pick) in picks {
            let sample = self.sample(network, what, pick);
            let known = samples.iter().any(|other| (&other.shapes, &other.values) == (&sample.shapes, &sample.values));
            if !known && (what != "between" || holds(network, &sample)) {
                samples.push(sample);
            }
        }
        samples
    }

    fn sample(&self, network: &Network, what: &'static str, pick: Pick) -> Sample {
        let followed = self.followed(network, pick);
        let numbers = |range: &Range| (0..range.opt.len()).filter_map(|at| pick(range, at)).collect::<Vec<i64>>();
        let shape = |&input: &ValueId| {
            let value = network.value(input);
            let range = self.profile.inputs.iter().find(|range| *range.input == *value.name);
            let sizes = |range: &Range| {
                let tied = |dim: &Dim| followed.get(dim.as_symbol()?).copied();
                let sizes = value.ty.shape.iter().zip(numbers(range)).map(|(dim, size)| tied(dim).unwrap_or(size));
                sizes.filter_map(|size| usize::try_from(size).ok()).collect()
            };
            range.map(sizes).or_else(|| value.ty.shape.known()).unwrap_or_default()
        };
        // Sizes that a network computes from values rarely fit each other but where they are likely.
        let values = self
            .profile
            .values
            .iter()
            .map(|range| (range.input.clone(), if what == "between" { range.opt.clone() } else { numbers(range) }));
        Sample { what: what.to_owned(), shapes: network.inputs.iter().map(shape).collect(), values: values.collect() }
    }
}

impl Planned {
    /// The sizes that follow from others, where these are picked from their ranges.
    fn followed(&self, network: &Network, pick: Pick) -> BTreeMap<Symbol, i64> {
        let mut sizes = BTreeMap::new();
        let inputs = network.inputs.iter().map(|&input| network.value(input));
        for range in &self.profile.inputs {
            let dims = inputs.clone().find(|value| *value.name == *range.input).map(|value| value.ty.shape.iter());
            let sized = dims.into_iter().flatten().enumerate();
            sizes.extend(sized.filter_map(|(at, dim)| Some((dim.as_symbol()?.clone(), pick(range, at)?))));
        }
        let size = |tie: &Tie| Some((tie.symbol.clone(), tie.size.eval(&|symbol| sizes.get(symbol).copied())?));
        self.ties.iter().filter_map(size).collect()
    }
}

/// Whether every layer holds at these sizes.
fn holds(network: &Network, sample: &Sample) -> bool {
    let mut point = Point::default();
    for (&input, shape) in network.inputs.iter().zip(&sample.shapes) {
        let value = network.value(input);
        for (dim, &size) in value.ty.shape.iter().zip(shape) {
            point.sizes.extend(dim.as_symbol().cloned().zip(i64::try_from(size).ok()));
        }
        point.values.extend(sample.values.get(&*value.name).map(|values| (input, values.clone())));
    }
    problems_at(network, &point).is_empty()
}

/// A size that is no power of two, nor a multiple of one, where there is room: three eighths of the way, made odd.
fn between(min: i64, max: i64) -> i64 {
    let size = min + (max - min) * 3 / 8;
    if size % 2 == 0 && size < max { size + 1 } else { size }
}

#[cfg(test)]
mod tests {
    use super::between;

    #[test]
    fn sizes_between_are_odd_and_inside() {
        let ranges = [(1, 8), (1, 256), (4, 4), (1, 2), (32, 512)];
        assert_eq!(ranges.map(|(min, max)| between(min, max)), [3, 97, 4, 1, 213]);
    }
}
