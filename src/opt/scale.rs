//! Sums, products, quotients and powers with constants, one behind the other, become one Scale:
//! (x·scale + shift)^power.
//!
//! A single one becomes a Scale only behind a Convolution, which then takes it into its weights.
//! TensorRT's Scale wants data of rank 4 or more. Coefficients are composed in double precision and
//! rounded once.
//!
//! What could turn a last digit into more stays: formulas whose result is rounded or compared, sums
//! that are nearly taken back, and coefficients that overflow or vanish.

use super::conv_scale::weighs_maps;
use crate::network::edit::Editor;
use crate::network::layer::{ElementWiseOperation as Ew, Scale, ScaleMode, UnaryOperation as Un};
use crate::network::{Dim, LayerId, LayerKind, Network, ValueId};
use crate::tensor::{DType, Tensor, volume};
use half::f16;

/// The most coefficients that a constant is spread to, where it has fewer itself.
const MOST_SPREAD: usize = 4096;

/// How much of a summand must be left when another is added, else the two are taken for a way of
/// rounding.
const LEAST_LEFT: f64 = 1.0 / 1024.0;

pub(super) fn run(network: &mut Network) -> usize {
    let layers = network.live_layers();
    let mut editor = Editor::new(network);
    let mut changed = 0;
    for id in layers {
        changed += usize::from(join(&mut editor, id) || serve_convolution(&mut editor, id));
    }
    editor.finish();
    changed
}

/// Joins the layer with the one in front, where both are such formulas and nothing else takes what
/// is between.
fn join(editor: &mut Editor<'_>, id: LayerId) -> bool {
    let Some((front, data, layer)) = joined(editor, id) else { return false };
    let sites = editor.network().layer(front).sites.clone();
    editor.change(id, layer.into(), &[data]);
    editor.lead_sites(id, &sites);
    editor.remove(front);
    true
}

fn joined(editor: &Editor<'_>, id: LayerId) -> Option<(LayerId, ValueId, Scale)> {
    let network = editor.network();
    let (middle, back) = Formula::of(network, id)?;
    let front_id = network.maker(middle)?;
    if editor.sole_user(middle) != Some(id) || editor.is_removed(front_id) || is_judged(editor, id)
    {
        return None;
    }
    let (data, front) = Formula::of(network, front_id)?;
    let ty = &network.value(data).ty;
    Some((front_id, data, front.then(back, &ty.shape)?.layer(ty.dtype)?))
}

/// Makes a Scale of a single formula behind a convolution that can take it into its weights.
fn serve_convolution(editor: &mut Editor<'_>, id: LayerId) -> bool {
    let Some((data, layer)) = servable(editor, id) else { return false };
    editor.change(id, layer.into(), &[data]);
    true
}

fn servable(editor: &Editor<'_>, id: LayerId) -> Option<(ValueId, Scale)> {
    let network = editor.network();
    let LayerKind::ElementWise(_) = network.layer(id).kind else { return None };
    let (data, formula) = Formula::of(network, id)?;
    let LayerKind::Convolution(convolution) = &network.layer(network.maker(data)?).kind else {
        return None;
    };
    let per_map =
        matches!(formula.extent, Extent::Uniform | Extent::Channel(1)) && formula.power.is_none();
    if !per_map
        || !weighs_maps(convolution)
        || editor.sole_user(data) != Some(id)
        || is_judged(editor, id)
    {
        return None;
    }
    Some((data, formula.layer(network.value(data).ty.dtype)?))
}

/// Whether a layer that takes the result makes much of little: it rounds or compares.
fn is_judged(editor: &Editor<'_>, id: LayerId) -> bool {
    let network = editor.network();
    let users = network.layer(id).outputs.iter().flat_map(|&output| editor.users(output));
    users.into_iter().any(|&user| match &network.layer(user).kind {
        LayerKind::Unary(of) => matches!(of.operation, Un::Round | Un::Floor | Un::Ceil | Un::Sign),
        LayerKind::ElementWise(of) => {
            matches!(of.operation, Ew::FloorDiv | Ew::Equal | Ew::Greater | Ew::Less)
        }
        LayerKind::Cast(cast) => !cast.to.is_float(),
        LayerKind::Quantize(_) | LayerKind::NonZero => true,
        _ => false,
    })
}

/// How far one coefficient reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    Uniform,
    /// One for each index of this axis.
    Channel(usize),
    /// One for each element of this axis and those behind it.
    From(usize),
}

/// (x·scale + shift)^power, with one coefficient of each kind for each place of the extent.
#[derive(Debug, Clone, PartialEq)]
struct Formula {
    extent: Extent,
    scale: Vec<f64>,
    shift: Vec<f64>,
    power: Option<Vec<f64>>,
}

impl Formula {
    /// The formula that a layer computes, and of what.
    fn of(network: &Network, id: LayerId) -> Option<(ValueId, Self)> {
        let layer = network.layer(id);
        let output = &network.value(*layer.outputs.first()?).ty;
        // Asked first: the constants of others may be large.
        let fits = |data: ValueId| {
            let from = &network.value(data).ty;
            let fits = matches!(from.dtype, DType::F32 | DType::F16)
                && from.shape.rank() >= 4
                && from.shape == output.shape;
            fits.then_some(&from.shape)
        };
        match &layer.kind {
            LayerKind::Scale(scale) => {
                let data = *layer.inputs.first()?;
                Some((data, Self::of_scale(scale, fits(data)?)?))
            }
            LayerKind::ElementWise(of) => {
                let [a, b] = layer.inputs[..] else { return None };
                let (data, constant, swapped) = match (network.constant(a), network.constant(b)) {
                    (None, Some(constant)) => (a, constant, false),
                    (Some(constant), None) => (b, constant, true),
                    _ => return None,
                };
                let shape = fits(data)?;
                Some((data, Self::of_operation(of.operation, constant, swapped, shape)?))
            }
            _ => None,
        }
    }

    #[expect(clippy::float_cmp, reason = "the neutral power is exactly 1")]
    fn of_scale(scale: &Scale, dims: &[Dim]) -> Option<Self> {
        let extent = match scale.mode {
            ScaleMode::Uniform => Extent::Uniform,
            ScaleMode::Channel => Extent::Channel(scale.channel_axis),
            ScaleMode::ElementWise => Extent::From(scale.channel_axis),
        };
        let count = count(extent, dims)?;
        let numbers = |of: &Option<Tensor>, neutral| match of {
            None => Some(vec![neutral; count]),
            Some(tensor) => numbers(tensor).filter(|numbers| numbers.len() == count),
        };
        let power = numbers(&scale.power, 1.0)?;
        let power = power.iter().any(|&p| p != 1.0).then_some(power);
        Some(Self {
            extent,
            scale: numbers(&scale.scale, 1.0)?,
            shift: numbers(&scale.shift, 0.0)?,
            power,
        })
    }

    /// An operation with a constant, which is the first operand where they are `swapped`.
    fn of_operation(operation: Ew, constant: &Tensor, swapped: bool, dims: &[Dim]) -> Option<Self> {
        let (extent, values) = coefficients(constant, dims)?;
        let (ones, zeros) = (vec![1.0; values.len()], vec![0.0; values.len()]);
        let negated = || values.iter().map(|c| -c).collect::<Vec<_>>();
        let (scale, shift, power) = match (operation, swapped) {
            (Ew::Prod, _) => (values, zeros, None),
            (Ew::Sum, _) => (ones, values, None),
            (Ew::Sub, false) => (ones, negated(), None),
            (Ew::Sub, true) => (vec![-1.0; values.len()], values, None),
            (Ew::Div, false) => (values.iter().map(|c| c.recip()).collect(), zeros, None),
            (Ew::Pow, false) => (ones, zeros, Some(values)),
            _ => return None,
        };
        Some(Self { extent, scale, shift, power })
    }

    /// This formula, then another.
    fn then(self, next: Self, dims: &[Dim]) -> Option<Self> {
        if self.power.is_some() {
            return None;
        }
        let extent = self.extent.and(next.extent)?;
        let (first, next) = (self.spread(extent, dims)?, next.spread(extent, dims)?);
        let scale = first.scale.iter().zip(&next.scale).map(|(a, b)| a * b).collect();
        let shift = first
            .shift
            .iter()
            .zip(next.scale.iter().zip(&next.shift))
            .map(|(a, (b, c))| sum(a * b, *c));
        Some(Self { extent, scale, shift: shift.collect::<Option<_>>()?, power: next.power })
    }

    /// The same with a coefficient for each place of a wider extent.
    fn spread(self, extent: Extent, dims: &[Dim]) -> Option<Self> {
        let place = match (self.extent, extent) {
            (from, to) if from == to => return Some(self),
            (Extent::Uniform, _) => (1, 1),
            (Extent::Channel(axis), Extent::From(_)) => {
                (count(Extent::From(axis + 1), dims)?, dims.get(axis).and_then(Dim::size)?)
            }
            _ => return None,
        };
        let (run, size) = place;
        let count = count(extent, dims)?;
        let spread = |of: &Vec<f64>| {
            (0..count).map(|i| of.get(i / run.max(1) % size.max(1)).copied()).collect()
        };
        let (scale, shift): (Option<Vec<f64>>, Option<Vec<f64>>) =
            (spread(&self.scale), spread(&self.shift));
        let power = self.power.as_ref().map(|power| spread(power).ok_or(())).transpose().ok()?;
        Some(Self { extent, scale: scale?, shift: shift?, power })
    }

    /// The layer; `None` where a coefficient is lost in the type.
    #[expect(clippy::float_cmp, reason = "neutral coefficients are exact")]
    fn layer(self, dtype: DType) -> Option<Scale> {
        let weights = |values: Vec<f64>, neutral: f64| {
            if values.iter().all(|&value| value == neutral) {
                return Some(None);
            }
            let count = values.len();
            values.iter().all(|&value| holds(dtype, value)).then_some(())?;
            #[expect(clippy::cast_possible_truncation, reason = "rounding to the type")]
            let values = values.into_iter().map(|value| value as f32).collect();
            Tensor::of_reals(dtype, vec![count], values).ok().map(Some)
        };
        let (mode, channel_axis) = match self.extent {
            Extent::Uniform => (ScaleMode::Uniform, 1),
            Extent::Channel(axis) => (ScaleMode::Channel, axis),
            Extent::From(axis) => (ScaleMode::ElementWise, axis),
        };
        let power = match self.power {
            None => None,
            Some(power) => weights(power, 1.0)?,
        };
        Some(Scale {
            mode,
            shift: weights(self.shift, 0.0)?,
            scale: weights(self.scale, 1.0)?,
            power,
            channel_axis,
        })
    }
}

impl Extent {
    /// The extent that has a place for each pair, if that is one of the two.
    fn and(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Extent::Uniform, extent) | (extent, Extent::Uniform) => Some(extent),
            (a, b) if a == b => Some(a),
            (Extent::Channel(inner), Extent::From(axis))
            | (Extent::From(axis), Extent::Channel(inner)) => {
                (inner >= axis).then_some(Extent::From(axis))
            }
            _ => None,
        }
    }
}

/// Number of places of an extent, where it is known.
fn count(extent: Extent, dims: &[Dim]) -> Option<usize> {
    match extent {
        Extent::Uniform => Some(1),
        Extent::Channel(axis) => dims.get(axis)?.size(),
        Extent::From(axis) => {
            volume(&dims.get(axis..)?.iter().map(Dim::size).collect::<Option<Vec<_>>>()?)
        }
    }
}

/// A sum that keeps its summands' digits; `None` for one that is nearly taken back.
fn sum(a: f64, b: f64) -> Option<f64> {
    let sum = a + b;
    let larger = a.abs().max(b.abs());
    (a == 0.0 || b == 0.0 || sum.abs() >= larger * LEAST_LEFT).then_some(sum)
}

/// Whether a type holds the number, neither infinite nor rounded to 0 or to few digits.
fn holds(dtype: DType, value: f64) -> bool {
    let (least, most) = match dtype {
        DType::F16 => (f16::MIN_POSITIVE.to_f64(), f16::MAX.to_f64()),
        _ => (f64::from(f32::MIN_POSITIVE), f64::from(f32::MAX)),
    };
    value == 0.0 || (least..=most).contains(&value.abs())
}

fn numbers(tensor: &Tensor) -> Option<Vec<f64>> {
    Some(tensor.to_f32s()?.iter().map(|&value| f64::from(value)).collect())
}

/// A constant that broadcasts to data of this shape, as one coefficient for each place of the
/// smallest extent.
fn coefficients(constant: &Tensor, dims: &[Dim]) -> Option<(Extent, Vec<f64>)> {
    let own = constant.dims();
    let alike = |(&own, dim): (&usize, &Dim)| own == 1 || dim.size() == Some(own);
    if own.len() != dims.len() || constant.is_empty() || !own.iter().zip(dims).all(alike) {
        return None;
    }
    let values = numbers(constant)?;
    let mut wide = own.iter().enumerate().filter(|(_, size)| **size != 1).map(|(axis, _)| axis);
    let extent = match (wide.next(), wide.next()) {
        (None, _) => return Some((Extent::Uniform, values)),
        (Some(axis), None) => return Some((Extent::Channel(axis), values)),
        (Some(axis), Some(_)) => Extent::From(axis),
    };
    let Extent::From(first) = extent else { return None };
    let places = count(extent, dims)?;
    if places > values.len().max(MOST_SPREAD) {
        return None;
    }
    let at = |place: usize| {
        let (mut rest, mut stride, mut offset) = (place, 1, 0);
        for axis in (first..own.len()).rev() {
            let (size, own) = (dims.get(axis)?.size()?.max(1), *own.get(axis)?);
            offset += if own == 1 { 0 } else { rest % size * stride };
            rest /= size;
            stride *= own;
        }
        values.get(offset).copied()
    };
    Some((extent, (0..places).map(at).collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests;
