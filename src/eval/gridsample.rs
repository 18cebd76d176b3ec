//! `GridSample`: images sampled at given positions.

use super::error::EvalError;
use super::index::outside;
use super::operand::{buffer, operand, reals, rounded};
use super::parallel::pieces;
use super::resize::cubic;
use crate::network::layer::{GridSample, InterpolationMode, SampleMode};
use crate::tensor::Tensor;
use smallvec::{SmallVec, smallvec};

/// Coefficient of the cubic kernel, which TensorRT does not let one choose.
const CUBIC: f32 = -0.75;

/// Computes a `GridSample` layer. What lies outside the data is found per sample, as for a `Slice`.
pub(super) fn grid_sample(layer: &GridSample, inputs: &[&Tensor]) -> Result<Tensor, EvalError> {
    let (data, grid) = (operand(inputs, 0)?, operand(inputs, 1)?);
    let misfit = || EvalError::Shapes(data.dims().to_vec(), grid.dims().to_vec());
    let (&[batch, channels, ref sizes @ ..], &[batches, ref places @ .., axes]) =
        (data.dims(), grid.dims())
    else {
        return Err(misfit());
    };
    if batch != batches || sizes.len() != axes || places.len() != axes || axes == 0 {
        return Err(misfit());
    }
    let dims = [&[batch, channels], places].concat();
    let mut out = buffer::<f32>(&dims)?;
    let (values, grid) = (reals(inputs, 0)?, reals(inputs, 1)?);
    if out.is_empty() {
        return rounded(data.dtype(), dims, out);
    }
    // The taps of a position, whose coordinates start with the innermost, are the same in all
    // channels.
    let taps = grid.chunks_exact(axes).map(|position| {
        let mut taps: SmallVec<[(usize, f32); 8]> = smallvec![(0, 1.0)];
        for (&at, &size) in position.iter().rev().zip(sizes) {
            let line = along(layer, at, size)?;
            let inner = |&(outer, v): &(usize, f32)| {
                line.iter().map(move |&(x, w)| (outer * size + x, v * w))
            };
            taps = taps.iter().flat_map(inner).collect();
        }
        Ok(taps)
    });
    let taps = taps.collect::<Result<Vec<_>, EvalError>>()?;
    let (volume, points) = (sizes.iter().product::<usize>(), places.iter().product::<usize>());
    pieces(&mut out, points, |i, out| {
        let (data, taps) = (&values[i * volume..][..volume], &taps[i / channels * points..]);
        for (out, taps) in out.iter_mut().zip(taps) {
            *out = taps.iter().map(|&(at, weight)| data[at] * weight).sum();
        }
    });
    rounded(data.dtype(), dims, out)
}

/// The samples along one axis for a position from −1 to 1, with their weights; samples of value 0
/// are left out.
fn along(
    layer: &GridSample,
    position: f32,
    size: usize,
) -> Result<SmallVec<[(usize, f32); 4]>, EvalError> {
    let extent = size as f32;
    let x = if layer.align_corners {
        (position + 1.0) * (extent - 1.0) / 2.0
    } else {
        ((position + 1.0) * extent - 1.0) / 2.0
    };
    let (first, part) = (x.floor() as i64, x - x.floor());
    let (first, weights): (i64, SmallVec<[f32; 4]>) = match layer.interpolation {
        InterpolationMode::Nearest => (x.round_ties_even() as i64, smallvec![1.0]),
        InterpolationMode::Linear => (first, smallvec![1.0 - part, part]),
        InterpolationMode::Cubic => (first.saturating_sub(1), cubic(CUBIC, part).into()),
    };
    let mode = match layer.sample_mode {
        // A position on the last sample has a neighbor outside, of weight 0: no reason to refuse.
        SampleMode::StrictBounds => SampleMode::Fill,
        mode => mode,
    };
    let samples = weights.into_iter().zip(0..).map(|(weight, i)| {
        Ok(outside(mode, first.saturating_add(i), size)?.map(|at| (at, weight)))
    });
    samples.filter_map(Result::transpose).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(
        interpolation: InterpolationMode,
        align_corners: bool,
        sample_mode: SampleMode,
        xs: &[f32],
    ) -> Vec<f32> {
        let data = Tensor::of(vec![1, 1, 1, 4], vec![10f32, 20.0, 30.0, 40.0]).unwrap();
        let grid = xs.iter().flat_map(|&x| [x, 0.0]).collect();
        let grid = Tensor::of(vec![1, 1, xs.len(), 2], grid).unwrap();
        let layer = GridSample { interpolation, align_corners, sample_mode };
        grid_sample(&layer, &[&data, &grid]).unwrap().to_f32s().unwrap().into_owned()
    }

    #[test]
    fn positions_mean_centres_or_edges() {
        use InterpolationMode::{Cubic, Linear, Nearest};
        assert_eq!(run(Linear, true, SampleMode::Clamp, &[-1.0, 0.0, 1.0]), [10.0, 25.0, 40.0]);
        assert_eq!(
            run(Linear, false, SampleMode::Clamp, &[-1.0, -0.5, 0.0, 1.0]),
            [10.0, 15.0, 25.0, 40.0]
        );
        assert_eq!(run(Linear, false, SampleMode::Fill, &[-1.0, 1.0]), [5.0, 20.0]);
        // Positions 0.5 and 1.5: ties go to the even sample.
        assert_eq!(run(Nearest, false, SampleMode::Fill, &[-0.5, 0.0, 9.0]), [10.0, 30.0, 0.0]);
        assert_eq!(run(Cubic, true, SampleMode::Clamp, &[-1.0, 0.0]), [10.0, 25.0]);
        assert!(run(Nearest, false, SampleMode::Clamp, &[f32::INFINITY]) == [40.0]);
    }

    #[test]
    fn samples_outside_follow_the_mode() {
        let beyond = [5.0 / 3.0, 7.0 / 3.0];
        let linear = |mode| run(InterpolationMode::Linear, true, mode, &beyond);
        let near = |actual: Vec<f32>, expected: [f32; 2]| {
            assert!(actual.iter().zip(expected).all(|(a, e)| (a - e).abs() < 1e-4), "{actual:?}");
        };
        // Positions 4 and 5 of 4 samples.
        near(linear(SampleMode::Fill), [0.0, 0.0]);
        near(linear(SampleMode::Clamp), [40.0, 40.0]);
        near(linear(SampleMode::Reflect), [30.0, 20.0]);
        near(linear(SampleMode::Wrap), [10.0, 20.0]);
    }

    #[test]
    fn shapes_must_fit() {
        let data = Tensor::of(vec![1, 1, 1, 1], vec![1f32]).unwrap();
        let grid = Tensor::of(vec![2, 1, 1, 2], vec![0f32; 4]).unwrap();
        let layer = GridSample {
            interpolation: InterpolationMode::Linear,
            align_corners: false,
            sample_mode: SampleMode::Fill,
        };
        let error = grid_sample(&layer, &[&data, &grid]).unwrap_err();
        assert_eq!(error, EvalError::Shapes(vec![1, 1, 1, 1], vec![2, 1, 1, 2]));
    }
}
