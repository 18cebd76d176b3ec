//! Profiles: what the user says about sizes known only at run time, and a guess for the rest.

pub mod asked;
mod samples;
pub mod syntax;

use crate::error::{Error, Kind, Result};
use crate::network::profile::Range;
use crate::network::{Network, Profile, Shape, ValueId, sizing};
use crate::tensor::{DType, Tensor};
use crate::valid::sizes::{Point, problems_at};
pub use samples::{Sample, samples};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
pub use syntax::{End, Lists, Size};

/// Range of the first axis where nothing is said about it.
const BATCH: [i64; 3] = [1, 1, 8];
/// Range of other axes where nothing is said about them.
const OTHER: [i64; 3] = [1, 64, 256];
/// Range of the elements of inputs that hold sizes where nothing is said about them.
const VALUE: [i64; 3] = [0, 1, 64];
/// What the three numbers of a range are called.
const ENDS: [&str; 3] = ["min", "opt", "max"];

/// What the user said: `--min`, `--opt`, `--max` and `--dim`, and what the model's test data says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Smallest shapes and values.
    pub min: End,
    /// Likeliest ones.
    pub opt: End,
    /// Largest ones.
    pub max: End,
    /// Ranges of sizes by name.
    pub sizes: BTreeMap<String, [i64; 3]>,
    /// Shapes and values that a guess optimises for.
    pub likely: End,
    /// Whether it is an error to have to guess.
    pub strict: bool,
}

impl Request {
    /// Nothing but the shapes of these inputs, and the values of those that hold sizes. What is no input of the network
    /// is left out.
    pub fn exactly(network: &Network, inputs: &[(String, Tensor)]) -> Self {
        let holds = |inputs: &[ValueId], name: &str| inputs.iter().any(|&input| *network.value(input).name == *name);
        let known = inputs.iter().filter(|(name, _)| holds(&network.inputs, name));
        let mut end = End::of(known.map(|(name, tensor)| (name.as_str(), tensor)));
        let sizes = sizing::holding_sizes(network);
        end.values.retain(|name, _| holds(&sizes, name));
        Self { min: end.clone(), opt: end.clone(), max: end, ..Self::default() }
    }
}

/// The profile of a network, and a line for each size that was guessed.
#[derive(Debug, Clone, Default)]
pub struct Planned {
    /// Ranges of all inputs with a size known only at run time, and of inputs that hold sizes.
    pub profile: Profile,
    /// What was guessed: `` input `x`, axis 0 (batch): 1 to 8, optimised for 1 ``.
    pub guesses: Vec<String>,
}

impl Planned {
    /// The profile, if the network needs one.
    pub fn profiles(&self) -> Vec<Profile> {
        let empty = self.profile.inputs.is_empty() && self.profile.values.is_empty();
        if empty { Vec::new() } else { vec![self.profile.clone()] }
    }

    /// Whether inputs may have these shapes; those without a range may have any.
    pub fn allows(&self, shapes: &Lists) -> bool {
        self.profile.inputs.iter().all(|Range { input, min, max, .. }| {
            let within = |(size, (min, max)): (&i64, (&i64, &i64))| (min..=max).contains(&size);
            shapes
                .get(input)
                .is_none_or(|shape| shape.len() == min.len() && shape.iter().zip(min.iter().zip(max)).all(within))
        })
    }
}

/// What was guessed, once where several profiles share it.
pub fn guesses(planned: &[Planned]) -> Vec<String> {
    let mut guesses: Vec<String> = Vec::new();
    for guess in planned.iter().flat_map(|planned| &planned.guesses) {
        if !guesses.contains(guess) {
            guesses.push(guess.clone());
        }
    }
    guesses
}

/// Fits the request to a network and guesses what it leaves open.
///
/// # Errors
/// [`Kind::Usage`] for a shape that names no input, has another rank, contradicts a known size, or gives a symbol two
/// values, for min ≤ opt ≤ max not holding, for sizes at which a layer cannot hold, and for guesses where none are
/// wanted.
pub fn plan(network: &Network, request: &Request) -> Result<Planned> {
    let mut plan = Plan { network, request, symbols: BTreeMap::new(), values: BTreeMap::new() };
    plan.check_names()?;
    plan.take_shapes()?;
    plan.take_sizes()?;
    plan.guess_sizes();
    plan.check_sizes()?;
    plan.take_values()?;
    plan.fit()?;
    plan.finish()
}

/// A range, and what to say if it is a guess.
#[derive(Debug, Clone)]
struct Slot {
    range: [i64; 3],
    guess: Option<String>,
    /// Whether what is likely stays where it is.
    firm: bool,
}

/// A profile in the making.
struct Plan<'a> {
    network: &'a Network,
    request: &'a Request,
    /// What is known of each size that only the run knows.
    symbols: BTreeMap<String, Slot>,
    /// The elements of inputs that hold sizes.
    values: BTreeMap<ValueId, Vec<Slot>>,
}

impl Plan<'_> {
    fn check_names(&self) -> Result<()> {
        let Request { min, opt, max, .. } = self.request;
        let names = |end: &End| end.shapes.keys().chain(end.values.keys()).cloned().collect::<Vec<_>>();
        for name in [min, opt, max].into_iter().flat_map(names) {
            if !self.network.inputs.iter().any(|&input| *self.network.value(input).name == *name) {
                let inputs = self.network.inputs.iter().map(|&input| format!("`{}`", self.network.value(input).name));
                return Err(Error::new(Kind::Usage, format!("the model has no input `{name}`"))
                    .with_note(format!("its inputs are {}", inputs.collect::<Vec<_>>().join(", "))));
            }
        }
        Ok(())
    }

    /// Sizes are what TensorRT's can be, whoever gave them.
    fn check_sizes(&self) -> Result<()> {
        let possible = |size: &i64| (0..=i64::from(i32::MAX)).contains(size);
        match self.symbols.iter().find(|(_, slot)| !slot.range.iter().all(possible)) {
            None => Ok(()),
            Some((name, Slot { range, .. })) => {
                let message = format!("`{name}` is {range:?} (min, opt, max), but sizes are from 0 to {}", i32::MAX);
                Err(Error::new(Kind::Usage, message))
            }
        }
    }

    /// What shapes say of symbols: one symbol has one range everywhere.
    fn take_shapes(&mut self) -> Result<()> {
        for &input in &self.network.inputs {
            let value = self.network.value(input);
            let Some(axes) = given(self.request, &value.name, &value.ty.shape)? else { continue };
            for (dim, range) in value.ty.shape.iter().zip(axes).filter(|(dim, _)| dim.known().is_none()) {
                let slot = Slot { range, guess: None, firm: true };
                match self.symbols.insert(dim.to_string(), slot) {
                    Some(other) if other.range != range => {
                        let other = other.range;
                        let message =
                            format!("`{dim}` is {other:?} for one input and {range:?} for another (min, opt, max)");
                        return Err(
                            Error::new(Kind::Usage, message).with_hint("give all inputs that share it the same sizes")
                        );
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// What is given by the sizes' own names.
    fn take_sizes(&mut self) -> Result<()> {
        let shapes = self.network.inputs.iter().map(|&input| &self.network.value(input).ty.shape);
        let dims = shapes.flat_map(|shape| shape.iter()).filter(|dim| dim.known().is_none());
        let names: Vec<String> = dims.map(ToString::to_string).collect();
        for (name, &range) in &self.request.sizes {
            if !names.contains(name) {
                return Err(no_size(name, &names));
            }
            match self.symbols.insert(name.clone(), Slot { range, guess: None, firm: true }) {
                Some(other) if other.range != range => {
                    let other = other.range;
                    let message = format!("`{name}` is {other:?} by a shape and {range:?} by its name (min, opt, max)");
                    return Err(Error::new(Kind::Usage, message));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn guess_sizes(&mut self) {
        for &input in &self.network.inputs {
            let value = self.network.value(input);
            let likely = self.request.likely.shapes.get(&*value.name);
            for (axis, dim) in value.ty.shape.iter().enumerate().filter(|(_, dim)| dim.known().is_none()) {
                let likely = likely.and_then(|shape| shape.get(axis)).copied();
                let range = match (axis, likely) {
                    (0, likely) => [BATCH[0], BATCH[1], BATCH[2].max(likely.unwrap_or_default())],
                    (_, None) => OTHER,
                    (_, Some(size)) => [OTHER[0].min(size), size, OTHER[2].max(size)],
                };
                let guess = || Some(format!("input `{}`, axis {axis} ({dim})", value.name));
                self.symbols.entry(dim.to_string()).or_insert_with(|| Slot {
                    range,
                    guess: guess(),
                    firm: likely.is_some(),
                });
            }
        }
    }

    /// The elements of inputs that hold sizes: what is given, or a guess.
    fn take_values(&mut self) -> Result<()> {
        for input in sizing::holding_sizes(self.network) {
            let value = self.network.value(input);
            let count = value.ty.shape.known().and_then(|dims| crate::tensor::volume(&dims));
            let Some(count) = count.filter(|_| matches!(value.ty.dtype, DType::I32 | DType::I64)) else { continue };
            let slots = match given_values(self.request, &value.name, count)? {
                Some(ranges) => ranges.into_iter().map(|range| Slot { range, guess: None, firm: true }).collect(),
                None => {
                    let likely = self.request.likely.values.get(&*value.name);
                    let guess = |at: usize| {
                        let range = match likely.and_then(|values| values.get(at)) {
                            None => VALUE,
                            Some(&value) => [VALUE[0].min(value), value, VALUE[2].max(value)],
                        };
                        // Smaller values are no smaller sizes: 0 has meanings of its own.
                        Slot { range, guess: Some(format!("input `{}`, element {at}", value.name)), firm: true }
                    };
                    (0..count).map(guess).collect()
                }
            };
            self.values.insert(input, slots);
        }
        let ends = [&self.request.min, &self.request.opt, &self.request.max];
        for name in ends.into_iter().flat_map(|end| end.values.keys()) {
            if !self.values.keys().any(|&input| *self.network.value(input).name == **name) {
                let message = format!("no size is computed from input `{name}`, so its values have no range");
                return Err(Error::new(Kind::Usage, message));
            }
        }
        Ok(())
    }

    /// Looks whether the network can hold at each end. Guesses give way: they shrink to what is likely, and a
    /// size shrinks further where nothing but a guess says that it is.
    fn fit(&mut self) -> Result<()> {
        if self.symbols.is_empty() && self.values.is_empty() {
            return Ok(());
        }
        for end in [1, 0, 2] {
            if !self.holds(end) && !self.give_way(end) {
                let mut problems = problems_at(self.network, &self.point(end));
                let point = self.describe(end);
                for problem in &mut problems {
                    problem.message = format!("at {} ({point}) {}", ENDS[end], problem.message);
                }
                let guessed = self.slots().any(|slot| slot.guess.is_some());
                let error = Error::of_problems("the profile does not fit", problems);
                let hint = "some of these sizes are guesses: give them with `--dim`, or `--min`, `--opt` and `--max`";
                return Err(if guessed { error.with_hint(hint) } else { error });
            }
        }
        Ok(())
    }

    fn holds(&self, end: usize) -> bool {
        problems_at(self.network, &self.point(end)).is_empty()
    }

    /// Moves guesses until the network can hold at an end: one of them where that is enough, else all. Whether it can.
    fn give_way(&mut self, end: usize) -> bool {
        let before = (self.symbols.clone(), self.values.clone());
        for only in (0..self.slots().count()).map(Some).chain([None]) {
            (self.symbols, self.values) = before.clone();
            while self.shrink(end, only) {
                if self.holds(end) {
                    return true;
                }
            }
        }
        if end == 1 {
            // The smallest sizes are no likelier than those at first.
            (self.symbols, self.values) = before;
        }
        false
    }

    /// Moves an end of one guess, or of all, nearer to what it is optimised for; whether that changes any.
    fn shrink(&mut self, end: usize, only: Option<usize>) -> bool {
        let mut changed = false;
        let slots = self.symbols.values_mut().chain(self.values.values_mut().flatten()).enumerate();
        for (_, slot) in slots.filter(|(at, slot)| slot.guess.is_some() && only.is_none_or(|only| *at == only)) {
            let ([min, opt, _], now) = (slot.range, slot.range[end]);
            slot.range[end] = match end {
                0 => (now.max(0) * 2).clamp(1.min(opt), opt),
                1 if slot.firm => opt,
                1 => (opt / 2).max(min),
                _ => (now / 2).max(opt),
            };
            changed |= slot.range[end] != now;
        }
        changed
    }

    fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.symbols.values().chain(self.values.values().flatten())
    }

    fn point(&self, end: usize) -> Point {
        let elements = |slots: &Vec<Slot>| slots.iter().map(|slot| slot.range[end]).collect();
        Point {
            sizes: self.symbols.iter().map(|(name, slot)| (name.clone(), slot.range[end])).collect(),
            values: self.values.iter().map(|(&input, slots)| (input, elements(slots))).collect(),
        }
    }

    /// `batch = 1, sizes = [1, 1]`
    fn describe(&self, end: usize) -> String {
        let Point { sizes, values } = self.point(end);
        let sizes = sizes.into_iter().map(|(name, size)| format!("{name} = {size}"));
        let name = |input| &self.network.value(input).name;
        let values = values.into_iter().map(|(input, values)| format!("{} = {values:?}", name(input)));
        sizes.chain(values).collect::<Vec<_>>().join(", ")
    }

    /// A line for each guess, in the order of the inputs.
    fn guesses(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for &input in &self.network.inputs {
            let sizes = self.network.value(input).ty.shape.iter();
            let sizes = sizes.filter_map(|dim| self.symbols.get(&dim.to_string()));
            for slot in sizes.chain(self.values.get(&input).into_iter().flatten()) {
                let Slot { range: [min, opt, max], guess: Some(what), .. } = slot else { continue };
                let line = format!("{what}: {min} to {max}, optimised for {opt}");
                if !lines.contains(&line) {
                    lines.push(line);
                }
            }
        }
        lines
    }

    fn finish(self) -> Result<Planned> {
        let mut planned = Planned { guesses: self.guesses(), ..Planned::default() };
        if self.request.strict && !planned.guesses.is_empty() {
            let error = Error::new(Kind::Usage, "sizes known only at run time are not given");
            let error =
                planned.guesses.into_iter().fold(error, |error, guess| error.with_note(format!("guess: {guess}")));
            return Err(error.with_hint("give them with `--dim`, `--shape`, or `--min`, `--opt` and `--max`"));
        }
        for &input in &self.network.inputs {
            let value = self.network.value(input);
            let range = |of: &dyn Fn(usize) -> Vec<i64>| Range {
                input: value.name.to_string(),
                min: of(0),
                opt: of(1),
                max: of(2),
            };
            if value.ty.shape.known().is_none() {
                let size = |end: usize| {
                    let one = |dim: &crate::network::Dim| {
                        dim.known()
                            .unwrap_or_else(|| self.symbols.get(&dim.to_string()).map_or(1, |slot| slot.range[end]))
                    };
                    value.ty.shape.iter().map(one).collect()
                };
                planned.profile.inputs.push(range(&size));
            }
            if let Some(slots) = self.values.get(&input) {
                planned.profile.values.push(range(&|end| slots.iter().map(|slot| slot.range[end]).collect()));
            }
        }
        Ok(planned)
    }
}

/// A size of a name that no input has.
pub fn no_size(name: &str, names: &[String]) -> Error {
    let mut known: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    known.sort();
    known.dedup();
    let error = Error::new(Kind::Usage, format!("no input has a size called `{name}`"));
    error.with_note(if known.is_empty() {
        "all sizes of its inputs are fixed".to_owned()
    } else {
        format!("sizes known only at run time are {}", known.join(", "))
    })
}

/// Min, opt and max of a list; what is left out follows from the others.
fn ends<'r>(request: &'r Request, pick: impl Fn(&'r End) -> Option<&'r Vec<i64>>) -> Option<[&'r Vec<i64>; 3]> {
    let [min, opt, max] = [&request.min, &request.opt, &request.max].map(pick);
    let any = opt.or(max).or(min)?;
    let (min, max) = (min.unwrap_or(any), max.unwrap_or(any));
    Some([min, opt.unwrap_or(max), max])
}

/// The number at a position of each of three lists.
fn across(lists: [&Vec<i64>; 3], at: usize) -> [i64; 3] {
    lists.map(|list| list.get(at).copied().unwrap_or_default())
}

/// Per axis the three sizes that the user gave for an input.
fn given(request: &Request, name: &str, shape: &Shape) -> Result<Option<Vec<[i64; 3]>>> {
    let Some(lists) = ends(request, |end| end.shapes.get(name)) else { return Ok(None) };
    let usage = |message: String| Error::new(Kind::Usage, message);
    for sizes in lists {
        if sizes.len() != shape.rank() {
            return Err(usage(format!("input `{name}` has shape {shape}, but {sizes:?} was given for it")));
        }
    }
    let mut axes = Vec::with_capacity(shape.rank());
    for (axis, dim) in shape.iter().enumerate() {
        let sizes = across(lists, axis);
        if let Some(known) = dim.known()
            && sizes != [known; 3]
        {
            return Err(usage(format!(
                "axis {axis} of input `{name}` has size {known}, but {sizes:?} was given for it"
            )));
        }
        if !sizes.is_sorted() {
            return Err(usage(format!(
                "axis {axis} of input `{name}`: min, opt, max are {sizes:?}, which do not rise"
            )));
        }
        axes.push(sizes);
    }
    Ok(Some(axes))
}

/// Per element the three values that the user gave for an input.
fn given_values(request: &Request, name: &str, count: usize) -> Result<Option<Vec<[i64; 3]>>> {
    let Some(lists) = ends(request, |end| end.values.get(name)) else { return Ok(None) };
    if let Some(list) = lists.into_iter().find(|list| list.len() != count) {
        let message = format!("input `{name}` holds {count} values, but {list:?} was given for it");
        return Err(Error::new(Kind::Usage, message));
    }
    let ranges: Vec<[i64; 3]> = (0..count).map(|at| across(lists, at)).collect();
    if let Some((at, range)) = ranges.iter().enumerate().find(|(_, range)| !range.is_sorted()) {
        let message = format!("element {at} of input `{name}`: min, opt, max are {range:?}, which do not rise");
        return Err(Error::new(Kind::Usage, message));
    }
    Ok(Some(ranges))
}

#[cfg(test)]
mod tests;
