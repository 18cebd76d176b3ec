//! Data sets for models that bring none: inputs that are drawn or given, outputs of ONNX Runtime.

use super::data::{DataSet, Entry};
use super::random;
use super::reference::Reference;
use crate::error::{Error, Kind, Result};
use crate::network::{Network, ValueId};
use crate::onnx::Constant;
use std::collections::BTreeMap;

/// How much is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Extent<'a> {
    /// The seeds.
    pub seeds: &'a [u64],
    /// Whether the likeliest shapes of each profile are enough.
    pub likeliest: bool,
}

impl Extent<'static> {
    /// What is drawn where nobody says anything else.
    pub const FULL: Self = Self { seeds: &[0, 1], likeliest: false };
    /// For those in a hurry.
    pub const QUICK: Self = Self { seeds: &[0], likeliest: true };
}

/// The shapes that inputs are drawn in.
#[derive(Debug, Clone, Copy)]
pub struct Shapes<'a> {
    /// `opt`, `min`, `max` or `between`.
    pub what: &'a str,
    /// Shape of each input, in the network's order.
    pub shapes: &'a [Vec<usize>],
    /// Those to try where the reference refuses these.
    pub others: &'a [Vec<Vec<usize>>],
    /// Elements of inputs that hold sizes, by name.
    pub values: &'a BTreeMap<String, Vec<i64>>,
}

/// Inputs drawn for a network, with the reference's outputs.
///
/// # Errors
/// Inputs that cannot be drawn; whatever the reference says of them.
fn drawn(
    network: &Network,
    shapes: &Shapes<'_>,
    seed: u64,
    reference: &mut Reference,
) -> Result<DataSet> {
    let mut inputs = Vec::new();
    for (&input, mut tensor) in
        network.inputs.iter().zip(random::inputs(network, shapes.shapes, seed)?)
    {
        let name = network.value(input).name.to_string();
        if let Some(values) = shapes.values.get(&name) {
            tensor = random::of_values(&tensor, values)?;
        }
        inputs.push(Entry { name, data: Constant::Tensor(tensor) });
    }
    let what = format!("ONNX Runtime, seed {seed}, {} {:?}", shapes.what, shapes.shapes);
    let label = format!("{}, seed {seed}", shapes.what);
    Ok(DataSet { label, ..referred(reference, what, inputs)? })
}

/// The same, or at the first of the other shapes that the reference takes: sizes that were guessed
/// need not be such that the model itself can run.
fn drawn_near(
    network: &Network,
    shapes: &Shapes<'_>,
    seed: u64,
    reference: &mut Reference,
) -> Result<DataSet> {
    let refusal = match drawn(network, shapes, seed, reference) {
        Err(refusal) if refusal.kind() == Kind::Usage && !shapes.others.is_empty() => refusal,
        done => return done,
    };
    let what = format!("{}, moved", shapes.what);
    for other in shapes.others {
        let other = Shapes { what: &what, shapes: other, others: &[], ..*shapes };
        match drawn(network, &other, seed, reference) {
            Err(error) if error.kind() == Kind::Usage => {}
            done => return done,
        }
    }
    let tried = |(at, &input): (usize, &ValueId)| {
        let mut sizes: Vec<&Vec<usize>> = Vec::new();
        for shape in std::iter::once(shapes.shapes).chain(shapes.others.iter().map(Vec::as_slice)) {
            sizes.extend(shape.get(at).filter(|shape| !sizes.contains(shape)));
        }
        (sizes.len() > 1)
            .then(|| format!("tried for input `{}`: {sizes:?}", network.value(input).name))
    };
    let error = network.inputs.iter().enumerate().filter_map(tried).fold(refusal, Error::with_note);
    Err(error.with_hint("give sizes at which the model runs with `--dim`, or data with `--data`"))
}

/// Data sets for each seed in each of these shapes, seed by seed.
///
/// # Errors
/// Inputs that cannot be drawn; whatever the reference says of them.
pub fn all(
    network: &Network,
    shapes: &[Shapes<'_>],
    seeds: &[u64],
    reference: &mut Reference,
) -> Result<Vec<DataSet>> {
    let mut sets = Vec::with_capacity(seeds.len().saturating_mul(shapes.len()));
    for &seed in seeds {
        for shapes in shapes {
            sets.push(drawn_near(network, shapes, seed, reference)?);
        }
    }
    Ok(sets)
}

/// A data set of these inputs with the reference's outputs; `what` names it in messages and
/// reports.
///
/// # Errors
/// Whatever the reference says of the inputs.
pub fn referred(reference: &mut Reference, what: String, inputs: Vec<Entry>) -> Result<DataSet> {
    let named = |entry: &Entry| Some((entry.name.clone(), entry.data.tensor().ok()?.clone()));
    let outputs = reference.run(&inputs.iter().filter_map(named).collect::<Vec<_>>())?;
    let outputs =
        outputs.into_iter().map(|(name, tensor)| Entry { name, data: Constant::Tensor(tensor) });
    Ok(DataSet {
        label: what.clone(),
        path: what.into(),
        source: "ONNX Runtime".to_owned(),
        tolerance: None,
        limits: Vec::new(),
        within: None,
        inputs,
        outputs: outputs.collect(),
    })
}
