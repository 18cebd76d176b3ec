//! The choice of types for a model: by which data, and what becomes of the network.

use super::{Conversion, Source};
use crate::error::{Error, Kind, Result};
use crate::eval;
use crate::network::{Caps, Network, sizing};
use crate::pipeline;
use crate::precision::{self, Choice, Data, Inputs, Label};
use crate::profiles::{self, Sample};
use crate::recipe::precision::{Calibration, Eight, Precision};
use crate::tensor::Tensor;
use crate::timings::stage;
use crate::verify::data::DataSet;
use crate::verify::{self, boundary, random};
use std::sync::atomic::{AtomicBool, Ordering};

/// The most data sets that decide, and the most of the others that check.
const MOST_SETS: usize = 4;
const MOST_HELD: usize = 6;
/// Seeds of drawn inputs that decide, and of those that check.
const DECIDE: [u64; 2] = [0, 1];
const CHECK: [u64; 6] = [2, 3, 4, 5, 6, 7];

impl Conversion {
    /// Chooses the types that layers compute in, where the recipe asks for a choice: by these data
    /// sets, or by drawn inputs where there are none. Shapes must be planned. From here on the
    /// recipe says the types that were chosen.
    ///
    /// # Errors
    /// [`Kind::Mismatch`] where no types hold the bound; whatever stands in the way of computing
    /// the network on the CPU.
    pub fn choose(&mut self, source: &Source, sets: &[DataSet], cancel: &AtomicBool) -> Result<()> {
        let Some(optimized) = self.prepared.optimized.take() else { return Ok(()) };
        let choose = || self.chosen(&optimized, source, sets, cancel);
        let chosen = stage("choose types", choose);
        let chosen = chosen.and_then(|Choice { keep, quantize, certificate }| {
            self.fitted.recipe.keep = keep;
            self.fitted.recipe.quantize = quantize;
            self.certificate = Some(certificate);
            pipeline::typed(optimized.clone(), &self.fitted.recipe, self.caps)
        });
        self.prepared.optimized = Some(optimized);
        let (network, notes) = chosen?;
        // What was said of the types before they were chosen.
        let said = std::mem::take(&mut self.prepared.type_notes);
        self.prepared.notes.retain(|note| !said.contains(note));
        self.prepared.notes.extend(notes.iter().cloned());
        (self.prepared.network, self.prepared.type_notes) = (network, notes);
        Ok(())
    }

    fn chosen(
        &self,
        optimized: &Network,
        source: &Source,
        sets: &[DataSet],
        cancel: &AtomicBool,
    ) -> Result<Choice> {
        let recipe = &self.fitted.recipe;
        if recipe.precision == Precision::Fp8 && recipe.calibration == Calibration::Entropy {
            let message = "`--calibration entropy` is for the even steps of int8, not for fp8";
            let hint = "`mse`, `max` and `percentile` are for both";
            return Err(Error::new(Kind::Usage, message).with_hint(hint));
        }
        if recipe.precision == Precision::Fp8 && !self.caps.strongly_typed {
            let message = "the library has no type f8e4m3, which `--precision fp8` asks for";
            let hint = "`--precision int8` is for every library";
            return Err(Error::new(Kind::Unsupported, message).with_hint(hint));
        }
        let data = match recipe.precision.eight() {
            _ if !sets.is_empty() => given_data(optimized, source, sets)?,
            Some(eight) => return Err(no_data(eight)),
            None => self.drawn_data(optimized)?,
        };
        let caps = self.caps;
        let mut evaluate = |network: Network, inputs: &[Tensor]| {
            if cancel.load(Ordering::SeqCst) {
                return Err(Error::new(Kind::Cancelled, "interrupted"));
            }
            evaluated(network, inputs, caps)
        };
        precision::choose(optimized, recipe, &data, caps, &mut evaluate)
    }

    /// Inputs drawn at the likeliest sizes.
    fn drawn_data(&self, optimized: &Network) -> Result<Data> {
        let samples = profiles::samples(&self.planned, self.network());
        let none = || Error::new(Kind::Internal, "no shapes were planned");
        let sample = samples.into_iter().next().ok_or_else(none)?;
        let shapes = self.running(optimized, &sample);
        let draw = |seeds: &[u64]| -> Result<Vec<Inputs>> {
            let one = |&seed: &u64| {
                let label = Label { source: "drawn inputs".to_owned(), seed: Some(seed) };
                Ok(Inputs { label, tensors: drawn(optimized, &sample, shapes, seed)? })
            };
            seeds.iter().map(one).collect()
        };
        Ok(Data { chosen: draw(&DECIDE)?, fresh: draw(&CHECK)?, calibrating: Vec::new() })
    }

    /// The first shapes of a sample that the network runs at: guessed sizes need not be such.
    fn running<'s>(&self, optimized: &Network, sample: &'s Sample) -> &'s [Vec<usize>] {
        let runs = |shapes: &&Vec<Vec<usize>>| {
            let inputs = drawn(optimized, sample, shapes, 0);
            inputs.and_then(|inputs| evaluated(optimized.clone(), &inputs, self.caps)).is_ok()
        };
        if sample.others.is_empty() {
            return &sample.shapes;
        }
        let mut all = std::iter::once(&sample.shapes).chain(&sample.others);
        all.find(runs).unwrap_or(&sample.shapes)
    }
}

/// Inputs drawn in these shapes, with the values that a sample has for those that hold sizes.
fn drawn(
    network: &Network,
    sample: &Sample,
    shapes: &[Vec<usize>],
    seed: u64,
) -> Result<Vec<Tensor>> {
    let drawn = random::inputs(network, shapes, seed)?;
    let named = network.inputs.iter().zip(drawn);
    let valued = named.map(|(&input, tensor)| {
        let values = sample.values.get(&*network.value(input).name);
        values.map_or_else(|| Ok(tensor.clone()), |values| random::of_values(&tensor, values))
    });
    valued.collect()
}

/// Data sets that decide, and data that check: those of several data sets that do not decide, the
/// last at least, and the first with its numbers moved.
fn given_data(optimized: &Network, source: &Source, sets: &[DataSet]) -> Result<Data> {
    let names = source.inputs();
    let inputs = |set: &DataSet| -> Result<Inputs> {
        let label = Label { source: set.label.clone(), seed: None };
        Ok(Inputs { label, tensors: verify::inputs(optimized, &names, set)? })
    };
    let count = sets.len().saturating_sub(1).clamp(1, MOST_SETS);
    let (deciding, held) = sets.split_at(count.min(sets.len()));
    let last = held.len().saturating_sub(MOST_HELD);
    let (between, held) = held.split_at(last.min(held.len()));
    let chosen: Vec<Inputs> = deciding.iter().map(inputs).collect::<Result<_>>()?;
    let mut fresh: Vec<Inputs> = held.iter().map(inputs).collect::<Result<_>>()?;
    for &seed in CHECK.iter().skip(held.len().min(1)) {
        // What cannot be moved would check itself.
        let known =
            |tensors: &[Tensor]| chosen.iter().chain(&fresh).any(|of| of.tensors == tensors);
        let other = chosen.first().map(|first| moved(optimized, first, seed));
        let other = other.filter(|other| !known(&other.tensors));
        fresh.extend(other);
    }
    let between = between.iter().map(inputs).collect::<Result<Vec<_>>>()?;
    let calibrating = chosen.iter().cloned().chain(between).collect();
    Ok(Data { chosen, fresh, calibrating })
}

/// The error for a type of 8 bits without data: scales of drawn numbers are scales of nothing.
fn no_data(eight: Eight) -> Error {
    let message = format!("`--precision {eight}` takes its scales from data, and there are none");
    let hint = "name data like those of use with `--calibrate`";
    Error::new(Kind::Usage, message).with_hint(hint)
}

/// Inputs like these; what holds sizes stays.
fn moved(network: &Network, inputs: &Inputs, seed: u64) -> Inputs {
    let sizes = sizing::holding_sizes(network);
    let named = network.inputs.iter().zip(&inputs.tensors);
    let moved =
        named.map(
            |(input, tensor)| {
                if sizes.contains(input) { tensor.clone() } else { random::moved(tensor, seed) }
            },
        );
    let source = format!("{} with its numbers moved", inputs.label.source);
    Inputs { label: Label { source, seed: Some(seed) }, tensors: moved.collect() }
}

/// The outputs of a network as a library would get it, in the types before.
fn evaluated(network: Network, inputs: &[Tensor], caps: Caps) -> Result<Vec<Tensor>> {
    let network = pipeline::legal(network, caps)?;
    let values = network.inputs.iter().map(|&input| network.value(input)).zip(inputs);
    let entered =
        values.map(|(value, tensor)| boundary::enter(&value.name, tensor, value.ty.dtype));
    let outputs = eval::run(&network, &entered.collect::<Result<Vec<_>>>()?)?;
    let declared = verify::declared(&network).into_iter().zip(outputs);
    declared.map(|((name, to), tensor)| boundary::leave(name, tensor, to)).collect()
}
