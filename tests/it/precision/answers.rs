//! Data, and formulas in `f64`.

use super::numbers;
use onnx2plan::tensor::Tensor;

/// Numbers of a seed: uniform from 0 to 1 (SplitMix64).
pub(super) struct Draw(u64);

impl Draw {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x1234_5678_9abc_def1).wrapping_add(77))
    }

    pub(super) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// About normal, with mean 0 and deviation 1.
    pub(super) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// Normal numbers of this mean and deviation.
pub(super) fn normal(seed: u64, dims: &[usize], mean: f64, deviation: f64) -> Tensor {
    let mut draw = Draw::new(seed);
    let count = dims.iter().product::<usize>();
    let values = (0..count).map(|_| (mean + deviation * draw.normal()) as f32).collect();
    Tensor::of(dims.to_vec(), values).unwrap()
}

/// Numbers between two.
pub(super) fn between(seed: u64, dims: &[usize], low: f64, high: f64) -> Tensor {
    let mut draw = Draw::new(seed);
    let count = dims.iter().product::<usize>();
    let values = (0..count).map(|_| (low + (high - low) * draw.uniform()) as f32).collect();
    Tensor::of(dims.to_vec(), values).unwrap()
}

/// Whole numbers below a limit.
pub(super) fn below(seed: u64, dims: &[usize], limit: i64) -> Tensor {
    let mut draw = Draw::new(seed);
    let count = dims.iter().product::<usize>();
    let values = (0..count).map(|_| (draw.uniform() * limit as f64) as i64).collect();
    Tensor::of(dims.to_vec(), values).unwrap()
}

/// A function of each element of the first input.
pub(super) fn each(inputs: &[Tensor], f: impl Fn(f64) -> f64) -> Vec<f64> {
    numbers(&inputs[0]).into_iter().map(f).collect()
}

/// A function of each row of `width` elements of the first input.
pub(super) fn rows(inputs: &[Tensor], width: usize, f: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    numbers(&inputs[0]).chunks(width).flat_map(f).collect()
}

pub(super) fn mean(row: &[f64]) -> f64 {
    row.iter().sum::<f64>() / row.len() as f64
}

pub(super) fn softmax(row: &[f64]) -> Vec<f64> {
    let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = row.iter().map(|x| (x - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// (x − mean) / √(variance + ε)
pub(super) fn standard(row: &[f64], epsilon: f64) -> Vec<f64> {
    let mean = mean(row);
    let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / row.len() as f64;
    row.iter().map(|x| (x - mean) / (variance + epsilon).sqrt()).collect()
}

/// The position of the largest.
pub(super) fn largest(row: &[f64]) -> f64 {
    let at = (0..row.len()).fold(0, |best, at| if row[at] > row[best] { at } else { best });
    at as f64
}

/// The weights that `Model::weights` makes.
pub(super) fn weight(at: usize) -> f64 {
    [-4.0, -3.0, -2.0, -1.0, 1.0, 2.0, 3.0, 4.0][at % 8] / 4.0
}

/// `[rows, inner]` · `[inner, columns]`
pub(super) fn product(
    a: &[f64],
    b: &dyn Fn(usize) -> f64,
    inner: usize,
    columns: usize,
) -> Vec<f64> {
    let row = |row: &[f64]| -> Vec<f64> {
        let cell = |column| (0..inner).map(|k| row[k] * b(k * columns + column)).sum();
        (0..columns).map(cell).collect()
    };
    a.chunks(inner).flat_map(row).collect()
}

/// The error function, by its series and continued fraction.
pub(super) fn erf(x: f64) -> f64 {
    let steps = 2000;
    let width = x / f64::from(steps);
    let at = |i: i32| (-(f64::from(i) * width).powi(2)).exp();
    let inner: f64 = (1..steps).map(|i| if i % 2 == 1 { 4.0 * at(i) } else { 2.0 * at(i) }).sum();
    2.0 / std::f64::consts::PI.sqrt() * width / 3.0 * (at(0) + inner + at(steps))
}
