//! `Pooling`: the maximum or mean of a window.

use super::error::EvalError;
use super::index::count;
use super::operand::{buffer, operand, reals, rounded};
use super::parallel::pieces;
use super::window::{Geometry, Window};
use crate::network::layer::{Pooling, PoolingType};
use crate::tensor::Tensor;

/// Computes a `Pooling` layer.
///
/// A mean that counts padding counts the padding that the layer declares, and not what lies beyond
/// it where the output is rounded up.
pub(super) fn pooling(layer: &Pooling, inputs: &[&Tensor]) -> Result<Tensor, EvalError> {
    let data = operand(inputs, 0)?;
    let spatial = layer.window.len();
    let rule = "have 2 axes more than the window";
    let misfit = || EvalError::Shape { at: 0, dims: data.dims().to_vec(), rule };
    let (outer, sizes) = data.dims().split_at_checked(2).ok_or_else(misfit)?;
    if sizes.len() != spatial {
        return Err(misfit());
    }
    let window = Window::over(
        Geometry {
            kernel: &layer.window,
            stride: &layer.stride,
            dilation: &vec![1; spatial],
            pre_padding: &layer.pre_padding,
            post_padding: &layer.post_padding,
            mode: layer.padding_mode,
        },
        sizes,
    )?;
    let dims = [outer, &window.output()].concat();
    let mut out = buffer::<f32>(&dims)?;
    if out.is_empty() {
        return rounded(data.dtype(), dims, out);
    }
    let values = reals(inputs, 0)?;
    let (input, output) = (count(sizes)?, count(&window.output())?);
    let divisors = divisors(layer, &window);
    pieces(&mut out, output, |plane, out| {
        let data = &values[plane * input..][..input];
        match layer.kind {
            PoolingType::Max => maximum(&window, data, out),
            PoolingType::Average => mean(&window, data, &divisors, out),
            PoolingType::MaxAverageBlend => {
                let mut means = vec![0.0; out.len()];
                mean(&window, data, &divisors, &mut means);
                maximum(&window, data, out);
                let blend = layer.blend;
                out.iter_mut()
                    .zip(means)
                    .for_each(|(out, mean)| *out = (1.0 - blend) * *out + blend * mean);
            }
        }
    });
    rounded(data.dtype(), dims, out)
}

fn maximum(window: &Window, data: &[f32], out: &mut [f32]) {
    out.fill(f32::NEG_INFINITY);
    each(window, data, out, |max, x| *max = max.max(x));
}

fn mean(window: &Window, data: &[f32], divisors: &[f32], out: &mut [f32]) {
    each(window, data, out, |sum, x| *sum += x);
    out.iter_mut().zip(divisors).for_each(|(sum, divisor)| *sum /= divisor);
}

/// Shows each output each element that its window reads.
fn each(window: &Window, data: &[f32], out: &mut [f32], f: impl Fn(&mut f32, f32)) {
    let stride = window.axes[2].stride;
    for tap in window.taps() {
        window.visit(tap, 0..window.rows(), |line| {
            let from = data[line.input..].iter().step_by(stride);
            out[line.output..][..line.count].iter_mut().zip(from).for_each(|(out, &x)| f(out, x));
        });
    }
}

/// By how much the sum of each window is divided; empty for a maximum.
fn divisors(layer: &Pooling, window: &Window) -> Vec<f32> {
    if layer.kind == PoolingType::Max {
        return Vec::new();
    }
    let along = |axis: usize| -> Vec<f32> {
        let axis = window.axes[axis];
        let taps = (0..axis.output).map(|o| axis.taps_inside(o));
        taps.map(
            |(data, all)| {
                if layer.average_count_excludes_padding { data as f32 } else { all as f32 }
            },
        )
        .collect()
    };
    let [z, y, x] = [along(0), along(1), along(2)];
    z.iter()
        .flat_map(|z| y.iter().flat_map(|y| x.iter().map(move |x| z * y * x)).collect::<Vec<_>>())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::layer::PaddingMode;

    fn layer(kind: PoolingType, window: usize, stride: usize, [pre, post]: [usize; 2]) -> Pooling {
        Pooling {
            kind,
            window: vec![1, window],
            stride: vec![1, stride],
            pre_padding: vec![0, pre],
            post_padding: vec![0, post],
            padding_mode: PaddingMode::ExplicitRoundDown,
            blend: 0.25,
            average_count_excludes_padding: true,
        }
    }

    fn run(layer: &Pooling, values: &[f32]) -> Vec<f32> {
        let data = Tensor::of(vec![1, 1, 1, values.len()], values.to_vec()).unwrap();
        pooling(layer, &[&data]).unwrap().to_f32s().unwrap().into_owned()
    }

    #[test]
    fn windows_take_maximum_mean_or_both() {
        use PoolingType as P;
        let x = [-1.0, -2.0, -3.0, -4.0];
        assert_eq!(
            run(&layer(P::Max, 2, 1, [1, 0]), &x),
            [-1.0, -1.0, -2.0, -3.0],
            "padding is no 0"
        );
        assert_eq!(run(&layer(P::Average, 2, 2, [0, 0]), &x), [-1.5, -3.5]);
        assert_eq!(run(&layer(P::MaxAverageBlend, 2, 2, [0, 0]), &x), [-1.125, -3.125]);
    }

    #[test]
    fn a_mean_counts_padding_or_not() {
        let x = [1.0, 2.0, 3.0, 4.0];
        let exclusive = layer(PoolingType::Average, 3, 2, [1, 1]);
        let inclusive = Pooling { average_count_excludes_padding: false, ..exclusive.clone() };
        assert_eq!(run(&exclusive, &x), [1.5, 3.0]);
        assert_eq!(run(&inclusive, &x), [1.0, 3.0]);
        let up = Pooling { padding_mode: PaddingMode::ExplicitRoundUp, ..inclusive };
        assert_eq!(
            run(&up, &x),
            [1.0, 3.0, 2.0],
            "the last window has one element of data and one of padding"
        );
    }

    #[test]
    fn same_modes_pad_the_end_or_the_start() {
        let same = |mode| {
            run(
                &Pooling { padding_mode: mode, ..layer(PoolingType::Max, 2, 1, [9, 9]) },
                &[1.0, 3.0, 2.0],
            )
        };
        assert_eq!(same(PaddingMode::SameUpper), [3.0, 3.0, 2.0]);
        assert_eq!(same(PaddingMode::SameLower), [1.0, 3.0, 3.0]);
    }

    #[test]
    fn windows_that_do_not_fit_are_errors() {
        let data = Tensor::of(vec![1, 1, 1, 2], vec![0f32; 2]).unwrap();
        let error = |layer: Pooling| pooling(&layer, &[&data]).unwrap_err().to_string();
        let fitting = layer(PoolingType::Max, 2, 1, [0, 0]);
        assert_eq!(
            error(layer(PoolingType::Max, 3, 1, [0, 0])),
            "operand 0 has shape [1, 2], but must be as large as the window"
        );
        assert_eq!(
            error(Pooling { stride: vec![1, 0], ..fitting.clone() }),
            "stride is 0, but must be at least 1 (paddings: 0) and at most 2^31"
        );
        assert_eq!(
            error(Pooling { stride: vec![1], ..fitting.clone() }),
            "stride has 1 entries, but there are 2 axes"
        );
        assert!(
            error(Pooling { post_padding: vec![0, usize::MAX], ..fitting })
                .contains("at most 2^31")
        );
    }
}
