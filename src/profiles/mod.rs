//! Profiles: what the user says about sizes known only at run time, and a guess for the rest.

mod data;
mod fit;
pub mod part;
mod reach;
mod samples;
mod sizes;
mod ties;

use crate::error::{Error, Kind, Result};
use crate::network::profile::Range;
use crate::network::{Dim, Network, Profile, Shape, Symbol, ValueId, sizing};
use crate::recipe::sizes::{End, Lists, Request, Sizes, no_size};
use crate::tensor::DType;
pub use data::{Data, exactly, of_data};
pub use samples::{Sample, samples};
use std::collections::{BTreeMap, BTreeSet};
use ties::Tie;

/// Range of the first axis where nothing is said about it.
const BATCH: [i64; 3] = [1, 1, 8];
/// Range of other axes where nothing is said about them.
const OTHER: [i64; 3] = [1, 64, 256];
/// Range of the elements of inputs that hold sizes where nothing is said about them.
const VALUE: [i64; 3] = [0, 1, 64];
/// What the three numbers of a range are called.
const ENDS: [&str; 3] = ["min", "opt", "max"];

/// The profile of a network, and a line for each size that was guessed.
#[derive(Debug, Clone, Default)]
pub struct Planned {
    /// Ranges of all inputs with a size known only at run time, and of inputs that hold sizes.
    pub profile: Profile,
    /// What was guessed: `` input `x`, axis 0 (batch): 1 to 8, optimized for 1 ``.
    pub guesses: Vec<String>,
    /// The guessed sizes: names of inputs, and axes.
    guessed: BTreeSet<(String, usize)>,
    /// Sizes that follow from others.
    ties: Vec<Tie>,
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
            shapes.get(input).is_none_or(|shape| {
                shape.len() == min.len() && shape.iter().zip(min.iter().zip(max)).all(within)
            })
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

/// The profiles that a user asks of a network: one, or as many as `--profile` began.
///
/// # Errors
/// Those of [`plan`], with the number of the profile where there are several.
pub fn all(network: &Network, sizes: &Sizes, data: &Data) -> Result<Vec<Planned>> {
    let several = !sizes.profiles.is_empty();
    let numbered = |(at, request): (usize, Request)| {
        plan(network, &request, data).map_err(|error| {
            if several { error.with_note(format!("in profile {at}")) } else { error }
        })
    };
    sizes.requests().into_iter().enumerate().map(numbered).collect()
}

/// Fits the request to a network and guesses what it leaves open.
///
/// # Errors
/// [`Kind::Usage`] for a shape that names no input, has another rank, contradicts a known size, or
/// gives a symbol two values, for min ≤ opt ≤ max not holding, for sizes at which a layer cannot
/// hold, and for guesses where none are wanted.
pub fn plan(network: &Network, request: &Request, data: &Data) -> Result<Planned> {
    let mut plan = Plan {
        network,
        request,
        data,
        symbols: BTreeMap::new(),
        values: BTreeMap::new(),
        ties: Vec::new(),
    };
    plan.check_names()?;
    plan.take_shapes()?;
    plan.take_sizes()?;
    plan.guess_sizes();
    plan.check_sizes()?;
    plan.take_values()?;
    plan.tie();
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
    /// Whether the user gave it.
    given: bool,
    /// The smallest, first and largest of the data.
    data: Option<[i64; 3]>,
}

impl Slot {
    /// What the user gave.
    fn given(range: [i64; 3]) -> Self {
        Self { range, guess: None, firm: true, given: true, data: None }
    }
}

/// A profile in the making.
struct Plan<'a> {
    network: &'a Network,
    request: &'a Request,
    data: &'a Data,
    /// What is known of each size that only the run knows.
    symbols: BTreeMap<Symbol, Slot>,
    /// The elements of inputs that hold sizes.
    values: BTreeMap<ValueId, Vec<Slot>>,
    /// Sizes that follow from others.
    ties: Vec<Tie>,
}

impl Plan<'_> {
    fn check_names(&self) -> Result<()> {
        let Request { min, opt, max, .. } = self.request;
        let names =
            |end: &End| end.shapes.keys().chain(end.values.keys()).cloned().collect::<Vec<_>>();
        for name in [min, opt, max].into_iter().flat_map(names) {
            if !self.network.inputs.iter().any(|&input| *self.network.value(input).name == *name) {
                let inputs = self
                    .network
                    .inputs
                    .iter()
                    .map(|&input| format!("`{}`", self.network.value(input).name));
                return Err(Error::new(Kind::Usage, format!("the model has no input `{name}`"))
                    .with_note(format!(
                        "its inputs are {}",
                        inputs.collect::<Vec<_>>().join(", ")
                    )));
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
                let message = format!(
                    "`{name}` is {range:?} (min, opt, max), but sizes are from 0 to {}",
                    i32::MAX
                );
                Err(Error::new(Kind::Usage, message))
            }
        }
    }

    /// What shapes say of symbols: one symbol has one range everywhere.
    fn take_shapes(&mut self) -> Result<()> {
        for &input in &self.network.inputs {
            let value = self.network.value(input);
            let Some(axes) = given(self.request, &value.name, &value.ty.shape)? else { continue };
            let open = value
                .ty
                .shape
                .iter()
                .zip(axes)
                .filter_map(|(dim, range)| Some((dim.as_symbol()?, range)));
            for (symbol, range) in open {
                let slot = Slot::given(range);
                match self.symbols.insert(symbol.clone(), slot) {
                    Some(other) if other.range != range => {
                        let other = other.range;
                        let message = format!(
                            "`{symbol}` is {other:?} for one input and {range:?} for another \
                             (min, opt, max)"
                        );
                        return Err(Error::new(Kind::Usage, message)
                            .with_hint("give all inputs that share it the same sizes"));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// What is given by the sizes' own names.
    fn take_sizes(&mut self) -> Result<()> {
        let symbols = input_symbols(self.network);
        for (name, &range) in &self.request.sizes {
            // An axis without a name goes by a text that a name may have too: both are meant then.
            let mut called = symbols.iter().filter(|symbol| symbol.to_string() == *name).peekable();
            if called.peek().is_none() {
                return Err(no_size(
                    name,
                    &symbols.iter().map(ToString::to_string).collect::<Vec<_>>(),
                ));
            }
            for symbol in called {
                match self.symbols.insert(symbol.clone(), Slot::given(range)) {
                    Some(other) if other.range != range => {
                        let other = other.range;
                        let message = format!(
                            "`{name}` is {other:?} by a shape and {range:?} by its name (min, \
                             opt, max)"
                        );
                        return Err(Error::new(Kind::Usage, message));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn guess_sizes(&mut self) {
        for &input in &self.network.inputs {
            let value = self.network.value(input);
            let open = value
                .ty
                .shape
                .iter()
                .enumerate()
                .filter_map(|(axis, dim)| Some((axis, dim.as_symbol()?)));
            for (axis, symbol) in open {
                let data = self.of_data(|end| end.shapes.get(&*value.name)?.get(axis).copied());
                let usual = if axis == 0 { BATCH } else { OTHER };
                let guess = Some(format!("input `{}`, axis {axis} ({symbol})", value.name));
                let slot = match data {
                    Some(range) if self.data.exactly => {
                        Slot { range, guess: None, firm: true, given: false, data }
                    }
                    Some(of_data) => Slot {
                        range: covering(usual, of_data),
                        guess,
                        firm: true,
                        given: false,
                        data,
                    },
                    None => Slot { range: usual, guess, firm: false, given: false, data },
                };
                self.symbols.entry(symbol.clone()).or_insert(slot);
            }
        }
    }

    /// The elements of inputs that hold sizes: what is given, or a guess.
    fn take_values(&mut self) -> Result<()> {
        for input in sizing::holding_sizes(self.network) {
            let value = self.network.value(input);
            let count = value.ty.shape.known().and_then(|dims| crate::tensor::volume(&dims));
            let Some(count) = count.filter(|_| matches!(value.ty.dtype, DType::I32 | DType::I64))
            else {
                continue;
            };
            let slots = match given_values(self.request, &value.name, count)? {
                Some(ranges) => ranges.into_iter().map(Slot::given).collect(),
                None => {
                    let guess = |at: usize| {
                        let data =
                            self.of_data(|end| end.values.get(&*value.name)?.get(at).copied());
                        let range = data.map_or(VALUE, |data| covering(VALUE, data));
                        // Smaller values are no smaller sizes: 0 has meanings of its own.
                        let guess = Some(format!("input `{}`, element {at}", value.name));
                        Slot { range, guess, firm: true, given: false, data }
                    };
                    (0..count).map(guess).collect()
                }
            };
            self.values.insert(input, slots);
        }
        let ends = [&self.request.min, &self.request.opt, &self.request.max];
        for name in ends.into_iter().flat_map(|end| end.values.keys()) {
            if !self.values.keys().any(|&input| *self.network.value(input).name == **name) {
                let message =
                    format!("no size is computed from input `{name}`, so its values have no range");
                return Err(Error::new(Kind::Usage, message));
            }
        }
        Ok(())
    }

    /// The smallest, the first and the largest of a number of the data sets.
    fn of_data(&self, pick: impl Fn(&End) -> Option<i64>) -> Option<[i64; 3]> {
        let all: Vec<i64> = self.data.sets.iter().filter_map(pick).collect();
        Some([all.iter().copied().min()?, *all.first()?, all.iter().copied().max()?])
    }

    fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.symbols.values().chain(self.values.values().flatten())
    }

    /// A line for each guess, in the order of the inputs.
    fn guesses(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for &input in &self.network.inputs {
            let sizes = self.network.value(input).ty.shape.iter();
            let sizes = sizes.filter_map(|dim| self.symbols.get(dim.as_symbol()?));
            for slot in sizes.chain(self.values.get(&input).into_iter().flatten()) {
                let Slot { range: [min, opt, max], guess: Some(what), .. } = slot else { continue };
                let line = if min == max {
                    format!("{what}: {opt}")
                } else {
                    format!("{what}: {min} to {max}, optimized for {opt}")
                };
                if !lines.contains(&line) {
                    lines.push(line);
                }
            }
        }
        lines
    }

    fn finish(self) -> Result<Planned> {
        let (guesses, ties) = (self.guesses(), self.ties.clone());
        let mut planned = Planned { guesses, ties, ..Planned::default() };
        if self.request.strict && !planned.guesses.is_empty() {
            let error =
                Error::new(Kind::Usage, "sizes that are known only at run time need a range");
            let error = planned
                .guesses
                .into_iter()
                .fold(error, |error, guess| error.with_note(format!("guess: {guess}")));
            return Err(error
                .with_hint("give them with `--dim`, `--shape`, or `--min`, `--opt` and `--max`"));
        }
        for &input in &self.network.inputs {
            let value = self.network.value(input);
            let range = |of: &dyn Fn(usize) -> Vec<i64>| Range {
                input: value.name.to_string(),
                min: of(0),
                opt: of(1),
                max: of(2),
            };
            let is_guess = |dim: &Dim| Some(self.symbols.get(dim.as_symbol()?)?.guess.is_some());
            let guessed =
                value.ty.shape.iter().enumerate().filter(|(_, dim)| is_guess(dim) == Some(true));
            planned.guessed.extend(guessed.map(|(axis, _)| (value.name.to_string(), axis)));
            if value.ty.shape.known().is_none() {
                let size = |end: usize| {
                    let slot = |dim: &Dim| self.symbols.get(dim.as_symbol()?);
                    let one =
                        |dim| Dim::known(dim).or_else(|| Some(slot(dim)?.range[end])).unwrap_or(1);
                    value.ty.shape.iter().map(one).collect()
                };
                planned.profile.inputs.push(range(&size));
            }
            if let Some(slots) = self.values.get(&input) {
                planned
                    .profile
                    .values
                    .push(range(&|end| slots.iter().map(|slot| slot.range[end]).collect()));
            }
        }
        Ok(planned)
    }
}

/// A range that reaches as far as another, with its likeliest number.
fn covering([min, _, max]: [i64; 3], [smallest, likely, largest]: [i64; 3]) -> [i64; 3] {
    [min.min(smallest), likely, max.max(largest)]
}

/// The sizes of inputs that only the run knows.
fn input_symbols(network: &Network) -> Vec<Symbol> {
    let shapes = network.inputs.iter().map(|&input| &network.value(input).ty.shape);
    shapes.flat_map(|shape| shape.iter().filter_map(Dim::as_symbol).cloned()).collect()
}

/// The number at a position of each of three lists.
fn across(lists: [&Vec<i64>; 3], at: usize) -> [i64; 3] {
    lists.map(|list| list.get(at).copied().unwrap_or_default())
}

/// Per axis the three sizes that the user gave for an input.
fn given(request: &Request, name: &str, shape: &Shape) -> Result<Option<Vec<[i64; 3]>>> {
    let Some(lists) = request.ends(|end| end.shapes.get(name)) else { return Ok(None) };
    let usage = |message: String| Error::new(Kind::Usage, message);
    for sizes in lists {
        if sizes.len() != shape.rank() {
            return Err(usage(format!(
                "input `{name}` has shape {shape}, but {sizes:?} was given for it"
            )));
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
    let Some(lists) = request.ends(|end| end.values.get(name)) else { return Ok(None) };
    if let Some(list) = lists.into_iter().find(|list| list.len() != count) {
        let message = format!("input `{name}` holds {count} values, but {list:?} was given for it");
        return Err(Error::new(Kind::Usage, message));
    }
    let ranges: Vec<[i64; 3]> = (0..count).map(|at| across(lists, at)).collect();
    if let Some((at, range)) = ranges.iter().enumerate().find(|(_, range)| !range.is_sorted()) {
        let message = format!(
            "element {at} of input `{name}`: min, opt, max are {range:?}, which do not rise"
        );
        return Err(Error::new(Kind::Usage, message));
    }
    Ok(Some(ranges))
}

#[cfg(test)]
mod tests;
