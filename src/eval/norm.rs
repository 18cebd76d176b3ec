//! `SoftMax`, `Normalization`, `Lrn` and `Scale`.

use super::error::EvalError;
use super::index::{Lanes, Walk, around, broadcast_strides, count, size_at};
use super::operand::{operand, real_elements, reals, rounded, same_type};
use super::parallel::pieces;
use crate::network::layer::{Lrn, Normalization, Scale, ScaleMode, SoftMax};
use crate::tensor::Tensor;

/// Computes a `SoftMax` layer.
pub(super) fn softmax(layer: &SoftMax, inputs: &[&Tensor]) -> Result<Tensor, EvalError> {
    let data = operand(inputs, 0)?;
    let lanes = Lanes::new(data.dims(), &[layer.axis])?;
    let mut out = reals(inputs, 0)?.into_owned();
    for &start in &lanes.starts {
        let max =
            lanes.inside.iter().map(|step| out[start + step]).fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0.0;
        for step in &lanes.inside {
            let value = &mut out[start + step];
            *value = (*value - max).exp();
            sum += f64::from(*value);
        }
        let scale = sum.recip() as f32;
        lanes.inside.iter().for_each(|step| out[start + step] *= scale);
    }
    rounded(data.dtype(), data.dims().to_vec(), out)
}

/// Computes a `Normalization` layer. Mean and variance are kept in `f64`.
pub(super) fn normalization(
    layer: &Normalization,
    inputs: &[&Tensor],
) -> Result<Tensor, EvalError> {
    let data = operand(inputs, 0)?;
    same_type(inputs, 1)?;
    same_type(inputs, 2)?;
    let (dims, axes) = grouped(layer, data.dims())?;
    let lanes = Lanes::new(&dims, &axes)?;
    let mut out = reals(inputs, 0)?.into_owned();
    let size = lanes.inside.len() as f64;
    for &start in &lanes.starts {
        let values = || lanes.inside.iter().map(|step| f64::from(out[start + step]));
        let mean = values().sum::<f64>() / size;
        let variance = values().map(|x| (x - mean) * (x - mean)).sum::<f64>() / size;
        let scale = (variance + f64::from(layer.epsilon)).sqrt().recip();
        for step in &lanes.inside {
            let value = &mut out[start + step];
            *value = ((f64::from(*value) - mean) * scale) as f32;
        }
    }
    let strides = [1, 2].map(|at| broadcast_strides(operand(inputs, at)?.dims(), data.dims()));
    let [scale_strides, bias_strides] = strides;
    let (scale, bias) = (reals(inputs, 1)?, reals(inputs, 2)?);
    let walk = Walk::new(data.dims(), [&scale_strides?, &bias_strides?]);
    out.iter_mut().zip(walk).for_each(|(value, [s, b])| *value = *value * scale[s] + bias[b]);
    rounded(data.dtype(), data.dims().to_vec(), out)
}

/// The shape in which groups of channels are an axis of their own, and the axes to normalize over
/// in it.
fn grouped(layer: &Normalization, dims: &[usize]) -> Result<(Vec<usize>, Vec<usize>), EvalError> {
    if layer.groups == 1 {
        return Ok((dims.to_vec(), layer.axes.clone()));
    }
    let channels = size_at(dims, 1)?;
    if layer.groups == 0 || channels % layer.groups != 0 || layer.axes.contains(&0) {
        let value = i64::try_from(layer.groups).unwrap_or(i64::MAX);
        return Err(EvalError::Attribute {
            what: "groups",
            value,
            rule: "divide the channels and leave the batch alone",
        });
    }
    let split = [&[dims[0], layer.groups, channels / layer.groups], &dims[2..]].concat();
    let behind = layer.axes.iter().filter(|&&axis| axis > 1).map(|axis| axis.saturating_add(1));
    Ok((split, [2].into_iter().chain(behind).collect()))
}

/// Computes an `Lrn` layer.
pub(super) fn lrn(layer: &Lrn, inputs: &[&Tensor]) -> Result<Tensor, EvalError> {
    let data = operand(inputs, 0)?;
    let (_, channels, plane) = around(data.dims(), 1)?;
    if layer.window.is_multiple_of(2) {
        let value = i64::try_from(layer.window).unwrap_or(i64::MAX);
        return Err(EvalError::Attribute { what: "window", value, rule: "be odd" });
    }
    let (values, reach) = (reals(inputs, 0)?, layer.window / 2);
    let alpha = layer.alpha / layer.window as f32;
    let mut out = vec![0.0; values.len()];
    pieces(&mut out, plane, |i, out| {
        let (batch, channel) = (i / channels * channels, i % channels);
        let end = channels.min(channel.saturating_add(reach).saturating_add(1));
        for neighbor in channel.saturating_sub(reach)..end {
            let squares = values[(batch + neighbor) * plane..].iter().map(|x| x * x);
            out.iter_mut().zip(squares).for_each(|(sum, square)| *sum += square);
        }
        let own = &values[i * plane..];
        out.iter_mut()
            .zip(own)
            .for_each(|(sum, x)| *sum = x / (layer.k + alpha * *sum).powf(layer.beta));
    });
    rounded(data.dtype(), data.dims().to_vec(), out)
}

/// Computes a `Scale` layer.
pub(super) fn scale(layer: &Scale, inputs: &[&Tensor]) -> Result<Tensor, EvalError> {
    let data = operand(inputs, 0)?;
    // Element i has the coefficient i / run modulo their number.
    let (number, run) = match layer.mode {
        ScaleMode::Uniform => (1, 1),
        ScaleMode::Channel => {
            let (_, channels, run) = around(data.dims(), layer.channel_axis)?;
            (channels, run)
        }
        ScaleMode::ElementWise => {
            (count(data.dims().get(layer.channel_axis..).unwrap_or_default())?, 1)
        }
    };
    let coefficients = |tensor: &Option<Tensor>, neutral: f32| match tensor {
        None => Ok(vec![neutral; number]),
        Some(tensor) if tensor.len() == number => Ok(real_elements(tensor, 0)?.into_owned()),
        Some(tensor) => Err(EvalError::Shapes(tensor.dims().to_vec(), vec![number])),
    };
    let (scales, shifts) = (coefficients(&layer.scale, 1.0)?, coefficients(&layer.shift, 0.0)?);
    let powers = coefficients(&layer.power, 1.0)?;
    let values = reals(inputs, 0)?;
    let scaled = values.iter().enumerate().map(|(i, x)| {
        let at = i / run % number;
        let y = x * scales[at] + shifts[at];
        if powers[at] == 1.0 { y } else { y.powf(powers[at]) }
    });
    rounded(data.dtype(), data.dims().to_vec(), scaled.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(dims: &[usize], values: &[f32]) -> Tensor {
        Tensor::of(dims.to_vec(), values.to_vec()).unwrap()
    }

    #[track_caller]
    fn close(actual: &Tensor, expected: &[f32]) {
        let values = actual.to_f32s().unwrap();
        let near = values.iter().zip(expected).all(|(a, e)| (a - e).abs() < 1e-5);
        assert!(near && values.len() == expected.len(), "{actual:?} is not {expected:?}");
    }

    #[test]
    fn softmax_sums_to_1_along_its_axis() {
        let data = tensor(&[2, 2], &[0.0, 1000.0, 0.0, 1000.0 + 2f32.ln()]);
        close(&softmax(&SoftMax { axis: 0 }, &[&data]).unwrap(), &[0.5, 1.0 / 3.0, 0.5, 2.0 / 3.0]);
        close(&softmax(&SoftMax { axis: 1 }, &[&data]).unwrap(), &[0.0, 1.0, 0.0, 1.0]);
        assert_eq!(
            softmax(&SoftMax { axis: 2 }, &[&data]),
            Err(EvalError::Axis { axis: 2, rank: 2 })
        );
    }

    #[test]
    fn normalization_over_axes_or_groups() {
        let data = tensor(&[1, 4, 2], &[1.0, 3.0, 1.0, 3.0, 0.0, 0.0, 4.0, 4.0]);
        let scale = tensor(&[1, 4, 1], &[1.0, 1.0, 1.0, 2.0]);
        let bias = tensor(&[1, 1, 1], &[10.0]);
        let run = |axes: &[usize], groups| {
            let layer = Normalization { epsilon: 0.0, axes: axes.to_vec(), groups };
            normalization(&layer, &[&data, &scale, &bias])
        };
        close(&run(&[2], 2).unwrap(), &[9.0, 11.0, 9.0, 11.0, 9.0, 9.0, 12.0, 12.0]);
        let layer = Normalization { epsilon: 3.0, axes: vec![2], groups: 1 };
        let normal = normalization(&layer, &[&data, &scale, &bias]).unwrap();
        close(&normal, &[9.5, 10.5, 9.5, 10.5, 10.0, 10.0, 10.0, 10.0]);
        assert!(run(&[2], 3).is_err());
        assert!(run(&[0], 2).is_err());
        assert!(run(&[7], 1).is_err());
    }

    #[test]
    fn lrn_divides_alpha_by_the_window() {
        let data = tensor(&[1, 3, 1, 1], &[1.0, 2.0, 3.0]);
        let layer = Lrn { window: 3, alpha: 3.0, beta: 0.5, k: 4.0 };
        let expected = [1.0 / 9f32.sqrt(), 2.0 / 18f32.sqrt(), 3.0 / 17f32.sqrt()];
        close(&lrn(&layer, &[&data]).unwrap(), &expected);
        let error = lrn(&Lrn { window: 2, ..layer }, &[&data]).unwrap_err();
        assert_eq!(error.to_string(), "window is 2, but must be odd");
    }

    #[test]
    fn scale_shifts_then_raises() {
        let data = tensor(&[1, 2, 1, 2], &[1.0, 2.0, 3.0, 4.0]);
        let pair = |a, b| Some(Tensor::vector(&[a, b]));
        let layer = Scale {
            mode: ScaleMode::Channel,
            shift: pair(0f32, 1.0),
            scale: pair(2f32, 1.0),
            power: pair(1f32, 2.0),
            channel_axis: 1,
        };
        close(&scale(&layer, &[&data]).unwrap(), &[2.0, 4.0, 16.0, 25.0]);
        let uniform = Scale {
            mode: ScaleMode::Uniform,
            scale: Some(Tensor::vector(&[3f32])),
            shift: None,
            power: None,
            ..layer.clone()
        };
        close(&scale(&uniform, &[&data]).unwrap(), &[3.0, 6.0, 9.0, 12.0]);
        let each = Scale {
            mode: ScaleMode::ElementWise,
            shift: Some(data.clone()),
            scale: None,
            power: None,
            ..layer.clone()
        };
        close(&scale(&each, &[&data]).unwrap(), &[2.0, 4.0, 6.0, 8.0]);
        let rows = Scale { shift: pair(10f32, 20.0), channel_axis: 2, ..each };
        close(&scale(&rows, &[&data]).unwrap(), &[11.0, 22.0, 13.0, 24.0]);
        assert!(scale(&Scale { mode: ScaleMode::Uniform, ..layer }, &[&data]).is_err());
    }
}
