//! `Convolution` and `Deconvolution`.

use super::error::{EvalError, MAX_ELEMENTS};
use super::gemm::{Matrix, multiply};
use super::index::count;
use super::operand::{buffer, operand, real_elements, reals, rounded};
use super::parallel::pieces;
use super::window::{Geometry, Window};
use crate::network::layer::{Arg, Convolution, Deconvolution};
use crate::tensor::Tensor;
use std::ops::Range;

/// Number of `f32` in the buffer that a product is computed through: small enough to stay in the
/// cache.
const BUFFER: usize = 1 << 20;

/// Computes a `Convolution` layer.
pub(super) fn convolution(layer: &Convolution, inputs: &[&Tensor]) -> Result<Tensor, EvalError> {
    let (batch, channels, spatial) = split(operand(inputs, 0)?, layer.kernel.len())?;
    let (groups, maps) = (groups(layer, channels)?, layer.maps);
    let window = Window::over(geometry(layer), spatial)?;
    let dims = [&[batch, maps], window.output().as_slice()].concat();
    let planes = Planes { groups, per_group: channels / groups, maps: maps / groups, window };
    computed(layer, inputs, [maps, planes.per_group], dims, |data, weights, out| {
        if groups > 1 && planes.per_group * planes.maps <= 16 {
            planes.convolve_directly(data, weights, out);
            return Ok(());
        }
        planes.convolve(data, weights, out)
    })
}

/// Computes a `Deconvolution` layer.
pub(super) fn deconvolution(
    Deconvolution(layer): &Deconvolution,
    inputs: &[&Tensor],
) -> Result<Tensor, EvalError> {
    let (batch, channels, spatial) = split(operand(inputs, 0)?, layer.kernel.len())?;
    let (groups, maps) = (groups(layer, channels)?, layer.maps);
    let window = Window::back(geometry(layer), spatial)?;
    let dims = [&[batch, maps], window.input().as_slice()].concat();
    let planes = Planes { groups, per_group: channels / groups, maps: maps / groups, window };
    computed(layer, inputs, [channels, planes.maps], dims, |data, weights, out| {
        planes.deconvolve(data, weights, out)
    })
}

/// What `compute` makes of data and kernel, with the bias. `leading` are the kernel's sizes in
/// front of its window's.
fn computed(
    layer: &Convolution,
    inputs: &[&Tensor],
    leading: [usize; 2],
    dims: Vec<usize>,
    compute: impl FnOnce(&[f32], &[f32], &mut [f32]) -> Result<(), EvalError>,
) -> Result<Tensor, EvalError> {
    let dtype = operand(inputs, 0)?.dtype();
    let weights = argument(&layer.weights, inputs)?;
    expect(weights, &[&leading, layer.kernel.as_slice()].concat())?;
    let mut out = buffer(&dims)?;
    if !out.is_empty() {
        compute(&reals(inputs, 0)?, &real_elements(weights, 1)?, &mut out)?;
        add_bias(layer, inputs, dims.get(2..).unwrap_or_default(), &mut out)?;
    }
    rounded(dtype, dims, out)
}

fn geometry(layer: &Convolution) -> Geometry<'_> {
    Geometry {
        kernel: &layer.kernel,
        stride: &layer.stride,
        dilation: &layer.dilation,
        pre_padding: &layer.pre_padding,
        post_padding: &layer.post_padding,
        mode: layer.padding_mode,
    }
}

/// Batch, channels and spatial sizes.
fn split(data: &Tensor, spatial: usize) -> Result<(usize, usize, &[usize]), EvalError> {
    match data.dims() {
        [batch, channels, sizes @ ..] if sizes.len() == spatial => Ok((*batch, *channels, sizes)),
        dims => Err(EvalError::Shape {
            at: 0,
            dims: dims.to_vec(),
            rule: "have 2 axes more than the kernel",
        }),
    }
}

/// The number of groups, if it divides the channels of data and result.
fn groups(layer: &Convolution, channels: usize) -> Result<usize, EvalError> {
    let groups = layer.groups;
    if groups > 0 && channels.is_multiple_of(groups) && layer.maps.is_multiple_of(groups) {
        return Ok(groups);
    }
    let value = i64::try_from(groups).unwrap_or(i64::MAX);
    Err(EvalError::Attribute {
        what: "groups",
        value,
        rule: "divide the channels of data and result",
    })
}

fn argument<'a>(arg: &'a Arg<Tensor>, inputs: &[&'a Tensor]) -> Result<&'a Tensor, EvalError> {
    match arg {
        Arg::Static(tensor) => Ok(tensor),
        Arg::Input(at) => operand(inputs, *at),
    }
}

fn expect(weights: &Tensor, dims: &[usize]) -> Result<(), EvalError> {
    if weights.dims() == dims {
        return Ok(());
    }
    Err(EvalError::Shapes(weights.dims().to_vec(), dims.to_vec()))
}

/// Adds to each plane of `out` its channel's bias.
fn add_bias(
    layer: &Convolution,
    inputs: &[&Tensor],
    plane: &[usize],
    out: &mut [f32],
) -> Result<(), EvalError> {
    let Some(bias) = &layer.bias else { return Ok(()) };
    let bias = argument(bias, inputs)?;
    expect(bias, &[layer.maps])?;
    let bias = real_elements(bias, 2)?;
    let plane = count(plane)?;
    for (values, bias) in out.chunks_mut(plane).zip(bias.iter().cycle()) {
        for value in values {
            *value += bias;
        }
    }
    Ok(())
}

/// Channels in groups, with the window that slides over each.
struct Planes {
    groups: usize,
    /// Channels of the data per group.
    per_group: usize,
    /// Channels of the result per group.
    maps: usize,
    window: Window,
}

impl Planes {
    /// Elements of one channel on the window's input side, on its output side, and of the kernel.
    fn sizes(&self) -> [usize; 3] {
        let volume = |size: fn(&super::window::Sliding) -> usize| {
            self.window.axes.iter().map(size).product()
        };
        [volume(|axis| axis.input), volume(|axis| axis.output), volume(|axis| axis.kernel)]
    }

    /// How many rows of the output side are computed through one buffer whose columns have `height`
    /// elements.
    fn rows_at_once(&self, height: usize) -> Result<usize, EvalError> {
        let row = self.window.axes[2].output.max(1);
        match height.checked_mul(row) {
            Some(one_row) if one_row <= MAX_ELEMENTS => {
                Ok((BUFFER / one_row.max(1)).clamp(1, self.window.rows().max(1)))
            }
            _ => Err(EvalError::TooLarge(vec![height, row])),
        }
    }

    /// The rows of the output side in blocks that fit the buffer.
    fn blocks(
        &self,
        height: usize,
    ) -> Result<impl Iterator<Item = Range<usize>> + use<>, EvalError> {
        let (rows, at_once) = (self.window.rows(), self.rows_at_once(height)?);
        Ok((0..rows).step_by(at_once).map(move |first| first..rows.min(first + at_once)))
    }

    /// Gathers what each output reads into the columns of a matrix, and multiplies the kernel with
    /// it.
    fn convolve(&self, data: &[f32], weights: &[f32], out: &mut [f32]) -> Result<(), EvalError> {
        let [input, output, kernel] = self.sizes();
        if input == 0 {
            return Ok(());
        }
        let height = self.per_group * kernel;
        let row = self.window.axes[2].output;
        let direct = kernel == 1
            && input == output
            && self.window.axes.iter().all(|axis| axis.stride == 1 && axis.pre == 0);
        let mut columns = Vec::new();
        for (i, out) in out.chunks_mut(self.maps * output).enumerate() {
            let group = i % self.groups;
            let data = &data[i * self.per_group * input..][..self.per_group * input];
            let weights = Matrix::new(&weights[group * self.maps * height..], height);
            if direct {
                multiply(
                    [self.maps, height, output],
                    weights,
                    Matrix::new(data, output),
                    out,
                    output,
                );
                continue;
            }
            for rows in self.blocks(height)? {
                let (first, width) = (rows.start * row, rows.len() * row);
                columns.clear();
                columns.resize(height * width, 0.0);
                self.gather(data, rows, &mut columns, width);
                multiply(
                    [self.maps, height, width],
                    weights,
                    Matrix::new(&columns, width),
                    &mut out[first..],
                    output,
                );
            }
        }
        Ok(())
    }

    /// Fills the columns, one row of them per channel and tap, with what the outputs of these rows
    /// read.
    fn gather(&self, data: &[f32], rows: Range<usize>, columns: &mut [f32], width: usize) {
        let [input, _, kernel] = self.sizes();
        let taps: Vec<_> = self.window.taps().collect();
        let stride = self.window.axes[2].stride;
        pieces(columns, width, |i, columns| {
            let channel = &data[i / kernel * input..];
            self.window.visit(taps[i % kernel], rows.clone(), |line| {
                let to = &mut columns[line.output..][..line.count];
                let from = &channel[line.input..];
                if stride == 1 {
                    to.copy_from_slice(&from[..line.count]);
                } else {
                    to.iter_mut()
                        .zip(from.iter().step_by(stride))
                        .for_each(|(to, &from)| *to = from);
                }
            });
        });
    }

    /// Adds tap by tap: for groups too small to be worth a matrix.
    fn convolve_directly(&self, data: &[f32], weights: &[f32], out: &mut [f32]) {
        let [input, output, kernel] = self.sizes();
        let stride = self.window.axes[2].stride;
        let maps = self.groups * self.maps;
        pieces(out, output, |plane, out| {
            let (batch, map) = (plane / maps, plane % maps);
            let first = (batch * self.groups + map / self.maps) * self.per_group;
            for channel in 0..self.per_group {
                let data = &data[(first + channel) * input..][..input];
                let weights = &weights[(map * self.per_group + channel) * kernel..][..kernel];
                for (tap, &weight) in self.window.taps().zip(weights) {
                    self.window.visit(tap, 0..self.window.rows(), |line| {
                        let from = data[line.input..].iter().step_by(stride);
                        out[line.output..][..line.count]
                            .iter_mut()
                            .zip(from)
                            .for_each(|(to, &x)| *to += weight * x);
                    });
                }
            }
        });
    }

    /// Multiplies the kernel with the data, and scatters what each element contributes to the
    /// result.
    fn deconvolve(&self, data: &[f32], weights: &[f32], out: &mut [f32]) -> Result<(), EvalError> {
        // The window leads back: its input is the result.
        let [result, size, kernel] = self.sizes();
        if size == 0 {
            return Ok(());
        }
        let height = self.maps * kernel;
        let row = self.window.axes[2].output;
        let taps: Vec<_> = self.window.taps().collect();
        let stride = self.window.axes[2].stride;
        let mut columns = Vec::new();
        for (i, out) in out.chunks_mut(self.maps * result).enumerate() {
            let data = &data[i * self.per_group * size..][..self.per_group * size];
            let weights =
                &weights[i % self.groups * self.per_group * height..][..self.per_group * height];
            for rows in self.blocks(height)? {
                let (first, width) = (rows.start * row, rows.len() * row);
                columns.resize(height * width, 0.0);
                let block = Matrix { data: &data[first..], row_stride: size, column_stride: 1 };
                let kernel_rows = Matrix::transposed(weights, height);
                multiply([height, self.per_group, width], kernel_rows, block, &mut columns, width);
                for (j, part) in columns.chunks(width).take(height).enumerate() {
                    let plane = &mut out[j / kernel * result..][..result];
                    self.window.visit(taps[j % kernel], rows.clone(), |line| {
                        let to = plane[line.input..].iter_mut().step_by(stride);
                        to.zip(&part[line.output..][..line.count]).for_each(|(to, &x)| *to += x);
                    });
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
