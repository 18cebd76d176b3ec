//! Layers that a library lacks, by their formulas: GELU, running sums, the test for NaN,
//! normalization in groups and of single elements, Elu where there is a loop.

use super::cumulative;
use super::insert::{Insert, binary, internal};
use crate::error::Result;
use crate::network::edit::Editor;
use crate::network::layer::{
    Activation, ActivationType, ElementWiseOperation as Op, Normalization, Reshape, Shuffle, Unary,
    UnaryOperation,
};
use crate::network::{Caps, Dim, LayerKind, Network, ValueId};
use crate::tensor::DType;

/// Rewrites what `caps` lack.
pub(super) fn run(network: &mut Network, caps: Caps) -> Result<()> {
    let layers = network.live_layers();
    let has_loop = has_loop(network);
    let mut editor = Editor::new(network);
    for id in layers {
        let mut insert = Insert::before(&mut editor, id);
        let Some(&x) = insert.layer().inputs.first() else { continue };
        let value = match insert.layer().kind {
            LayerKind::Activation(Activation { kind: ActivationType::GeluErf, .. })
                if !caps.gelu =>
            {
                gelu_erf(&mut insert, x)?
            }
            LayerKind::Activation(Activation { kind: ActivationType::GeluTanh, .. })
                if !caps.gelu =>
            {
                gelu_tanh(&mut insert, x)?
            }
            LayerKind::Activation(Activation { kind: ActivationType::Elu, alpha, .. })
                if has_loop && is_plain(insert.editor.network(), x) =>
            {
                elu(&mut insert, x, alpha)?
            }
            LayerKind::Unary(Unary { operation: UnaryOperation::IsNan }) if !caps.is_nan => {
                is_nan(&mut insert, x)?
            }
            LayerKind::Cumulative(ref of) if !caps.cumulative => {
                let of = of.clone();
                cumulative::sums(&mut insert, &of, x)?
            }
            LayerKind::Normalization(ref of) if is_single(insert.editor.network(), x, of) => {
                single(&mut insert, x)?
            }
            LayerKind::Normalization(ref of) if of.groups > 1 && !caps.groups => {
                let of = of.clone();
                let Some(value) = normalization(&mut insert, &of)? else { continue };
                value
            }
            _ => continue,
        };
        insert.replace_layer(&[value]);
    }
    editor.finish();
    Ok(())
}

/// x·(1 + erf(x/√2))/2
fn gelu_erf(insert: &mut Insert<'_, '_>, x: ValueId) -> Result<ValueId> {
    let root = insert.number(x, std::f32::consts::FRAC_1_SQRT_2)?;
    let scaled = binary(insert, Op::Prod, x, root)?;
    let erf = insert.add(Unary { operation: UnaryOperation::Erf }, &[scaled])?;
    half_of_product(insert, x, erf)
}

/// x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2
fn gelu_tanh(insert: &mut Insert<'_, '_>, x: ValueId) -> Result<ValueId> {
    let square = binary(insert, Op::Prod, x, x)?;
    let factor = insert.number(x, 0.044_715)?;
    let small = binary(insert, Op::Prod, square, factor)?;
    let one = insert.number(x, 1.0)?;
    let sum = binary(insert, Op::Sum, small, one)?;
    let polynomial = binary(insert, Op::Prod, x, sum)?;
    let root = insert.number(x, (2.0 * std::f32::consts::FRAC_1_PI).sqrt())?;
    let scaled = binary(insert, Op::Prod, polynomial, root)?;
    let tanh =
        insert.add(Activation { kind: ActivationType::Tanh, alpha: 0.0, beta: 0.0 }, &[scaled])?;
    half_of_product(insert, x, tanh)
}

/// x·(1 + y)/2
fn half_of_product(insert: &mut Insert<'_, '_>, x: ValueId, y: ValueId) -> Result<ValueId> {
    let (one, half) = (insert.number(x, 1.0)?, insert.number(x, 0.5)?);
    let sum = binary(insert, Op::Sum, y, one)?;
    let product = binary(insert, Op::Prod, x, sum)?;
    binary(insert, Op::Prod, product, half)
}

/// Whether there is a loop: TensorRT-RTX then compiles the whole network at once, and fails at each
/// Elu in it.
fn has_loop(network: &Network) -> bool {
    network.live_layers().into_iter().any(|id| matches!(network.layer(id).kind, LayerKind::Loop(_)))
}

/// Whether a value is of a type that has the numbers of a formula.
fn is_plain(network: &Network, value: ValueId) -> bool {
    matches!(network.value(value).ty.dtype, DType::F32 | DType::F16 | DType::BF16)
}

/// α·(e^x − 1) where x < 0, else x, where TensorRT-RTX fails at its own.
fn elu(insert: &mut Insert<'_, '_>, x: ValueId, alpha: f32) -> Result<ValueId> {
    let (zero, one, factor) =
        (insert.number(x, 0.0)?, insert.number(x, 1.0)?, insert.number(x, alpha)?);
    let power = insert.add(Unary { operation: UnaryOperation::Exp }, &[x])?;
    let less = binary(insert, Op::Sub, power, one)?;
    let scaled = binary(insert, Op::Prod, less, factor)?;
    let negative = binary(insert, Op::Less, x, zero)?;
    insert.add(LayerKind::Select, &[negative, scaled, x])
}

/// Whether x differs from itself.
fn is_nan(insert: &mut Insert<'_, '_>, x: ValueId) -> Result<ValueId> {
    let same = binary(insert, Op::Equal, x, x)?;
    insert.add(Unary { operation: UnaryOperation::Not }, &[same])
}

/// Whether each element is normalized by itself alone, which no TensorRT does.
fn is_single(network: &Network, x: ValueId, of: &Normalization) -> bool {
    let shape = &network.value(x).ty.shape;
    let channels = if of.groups == 1 { Some(1) } else { shape.get(1).and_then(Dim::size) };
    let one = |&axis: &usize| shape.get(axis).and_then(Dim::size) == Some(1);
    channels == Some(of.groups) && of.axes.iter().all(one)
}

/// An element is its own mean: what is left is the bias, or no number where the element is none.
fn single(insert: &mut Insert<'_, '_>, x: ValueId) -> Result<ValueId> {
    let &[_, scale, bias] = insert.layer().inputs.as_slice() else {
        return Err(internal(insert.layer(), &"a normalization without scale and bias"));
    };
    let centered = binary(insert, Op::Sub, x, x)?;
    let scaled = binary(insert, Op::Prod, centered, scale)?;
    binary(insert, Op::Sum, scaled, bias)
}

/// Groups become an axis of their own, over whose neighbors is normalized; scale and bias come
/// after that.
///
/// `None` where a reshape cannot say the sizes, because the run alone knows several of them.
fn normalization(insert: &mut Insert<'_, '_>, of: &Normalization) -> Result<Option<ValueId>> {
    let &[x, scale, bias] = insert.layer().inputs.as_slice() else { return Ok(None) };
    let shape = insert.editor.network().value(x).ty.shape.clone();
    let (Some(batch), Some(channels)) = (shape.first(), shape.get(1)) else { return Ok(None) };
    let groups = Dim::from(of.groups);
    let Some(part) = channels.floor_div(&groups) else { return Ok(None) };
    let mut grouped = vec![batch.clone(), groups, part];
    grouped.extend(shape.iter().skip(2).cloned());
    let there_and_back = (Reshape::between(&shape, &grouped), Reshape::between(&grouped, &shape));
    let (Some(there), Some(back)) = there_and_back else { return Ok(None) };
    let shuffle = |reshape| Shuffle { reshape: Some(reshape), ..Shuffle::default() };
    // The channels of a group, and what the layer normalizes over, one place further on.
    let axes = std::iter::once(2).chain(of.axes.iter().map(|axis| axis + 1)).collect();
    let x = insert.add(shuffle(there), &[x])?;
    let (one, zero) = (insert.number(x, 1.0)?, insert.number(x, 0.0)?);
    let standard =
        insert.add(Normalization { epsilon: of.epsilon, axes, groups: 1 }, &[x, one, zero])?;
    let standard = insert.add(shuffle(back), &[standard])?;
    let scaled = binary(insert, Op::Prod, standard, scale)?;
    binary(insert, Op::Sum, scaled, bias).map(Some)
}
