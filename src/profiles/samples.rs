//! Sizes to try a network at: the ends of a profile, and something between.

use super::sizes::{Point, problems_at};
use super::{Planned, Range, Tie};
use crate::network::{Dim, LayerKind, Network, Symbol, ValueId};
use std::collections::BTreeMap;

/// Sizes within a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// `opt`, `min`, `max` or `between`; of several profiles with their number: `profile 1, min`.
    pub what: String,
    /// Whether these are the sizes that are likeliest in use, whatever others they are as well.
    pub likeliest: bool,
    /// Shape of each input, in the network's order.
    pub shapes: Vec<Vec<usize>>,
    /// Shapes to try where the model itself cannot run at these: guesses moved within their ranges.
    pub others: Vec<Vec<Vec<usize>>>,
    /// Elements of inputs that hold sizes, by name.
    pub values: BTreeMap<String, Vec<i64>>,
}

/// What to take of a range.
type Pick<'a> = &'a dyn Fn(&Range, usize) -> Option<i64>;

/// For each profile the likeliest, smallest and largest sizes, and odd ones between where the
/// network can have them.
pub fn samples(planned: &[Planned], network: &Network) -> Vec<Sample> {
    let of_profile = |(at, planned): (usize, &Planned)| {
        let samples = planned.samples(network).into_iter();
        samples
            .map(move |sample| Sample { what: format!("profile {at}, {}", sample.what), ..sample })
    };
    match planned {
        [only] => only.samples(network),
        several => several.iter().enumerate().flat_map(of_profile).collect(),
    }
}

impl Planned {
    /// The samples of one profile, each once.
    fn samples(&self, network: &Network) -> Vec<Sample> {
        let picks: [(&'static str, Pick<'_>); 4] = [
            ("opt", &|range, at| range.opt.get(at).copied()),
            ("min", &|range, at| range.min.get(at).copied()),
            ("max", &|range, at| range.max.get(at).copied()),
            ("between", &|range, at| Some(between(*range.min.get(at)?, *range.max.get(at)?))),
        ];
        let steps = self.steps(network);
        let mut samples: Vec<Sample> = Vec::new();
        for (what, pick) in picks {
            let mut sample = self.sample(network, what, pick);
            sample.others = self.others(network, &sample, pick, &steps);
            let known = samples
                .iter()
                .any(|other| (&other.shapes, &other.values) == (&sample.shapes, &sample.values));
            if !known && (what != "between" || holds(network, &sample)) {
                samples.push(sample);
            }
        }
        samples
    }

    fn sample(&self, network: &Network, what: &'static str, pick: Pick<'_>) -> Sample {
        let followed = self.followed(network, pick);
        let numbers = |range: &Range| {
            (0..range.opt.len()).filter_map(|at| pick(range, at)).collect::<Vec<i64>>()
        };
        let shape = |&input: &ValueId| {
            let value = network.value(input);
            let range = self.profile.inputs.iter().find(|range| *range.input == *value.name);
            let sizes = |range: &Range| {
                let tied = |dim: &Dim| followed.get(dim.as_symbol()?).copied();
                let sizes = value
                    .ty
                    .shape
                    .iter()
                    .zip(numbers(range))
                    .map(|(dim, size)| tied(dim).unwrap_or(size));
                sizes.filter_map(|size| usize::try_from(size).ok()).collect()
            };
            range.map(sizes).or_else(|| value.ty.shape.known()).unwrap_or_default()
        };
        // Sizes that a network computes from values rarely fit each other but where they are
        // likely.
        let values = self.profile.values.iter().map(|range| {
            (
                range.input.clone(),
                if what == "between" { range.opt.clone() } else { numbers(range) },
            )
        });
        let shapes = network.inputs.iter().map(shape).collect();
        Sample {
            what: what.to_owned(),
            likeliest: what == "opt",
            shapes,
            others: Vec::new(),
            values: values.collect(),
        }
    }
}

impl Planned {
    /// What guesses may have to be multiples of: how far the network's strides reach together, and
    /// as often as fits.
    fn steps(&self, network: &Network) -> Vec<i64> {
        let largest = self
            .profile
            .inputs
            .iter()
            .flat_map(|range| &range.max)
            .copied()
            .max()
            .unwrap_or_default();
        let first = reach(network).max(2);
        std::iter::successors(Some(first), |step| step.checked_mul(2))
            .take_while(|&step| step <= largest)
            .collect()
    }

    /// The sample's shapes with its guesses moved: to multiples of each step, last to the ends of
    /// their ranges.
    fn others(
        &self,
        network: &Network,
        sample: &Sample,
        pick: Pick<'_>,
        steps: &[i64],
    ) -> Vec<Vec<Vec<usize>>> {
        let mut others: Vec<Vec<Vec<usize>>> = Vec::new();
        for step in steps.iter().copied().map(Some).chain([None]) {
            let moved = |range: &Range, at: usize| {
                let (size, min, max) = (pick(range, at)?, *range.min.get(at)?, *range.max.get(at)?);
                if !self.guessed.contains(&(range.input.clone(), at)) {
                    return Some(size);
                }
                let Some(step) = step else { return Some(max) };
                let lower = size / step * step;
                let nearest = [lower + if lower < size { step } else { 0 }, lower];
                Some(
                    nearest
                        .into_iter()
                        .find(|&near| near > 0 && (min..=max).contains(&near))
                        .unwrap_or(size),
                )
            };
            let other =
                Sample { values: sample.values.clone(), ..self.sample(network, "moved", &moved) };
            if other.shapes != sample.shapes
                && !others.contains(&other.shapes)
                && holds(network, &other)
            {
                others.push(other.shapes);
            }
        }
        others
    }

    /// The sizes that follow from others, where these are picked from their ranges.
    fn followed(&self, network: &Network, pick: Pick<'_>) -> BTreeMap<Symbol, i64> {
        let mut sizes = BTreeMap::new();
        let inputs = network.inputs.iter().map(|&input| network.value(input));
        for range in &self.profile.inputs {
            let dims = inputs
                .clone()
                .find(|value| *value.name == *range.input)
                .map(|value| value.ty.shape.iter());
            let sized = dims.into_iter().flatten().enumerate();
            sizes.extend(
                sized.filter_map(|(at, dim)| Some((dim.as_symbol()?.clone(), pick(range, at)?))),
            );
        }
        let size = |tie: &Tie| {
            Some((tie.symbol.clone(), tie.size.eval(&|symbol| sizes.get(symbol).copied())?))
        };
        self.ties.iter().filter_map(size).collect()
    }
}

/// The most elements of an input that one step of a window moves over, strides of layers one behind
/// the other multiplied.
fn reach(network: &Network) -> i64 {
    let mut reaches: BTreeMap<ValueId, i64> = BTreeMap::new();
    for id in network.live_layers() {
        let layer = network.layer(id);
        let strides = match &layer.kind {
            LayerKind::Convolution(convolution) => convolution.stride.as_slice(),
            LayerKind::Pooling(pooling) => pooling.stride.as_slice(),
            _ => &[],
        };
        let stride = strides
            .iter()
            .filter_map(|&stride| i64::try_from(stride).ok())
            .max()
            .unwrap_or(1)
            .max(1);
        let before =
            layer.inputs.iter().filter_map(|input| reaches.get(input)).copied().max().unwrap_or(1);
        reaches.extend(layer.outputs.iter().map(|&output| (output, before.saturating_mul(stride))));
    }
    reaches.into_values().max().unwrap_or(1)
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

/// A size that is no power of two, nor a multiple of one, where there is room: three eighths of the
/// way, made odd.
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
