//! A Scale behind a Convolution becomes part of the convolution's weights and bias.
//!
//! (Σ w·x + b)·scale + shift is Σ (w·scale)·x + (b·scale + shift). TensorRT does the same while it
//! builds; done here, it has fewer layers to look at and one copy of the weights less to hold.

use crate::eval::parallel;
use crate::mapped;
use crate::network::edit::Editor;
use crate::network::layer::{Arg, Convolution, Scale, ScaleMode};
use crate::network::{LayerId, LayerKind, Network, ValueId};
use crate::tensor::{DType, Element, Tensor};
use half::{bf16, f16};

pub(super) fn run(network: &mut Network) -> usize {
    let layers = network.live_layers();
    let mut editor = Editor::new(network);
    let mut changed = 0;
    for id in layers {
        if let Some((front, merged)) = merged(&editor, id) {
            replace(&mut editor, front, id, merged);
            changed += 1;
        }
    }
    editor.finish();
    changed
}

/// The convolution in front of a Scale and what it becomes, if the Scale can be merged into it.
fn merged(editor: &Editor<'_>, id: LayerId) -> Option<(LayerId, Convolution)> {
    let network = editor.network();
    let LayerKind::Scale(scale) = &network.layer(id).kind else { return None };
    let middle = *network.layer(id).inputs.first()?;
    if editor.sole_user(middle) != Some(id) || editor.is_removed(id) {
        return None;
    }
    let front = network.maker(middle)?;
    let LayerKind::Convolution(convolution) = &network.layer(front).kind else { return None };
    Some((front, scaled(convolution, scale)?))
}

/// Whether a Scale with one coefficient per map can become part of the weights.
pub(super) fn weighs_maps(convolution: &Convolution) -> bool {
    let computed = matches!(convolution.bias, Some(Arg::Input(_)));
    !computed && convolution.weights.fixed().is_some_and(|weights| weights.dtype().is_float())
}

/// The convolution with the Scale's factors in its weights and its summands in its bias.
fn scaled(convolution: &Convolution, by: &Scale) -> Option<Convolution> {
    let one_per_map = match by.mode {
        ScaleMode::Uniform => true,
        ScaleMode::Channel => by.channel_axis == 1,
        ScaleMode::ElementWise => false,
    };
    let weights = convolution.weights.fixed()?;
    if !one_per_map || by.power.is_some() || !weights.dtype().is_float() {
        return None;
    }
    let maps = convolution.maps;
    let factors = coefficients(by.scale.as_ref(), maps, 1.0)?;
    let summands = coefficients(by.shift.as_ref(), maps, 0.0)?;
    let bias = match &convolution.bias {
        None => vec![0.0; maps],
        Some(Arg::Static(bias)) => bias.to_f32s()?.into_owned(),
        Some(Arg::Input(_)) => return None,
    };
    if bias.len() != maps || maps == 0 || weights.len() % maps != 0 {
        return None;
    }
    let new_bias =
        bias.iter().zip(&factors).zip(&summands).map(|((b, factor), summand)| b * factor + summand);
    let new_bias = Tensor::of_reals(weights.dtype(), vec![maps], new_bias.collect()).ok()?;

    let new_weights = product(weights, &factors)?;
    mapped::release(weights.bytes());
    Some(Convolution {
        weights: Arg::Static(new_weights),
        bias: Some(Arg::Static(new_bias)),
        ..convolution.clone()
    })
}

/// One coefficient per map: as many as there are, one for all, or the neutral one.
fn coefficients(of: Option<&Tensor>, maps: usize, neutral: f32) -> Option<Vec<f32>> {
    let Some(tensor) = of else { return Some(vec![neutral; maps]) };
    let values = tensor.to_f32s()?;
    match values.as_ref() {
        [one] => Some(vec![*one; maps]),
        many if many.len() == maps => Some(many.to_vec()),
        _ => None,
    }
}

/// The weights with each map's elements multiplied by its factor.
fn product(weights: &Tensor, factors: &[f32]) -> Option<Tensor> {
    let half = |half: f16, factor| f16::from_f32(half.to_f32() * factor);
    let brain = |brain: bf16, factor| bf16::from_f32(brain.to_f32() * factor);
    match weights.dtype() {
        DType::F32 => times(weights, factors, |bytes, by| f32::from_le_bytes(bytes) * by),
        DType::F16 => times(weights, factors, |bytes, by| half(f16::from_le_bytes(bytes), by)),
        DType::BF16 => times(weights, factors, |bytes, by| brain(bf16::from_le_bytes(bytes), by)),
        _ => None,
    }
}

/// Multiplies on all cores: most of the time goes to the system, which finds memory for the
/// product page by page as it is written.
fn times<const BYTES: usize, T: Element + Default>(
    weights: &Tensor,
    factors: &[f32],
    times: impl Fn([u8; BYTES], f32) -> T + Sync,
) -> Option<Tensor> {
    // Read as bytes: in a file these gigabytes need not be aligned, and a copy that is would be one
    // too many.
    let (elements, _) = weights.bytes().as_chunks::<BYTES>();
    let per_map = (elements.len() / factors.len()).max(1);
    let mut product = vec![T::default(); elements.len()];
    parallel::pieces(&mut product, per_map, |map, product| {
        let elements = elements.get(map * per_map..);
        if let Some((factor, elements)) = factors.get(map).zip(elements) {
            product.iter_mut().zip(elements).for_each(|(to, of)| *to = times(*of, *factor));
        }
    });
    Tensor::of(weights.dims().to_vec(), product).ok()
}

fn replace(editor: &mut Editor<'_>, front: LayerId, scale: LayerId, merged: Convolution) {
    let network = editor.network();
    let inputs: Vec<ValueId> = network.layer(front).inputs.to_vec();
    let sites = network.layer(front).sites.clone();
    // The merged layer takes the Scale's place, and with it the Scale's output.
    editor.change(scale, merged.into(), &inputs);
    editor.lead_sites(scale, &sites);
    editor.remove(front);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::layer::PaddingMode;
    use bytes::Bytes;

    fn convolution(bias: Option<Vec<f32>>) -> Convolution {
        Convolution {
            maps: 2,
            kernel: vec![1, 1],
            stride: vec![1, 1],
            pre_padding: vec![0, 0],
            post_padding: vec![0, 0],
            padding_mode: PaddingMode::ExplicitRoundDown,
            dilation: vec![1, 1],
            groups: 1,
            weights: Arg::Static(Tensor::of(vec![2, 1, 1, 1], vec![3f32, 5.0]).unwrap()),
            bias: bias.map(|bias| Arg::Static(Tensor::vector(&bias))),
        }
    }

    fn scale(mode: ScaleMode, channel_axis: usize) -> Scale {
        Scale {
            mode,
            shift: Some(Tensor::vector(&[1f32, 10.0])),
            scale: Some(Tensor::vector(&[2f32, 4.0])),
            power: None,
            channel_axis,
        }
    }

    #[test]
    fn factors_go_to_the_weights_and_summands_to_the_bias() {
        let merged =
            scaled(&convolution(Some(vec![7.0, 0.5])), &scale(ScaleMode::Channel, 1)).unwrap();
        let floats = |arg: &Arg<Tensor>| arg.fixed().unwrap().to_f32s().unwrap().into_owned();
        assert_eq!(floats(&merged.weights), [6.0, 20.0]);
        assert_eq!(floats(merged.bias.as_ref().unwrap()), [15.0, 12.0]);
    }

    #[test]
    fn large_weights_are_multiplied_whole_in_every_type() {
        // As many maps as no number of threads divides, at an odd address.
        let (maps, per_map) = (101, 2048);
        let values: Vec<f32> = (0u8..251).cycle().take(maps * per_map).map(f32::from).collect();
        let factors: Vec<f32> = (0u8..101).map(|map| f32::from(map) * 0.5).collect();
        for dtype in [DType::F32, DType::F16, DType::BF16] {
            let dims = vec![maps, per_map];
            let aligned = Tensor::of_reals(dtype, dims.clone(), values.clone()).unwrap();
            let odd = Bytes::from([&[0][..], aligned.bytes()].concat()).slice(1..);
            let weights = Tensor::new(dtype, dims.clone(), odd).unwrap();
            let expected = values.iter().enumerate().map(|(i, value)| value * factors[i / per_map]);
            let expected = Tensor::of_reals(dtype, dims, expected.collect()).unwrap();
            assert!(product(&weights, &factors) == Some(expected), "{dtype}");
        }
    }

    #[test]
    fn a_scale_along_another_axis_or_with_a_power_stays() {
        assert!(scaled(&convolution(None), &scale(ScaleMode::Channel, 2)).is_none());
        assert!(scaled(&convolution(None), &scale(ScaleMode::ElementWise, 1)).is_none());
        let power = Scale { power: Some(Tensor::vector(&[2f32])), ..scale(ScaleMode::Channel, 1) };
        assert!(scaled(&convolution(None), &power).is_none());
    }
}
