//! How each layer takes half of its bits: computed on the reference's numbers, rounded.
//!
//! The network is computed once in `f32`. Beside each layer that could work in the cheap type the
//! same layer is computed in it, on the same operands rounded to it, and the two results are
//! compared: that is the layer's own error. How much it matters is estimated backwards from the
//! outputs: a layer that magnifies the rounding of its operands makes those who computed them
//! matter as much more.

use super::assign::Plan;
use super::constants::{cast, converted};
use super::role::decides;
use super::units::Units;
use crate::error::Result;
use crate::eval;
use crate::network::layer::{Arg, Convolution, Deconvolution, PoolingType, ReduceOperation, Scale};
use crate::network::{Block, LayerId, LayerKind, Network, ValueId};
use crate::tensor::{DType, Tensor};
use std::collections::HashMap;

/// Numbers larger than this are near the end of `f16`, so that other data may go beyond it.
const NEAR_THE_END: f64 = 16_376.0;
/// The largest number of `f16`.
const END: f64 = 65_504.0;
/// The most that a layer is taken to magnify an error, and that errors are in all.
const MOST: f64 = 1e4;
const MOST_IN_ALL: f64 = 1e8;
/// The least that a layer is taken to diminish an error.
const LEAST: f64 = 0.1;

/// What is known of the layers.
#[derive(Debug, Clone, Default)]
pub(super) struct Survey {
    /// The own error of each layer that would work in the cheap type, or decides by rounded data.
    own: HashMap<LayerId, f64>,
    /// The largest number of each of them, where that is finite.
    largest: HashMap<LayerId, f64>,
    /// The largest number that may come up inside of them, and that nobody sees.
    inside: HashMap<LayerId, f64>,
}

impl Survey {
    /// Looks at every layer with these inputs, and gives the outputs. `plan` has all layers in the
    /// cheap type that may be.
    pub(super) fn look(
        &mut self,
        network: &Network,
        plan: &Plan,
        cheap: DType,
        inputs: &[Tensor],
    ) -> Result<Vec<Tensor>> {
        eval::run_watching(network, inputs, &mut |id, inputs, outputs| {
            let layer = network.layer(id);
            let values = &layer.inputs;
            let error = match plan.layer(id) {
                Some((data, dtype)) => {
                    let constant = |at: usize| {
                        values.get(at).and_then(|&value| network.constant(value)).is_some()
                    };
                    let rounded = inputs.iter().enumerate().map(|(at, input)| {
                        if data.contains(&at) {
                            rounded(input, dtype, constant(at))
                        } else {
                            (*input).clone()
                        }
                    });
                    own(&narrowed(&layer.kind, dtype), &rounded.collect::<Vec<_>>(), outputs)
                }
                None if decides(&layer.kind) => {
                    let rounded = inputs.iter().map(|input| there_and_back(input, cheap));
                    own(&layer.kind, &rounded.collect::<Vec<_>>(), outputs)
                }
                None => return,
            };
            raise(&mut self.own, id, error);
            let shown = inputs.iter().copied().chain(outputs);
            raise(&mut self.largest, id, shown.map(largest).fold(0.0, f64::max));
            raise(&mut self.inside, id, inside(&layer.kind, inputs));
        })
    }

    /// The own error of a unit; 0 where none was found.
    pub(super) fn own(&self, network: &Network, units: &Units, plan: &Plan) -> Vec<f64> {
        self.of_units(network, units, plan, |_, own| own)
    }

    /// How much a unit matters to the outputs, in no unit that means anything by itself.
    pub(super) fn scores(
        &self,
        network: &Network,
        units: &Units,
        plan: &Plan,
        cheap: DType,
    ) -> Vec<f64> {
        let sensitivities = self.sensitivities(network, cheap);
        self.of_units(network, units, plan, |id, own| {
            let outputs = network.layer(id).outputs.iter();
            let by = outputs.filter_map(|value| sensitivities.get(value)).copied();
            own.min(MOST_IN_ALL) * by.fold(0.0, f64::max)
        })
    }

    /// Units whose numbers come near the end of `f16`: other data may go beyond it. Numbers that
    /// are beyond it now stand for infinity, or else are found out.
    pub(super) fn near_the_end(&self, network: &Network, units: &Units, plan: &Plan) -> Vec<bool> {
        let near = |id: LayerId, _| {
            let largest = self.largest.get(&id).copied().unwrap_or_default();
            let inside = self.inside.get(&id).copied().unwrap_or_default();
            let near = largest > NEAR_THE_END && largest <= END || inside > NEAR_THE_END;
            f64::from(u8::from(near))
        };
        self.of_units(network, units, plan, near).into_iter().map(|near| near > 0.0).collect()
    }

    /// The largest that something is for a layer of each unit that rounds.
    fn of_units(
        &self,
        network: &Network,
        units: &Units,
        plan: &Plan,
        of: impl Fn(LayerId, f64) -> f64,
    ) -> Vec<f64> {
        let mut all = vec![0f64; units.len()];
        for id in network.live_layers() {
            if let (Some(at), Some(&own), Some(_)) =
                (units.of(id), self.own.get(&id), plan.layer(id))
                && let Some(most) = all.get_mut(at)
            {
                *most = most.max(of(id, own));
            }
        }
        all
    }

    /// How much an error of each value is magnified on its way to the outputs.
    fn sensitivities(&self, network: &Network, cheap: DType) -> HashMap<ValueId, f64> {
        let mut of: HashMap<ValueId, f64> =
            network.outputs.iter().map(|output| (output.value, 1.0)).collect();
        let unit = unit(cheap);
        self.back(network, &network.body, unit, &mut of);
        of
    }

    fn back(&self, network: &Network, block: &Block, unit: f64, of: &mut HashMap<ValueId, f64>) {
        for &id in block.layers.iter().rev() {
            let layer = network.layer(id);
            let outputs = layer.outputs.iter().filter_map(|value| of.get(value)).copied();
            let mut by = outputs.fold(0.0, f64::max);
            for nested in layer.kind.blocks() {
                nested.results.iter().for_each(|&result| raise(of, result, by));
                self.back(network, nested, unit, of);
                let params = nested.params.iter().filter_map(|value| of.get(value)).copied();
                by = params.fold(by, f64::max);
            }
            let own = self.own.get(&id).map_or(1.0, |own| (own / unit).clamp(LEAST, MOST));
            let by = (by * own).min(MOST_IN_ALL);
            layer.inputs.iter().for_each(|&input| raise(of, input, by));
        }
    }
}

/// The unit roundoff of a type.
pub(super) fn unit(dtype: DType) -> f64 {
    if dtype == DType::BF16 { 1.0 / 256.0 } else { 1.0 / 2048.0 }
}

fn raise<K: std::hash::Hash + Eq>(of: &mut HashMap<K, f64>, key: K, to: f64) {
    let known = of.entry(key).or_default();
    *known = known.max(to);
}

/// An operand in a type; constants as they are converted.
fn rounded(tensor: &Tensor, dtype: DType, constant: bool) -> Tensor {
    let converted = if constant { converted(tensor, dtype) } else { None };
    converted.map_or_else(|| cast(tensor, dtype), |(tensor, _)| tensor)
}

/// An operand rounded to a type, but still in its own.
fn there_and_back(tensor: &Tensor, by: DType) -> Tensor {
    if tensor.dtype() == DType::F32 { cast(&cast(tensor, by), DType::F32) } else { tensor.clone() }
}

/// A layer with its weights in a type.
fn narrowed(kind: &LayerKind, dtype: DType) -> LayerKind {
    let mut kind = kind.clone();
    let narrow = |tensor: &mut Tensor| {
        if let Some((new, _)) = converted(tensor, dtype) {
            *tensor = new;
        }
    };
    match &mut kind {
        LayerKind::Convolution(of) | LayerKind::Deconvolution(Deconvolution(of)) => {
            let Convolution { weights, bias, .. } = of;
            for weights in [Some(weights), bias.as_mut()].into_iter().flatten() {
                if let Arg::Static(tensor) = weights {
                    narrow(tensor);
                }
            }
        }
        LayerKind::Scale(Scale { shift, scale, power, .. }) => {
            [shift, scale, power].into_iter().flatten().for_each(narrow);
        }
        _ => {}
    }
    kind
}

/// How far a layer is off in the cheap type; infinite where it has no result.
fn own(kind: &LayerKind, inputs: &[Tensor], expected: &[Tensor]) -> f64 {
    let inputs: Vec<&Tensor> = inputs.iter().collect();
    let Ok(outputs) = eval::layer(kind, &inputs) else { return f64::INFINITY };
    outputs
        .iter()
        .zip(expected)
        .map(|(actual, expected)| apart(actual, expected))
        .fold(0.0, f64::max)
}

/// The largest number that may come up inside a layer: TensorRT sums products in `f32`, but says
/// nothing of the squares that a normalization sums, nor of other sums.
fn inside(kind: &LayerKind, inputs: &[&Tensor]) -> f64 {
    let Some(data) = inputs.first() else { return 0.0 };
    let (most, size) = (largest(data), |axis: &usize| data.dims().get(*axis).copied().unwrap_or(1));
    #[allow(clippy::cast_precision_loss, reason = "a count in an estimate")]
    let times = |count: usize| most * count as f64;
    match kind {
        LayerKind::Normalization(_) => most * most,
        LayerKind::Reduce(of)
            if matches!(of.operation, ReduceOperation::Sum | ReduceOperation::Avg) =>
        {
            times(of.axes.iter().map(size).product())
        }
        LayerKind::Pooling(of) if of.kind != PoolingType::Max => times(of.window.iter().product()),
        _ => 0.0,
    }
}

/// The largest number of a tensor.
fn largest(tensor: &Tensor) -> f64 {
    if !tensor.dtype().is_float() {
        return 0.0;
    }
    let values = tensor.to_f32s().unwrap_or_default();
    let finite =
        values.iter().map(|value| f64::from(value.abs())).filter(|value| value.is_finite());
    finite.fold(0.0, f64::max)
}

/// How far two tensors are apart: the largest difference as a share of the [scale](Tensor::scale)
/// of what is expected. Infinite where the shapes differ, or where only one of two elements is a
/// finite number; whole numbers and truths are equal or 1 apart.
pub(super) fn apart(actual: &Tensor, expected: &Tensor) -> f64 {
    if actual.dims() != expected.dims() {
        return f64::INFINITY;
    }
    if !expected.dtype().is_float() {
        return if actual == expected { 0.0 } else { 1.0 };
    }
    let (Some(a), Some(b)) = (actual.to_f32s(), expected.to_f32s()) else {
        return if actual == expected { 0.0 } else { f64::INFINITY };
    };
    let mut most = 0f64;
    for (&a, &b) in a.iter().zip(b.iter()) {
        let same = a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
        if same {
            continue;
        }
        if a.is_finite() && b.is_finite() {
            most = most.max((f64::from(a) - f64::from(b)).abs());
        } else {
            return f64::INFINITY;
        }
    }
    let scale = expected.scale();
    if most == 0.0 {
        0.0
    } else if scale == 0.0 {
        f64::INFINITY
    } else {
        most / scale
    }
}
