//! `Resize`: data sampled on another regular grid, axis by axis.
//!
//! Positions are computed in `f64`. Where scales are given, the formulas divide by the scale; where
//! sizes are given, they multiply by input size and divide by output size, so that positions which
//! are whole numbers come out whole.

use super::error::EvalError;
use super::index::{around, count, grid, position, strides};
use super::operand::{entries, integers, operand, reals, rounded, size};
use super::parallel::pieces;
use super::pick::Source;
use crate::network::layer::{
    CoordinateTransformation, InterpolationMode, Resize, ResizeOutput, ResizeRoundMode,
    ResizeSelector,
};
use crate::tensor::Tensor;
use smallvec::{SmallVec, smallvec};

/// Computes a `Resize` layer.
pub(super) fn resize(layer: &Resize, inputs: &[&Tensor]) -> Result<Tensor, EvalError> {
    let data = operand(inputs, 0)?;
    let axes = axes(layer, data.dims(), inputs)?;
    let dims: Vec<usize> = axes.iter().map(|axis| axis.output).collect();
    if count(&dims)? == 0 {
        return Source::new(data).each(dims, std::iter::empty());
    }
    if data.is_empty() {
        return Err(EvalError::Index { index: 0, size: 0 });
    }
    if layer.mode == InterpolationMode::Nearest {
        let distances = strides(data.dims()).into_iter().map(isize::cast_unsigned);
        let offsets = axes.iter().zip(distances).map(|(axis, distance)| {
            let nearest = (0..axis.output).map(|i| Some(axis.nearest(i, layer) * distance));
            nearest.collect::<Vec<_>>()
        });
        return Source::new(data).each(dims, grid(&offsets.collect::<Vec<_>>(), 0, 1));
    }
    let mut values = reals(inputs, 0)?.into_owned();
    let mut sizes = data.dims().to_vec();
    for (i, axis) in axes.iter().enumerate().filter(|(_, axis)| !axis.is_identity()) {
        values = axis.sampled(layer, &values, around(&sizes, i)?)?;
        sizes[i] = axis.output;
    }
    rounded(data.dtype(), dims, values)
}

/// One axis on its way from input to output: positions scale by `numerator / denominator`.
struct Axis {
    input: usize,
    output: usize,
    numerator: f64,
    denominator: f64,
}

/// The samples that make one output element, with their weights.
type Taps = SmallVec<[(usize, f32); 4]>;

fn axes(layer: &Resize, dims: &[usize], inputs: &[&Tensor]) -> Result<Vec<Axis>, EvalError> {
    let sized = |sizes: &[usize]| {
        entries("the new size", sizes.len(), dims.len())?;
        let axes = dims.iter().zip(sizes).map(|(&input, &output)| Axis {
            input,
            output,
            numerator: input as f64,
            denominator: output as f64,
        });
        Ok(axes.collect())
    };
    match &layer.output {
        ResizeOutput::Sizes(sizes) => sized(sizes),
        ResizeOutput::Input => {
            let sizes = integers(inputs, 1)?.into_iter().map(|n| size("a new size", n));
            sized(&sizes.collect::<Result<Vec<_>, _>>()?)
        }
        ResizeOutput::Scales(scales) => {
            entries("the scales", scales.len(), dims.len())?;
            let axes = dims.iter().zip(scales).map(|(&input, &scale)| Axis {
                input,
                // The product is rounded to f32 first, as TensorRT does: 10 · 0.7 is 7.
                output: (input as f32 * scale) as usize,
                numerator: 1.0,
                denominator: scale.into(),
            });
            Ok(axes.collect())
        }
    }
}

impl Axis {
    fn is_identity(&self) -> bool {
        self.input == self.output && self.numerator == self.denominator
    }

    /// Where output element i lies in the input.
    fn position(&self, i: usize, layer: &Resize) -> f64 {
        if self.output == 1 && layer.selector_for_single_pixel == ResizeSelector::Upper {
            return 0.0;
        }
        let x = i as f64;
        match layer.coordinate_transformation {
            CoordinateTransformation::AlignCorners if self.output == 1 => 0.0,
            CoordinateTransformation::AlignCorners => {
                x * self.input.saturating_sub(1) as f64 / (self.output - 1) as f64
            }
            CoordinateTransformation::Asymmetric => x * self.numerator / self.denominator,
            CoordinateTransformation::HalfPixel => {
                (x + 0.5) * self.numerator / self.denominator - 0.5
            }
        }
    }

    fn nearest(&self, i: usize, layer: &Resize) -> usize {
        let x = self.position(i, layer);
        let whole = match layer.nearest_rounding {
            ResizeRoundMode::HalfUp => (x + 0.5).floor(),
            ResizeRoundMode::HalfDown => (x - 0.5).ceil(),
            ResizeRoundMode::Floor => x.floor(),
            ResizeRoundMode::Ceil => x.ceil(),
        };
        self.inside(whole as i64)
    }

    /// The nearest element of the data.
    fn inside(&self, at: i64) -> usize {
        usize::try_from(at).unwrap_or(0).min(self.input.saturating_sub(1))
    }

    fn taps(&self, i: usize, layer: &Resize) -> Taps {
        let x = self.position(i, layer);
        let (first, part) = (x.floor() as i64, (x - x.floor()) as f32);
        let (from, weights): (i64, SmallVec<[f32; 4]>) = if layer.mode == InterpolationMode::Cubic {
            (first.saturating_sub(1), cubic(layer.cubic_coeff, part).into())
        } else {
            (first, smallvec![1.0 - part, part])
        };
        let at = (from..).zip(weights);
        if !layer.exclude_outside {
            return at.map(|(at, weight)| (self.inside(at), weight)).collect();
        }
        let mut taps: Taps =
            at.filter_map(|(at, weight)| Some((position(at, self.input).ok()?, weight))).collect();
        let sum: f32 = taps.iter().map(|(_, weight)| weight).sum();
        taps.iter_mut().for_each(|(_, weight)| *weight /= sum);
        taps
    }

    /// The values sampled along this axis, which has `outer` elements before and `inner` behind it.
    fn sampled(
        &self,
        layer: &Resize,
        values: &[f32],
        (outer, input, inner): (usize, usize, usize),
    ) -> Result<Vec<f32>, EvalError> {
        let taps: Vec<Taps> = (0..self.output).map(|i| self.taps(i, layer)).collect();
        let mut out = vec![0.0; count(&[outer, self.output, inner])?];
        pieces(&mut out, self.output * inner, |i, out| {
            let data = &values[i * input * inner..][..input * inner];
            for (row, taps) in out.chunks_mut(inner.max(1)).zip(&taps) {
                for &(at, weight) in taps {
                    let from = &data[at * inner..][..inner];
                    row.iter_mut().zip(from).for_each(|(to, x)| *to += weight * x);
                }
            }
        });
        Ok(out)
    }
}

/// The weights of the samples at −1, 0, 1 and 2 for a position between 0 and 1, by the cubic kernel
/// with coefficient a.
pub(super) fn cubic(a: f32, x: f32) -> [f32; 4] {
    let near = |d: f32| ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0;
    let far = |d: f32| ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a;
    [far(1.0 + x), near(x), near(1.0 - x), far(2.0 - x)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use CoordinateTransformation as C;
    use InterpolationMode as M;
    use ResizeRoundMode as R;

    fn layer(mode: M, output: ResizeOutput, coordinate_transformation: C) -> Resize {
        Resize {
            output,
            mode,
            coordinate_transformation,
            selector_for_single_pixel: ResizeSelector::Formula,
            nearest_rounding: R::HalfDown,
            cubic_coeff: -0.75,
            exclude_outside: false,
        }
    }

    fn run(layer: &Resize, values: &[f32]) -> Vec<f32> {
        resize(layer, &[&Tensor::vector(values)]).unwrap().to_f32s().unwrap().into_owned()
    }

    #[test]
    fn nearest_rounds_as_told() {
        let x = [0.0, 1.0, 2.0, 3.0];
        let sizes = |n| ResizeOutput::Sizes(vec![n]);
        let with = |rounding, n, transformation| {
            run(
                &Resize {
                    nearest_rounding: rounding,
                    ..layer(M::Nearest, sizes(n), transformation)
                },
                &x,
            )
        };
        assert_eq!(with(R::Floor, 8, C::Asymmetric), [0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0]);
        assert_eq!(with(R::Ceil, 8, C::Asymmetric), [0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 3.0]);
        // Halving: positions 0.5 and 2.5 are ties.
        assert_eq!(with(R::HalfDown, 2, C::HalfPixel), [0.0, 2.0]);
        assert_eq!(with(R::HalfUp, 2, C::HalfPixel), [1.0, 3.0]);
        assert_eq!(with(R::HalfDown, 7, C::AlignCorners), [0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0]);
        let ints = Tensor::of(vec![1, 2], vec![5i8, 6]).unwrap();
        let wide = layer(M::Nearest, ResizeOutput::Sizes(vec![2, 4]), C::HalfPixel);
        assert_eq!(
            resize(&wide, &[&ints]).unwrap(),
            Tensor::of(vec![2, 4], vec![5i8, 5, 6, 6, 5, 5, 6, 6]).unwrap()
        );
    }

    #[test]
    fn linear_interpolates_between_centres() {
        let x = [0.0, 4.0];
        let doubled = |transformation| {
            run(&layer(M::Linear, ResizeOutput::Sizes(vec![4]), transformation), &x)
        };
        assert_eq!(doubled(C::HalfPixel), [0.0, 1.0, 3.0, 4.0]);
        assert_eq!(doubled(C::Asymmetric), [0.0, 2.0, 4.0, 4.0]);
        let thirds = run(&layer(M::Linear, ResizeOutput::Sizes(vec![3]), C::AlignCorners), &x);
        assert_eq!(thirds, [0.0, 2.0, 4.0]);
        let plane = Tensor::of(vec![2, 2], vec![0f32, 2.0, 4.0, 6.0]).unwrap();
        let grown =
            resize(&layer(M::Linear, ResizeOutput::Sizes(vec![3, 3]), C::AlignCorners), &[&plane])
                .unwrap();
        let expected = vec![0f32, 1.0, 2.0, 2.0, 3.0, 4.0, 4.0, 5.0, 6.0];
        assert_eq!(grown, Tensor::of(vec![3, 3], expected).unwrap());
    }

    #[test]
    fn scales_are_used_as_given() {
        let x = [0.0, 1.0, 2.0];
        // ⌊3 · 1.5⌋ = 4, but positions advance by 1 / 1.5 and not by 3 / 4.
        let scaled = run(&layer(M::Linear, ResizeOutput::Scales(vec![1.5]), C::Asymmetric), &x);
        let expected = [0.0, 2.0 / 3.0, 4.0 / 3.0, 2.0];
        assert!(scaled.iter().zip(expected).all(|(a, e)| (a - e).abs() < 1e-6), "{scaled:?}");
        let down =
            run(&layer(M::Nearest, ResizeOutput::Scales(vec![0.7]), C::Asymmetric), &[0.0; 10]);
        assert_eq!(down.len(), 7);
    }

    #[test]
    fn one_output_element_takes_the_centre_or_the_first() {
        let x = [0.0, 1.0, 2.0];
        let center = layer(M::Linear, ResizeOutput::Sizes(vec![1]), C::HalfPixel);
        assert_eq!(run(&center, &x), [1.0]);
        assert_eq!(
            run(&Resize { selector_for_single_pixel: ResizeSelector::Upper, ..center }, &x),
            [0.0]
        );
        assert_eq!(
            run(&layer(M::Linear, ResizeOutput::Sizes(vec![1]), C::AlignCorners), &x),
            [0.0]
        );
    }

    #[test]
    fn cubic_weights_sum_to_1_and_can_leave_out_what_is_outside() {
        for x in [0.0, 0.25, 0.5] {
            assert!((cubic(-0.75, x).iter().sum::<f32>() - 1.0).abs() < 1e-6);
        }
        assert_eq!(cubic(-0.5, 0.5), [-0.0625, 0.5625, 0.5625, -0.0625]);
        let clamped = layer(M::Cubic, ResizeOutput::Sizes(vec![2]), C::HalfPixel);
        let x = [1.0, 2.0, 4.0, 8.0];
        // Positions 0.5 and 2.5 with a = −0.75: weights −3/32, 19/32, 19/32, −3/32.
        assert_eq!(
            run(&clamped, &x),
            [(-3.0 + 19.0 + 38.0 - 12.0) / 32.0, (-6.0 + 76.0 + 152.0 - 24.0) / 32.0]
        );
        let excluded = run(&Resize { exclude_outside: true, ..clamped }, &x);
        assert!((excluded[0] - (19.0 + 38.0 - 12.0) / 35.0).abs() < 1e-6, "{excluded:?}");
    }

    #[test]
    fn sizes_come_from_a_tensor() {
        let by_tensor = layer(M::Nearest, ResizeOutput::Input, C::HalfPixel);
        let x = Tensor::vector(&[1f32, 2.0]);
        assert_eq!(resize(&by_tensor, &[&x, &Tensor::vector(&[4i64])]).unwrap().dims(), [4]);
        assert!(resize(&by_tensor, &[&x, &Tensor::vector(&[-4i64])]).is_err());
        assert!(resize(&by_tensor, &[&x, &Tensor::vector(&[4i64, 4])]).is_err());
        let empty = Tensor::of(vec![0], Vec::<f32>::new()).unwrap();
        assert_eq!(
            resize(&by_tensor, &[&empty, &Tensor::vector(&[4i64])]),
            Err(EvalError::Index { index: 0, size: 0 })
        );
        let absurd = layer(M::Linear, ResizeOutput::Scales(vec![f32::INFINITY]), C::HalfPixel);
        assert!(matches!(resize(&absurd, &[&x]), Err(EvalError::TooLarge(_))));
        let nothing = layer(M::Linear, ResizeOutput::Scales(vec![f32::NAN]), C::HalfPixel);
        assert_eq!(resize(&nothing, &[&x]).unwrap().dims(), [0]);
    }
}
