//! Inputs drawn at random, the same for the same seed, within what the network does with them.

use crate::error::{Error, Kind, Result};
use crate::memory;
use crate::network::layer::{Cast, GatherMode};
use crate::network::{LayerKind, Network, ValueId};
use crate::tensor::{DType, Tensor};

/// Indices below this bound are drawn where nothing says how far they may go.
const SMALL: u64 = 8;

/// What becomes a truth or a real number is a mask more often than not: with a 2 in it, a sum with
/// the lowest number would go beyond that.
const MASK: u64 = 2;

/// The most elements that are drawn for one input.
const MOST: usize = 1 << 30;

/// A tensor for each input of a network, of the given shapes.
///
/// Real numbers are normal with mean 0 and deviation 1. Whole numbers lie within the axes that they
/// index, as far as that can be seen; else they are 0 and 1 where they become truths or real
/// numbers, and below 8 elsewhere.
///
/// # Errors
/// [`Kind::Unsupported`] for types that cannot be drawn; [`Kind::Usage`] for more elements than
/// are.
pub fn inputs(network: &Network, shapes: &[Vec<usize>], seed: u64) -> Result<Vec<Tensor>> {
    let mut draw = Draw(seed);
    let one = |(&input, shape): (&ValueId, &Vec<usize>)| {
        let value = network.value(input);
        // Numbers are drawn in eight bytes at most.
        let most = MOST.min(memory::left() / 8);
        if crate::tensor::volume(shape).is_none_or(|count| count > most) {
            let message =
                format!("input `{}` is too large to draw data for: {shape:?}", value.name);
            return Err(Error::new(Kind::Usage, message)
                .with_hint("give smaller sizes, or name a data set with `--data`"));
        }
        tensor(&mut draw, value.ty.dtype, shape, bound(network, input)).ok_or_else(|| {
            let message = format!(
                "no data can be drawn for input `{}` of type {}",
                value.name, value.ty.dtype
            );
            Error::new(Kind::Unsupported, message).with_hint("name a data set with `--data`")
        })
    };
    network.inputs.iter().zip(shapes).map(one).collect()
}

/// A tensor of whole numbers with other elements.
///
/// # Errors
/// [`Kind::Usage`] where there are too many or too few, or they do not fit its type.
pub fn of_values(like: &Tensor, values: &[i64]) -> Result<Tensor> {
    let narrow =
        || values.iter().map(|&value| i32::try_from(value).ok()).collect::<Option<Vec<_>>>();
    let tensor = match like.dtype() {
        DType::I64 => Tensor::of(like.dims().to_vec(), values.to_vec()).ok(),
        DType::I32 => narrow().and_then(|values| Tensor::of(like.dims().to_vec(), values).ok()),
        _ => None,
    };
    let (dtype, dims) = (like.dtype(), like.dims());
    tensor.ok_or_else(|| {
        Error::new(Kind::Usage, format!("{values:?} are no elements of {dtype}{dims:?}"))
    })
}

/// Data like these: real numbers each moved by about a tenth of itself, whole numbers in another
/// order; truths stay.
pub fn moved(tensor: &Tensor, seed: u64) -> Tensor {
    let mut draw = Draw(seed);
    let dims = || tensor.dims().to_vec();
    let made = match tensor.dtype() {
        DType::I64 => turned::<i64>(tensor, &mut draw),
        DType::I32 => turned::<i32>(tensor, &mut draw),
        DType::I8 => turned::<i8>(tensor, &mut draw),
        DType::U8 => turned::<u8>(tensor, &mut draw),
        dtype => tensor.to_f32s().and_then(|values| {
            let moved = values.iter().map(|value| value * 0.1f32.mul_add(draw.normal(), 1.0));
            if dtype == DType::F64 {
                Tensor::of(dims(), moved.map(f64::from).collect()).ok()
            } else {
                Tensor::of_reals(dtype, dims(), moved.collect()).ok()
            }
        }),
    };
    made.unwrap_or_else(|| tensor.clone())
}

/// The elements in another order: each further by as many places.
fn turned<T: crate::tensor::Element>(tensor: &Tensor, draw: &mut Draw) -> Option<Tensor> {
    let mut values = tensor.values::<T>()?.into_owned();
    let places = u64::try_from(values.len()).ok()?.checked_sub(1).filter(|places| *places > 0)?;
    values.rotate_left(usize::try_from(1 + draw.next() % places).ok()?);
    Tensor::of(tensor.dims().to_vec(), values).ok()
}

/// How large the elements of an input may be: the size of the smallest axis that they index.
fn bound(network: &Network, input: ValueId) -> u64 {
    // Indices reach a Gather through layers that keep their values.
    let mut reached = vec![input];
    let (mut bounds, mut masks) = (Vec::new(), false);
    for id in network.live_layers() {
        let layer = network.layer(id);
        match &layer.kind {
            LayerKind::Cast(_)
            | LayerKind::Shuffle(_)
            | LayerKind::Squeeze(_)
            | LayerKind::Unsqueeze(_)
            | LayerKind::Identity
            | LayerKind::Select
                if layer.inputs.iter().any(|value| reached.contains(value)) =>
            {
                masks |= matches!(&layer.kind, LayerKind::Cast(Cast { to }) if is_mask(*to));
                reached.extend(&layer.outputs);
            }
            LayerKind::Gather(gather) if gather.mode != GatherMode::Nd => {
                let [data, indices] = layer.inputs[..] else { continue };
                let size = network
                    .value(data)
                    .ty
                    .shape
                    .get(gather.axis)
                    .and_then(crate::network::Dim::known);
                if reached.contains(&indices) {
                    bounds.extend(size.and_then(|size| u64::try_from(size).ok()));
                }
            }
            _ => {}
        }
    }
    let usual = if masks { MASK } else { SMALL };
    bounds.into_iter().min().unwrap_or(usual).max(1)
}

fn is_mask(dtype: DType) -> bool {
    dtype == DType::Bool || dtype.is_float()
}

/// A tensor of a type and shape, whatever a network does with it: whole numbers are 0 or 1.
pub fn tensor_of(dtype: DType, shape: &[usize], seed: u64) -> Option<Tensor> {
    tensor(&mut Draw(seed), dtype, shape, 2)
}

fn tensor(draw: &mut Draw, dtype: DType, shape: &[usize], bound: u64) -> Option<Tensor> {
    let count = crate::tensor::volume(shape)?;
    let dims = shape.to_vec();
    let below = |draw: &mut Draw, limit: u64| draw.next() % bound.min(limit);
    match dtype {
        DType::F32 | DType::F16 | DType::BF16 => {
            Tensor::of_reals(dtype, dims, (0..count).map(|_| draw.normal()).collect())
        }
        DType::I64 => Tensor::of(
            dims,
            (0..count).filter_map(|_| i64::try_from(below(draw, u64::MAX)).ok()).collect(),
        ),
        DType::I32 => Tensor::of(
            dims,
            (0..count).filter_map(|_| i32::try_from(below(draw, 1 << 31)).ok()).collect(),
        ),
        DType::I8 => Tensor::of(
            dims,
            (0..count).filter_map(|_| i8::try_from(below(draw, 128)).ok()).collect(),
        ),
        DType::U8 => Tensor::of(
            dims,
            (0..count).filter_map(|_| u8::try_from(draw.next() % 256).ok()).collect(),
        ),
        DType::Bool => Tensor::of_bools(dims, (0..count).map(|_| draw.next() % 2 == 1)),
        _ => return None,
    }
    .ok()
}

/// SplitMix64: one number of state, and good enough to fill tensors with.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Uniform in (0, 1], in steps of 2^−24, which f32 holds exactly.
    #[allow(clippy::cast_precision_loss, reason = "24 bits fit the mantissa")]
    fn unit(&mut self) -> f32 {
        ((self.next() >> 40) + 1) as f32 / (1u32 << 24) as f32
    }

    /// Normal with mean 0 and deviation 1, by Box and Muller's transform.
    fn normal(&mut self) -> f32 {
        let (radius, angle) = (self.unit(), self.unit());
        (-2.0 * radius.ln()).sqrt() * (std::f32::consts::TAU * angle).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::layer::Gather;
    use crate::network::{Block, Shape, ValueType};
    use crate::site::Site;

    #[test]
    fn what_no_memory_holds_is_not_drawn() {
        let mut network = Network::default();
        network.add_input("x", ValueType::new(DType::F32, Shape::of(&[1, 1])));
        for shape in [vec![1 << 16, 1 << 15], vec![usize::MAX, 2]] {
            let error = inputs(&network, std::slice::from_ref(&shape), 0).unwrap_err();
            let expected = format!(
                "input `x` is too large to draw data for: {shape:?}\n\nhint: give smaller sizes, \
                 or name a data set with `--data`"
            );
            assert_eq!((error.kind(), error.to_string()), (Kind::Usage, expected));
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_and_another_does_not() {
        let mut network = Network::default();
        network.add_input("x", ValueType::new(DType::F32, Shape::of(&[100, 100])));
        let draw = |seed| inputs(&network, &[vec![100, 100]], seed).unwrap().remove(0);
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let values = draw(1).to_f32s().unwrap().into_owned();
        let mean = values.iter().sum::<f32>() / 1e4;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / 1e4;
        assert!(mean.abs() < 0.05 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }

    #[test]
    fn what_is_moved_is_another_of_its_type() {
        let reals: Vec<f32> = vec![1.0, -2.0, 3.0];
        let half = |dtype| Tensor::of_reals(dtype, vec![3], reals.clone()).unwrap();
        for tensor in [
            half(DType::F32),
            half(DType::F16),
            half(DType::BF16),
            Tensor::vector(&[1f64, -2.0, 3.0]),
            Tensor::vector(&[1i64, 2, 3]),
            Tensor::vector(&[1i32, 2]),
            Tensor::vector(&[1u8, 2, 3]),
        ] {
            for seed in 0..10 {
                let other = moved(&tensor, seed);
                assert_ne!(other, tensor);
                assert_eq!((other.dtype(), other.dims()), (tensor.dtype(), tensor.dims()));
            }
        }
        for tensor in [Tensor::scalar(3i64), Tensor::vector::<i32>(&[]), Tensor::vector(&[0f32])] {
            assert_eq!(moved(&tensor, 0), tensor);
        }
    }

    #[test]
    fn masks_have_both_values() {
        let mut network = Network::default();
        let shape = Shape::of(&[50]);
        let mask = network.add_input("mask", ValueType::new(DType::I64, shape.clone()));
        let count = network.add_input("count", ValueType::new(DType::I64, shape));
        let mut body = Block::default();
        let sites = [Site::tensor("main", "output", "y")];
        let cast = Cast { to: DType::F32 };
        crate::infer::add(&mut network, &mut body, cast.into(), &[mask], &sites).unwrap();
        network.body = body;
        assert_eq!([bound(&network, mask), bound(&network, count)], [2, 8]);
    }

    #[test]
    fn indices_stay_within_the_axis_they_index() {
        let mut network = Network::default();
        let data = network.add_input("data", ValueType::new(DType::F32, Shape::of(&[3, 2])));
        let indices = network.add_input("indices", ValueType::new(DType::I64, Shape::of(&[50])));
        let gather = Gather { mode: GatherMode::Default, axis: 0, element_wise_dims: 0 };
        let out = ValueType::new(DType::F32, Shape::of(&[50, 2]));
        let layer = network.add_layer(
            gather.into(),
            &[data, indices],
            &[Site::tensor("main", "node", "g")],
            [out],
        );
        network.body.layers.push(layer);
        let drawn = inputs(&network, &[vec![3, 2], vec![50]], 0).unwrap();
        let indices = drawn[1].to_i64s().unwrap();
        assert!(
            indices.iter().all(|index| (0..3).contains(index)) && indices.contains(&2),
            "{indices:?}"
        );
    }
}
