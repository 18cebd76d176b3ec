//! The scale of a tensor, from how often numbers of which size come up in it.

use super::histogram::Histogram;
use crate::recipe::precision::{Calibration, Eight};
use crate::tensor::{DType, Tensor};

/// The share of the numbers that [`Calibration::Percentile`] holds.
const PERCENTILE: f64 = 0.9999;
/// How many ends of the range are tried for each halving of it, and how far down.
const TRIED_PER_HALVING: i32 = 8;
const HALVINGS: i32 = 8;
/// How many steps of `int8` lie on one side of 0, and between how many bins an end is tried.
const STEPS: usize = 128;
const EVERY: usize = 16;

/// The largest number of a type.
pub(super) fn largest(to: Eight) -> f64 {
    match to {
        Eight::Int8 => 127.0,
        Eight::Fp8 => 448.0,
    }
}

/// The type of an operand.
pub(super) fn dtype(to: Eight) -> DType {
    match to {
        Eight::Int8 => DType::I8,
        Eight::Fp8 => DType::F8E4M3,
    }
}

/// The scale for numbers up to this, as the type of the data holds it; `None` where it holds none.
pub(super) fn scale(end: f64, to: Eight, data: DType) -> Option<f32> {
    #[allow(clippy::cast_possible_truncation, reason = "what is too large is no scale")]
    let scale = (end / largest(to)) as f32;
    rounded(scale, data)
}

/// Whether a type has a number near this scale.
pub(super) fn is_held(scale: f32, data: DType) -> bool {
    rounded(scale, data).is_some()
}

fn rounded(scale: f32, data: DType) -> Option<f32> {
    let rounded = Tensor::of_reals(data, Vec::new(), vec![scale]).ok()?;
    let scale = rounded.to_f32s()?.first().copied()?;
    (scale.is_finite() && scale > 0.0).then_some(scale)
}

/// The largest number that shall fit; numbers beyond it become it.
pub(super) fn end(sizes: &Histogram, to: Eight, way: Calibration) -> f64 {
    match way {
        Calibration::Max => sizes.largest,
        Calibration::Percentile => percentile(sizes),
        Calibration::Mse => least_squares(sizes, to),
        Calibration::Entropy => least_divergence(sizes),
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts in a share")]
fn percentile(sizes: &Histogram) -> f64 {
    let all: u64 = sizes.counts().iter().sum();
    let mut below = 0;
    for (at, count) in sizes.counts().iter().enumerate() {
        below += count;
        if below as f64 >= PERCENTILE * all as f64 {
            return sizes.largest.min((at + 1) as f64 * sizes.width());
        }
    }
    sizes.largest
}

/// The middle of each bin with how many numbers it holds, where it holds any.
#[allow(clippy::cast_precision_loss, reason = "counts in an estimate")]
fn middles(sizes: &Histogram) -> impl Iterator<Item = (f64, f64)> + '_ {
    let held = sizes.counts().iter().enumerate().filter(|(_, count)| **count > 0);
    held.map(|(at, &count)| ((at as f64 + 0.5) * sizes.width(), count as f64))
}

fn least_squares(sizes: &Histogram, to: Eight) -> f64 {
    let ends = (0..=HALVINGS * TRIED_PER_HALVING)
        .map(|at| sizes.largest * 2f64.powf(f64::from(-at) / f64::from(TRIED_PER_HALVING)));
    let error = |end: f64| -> f64 {
        let scale = end / largest(to);
        middles(sizes).map(|(size, count)| count * squared(size, end, scale, to)).sum()
    };
    let tried = ends.map(|end| (end, error(end)));
    tried.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(sizes.largest, |(end, _)| end)
}

/// The squared error of a number of this size, in the middle.
fn squared(size: f64, end: f64, scale: f64, to: Eight) -> f64 {
    if size > end {
        return (size - end).powi(2);
    }
    let step = scale
        * match to {
            Eight::Int8 => 1.0,
            // Three bits of mantissa, down to an exponent of −6.
            Eight::Fp8 => (size / scale).log2().floor().max(-6.0).exp2() / 8.0,
        };
    if size < step / 2.0 { size.powi(2) } else { step.powi(2) / 12.0 }
}

/// Of all ends, the one for which the distribution of the numbers up to it, with those beyond at
/// the end, differs least from the same in as many levels as `int8` has.
fn least_divergence(sizes: &Histogram) -> f64 {
    let counts = sizes.counts();
    let ends = (STEPS..=counts.len()).step_by(EVERY);
    let tried = ends.map(|end| (end, divergence(counts, end)));
    let least = tried.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(counts.len(), |(end, _)| end);
    #[allow(clippy::cast_precision_loss, reason = "a few thousand")]
    let end = least as f64 * sizes.width();
    end.min(sizes.largest)
}

#[allow(clippy::cast_precision_loss, reason = "counts in an estimate")]
fn divergence(counts: &[u64], end: usize) -> f64 {
    let (within, beyond) = counts.split_at(end);
    let mut wanted: Vec<f64> = within.iter().map(|&count| count as f64).collect();
    // What is beyond comes to lie at the end, where the levels do not know of it.
    if let Some(last) = wanted.last_mut() {
        *last += beyond.iter().sum::<u64>() as f64;
    }
    let mut levels = Vec::with_capacity(end);
    for level in 0..STEPS {
        let bins = &within[level * end / STEPS..(level + 1) * end / STEPS];
        let held = bins.iter().filter(|count| **count > 0).count();
        let mean = bins.iter().sum::<u64>() as f64 / held.max(1) as f64;
        levels.extend(bins.iter().map(|&count| if count > 0 { mean } else { 0.0 }));
    }
    let (all, kept) = (wanted.iter().sum::<f64>(), levels.iter().sum::<f64>());
    if all == 0.0 || kept == 0.0 {
        return f64::INFINITY;
    }
    let parts = wanted.iter().zip(&levels).filter(|(wanted, _)| **wanted > 0.0);
    parts
        .map(|(wanted, level)| {
            let (wanted, level) = (wanted / all, level / kept);
            // A level that nothing led to, but for what was beyond.
            wanted * (wanted / level.max(f64::EPSILON)).ln()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers like those of a layer: most of them small, a few large. From a simple generator.
    fn numbers(outlier: f32) -> Histogram {
        let mut state = 1u32;
        let mut draw = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1u32 << 24) - 0.5
        };
        #[allow(clippy::cast_possible_truncation, reason = "a test's numbers")]
        let normal: Vec<f32> =
            (0..100_000).map(|_| (0..12).map(|_| draw()).sum::<f64>() as f32).collect();
        let mut sizes = Histogram::default();
        sizes.add(&Tensor::vector(&normal));
        sizes.add(&Tensor::vector(&[outlier]));
        sizes
    }

    #[test]
    fn ways_differ_where_one_number_is_far_from_the_others() {
        let sizes = numbers(100.0);
        let end = |way| end(&sizes, Eight::Int8, way);
        assert!((end(Calibration::Max) - 100.0).abs() < 1e-9);
        let (percentile, entropy) = (end(Calibration::Percentile), end(Calibration::Entropy));
        assert!((3.5..4.5).contains(&percentile), "{percentile}");
        assert!((2.5..8.0).contains(&entropy), "{entropy}");
        // Squares weigh the one as much as a wider step for all others.
        let squares = end(Calibration::Mse);
        assert!((10.0..80.0).contains(&squares), "{squares}");
    }

    #[test]
    fn squares_are_least_where_they_are_measured_to_be() {
        let sizes = numbers(5.0);
        for to in [Eight::Int8, Eight::Fp8] {
            let chosen = end(&sizes, to, Calibration::Mse);
            let measured = |end: f64| -> f64 {
                let scale = end / largest(to);
                middles(&sizes)
                    .map(|(size, count)| count * (size - there_and_back(size, scale, to)).powi(2))
                    .sum()
            };
            let least = (1..200)
                .map(|at| measured(sizes.largest * f64::from(at) / 199.0))
                .fold(f64::INFINITY, f64::min);
            assert!(measured(chosen) < 1.1 * least, "{to}: {} {least}", measured(chosen));
        }
    }

    /// A number in 8 bits and back.
    fn there_and_back(size: f64, scale: f64, to: Eight) -> f64 {
        let ratio = (size / scale).min(largest(to));
        match to {
            Eight::Int8 => ratio.round_ties_even() * scale,
            Eight::Fp8 => {
                let step = ratio.log2().floor().max(-6.0).exp2() / 8.0;
                (ratio / step).round_ties_even() * step * scale
            }
        }
    }

    #[test]
    fn a_scale_is_what_the_data_have_room_for() {
        assert_eq!(scale(127.0, Eight::Int8, DType::F16), Some(1.0));
        assert_eq!(scale(44.8, Eight::Fp8, DType::F32), Some(0.1));
        let half = scale(12.7, Eight::Int8, DType::F16);
        assert_eq!(half, Some(half::f16::from_f32(0.1).to_f32()));
        assert_eq!(scale(1e-9, Eight::Int8, DType::F16), None);
        assert_eq!(scale(1e30, Eight::Int8, DType::F16), None);
        assert_eq!(scale(0.0, Eight::Int8, DType::F32), None);
    }
}
